package policy

import (
	"kerb/counting"
)

// QuantityClearing says what one quantity of a stream is, and how it was cleared, for
// those who compute with its numbers. The members that it does not have are left out.
type QuantityClearing struct {
	Name        string    `json:"name"`                   // as in the policy; counts for the cells
	Key         string    `json:"key"`                    // of the window's message, with the member after a point
	Unit        string    `json:"unit"`                   // of its numbers
	BinUnit     string    `json:"bin_unit,omitempty"`     // of the bounds
	Bounds      []float64 `json:"bounds,omitempty"`       // upper bounds of the bins but the last, exclusive
	Labels      []string  `json:"labels,omitempty"`       // of the bins, where they have names
	Clip        float64   `json:"clip,omitempty"`         // most that one passage adds to the sum behind it, in ClipUnit
	ClipUnit    string    `json:"clip_unit,omitempty"`    // s or km/h
	Estimated   bool      `json:"estimated,omitempty"`    // it rests on a declared length of the vehicles
	Error       float64   `json:"error,omitempty"`        // of a camera: standard deviation of one speed, as a share of it
	StandsBelow float64   `json:"stands_below,omitempty"` // of standing: an object that is slower stands, m/s
	Epsilon     float64   `json:"epsilon,omitempty"`      // its share of ε; the shares of a stream add up to ε
	Noise       *Noised   `json:"noise,omitempty"`        // of each number; of speed: of its n
	SumNoise    *Noised   `json:"sum_noise,omitempty"`    // of speed: of the sum of the speeds in km/h; divide by n for that of the mean
	LPU         int       `json:"lpu,omitempty"`          // of counts of a loop: SCOOT's link profile units of one passage
}

// DescribeQuantities returns the clearing of the counts and of each quantity that
// windows of stream s carry under the policy; nil where it carries counts alone.
func (p *Policy) DescribeQuantities(s counting.Stream) []QuantityClearing {
	qs := p.AllowedQuantities(s.Measures)
	if qs == 0 {
		return nil
	}
	parts := float64(countParts(qs))
	if s.Kind == counting.ZoneStream {
		return []QuantityClearing{
			p.describePresence(QuantityClearing{Name: "counts", Key: "counts.mean", Unit: "objects"}, 1, 2*parts, meanStep),
			p.describePresence(QuantityClearing{Name: "counts", Key: "counts.peak", Unit: "objects"}, 1, 2*parts, 1),
			p.describeQuantity(counting.Standing, s, parts),
		}
	}
	counts := QuantityClearing{Name: "counts", Key: "counts.n", Unit: "crossings"}
	if s.Kind == counting.LoopStream {
		counts.LPU = counting.LinkProfileUnits
	}
	out := []QuantityClearing{p.describeNoise(counts, 1, parts)}
	for _, q := range counting.AllQuantities() {
		if qs.Has(q) {
			out = append(out, p.describeQuantity(q, s, parts))
		}
	}
	return out
}

// describeNoise adds the noise of a number with the given sensitivity, of which ε is
// shared in parts.
func (p *Policy) describeNoise(c QuantityClearing, sensitivity, parts float64) QuantityClearing {
	return p.describePresence(c, sensitivity, parts, 1)
}

// describePresence is describeNoise of numbers that are multiples of step.
func (p *Policy) describePresence(c QuantityClearing, sensitivity, parts, step float64) QuantityClearing {
	if p.Method() == Noise {
		n := newNoised(sensitivity*parts/p.Epsilon(), step)
		c.Epsilon, c.Noise = roundTo(p.Epsilon()/parts, 6), &n
	}
	return c
}

// describeQuantity returns the clearing of one quantity of stream s.
func (p *Policy) describeQuantity(q counting.Quantity, s counting.Stream, parts float64) QuantityClearing {
	c := QuantityClearing{Name: q.String(), Unit: "vehicles"}
	sensitivity := float64(figuresOf[q].sensitivity)
	switch q {
	case counting.Occupancy:
		c.Key, c.Unit, c.Clip, c.ClipUnit = "occ.permille", "‰", counting.MaxCovered.Seconds(), "s"
		c = p.describeNoise(c, 1000*counting.MaxCovered.Seconds()/p.Window().Seconds(), parts)
	case counting.MeanSpeed:
		c.Key, c.Unit, c.Clip, c.ClipUnit, c.Estimated = "speed.mean", "km/h", counting.MaxSpeed, "km/h", s.Estimated
		c.Error = roundTo(s.SpeedError, 3)
		c = p.describeNoise(c, sensitivity, 2*parts)
		if c.Noise != nil {
			sum := newNoised(2*parts*counting.MaxSpeed/2/p.Epsilon(), 1.0/counting.SpeedUnitsKMH)
			c.Epsilon, c.SumNoise = roundTo(p.Epsilon()/parts, 6), &sum
		}
	case counting.Speeds:
		bounds := counting.SpeedBounds()
		c.Key, c.BinUnit, c.Bounds, c.Estimated = "speed.bins", "km/h", bounds[:], s.Estimated
		c.Error = roundTo(s.SpeedError, 3)
		c = p.describeNoise(c, sensitivity, parts)
	case counting.Lengths:
		c.Key, c.BinUnit = "length.bins", "m"
		for i := range s.LengthBins.Len() {
			c.Labels = append(c.Labels, s.LengthBins.BinLabel(i))
			if i < s.LengthBins.Len()-1 {
				c.Bounds = append(c.Bounds, s.LengthBins.Bound(i))
			}
		}
		c = p.describeNoise(c, sensitivity, parts)
	case counting.Headways, counting.Gaps:
		c.Key, c.BinUnit = "headway.bins", "s"
		if q == counting.Gaps {
			c.Key = "gap.bins"
		}
		for _, b := range counting.TimeBounds() {
			c.Bounds = append(c.Bounds, b.Seconds())
		}
		c = p.describeNoise(c, sensitivity, parts)
	case counting.Congested:
		c.Key = "congested.n"
		c = p.describeNoise(c, sensitivity, parts)
	case counting.Standing:
		c.Key, c.Unit, c.StandsBelow = "standing", "objects", counting.StandingSpeed
		c = p.describePresence(c, sensitivity/1000, parts, meanStep)
	}
	return c
}
