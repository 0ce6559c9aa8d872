package vision

import "math"

// Corrections of the whole picture before it is compared with the background.
// Chosen by hand and tuned on the eight development clips (test/footage).
const (
	noiseStep = 7  // pixels from one that is measured to the next
	maxNoise  = 63 // levels

	maxShake      = 2    // grid pixels: farthest shift. Less than one pixel of sway is left to the background's deviations
	shakePixels   = 400  // most pixels compared
	minShake      = 40   // least
	shakeGrid     = 6000 // pixels of the grid are looked at for sharp places
	shakeAge      = 4    // looks that a pixel's background must hold
	sharpGradient = 24   // levels: sum of both gradients of a sharp place
	shakeTenths   = 8    // tenths of the cost without a shift that the best shift may cost
	maxShakeCost  = 40   // levels: a pixel that does not fit at all costs no more

	exposureUnit   = 128 // ratios are in 1/128
	minExposed     = 24  // levels: a darker background gives no ratio
	maxExposed     = 250 // levels: a pixel as bright is burnt out
	exposedShare   = 40  // at least 1/40 of the pixels must give a ratio
	leastDarker    = 122 // 1/128: a median ratio between this one
	leastBrighter  = 133 // 1/128: and this one is noise
	saturatedRatio = 255 // 1/128: from here the ratio is unknown
)

// initBackground takes the first picture for the background.
func (a *arena) initBackground() {
	copy(a.before, a.now)
	copy(a.bgHi, a.now)
	copy(a.cand, a.now)
	for i := range a.now {
		a.dev[i], a.age[i] = firstDeviation, 1
	}
}

// medianChange is the median change of a pixel since the look before, in levels:
// 0.95 standard deviations of one picture's noise. What moves does not affect it.
func (a *arena) medianChange() float64 {
	var hist [maxNoise + 1]int
	n := 0
	for i := 0; i < len(a.now); i += noiseStep {
		d := int(a.now[i]) - int(a.before[i])
		hist[min(max(d, -d), maxNoise)]++
		n++
	}
	below := 0
	for level, k := range hist {
		if below+k >= n/2 {
			return float64(level) + float64(n/2-below)/float64(k)
		}
		below += k
	}
	return maxNoise
}

// stabilize undoes a shift of the whole picture against the background: the shift
// with the least sum of absolute differences at the sharpest places, if it is a
// fifth less than without a shift.
func (a *arena) stabilize(w, h int) {
	var at [shakePixels]int32
	n, step := 0, max(w*h/shakeGrid, 1)|1
	x := -step
	for i := (maxShake + 1) * w; i < len(a.now)-(maxShake+1)*w && n < shakePixels; i += step {
		for x += step; x >= w; {
			x -= w
		}
		if x <= maxShake || x >= w-maxShake-1 || a.age[i] < shakeAge {
			continue
		}
		if absDiff(a.bgHi[i+1], a.bgHi[i-1])+absDiff(a.bgHi[i+w], a.bgHi[i-w]) > sharpGradient {
			at[n] = int32(i)
			n++
		}
	}
	if n < minShake {
		return
	}
	// A sum stops where it is too large to matter.
	most, off := a.costOfShift(at[:n], 0, math.MaxInt)*shakeTenths/10+1, 0
	for dy := -maxShake; dy <= maxShake; dy++ {
		for dx := -maxShake; dx <= maxShake; dx++ {
			if sum := a.costOfShift(at[:n], dy*w+dx, most); sum < most {
				most, off = sum, dy*w+dx
			}
		}
	}
	if off == 0 {
		return
	}
	// Rows and columns that would come from outside keep their content.
	if off > 0 {
		copy(a.now, a.now[off:])
	} else {
		copy(a.now[-off:], a.now[:len(a.now)+off])
	}
}

// costOfShift is the sum of absolute differences between the picture, shifted by so
// many pixels, and the background at the places; any sum from most on once it is that
// large.
func (a *arena) costOfShift(places []int32, shift, most int) (sum int) {
	for _, p := range places {
		if sum += min(absDiff(a.now[int(p)+shift], a.bgHi[p]), maxShakeCost); sum >= most {
			break
		}
	}
	return sum
}

// followExposure multiplies the background by the median ratio of picture to
// background when it is not 1: a step of the exposure or of the light.
func (a *arena) followExposure() {
	var hist [saturatedRatio + 1]int
	n := 0
	for i := 0; i < len(a.now); i += noiseStep {
		if b := int(a.bgHi[i]); b >= minExposed && a.now[i] < maxExposed {
			hist[min(int(a.now[i])*exposureUnit/b, saturatedRatio)]++
			n++
		}
	}
	if n < len(a.now)/exposedShare {
		return
	}
	ratio, below := 0, 0
	for below+hist[ratio] < n/2 {
		below += hist[ratio]
		ratio++
	}
	if ratio >= leastDarker && ratio <= leastBrighter || ratio == saturatedRatio {
		return
	}
	for i := range a.bgHi {
		a.bgHi[i] = uint8(min(int(a.bgHi[i])*ratio/exposureUnit, 255))
		a.cand[i] = uint8(min(int(a.cand[i])*ratio/exposureUnit, 255))
		a.before[i] = uint8(min(int(a.before[i])*ratio/exposureUnit, 255))
	}
}

// absDiff is |a - b|.
func absDiff(a, b uint8) int {
	if a < b {
		a, b = b, a
	}
	return int(a - b)
}
