//go:build !amd64 && !arm64

package h264

func filterNormal(luma []byte, at, across, along, alpha, beta int, tc *[4]int8) {
	filterNormalPortable(luma, at, across, along, alpha, beta, tc)
}
