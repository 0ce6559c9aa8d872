package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"kerb/agent/config"
	"kerb/counting"
	"kerb/counting/loop"
	loopdriver "kerb/drivers/loop"
)

// cabinet is `kerb loops`: what an engineer in front of the detector cards
// wants to see. What single vehicles do stays on this terminal.
type cabinet struct {
	Site   string        `help:"The engineer's file." default:"/etc/kerb/site.toml" placeholder:"F"`
	For    time.Duration `help:"How long; until stopped if not given."`
	Record string        `help:"Write every edge to this file, for kerb replay." placeholder:"TRACE.csv"`
	JSON   bool          `help:"One JSON object a second."`
}

func (c *cabinet) Run(ctx context.Context, t terminal) error {
	site, err := config.Load(c.Site)
	if err != nil {
		return err
	}
	if len(site.Loops.Lanes) == 0 {
		return usageError(c.Site + " has no [loop]: nothing to show")
	}
	if c.Record != "" && (c.For <= 0 || c.For > longestRecord) {
		return usageError(fmt.Sprintf("-record holds every single vehicle: give -for, at most %s, and delete the file when it has served", longestRecord))
	}
	if c.For > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.For)
		defer cancel()
	}
	src, err := openLoops(site.Loops)
	if err != nil {
		return fmt.Errorf("open the loops: %w", err)
	}
	defer src.Close()
	edges, done, err := c.recorded(src, site.Loops)
	if err != nil {
		return err
	}
	counter, err := loop.New(edges, loopOpts(site.Loops, nil))
	if err != nil {
		return err
	}
	return errors.Join(c.watch(ctx, t, counter), done())
}

// longestRecord bounds the only file of kerb's that holds what is not cleared.
// It is made by hand, on the device, for as long as somebody stands there.
const longestRecord = time.Hour

// recorded writes the edges down on their way, if that is asked for.
func (c *cabinet) recorded(src loop.Source, conf config.Loops) (loop.Source, func() error, error) {
	if c.Record == "" {
		return src, func() error { return nil }, nil
	}
	f, err := os.OpenFile(c.Record, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, nil, fmt.Errorf("record: %w", err)
	}
	var names []string
	for _, l := range conf.Lines {
		names = append(names, l.Name)
	}
	r, err := loopdriver.NewRecorder(src, f, names)
	if err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	return r, func() error { return errors.Join(r.Close(), f.Close()) }, nil
}

// watch shows the lines once a second, on a terminal in one place.
func (c *cabinet) watch(ctx context.Context, t terminal, counter *loop.Counter) error {
	var lines []loop.LineState
	rows := 0
	var shown time.Time
	for {
		step, err := counter.Step(ctx)
		for _, e := range step.Events {
			fmt.Fprintf(t.err, "kerb: %s: %s: %s, begins: %v\n", e.Stream, e.Line, e.Fault, e.On)
			rows = 0
		}
		if ctx.Err() != nil || errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if time.Since(shown) < time.Second {
			continue
		}
		shown = time.Now()
		lines = counter.Lines(lines[:0])
		if c.JSON {
			if err := json.NewEncoder(t.out).Encode(lines); err != nil {
				return err
			}
			continue
		}
		if rows > 0 && isTerminal(t.out) {
			fmt.Fprintf(t.out, "\x1b[%dA\x1b[J", rows)
		}
		if err := loop.WriteTable(t.out, lines); err != nil {
			return err
		}
		rows = len(lines) + 1
	}
}

// traceResult is what `kerb replay -json` prints for a recording of edges.
type traceResult struct {
	Trace   string      `json:"trace"`
	Seconds float64     `json:"seconds"`
	Lanes   []traceLane `json:"lanes"`
	Events  []string    `json:"events"`
}

type traceLane struct {
	ID        string                    `json:"id"`
	Counts    map[string]map[string]int `json:"counts"`
	Observed  float64                   `json:"observed_s"`
	Occupancy *float64                  `json:"occupancy,omitempty"`
	Quality   string                    `json:"quality"`
	Reason    string                    `json:"reason,omitempty"`
	Missed    uint32                    `json:"missed_edges"`
}

// trace counts a recording of edges. Without a site file every line of it is a
// lane of its own.
func (r *replay) trace(ctx context.Context, path string, t terminal) error {
	conf, err := r.traceLoops(path)
	if err != nil {
		return err
	}
	var names []string
	for _, l := range conf.Lines {
		names = append(names, l.Name)
	}
	src, err := loopdriver.OpenTrace(path, names)
	if err != nil {
		return err
	}
	defer src.Close()
	counter, err := loop.New(src, loopOpts(conf, nil))
	if err != nil {
		return err
	}
	res := traceResult{Trace: path, Events: []string{}}
	for {
		step, err := counter.Step(ctx)
		for _, e := range step.Events {
			res.Events = append(res.Events, fmt.Sprintf("%.3f s: %s: %s: %s, begins: %v", e.At.Seconds(), e.Stream, e.Line, e.Fault, e.On))
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
	}
	for _, w := range counter.Cut() {
		res.Seconds = max(res.Seconds, (w.End - w.Start).Seconds())
		res.Lanes = append(res.Lanes, laneOf(&w))
	}
	if r.JSON {
		return json.NewEncoder(t.out).Encode(res)
	}
	return res.print(t.out)
}

func (r *replay) traceLoops(path string) (config.Loops, error) {
	if r.Site != "" {
		site, err := config.Load(r.Site)
		if err != nil {
			return config.Loops{}, err
		}
		if len(site.Loops.Lanes) == 0 {
			return config.Loops{}, usageError(r.Site + " has no [loop]")
		}
		return site.Loops, nil
	}
	names, err := loopdriver.TraceLines(path)
	if err != nil {
		return config.Loops{}, err
	}
	var conf config.Loops
	for _, n := range names {
		conf.Lines = append(conf.Lines, config.LoopLine{Name: n})
		conf.Lanes = append(conf.Lanes, config.LoopLane{ID: n, Loops: []string{n}})
	}
	return conf, nil
}

func laneOf(w *loop.Window) traceLane {
	l := traceLane{
		ID: w.Stream, Counts: map[string]map[string]int{}, Observed: w.Observed.Seconds(),
		Quality: w.Quality.String(), Reason: w.Reason, Missed: w.Missed,
	}
	if o, ok := w.Occupancy(); ok {
		l.Occupancy = &o
	}
	for c, counted := range w.Counted {
		if counted {
			l.Counts[counting.Class(c).String()] = map[string]int{
				"a_to_b": int(w.Passages[c][counting.AToB]), "b_to_a": int(w.Passages[c][counting.BToA]),
			}
		}
	}
	return l
}

func (res *traceResult) print(w io.Writer) error {
	fmt.Fprintf(w, "%s: %.1f s\n", res.Trace, res.Seconds)
	for _, l := range res.Lanes {
		fmt.Fprintf(w, "  %-14s %s %s", l.ID, l.Quality, l.Reason)
		for c := range counting.Class(counting.Classes) {
			if n, counted := l.Counts[c.String()]; counted {
				fmt.Fprintf(w, "  %s %d / %d", c, n["a_to_b"], n["b_to_a"])
			}
		}
		if l.Occupancy != nil {
			fmt.Fprintf(w, "  covered %.1f %%", 100**l.Occupancy)
		}
		fmt.Fprintln(w)
	}
	for _, e := range res.Events {
		fmt.Fprintln(w, " ", e)
	}
	return nil
}
