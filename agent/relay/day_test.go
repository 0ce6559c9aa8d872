package relay

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"kerb/agent/policy"
	"kerb/agent/uplink"
)

// laplace draws discrete Laplace noise of scale 1/ε: the difference of two geometric numbers.
func laplace(r *rand.Rand, epsilon float64) int64 {
	geometric := func() int64 { return int64(math.Floor(math.Log(1-r.Float64()) / -epsilon)) }
	up, down := geometric(), geometric()
	return up - down
}

// Of many sums with noise, about 95 in 100 intervals hold the true number, for one window
// as for a day; a control with half the deviation holds clearly fewer.
func TestTheIntervalHoldsTheTrueNumberIn95Of100(t *testing.T) {
	const trials, epsilon = 4000, 1.0
	deviation := math.Sqrt(2*math.Exp(-epsilon)) / (1 - math.Exp(-epsilon))
	for _, c := range []struct {
		windows   int
		claimed   float64
		low, high float64
	}{{1, deviation, 0.95, 1}, {4, deviation, 0.94, 0.985}, {96, deviation, 0.94, 0.97}, {96, deviation / 2, 0, 0.8}} {
		m := &meta{Policy: uplink.Policy{Hash: "p"}, Clearing: clearing{Method: "noise", Noise: map[string]policy.Noised{"n": {Deviation: c.claimed}}}}
		r, held := rand.New(rand.NewPCG(1, uint64(c.windows))), 0
		for range trials {
			var s sums
			for range c.windows {
				n := 30 + laplace(r, epsilon)
				s.add(&window{Policy: "p"}, cell{Class: "person", Dir: dirAToB, N: &n}, m)
			}
			if low, high, ok := s.interval(); ok && low <= float64(30*c.windows) && float64(30*c.windows) <= high {
				held++
			}
		}
		if share := float64(held) / trials; share < c.low || share > c.high {
			t.Errorf("%d windows, deviation %.2f: %.3f of the intervals hold the true number, want %.3f–%.3f", c.windows, c.claimed, share, c.low, c.high)
		}
	}
}

// A number that is withheld widens the interval and does not move the sum; a window of a
// policy that meta does not describe has no interval.
func TestWhatIsNotKnownWidensTheInterval(t *testing.T) {
	m := &meta{Policy: uplink.Policy{Hash: "p"}, Clearing: clearing{Method: "suppress", Round: 10}}
	n, below := int64(40), int64(10)
	var s sums
	s.add(&window{Policy: "p"}, cell{Class: "car", Dir: dirAToB, N: &n}, m)
	s.add(&window{Policy: "p"}, cell{Class: "car", Dir: dirAToB, Below: &below}, m)
	if low, high, ok := s.interval(); s.Sum != 40 || low != 35 || high != 54 || !ok {
		t.Errorf("sum %v, %v–%v %t", s.Sum, low, high, ok)
	}
	s.add(&window{Policy: "other"}, cell{Class: "car", Dir: dirAToB, N: &n}, m)
	if _, _, ok := s.interval(); ok {
		t.Error("an interval by a policy that is not that of the window")
	}
}

// The windows due follow from the clock, and each is received, gone or missing.
func TestARowAccountsForEachWindow(t *testing.T) {
	midnight := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	s := &streamDays{days: map[string]*day{}, gone: map[string]map[string]int{}, missing: map[string]int{}, spaces: map[string]*tracking{}}
	d, tr := &day{}, &tracking{Last: 30}
	for seq := uint64(1); seq <= 24; seq++ { // hours 0–23, of which 5–7 are gone and 10 is missing
		if seq >= 6 && seq <= 8 || seq == 11 || seq > 20 {
			continue
		}
		start := midnight.Add(time.Duration(seq-1) * time.Hour)
		w := &window{Seq: seq, Start: start, End: start.Add(time.Hour), Quality: "ok"}
		w.Time.Synced = true
		d.add(w, nil)
		tr.Got.add(span{seq, seq, start.Unix(), start.Unix()})
	}
	tr.Last = 20
	tr.Gone = map[string]spans{"expired": {{From: 6, To: 8}}}
	s.days["2026-11-23"], s.windowS, s.spaces["e"] = d, 3600, tr
	s.place(tr)
	first, last := s.bounds()
	r := s.row("2026-11-23", first, last, midnight.Unix()+dayLength)
	if r.Due != 24 || r.Received != 16 || r.Gone["expired"] != 3 || r.Missing != 1 || r.Awaited != 4 || r.Unexplained != 0 {
		t.Errorf("%+v", r)
	}
	// The control: without the numbers nothing explains the holes.
	s.gone, s.missing = map[string]map[string]int{}, map[string]int{}
	if r := s.row("2026-11-23", first, last, midnight.Unix()+dayLength); r.Unexplained != 4 {
		t.Errorf("%d unexplained, want 4", r.Unexplained)
	}
}
