package main

import (
	"log/slog"
	"sync/atomic"
	"time"

	"kerb/agent/clock"
	"kerb/agent/policy"
	"kerb/agent/store"
	"kerb/counting"
)

// An accountant clears the tallies of a window and stores them in one transaction.
// It is the only place where a Tally becomes a Release.
type accountant struct {
	policy  *policy.Policy
	store   *store.Store
	stored  func() // tells the uplink that there is something new
	streams []counting.Stream
	pairs   []compared
	log     *slog.Logger

	believed *atomic.Bool  // whether the labels of what is entered can be believed
	begun    time.Duration // monotonic time at which the counting began
	resumed  bool          // the time before that is accounted for
}

// enter clears what belongs together and stores it, and with it whether its
// labels can be believed. A fault of the store is its own affair and does not
// stop the counting.
func (a *accountant) enter(tallies []counting.Tally, synced bool) error {
	if a.believed != nil {
		a.believed.Store(synced)
	}
	var cleared []policy.Release
	for _, t := range tallies {
		r, err := a.policy.Clear(t)
		if err != nil {
			return err
		}
		cleared = append(cleared, r)
	}
	if len(cleared) == 0 {
		return nil
	}
	if _, err := a.store.Append(cleared); err != nil {
		return err
	}
	for _, p := range a.pairs {
		p.window(cleared, a.store, a.log)
	}
	a.stored()
	return nil
}

// jump is what an event says of a step of the wall clock.
func jump(s clock.Step) map[string]any {
	return map[string]any{"from": s.From, "to": s.To, "synced": s.Synced, "mono_ms": s.Mono.Milliseconds()}
}

// resume accounts for the time in which nothing ran: every stream gets a gap
// for each window between its last one and the beginning of the counting. It
// waits for a clock that can be believed, because only such a clock knows how
// long that was.
func (a *accountant) resume(r clock.Reading) error {
	if a.resumed || !r.Synced {
		return nil
	}
	a.resumed = true
	last := map[string]time.Time{}
	err := a.store.Each(func(i store.Item) error {
		if end := i.Release.End(); i.Synced && end.After(last[i.Release.Stream()]) {
			last[i.Release.Stream()] = end
		}
		return nil
	})
	if err != nil {
		a.log.Warn("the spool does not tell when counting stopped", "err", err)
		return nil
	}
	length := a.policy.Window()
	begun := r.Wall.Add(a.begun - r.Mono).Truncate(length)
	// What is older than the retention would not be kept anyway.
	var gaps []counting.Tally
	for start := begun.Add(-a.policy.Retention()).Truncate(length); start.Before(begun); start = start.Add(length) {
		if gaps = append(gaps, a.gaps(last, start, a.begun)...); len(gaps) >= gapBatch {
			if err := a.enter(gaps, true); err != nil {
				return err
			}
			gaps = nil
		}
	}
	return a.enter(gaps, true)
}

// gapBatch is how many gaps go into one transaction: a week of minutes must not
// cost a card ten thousand of them, nor the open window its end.
const gapBatch = 512

// gaps are the windows that begin at start and have not been stored.
func (a *accountant) gaps(last map[string]time.Time, start time.Time, mono time.Duration) (gaps []counting.Tally) {
	for _, st := range a.streams {
		if end, known := last[st.ID]; known && !start.Before(end) {
			gaps = append(gaps, gap(st, start, start.Add(a.policy.Window()), mono, "down"))
		}
	}
	return gaps
}

// gap is a window in which nobody looked.
func gap(st counting.Stream, start, end time.Time, mono time.Duration, why string) counting.Tally {
	t := counting.Tally{
		Stream: st.ID, Kind: st.Kind, Start: start, End: end, Mono: mono, Quality: counting.Gap, Reason: why,
	}
	for _, c := range st.Classes {
		t.Counted[c] = true
	}
	return t
}
