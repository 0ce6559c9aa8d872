package kernel

import "golang.org/x/sys/cpu"

// Sets lists what this processor can run, best first.
func Sets() []*Set {
	var out []*Set
	x := &cpu.X86
	if x.HasAVX512F && x.HasAVX512DQ && x.HasAVX512VL {
		s := avx512Set()
		if x.HasAVX512VNNI {
			s.Unsigned, s.bytes, s.quantize = true, bytes512, quantize512
		}
		out = append(out, s)
	}
	if x.HasAVX2 && x.HasFMA {
		out = append(out, avx2Set())
	}
	return append(out, Portable())
}

func bytes512(b *Bytes, width int) {
	if width == 32 {
		bytes512x32(b)
	} else {
		bytes512x16(b)
	}
}

func avx512Set() *Set {
	return &Set{
		Name: "avx512", Rows: 12, Widths: []int{32, 16}, Spaced: true, lanes: 1,
		gemm: func(g *Gemm, width, rows int) {
			switch {
			case rows == 1:
				eachColumnBlock(g, width, 16, gemm512x1)
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
		maximum: func(t *Taps, px int) {
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

func avx2Set() *Set {
	return &Set{
		Name: "avx2", Rows: 6, Widths: []int{16, 8}, Spaced: true, lanes: 8,
		gemm: func(g *Gemm, width, rows int) {
			switch {
			case rows == 1:
				eachColumnBlock(g, width, 8, gemm256x1)
			case width == 16:
				gemm256x16(g)
			default:
				gemm256x8(g)
			}
		},
		taps: func(t *Taps, px int) {
			switch px {
			case 8:
				taps256x8(t)
			case 4:
				taps256x4(t)
			default:
				taps256x1(t)
			}
		},
		maximum: func(t *Taps, px int) {
			switch px {
			case 8:
				most256x8(t)
			case 4:
				most256x4(t)
			default:
				most256x1(t)
			}
		},
		act: act256,
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

//go:noescape
func gemm256x16(p *Gemm)

//go:noescape
func gemm256x8(p *Gemm)

//go:noescape
func gemm256x1(p *Gemm)

//go:noescape
func taps256x8(t *Taps)

//go:noescape
func taps256x4(t *Taps)

//go:noescape
func taps256x1(t *Taps)

//go:noescape
func most256x8(t *Taps)

//go:noescape
func most256x4(t *Taps)

//go:noescape
func most256x1(t *Taps)

//go:noescape
func act256(e *Elements)

//go:noescape
func bytes512x32(p *Bytes)

//go:noescape
func bytes512x16(p *Bytes)

//go:noescape
func quantize512(q *Quantize)
