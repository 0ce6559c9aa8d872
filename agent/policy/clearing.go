package policy

import (
	"math"

	"kerb/counting"
)

// Clearing says how the numbers of a Release were made, for those who compute with
// them. The members that a method does not use are left out.
type Clearing struct {
	Method  Method            `json:"method"`
	Epsilon float64           `json:"epsilon,omitempty"` // privacy loss of one passage or one presence
	Noise   map[string]Noised `json:"noise,omitempty"`   // by the name of the number: n, mean, peak
	Below   int               `json:"below,omitempty"`   // smaller numbers are withheld; of a zone, both numbers where the mean is smaller
	Round   int               `json:"round,omitempty"`   // n and peak are multiples of it, mean too
	Totals  bool              `json:"totals,omitempty"`  // lines and loops of two directions have a cell "both"
	Bands   []int             `json:"bands,omitempty"`   // lower ends of the bands of the mean, the first one, 0, left out
}

// Noised describes the noise of one number: discrete Laplace noise with
// P(k) ∝ exp(−|k|·Step/Scale) for every whole k, times Step. It is drawn for each
// number on its own, so that a mean can be negative, or larger than the peak.
// Variances of independent numbers add up: see Deviation.
type Noised struct {
	Scale     float64 `json:"scale"`     // sensitivity / ε′, in the unit of the number; ε′ is the part of ε that is spent on it
	Step      float64 `json:"step"`      // the numbers are multiples of it
	Deviation float64 `json:"deviation"` // standard deviation, in the unit of the number
}

// meanStep is the resolution of a mean: tenths of an object.
const meanStep = 0.1

// DescribeClearing returns the clearing of streams of the given kinds. Crossings
// get the whole ε. A zone spends half of it on the mean and half on the peak: see
// clearZone.
func (p *Policy) DescribeClearing(kinds ...counting.Kind) Clearing {
	c := p.terms.Clear
	d := Clearing{Method: c.Method, Below: c.Below, Totals: c.Totals, Bands: c.Bands}
	switch c.Method {
	case Suppress:
		d.Round = c.Round
	case Noise:
		d.Epsilon, d.Noise = c.Epsilon, map[string]Noised{}
		for _, k := range kinds {
			if k == counting.ZoneStream {
				d.Noise["mean"], d.Noise["peak"] = newNoised(2/c.Epsilon, meanStep), newNoised(2/c.Epsilon, 1)
			} else {
				d.Noise["n"] = newNoised(1/c.Epsilon, 1)
			}
		}
	}
	return d
}

// newNoised returns the description of discrete Laplace noise. With q =
// exp(−Step/Scale) its variance is 2q/(1−q)² · Step² (Inusah and Kozubowski, "A
// discrete analogue of the Laplace distribution", 2006).
func newNoised(scale, step float64) Noised {
	q := math.Exp(-step / scale)
	return Noised{Scale: roundTo(scale, 3), Step: step, Deviation: roundTo(math.Sqrt(2*q)/(1-q)*step, 3)}
}

// roundTo rounds v to so many decimals.
func roundTo(v float64, decimals int) float64 {
	unit := math.Pow10(decimals)
	return math.Round(v*unit) / unit
}

// AllowedCommands are the verbs that the broker may send, in their order.
func (p *Policy) AllowedCommands() []string {
	verbs := make([]string, len(p.terms.Broker.Commands))
	for i, c := range p.terms.Broker.Commands {
		verbs[i] = string(c)
	}
	return verbs
}

// OpenHours are the hours of the week in which counting is allowed, in TimeZone, in
// the form of the file.
func (p *Policy) OpenHours() []string {
	hours := make([]string, len(p.terms.Hours.Open))
	for i, s := range p.terms.Hours.Open {
		hours[i] = s.String()
	}
	return hours
}
