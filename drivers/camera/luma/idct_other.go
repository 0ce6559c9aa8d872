//go:build !amd64 && !arm64

package luma

// idct transforms a block of dequantised coefficients into 8×8 samples. Bit i
// of cols or rows is set if column or row i is not all 0.
func idct(dst []byte, stride int, b *[64]int16, cols, rows uint8) {
	if cols|rows <= 1 {
		fillFlat(dst, stride, b[0])
		return
	}
	idctPortable(dst, stride, b, cols, rows)
}
