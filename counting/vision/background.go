package vision

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
	lo, hi := y0*w, y1*w
	all, allBefore := a.now, a.before
	now, before, was := all[lo:hi], allBefore[lo:hi], a.bgBefore[lo:hi]
	bgHi, bgLo := a.bgHi[lo:hi], a.bgLo[lo:hi]
	dev, age, candAge := a.dev[lo:hi], a.age[lo:hi], a.candAge[lo:hi]
	activity, evidence := a.activity[lo:hi], a.evidence[lo:hi]
	for i, v := range now {
		b := was[i]
		bgHi[i] = b
		p := lo + i
		dv := int32(dev[i])
		g := int32(0)
		if p > 0 && p+1 < len(all) {
			g = min(absDiff32(all[p+1], all[p-1]), absDiff32(allBefore[p+1], allBefore[p-1]))
		}
		var bits uint8
		if absDiff32(v, before[i])<<deviationBits > t.minChange+dv+gradientWeight*g {
			if int32(age[i]) < t.minAge {
				bits = changed
			}
			activity[i] = t.activity
		} else if activity[i] > 0 {
			activity[i]--
		}
		d := absDiff32(v, b) << deviationBits
		if d > t.minDifference+devWeight*dv {
			evidence[i] = bits | a.updateCandidate(w, p, t)
			continue
		}
		n := int32(age[i])
		if n < maxCount {
			age[i]++
		}
		n = min(n+1, t.memory)
		full := int32(b)<<backgroundBits | int32(bgLo[i])
		full += (int32(v)<<backgroundBits + 1<<(backgroundBits-1) - full) / n
		bgHi[i], bgLo[i] = uint8(full>>backgroundBits), uint8(full)
		dv += (min(d, maxDeviation) - dv) / devLooks
		dev[i] = uint8(max(dv, 0))
		if candAge[i] > 0 {
			candAge[i]--
		}
		evidence[i] = bits
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
// of the 3×3 neighbourhood bear evidence.
func (a *arena) filterMask(w, h, y0, y1 int) {
	for y := y0; y < y1; y++ {
		out := a.mask[y*w : y*w+w]
		if y == 0 || y == h-1 {
			clear(out)
			continue
		}
		up, mid, low := a.evidence[(y-1)*w:y*w], a.evidence[y*w:(y+1)*w], a.evidence[(y+1)*w:(y+2)*w]
		up, low = up[:len(mid)], low[:len(mid)]
		col := func(x int) int {
			return bit(up[x]) + bit(mid[x]) + bit(low[x])
		}
		l, c := 0, col(0)
		for x := range out {
			r := 0
			if x+1 < w {
				r = col(x + 1)
			}
			if l+c+r >= filterMin {
				out[x] = 1
			} else {
				out[x] = 0
			}
			l, c = c, r
		}
	}
}

// bit is 1 for any evidence, 0 for none.
func bit(b uint8) int {
	if b != 0 {
		return 1
	}
	return 0
}

// absDiff32 is |a - b|.
func absDiff32(a, b uint8) int32 {
	d := int32(a) - int32(b)
	if d < 0 {
		d = -d
	}
	return d
}
