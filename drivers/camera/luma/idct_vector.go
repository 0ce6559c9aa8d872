//go:build amd64 || arm64

package luma

//go:noescape
func idct8(dst *byte, stride int, b *[64]int16)

// idct is portable in the processor's vector unit.
func idct(dst []byte, stride int, b *[64]int16, cols, rows uint8) {
	if cols|rows <= 1 {
		flat(dst, stride, b[0])
		return
	}
	_ = dst[7*stride+7]
	idct8(&dst[0], stride, b)
}
