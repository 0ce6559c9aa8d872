package vision

import "math"

// initBackground takes the first picture for the background.
func (a *arena) initBackground() {
	copy(a.before, a.now)
	copy(a.bgHi, a.now)
	copy(a.cand, a.now)
	for i := range a.now {
		a.dev[i], a.age[i] = 8, 1
	}
}

// medianChange is the median change of a pixel since the look before, in levels: 0.95
// standard deviations of one picture's noise, and untouched by what moves.
func (a *arena) medianChange() float64 {
	var hist [64]int
	n := 0
	for i := 0; i < len(a.now); i += 7 {
		d := int(a.now[i]) - int(a.before[i])
		hist[min(max(d, -d), 63)]++
		n++
	}
	below := 0
	for level, k := range hist {
		if below+k >= n/2 {
			return float64(level) + float64(n/2-below)/float64(k)
		}
		below += k
	}
	return 63
}

// maxShake is how far steady looks, in grid pixels. Less than one pixel of sway
// is left to the deviations that the background learns.
const maxShake = 2

// stabilize undoes a shift of the whole picture against the background: the
// least difference at the grid's sharpest places decides.
func (a *arena) stabilize(w, h int) {
	const most = 400
	var at [most]int32
	n, step := 0, max(w*h/6000, 1)|1
	for i := (maxShake + 1) * w; i < len(a.now)-(maxShake+1)*w && n < most; i += step {
		if x := i % w; x <= maxShake || x >= w-maxShake-1 || a.age[i] < 4 {
			continue
		}
		if absDiff(a.bgHi[i+1], a.bgHi[i-1])+absDiff(a.bgHi[i+w], a.bgHi[i-w]) > 24 {
			at[n] = int32(i)
			n++
		}
	}
	if n < 40 {
		return
	}
	still, best, off := 0, math.MaxInt, 0
	for dy := -maxShake; dy <= maxShake; dy++ {
		for dx := -maxShake; dx <= maxShake; dx++ {
			o, sum := dy*w+dx, 0
			for _, p := range at[:n] {
				sum += min(absDiff(a.now[int(p)+o], a.bgHi[p]), 40)
			}
			if o == 0 {
				still = sum
			}
			if sum < best {
				best, off = sum, o
			}
		}
	}
	if off == 0 || best*10 > still*8 {
		return
	}
	// The rows and columns that come from outside keep what they show.
	if off > 0 {
		copy(a.now, a.now[off:])
	} else {
		copy(a.now[-off:], a.now[:len(a.now)+off])
	}
}

// followExposure follows steps of the exposure or the light: if the middle pixel is
// brighter or darker than its background by a factor, all the background is
// multiplied by it.
func (a *arena) followExposure() {
	var hist [256]int // ratio now / background, in 1/128
	n := 0
	for i := 0; i < len(a.now); i += 7 {
		if b := int(a.bgHi[i]); b >= 24 && a.now[i] < 250 {
			hist[min(int(a.now[i])*128/b, 255)]++
			n++
		}
	}
	if n < len(a.now)/40 {
		return
	}
	ratio, below := 0, 0
	for below+hist[ratio] < n/2 {
		below += hist[ratio]
		ratio++
	}
	if ratio >= 122 && ratio <= 133 || ratio == 255 {
		return
	}
	for i := range a.bgHi {
		a.bgHi[i] = uint8(min(int(a.bgHi[i])*ratio/128, 255))
		a.cand[i] = uint8(min(int(a.cand[i])*ratio/128, 255))
		a.before[i] = uint8(min(int(a.before[i])*ratio/128, 255))
	}
}

func absDiff(a, b uint8) int {
	if a < b {
		a, b = b, a
	}
	return int(a - b)
}
