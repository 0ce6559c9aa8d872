// Package oracle compares kerb with independent libraries: its noise with Google's
// differential privacy library, which rounds a fine continuous Laplace, and its Digest
// answers with icholy/digest. It is a module of its own, so that its dependencies stay
// out of kerb's.
package oracle

import (
	"math"
	"testing"
	"time"

	"kerb/agent/policy"
	"kerb/counting"

	"github.com/google/differential-privacy/go/v3/noise"
)

const text = `schema = "kerb.policy/1"
version = 1
purpose = "statistical"
count = {streams = ["line"], classes = ["person", "bicycle", "vehicle"]}
camera.follow_max = "30s"
clear = {window = "15m", method = "noise", epsilon = 1, below = 0}
keep.retention = "72h"
`

const draws = 90_000

// tail counts how often noise was at least so far from 0.
type tail [8]float64

func (t *tail) add(z int64) {
	for i := range t {
		if max(z, -z) >= int64(i) {
			t[i]++
		}
	}
}

func ours(t *testing.T) (far tail, meanError float64) {
	p, err := policy.Parse("oracle", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	start := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	empty := counting.Tally{
		Stream: "oracle", Start: start, End: start.Add(p.Window()), Observed: p.Window(),
		Counted: [counting.Classes]bool{true, true, true},
	}
	for range draws / 6 {
		r, err := p.Clear(empty)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range r.Cells() {
			far.add(c.N)
			meanError += math.Abs(float64(c.N)) / draws
		}
	}
	return far, meanError
}

func theirs(t *testing.T) (far tail, meanError float64) {
	l := noise.Laplace()
	for range draws {
		z, err := l.AddNoiseInt64(0, 1, 1, 1, 0)
		if err != nil {
			t.Fatal(err)
		}
		far.add(z)
		meanError += math.Abs(float64(z)) / draws
	}
	return far, meanError
}

func TestNoiseFallsOffAsFastAsTheOracles(t *testing.T) {
	a, ourError := ours(t)
	b, theirError := theirs(t)
	t.Logf("mean error %.3f, the oracle's %.3f", ourError, theirError)
	if ourError > theirError {
		t.Error("exact noise must not err more than rounded noise of the same ε")
	}
	// ε is in how much rarer the next step is: e^-ε, for both.
	for i := 1; i+1 < len(a); i++ {
		ra, rb := a[i+1]/a[i], b[i+1]/b[i]
		slack := 5 * math.Sqrt(0.25/a[i+1])
		if math.Abs(ra-math.Exp(-1)) > slack || math.Abs(rb-math.Exp(-1)) > slack {
			t.Errorf("from %d on: %.4f, the oracle's %.4f, e^-1 is %.4f", i, ra, rb, math.Exp(-1))
		}
	}
}
