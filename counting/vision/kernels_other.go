//go:build !amd64

package vision

// settlePixels is settlePixelsPortable for [lo, hi).
func (a *arena) settlePixels(lo, hi int, t *rates, far *[settledPixels / 8]uint8) {
	a.settlePixelsPortable(lo, hi, lo, t, far)
}

// sumColumns is sumColumnsPortable.
func sumColumns(columns []uint16, rows []byte, k, stride int) {
	sumColumnsPortable(columns, rows, k, stride)
}
