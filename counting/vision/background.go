package vision

import (
	"encoding/binary"
	mathbits "math/bits"
)

// Bits of arena.evidence.
const (
	different = 1 // from a background that is old enough to be trusted
	changed   = 2 // since the look before
	shaded    = 4 // different, but as a cast shadow would make it
)

// Fixed numbers of the background model. Deviations and differences are in 1/8
// levels, which is what deviationBits stands for. Chosen by hand and tuned on the
// eight development clips (test/footage).
const (
	deviationBits  = 3
	backgroundBits = 8   // fraction of a background level, 1/256 levels
	gradientWeight = 2   // of the gradient in the least change that counts: an edge that sways is no motion
	devWeight      = 3   // of the deviation in the least difference that counts
	devLooks       = 8   // looks over which the deviation is averaged
	maxDeviation   = 120 // 1/8 levels, of one look
	firstDeviation = 8   // 1/8 levels, of a new background
	maxCount       = 255 // where ages stop

	shadowDepth   = 2 // a shadow leaves at least 1/2 of the level,
	shadowTexture = 2 // and changes gradients by at most 2 × minDifference
	peelContrast  = 2 // a gradient of the background that is more than twice that of the picture is a ghost's edge

	filterMin = 4 // of the nine pixels around a pixel of the mask that must bear evidence
)

// rates translates seconds into looks at the present rate, and noise into levels.
// It is set once a look.
type rates struct {
	minAge        int32 // looks that a background must hold before a difference counts
	activity      uint8 // looks that a change is remembered
	minCandAge    int32 // looks that a candidate must hold at least
	maxCandAge    int32 // looks after which it replaces any background
	peelAge       int32 // looks after which it replaces a ghost's edge
	memory        int32 // looks over which the background is averaged
	minDifference int32 // least difference that counts, 1/8 levels
	minChange     int32 // least change that counts, 1/8 levels
}

// updateBackground computes rows [y0, y1) of the background bgHi from bgBefore and
// the picture, and writes the evidence.
//
// The background of a pixel is a running mean in 8.8 fixed point that learns fast
// while young. A candidate, a level that differs from it and stays, replaces it
// after it has held longer than the background ever did, or after a while where no
// track covers the pixel. So a street is learnt within seconds although it was
// never empty, and the ghost of a car that drives off goes. After the codebook
// and sigma-delta models (Kim 2005, Manzanera 2007).
//
// Neighbours are read as they were before this look, those in other bands too: the
// count must not depend on the number of bands.
func (a *arena) updateBackground(w, y0, y1 int, t *rates) {
	for lo, end := y0*w, y1*w; lo < end; lo += settledPixels {
		var far [settledPixels / 8]uint8
		hi := min(lo+settledPixels, end)
		a.settlePixels(lo, hi, t, &far)
		for i, bits := range far[:(hi-lo+7)/8] {
			for ; bits != 0; bits &= bits - 1 {
				p := lo + 8*i + mathbits.TrailingZeros8(bits)
				a.evidence[p] |= a.updateCandidate(w, p, t)
			}
		}
	}
}

// settledPixels is the number of pixels of one call of settlePixels: about a row.
const settledPixels = 256

// settlePixelsPortable updates pixels [lo, hi): what changed since the look before, and
// the mean and deviation of the background where the picture is near to it. It sets
// the bit p-lo of far for a pixel p that differs and leaves its background alone.
func (a *arena) settlePixelsPortable(lo, hi, first int, t *rates, far *[settledPixels / 8]uint8) {
	all, allBefore := a.now, a.before
	for p := lo; p < hi; p++ {
		v, b, dv, g := all[p], a.bgBefore[p], int32(a.dev[p]), int32(0)
		if p > 0 && p+1 < len(all) {
			g = min(absDiff32(all[p+1], all[p-1]), absDiff32(allBefore[p+1], allBefore[p-1]))
		}
		var bits uint8
		if absDiff32(v, allBefore[p])<<deviationBits > t.minChange+dv+gradientWeight*g {
			if int32(a.age[p]) < t.minAge {
				bits = changed
			}
			a.activity[p] = t.activity
		} else if a.activity[p] > 0 {
			a.activity[p]--
		}
		a.evidence[p], a.bgHi[p] = bits, b
		d := absDiff32(v, b) << deviationBits
		if d > t.minDifference+devWeight*dv {
			far[(p-first)/8] |= 1 << ((p - first) % 8)
			continue
		}
		n := int32(a.age[p])
		if n < maxCount {
			a.age[p]++
		}
		n = min(n+1, t.memory)
		full := int32(b)<<backgroundBits | int32(a.bgLo[p])
		full += (int32(v)<<backgroundBits + 1<<(backgroundBits-1) - full) / n
		a.bgHi[p], a.bgLo[p] = uint8(full>>backgroundBits), uint8(full)
		dv += (min(d, maxDeviation) - dv) / devLooks
		a.dev[p] = uint8(max(dv, 0))
		if a.candAge[p] > 0 {
			a.candAge[p]--
		}
	}
}

// updateCandidate handles a pixel p that differs from its background: it ages or
// renews the candidate, lets it replace the background, and returns the evidence.
func (a *arena) updateCandidate(w, p int, t *rates) (bits uint8) {
	if int32(a.age[p]) >= t.minAge {
		bits = different
		if a.isShadow(p, t) {
			bits |= shaded
		}
	}
	v := a.now[p]
	if absDiff32(v, a.cand[p])<<deviationBits > t.minDifference+int32(a.dev[p]) {
		a.cand[p], a.candAge[p] = v, 0
		return bits
	}
	if a.candAge[p] < maxCount {
		a.candAge[p]++
	}
	n := int32(a.candAge[p])
	learn := a.covered[p] == 0 && n >= t.minCandAge && (n >= int32(a.age[p]) || n >= t.maxCandAge)
	if learn || a.covered[p] < coveredStopped && n >= t.peelAge && a.isGhostEdge(w, p, t) {
		a.bgHi[p], a.bgLo[p] = v, 0
		a.age[p] = a.candAge[p]
		a.candAge[p] = 0
	}
	return bits
}

// isShadow reports whether pixel p is darker by a ratio and keeps its texture, as
// under a cast shadow (Rosin & Ellis 1995).
func (a *arena) isShadow(p int, t *rates) bool {
	v, b := int32(a.now[p]), int32(a.bgBefore[p])
	if v >= b || shadowDepth*v <= b || p == 0 || p+1 >= len(a.now) {
		return false
	}
	e := (int32(a.now[p+1])-int32(a.now[p-1]))*b - (int32(a.bgBefore[p+1])-int32(a.bgBefore[p-1]))*v
	return max(e, -e)<<deviationBits <= shadowTexture*t.minDifference*b
}

// isGhostEdge reports whether p lies on an edge that the background has and the
// picture has not: the rim of a ghost. It is learnt even under a track that moves.
func (a *arena) isGhostEdge(w, p int, t *rates) bool {
	if p < w || p+w >= len(a.now) {
		return false
	}
	now, was := a.now, a.bgBefore
	in := max(absDiff32(now[p+1], now[p-1]), absDiff32(now[p+w], now[p-w]))
	bg := max(absDiff32(was[p+1], was[p-1]), absDiff32(was[p+w], was[p-w]))
	return bg > peelContrast*in && bg<<deviationBits > t.minDifference
}

// filterMask writes the mask of rows [y0, y1): pixels of which at least filterMin
// of the 3×3 neighbourhood bear evidence. It adds the bytes of eight pixels at a time
// (SWAR).
func (a *arena) filterMask(w, h, y0, y1 int) {
	for y := y0; y < y1; y++ {
		out := a.mask[y*w : y*w+w]
		if y == 0 || y == h-1 {
			clear(out)
			continue
		}
		above := a.evidence[(y-1)*w : (y+2)*w]
		left, mid := uint64(0), columnsOfEvidence(above, w, 0)
		for x := 0; x < w; x += 8 {
			right := columnsOfEvidence(above, w, x+8)
			near := mid + (mid<<8 | left>>56) + (mid>>8 | right<<56)
			enough := (near + (0x80-filterMin)*bytesOfOne) >> 7 & bytesOfOne
			if x+8 <= w {
				binary.LittleEndian.PutUint64(out[x:], enough)
			} else {
				for i := x; i < w; i, enough = i+1, enough>>8 {
					out[i] = uint8(enough)
				}
			}
			left, mid = mid, right
		}
	}
}

// bytesOfOne has the value 1 in each byte.
const bytesOfOne = 0x0101010101010101

// columnsOfEvidence returns, for each of the eight columns from x, how many pixels of
// the three rows bear evidence; none of those behind the row's end.
func columnsOfEvidence(rows []byte, w, x int) (n uint64) {
	for i := range 3 {
		row, v := rows[i*w:i*w+w], uint64(0)
		if x+8 <= w {
			v = binary.LittleEndian.Uint64(row[x:])
		} else {
			for k := x; k < w; k++ {
				v |= uint64(row[k]) << (8 * (k - x))
			}
		}
		n += (v | v>>1 | v>>2) & bytesOfOne // different, changed and shaded
	}
	return n
}

// absDiff32 is |a - b|.
func absDiff32(a, b uint8) int32 {
	d := int32(a) - int32(b)
	if d < 0 {
		d = -d
	}
	return d
}
