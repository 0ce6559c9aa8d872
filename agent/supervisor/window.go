package supervisor

import (
	"errors"
	"time"

	"kerb/agent/clock"
	"kerb/agent/ipc"
	"kerb/agent/policy"
	"kerb/agent/process"
	"kerb/counting"
)

// collection is one window while its tallies arrive from the sensing processes.
// Its fields are used under the supervisor's lock.
type collection struct {
	n        uint64 // number of the window for the sensing processes: its monotonic end
	window   *ipc.Window
	tallies  []*ipc.Tally   // of all streams of the site; nil: not arrived
	open     map[*slot]bool // slots whose tallies have not all arrived
	complete chan struct{}  // closed when open is empty
}

// answerTimeout is the longest that a sensing process may take to answer with its
// tallies, chosen by hand. One that takes longer is killed.
const answerTimeout = 5 * time.Second

// endWindows collects the windows that ended and queues them for the uplink, after
// a clock step if there was one. clock.RunWindows calls it at least once a second,
// so it feeds the watchdog as well.
func (s *Supervisor) endWindows(ended []clock.Window, step *clock.Step, last bool) error {
	if step != nil {
		s.log.Warn("clock stepped", "from", step.From, "to", step.To)
		s.journal.WriteEntry("clock_step", step.EventData())
		s.queue.pushItem(func(n uint64) []ipc.Record {
			return []ipc.Record{&ipc.Step{
				N: n, From: ipc.ToInstant(step.From), To: ipc.ToInstant(step.To), Mono: step.Mono, Synced: step.Synced,
			}}
		})
	}
	for i, e := range ended {
		s.collectWindow(e, last && i == len(ended)-1)
	}
	s.logChanges()
	s.notify.feedWatchdog(s.statusLine, s.healthWords)
	return nil
}

// collectWindow asks every sensing process for its tallies of a window, clears them
// under the policy and queues the Releases. A stream without a tally gets a gap, and a
// process that does not answer in time is killed. The exact counts end here, at most
// answerTimeout after the window: the queue and the uplink never hold one.
func (s *Supervisor) collectWindow(e clock.Window, last bool) {
	w := &ipc.Window{Start: ipc.ToInstant(e.Start), End: ipc.ToInstant(e.End), Mono: e.Mono, Synced: e.Synced, Streams: uint16(len(s.streams))}
	c := s.newCollection(w)
	question := &ipc.CloseWindow{N: c.n, Start: w.Start, End: w.End, Mono: w.Mono, Last: last}
	for p, child := range s.openCollection(c) {
		if err := child.SendRecords(question); err != nil {
			s.log.Warn("not heard", "process", p.watcher.Name, "err", err)
		}
	}
	select {
	case <-c.complete:
	case <-time.After(answerTimeout):
	}
	s.mu.Lock()
	s.collection = nil
	for p := range c.open {
		s.log.Error("no answer", "process", p.watcher.Name)
		p.process.Kill()
	}
	s.mu.Unlock()
	var cleared []policy.Release
	ipc.WithoutTraces(func() { cleared = s.clearCollection(c) })
	if len(cleared) == len(s.streams) {
		s.queue.pushItem(func(n uint64) []ipc.Record { return s.packWindow(n, c.window, cleared) })
	}
}

// newCollection makes the collection of a window, with no slot open.
func (s *Supervisor) newCollection(w *ipc.Window) *collection {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &collection{
		n: uint64(w.Mono), window: w, tallies: make([]*ipc.Tally, len(s.streams)),
		open: map[*slot]bool{}, complete: make(chan struct{}),
	}
}

// openCollection opens c for the slots whose process runs, and returns these
// processes. From then on their tallies are accepted.
func (s *Supervisor) openCollection(c *collection) map[*slot]*process.Process {
	s.mu.Lock()
	defer s.mu.Unlock()
	asked := map[*slot]*process.Process{}
	for _, p := range s.slots {
		if p.process != nil {
			c.open[p], asked[p] = true, p.process
		}
	}
	s.collection = c
	c.window.N = c.n
	c.closeIfComplete()
	return asked
}

// closeIfComplete closes complete when no slot is open. It is called under the
// supervisor's lock.
func (c *collection) closeIfComplete() {
	select {
	case <-c.complete:
	default:
		if len(c.open) == 0 {
			close(c.complete)
		}
	}
}

// clearCollection clears the tallies of a window, in the order of the streams. A stream
// without a tally, and one whose tally the policy refuses, gets a gap. It returns nil
// where the policy clears not even that, as a window before 1970.
func (s *Supervisor) clearCollection(c *collection) (cleared []policy.Release) {
	for i, stream := range s.streams {
		gap := counting.NewGap(stream, c.window.Start.Time(), c.window.End.Time(), c.window.Mono, counting.ReasonSenseLost)
		tally := gap
		if c.tallies[i] != nil {
			t, err := c.tallies[i].Unpack(stream, c.window)
			if err == nil {
				tally = t
			}
			*c.tallies[i] = ipc.Tally{}
		}
		r, err := s.policy.Clear(tally)
		if err != nil {
			s.log.Error("the policy does not clear a window", "err", err)
			if r, err = s.policy.Clear(gap); err != nil {
				return nil
			}
		}
		cleared = append(cleared, r)
	}
	return cleared
}

// dropTally forgets a tally that arrived, and overwrites it.
func (c *collection) dropTally(i int) {
	if t := c.tallies[i]; t != nil {
		*t = ipc.Tally{}
	}
	c.tallies[i] = nil
}

// packWindow returns a cleared window as item n of the queue.
func (s *Supervisor) packWindow(n uint64, w *ipc.Window, cleared []policy.Release) []ipc.Record {
	w.N = n
	records := []ipc.Record{w}
	for i, r := range cleared {
		stored, err := r.MarshalBinary()
		if err != nil {
			panic(err) // of the zero Release alone, which Clear does not return
		}
		parts, err := ipc.PackRelease(n, i, stored)
		if err != nil {
			panic(err)
		}
		records = append(records, parts...)
	}
	return records
}

// addTally adds one tally. It is an error where none of that stream was asked for
// or it does not fit the stream and the window; the tally is overwritten then. It is
// called under the supervisor's lock.
func (c *collection) addTally(p *slot, t *ipc.Tally) (err error) {
	defer func() {
		if err != nil {
			*t = ipc.Tally{}
		}
	}()
	if c == nil || !c.open[p] || int(t.Stream) >= len(p.streams) || c.tallies[p.firstStream+int(t.Stream)] != nil {
		return errors.New("a tally that was not asked for")
	}
	if _, err := t.Unpack(p.streams[t.Stream], c.window); err != nil {
		return err
	}
	c.tallies[p.firstStream+int(t.Stream)] = t
	for i := range p.streams {
		if c.tallies[p.firstStream+i] == nil {
			return nil
		}
	}
	delete(c.open, p)
	c.closeIfComplete()
	return nil
}
