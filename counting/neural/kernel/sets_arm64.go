package kernel

import "golang.org/x/sys/cpu"

// Sets returns the kernels that this processor can run, the fastest first. The
// last set is plain Go. Every 64-bit Arm has NEON; products in eight bits use
// its dot product instructions where it has them (ASIMDDP).
func Sets() []*Set {
	s := neonSet()
	s.quantize = quantize128
	s.bytes = func(b *Bytes, _ int) { bytes128wide(b) }
	if cpu.ARM64.HasASIMDDP {
		s.bytes = func(b *Bytes, _ int) { bytes128x8(b) }
	}
	return []*Set{s, portableSet()}
}

// neonSet returns the kernels for NEON: tiles of 8 rows by 8 columns.
func neonSet() *Set {
	return &Set{
		Name: "neon", Rows: 8, Widths: []int{8}, Whole: true, lanes: 8,
		gemm: func(g *Gemm, width, rows int) {
			if rows == 1 {
				gemm128x1(g)
			} else {
				gemm128x8(g)
			}
		},
		taps: func(t *Taps, px int) {
			switch px {
			case wideGroup:
				taps128x8(t)
			case narrowGroup:
				taps128x4(t)
			default:
				taps128x1(t)
			}
		},
		maximum: func(t *Taps, px int) {
			switch px {
			case wideGroup:
				most128x8(t)
			case narrowGroup:
				most128x4(t)
			default:
				most128x1(t)
			}
		},
		act: act128,
	}
}

//go:noescape
func gemm128x8(p *Gemm)

//go:noescape
func gemm128x1(p *Gemm)

//go:noescape
func taps128x8(t *Taps)

//go:noescape
func taps128x4(t *Taps)

//go:noescape
func taps128x1(t *Taps)

//go:noescape
func most128x8(t *Taps)

//go:noescape
func most128x4(t *Taps)

//go:noescape
func most128x1(t *Taps)

//go:noescape
func act128(e *Elements)

//go:noescape
func bytes128x8(p *Bytes)

//go:noescape
func quantize128(q *Quantize)

//go:noescape
func bytes128wide(p *Bytes)
