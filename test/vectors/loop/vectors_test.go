// Package loop runs the vectors of this folder. README.md says what they mean,
// so that another implementation can run them too.
package loop

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"kerb/counting"
	count "kerb/counting/loop"
	"kerb/drivers/loop"
)

type vector struct {
	About string
	Trace string
	Lines []struct{ Name, Card string }
	Lanes []struct {
		Stream     string
		Loops      []string
		Relays     []string
		Reverse    bool
		Spacing    float64         `json:"spacing_m"`
		LoopLength float64         `json:"loop_length_m"`
		MeanLength float64         `json:"mean_length_m"`
		Lengths    json.RawMessage // "uk", "tls" or bounds
		Split      bool
	}
	Limits limits
	Wall   string
	Cuts   []time.Duration `json:"cuts_ns"`
	Expect struct {
		Passages []passage
		Events   []event
		Windows  []window
	}
}

type limits struct {
	Settle    float64         `json:"settle_ms"`
	MinOn     float64         `json:"min_on_ms"`
	Stuck     float64         `json:"stuck_on_s"`
	Silent    json.RawMessage `json:"silent_s"` // a number, or 24 by hour
	Pair      int
	PairClear int `json:"pair_clear"`
	Chatter   int
	Drift     float64
	Calm      float64 `json:"calm_s"`
	Alert     bool
	Daily     bool
	ZeroShare float64 `json:"zero_share"`
	LetGo     float64 `json:"let_go_ms"`
	Card      bool
}

type passage struct {
	Stream, Cls, Dir string
	At               time.Duration `json:"at_ns"`
	Speed            float64       `json:"speed_mps"`
	Length           float64       `json:"length_m"`
}

type event struct {
	Stream, Line, Fault string
	On                  bool
	At                  time.Duration `json:"at_ns"`
	N                   uint32
}

type window struct {
	Stream    string
	Start     time.Duration `json:"start_ns"`
	End       time.Duration `json:"end_ns"`
	Observed  time.Duration `json:"observed_ns"`
	Quality   string
	Reason    string
	Flow      uint32
	Counts    map[string]uint32
	Headways  []uint32
	Gaps      []uint32
	Speeds    []uint32
	Lengths   []uint32
	Occupancy *float64
	LPU       uint32
	Slow      uint32
	Stood     uint32
	Lone      uint32
	Doubtful  uint32
	Missed    uint32
	Short     uint32
	Unsized   uint32
	Loops     []part
	Traffic   traffic
}

// traffic is the part of a window that a policy clears besides the counts.
type traffic struct {
	Covered     time.Duration `json:"covered_ns"`
	CoveredOver time.Duration `json:"covered_over_ns"`
	Congested   uint32
	SpeedSum    int64  `json:"speed_sum"`
	SpeedCount  uint32 `json:"speed_count"`
}

type part struct {
	On        time.Duration `json:"on_ns"`
	Observed  time.Duration `json:"observed_ns"`
	Onsets    uint32
	Covered   uint32
	Congested uint32
}

func TestVectors(t *testing.T) {
	files, err := filepath.Glob("*.json")
	if err != nil || len(files) < 20 {
		t.Fatalf("%d vectors, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(file, ".json"), func(t *testing.T) {
			v := read(t, file)
			passages, events, windows := v.run(t)
			compare(t, "passage", passages, v.Expect.Passages)
			compare(t, "event", events, v.Expect.Events)
			compare(t, "window", windows, v.Expect.Windows)
		})
	}
}

func read(t *testing.T, file string) (v vector) {
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	d := json.NewDecoder(f)
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return v
}

func (v *vector) run(t *testing.T) (ps []passage, es []event, ws []window) {
	o := v.opts(t)
	var names []string
	for _, l := range o.Lines {
		names = append(names, l.Name)
	}
	trace, err := loop.OpenTrace(v.Trace, names)
	if err != nil {
		t.Fatal(err)
	}
	defer trace.Close()
	c, err := count.New(trace, o)
	if err != nil {
		t.Fatal(err)
	}
	cuts := v.Cuts
	for {
		if len(ws) == len(o.Lanes)*(len(v.Cuts)-len(cuts)) && len(cuts) > 0 {
			c.SetWindowEnd(cuts[0])
			cuts = cuts[1:]
		}
		s, err := c.CountBatch(context.Background())
		for _, p := range s.Passages {
			ps = append(ps, passage{p.Stream, p.Class.String(), p.Dir.String(), p.At, near(p.Speed), near(p.Length)})
		}
		for _, e := range s.Events {
			es = append(es, event{e.Stream, e.Line, e.Fault.String(), e.On, e.At, e.N})
		}
		for i := range s.Windows {
			ws = append(ws, summary(&s.Windows[i], len(o.Lanes[i].Loops)))
		}
		if errors.Is(err, io.EOF) {
			return ps, es, ws
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func (v *vector) opts(t *testing.T) (o count.Opts) {
	index := map[string]int{}
	for i, l := range v.Lines {
		index[l.Name] = i
		o.Lines = append(o.Lines, count.Line{Name: l.Name, Card: map[string]count.Card{"presence": count.Presence, "pulse": count.Pulse}[l.Card]})
	}
	indexes := func(names []string) (is []int) {
		for _, n := range names {
			is = append(is, index[n])
		}
		return is
	}
	for _, l := range v.Lanes {
		lane := count.Lane{
			Stream: l.Stream, Loops: indexes(l.Loops), Relays: indexes(l.Relays), Reverse: l.Reverse,
			Spacing: l.Spacing, LoopLength: l.LoopLength, MeanLength: l.MeanLength, Split: l.Split,
		}
		var bounds []float64
		if json.Unmarshal(l.Lengths, &bounds) == nil && bounds != nil {
			var err error
			if lane.LengthBins, err = counting.NewLengthBins(bounds, nil); err != nil {
				t.Fatal(err)
			}
		} else if string(l.Lengths) == `"tls"` {
			lane.LengthBins = counting.TLSLengths()
		}
		o.Lanes = append(o.Lanes, lane)
	}
	o.Limits = v.Limits.limits(t)
	if v.Wall != "" {
		start, err := time.Parse("2006-01-02T15:04:05", v.Wall)
		if err != nil {
			t.Fatal(err)
		}
		o.Wall = func(at time.Duration) time.Time { return start.Add(at) }
	}
	return o
}

func (l limits) limits(t *testing.T) count.Limits {
	seconds := func(s float64) time.Duration { return time.Duration(s * 1e9) }
	c := count.Limits{
		Settle: seconds(l.Settle / 1e3), MinOn: seconds(l.MinOn / 1e3), StuckOn: seconds(l.Stuck),
		Pair: l.Pair, PairClear: l.PairClear, Chatter: l.Chatter, Drift: l.Drift, Calm: seconds(l.Calm),
		Alert: l.Alert, Daily: l.Daily, ZeroShare: l.ZeroShare, LetGo: seconds(l.LetGo / 1e3), Card: l.Card,
	}
	var hours []float64
	if err := json.Unmarshal(l.Silent, &hours); err != nil {
		var all float64
		if err := json.Unmarshal(l.Silent, &all); err != nil {
			t.Fatal(err)
		}
		hours = slices.Repeat([]float64{all}, 24)
	}
	for h := range c.Silent {
		c.Silent[h] = seconds(hours[h])
	}
	return c
}

func summary(w *count.Window, loops int) window {
	s := window{
		Stream: w.Stream, Start: w.Start, End: w.End, Observed: w.Observed, Quality: w.Quality.String(), Reason: w.Reason.String(),
		Flow: w.Flow(), Counts: map[string]uint32{}, Headways: slices.Clone(w.Headways[:]), Gaps: slices.Clone(w.Gaps[:]), Speeds: slices.Clone(w.Speeds[:]),
		Lengths: slices.Clone(w.Lengths[:w.LengthBins.Len()]), LPU: w.LinkProfile(), Slow: w.Slow, Stood: w.Stood,
		Lone: w.Lone, Doubtful: w.Doubtful, Missed: w.Missed, Short: w.Short, Unsized: w.Unsized,
	}
	tr := w.ToTally().Traffic
	s.Traffic = traffic{tr.Covered, tr.CoveredOver, tr.Congested, tr.SpeedSum, tr.SpeedCount}
	for c := range w.Passages {
		for d, n := range w.Passages[c] {
			if n > 0 {
				s.Counts[fmt.Sprint(counting.Class(c), " ", counting.Direction(d))] = n
			}
		}
	}
	if o, ok := w.Occupancy(); ok {
		o = near(o)
		s.Occupancy = &o
	}
	for _, p := range w.Loops[:loops] {
		s.Loops = append(s.Loops, part{p.On, p.Observed, p.Onsets, p.Covered, p.Congested})
	}
	return s
}

// near rounds to nine digits: two implementations may add in another order.
func near(v float64) float64 {
	if v == 0 {
		return 0
	}
	scale := math.Pow(10, 8-math.Floor(math.Log10(math.Abs(v))))
	return math.Round(v*scale) / scale
}

// compare wants got to be the same list as JSON, number for number.
func compare[T any](t *testing.T, what string, got, want []T) {
	t.Helper()
	text := func(v any) string {
		raw, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		var loose any
		if err := json.Unmarshal(raw, &loose); err != nil {
			t.Fatal(err)
		}
		raw, _ = json.Marshal(round(loose))
		return string(raw)
	}
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(got):
			t.Errorf("%s %d is missing: %s", what, i, text(want[i]))
		case i >= len(want):
			t.Errorf("%s %d is too much: %s", what, i, text(got[i]))
		case text(got[i]) != text(want[i]):
			t.Errorf("%s %d:\n got %s\nwant %s", what, i, text(got[i]), text(want[i]))
		}
	}
}

func round(v any) any {
	switch v := v.(type) {
	case float64:
		return near(v)
	case []any:
		for i := range v {
			v[i] = round(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = round(v[k])
		}
	}
	return v
}
