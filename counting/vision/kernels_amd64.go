package vision

// settling is the input of settleEights: the planes at the first pixel, the bits of
// far, and the numbers of rates.
type settling struct {
	now, before, was, bgHi, bgLo, dev, age, candAge, activity, evidence, far *uint8

	minChange, minDifference, memory, minAge, looks uint64 // in each of four lanes of 16 bits
}

// settleEights is settlePixelsPortable on n pixels, a positive multiple of 8, in SSE2
// (kernels_amd64.s). It reads one pixel more of now and before at both ends.
//
//go:noescape
func settleEights(s *settling, n int)

// inLanes repeats a number of 16 bits in the four lanes of a word.
func inLanes(v int32) uint64 { return uint64(v) * 0x0001000100010001 }

// settlePixels is settlePixelsPortable for [lo, hi).
func (a *arena) settlePixels(lo, hi int, t *rates, far *[settledPixels / 8]uint8) {
	n := (min(hi, len(a.now)-1) - lo) &^ 7
	if lo == 0 || n <= 0 {
		a.settlePixelsPortable(lo, hi, lo, t, far)
		return
	}
	_, _, _, _ = a.now[lo+n], a.before[lo+n], a.bgBefore[lo+n-1], a.bgHi[lo+n-1]
	_, _, _, _ = a.bgLo[lo+n-1], a.dev[lo+n-1], a.age[lo+n-1], a.candAge[lo+n-1]
	_, _, _ = a.activity[lo+n-1], a.evidence[lo+n-1], far[n/8-1]
	s := settling{
		now: &a.now[lo], before: &a.before[lo], was: &a.bgBefore[lo], bgHi: &a.bgHi[lo], bgLo: &a.bgLo[lo],
		dev: &a.dev[lo], age: &a.age[lo], candAge: &a.candAge[lo], activity: &a.activity[lo], evidence: &a.evidence[lo], far: &far[0],
		minChange: inLanes(t.minChange), minDifference: inLanes(t.minDifference), memory: inLanes(t.memory),
		minAge: inLanes(t.minAge), looks: inLanes(int32(t.activity)),
	}
	settleEights(&s, n)
	a.settlePixelsPortable(lo+n, hi, lo, t, far)
}

// sumEights is sumColumnsPortable in SSE2, for n columns, a positive multiple of 8.
//
//go:noescape
func sumEights(columns *uint16, rows *byte, n, k, stride int)

// sumColumns is sumColumnsPortable.
func sumColumns(columns []uint16, rows []byte, k, stride int) {
	_ = rows[(k-1)*stride+len(columns)-1]
	sumEights(&columns[0], &rows[0], len(columns), k, stride)
}
