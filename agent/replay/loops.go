package replay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"kerb/agent/config"
	"kerb/agent/source"
	"kerb/agent/terminal"
	"kerb/counting"
	"kerb/counting/loop"
	loopdriver "kerb/drivers/loop"
)

// traceResult is the object that kerb replay -json prints for a recording of loop
// edges.
type traceResult struct {
	Trace   string      `json:"trace"`
	Seconds float64     `json:"seconds"`
	Lanes   []traceLane `json:"lanes"`
	Events  []string    `json:"events"`
}

// traceLane is the result of one lane over the whole recording. Counts is by class and
// direction; Occupancy is a fraction, absent where the card gives pulses only.
type traceLane struct {
	ID        string                    `json:"id"`
	Counts    map[string]map[string]int `json:"counts"`
	Observed  float64                   `json:"observed_s"`
	Occupancy *float64                  `json:"occupancy,omitempty"`
	Quality   string                    `json:"quality"`
	Reason    string                    `json:"reason,omitempty"`
	Missed    uint32                    `json:"missed_edges"`
}

// replayTrace counts a recording of loop edges, a CSV file of kerb loops -record.
func (r *Command) replayTrace(ctx context.Context, path string, t terminal.Terminal) error {
	conf, err := r.traceLayout(path)
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
	counter, err := loop.New(src, source.LoopOpts(conf, nil))
	if err != nil {
		return err
	}
	res := traceResult{Trace: path, Events: []string{}}
	for {
		step, err := counter.CountBatch(ctx)
		for _, e := range step.Events {
			text := fmt.Sprintf("%.3f s: %s: %s: %s, begins: %v", e.At.Seconds(), e.Stream, e.Line, e.Fault, e.On)
			if e.Fault == loop.CardMode && e.On {
				text += ": " + loop.CardFinding(e.N).Advice()
			}
			res.Events = append(res.Events, text)
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
	}
	for _, w := range counter.CloseWindows() {
		res.Seconds = max(res.Seconds, (w.End - w.Start).Seconds())
		res.Lanes = append(res.Lanes, describeLane(&w))
	}
	if r.JSON {
		return json.NewEncoder(t.Out).Encode(res)
	}
	return res.printText(t.Out)
}

// traceLayout returns the loops of the -site file; without one, each line of the
// recording becomes a lane with one loop.
func (r *Command) traceLayout(path string) (config.Loops, error) {
	if r.Site != "" {
		site, err := config.Load(r.Site)
		if err != nil {
			return config.Loops{}, err
		}
		if len(site.Loops.Lanes) == 0 {
			return config.Loops{}, terminal.UsageError(r.Site + " has no [loop]")
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

// describeLane returns the counts of one window as JSON has them.
func describeLane(w *loop.Window) traceLane {
	l := traceLane{
		ID: w.Stream, Counts: map[string]map[string]int{}, Observed: w.Observed.Seconds(),
		Quality: w.Quality.String(), Reason: w.Reason.String(), Missed: w.Missed,
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

// printText prints a row for each lane and each fault.
func (res *traceResult) printText(w io.Writer) error {
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
