package loop_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"kerb/counting"
	"kerb/counting/loop"
)

// tape is a source that plays edges in batches.
type tape struct {
	edges []loop.Edge
	batch int
	end   time.Duration
	done  bool
}

func (s *tape) ReadEdges(_ context.Context, dst []loop.Edge) (int, time.Duration, error) {
	if s.done {
		return 0, s.end, io.EOF
	}
	n := copy(dst[:min(len(dst), s.batch)], s.edges)
	s.edges = s.edges[n:]
	if len(s.edges) == 0 {
		s.done = true
		return n, s.end, nil
	}
	// All later edges come after this time.
	now := s.edges[0].At
	for _, e := range s.edges {
		now = min(now, e.At)
	}
	return n, now, nil
}

type outcome struct {
	Passages []counting.Crossing
	Events   []loop.Event
	Windows  []loop.Window
}

// count runs edges through a counter, with windows of the given length from
// first on.
func count(t rapidT, o loop.Opts, s *tape, first, every time.Duration) (r outcome) {
	c, err := loop.New(s, o)
	if err != nil {
		t.Fatal(err)
	}
	c.SetWindowEnd(first)
	for {
		step, err := c.CountBatch(context.Background())
		r.Passages = append(r.Passages, step.Passages...)
		r.Events = append(r.Events, step.Events...)
		r.Windows = append(r.Windows, step.Windows...)
		if len(step.Windows) > 0 {
			c.SetWindowEnd(step.Windows[0].End + every)
		}
		if errors.Is(err, io.EOF) {
			r.Windows = append(r.Windows, c.CloseWindows()...)
			return r
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

type rapidT interface{ Fatal(args ...any) }

func street() loop.Opts {
	o := loop.Opts{
		Lines: []loop.Line{{Name: "a"}, {Name: "b"}, {Name: "c"}, {Name: "f"}},
		Lanes: []loop.Lane{
			{Stream: "pair", Loops: []int{0, 1}, Spacing: 4, LoopLength: 2},
			{Stream: "one", Loops: []int{2}, Relays: []int{3}, LoopLength: 2, MeanLength: 4.5},
		},
		Limits: loop.DefaultLimits(),
	}
	o.Limits.StuckOn = 8 * time.Second
	o.Limits.Silent = [24]time.Duration{20 * time.Second}
	o.Limits.Calm = 3 * time.Second
	o.Limits.Pair = 3
	o.Limits.Alert = true
	return o
}

// noise draws impossible edges: any line, any order of on and off,
// losses, bounce, long presences. Times do not decrease.
func noise(t *rapid.T) []loop.Edge {
	at := time.Duration(0)
	opened := loop.Edge{Level: true}
	return append([]loop.Edge{opened}, rapid.SliceOfN(rapid.Custom(func(t *rapid.T) loop.Edge {
		at += time.Duration(rapid.SampledFrom([]int{0, 1, 2, 4, 5, 6, 25, 40, 300, 900, 5000, 30000}).Draw(t, "gap")) * time.Millisecond
		e := loop.Edge{Line: rapid.IntRange(0, 3).Draw(t, "line"), On: rapid.Bool().Draw(t, "on"), At: at}
		switch rapid.IntRange(0, 30).Draw(t, "odd") {
		case 0:
			e.Missed = uint32(rapid.IntRange(1, 5).Draw(t, "missed"))
		case 1:
			e.Level = true
		}
		return e
	}), 1, 200).Draw(t, "edges")...)
}

func TestAnyEdgesKeepTheInvariants(t *testing.T) {
	t.Run("occupancy is 0–1 and observation is no longer than its window", rapid.MakeCheck(func(t *rapid.T) {
		edges := noise(t)
		start := time.Duration(0)
		r := count(t, street(), &tape{edges: edges, batch: 7, end: edges[len(edges)-1].At + time.Second}, start+3*time.Second, 7*time.Second)
		flow, prior := uint32(0), map[string]time.Duration{"pair": start, "one": start}
		for _, w := range r.Windows {
			flow += w.Flow()
			if occupancy, ok := w.Occupancy(); ok && !(occupancy >= 0 && occupancy <= 1) {
				t.Fatalf("occupancy %v of %+v", occupancy, w)
			}
			if w.Start != prior[w.Stream] || w.Observed < 0 || w.Observed > w.End-w.Start {
				t.Fatalf("window after %v: %+v", prior[w.Stream], w)
			}
			prior[w.Stream] = w.End
			for _, p := range w.Loops {
				if p.On < 0 || p.On > p.Observed || p.Observed > w.Observed ||
					time.Duration(p.Congested)*loop.CongestedFor > p.On || time.Duration(p.Covered)*loop.BitInterval < p.On {
					t.Fatalf("books %+v of a window of %v observed", p, w.Observed)
				}
			}
			if (w.Quality == counting.Gap) != (w.Observed == 0) || (w.Quality == counting.OK) != (w.Reason == counting.NoReason) {
				t.Fatalf("quality %v %q of %+v", w.Quality, w.Reason, w)
			}
			if y := w.ToTally(); y.Crossings != w.Passages || y.Observed != w.Observed || y.Quality != w.Quality || y.Kind != counting.LoopStream {
				t.Fatalf("tally %+v of window %+v", y, w)
			}
			h := loop.SumBins(w.Headways[:])
			if h > w.Flow() || loop.SumBins(w.Gaps[:]) != h || loop.SumBins(w.Speeds[:]) > w.Flow() || loop.SumBins(w.Lengths[:]) > w.Flow() {
				t.Fatalf("histograms of more than the %d passages: %+v", w.Flow(), w)
			}
		}
		if int(flow) != len(r.Passages) {
			t.Fatalf("windows hold %d passages, %d were reported", flow, len(r.Passages))
		}
	}))
	t.Run("faults begin before they end", rapid.MakeCheck(func(t *rapid.T) {
		edges := noise(t)
		r := count(t, street(), &tape{edges: edges, batch: 9, end: edges[len(edges)-1].At + time.Minute}, time.Minute, time.Minute)
		on := map[string]bool{}
		for _, e := range r.Events {
			key := fmt.Sprint(e.Line, e.Fault)
			if e.Fault != loop.Missed && on[key] == e.On {
				t.Fatalf("%+v twice", e)
			}
			on[key] = e.On
		}
	}))
	t.Run("a shift in time shifts all times and no other value", rapid.MakeCheck(func(t *rapid.T) {
		edges := noise(t)
		end := edges[len(edges)-1].At + time.Second
		by := time.Duration(rapid.Int64Range(0, int64(1000*time.Hour)).Draw(t, "by"))
		a := count(t, street(), &tape{edges: slices.Clone(edges), batch: 50, end: end}, 3*time.Second, 7*time.Second)
		for i := range edges {
			edges[i].At += by
		}
		b := count(t, street(), &tape{edges: edges, batch: 50, end: end + by}, 3*time.Second+by, 7*time.Second)
		for i := range b.Passages {
			b.Passages[i].At -= by
		}
		for i := range b.Events {
			b.Events[i].At -= by
		}
		for i := range b.Windows {
			b.Windows[i].Start -= by
			b.Windows[i].End -= by
		}
		same(t, a, b)
	}))
	t.Run("batches and the order of simultaneous edges do not matter", rapid.MakeCheck(func(t *rapid.T) {
		edges := noise(t)
		end := edges[len(edges)-1].At + time.Second
		a := count(t, street(), &tape{edges: slices.Clone(edges), batch: 256, end: end}, 3*time.Second, 7*time.Second)
		first := rapid.Permutation([]int{0, 1, 2, 3}).Draw(t, "first of equals")
		slices.SortStableFunc(edges[1:], func(x, y loop.Edge) int {
			return cmp.Or(cmp.Compare(x.At, y.At), cmp.Compare(first[x.Line], first[y.Line]))
		})
		batch := rapid.IntRange(1, 64).Draw(t, "batch")
		b := count(t, street(), &tape{edges: edges, batch: batch, end: end}, 3*time.Second, 7*time.Second)
		same(t, a, b)
	}))
	t.Run("the numbers of the lines do not matter", rapid.MakeCheck(func(t *rapid.T) {
		edges := noise(t)
		end := edges[len(edges)-1].At + time.Second
		a := count(t, street(), &tape{edges: slices.Clone(edges), batch: 256, end: end}, 3*time.Second, 7*time.Second)
		o, to := street(), rapid.Permutation([]int{0, 1, 2, 3}).Draw(t, "to")
		for i, l := range street().Lines {
			o.Lines[to[i]] = l
		}
		for i := range o.Lanes {
			for _, is := range [][]int{o.Lanes[i].Loops, o.Lanes[i].Relays} {
				for k := range is {
					is[k] = to[is[k]]
				}
			}
		}
		for i := range edges {
			edges[i].Line = to[edges[i].Line]
		}
		b := count(t, o, &tape{edges: edges, batch: 256, end: end}, 3*time.Second, 7*time.Second)
		same(t, a, b)
	}))
}

func same(t *rapid.T, a, b outcome) {
	for _, r := range []*outcome{&a, &b} { // simultaneous events have no order
		slices.SortStableFunc(r.Events, func(x, y loop.Event) int {
			return cmp.Or(cmp.Compare(x.At, y.At), cmp.Compare(x.Line, y.Line), cmp.Compare(x.Fault, y.Fault))
		})
		slices.SortStableFunc(r.Passages, func(x, y counting.Crossing) int { return cmp.Compare(x.Stream, y.Stream) })
	}
	for _, c := range []struct {
		what string
		a, b any
	}{{"passages", a.Passages, b.Passages}, {"events", a.Events, b.Events}, {"windows", a.Windows, b.Windows}} {
		if !reflect.DeepEqual(c.a, c.b) {
			t.Fatalf("%s:\n%+v\n%+v", c.what, c.a, c.b)
		}
	}
}

// convoy draws vehicles over the pair and their edges.
func convoy(t *rapid.T) (edges []loop.Edge, onsets []time.Duration) {
	at := time.Second
	for range rapid.IntRange(1, 60).Draw(t, "vehicles") {
		v := rapid.Float64Range(3, 50).Draw(t, "m/s")
		length := rapid.Float64Range(1.5, 18).Draw(t, "m")
		o := time.Duration((length + 2) / v * 1e9)
		across := time.Duration(4 / v * 1e9)
		for line := range 2 {
			on := at + time.Duration(line)*across
			edges = append(edges, loop.Edge{Line: line, On: true, At: on}, loop.Edge{Line: line, At: on + o})
		}
		onsets = append(onsets, at)
		at += across + o + time.Duration(rapid.IntRange(100, 4000).Draw(t, "gap ms"))*time.Millisecond
	}
	slices.SortStableFunc(edges, func(x, y loop.Edge) int { return cmp.Compare(x.At, y.At) })
	return edges, onsets
}

func TestConvoy(t *testing.T) {
	t.Run("headways add up to its duration, whatever the windows", rapid.MakeCheck(func(t *rapid.T) {
		edges, onsets := convoy(t)
		o := street()
		o.Limits = loop.Limits{Settle: 5 * time.Millisecond, MinOn: 30 * time.Millisecond}
		every := time.Duration(rapid.IntRange(1, 60).Draw(t, "window s")) * time.Second
		r := count(t, o, &tape{edges: edges, batch: 100, end: edges[len(edges)-1].At + time.Second}, time.Second+every, every)
		if len(r.Passages) != len(onsets) {
			t.Fatalf("%d vehicles, %d passages", len(onsets), len(r.Passages))
		}
		var headways time.Duration
		for _, w := range r.Windows {
			headways += w.Headway
		}
		if want := onsets[len(onsets)-1] - onsets[0]; headways != want {
			t.Fatalf("Σ headway = %v, but the convoy lasted %v", headways, want)
		}
	}))
	t.Run("edges that come late, after those of another line, cost no passage", rapid.MakeCheck(func(t *rapid.T) {
		edges, _ := convoy(t)
		end := edges[len(edges)-1].At + time.Second
		a := count(t, street(), &tape{edges: slices.Clone(edges), batch: 256, end: end}, end, end)
		late := [2]time.Duration{}
		for i := range late {
			late[i] = time.Duration(rapid.IntRange(0, 4999).Draw(t, "late")) * time.Microsecond
		}
		slices.SortStableFunc(edges, func(x, y loop.Edge) int { return cmp.Compare(x.At+late[x.Line], y.At+late[y.Line]) })
		b := count(t, street(), &tape{edges: edges, batch: 256, end: end}, end, end)
		if !reflect.DeepEqual(a.Passages, b.Passages) {
			t.Fatalf("passages\n%v\n%v", a.Passages, b.Passages)
		}
	}))
}
