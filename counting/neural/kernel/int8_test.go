package kernel

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestByteKernelsEqualGoBitForBit(t *testing.T) {
	for _, s := range assemblySets(t) {
		if !s.HasInt8() {
			continue
		}
		t.Run(s.Name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(9, 10))
			for range 800 {
				b, width := randomBytes(r, s)
				want := b
				want.C = append([]float32{}, b.C...)
				int8GemmGo(&want, width, s.Unsigned)
				s.GemmInt8(&b, width)
				gated := b.Act.Kind == SiLU || b.Act.Kind == Sigmoid
				for i := range want.C {
					if b.C[i] != want.C[i] && !(gated && math.Abs(float64(b.C[i]-want.C[i])) < 1e-4*max(1, math.Abs(float64(want.C[i])))) {
						t.Fatalf("%d×%d×%d, width %d, act %v: element %d: %g, in Go %g", b.M, b.Depth, b.N, width, b.Act, i, b.C[i], want.C[i])
					}
				}
			}
		})
	}
}

func randomBytes(r *rand.Rand, s *Set) (Bytes, int) {
	width := s.Widths[r.IntN(len(s.Widths))]
	least := s.Widths[len(s.Widths)-1]
	b := Bytes{M: 1 + r.IntN(3*s.Rows), N: width - r.IntN(least), Depth: Int8DepthUnit * (1 + r.IntN(8)), Act: randomAct(r)}
	b.A, b.B = make([]int8, b.M*b.Depth), make([]int8, b.Depth*width)
	for i := range b.A {
		b.A[i] = int8(r.IntN(256) - 128)
	}
	for i := range b.B {
		b.B[i] = int8(r.IntN(255) - 127)
	}
	if r.IntN(4) == 0 { // the extremes
		for i := range b.A {
			b.A[i] = -128
		}
		for i := range b.B {
			b.B[i] = -127
		}
	}
	b.Zero = make([]int32, width)
	for i := range b.Zero {
		b.Zero[i] = int32(r.IntN(20000) - 10000)
	}
	b.Scale, b.Bias = randomFloats(r, width), randomFloats(r, width)
	for i := range b.Scale {
		b.Scale[i] /= 1 << 15
	}
	b.CStep, b.COff = b.N+r.IntN(30), r.IntN(9)
	b.C = randomFloats(r, b.COff+(b.M-1)*b.CStep+b.N+40)
	if r.IntN(2) == 0 {
		b.RStep, b.ROff = b.N+r.IntN(9), r.IntN(9)
		b.Res = randomFloats(r, b.ROff+(b.M-1)*b.RStep+b.N)
	}
	return b, width
}

func TestQuantizingKernelsEqualGoBitForBit(t *testing.T) {
	for _, s := range assemblySets(t) {
		if !s.HasInt8() {
			continue
		}
		r := rand.New(rand.NewPCG(11, 12))
		slow := &Set{Unsigned: s.Unsigned}
		for range 500 {
			n, rows := 1+r.IntN(100), 1+r.IntN(9)
			q := Quantize{Rows: rows, SrcOff: r.IntN(9), SrcStep: n + r.IntN(9), DstStep: n + r.IntN(9), Scale: randomFloats(r, n), Zero: randomFloats(r, n)}
			q.Src, q.Dst = randomFloats(r, q.SrcOff+rows*q.SrcStep), make([]int8, rows*q.DstStep)
			for i := range n {
				q.Scale[i] *= 100
				q.Zero[i] = float32(r.IntN(256))
				if !s.Unsigned {
					q.Zero[i] -= 128
				}
			}
			want := q
			want.Dst = make([]int8, len(q.Dst))
			s.Quantize(&q)
			slow.Quantize(&want)
			for i := range want.Dst {
				if q.Dst[i] != want.Dst[i] {
					t.Fatalf("%s: %d rows of %d: byte %d is %d, in Go %d", s.Name, rows, n, i, q.Dst[i], want.Dst[i])
				}
			}
		}
	}
}
