package policy

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"kerb/counting"
)

// release clears a Tally; a refusal fails the test.
func release(t testing.TB, p *Policy, w counting.Tally) Release {
	t.Helper()
	r, err := p.Clear(w)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// say is a cell as a reader would see it.
func say(c Cell) string {
	switch {
	case c.Ranged && c.Below == 0:
		return fmt.Sprintf("%d+", c.Min)
	case c.Ranged:
		return fmt.Sprintf("%d–%d", c.Min, c.Below-1)
	case c.Mean != 0 || c.Peak != 0:
		return fmt.Sprintf("%.1f, %d", c.Mean, c.Peak)
	}
	return fmt.Sprint(c.N)
}

func TestEveryDeclaredCellIsThereInTheSameOrder(t *testing.T) {
	for name, p := range shipped(t) {
		for k := counting.LineStream; k <= counting.LoopStream; k++ {
			if !p.AllowsKind(k) {
				continue
			}
			for _, n := range []uint32{0, 3, 500} {
				w := window(p, k)
				for c := range w.Crossings {
					w.Crossings[c] = [2]uint32{n, n}
					w.Presence[c], w.Peak[c] = time.Duration(n)*w.Observed, n
				}
				var got []string
				for _, c := range release(t, p, w).Cells() {
					got = append(got, fmt.Sprint(c.Class, c.Dir))
				}
				var want []string
				for c, yes := range w.Counted {
					dirs := []counting.Direction{counting.AToB, counting.BToA}
					if p.terms.Clear.Totals {
						dirs = append(dirs, Both)
					}
					if k == counting.ZoneStream {
						dirs = dirs[:1]
					}
					for _, d := range dirs {
						if yes {
							want = append(want, fmt.Sprint(counting.Class(c), d))
						}
					}
				}
				if strings.Join(got, " ") != strings.Join(want, " ") {
					t.Errorf("%s, %s: cells %v, want %v", name, k, got, want)
				}
			}
		}
	}
}

// A single loop sees no direction: its windows have one cell a class, in the
// declared direction, and no total, which would be the same number.
func TestALoopOfOneDirectionHasOnlyItsCells(t *testing.T) {
	for name, p := range shipped(t) {
		if !p.AllowsKind(counting.LoopStream) {
			continue
		}
		for way, dir := range map[counting.OneWay]counting.Direction{counting.OnlyAToB: counting.AToB, counting.OnlyBToA: counting.BToA} {
			w := window(p, counting.LoopStream)
			w.OneWay, w.Counted = way, [counting.Classes]bool{counting.Vehicle: true}
			w.Crossings[counting.Vehicle][dir] = 500
			r := release(t, p, w)
			if cells := r.Cells(); len(cells) != 1 || cells[0].Dir != dir || cells[0].Ranged {
				t.Errorf("%s, %s: cells %+v", name, dir, cells)
			}
			if r.again(t) != r {
				t.Errorf("%s, %s: comes back as another", name, dir)
			}
			w.Kind = counting.LineStream
			if _, err := p.Clear(w); err == nil && p.AllowsKind(counting.LineStream) {
				t.Errorf("%s: a line of one direction was cleared", name)
			}
		}
	}
}

func TestAGapHasNoCells(t *testing.T) {
	closed := parse(t, noisy+"hours.open = [\"Sat 00:00-24:00\"]\n")
	half := parse(t, noisy+"hours.open = [\"Mon 00:00-12:10\"]\n")
	open := parse(t, noisy)
	short := parse(t, suppressed)
	for _, c := range []struct {
		name, reason string
		p            *Policy
		change       func(*counting.Tally)
	}{
		{"not observed", "camera_lost", open, func(w *counting.Tally) { w.Quality, w.Reason = counting.Gap, counting.ReasonCameraLost }},
		{"not observed, and nobody says why", "unknown", open, func(w *counting.Tally) { w.Quality = counting.Gap }},
		{"for a reason that is no reason", "unknown", open, func(w *counting.Tally) { w.Quality, w.Reason = counting.Gap, counting.Reason(200) }},
		{"on a day without counting", "closed", closed, nil},
		{"partly outside the hours", "closed", half, nil},
		{"partly outside the hours, though not the part that was seen", "closed", half, func(w *counting.Tally) {
			w.End, w.Observed, w.Quality, w.Reason = noon.Add(9*time.Minute), 9*time.Minute, counting.Partial, counting.ReasonStopped
		}},
		{"hardly seen, without noise", "too_short", short, func(w *counting.Tally) {
			w.Observed, w.Quality, w.Reason = 7*time.Minute, counting.Partial, counting.ReasonStarting
		}},
	} {
		w := window(c.p, counting.LineStream)
		w.Crossings[counting.Person] = [2]uint32{500, 500}
		if c.change != nil {
			c.change(&w)
		}
		r := release(t, c.p, w)
		if r.Quality() != counting.Gap || r.Reason() != c.reason || len(r.Cells()) != 0 || r.Observed() != 0 {
			t.Errorf("%s: %+v", c.name, r)
		}
	}
}

func TestAPartOfAWindowIsReleasedAsThatWindow(t *testing.T) {
	p := parse(t, noisy)
	w := window(p, counting.LineStream)
	w.Start, w.End, w.Observed, w.Quality, w.Reason = noon.Add(4*time.Minute), noon.Add(9*time.Minute), 299600*time.Millisecond, counting.Partial, counting.ReasonStarting
	r := release(t, p, w)
	if !r.StartTime().Equal(noon) || !r.EndTime().Equal(noon.Add(15*time.Minute)) || r.Observed() != 270*time.Second || r.Reason() != "starting" {
		t.Errorf("%+v", r)
	}
}

func TestWhatThePolicyDoesNotAllowIsNotCleared(t *testing.T) {
	p := parse(t, strings.Replace(noisy, `"line", "zone", "loop"`, `"line", "loop"`, 1))
	for _, c := range []struct {
		change func(*counting.Tally)
		want   string
	}{
		{func(w *counting.Tally) { w.Kind = counting.ZoneStream }, "zone streams"},
		{func(w *counting.Tally) { w.Kind = 7 }, "unknown streams"},
		{func(w *counting.Tally) { w.Counted[counting.Car] = true }, "class car"},
		{func(w *counting.Tally) { w.Counted = [counting.Classes]bool{} }, "no class"},
		{func(w *counting.Tally) { w.Stream = "Main Street" }, "stream name"},
		{func(w *counting.Tally) { w.Stream = "" }, "stream name"},
		{func(w *counting.Tally) { w.End = w.End.Add(time.Second) }, "not in one window"},
		{func(w *counting.Tally) { w.Start = w.Start.Add(-time.Second) }, "not in one window"},
		{func(w *counting.Tally) { w.End = w.Start }, "not in one window"},
		{func(w *counting.Tally) { w.Observed = 0 }, "observed"},
		{func(w *counting.Tally) { w.Observed = time.Hour }, "observed"},
		{func(w *counting.Tally) { w.Quality = 9 }, "quality"},
		{func(w *counting.Tally) { w.Mono = -1 }, "before 1970"},
		{func(w *counting.Tally) { w.Start, w.End = w.Start.AddDate(-60, 0, 0), w.End.AddDate(-60, 0, 0) }, "before 1970"},
	} {
		w := window(p, counting.LineStream)
		c.change(&w)
		r, err := p.Clear(w)
		if err == nil || !strings.Contains(err.Error(), c.want) || !r.IsZero() {
			t.Errorf("%s: %v, %v", c.want, err, r)
		}
	}
	both := parse(t, strings.Replace(noisy, `"vehicle"]`, `"vehicle", "car"]`, 1))
	w := window(both, counting.LineStream)
	w.Counted[counting.Car] = true
	if _, err := both.Clear(w); err == nil || !strings.Contains(err.Error(), "both counted") {
		t.Errorf("vehicle and car in one stream: %v", err)
	}
}

func TestWithoutNoiseSmallNumbersAreWithheldAndOthersRounded(t *testing.T) {
	for _, c := range []struct {
		policy     string
		a, b       uint32
		ab, ba, up string
	}{
		{suppressed, 41, 26, "40", "30", "70"},
		{suppressed, 10, 14, "10", "10", "20"},
		{suppressed, 9, 26, "0–45", "0–45", "40"},
		{suppressed, 26, 0, "0–35", "0–35", "30"},
		{suppressed, 6, 6, "0–15", "0–15", "10"},
		{suppressed, 6, 3, "0–9", "0–9", "0–9"},
		{suppressed, 0, 0, "0–9", "0–9", "0–9"},
		{suppressed, 1 << 31, 500, "9999990", "500", "9999990"},
		{strings.Replace(suppressed, "totals = true", "totals = false", 1), 9, 26, "0–9", "30", ""},
	} {
		p := parse(t, c.policy)
		w := window(p, counting.LineStream)
		w.Crossings[counting.Person] = [2]uint32{c.a, c.b}
		cells := release(t, p, w).Cells()
		want := []string{c.ab, c.ba, c.up}
		if c.up == "" {
			want = want[:2]
		}
		for i, want := range want {
			if got := say(cells[i]); got != want {
				t.Errorf("%d and %d: cell %d is %s, want %s", c.a, c.b, i, got, want)
			}
		}
	}
}

func TestZonesAreClearedByTheirMean(t *testing.T) {
	tenth := func(n int) time.Duration { return time.Duration(n) * 6 * time.Second } // of an object in a minute
	p := parse(t, banded)
	for _, c := range []struct {
		tenths int
		want   string
	}{{0, "0–4"}, {44, "0–4"}, {45, "5–9"}, {94, "5–9"}, {95, "10–19"}, {194, "10–19"}, {195, "20+"}, {5000, "20+"}} {
		w := window(p, counting.ZoneStream)
		w.Presence[counting.Person], w.Peak[counting.Person] = tenth(c.tenths), 400
		if got := say(release(t, p, w).Cells()[0]); got != c.want {
			t.Errorf("%d tenths: %s, want %s", c.tenths, got, c.want)
		}
	}
	p = parse(t, suppressed)
	for _, c := range []struct {
		tenths int
		peak   uint32
		want   string
	}{{99, 50, "0–9"}, {100, 14, "10.0, 10"}, {261, 44, "30.0, 40"}} {
		w := window(p, counting.ZoneStream)
		w.Presence[counting.Person], w.Peak[counting.Person] = 15*tenth(c.tenths), c.peak
		if got := say(release(t, p, w).Cells()[0]); got != c.want {
			t.Errorf("%d tenths: %s, want %s", c.tenths, got, c.want)
		}
	}
}

func TestOnePresenceMovesTheMeanByAtMostTenTenths(t *testing.T) {
	// The sensitivity that the noise of a zone is scaled to: any Tally, and the
	// same with one object more that stays as long as it can.
	random := rand.New(rand.NewChaCha8([32]byte{3}))
	w := clearer{rule: rule{method: Suppress, round: 1}}
	for range 100_000 {
		observed := 1 + time.Duration(random.Int64N(int64(time.Hour)))
		present := time.Duration(random.Int64N(int64(20 * time.Hour)))
		more := present + time.Duration(random.Int64N(int64(observed)+1))
		a, b := w.clearZone(0, present, observed, 0), w.clearZone(0, more, observed, 0)
		if d := b.a - a.a; d < 0 || d > 10 {
			t.Fatalf("%s and %s of %s: %d tenths apart", present, more, observed, d)
		}
	}
}

func TestNoiseIsDrawnForEveryCellAndOnlyOnce(t *testing.T) {
	p := parse(t, strings.Replace(noisy, "below = 5", "below = 0", 1))
	w := window(p, counting.LineStream)
	seen := map[Release]bool{}
	sums := map[int]float64{}
	n := 4000
	for range n {
		r := release(t, p, w)
		if r != r.again(t) {
			t.Fatal("a Release that came back differs")
		}
		seen[r] = true
		for i, c := range r.Cells() {
			if c.Ranged {
				t.Fatal("with below 0 nothing is withheld")
			}
			sums[i] += float64(c.N)
		}
	}
	if len(seen) < n/2 {
		t.Errorf("%d different Releases of %d of an empty window", len(seen), n)
	}
	for i, s := range sums {
		if s/float64(n) > 0.15 || s/float64(n) < -0.15 {
			t.Errorf("cell %d: mean %.2f of an empty window: numbers given as drawn have no bias", i, s/float64(n))
		}
	}
}

func TestTheNoiseOfAReleaseIsThatOfItsEpsilon(t *testing.T) {
	// One ε for the cell of a line; half of it each for a zone's mean, where one
	// presence is ten tenths, and for its peak.
	p := parse(t, strings.Replace(noisy, "below = 5", "below = 0", 1))
	line, mean, peak := map[int64]int{}, map[int64]int{}, map[int64]int{}
	n := draws(t, 60_000)
	for range n / 3 {
		for _, c := range release(t, p, window(p, counting.LineStream)).Cells()[:3] {
			line[c.N]++
		}
		for _, c := range release(t, p, window(p, counting.ZoneStream)).Cells() {
			mean[int64(math.Round(10*c.Mean))]++
			peak[c.Peak]++
		}
	}
	for _, c := range []struct {
		name string
		rate float64
		seen map[int64]int
	}{{"line", 1, line}, {"mean", 1.0 / 20, mean}, {"peak", 1.0 / 2, peak}} {
		// These draws are the system's: 6 is once in a thousand million.
		if odd := oddity(c.rate, c.seen, n); odd > 6 {
			t.Errorf("%s: deviate %.1f from rate %g", c.name, odd, c.rate)
		}
		if odd := oddity(2*c.rate, c.seen, n); odd < 10 {
			t.Errorf("%s: deviate %.1f from twice the rate: the test sees nothing", c.name, odd)
		}
	}
}

// again is the Release after a restart.
func (r Release) again(t testing.TB) Release {
	t.Helper()
	b, err := r.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	q, err := RestoreRelease(b)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func TestNumbersStayWithinTheirDigits(t *testing.T) {
	for _, p := range []*Policy{Demo(), parse(t, noisy), parse(t, suppressed)} {
		for _, k := range []counting.Kind{counting.LineStream, counting.ZoneStream} {
			w := window(p, k)
			for c := range w.Crossings {
				w.Crossings[c] = [2]uint32{1<<32 - 1, 1<<32 - 1}
				w.Presence[c], w.Peak[c] = 1<<63-1, 1<<32-1
			}
			for _, c := range release(t, p, w).Cells() {
				for _, s := range []string{fmt.Sprint(c.N), fmt.Sprint(c.Peak), fmt.Sprintf("%.1f", c.Mean), fmt.Sprint(c.Below)} {
					if len(s) > Digits+1 || len(s) > Digits && !c.Ranged {
						t.Errorf("%s has %d characters", s, len(s))
					}
				}
			}
		}
	}
}
