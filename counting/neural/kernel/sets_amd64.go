package kernel

import "golang.org/x/sys/cpu"

// Sets returns the kernels that this processor can run, the fastest first. The
// last set is plain Go.
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
	return append(out, portableSet())
}

// bytes512 chooses the kernel in eight bits by the width of its panel.
func bytes512(b *Bytes, width int) {
	if width == 32 {
		bytes512x32(b)
	} else {
		bytes512x16(b)
	}
}

// avx512Set returns the kernels for AVX-512 (F, DQ, VL): tiles of 12 rows by 32
// columns.
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
			case wideGroup:
				taps512x8(t)
			case narrowGroup:
				taps512x4(t)
			default:
				taps512x1(t)
			}
		},
		maximum: func(t *Taps, px int) {
			switch px {
			case wideGroup:
				most512x8(t)
			case narrowGroup:
				most512x4(t)
			default:
				most512x1(t)
			}
		},
		act: act512,
	}
}

// avx2Set returns the kernels for AVX2 and FMA: tiles of 6 rows by 16 columns.
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
			case wideGroup:
				taps256x8(t)
			case narrowGroup:
				taps256x4(t)
			default:
				taps256x1(t)
			}
		},
		maximum: func(t *Taps, px int) {
			switch px {
			case wideGroup:
				most256x8(t)
			case narrowGroup:
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
