//go:build !amd64 && !arm64

package h264

func addTransform4x4(dst []byte, stride int, c *[16]int16) { addTransform4x4Portable(dst, stride, c) }

func addTransform8x8(dst []byte, stride int, c *[64]int16) { addTransform8x8Portable(dst, stride, c) }
