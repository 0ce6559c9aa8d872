package publisher

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kerb/agent/policy"
	"kerb/agent/policy/policytest"
	"kerb/agent/status"
	"kerb/agent/store"
	"kerb/counting"
)

// The standard policy with windows of any length.
const historyPolicy = `schema = "kerb.policy/1"
version = 1
title = "history"
purpose = "statistical"
count = { streams = ["line", "zone"], classes = ["person", "bicycle", "vehicle"] }
camera.follow_max = "30s"
hours = { open = ["Mon-Sun 00:00-24:00"], timezone = "Europe/Helsinki" }
clear = { window = "WINDOW", method = "noise", epsilon = 1, below = 5, overlap = 2 }
keep.retention = "72h"
`

// newHistory returns a spool with the windows of the last 74 hours, and the sum of the
// released numbers of each stream, class and direction in the last 72. Every stream has
// a gap of two hours, and the first window of every seventh hour is observed in part.
func newHistory(t testing.TB, window string, streams int, now time.Time) (*store.Store, *policy.Policy, map[string]int64) {
	t.Helper()
	p := policytest.Parse(t, strings.ReplaceAll(historyPolicy, "WINDOW", window))
	db, err := store.Open(filepath.Join(t.TempDir(), "spool.db"), store.WallClock(func() time.Time { return now }), store.KeepFor(7*24*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	sums := map[string]int64{}
	random := rand.New(rand.NewPCG(1, 2))
	var batch []policy.Release
	for start := now.Add(-74 * time.Hour).Truncate(p.Window()); start.Before(now); start = start.Add(p.Window()) {
		for s := range streams {
			r, err := p.Clear(newHistoryTally(p, string(rune('a'+s)), start, now.Sub(start), random))
			if err != nil {
				t.Fatal(err)
			}
			batch = append(batch, r)
			for _, c := range r.Cells() {
				if !c.Ranged && !start.Before(now.Add(-status.HistorySpan*time.Second)) {
					sums[r.Stream()+" "+c.Class.String()+" "+c.Dir.String()] += c.N
				}
			}
		}
		if len(batch) > 4000 || !start.Add(p.Window()).Before(now) {
			if _, err := db.Append(batch); err != nil {
				t.Fatal(err)
			}
			batch = nil
		}
	}
	return db, p, sums
}

func newHistoryTally(p *policy.Policy, stream string, start time.Time, ago time.Duration, random *rand.Rand) counting.Tally {
	w := counting.Tally{Stream: stream, Kind: counting.LineStream, Start: start, End: start.Add(p.Window()), Mono: 100*time.Hour - ago, Observed: p.Window()}
	rush := 1 + math.Sin(float64(start.Hour()-8)/12*math.Pi)
	for c := counting.Person; c <= counting.Vehicle; c++ {
		w.Counted[c] = true
		for d := range counting.Direction(counting.Directions) {
			w.Crossings[c][d] = uint32(random.ExpFloat64() * rush * 20 / float64(c+1) * p.Window().Minutes() / 15)
		}
	}
	switch {
	case ago > 30*time.Hour && ago <= 32*time.Hour:
		w.Quality, w.Reason, w.Observed = counting.Gap, counting.ReasonCameraLost, 0
	case start.Hour()%7 == 0 && start.Minute() == 0:
		w.Quality, w.Reason, w.Observed = counting.Partial, counting.ReasonCameraLost, p.Window()/2
	}
	return w
}

var historyNow = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

// The history is the sum of the released windows, and nothing else: gaps are gaps, and
// windows that are withheld make a band without a number.
func TestTheHistoryAddsUpReleasedWindows(t *testing.T) {
	for _, window := range []string{"15m", "1h", "5m"} {
		db, p, sums := newHistory(t, window, 2, historyNow)
		h, err := ReadHistory(db, p, historyNow)
		if err != nil {
			t.Fatal(err)
		}
		step := max(p.Window(), historyStep)
		slots := int(status.HistorySpan * time.Second / step)
		if h.Step != int64(step/time.Second) || h.Slots() != slots || h.Zone != "Europe/Helsinki" || h.Keep != 72*3600 || len(h.Streams) != 2 {
			t.Fatalf("%s: %d slots of %d s, zone %s, %d streams", window, h.Slots(), h.Step, h.Zone, len(h.Streams))
		}
		for _, s := range h.Streams {
			if len(s.Slots) != slots || strings.Count(s.Slots, "g") != int(2*time.Hour/step) || strings.Count(s.Slots, ".") != 0 || !strings.Contains(s.Slots, "p") || len(s.Series) != 6 {
				t.Errorf("%s %s: %q, %d series", window, s.Name, s.Slots, len(s.Series))
			}
			for _, x := range s.Series {
				checkSeries(t, s, x)
				if window != "5m" { // there, a slot with a withheld window has no sum
					if got, want := sumOf(x.N), 10*sums[s.Name+" "+x.Class+" "+x.Dir]; int64(got) != want {
						t.Errorf("%s %s %s %s: %d tenths, want %d", window, s.Name, x.Class, x.Dir, got, want)
					}
				}
			}
		}
	}
}

// checkSeries holds one series to its stream: numbers only where windows are, and each
// within its band.
func checkSeries(t *testing.T, s status.Stream, x status.Series) {
	t.Helper()
	for i, n := range x.N {
		observed := s.Slots[i] == status.SlotPart || s.Slots[i] == status.SlotWhole
		if observed != (x.Least[i] != status.NoNumber) || observed != (x.Most[i] != status.NoNumber) {
			t.Fatalf("%s %s, slot %d (%c): from %d to %d", s.Name, x.Class, i, s.Slots[i], x.Least[i], x.Most[i])
		}
		if n != status.NoNumber && (!observed || max(n, 0) < x.Least[i] || n > x.Most[i] || x.Most[i]-x.Least[i] < 20) {
			t.Fatalf("%s %s, slot %d: %d is not within %d and %d", s.Name, x.Class, i, n, x.Least[i], x.Most[i])
		}
	}
}

func sumOf(ns []int32) (sum int) {
	for _, n := range ns {
		if n != status.NoNumber {
			sum += int(n)
		}
	}
	return sum
}

// Many series make longer slots, so that a history is bounded.
func TestAHistoryIsBounded(t *testing.T) {
	db, p, _ := newHistory(t, "15m", 26, historyNow)
	h, err := ReadHistory(db, p, historyNow)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	points := 26 * 6 * h.Slots()
	if points > historyPoints || points < historyPoints/4 || len(text) > 500_000 || h.Start%h.Step != 0 {
		t.Errorf("%d numbers in slots of %d s from %d, %d bytes", points, h.Step, h.Start, len(text))
	}
	for _, s := range h.Streams {
		for _, x := range s.Series {
			if len(s.Slots) != h.Slots() || len(x.N) != h.Slots() {
				t.Fatalf("%s: %d states and %d numbers for %d slots", s.Name, len(s.Slots), len(x.N), h.Slots())
			}
		}
	}
}

// The band around a sum of noised numbers holds at least 95 % of the noise: computed
// from the distribution of discrete Laplace noise by convolution, without chance.
func TestTheBandHoldsTheNoise(t *testing.T) {
	for _, scale := range []float64{0.5, 1, 2, 4, 7, 20, 40} { // in steps: 1/ε of a count, 20/ε of a mean
		q := math.Exp(-1 / scale)
		deviation := math.Sqrt(2*q) / (1 - q)
		reach := int(40 * scale)
		one := make([]float64, 2*reach+1)
		for k := -reach; k <= reach; k++ {
			one[k+reach] = (1 - q) / (1 + q) * math.Pow(q, math.Abs(float64(k)))
		}
		all := []float64{1}
		for windows := 1; windows <= 6; windows++ {
			next := make([]float64, len(all)+len(one)-1)
			for i, a := range all {
				for j, b := range one {
					next[i+j] += a * b
				}
			}
			all = next
			half, middle, held := int(math.Ceil(noise95*deviation*math.Sqrt(float64(windows)))), len(all)/2, 0.0
			for k := middle - half; k <= middle+half; k++ {
				held += all[k]
			}
			if held < 0.95 {
				t.Errorf("scale %g, %d windows: ±%d holds %.4f", scale, windows, half, held)
			}
		}
	}
}

// Windows of an earlier policy that are longer than a slot are left out; the control
// counts them where they fit.
func TestLongerWindowsOfAnEarlierPolicyAreLeftOut(t *testing.T) {
	db, _, _ := newHistory(t, "1h", 1, historyNow)
	for step, want := range map[time.Duration]bool{historyStep: false, time.Hour: true} {
		h, err := readHistory(db, step, historyNow)
		if err != nil || (len(h.Streams) > 0) != want {
			t.Errorf("slots of %s: %d streams, %v", step, len(h.Streams), err)
		}
	}
}

func BenchmarkHistory(b *testing.B) {
	for _, window := range []string{"15m", "1m"} {
		b.Run(window, func(b *testing.B) {
			db, p, _ := newHistory(b, window, 8, historyNow)
			for b.Loop() {
				h, err := ReadHistory(db, p, historyNow)
				if err != nil || len(h.Streams) != 8 {
					b.Fatal(err)
				}
			}
		})
	}
}
