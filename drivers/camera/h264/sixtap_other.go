//go:build !amd64 && !arm64

package h264

func averageInto(dst []byte, stride int, src []byte, from, w, h int) {
	averageIntoPortable(dst, stride, src, from, w, h)
}

func filterAcross(dst []byte, stride int, src []byte, from, w, h int) {
	filterAcrossPortable(dst, stride, src, from, w, h)
}

func filterDown(dst []byte, stride int, src []byte, from, w, h int) {
	filterDownPortable(dst, stride, src, from, w, h)
}

func filterBoth(dst []byte, stride int, src []byte, from, w, h int, rows *[21 * 16]int16) {
	filterBothPortable(dst, stride, src, from, w, h, rows)
}
