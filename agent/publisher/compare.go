package publisher

import (
	"log/slog"
	"math"

	"kerb/agent/config"
	"kerb/agent/policy"
	"kerb/agent/store"
	"kerb/counting"
	"kerb/counting/loop"
)

// Comparison watches the ratio of two streams of one road that site.toml
// declares, such as a loop and a camera. It reads Releases, so its result tells
// no more than the published numbers do.
type Comparison struct {
	config.Comparison
	ratio *loop.Comparison
}

// The rules of a drift, chosen by hand: the ratio of fewer objects is mostly
// chance, and three pools in a row out of tolerance are not.
const (
	minPooled   = 100 // objects in both streams together before the ratio is judged
	poolsInARow = 3   // out of tolerance until a drift begins, within it until it ends
)

// NewComparison makes the comparison that c declares. An expected ratio or
// tolerance out of its range is an error: see loop.NewComparison.
func NewComparison(c config.Comparison) (Comparison, error) {
	ratio, err := loop.NewComparison(c.Expect, c.Tolerance, minPooled, poolsInARow)
	return Comparison{c, ratio}, err
}

// addWindow adds the Releases of one window of all streams. It logs the ratio of
// each full pool, and stores the event "streams_drift" when a drift begins or
// ends. A window in which either count is unknown is left out.
func (c Comparison) addWindow(rs []policy.Release, db *store.Store, log *slog.Logger) {
	a, okA := windowFlow(rs, c.A)
	b, okB := windowFlow(rs, c.B)
	if !okA || !okB {
		return
	}
	v := c.ratio.AddWindow(a, b)
	if v.Enough {
		log.Info("streams compared", "a", c.A, "b", c.B, "ratio", v.Ratio, "expected", c.Expect)
	}
	if v.Changed {
		log.Warn("streams disagree", "a", c.A, "b", c.B, "ratio", v.Ratio, "drifted", v.Drifted)
		data := map[string]any{"a": c.A, "b": c.B, "expected": c.Expect, "drifted": v.Drifted}
		if !math.IsInf(v.Ratio, 0) { // b counted no object: JSON has no infinity
			data["ratio"] = v.Ratio
		}
		db.AddNote("streams_drift", data)
	}
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
