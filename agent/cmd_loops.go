package main

import (
	"context"
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

// loopsCmd is kerb loops: a table of the loops' inputs for an engineer at the
// detector cards. It shows single vehicles, which no policy clears, so it stores and
// sends no number, and writes a file only for -record.
type loopsCmd struct {
	Site   string        `help:"The engineer's file." default:"/etc/kerb/site.toml" placeholder:"F"`
	For    time.Duration `help:"How long; until stopped if not given."`
	Record string        `help:"Write every edge to this file, for kerb replay." placeholder:"TRACE.csv"`
	JSON   bool          `help:"One JSON object a second."`
}

// Help is the long help: the keys of -json.
func (c *loopsCmd) Help() string {
	return `With -json, each object has the key lines: an object for each line of site.toml.
  line           its name
  stream         the id of its lane; absent without one
  relay          whether it is a fault relay
  known          whether its level has been seen
  on             whether it is covered; of a relay, whether it has fallen
  onsets         how often it became covered since the start
  last_on_s      the last on-time, in seconds; absent before the first
  speed_m_per_s  of the lane's last vehicle that has a speed; absent before
  passages       passages of the lane since the start
  faults         the words of its present faults, worst first
  presence       16 quarters of a second, oldest first: 1 covered, 0 free`
}

// Run counts the loops and shows their state once a second until ctx ends.
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
	edges, closeRecord, err := c.recordEdges(src, site.Loops)
	if err != nil {
		return err
	}
	o := source.LoopOpts(site.Loops, nil)
	o.Totals = true
	counter, err := loop.New(edges, o)
	if err != nil {
		return err
	}
	return errors.Join(c.showStates(ctx, t, counter), closeRecord())
}

// longestRecord bounds -record, because its file is the only one of kerb's with
// numbers that no policy has cleared. An hour is enough for a count by hand beside
// the device; chosen by hand.
const longestRecord = time.Hour

// recordEdges returns src, or with -record a source that also writes each edge of
// src to the file, and a function that closes the file. An existing file is refused.
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

// showStates prints the states of all lines once a second. On a terminal each table
// overwrites the one before. New and ended faults go to standard error at once.
func (c *loopsCmd) showStates(ctx context.Context, t terminal.Terminal, counter *loop.Counter) error {
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
			if err := loop.WriteLineJSON(t.Out, lines); err != nil {
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
