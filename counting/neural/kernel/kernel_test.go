package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

func randomFloats(r *rand.Rand, n int) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(r.NormFloat64())
	}
	return v
}

func randomAct(r *rand.Rand) Act {
	return []Act{{}, {Kind: Clip, Hi: float32(math.Inf(1))}, {Kind: Clip, Lo: -0.5, Hi: 0.7}, {Kind: SiLU}, {Kind: Sigmoid}}[r.IntN(5)]
}

// compareFloats returns an error where two results differ by more than rounding
// explains: a kernel adds in another order and may fuse multiply and add.
func compareFloats(got, want []float32) error {
	for i, w := range want {
		if d := math.Abs(float64(got[i] - w)); got[i] != w && !(d <= 5e-5*max(1, math.Abs(float64(w)))) {
			return fmt.Errorf("element %d: %g, in Go %g", i, got[i], w)
		}
	}
	return nil
}

// assemblySets returns every set of kernels but plain Go's, or skips the test.
func assemblySets(t *testing.T) []*Set {
	sets := Sets()
	if len(sets) == 1 {
		t.Skip("this processor has plain Go only")
	}
	return sets[:len(sets)-1]
}

func TestMatrixKernelsEqualGo(t *testing.T) {
	for _, s := range assemblySets(t) {
		t.Run(s.Name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(1, 2))
			for range 1500 {
				g, width := randomGemm(r, s)
				want := g
				want.C = append([]float32{}, g.C...)
				gemmGo(&want, width)
				s.Gemm(&g, width)
				if err := compareFloats(g.C, want.C); err != nil {
					t.Fatalf("%d×%d×%d, width %d, act %v, before %v, A step %d, k step %d, C step %d: %v",
						g.M, len(g.Segs)*g.SegLen, g.N, width, g.Act, g.Before, g.AStep, g.KStep, g.CStep, err)
				}
			}
		})
	}
}

// randomGemm returns a block with gaps between all rows, which a kernel must not
// overwrite.
func randomGemm(r *rand.Rand, s *Set) (Gemm, int) {
	width := s.Widths[r.IntN(len(s.Widths))]
	g := Gemm{M: 1 + r.IntN(3*s.Rows), N: width - r.IntN(s.Widths[len(s.Widths)-1]), SegLen: 1 + r.IntN(20), KStep: 1, Act: randomAct(r)}
	if s.Spaced {
		g.KStep = 1 + r.IntN(3)
	}
	for range 1 + r.IntN(6) {
		g.Segs = append(g.Segs, r.IntN(100))
	}
	k := len(g.Segs) * g.SegLen
	g.AStep, g.AOff = r.IntN(50), r.IntN(9)
	g.A = randomFloats(r, g.AOff+(g.M-1)*g.AStep+100+g.SegLen*g.KStep)
	g.B, g.Bias = randomFloats(r, k*width), randomFloats(r, width)
	g.CStep, g.COff = g.N+r.IntN(40), r.IntN(9)
	g.C = randomFloats(r, g.COff+(g.M-1)*g.CStep+g.N+40)
	if r.IntN(2) == 0 {
		g.RStep, g.ROff, g.Before = g.N+r.IntN(9), r.IntN(9), r.IntN(2) == 0
		g.Res = randomFloats(r, g.ROff+(g.M-1)*g.RStep+g.N)
	}
	return g, width
}

func TestWindowKernelsEqualGo(t *testing.T) {
	for _, s := range assemblySets(t) {
		t.Run(s.Name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(3, 4))
			for i := range 1500 {
				p := Taps{N: 1 + r.IntN(30), C: 1 + r.IntN(70), InStep: r.IntN(100), Act: randomAct(r)}
				taps := i%2 + r.IntN(26)
				for range taps {
					p.Tab = append(p.Tab, r.IntN(200)-50, r.IntN(300))
				}
				p.InOff, p.OutOff, p.OutStep = 50+r.IntN(9), r.IntN(9), p.C+r.IntN(20)
				p.In = randomFloats(r, p.InOff+(p.N-1)*p.InStep+150+p.C)
				p.W, p.Bias = randomFloats(r, 300+p.C), randomFloats(r, p.C)
				p.Out = randomFloats(r, p.OutOff+p.N*p.OutStep)
				want := p
				want.Out = append([]float32{}, p.Out...)
				if i%2 == 0 {
					tapsGo(&want, 0)
					s.DepthwiseRow(&p)
				} else {
					maximumGo(&want, 0)
					s.MaxRow(&p)
				}
				if err := compareFloats(p.Out, want.Out); err != nil {
					t.Fatalf("%d outputs, %d channels, %d taps, act %v, maximum %v: %v", p.N, p.C, taps, p.Act, i%2 == 1, err)
				}
			}
		})
	}
}

func TestFunctionKernelsEqualGo(t *testing.T) {
	x := []float32{-200, -100, -88, -87, -50, -10, -1, -0.1, -1e-10, 0, 1e-10, 0.1, 1, 10, 50, 87, 88, 100, 200}
	for i := -2000; i < 2000; i++ {
		x = append(x, float32(i)/100)
	}
	for _, s := range assemblySets(t) {
		for _, k := range []ActKind{None, Clip, SiLU, Sigmoid, ExpNeg} {
			for _, n := range []int{1, 7, 8, 15, 16, 17, len(x)} {
				e := Elements{Dst: make([]float32, n), Src: x[:n], Act: Act{Kind: k, Lo: -2, Hi: 3}}
				s.ApplyAct(&e)
				for i, v := range e.Src {
					want := e.Act.Apply(v)
					if k == ExpNeg && v < -86 {
						continue // outside the range in which the kernel is exact
					}
					if d := math.Abs(float64(e.Dst[i] - want)); !(d <= 1e-5*math.Abs(float64(want))+1e-30) {
						t.Fatalf("%s: function %d of %g = %g, in Go %g", s.Name, k, v, e.Dst[i], want)
					}
				}
			}
		}
	}
}

func TestExpIsExact(t *testing.T) {
	for x := float32(-87); x < 87; x += 0.0137 {
		got, want := float64(expFloat32(x)), math.Exp(float64(x))
		if math.Abs(got-want) > 3e-7*want {
			t.Fatalf("exp(%g) = %g, want %g", x, got, want)
		}
	}
}

func TestPanelsCoverAllColumns(t *testing.T) {
	for _, s := range append(Sets(), &Set{Widths: []int{32, 16}}, &Set{Widths: []int{16, 8}}) {
		for n := 1; n < 200; n++ {
			at := 0
			for _, p := range s.SplitColumns(n) {
				if p.First != at || p.N < 1 || p.N > p.Width {
					t.Fatalf("%v: %d columns: panel %+v at %d", s.Widths, n, p, at)
				}
				at += p.N
			}
			if at != n {
				t.Fatalf("%v: %d columns: panels cover %d", s.Widths, n, at)
			}
		}
	}
}

func TestBlockThatLeavesItsTensorsIsRefused(t *testing.T) {
	sets := assemblySets(t)
	defer func() {
		if recover() == nil {
			t.Error("no panic for a block beyond its tensors")
		}
	}()
	g := Gemm{
		A: make([]float32, 10), B: make([]float32, 64), Bias: make([]float32, 64), C: make([]float32, 3),
		Segs: []int{0}, SegLen: 1, KStep: 1, AStep: 1, CStep: 1, M: 4, N: 1,
	}
	sets[0].Gemm(&g, sets[0].Widths[0])
}
