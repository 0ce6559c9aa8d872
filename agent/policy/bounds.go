package policy

import (
	"math"

	"kerb/counting"
)

// Bounds is how far the true number of a cell can be from the released one: it lies
// from Least to Most, give or take noise with a standard deviation of Deviation. Bounds
// of several windows add up: Least and Most as they are, Deviation by its square.
type Bounds struct {
	Least, Most float64 // Most is +Inf where a range has no upper end
	Deviation   float64 // 0 without noise
}

// Bounds returns the bounds of the cells of r, in their order and unit: objects, or for
// a zone the mean number of objects. A withheld number lies below its threshold, what
// was rounded within half a step, and noise is that of clearLine and clearZone.
func (r *Release) Bounds() []Bounds {
	deviation := 0.0
	if r.rule.method == Noise && r.count > 0 {
		deviation = r.noiseDeviation()
	}
	all := make([]Bounds, r.count)
	for i := range all {
		least, most := r.rule.boundCell(&r.cells[i], r.kind == counting.ZoneStream)
		all[i] = Bounds{least, most, deviation}
	}
	return all
}

// boundCell returns the bounds of a cell without noise.
func (r *rule) boundCell(c *cell, zone bool) (least, most float64) {
	unit, whole := 1.0, 1.0
	if zone {
		unit, whole = 10, 0
	}
	switch {
	case c.ranged && c.b == 0:
		return float64(c.a), math.Inf(1)
	case c.ranged:
		return float64(c.a), float64(c.b) - whole // counts are whole numbers
	case r.method == Suppress:
		// roundToStep takes n to the multiple of step nearest to it, halves up.
		n, down, up := float64(c.a)/unit, float64(r.round/2), float64(r.round)-float64(r.round/2)
		return n - down, n + up - whole
	}
	return float64(c.a) / unit, float64(c.a) / unit
}

// noiseDeviation is the standard deviation of the noise on a count, or on the mean of a
// zone. ε is divided among the counts and the other quantities of the window.
func (r *Release) noiseDeviation() float64 {
	parts := float64(1 + len(r.Figures()))
	if r.kind == counting.ZoneStream {
		return newNoised(2*parts/r.Epsilon(), meanStep).Deviation
	}
	return newNoised(parts/r.Epsilon(), 1).Deviation
}
