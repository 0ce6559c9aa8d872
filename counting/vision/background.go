package vision

// Bits of arena.raw.
const (
	different = 1 // from a background that has held long enough to be believed
	changed   = 2 // since the look before
	shaded    = 4 // different, but as a cast shadow would make it
)

// rates translates seconds into looks at the present rate, and noise into
// levels. It is set once a look.
type rates struct {
	minAge        int32 // looks a background must hold before a difference counts
	activity      uint8 // looks a change is remembered
	minCandAge    int32 // looks a candidate must hold at the least
	maxCandAge    int32 // looks after which it replaces any background
	peelAge       int32 // looks after which an edge that only the background has is given up
	memory        int32 // the background's memory, in looks
	minDifference int32 // least difference that counts, in 1/8 levels
	minChange     int32 // least change that counts, in 1/8 levels
}

// updateBackground takes the background from bgBefore to bgHi in rows [y0, y1) and writes the
// evidence.
//
// The background of a pixel is a running mean that learns fast while young; a
// value that stays for longer than the background has ever held, or for a
// while on a pixel that no followed object covers, takes its place. That way a
// street is learnt within seconds although it never was empty, and the ghost
// of a car that drives off goes. After the codebook and sigma-delta models
// (Kim 2005, Manzanera 2007), in 8.8 fixed point.
func (a *arena) updateBackground(w, y0, y1 int, t *rates) {
	lo, hi := y0*w, y1*w
	// Neighbours are seen as they were before this look, those across the edge
	// of a band too: what is counted must not depend on the number of bands.
	all, allBefore, allWas := a.now, a.before, a.bgBefore
	now, before, was := all[lo:hi], allBefore[lo:hi], allWas[lo:hi]
	bgHi, bgLo := a.bgHi[lo:hi], a.bgLo[lo:hi]
	dev, age := a.dev[lo:hi], a.age[lo:hi]
	cand, held := a.cand[lo:hi], a.candAge[lo:hi]
	act, claim, raw := a.activity[lo:hi], a.covered[lo:hi], a.evidence[lo:hi]
	for i, nv := range now {
		v := int32(nv)
		b := int32(was[i])
		bgHi[i] = was[i]
		p := lo + i
		inner := p > 0 && p+1 < len(all)
		d := v - b
		if d < 0 {
			d = -d
		}
		m := v - int32(before[i])
		if m < 0 {
			m = -m
		}
		var bits uint8
		dv := int32(dev[i])
		g := int32(0)
		if inner {
			g = int32(all[p+1]) - int32(all[p-1])
			if g < 0 {
				g = -g
			}
			e := int32(allBefore[p+1]) - int32(allBefore[p-1])
			if e < 0 {
				e = -e
			}
			g = min(g, e)
		}
		if m<<3 > t.minChange+dv+2*g {
			if int32(age[i]) < t.minAge {
				bits = changed
			}
			act[i] = t.activity
		} else if act[i] > 0 {
			act[i]--
		}
		if d<<3 <= t.minDifference+3*dv {
			n := int32(age[i])
			if n < 255 {
				age[i]++
			}
			n = min(n+1, t.memory)
			full := b<<8 | int32(bgLo[i])
			full += (v<<8 + 128 - full) / n
			bgHi[i], bgLo[i] = uint8(full>>8), uint8(full)
			dv += (min(d<<3, 120) - dv) / 8
			dev[i] = uint8(max(dv, 0))
			if held[i] > 0 {
				held[i]--
			}
		} else {
			if int32(age[i]) >= t.minAge {
				bits |= different
				// A shadow dims by a ratio and leaves the texture (Rosin & Ellis 1995).
				if v < b && 2*v > b && inner {
					e := (int32(all[p+1])-int32(all[p-1]))*b - (int32(allWas[p+1])-int32(allWas[p-1]))*v
					if e < 0 {
						e = -e
					}
					if e<<3 <= 2*t.minDifference*b {
						bits |= shaded
					}
				}
			}
			c := v - int32(cand[i])
			if c < 0 {
				c = -c
			}
			if c<<3 <= t.minDifference+dv {
				if held[i] < 255 {
					held[i]++
				}
				n := int32(held[i])
				learn := claim[i] == 0 && n >= t.minCandAge && (n >= int32(age[i]) || n >= t.maxCandAge)
				// The rim of a ghost has its edge in the background and not in
				// the picture: it is peeled off even where an object covers it.
				if !learn && claim[i] < 2 && n >= t.peelAge && p >= w && p+w < len(all) {
					in := max(absDiff32(all[p+1], all[p-1]), absDiff32(all[p+w], all[p-w]))
					bg := max(absDiff32(allWas[p+1], allWas[p-1]), absDiff32(allWas[p+w], allWas[p-w]))
					learn = bg > 2*in && bg<<3 > t.minDifference
				}
				if learn {
					bgHi[i], bgLo[i] = nv, 0
					age[i] = held[i]
					held[i] = 0
				}
			} else {
				cand[i], held[i] = nv, 0
			}
		}
		raw[i] = bits
	}
}

// filterMask writes the mask of rows [y0, y1): pixels whose 3×3 neighbourhood
// holds more evidence than not.
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
			if l+c+r >= 4 {
				out[x] = 1
			} else {
				out[x] = 0
			}
			l, c = c, r
		}
	}
}

func bit(b uint8) int {
	if b != 0 {
		return 1
	}
	return 0
}

func absDiff32(a, b uint8) int32 {
	if a < b {
		a, b = b, a
	}
	return int32(a - b)
}
