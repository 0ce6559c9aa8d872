//go:build amd64 || arm64

package h264

// The kernels of sixtap_amd64.s (SSE2) and sixtap_arm64.s (NEON) work on 8 columns, or write 4 where w is 4; then they
// load up to 4 bytes behind the columns, which lie in the same block of memory.

//go:noescape
func average(dst *byte, stride int, src *byte, from, w, h int)

//go:noescape
func filterAcross8(dst *byte, stride int, src *byte, from, w, h int)

//go:noescape
func filterDown8(dst *byte, stride int, src *byte, from, w, h int)

//go:noescape
func filterRows8(rows *int16, src *byte, from, h int)

//go:noescape
func filterColumns8(dst *byte, stride int, rows *int16, w, h int)

// averageInto replaces dst by its mean with src, rounded up.
func averageInto(dst []byte, stride int, src []byte, from, w, h int) {
	_, _ = dst[(h-1)*stride+w-1], src[(h-1)*from+w-1]
	average(&dst[0], stride, &src[0], from, w, h)
}

// filterAcross applies the six-tap filter along rows, as filterAcrossPortable.
func filterAcross(dst []byte, stride int, src []byte, from, w, h int) {
	_, _ = dst[(h-1)*stride+w-1], src[(h-1)*from+w+4]
	for x := 0; x < w; x += 8 {
		filterAcross8(&dst[x], stride, &src[x], from, w, h)
	}
}

// filterDown applies it along columns, as filterDownPortable.
func filterDown(dst []byte, stride int, src []byte, from, w, h int) {
	_, _ = dst[(h-1)*stride+w-1], src[(h+4)*from+w-1]
	for x := 0; x < w; x += 8 {
		filterDown8(&dst[x], stride, &src[x], from, w, h)
	}
}

// filterBoth applies it along rows, then along columns, as filterBothPortable.
func filterBoth(dst []byte, stride int, src []byte, from, w, h int, rows *[21 * 16]int16) {
	_, _ = dst[(h-1)*stride+w-1], src[(h+4)*from+w+4]
	for x := 0; x < w; x += 8 {
		filterRows8(&rows[x], &src[x], from, h+5)
		filterColumns8(&dst[x], stride, &rows[x], w, h)
	}
}
