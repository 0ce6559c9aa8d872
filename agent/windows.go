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

// windows ends the windows of all sensors together, clears them and stores
// them in one transaction. It is the only place where a Tally becomes a
// Release.
type windows struct {
	sensors []counter
	policy  *policy.Policy
	store   *store.Store
	stored  func() // tells the uplink that there is something new
	clock   clock.Clock
	book    *book // nil in a demonstration
	log     *slog.Logger
	pairs   []compared
	resumed bool // the time before this start is accounted for
}

// run cuts time into the policy's windows until the context ends; the open
// window is then stored as far as it came.
func (w *windows) run(ctx context.Context) error {
	cut := clock.NewWindows(w.policy.Window(), w.clock.Read())
	for ctx.Err() == nil {
		select {
		case <-time.After(cut.Next()):
		case <-ctx.Done():
		}
		r := w.clock.Read()
		if err := w.resume(r); err != nil {
			return err
		}
		ended, step := cut.Advance(r)
		if err := w.end(ended, step); err != nil {
			return err
		}
		w.store.Tend()
	}
	for _, s := range w.sensors {
		s.lose("stopped")
	}
	return w.end(cut.Stop(w.clock.Read()))
}

// end closes the windows that ended and reports the step that ended them.
func (w *windows) end(ended []clock.Window, step *clock.Step) error {
	if step != nil {
		w.log.Warn("clock stepped", "from", step.From, "to", step.To)
		data := map[string]any{"from": step.From, "to": step.To, "synced": step.Synced, "mono_ms": step.Mono.Milliseconds()}
		w.store.Note("clock_step", data)
		w.book.write("clock_step", data)
	}
	for _, e := range ended {
		var tallies []counting.Tally
		for _, s := range w.sensors {
			tallies = append(tallies, s.end(e.Mono, e.Start, e.End, w.policy.Window())...)
		}
		if err := w.release(tallies); err != nil {
			return err
		}
	}
	return nil
}

// release clears what belongs together and stores it. A fault of the store is
// its own affair and does not stop the counting.
func (w *windows) release(tallies []counting.Tally) error {
	var cleared []policy.Release
	for _, t := range tallies {
		r, err := w.policy.Clear(t)
		if err != nil {
			return err
		}
		cleared = append(cleared, r)
	}
	if len(cleared) == 0 {
		return nil
	}
	if _, err := w.store.Append(cleared); err != nil {
		return err
	}
	for _, p := range w.pairs {
		p.window(cleared, w.store, w.log)
	}
	w.stored()
	return nil
}

// resume accounts for the time in which nothing ran: every stream gets a gap
// for each window between its last one and now. It waits for a clock that can
// be believed, because only such a clock knows how long that was.
func (w *windows) resume(r clock.Reading) error {
	if w.resumed || !r.Synced {
		return nil
	}
	w.resumed = true
	last := map[string]time.Time{}
	err := w.store.Each(func(i store.Item) error {
		if end := i.Release.End(); i.Synced && end.After(last[i.Release.Stream()]) {
			last[i.Release.Stream()] = end
		}
		return nil
	})
	if err != nil {
		w.log.Warn("the spool does not tell when counting stopped", "err", err)
		return nil
	}
	length := w.policy.Window()
	now := r.Wall.Truncate(length)
	// What is older than the retention would not be kept anyway.
	for start := now.Add(-w.policy.Retention()).Truncate(length); start.Before(now); start = start.Add(length) {
		if err := w.release(w.gaps(last, start, r.Mono)); err != nil {
			return err
		}
	}
	return nil
}

// gaps are the windows that begin at start and have not been stored.
func (w *windows) gaps(last map[string]time.Time, start time.Time, mono time.Duration) (gaps []counting.Tally) {
	for _, s := range w.sensors {
		for _, st := range s.streams() {
			if end, known := last[st.ID]; known && !start.Before(end) {
				t := counting.Tally{
					Stream: st.ID, Kind: st.Kind, Start: start, End: start.Add(w.policy.Window()),
					Mono: mono, Quality: counting.Gap, Reason: "down",
				}
				for _, c := range st.Classes {
					t.Counted[c] = true
				}
				gaps = append(gaps, t)
			}
		}
	}
	return gaps
}
