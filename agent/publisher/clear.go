package publisher

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
type Clearer struct {
	Policy  *policy.Policy
	Store   *store.Store
	Stored  func() // tells the uplink that there is something new
	Streams []counting.Stream
	Pairs   []Comparison
	Log     *slog.Logger

	Believed *atomic.Bool  // whether the labels of what is entered can be believed
	Begun    time.Duration // monotonic time at which the counting began
	resumed  bool          // the time before that is accounted for
}

// enter clears what belongs together and stores it, and with it whether its
// labels can be believed. A fault of the store is its own affair and does not
// stop the counting.
func (a *Clearer) ClearAndStore(tallies []counting.Tally, synced bool) error {
	if a.Believed != nil {
		a.Believed.Store(synced)
	}
	var cleared []policy.Release
	for _, t := range tallies {
		r, err := a.Policy.Clear(t)
		if err != nil {
			return err
		}
		cleared = append(cleared, r)
	}
	if len(cleared) == 0 {
		return nil
	}
	if _, err := a.Store.Append(cleared); err != nil {
		return err
	}
	for _, p := range a.Pairs {
		p.noteWindow(cleared, a.Store, a.Log)
	}
	a.Stored()
	return nil
}

// resume accounts for the time in which nothing ran: every stream gets a gap
// for each window between its last one and the beginning of the counting. It
// waits for a clock that can be believed, because only such a clock knows how
// long that was.
func (a *Clearer) FillDownGaps(r clock.Reading) error {
	if a.resumed || !r.Synced {
		return nil
	}
	a.resumed = true
	last := map[string]time.Time{}
	err := a.Store.EachWindow(func(i store.Item) error {
		if end := i.Release.EndTime(); i.Synced && end.After(last[i.Release.Stream()]) {
			last[i.Release.Stream()] = end
		}
		return nil
	})
	if err != nil {
		a.Log.Warn("the spool does not tell when counting stopped", "err", err)
		return nil
	}
	length := a.Policy.Window()
	begun := r.Wall.Add(a.Begun - r.Mono).Truncate(length)
	// What is older than the retention would not be kept anyway.
	var gaps []counting.Tally
	for start := begun.Add(-a.Policy.Retention()).Truncate(length); start.Before(begun); start = start.Add(length) {
		if gaps = append(gaps, a.downGaps(last, start, a.Begun)...); len(gaps) >= gapBatch {
			if err := a.ClearAndStore(gaps, true); err != nil {
				return err
			}
			gaps = nil
		}
	}
	return a.ClearAndStore(gaps, true)
}

// gapBatch is how many gaps go into one transaction: a week of minutes must not
// cost a card ten thousand of them, nor the open window its end.
const gapBatch = 512

// downGaps are the windows that begin at start and have not been stored.
func (a *Clearer) downGaps(last map[string]time.Time, start time.Time, mono time.Duration) (gaps []counting.Tally) {
	for _, st := range a.Streams {
		if end, known := last[st.ID]; known && !start.Before(end) {
			gaps = append(gaps, counting.NewGap(st, start, start.Add(a.Policy.Window()), mono, counting.ReasonDown))
		}
	}
	return gaps
}
