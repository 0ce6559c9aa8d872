//go:build !amd64

package vision

// settlePixels is settlePixelsPortable for [lo, hi).
func (a *arena) settlePixels(lo, hi int, t *rates, far *[settledPixels / 8]uint8) {
	a.settlePixelsPortable(lo, hi, lo, t, far)
}
