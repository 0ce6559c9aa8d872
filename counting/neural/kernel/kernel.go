// Package kernel holds the inner loops of the network executor: a matrix
// product (GEMM) in float32 and in int8, a depthwise convolution, a maximum over
// a window, quantisation, and functions of one element. Each exists in plain Go
// and, where the processor has the instructions, in assembly (AVX-512, AVX2,
// NEON); Sets lists what the processor can run.
//
// Every loop works on tensors whose channels lie side by side. Offsets and
// steps count elements, not bytes. Set checks all bounds before it calls
// assembly, and panics on arguments that leave their slices.
package kernel

import "fmt"

// ActKind names a function of one element, an activation.
type ActKind int

// The functions. Those up to Sigmoid can end a Gemm or a Taps.
const (
	None        ActKind = iota
	Clip                // min(max(x, Lo), Hi)
	SiLU                // x / (1 + e⁻ˣ)
	Sigmoid             // 1 / (1 + e⁻ˣ)
	ExpNeg              // e⁻ˣ
	Leaky               // x, or Lo·x below zero
	HardSigmoid         // min(max(Lo·x + Hi, 0), 1)
	HardSwish           // x · min(max(Lo·x + Hi, 0), 1)
	Tanh                // (eˣ - e⁻ˣ) / (eˣ + e⁻ˣ)
	Exp                 // eˣ
	Sqrt                // √x
)

// Act is a function with its parameters.
type Act struct {
	Kind   ActKind
	Lo, Hi float32
}

// IsFusable reports whether the function can end a Gemm or a Taps, in registers.
func (a Act) IsFusable() bool { return a.Kind <= Sigmoid }

// Gemm holds the arguments of one block of a matrix product in float32:
// C = act(A·B + Bias), with the residual Res added after act, or before it.
//
// Row i of A begins at A[AOff+i·AStep]. Its element k = s·SegLen+j lies
// Segs[s]+j·KStep further, so a row may be a pixel, a window of pixels or a
// window of a planar picture; no im2col copy is needed. B is one packed panel:
// for each k the panel's width of columns. Bias has the panel's width. Row i of
// C begins at C[COff+i·CStep], that of Res at Res[ROff+i·RStep].
type Gemm struct {
	A, B, Bias, C, Res []float32 // Res may be nil
	Segs               []int
	AOff, AStep        int
	SegLen, KStep      int
	COff, CStep        int
	ROff, RStep        int
	M, N               int // rows; columns that are written, at most the panel's width
	Act                Act
	Before             bool        // add Res before Act
	tiles              int         // number of tiles, each of the kernel's rows
	mask               int         // columns of the last vector
	bStep              int         // bytes from one k to the next, for a kernel narrower than its panel
	partialTile        [64]float32 // a whole tile, of which gemmPartialPanel stores only some columns
}

// Taps holds the arguments of a row of N outputs of a depthwise convolution over
// C channels: Out[j][c] = act(Bias[c] + Σₜ In[offₜ + j·InStep + c]·W[woffₜ + c]),
// or of a maximum instead of the sum. In is read from InOff on, Out written from
// OutOff on.
type Taps struct {
	In, W, Bias, Out []float32
	Tab              []int // pairs: offₜ, woffₜ
	InOff, InStep    int
	OutOff, OutStep  int
	N, C             int
	Act              Act
}

// Set holds the kernels of one instruction set and their tile sizes.
type Set struct {
	Name     string // avx512, avx2, neon or go
	Rows     int    // rows of a tile of the matrix kernel
	Widths   []int  // widths of its panels in columns, widest first
	Spaced   bool   // the matrix kernel accepts KStep ≠ 1
	Whole    bool   // the matrix kernel stores whole panels only
	Unsigned bool   // quantised inputs are uint8, not int8

	gemm     func(g *Gemm, width, rows int) // whole tiles; rows is Rows or 1
	taps     func(t *Taps, px int)          // whole vectors, px outputs at a time: wideGroup, narrowGroup or 1
	maximum  func(t *Taps, px int)          // the same for a maximum
	bytes    func(b *Bytes, width int)      // whole tiles
	quantize func(q *Quantize)              // the first cols columns, a multiple of quantizeColumns
	act      func(e *Elements)              // whole vectors
	lanes    int                            // taps, maximum and act need a multiple of it; Go computes the rest
}

// Panel is a range of columns of a packed matrix: N columns from First on, padded
// with zeros to Width.
type Panel struct{ First, Width, N int }

// SplitColumns cuts n columns into panels. Each is as wide as the kernel's widest,
// except at the end, where a narrower one suffices.
func (s *Set) SplitColumns(n int) []Panel {
	var out []Panel
	least := s.Widths[len(s.Widths)-1]
	for at := 0; at < n; {
		width := least
		for _, w := range s.Widths {
			if n-at > w-least { // the narrowest does not suffice
				width = w
				break
			}
		}
		out = append(out, Panel{at, width, min(width, n-at)})
		at += width
	}
	return out
}

// Gemm computes one block for a panel of the given width, one of Widths. It
// panics where the block leaves its slices.
func (s *Set) Gemm(g *Gemm, width int) {
	if s.gemm == nil {
		gemmGo(g, width)
		return
	}
	last := s.Widths[len(s.Widths)-1]
	g.checkBounds(width, last)
	g.mask = (g.N-1)%last + 1
	if s.Whole && g.N < width {
		s.gemmPartialPanel(g, width)
		return
	}
	s.gemmTiles(g, width)
}

// gemmPartialPanel computes a panel of fewer columns than its width for a kernel
// that stores whole panels only: tile by tile into a buffer, of which it then
// stores the N columns.
func (s *Set) gemmPartialPanel(g *Gemm, width int) {
	own := *g
	g.C, g.COff, g.CStep, g.N, g.Res, g.Act = g.partialTile[:], 0, width, width, nil, Act{}
	for m := 0; m < own.M; m += s.Rows {
		g.AOff, g.M = own.AOff+m*own.AStep, min(s.Rows, own.M-m)
		s.gemmTiles(g, width)
		for i := range g.M {
			for j := range own.N {
				own.storeRow(m+i, j, 1, [4]float32{g.partialTile[i*width+j]})
			}
		}
	}
	g.C, g.COff, g.CStep, g.N, g.Res, g.Act, g.AOff, g.M = own.C, own.COff, own.CStep, own.N, own.Res, own.Act, own.AOff, own.M
}

// gemmTiles computes all rows of a block. Where the last rows are fewer than a
// tile's, the last tile overlaps the one before it.
func (s *Set) gemmTiles(g *Gemm, width int) {
	if g.M < s.Rows {
		g.tiles = g.M
		s.gemm(g, width, 1)
		return
	}
	g.tiles = g.M / s.Rows
	s.gemm(g, width, s.Rows)
	if g.M%s.Rows != 0 {
		a, c, r := g.AOff, g.COff, g.ROff
		back := g.M - s.Rows
		g.AOff, g.COff, g.ROff, g.tiles = a+back*g.AStep, c+back*g.CStep, r+back*g.RStep, 1
		s.gemm(g, width, s.Rows)
		g.AOff, g.COff, g.ROff = a, c, r
	}
}

// checkBounds panics where a kernel would leave a slice. last is the width of the
// set's narrowest panel, in columns.
func (g *Gemm) checkBounds(width, last int) {
	k := len(g.Segs) * g.SegLen
	lo, hi := 0, 0
	for _, s := range g.Segs {
		lo, hi = min(lo, s), max(hi, s)
	}
	far := func(off, step int) int { return off + (g.M-1)*step }
	switch {
	case g.M < 1 || g.N <= width-last || g.N > width || k < 1 || min(g.AStep, g.KStep, g.CStep, g.RStep) < 0:
	case len(g.B) < k*width || len(g.Bias) < width:
	case g.AOff+lo < 0 || far(g.AOff, g.AStep)+hi+(g.SegLen-1)*g.KStep >= len(g.A):
	case g.COff < 0 || far(g.COff, g.CStep)+g.N > len(g.C):
	case len(g.Res) > 0 && (g.ROff < 0 || far(g.ROff, g.RStep)+g.N > len(g.Res)):
	default:
		return
	}
	panic(fmt.Sprintf("kernel: matrix block %d×%d of width %d leaves its tensors", g.M, g.N, width))
}

// DepthwiseRow computes a row of a depthwise convolution. It panics where the row leaves
// its slices.
func (s *Set) DepthwiseRow(t *Taps) { s.windowRow(t, s.taps, tapsGo) }

// MaxRow computes a row of a maximum over a window; it does not use W and Bias. It
// panics where the row leaves its slices.
func (s *Set) MaxRow(t *Taps) { s.windowRow(t, s.maximum, maximumGo) }

// windowRow computes a row of outputs: whole vectors of channels by the kernel
// fast, if there is one, and the remaining channels by the Go code slow.
func (s *Set) windowRow(t *Taps, fast func(*Taps, int), slow func(*Taps, int)) {
	t.checkBounds()
	whole := 0
	if fast != nil {
		whole = t.C - t.C%s.lanes
	}
	if whole > 0 {
		n, in, out, c := t.N, t.InOff, t.OutOff, t.C
		t.C = whole
		s.coverRow(t, fast)
		t.N, t.InOff, t.OutOff, t.C = n, in, out, c
	}
	if whole < t.C {
		slow(t, whole)
	}
}

// The outputs that a window kernel computes at a time, in pixels.
const (
	wideGroup   = 8
	narrowGroup = 4
)

// coverRow computes a row by groups of eight, four and one outputs. Where the
// row has four outputs or more, the last group overlaps the one before it.
func (s *Set) coverRow(t *Taps, fast func(*Taps, int)) {
	n, in, out := t.N, t.InOff, t.OutOff
	at := 0
	compute := func(count, px int) {
		t.N, t.InOff, t.OutOff = count, in+at*t.InStep, out+at*t.OutStep
		fast(t, px)
		at += count
	}
	if n >= wideGroup {
		compute(n/wideGroup*wideGroup, wideGroup)
	}
	if n-at >= narrowGroup {
		compute(narrowGroup, narrowGroup)
	}
	switch {
	case n-at == 0:
	case n >= narrowGroup:
		at = n - narrowGroup
		compute(narrowGroup, narrowGroup)
	default:
		compute(n-at, 1)
	}
}

// checkBounds panics where a kernel would leave a slice.
func (t *Taps) checkBounds() {
	lo, hi, whi, wlo := 0, 0, 0, 0
	for i := 0; i+1 < len(t.Tab); i += 2 {
		if i == 0 {
			lo, hi = t.Tab[0], t.Tab[0]
		}
		lo, hi = min(lo, t.Tab[i]), max(hi, t.Tab[i])
		wlo, whi = min(wlo, t.Tab[i+1]), max(whi, t.Tab[i+1])
	}
	last := t.N - 1
	switch {
	case t.N < 1 || t.C < 1 || t.InStep < 0 || t.OutStep < 0 || len(t.Tab)%2 != 0:
	case len(t.Tab) > 0 && (t.InOff+lo < 0 || t.InOff+last*t.InStep+hi+t.C > len(t.In)):
	case t.OutOff < 0 || t.OutOff+last*t.OutStep+t.C > len(t.Out):
	case t.W != nil && (wlo < 0 || whi+t.C > len(t.W) || len(t.Bias) < t.C):
	default:
		return
	}
	panic(fmt.Sprintf("kernel: row of %d×%d leaves its tensors", t.N, t.C))
}

// Elements holds the arguments of a function of each element of Src, which has
// at least the length of Dst; Dst may be Src.
type Elements struct {
	Dst, Src []float32
	Act      Act
}

// ApplyAct applies the function to each element: Dst[i] = act(Src[i]).
func (s *Set) ApplyAct(e *Elements) {
	e.Src = e.Src[:len(e.Dst)]
	done := 0
	if s.act != nil && e.Act.Kind <= ExpNeg && len(e.Dst) >= s.lanes {
		rest := *e
		done = len(e.Dst) - len(e.Dst)%s.lanes
		e.Dst, e.Src = e.Dst[:done], e.Src[:done]
		s.act(e)
		e.Dst, e.Src = rest.Dst, rest.Src
	}
	for i := done; i < len(e.Dst); i++ {
		e.Dst[i] = e.Act.Apply(e.Src[i])
	}
}

// float32Bytes is the size of a float32, in bytes.
const float32Bytes = 4

// eachColumnBlock computes rows one at a time: it calls the kernel narrow, which
// is cols columns wide, until all columns of a panel are done.
func eachColumnBlock(g *Gemm, width, cols int, narrow func(*Gemm)) {
	b, bias, c, r, n := g.B, g.Bias, g.COff, g.ROff, g.N
	g.bStep = float32Bytes * width
	for at := 0; at < n; at += cols {
		g.B, g.Bias, g.COff, g.ROff = b[at:], bias[at:], c+at, r+at
		g.mask = min(cols, n-at)
		narrow(g)
	}
	g.B, g.Bias, g.COff, g.ROff = b, bias, c, r
}
