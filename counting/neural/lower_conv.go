package neural

import (
	"slices"

	"kerb/counting/neural/kernel"
	"kerb/counting/neural/onnx"
)

// lowerConv lowers a convolution: a depthwise one to a sliding window, every
// other to matrix products over pixels. It needs no im2col buffer, because the
// matrix kernel reads windows of the padded input by a list of segments.
func (p *planner) lowerConv(n *node, k convOp) {
	if k.isDepthwise() && k.residual == nil {
		p.lowerDepthwise(n, k)
		return
	}
	in := n.in[0].layout
	out, after := p.channelsLastOutput(n, n.out[0].layout)
	var res *operand
	planar := in.stride[1] != 1 && in.stride[3]*k.dilation[1] == 1
	if in.stride[1] != 1 && !planar && (!p.set.Spaced || !k.isPointwise()) {
		in = p.channelsLastInput(n, in)
	}
	if k.padBefore != [2]int{} || k.padAfter != [2]int{} {
		if in = p.addBorder(n, k.window, in); p.err != nil {
			return
		}
	}
	g := &gemmStep{set: p.set, threads: p.threads, name: n.out[0].name, pointwise: k.kernelSize == [2]int{1, 1}, act: k.act, addBeforeAct: k.addBeforeAct, groups: k.group, groupStep: k.groupInputs * in.stride[1]}
	g.orderDepth(k, in, planar)
	h, w := out.shape[2], out.shape[3]
	g.linePixels, g.aStep, g.cStep = w, in.stride[3]*k.stride[1], out.stride[3]
	g.lines = [2]int{in.shape[0], h}
	g.aLine = [2]int{in.stride[0], in.stride[2] * k.stride[0]}
	g.cLine = [2]int{out.stride[0], out.stride[2]}
	flat := k.window.stride == [2]int{1, 1} && g.aLine[1] == w*g.aStep && g.cLine[1] == w*g.cStep
	if k.residual != nil {
		r := p.channelsLastInput(n, k.residual.layout)
		res = &operand{view: r}
		g.rStep, g.rLine = r.stride[3], [2]int{r.stride[0], r.stride[2]}
		flat = flat && g.rLine[1] == w*g.rStep
	}
	if flat && k.kernelSize == [2]int{1, 1} {
		g.linePixels, g.lines[1] = h*w, 1
	}
	cout := len(k.bias) / k.group
	if !p.reserveElems(g.packedSize(k.group, cout)) {
		return
	}
	weight := func(part, depth, col int) float32 {
		return k.weights[(part*cout+col)*k.groupInputs*k.kernelSize[0]*k.kernelSize[1]+g.weightIndex[depth]]
	}
	g.packWeights(k.group, cout, k.bias, weight)
	if res != nil {
		g.residual = p.readOperand(res.view)
	}
	g.in, g.out = p.readOperand(in), p.writeOperand(out)
	macs := int64(elemCount(out.shape)) * int64(k.groupInputs*k.kernelSize[0]*k.kernelSize[1])
	kind := "pointwise"
	if k.kernelSize != [2]int{1, 1} {
		kind = "dense"
	}
	if b := p.quantizeGemm(g, k.bias, func(depth, col int) float32 { return weight(0, depth, col) }); b != nil {
		p.addStep(b, n, "bytes", macs).weights = len(b.weights)/floatBytes + len(b.zero) + len(b.scale) + len(b.int8Bias)
	} else {
		p.addStep(g, n, kind, macs).weights = len(g.weights) + len(g.bias)
	}
	after()
}

// lowerGemm lowers a matrix product with known weights. Input and output are
// row-major; others are copied.
func (p *planner) lowerGemm(n *node, k gemmOp) {
	in, out := n.in[0].layout, n.out[0].layout
	rank := len(in.shape)
	depth, cols := in.shape[rank-1], out.shape[rank-1]
	if !in.isRowMajor() {
		in = newView(in.shape, rowMajorStrides(in.shape))
		p.addCopy(n, p.readOperand(n.in[0].layout), in)
	}
	after := func() {}
	if !out.isRowMajor() {
		out = newView(out.shape, rowMajorStrides(out.shape))
		after = func() { p.addCopy(n, p.readOperand(out), n.out[0].layout) }
	}
	g := &gemmStep{
		set: p.set, act: k.act, groups: 1, lines: [2]int{1, 1}, linePixels: elemCount(in.shape) / depth,
		aStep: depth, cStep: cols, segs: []int{0}, segLen: depth, kStep: 1,
	}
	if !p.reserveElems(g.packedSize(1, cols)) {
		return
	}
	g.packWeights(1, cols, k.bias, func(_, d, col int) float32 { return k.weights[d*cols+col] })
	g.in, g.out = p.readOperand(in), p.writeOperand(out)
	p.addStep(g, n, "product", int64(elemCount(out.shape))*int64(depth)).weights = len(g.weights) + len(g.bias)
	after()
}

// gemmStep computes lines of pixels as matrix products C = act(A·B + bias). A
// line is a row of the picture, or all of it where its rows follow each other
// without a gap. A row of A is the window of a pixel: as many segments as segs
// has offsets, each of segLen elements kStep apart (see kernel.Gemm). Names in
// a, c and r are offsets in the input A, the output C and the residual R, in
// elements.
type gemmStep struct {
	set               *kernel.Set
	threads           int
	in, residual, out *operand
	name              string // of the output's tensor, the key of Ranges
	act               kernel.Act
	addBeforeAct      bool // add the residual before act
	pointwise         bool // the kernel is 1×1

	lines               [2]int // number of pictures, lines of each
	aLine, cLine, rLine [2]int // from one picture to the next, from one line to the next
	linePixels          int    // pixels of a line
	aStep, cStep, rStep int    // from one pixel to the next

	segs          []int // offset of each segment from a pixel's window
	segLen, kStep int   // elements of a segment; from one to the next
	weightIndex   []int // per depth: index of the weight in the file's order

	weights, bias                 []float32 // packed by packWeights
	panels                        []kernel.Panel
	groups, groupStep             int // number of groups; from one group's input to the next's
	weightsPerGroup, biasPerGroup int // elements
	chunkPixels                   int // pixels of a unit, at most
}

// orderDepth chooses the order in which the product's depth passes through the
// window: by channels where they lie side by side, else (planar) along the
// window's rows. It sets segs, segLen, kStep and weightIndex.
func (g *gemmStep) orderDepth(k convOp, in view, planar bool) {
	kh, kw := k.kernelSize[0], k.kernelSize[1]
	index := func(c, y, x int) int { return (c*kh+y)*kw + x } // in the file's order
	if planar {
		g.segLen, g.kStep = kw, 1
		for c := range k.groupInputs {
			for y := range kh {
				g.segs = append(g.segs, c*in.stride[1]+y*k.dilation[0]*in.stride[2])
				for x := range kw {
					g.weightIndex = append(g.weightIndex, index(c, y, x))
				}
			}
		}
		return
	}
	g.segLen, g.kStep = k.groupInputs, in.stride[1]
	joined := g.kStep == 1 && k.dilation[1]*in.stride[3] == k.groupInputs // a window's row is contiguous
	for y := range kh {
		for x := range kw {
			if x == 0 || !joined {
				g.segs = append(g.segs, y*k.dilation[0]*in.stride[2]+x*k.dilation[1]*in.stride[3])
			}
			for c := range k.groupInputs {
				g.weightIndex = append(g.weightIndex, index(c, y, x))
			}
		}
	}
	if joined {
		g.segLen *= kw
	}
}

// packedSize returns the number of weights and biases after packing, or -1 where
// they exceed maxArena.
func (g *gemmStep) packedSize(groups, cout int) int {
	wide := 0
	for _, panel := range g.set.SplitColumns(cout) {
		wide += panel.Width
	}
	depth := len(g.segs)*g.segLen + 1
	if wide > maxArena/depth || wide*depth > maxArena/groups {
		return -1
	}
	return wide * depth * groups
}

// packWeights copies weights and biases into panels, one group after the other.
// w returns the weight of a group, a depth of the product and an output column.
// Columns beyond the last are zero.
func (g *gemmStep) packWeights(groups, cout int, bias []float32, w func(group, depth, col int) float32) {
	g.panels = g.set.SplitColumns(cout)
	depth := len(g.segs) * g.segLen
	g.weights = make([]float32, 0, g.packedSize(groups, cout))
	for part := range groups {
		for _, panel := range g.panels {
			for d := range depth {
				for j := range panel.Width {
					v := float32(0)
					if j < panel.N {
						v = w(part, d, panel.First+j)
					}
					g.weights = append(g.weights, v)
				}
			}
			for j := range panel.Width {
				v := float32(0)
				if j < panel.N {
					v = bias[part*cout+panel.First+j]
				}
				g.bias = append(g.bias, v)
			}
		}
	}
	g.weightsPerGroup, g.biasPerGroup = len(g.weights)/groups, len(g.bias)/groups
	g.chunkPixels = chunkSize(g.set.Rows, g.linePixels, depth, g.threads, cacheFloats)
}

// The part of the second-level cache that the input of a unit may fill, in
// elements (chosen by hand; the four cores of a Zero 2 W share 512 KiB).
const (
	cacheFloats = 24 << 10 // float32: 96 KiB
	cacheInt8s  = 32 << 10 // int8: 32 KiB
)

// chunksPerThread is the least number of units of a line for each thread, where
// its pixels suffice, so that threads of unequal speed end at about the same
// time (chosen by hand).
const chunksPerThread = 4

// chunkSize returns the number of pixels of a unit, for a kernel of so many rows,
// a line of m pixels and a product of the given depth. The input of a unit, at
// most cache elements, stays in the second-level cache while all panels of the
// weights are multiplied with it.
func chunkSize(rows, m, depth, threads, cache int) int {
	tiles := max(1, cache/(depth*rows))
	if threads > 1 {
		tiles = max(1, min(tiles, m/(rows*chunksPerThread*threads)))
	}
	return min(m, tiles*rows)
}

// chunksPerLine returns the number of units of a line.
func (g *gemmStep) chunksPerLine() int { return (g.linePixels + g.chunkPixels - 1) / g.chunkPixels }
func (g *gemmStep) unitCount() int     { return g.lines[0] * g.lines[1] * g.chunksPerLine() }

func (g *gemmStep) computeUnits(from, to int, s *scratch) {
	k := &s.gemm
	*k = kernel.Gemm{
		A: g.in.mem, C: g.out.mem, Segs: g.segs, AStep: g.aStep, SegLen: g.segLen, KStep: g.kStep,
		CStep: g.cStep, RStep: g.rStep, Act: g.act, Before: g.addBeforeAct,
	}
	if g.residual != nil {
		k.Res = g.residual.mem
	}
	for u := from; u < to; u++ {
		a, c, r, rows := g.unitOffsets(u)
		k.M = rows
		for part := range g.groups {
			b, bias := g.weights[part*g.weightsPerGroup:], g.bias[part*g.biasPerGroup:]
			col := part * (g.panels[len(g.panels)-1].First + g.panels[len(g.panels)-1].N)
			for _, panel := range g.panels {
				size := len(g.segs) * g.segLen * panel.Width
				k.B, k.Bias, k.N = b[:size], bias[:panel.Width], panel.N
				k.AOff, k.COff, k.ROff = a+part*g.groupStep, c+col+panel.First, r+col+panel.First
				g.set.Gemm(k, panel.Width)
				b, bias = b[size:], bias[panel.Width:]
			}
		}
	}
}

// unitOffsets returns the offsets of a unit's first pixel in the input (a), the
// output (c) and the residual (r), and the number of its pixels. Where fewer
// pixels are left than a tile has rows, the unit starts earlier and computes
// some pixels again.
func (g *gemmStep) unitOffsets(u int) (a, c, r, rows int) {
	per := g.chunksPerLine()
	line, m := u/per, u%per*g.chunkPixels
	rows = min(g.chunkPixels, g.linePixels-m)
	if rows < g.set.Rows && g.linePixels >= g.set.Rows {
		m, rows = g.linePixels-g.set.Rows, g.set.Rows
	}
	image, y := line/g.lines[1], line%g.lines[1]
	a = g.in.off + image*g.aLine[0] + y*g.aLine[1] + m*g.aStep
	c = g.out.off + image*g.cLine[0] + y*g.cLine[1] + m*g.cStep
	if g.residual != nil {
		r = g.residual.off + image*g.rLine[0] + y*g.rLine[1] + m*g.rStep
	}
	return a, c, r, rows
}

// borderStep copies a picture into a larger one with a border of zeros. A unit is
// a row of the output in memory.
type borderStep struct {
	in, out                 *operand
	lines                   [3]int // number of pictures, planes of each, rows of each in the output
	inAt, outAt             [3]int // from one picture, plane, row to the next
	top, bottom             int    // first row with input, first row after those
	left, inElems, allElems int    // elements of an output row: zeros before, the input's, all
}

// addBorder adds a step that copies the input with the window's padding around
// it, and returns the copy. Rows or channels side by side stay so; an input of
// any other order is first copied to channels-last.
func (p *planner) addBorder(n *node, win window, in view) view {
	shape := slices.Clone(in.shape)
	for a := range 2 {
		shape[2+a] += win.padBefore[a] + win.padAfter[a]
	}
	if _, err := onnx.ElemCount(shape); err != nil {
		p.err = err
		return in
	}
	s := &borderStep{top: win.padBefore[0], bottom: win.padBefore[0] + in.shape[2]}
	var out view
	if in.stride[1] == 1 && in.stride[3] == in.shape[1] {
		c := shape[1]
		out = newView(shape, channelsLastStrides(shape))
		s.lines = [3]int{shape[0], 1, shape[2]}
		s.left, s.inElems, s.allElems = win.padBefore[1]*c, in.shape[3]*c, shape[3]*c
	} else if in.stride[3] == 1 {
		out = newView(shape, rowMajorStrides(shape))
		s.lines = [3]int{shape[0], shape[1], shape[2]}
		s.left, s.inElems, s.allElems = win.padBefore[1], in.shape[3], shape[3]
	} else {
		dense := newView(in.shape, channelsLastStrides(in.shape))
		p.addCopy(n, p.readOperand(in), dense)
		return p.addBorder(n, win, dense)
	}
	s.inAt, s.outAt = [3]int(in.stride[:3]), [3]int(out.stride[:3])
	s.in, s.out = p.readOperand(in), p.writeOperand(out)
	p.addStep(s, n, "border", 0)
	return out
}

func (s *borderStep) unitCount() int { return s.lines[0] * s.lines[1] * s.lines[2] }

func (s *borderStep) computeUnits(from, to int, _ *scratch) {
	for u := from; u < to; u++ {
		y, rest := u%s.lines[2], u/s.lines[2]
		c, image := rest%s.lines[1], rest/s.lines[1]
		out := s.out.mem[s.out.off+image*s.outAt[0]+c*s.outAt[1]+y*s.outAt[2]:][:s.allElems]
		if y < s.top || y >= s.bottom {
			clear(out)
			continue
		}
		in := s.in.mem[s.in.off+image*s.inAt[0]+c*s.inAt[1]+(y-s.top)*s.inAt[2]:][:s.inElems]
		clear(out[:s.left])
		copy(out[s.left:], in)
		clear(out[s.left+s.inElems:])
	}
}
