package main

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"kerb/agent/clock"
	"kerb/agent/policy"
	"kerb/agent/store"
	"kerb/counting"
)

// A counter is a sensor as its windows see it: a camera, or the loops.
type counter interface {
	// streams are what it counts, in the order of site.toml.
	streams() []counting.Stream
	// run counts until the context ends, and survives what it counts with.
	run(ctx context.Context)
	// lose says that nothing is seen from now on, and why.
	lose(reason string)
	// end closes the open window of every stream at a monotonic time and opens
	// the next. A whole window is as long as whole says.
	end(mono time.Duration, start, end time.Time, whole time.Duration) []counting.Tally
}

// windows ends the windows of all sensors of one process together and hands
// them to the accountant.
type windows struct {
	sensors []counter
	policy  *policy.Policy
	store   *store.Store
	stored  func() // tells the uplink that there is something new
	clock   clock.Clock
	book    *book // nil in a demonstration
	log     *slog.Logger
	pairs   []compared

	believed *atomic.Bool // see accountant
}

// run cuts time into the policy's windows until the context ends; the open
// window is then stored as far as it came.
func (w *windows) run(ctx context.Context) error {
	begun := w.clock.Read()
	a := w.accountant()
	a.begun = begun.Mono
	return cut(ctx, w.clock, begun, w.policy.Window(), func(ended []clock.Window, step *clock.Step, last bool) error {
		if err := a.resume(w.clock.Read()); err != nil {
			return err
		}
		if last {
			for _, s := range w.sensors {
				s.lose("stopped")
			}
		}
		if err := w.end(ended, step); err != nil {
			return err
		}
		w.store.Tend()
		return nil
	})
}

func (w *windows) accountant() *accountant {
	a := &accountant{policy: w.policy, store: w.store, stored: w.stored, pairs: w.pairs, believed: w.believed, log: w.log}
	for _, s := range w.sensors {
		a.streams = append(a.streams, s.streams()...)
	}
	return a
}

// end closes the windows that ended and reports the step that ended them.
func (w *windows) end(ended []clock.Window, step *clock.Step) error {
	if step != nil {
		w.log.Warn("clock stepped", "from", step.From, "to", step.To)
		w.store.Note("clock_step", jump(*step))
		w.book.write("clock_step", jump(*step))
	}
	for _, e := range ended {
		var tallies []counting.Tally
		for _, s := range w.sensors {
			tallies = append(tallies, s.end(e.Mono, e.Start, e.End, w.policy.Window())...)
		}
		if err := w.accountant().enter(tallies, e.Synced); err != nil {
			return err
		}
	}
	return nil
}

// cut reads the clock at least once a second until the context ends, and tells
// end, whenever it did, which windows ended and whether the clock stepped. The
// open window ends with the context: that is the last time.
func cut(ctx context.Context, c clock.Clock, begun clock.Reading, length time.Duration,
	end func(ended []clock.Window, step *clock.Step, last bool) error,
) error {
	windows := clock.NewWindows(length, begun)
	for {
		select {
		case <-time.After(windows.Next()):
		case <-ctx.Done():
			ended, step := windows.Stop(c.Read())
			return end(ended, step, true)
		}
		ended, step := windows.Advance(c.Read())
		if err := end(ended, step, false); err != nil {
			return err
		}
	}
}
