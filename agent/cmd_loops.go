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
	"kerb/agent/source"
	"kerb/agent/terminal"
	"kerb/counting/loop"
	loopdriver "kerb/drivers/loop"
)

// cabinet is `kerb loops`: what an engineer in front of the detector cards
// wants to see. What single vehicles do stays on this terminal.
type loopsCmd struct {
	Site   string        `help:"The engineer's file." default:"/etc/kerb/site.toml" placeholder:"F"`
	For    time.Duration `help:"How long; until stopped if not given."`
	Record string        `help:"Write every edge to this file, for kerb replay." placeholder:"TRACE.csv"`
	JSON   bool          `help:"One JSON object a second."`
}

func (c *loopsCmd) Run(ctx context.Context, t terminal.Terminal) error {
	site, err := config.Load(c.Site)
	if err != nil {
		return err
	}
	if len(site.Loops.Lanes) == 0 {
		return terminal.UsageError(c.Site + " has no [loop]: nothing to show")
	}
	if c.Record != "" && (c.For <= 0 || c.For > longestRecord) {
		return terminal.UsageError(fmt.Sprintf("-record holds every single vehicle: give -for, at most %s, and delete the file when it has served", longestRecord))
	}
	if c.For > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.For)
		defer cancel()
	}
	src, err := source.OpenLoops(site.Loops)
	if err != nil {
		return fmt.Errorf("open the loops: %w", err)
	}
	defer src.Close()
	edges, done, err := c.recordEdges(src, site.Loops)
	if err != nil {
		return err
	}
	counter, err := loop.New(edges, source.LoopOpts(site.Loops, nil))
	if err != nil {
		return err
	}
	return errors.Join(c.showTable(ctx, t, counter), done())
}

// longestRecord bounds the only file of kerb's that holds what is not cleared.
// It is made by hand, on the device, for as long as somebody stands there.
const longestRecord = time.Hour

// recordEdges writes the edges down on their way, if that is asked for.
func (c *loopsCmd) recordEdges(src loop.Source, conf config.Loops) (loop.Source, func() error, error) {
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

// showTable shows the lines once a second, on a terminal in one place.
func (c *loopsCmd) showTable(ctx context.Context, t terminal.Terminal, counter *loop.Counter) error {
	var lines []loop.LineState
	rows := 0
	var shown time.Time
	for {
		step, err := counter.CountBatch(ctx)
		for _, e := range step.Events {
			fmt.Fprintf(t.Err, "kerb: %s: %s: %s, begins: %v\n", e.Stream, e.Line, e.Fault, e.On)
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
		lines = counter.AppendLineStates(lines[:0])
		if c.JSON {
			if err := json.NewEncoder(t.Out).Encode(lines); err != nil {
				return err
			}
			continue
		}
		if rows > 0 && terminal.IsTerminal(t.Out) {
			fmt.Fprintf(t.Out, "\x1b[%dA\x1b[J", rows)
		}
		if err := loop.WriteLineTable(t.Out, lines); err != nil {
			return err
		}
		rows = len(lines) + 1
	}
}
