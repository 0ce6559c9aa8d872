//go:build !amd64 && !arm64

package luma

// idct transforms a block of dequantised coefficients into 8×8 samples.
func idct(dst []byte, stride int, b *[64]int16, cols, rows uint8) {
	if cols|rows <= 1 {
		flat(dst, stride, b[0])
		return
	}
	portable(dst, stride, b, cols, rows)
}
