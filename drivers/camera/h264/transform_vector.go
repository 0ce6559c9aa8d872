//go:build amd64 || arm64

package h264

//go:noescape
func transform4x4(dst *byte, stride int, c *[16]int16)

//go:noescape
func transform8x8(dst *byte, stride int, c *[64]int16)

// addTransform4x4 adds the inverse 4×4 transform to the samples and clears the
// coefficients, as addTransform4x4Portable.
func addTransform4x4(dst []byte, stride int, c *[16]int16) {
	_ = dst[3*stride+3]
	transform4x4(&dst[0], stride, c)
}

// addTransform8x8 adds the inverse 8×8 transform, as addTransform8x8Portable.
func addTransform8x8(dst []byte, stride int, c *[64]int16) {
	_ = dst[7*stride+7]
	transform8x8(&dst[0], stride, c)
}
