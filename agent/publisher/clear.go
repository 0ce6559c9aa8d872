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

// Clearer stores the Releases of a window in one transaction. In kerb run the supervisor
// has cleared them; here the gaps before the start are cleared, and in kerb demo, which
// is one process, everything is. Its methods are for one goroutine.
type Clearer struct {
	Policy   *policy.Policy
	Store    *store.Store
	OnStored func()            // called when there is something new to send, to wake the uplink
	Streams  []counting.Stream // that get gaps; of all sensors, in their order
	Pairs    []Comparison      // get every window that is stored
	Log      *slog.Logger

	Synced    *atomic.Bool  // set to whether the clock was synced for the windows that are stored next; may be nil
	StartMono time.Duration // monotonic time at which the counting began
	filled    bool          // FillDownGaps has stored the gaps before Begun
}

// ClearAndStore clears tallies that belong to one window, or are gaps, and
// stores the Releases in one transaction. synced reports whether their wall-clock
// labels can be trusted. A policy that cannot clear a tally and a store that
// refuses the Releases are errors; a failing disk is not, since the store then
// keeps the windows in memory.
func (c *Clearer) ClearAndStore(tallies []counting.Tally, synced bool) error {
	var cleared []policy.Release
	for _, t := range tallies {
		r, err := c.Policy.Clear(t)
		if err != nil {
			return err
		}
		cleared = append(cleared, r)
	}
	return c.StoreReleases(cleared, synced)
}

// StoreReleases stores the Releases of one window, or gaps, in one transaction. The
// arguments and errors are those of ClearAndStore.
func (c *Clearer) StoreReleases(cleared []policy.Release, synced bool) error {
	if c.Synced != nil {
		c.Synced.Store(synced)
	}
	if len(cleared) == 0 {
		return nil
	}
	if _, err := c.Store.Append(cleared); err != nil {
		return err
	}
	for _, p := range c.Pairs {
		p.addWindow(cleared, c.Store, c.Log)
	}
	c.OnStored()
	return nil
}

// RelabelHeld gives the windows that were counted before the clock could be trusted
// their true labels, once it can be. While r is not synced it only returns. A disk
// that fails is logged.
func (c *Clearer) RelabelHeld(r clock.Reading) {
	if !r.Synced {
		return
	}
	n, err := c.Store.Relabel(r.Wall, r.Mono)
	if err != nil {
		c.Log.Warn("windows keep the labels of the wrong clock", "err", err)
	}
	if n > 0 {
		c.Log.Info("the clock is trusted now: windows of before have their true labels", "windows", n)
		c.OnStored()
	}
}

// FillDownGaps stores, once, a gap for every stream and window between the last
// stored window and the beginning of the counting, with the reason "down". It
// goes back no further than the retention, after which a gap would be deleted
// anyway.
//
// While r is not synced it only returns: without a synced clock the length of
// the time is unknown. The caller calls it again with each window. A spool that
// cannot be read is logged and gets no gaps; other errors are those of
// ClearAndStore.
func (c *Clearer) FillDownGaps(r clock.Reading) error {
	if c.filled || !r.Synced {
		return nil
	}
	c.filled = true
	last, boot := map[string]time.Time{}, clock.BootID()
	err := c.Store.EachWindow(func(i store.Item) error {
		if i.Relabelled && i.Boot == boot {
			return nil // of this counting: the time before it is asked for
		}
		if end := i.Release.EndTime(); i.Synced && end.After(last[i.Release.Stream()]) {
			last[i.Release.Stream()] = end
		}
		return nil
	})
	if err != nil {
		c.Log.Warn("the spool does not tell when counting stopped", "err", err)
		return nil
	}
	length := c.Policy.Window()
	begun := r.Wall.Add(c.StartMono - r.Mono).Truncate(length)
	var gaps []counting.Tally
	for start := begun.Add(-c.Policy.Retention()).Truncate(length); start.Before(begun); start = start.Add(length) {
		if gaps = append(gaps, c.downGaps(last, start, c.StartMono)...); len(gaps) >= gapBatch {
			if err := c.ClearAndStore(gaps, true); err != nil {
				return err
			}
			gaps = nil
		}
	}
	return c.ClearAndStore(gaps, true)
}

// gapBatch is the number of gaps in one transaction. With one transaction for
// each window, a week of one-minute windows would cost an SD card ten thousand
// synced writes and delay the end of the open window. Chosen by hand.
const gapBatch = 512

// downGaps returns a gap for each stream whose last stored window ended at start
// or before. Streams without a stored window get none.
func (c *Clearer) downGaps(last map[string]time.Time, start time.Time, mono time.Duration) (gaps []counting.Tally) {
	for _, st := range c.Streams {
		if end, known := last[st.ID]; known && !start.Before(end) {
			gaps = append(gaps, counting.NewGap(st, start, start.Add(c.Policy.Window()), mono, counting.ReasonDown))
		}
	}
	return gaps
}
