package main

import (
	"log/slog"
	"time"

	"kerb/agent/clock"
	"kerb/agent/policy"
	"kerb/agent/store"
	"kerb/counting"
)

// A ledger clears the tallies of a window and stores them in one transaction.
// It is the only place where a Tally becomes a Release.
type ledger struct {
	policy  *policy.Policy
	store   *store.Store
	stored  func() // tells the uplink that there is something new
	streams []counting.Stream
	log     *slog.Logger

	begun   time.Duration // monotonic time at which the counting began
	resumed bool          // the time before that is accounted for
}

// enter clears what belongs together and stores it. A fault of the store is
// its own affair and does not stop the counting.
func (l *ledger) enter(tallies []counting.Tally) error {
	var cleared []policy.Release
	for _, t := range tallies {
		r, err := l.policy.Clear(t)
		if err != nil {
			return err
		}
		cleared = append(cleared, r)
	}
	if len(cleared) == 0 {
		return nil
	}
	if _, err := l.store.Append(cleared); err != nil {
		return err
	}
	l.stored()
	return nil
}

// stepped notes a jump of the wall clock.
func (l *ledger) stepped(s clock.Step) {
	l.log.Warn("clock stepped", "from", s.From, "to", s.To)
	l.store.Note("clock_step", map[string]any{
		"from": s.From, "to": s.To, "synced": s.Synced, "mono_ms": s.Mono.Milliseconds(),
	})
}

// resume accounts for the time in which nothing ran: every stream gets a gap
// for each window between its last one and the beginning of the counting. It
// waits for a clock that can be believed, because only such a clock knows how
// long that was.
func (l *ledger) resume(r clock.Reading) error {
	if l.resumed || !r.Synced {
		return nil
	}
	l.resumed = true
	last := map[string]time.Time{}
	err := l.store.Each(func(i store.Item) error {
		if end := i.Release.End(); i.Synced && end.After(last[i.Release.Stream()]) {
			last[i.Release.Stream()] = end
		}
		return nil
	})
	if err != nil {
		l.log.Warn("the spool does not tell when counting stopped", "err", err)
		return nil
	}
	length := l.policy.Window()
	begun := r.Wall.Add(l.begun - r.Mono).Truncate(length)
	// What is older than the retention would not be kept anyway.
	for start := begun.Add(-l.policy.Retention()).Truncate(length); start.Before(begun); start = start.Add(length) {
		if err := l.enter(l.gaps(last, start, l.begun)); err != nil {
			return err
		}
	}
	return nil
}

// gaps are the windows that begin at start and have not been stored.
func (l *ledger) gaps(last map[string]time.Time, start time.Time, mono time.Duration) (gaps []counting.Tally) {
	for _, st := range l.streams {
		if end, known := last[st.ID]; known && !start.Before(end) {
			gaps = append(gaps, gap(st, start, start.Add(l.policy.Window()), mono, "down"))
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
