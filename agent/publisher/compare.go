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

// compared is a declared pair of streams. It is fed with what the policy
// released, so that its verdict tells nothing that is not public already.
type Comparison struct {
	config.Comparison
	run *loop.Comparison
}

// A pool of fewer than leastPool objects says nothing; three pools in a row
// out of tolerance are no accident.
const (
	leastPool = 100
	patient   = 3
)

func NewComparison(c config.Comparison) (Comparison, error) {
	run, err := loop.NewComparison(c.Expect, c.Tolerance, leastPool, patient)
	return Comparison{c, run}, err
}

// noteWindow takes the releases of one window of all streams.
func (c Comparison) noteWindow(rs []policy.Release, db *store.Store, log *slog.Logger) {
	a, okA := flow(rs, c.A)
	b, okB := flow(rs, c.B)
	if !okA || !okB {
		return
	}
	v := c.run.AddWindow(a, b)
	if v.Enough {
		log.Info("streams compared", "a", c.A, "b", c.B, "ratio", v.Ratio, "expected", c.Expect)
	}
	if v.Changed {
		log.Warn("streams disagree", "a", c.A, "b", c.B, "ratio", v.Ratio, "drifted", v.Drifted)
		data := map[string]any{"a": c.A, "b": c.B, "expected": c.Expect, "drifted": v.Drifted}
		if !math.IsInf(v.Ratio, 0) { // b saw nothing: no number in JSON
			data["ratio"] = v.Ratio
		}
		db.AddNote("streams_drift", data)
	}
}

// flow is what passed in a window of a stream; false where that is not known.
func flow(rs []policy.Release, stream string) (n uint64, ok bool) {
	for _, r := range rs {
		if r.Stream() != stream || r.Quality() != counting.OK {
			continue
		}
		sum := int64(0)
		for _, c := range r.Cells() {
			if c.Ranged { // withheld: the rest of the window is not its flow
				return 0, false
			}
			if c.Dir == policy.Both {
				continue
			}
			sum += c.N
		}
		return uint64(max(sum, 0)), true
	}
	return 0, false
}
