//go:build amd64 || arm64

package luma

// idct8 transforms b into eight rows of 8 samples, stride bytes apart. Its body is
// assembly: idct_amd64.s (SSE2), which saves a quarter of the work where cols says that
// columns 4 to 7 are 0, and idct_arm64.s (NEON).
//
//go:noescape
func idct8(dst *byte, stride int, b *[64]int16, cols uint8)

// idct transforms a block of dequantised coefficients into 8×8 samples in the
// processor's vector unit, with the bits of idctPortable. Bit i of cols or rows
// is set if column or row i is not all 0.
func idct(dst []byte, stride int, b *[64]int16, cols, rows uint8) {
	if cols|rows <= 1 {
		fillFlat(dst, stride, b[0])
		return
	}
	_ = dst[7*stride+7]
	idct8(&dst[0], stride, b, cols)
}
