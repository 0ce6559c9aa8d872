package kernel

import "golang.org/x/sys/cpu"

// Sets lists what this processor can run, best first.
func Sets() []*Set {
	var out []*Set
	x := &cpu.X86
	if x.HasAVX512F && x.HasAVX512DQ && x.HasAVX512VL {
		out = append(out, avx512())
	}
	return append(out, Portable())
}

func avx512() *Set {
	return &Set{
		Name: "avx512", Rows: 12, Widths: []int{32, 16}, Spaced: true, lanes: 1,
		gemm: func(g *Gemm, width, rows int) {
			switch {
			case rows == 1:
				each(g, width, 16, gemm512x1)
			case width == 32:
				gemm512x32(g)
			default:
				gemm512x16(g)
			}
		},
		taps: func(t *Taps, px int) {
			switch px {
			case 8:
				taps512x8(t)
			case 4:
				taps512x4(t)
			default:
				taps512x1(t)
			}
		},
		most: func(t *Taps, px int) {
			switch px {
			case 8:
				most512x8(t)
			case 4:
				most512x4(t)
			default:
				most512x1(t)
			}
		},
		act: act512,
	}
}

//go:noescape
func gemm512x32(p *Gemm)

//go:noescape
func gemm512x16(p *Gemm)

//go:noescape
func gemm512x1(p *Gemm)

//go:noescape
func taps512x8(t *Taps)

//go:noescape
func taps512x4(t *Taps)

//go:noescape
func taps512x1(t *Taps)

//go:noescape
func most512x8(t *Taps)

//go:noescape
func most512x4(t *Taps)

//go:noescape
func most512x1(t *Taps)

//go:noescape
func act512(e *Elements)
