package kernel

import (
	"fmt"
	"math"
)

// Bytes holds the arguments of one block of a matrix product in eight bits:
// C = act(float32(Zero + A·B)·Scale + Bias), with the residual Res added after
// act.
//
// A holds M rows of Depth bytes, uint8 or int8 as the set's Unsigned says. B is
// one packed panel of int8: for each four of the depth, the panel's columns,
// four bytes each. Sums are exact in int32: with weights from -127 to 127 the
// depth may reach 2¹⁶. The product with Scale is rounded before Bias is added,
// so every kernel gives the same bits (no fused multiply-add).
type Bytes struct {
	A, B        []int8
	Zero        []int32   // one per column of the panel; makes up for the inputs' zero points
	Scale, Bias []float32 // one per column of the panel
	C, Res      []float32 // Res may be nil
	Depth       int       // a multiple of Int8DepthUnit
	COff, CStep int
	ROff, RStep int
	M, N        int
	Act         Act
	tiles       int
	mask        int
	aOff, aStep int
}

// Int8DepthUnit is the unit of a Bytes' Depth: the caller rounds the depth up to a
// multiple of it, with weights of zero.
const Int8DepthUnit = 16

// Quantize holds the arguments of a quantisation of rows to eight bits:
// q = x·Scale[c] + Zero[c] for column c, rounded to the nearest integer, halves to
// even, and limited to the range of a byte. Scale is one over the step, Zero the
// zero point. Row i is read from Src[SrcOff+i·SrcStep] on and written from
// Dst[i·DstStep] on.
type Quantize struct {
	Dst             []int8
	Src             []float32
	Scale, Zero     []float32 // one per column
	SrcOff, SrcStep int
	DstStep         int
	Rows            int
	cols            int
}

// HasInt8 reports whether the set has a product in eight bits that is faster
// than the one in float32.
func (s *Set) HasInt8() bool { return s.bytes != nil }

// GemmInt8 computes one block in eight bits for a panel of the given width, one of
// Widths. It panics where the block leaves its slices.
func (s *Set) GemmInt8(b *Bytes, width int) {
	if s.bytes == nil {
		int8GemmGo(b, width, s.Unsigned)
		return
	}
	least := s.Widths[len(s.Widths)-1]
	b.checkBounds(width)
	b.mask = (b.N-1)%least + 1
	b.aStep = b.Depth
	whole := b.M - b.M%s.Rows
	if b.M < s.Rows || s.Whole && b.N < width {
		int8GemmGo(b, width, s.Unsigned)
		return
	}
	b.aOff, b.tiles = 0, whole/s.Rows
	s.bytes(b, width)
	if whole < b.M { // the last tile overlaps the one before it
		c, r := b.COff, b.ROff
		back := b.M - s.Rows
		b.aOff, b.COff, b.ROff, b.tiles = back*b.Depth, c+back*b.CStep, r+back*b.RStep, 1
		s.bytes(b, width)
		b.COff, b.ROff = c, r
	}
}

// checkBounds panics where a kernel would leave a slice.
func (b *Bytes) checkBounds(width int) {
	last := b.M - 1
	switch {
	case b.M < 1 || b.N < 1 || b.N > width || b.Depth < Int8DepthUnit || b.Depth%Int8DepthUnit != 0 || b.CStep < 0 || b.RStep < 0:
	case len(b.A) < b.M*b.Depth || len(b.B) < b.Depth*width:
	case len(b.Zero) < width || len(b.Scale) < width || len(b.Bias) < width:
	case b.COff < 0 || b.COff+last*b.CStep+b.N > len(b.C):
	case len(b.Res) > 0 && (b.ROff < 0 || b.ROff+last*b.RStep+b.N > len(b.Res)):
	default:
		return
	}
	panic(fmt.Sprintf("kernel: byte block %d×%d of width %d leaves its tensors", b.M, b.N, width))
}

// int8GemmGo computes the product in plain Go.
func int8GemmGo(b *Bytes, width int, unsigned bool) {
	for m := range b.M {
		row := b.A[m*b.Depth:][:b.Depth]
		for n := range b.N {
			sum := b.Zero[n]
			for k := 0; k < b.Depth; k += 4 {
				w := b.B[k*width+4*n:][:4]
				x := row[k:][:4]
				if unsigned {
					sum += int32(uint8(x[0]))*int32(w[0]) + int32(uint8(x[1]))*int32(w[1]) + int32(uint8(x[2]))*int32(w[2]) + int32(uint8(x[3]))*int32(w[3])
				} else {
					sum += int32(x[0])*int32(w[0]) + int32(x[1])*int32(w[1]) + int32(x[2])*int32(w[2]) + int32(x[3])*int32(w[3])
				}
			}
			y := b.Act.Apply(float32(float32(sum)*b.Scale[n]) + b.Bias[n])
			if len(b.Res) > 0 {
				y += b.Res[b.ROff+m*b.RStep+n]
			}
			b.C[b.COff+m*b.CStep+n] = y
		}
	}
}

// quantizeColumns is the number of columns that a quantising kernel takes at a
// time; Go computes the rest.
const quantizeColumns = 16

// Quantize converts rows of float32 to bytes, uint8 or int8 as the set's Unsigned
// says. It panics where the rows leave their slices.
func (s *Set) Quantize(q *Quantize) {
	n, last := len(q.Scale), q.Rows-1
	if last < 0 || n == 0 || len(q.Zero) != n || q.SrcOff < 0 || min(q.SrcStep, q.DstStep) < 0 ||
		q.SrcOff+last*q.SrcStep+n > len(q.Src) || last*q.DstStep+n > len(q.Dst) {
		panic(fmt.Sprintf("kernel: %d rows of %d bytes leave their tensors", q.Rows, n))
	}
	whole := 0
	if s.quantize != nil && n >= quantizeColumns {
		whole = n - n%quantizeColumns
		q.cols = whole
		s.quantize(q)
	}
	lo, hi := float32(math.MinInt8), float32(math.MaxInt8)
	if s.Unsigned {
		lo, hi = 0, math.MaxUint8
	}
	if whole == n {
		return
	}
	for r := range q.Rows {
		dst, src := q.Dst[r*q.DstStep:][:n], q.Src[q.SrcOff+r*q.SrcStep:][:n]
		for c := whole; c < n; c++ {
			x := min(max(float32(src[c]*q.Scale[c])+q.Zero[c], lo), hi)
			dst[c] = int8(int(math.RoundToEven(float64(x))))
		}
	}
}
