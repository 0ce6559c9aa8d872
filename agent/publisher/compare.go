package publisher

import (
	"cmp"
	"log/slog"
	"math"

	"kerb/agent/config"
	"kerb/agent/policy"
	"kerb/agent/store"
	"kerb/counting"
	"kerb/counting/loop"
)

// Comparison watches the ratios of two streams of one road that site.toml declares, such
// as a loop and a camera: of their counts, and of their mean speeds where both release
// them. It reads Releases, so its result tells no more than the published numbers do.
type Comparison struct {
	config.Comparison
	flow, speed    *loop.Comparison
	speedA, speedB *speedPool
}

// The rules of a drift, chosen by hand: the ratio of fewer objects is mostly
// chance, and three pools in a row out of tolerance are not.
const (
	minPooled   = 100 // objects in both streams together, or speeds in each, before the ratio is judged
	poolsInARow = 3   // out of tolerance until a drift begins, within it until it ends
	noiseMargin = 4   // standard deviations of the noise that fit into the tolerance of a mean speed

	expectedSpeeds = 1 // ratio of the mean speeds of one road
)

// NewComparison makes the comparison that c declares of two of the streams, whose windows
// pol clears. An expected ratio or tolerance out of its range is an error: see
// loop.NewComparison.
func NewComparison(c config.Comparison, pol *policy.Policy, streams []counting.Stream) (Comparison, error) {
	flow, err := loop.NewComparison(c.Expect, c.Tolerance, minPooled, poolsInARow)
	if err != nil {
		return Comparison{}, err
	}
	speed, err := loop.NewComparison(expectedSpeeds, c.Tolerance, 1, poolsInARow)
	out := Comparison{Comparison: c, flow: flow, speed: speed, speedA: new(speedPool), speedB: new(speedPool)}
	for _, s := range streams {
		for _, d := range pol.DescribeQuantities(s) {
			switch {
			case d.SumNoise == nil:
			case s.ID == c.A:
				out.speedA.noise = d.SumNoise.Deviation
			case s.ID == c.B:
				out.speedB.noise = d.SumNoise.Deviation
			}
		}
	}
	return out, err
}

// addWindow adds the Releases of one window of all streams. It logs the ratio of
// each full pool, and stores the event "streams_drift" when a drift begins or
// ends. A window in which either number is unknown is left out.
func (c Comparison) addWindow(rs []policy.Release, db *store.Store, log *slog.Logger) {
	a, okA := windowFlow(rs, c.A)
	b, okB := windowFlow(rs, c.B)
	if okA && okB {
		c.report(c.flow.AddWindow(a, b), c.Expect, "", db, log)
	}
	speedA, okA := windowSpeed(rs, c.A)
	speedB, okB := windowSpeed(rs, c.B)
	if !okA || !okB {
		return
	}
	c.speedA.addSpeeds(speedA)
	c.speedB.addSpeeds(speedB)
	if c.speedA.isEnough(c.Tolerance) && c.speedB.isEnough(c.Tolerance) {
		c.report(c.speed.AddWindow(c.speedA.takeMean(), c.speedB.takeMean()), expectedSpeeds, counting.MeanSpeed.String(), db, log)
	}
}

// report logs the ratio of a pool and stores a change. quantity is "" for the counts.
func (c Comparison) report(v loop.ComparisonResult, expected float64, quantity string, db *store.Store, log *slog.Logger) {
	if v.Enough {
		log.Info("streams compared", "a", c.A, "b", c.B, "quantity", cmp.Or(quantity, "counts"), "ratio", v.Ratio, "expected", expected)
	}
	if !v.Changed {
		return
	}
	log.Warn("streams disagree", "a", c.A, "b", c.B, "quantity", cmp.Or(quantity, "counts"), "ratio", v.Ratio, "drifted", v.Drifted)
	data := map[string]any{"a": c.A, "b": c.B, "expected": expected, "drifted": v.Drifted}
	if !math.IsInf(v.Ratio, 0) { // b counted no object: JSON has no infinity
		data["ratio"] = v.Ratio
	}
	if quantity != "" {
		data["quantity"] = quantity
	}
	db.AddNote("streams_drift", data)
}

// speeds are the speeds of one window: how many, and their mean in km/h.
type speeds struct{ n, mean float64 }

// speedPool adds up the speeds of one stream until their mean is sure.
type speedPool struct {
	noise   float64 // standard deviation of the noise of one window's sum, km/h; 0: none
	n, sum  float64
	windows int
}

func (p *speedPool) addSpeeds(s speeds) {
	p.n, p.sum, p.windows = p.n+s.n, p.sum+s.n*s.mean, p.windows+1
}

// isEnough reports whether there are speeds enough, and the noise of their mean is small
// beside the tolerance.
func (p *speedPool) isEnough(tolerance float64) bool {
	return p.n >= minPooled && noiseMargin*p.noise*math.Sqrt(float64(p.windows)) <= tolerance*p.sum
}

// takeMean returns the mean speed in 1/counting.SpeedUnitsKMH km/h and empties the pool.
func (p *speedPool) takeMean() uint64 {
	mean := p.sum / p.n
	*p = speedPool{noise: p.noise}
	return uint64(math.Round(mean * counting.SpeedUnitsKMH))
}

// windowSpeed returns the speeds of one stream in a window; ok is false unless the window
// was observed in full and the policy released them. Where it releases no number of
// speeds, that of the counts takes its place.
func windowSpeed(rs []policy.Release, stream string) (s speeds, ok bool) {
	for _, r := range rs {
		if r.Stream() != stream || r.Quality() != counting.OK {
			continue
		}
		for _, f := range r.Figures() {
			if f.Quantity != counting.MeanSpeed || f.Numbers[1] == nil {
				continue
			}
			s.mean = float64(*f.Numbers[1]) / counting.SpeedUnitsKMH
			if f.Numbers[0] != nil {
				s.n = float64(*f.Numbers[0])
				return s, true
			}
			n, ok := windowFlow(rs, stream)
			s.n = float64(n)
			return s, ok
		}
	}
	return s, false
}

// windowFlow returns the number of objects that one stream counted in a window,
// all classes and directions together. ok is false unless the window was observed
// in full and the policy released every number.
func windowFlow(rs []policy.Release, stream string) (n uint64, ok bool) {
	for _, r := range rs {
		if r.Stream() != stream || r.Quality() != counting.OK {
			continue
		}
		sum := int64(0)
		for _, c := range r.Cells() {
			if c.Ranged { // a withheld number: the sum of the others is not the flow
				return 0, false
			}
			if c.Dir == policy.Both { // the sum of the two directions, which are added themselves
				continue
			}
			sum += c.N
		}
		return uint64(max(sum, 0)), true
	}
	return 0, false
}
