package loop_test

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"kerb/counting"
	"kerb/counting/loop"
)

func TestBadStreetIsRefusedWithEveryMistake(t *testing.T) {
	o := loop.Opts{
		Lines: []loop.Line{{Name: "a"}, {Name: "b", Card: loop.Pulse}},
		Lanes: []loop.Lane{
			{Stream: "x", Loops: []int{0, 1}, Spacing: 0.2, Split: true},
			{Stream: "y", Loops: []int{1}, MeanLength: 4, LoopLength: 2},
			{Stream: "z", Loops: []int{7}},
			{Stream: "none"},
		},
		Limits: loop.Limits{Settle: time.Second, Chatter: 99, Drift: 2, StuckOn: -1},
	}
	_, err := loop.New(nil, o)
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{
		"lane x: spacing = 0.2 m: must be 1–50", "lane x: loop length = 0 m: must be 0.3–30",
		"lane x: classes by length need two loops with presence cards",
		"lane y: line b is already in use", "lane y: a pulse card gives no on-time",
		"lane z: line 7: there are lines 0–1", "lane none: 0 loops: must be 1 or 2",
		"settle = 1s: must be 0–100ms", "stuck on = -1ns: must not be negative", "chatter = 99", "drift = 2",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in:\n%v", want, err)
		}
	}
}

func TestEdgeOfAnUnknownLineEndsTheSource(t *testing.T) {
	c, err := loop.New(&tape{edges: []loop.Edge{{Line: 9, At: 1}}, batch: 1}, street())
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := c.CountBatch(context.Background()); err == nil || err == io.EOF || !strings.Contains(err.Error(), "line 9: there are lines 0–3") {
			t.Errorf("error %v", err)
		}
	}
}

func TestLengthsHaveTheirBins(t *testing.T) {
	uk, tls := counting.UKLengths(), counting.TLSLengths()
	if uk.Len() != 4 || uk.BinLabel(0) != "<5.2" || uk.BinLabel(3) != "≥11.6" || uk.BinLabel(1) != "5.2–6.6" {
		t.Errorf("UK: %+v", uk)
	}
	if tls.Len() != 13 || tls.BinLabel(3) != "7/11" {
		t.Errorf("TLS: %+v", tls)
	}
	for m, want := range map[float64]int{1: 6, 2: 10, 3.5: 7, 4.5: 6, 13: 6, 19: 9, 25: 6} {
		if got := counting.TLSCode(m); got != want {
			t.Errorf("TLS code of %g m is %d, want %d", m, got, want)
		}
	}
	for _, bad := range [][]float64{nil, {0}, {3, 3}, {2, 1}, make([]float64, 16)} {
		if _, err := counting.NewLengthBins(bad, nil); err == nil {
			t.Errorf("bounds %v were accepted", bad)
		}
	}
	if _, err := counting.NewLengthBins([]float64{5}, []string{"a"}); err == nil {
		t.Error("one label for two bins was accepted")
	}
}

func TestFaultHasAWord(t *testing.T) {
	for f := loop.Relay; f <= loop.Standing; f <<= 1 {
		if r, ok := counting.ParseReason(f.String()); !ok || r == counting.NoReason {
			t.Errorf("%v is no reason of a window", f)
		}
	}
	if s := (loop.StuckOn | loop.Missed).String(); s != "loop_stuck_on+edges_missed" {
		t.Errorf("two faults: %s", s)
	}
}

func TestTwoStreamsOfOneRoadAreCompared(t *testing.T) {
	c, err := loop.NewComparison(0.9, 0.2, 100, 2)
	if err != nil {
		t.Fatal(err)
	}
	for i, w := range []struct {
		a, b            uint64
		enough, drifted bool
		changed         bool
	}{
		{20, 30, false, false, false}, // too few
		{25, 30, true, false, false},  // 45 of 60
		{90, 100, true, false, false},
		{50, 100, true, false, false}, // off once
		{45, 100, true, true, true},   // twice
		{88, 100, true, true, false},  // right once
		{92, 100, true, false, true},  // twice
		{100, 0, true, false, false},  // the other is blind
		{100, 0, true, true, true},
	} {
		if r := c.AddWindow(w.a, w.b); r.Enough != w.enough || r.Drifted != w.drifted || r.Changed != w.changed {
			t.Errorf("window %d, %d and %d: %+v", i, w.a, w.b, r)
		}
	}
	for _, bad := range []func() (*loop.Comparison, error){
		func() (*loop.Comparison, error) { return loop.NewComparison(0, 0.2, 1, 1) },
		func() (*loop.Comparison, error) { return loop.NewComparison(1, 1, 1, 1) },
		func() (*loop.Comparison, error) { return loop.NewComparison(1, 0.2, 0, 1) },
	} {
		if _, err := bad(); err == nil {
			t.Error("a comparison that cannot work was accepted")
		}
	}
}

func TestTableShowsEveryLine(t *testing.T) {
	edges := []loop.Edge{
		{Line: 0, Level: true},
		{Line: 1, Level: true},
		{Line: 3, Level: true},
		{Line: 0, On: true, At: 1e9},
		{Line: 1, On: true, At: 1.2e9},
		{Line: 0, At: 1.3e9},
		{Line: 1, At: 1.5e9},
		{Line: 0, On: true, At: 2e9},
	}
	o := street()
	o.Totals = true
	c, err := loop.New(&tape{edges: edges, batch: 99, end: 12e9}, o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.CountBatch(context.Background()); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := loop.WriteLineTable(&b, c.AppendLineStates(nil)); err != nil {
		t.Fatal(err)
	}
	got := strings.Split(strings.TrimSpace(b.String()), "\n")
	for i, want := range [][]string{
		{"LINE", "STREAM", "STATE", "VEHICLES"},
		{"a", "pair", "covered", "2", "1", "300ms", "72 km/h", "################", "loop_stuck_on"},
		{"b", "pair", "free", "1", "1", "300ms", "72 km/h", "................", "ok"},
		{"c", "one", "–", "0"},
		{"f", "one", "held"},
	} {
		if i >= len(got) {
			t.Fatalf("table of %d rows:\n%s", len(got), b.String())
		}
		rest := got[i]
		for _, w := range want {
			_, after, ok := strings.Cut(rest, w)
			if !ok {
				t.Errorf("row %d has no %q: %s", i, w, got[i])
			}
			rest = after
		}
	}
}

// wheel is a source that never ends: a vehicle over the pair and one over the
// single loop every second.
type wheel struct{ n int }

func (s *wheel) ReadEdges(_ context.Context, dst []loop.Edge) (int, time.Duration, error) {
	at := time.Duration(s.n) * time.Second
	s.n++
	for i, e := range [...]loop.Edge{
		{Line: 0, On: true, At: 0},
		{Line: 2, On: true, At: 50e6},
		{Line: 1, On: true, At: 200e6},
		{Line: 0, At: 300e6},
		{Line: 2, At: 400e6},
		{Line: 1, At: 500e6},
	} {
		e.At += at
		dst[i] = e
	}
	return 6, at + 900e6, nil
}

func TestEdgesAreCountedWithoutAllocating(t *testing.T) {
	o := street()
	o.Limits.Card = false // all vehicles of this street are alike
	o.Wall = func(at time.Duration) time.Time { return time.Unix(0, int64(at)).UTC() }
	c, err := loop.New(&wheel{}, o)
	if err != nil {
		t.Fatal(err)
	}
	c.SetWindowEnd(10 * time.Second)
	var passages int
	allocs := testing.AllocsPerRun(5000, func() {
		s, err := c.CountBatch(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		passages += len(s.Passages)
		if len(s.Windows) > 0 {
			c.SetWindowEnd(s.Windows[0].End + 10*time.Second)
		}
	})
	if allocs != 0 || passages < 9000 {
		t.Errorf("%v allocations a step of 6 edges, %d passages", allocs, passages)
	}
}

func BenchmarkPassage(b *testing.B) {
	c, err := loop.New(&wheel{}, street())
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for n := 0; n < b.N; {
		s, err := c.CountBatch(context.Background())
		if err != nil {
			b.Fatal(err)
		}
		n += len(s.Passages)
	}
}

// A sensing process runs for years: what it counted must not stay in it for longer than a
// window. The control keeps the totals.
func TestNoCountOutlivesItsWindow(t *testing.T) {
	edges := []loop.Edge{{Line: 0, Level: true}, {Line: 1, Level: true}}
	for i := range 40 {
		at := time.Duration(1+3*i) * time.Second
		off := at + time.Duration(300+5*i)*time.Millisecond // equal times would be those of a pulse card
		edges = append(edges, loop.Edge{Line: 0, On: true, At: at}, loop.Edge{Line: 1, On: true, At: at + 200*time.Millisecond},
			loop.Edge{Line: 0, At: off}, loop.Edge{Line: 1, At: off + 200*time.Millisecond})
	}
	for _, totals := range []bool{false, true} {
		o := street()
		o.Totals = totals
		c, err := loop.New(&tape{edges: edges, batch: len(edges), end: 200 * time.Second}, o)
		if err != nil {
			t.Fatal(err)
		}
		var passages int
		for {
			step, err := c.CountBatch(context.Background())
			passages += len(step.Passages)
			if err != nil {
				break
			}
		}
		want, onsets := uint32(0), 0
		if totals {
			want, onsets = 40, 40
		}
		if s := c.AppendLineStates(nil); passages != 40 || s[0].Total != want || s[0].Onsets != onsets {
			t.Errorf("totals %t: %d passages; %d and %d are kept", totals, passages, s[0].Total, s[0].Onsets)
		}
	}
}
