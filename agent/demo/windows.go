package demo

import (
	"context"
	"log/slog"
	"sync/atomic"

	"kerb/agent/admission"
	"kerb/agent/clock"
	"kerb/agent/policy"
	"kerb/agent/publisher"
	"kerb/agent/sensor"
	"kerb/agent/store"
	"kerb/counting"
)

// A windowLoop closes the windows of all sensors at the same instant and passes
// their tallies to the clearer.
type windowLoop struct {
	sensors    []sensor.Sensor
	policy     *policy.Policy
	store      *store.Store
	wakeUplink func() // tells the uplink that the spool holds new entries
	clock      clock.Clock
	journal    *admission.Journal // nil in kerb demo
	log        *slog.Logger
	pairs      []publisher.Comparison
	onTallies  func([]counting.Tally) // gets the exact counts, for the table of kerb demo; nil: nothing

	synced *atomic.Bool // whether the times of the windows that are stored can be trusted
}

// Run closes a window each time the policy's window length has passed, until ctx
// ends. It then stores the open window as partial, with the reason "stopped".
func (w *windowLoop) Run(ctx context.Context) error {
	start := w.clock.ReadAll()
	a := w.newClearer()
	a.StartMono = start.Mono
	return clock.RunWindows(ctx, w.clock, start, w.policy.Window(), func(ended []clock.Window, step *clock.Step, last bool) error {
		a.RelabelHeld(w.clock.ReadAll())
		if err := a.FillDownGaps(w.clock.ReadAll()); err != nil {
			return err
		}
		if last {
			for _, s := range w.sensors {
				s.MarkLost(counting.ReasonStopped)
			}
		}
		if err := w.endWindows(ended, step); err != nil {
			return err
		}
		w.store.RetryWrites()
		w.store.Expire()
		return nil
	})
}

// newClearer returns a clearer for the streams of the present sensors.
func (w *windowLoop) newClearer() *publisher.Clearer {
	a := &publisher.Clearer{Policy: w.policy, Store: w.store, OnStored: w.wakeUplink, Pairs: w.pairs, Synced: w.synced, Log: w.log}
	for _, s := range w.sensors {
		a.Streams = append(a.Streams, s.Streams()...)
	}
	return a
}

// endWindows clears and stores the windows that ended. If a step of the clock ended
// them, it notes the step as an event and in the journal.
func (w *windowLoop) endWindows(ended []clock.Window, step *clock.Step) error {
	if step != nil {
		w.log.Warn("clock stepped", "from", step.From, "to", step.To)
		w.store.AddNote("clock_step", step.EventData())
		w.journal.WriteEntry("clock_step", step.EventData())
	}
	for _, e := range ended {
		var tallies []counting.Tally
		for _, s := range w.sensors {
			tallies = append(tallies, s.CloseWindow(e.Mono, e.Start, e.End, w.policy.Window())...)
		}
		if w.onTallies != nil {
			w.onTallies(tallies)
		}
		if err := w.newClearer().ClearAndStore(tallies, e.Synced); err != nil {
			return err
		}
	}
	return nil
}
