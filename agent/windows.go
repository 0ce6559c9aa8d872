package main

import (
	"context"
	"log/slog"
	"time"

	"kerb/agent/clock"
	"kerb/agent/policy"
	"kerb/agent/store"
	"kerb/counting"
)

// windows ends the windows of all sensors of one process together and hands
// them to the ledger.
type windows struct {
	sensors []*sensor
	policy  *policy.Policy
	store   *store.Store
	stored  func() // tells the uplink that there is something new
	clock   clock.Clock
	log     *slog.Logger
}

// run cuts time into the policy's windows until the context ends; the open
// window is then stored as far as it came.
func (w *windows) run(ctx context.Context) error {
	begun := w.clock.Read()
	l := &ledger{policy: w.policy, store: w.store, stored: w.stored, log: w.log, begun: begun.Mono}
	for _, s := range w.sensors {
		l.streams = append(l.streams, s.camera.Streams()...)
	}
	return cut(ctx, w.clock, begun, w.policy.Window(), func(ended []clock.Window, step *clock.Step, last bool) error {
		if err := l.resume(w.clock.Read()); err != nil {
			return err
		}
		if step != nil {
			l.stepped(*step)
		}
		for _, e := range ended {
			var tallies []counting.Tally
			for _, s := range w.sensors {
				if last {
					s.tally.Lost("stopped")
				}
				tallies = append(tallies, s.tally.End(e.Mono, e.Start, e.End, w.policy.Window())...)
			}
			if err := l.enter(tallies); err != nil {
				return err
			}
		}
		w.store.Tend()
		return nil
	})
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
