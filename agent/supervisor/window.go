package supervisor

import (
	"errors"
	"time"

	"kerb/agent/clock"
	"kerb/agent/ipc"
	"kerb/agent/process"
	"kerb/counting"
)

// gathering is one window on its way from the sensing processes.
type collection struct {
	n       uint64
	window  *ipc.Window
	tallies []*ipc.Tally   // of all streams
	open    map[*slot]bool // asked, and not complete
	done    chan struct{}  // closed when nothing is open
}

// answerTimeout is how long a sensing process may take to say what it counted.
const answerTimeout = 5 * time.Second

// end collects the windows that ended and puts them out for the uplink.
func (s *Supervisor) endWindows(ended []clock.Window, step *clock.Step, last bool) error {
	if step != nil {
		s.Log.Warn("clock stepped", "from", step.From, "to", step.To)
		s.Journal.Write("clock_step", step.EventData())
		s.queue.push(func(n uint64) []ipc.Message {
			return []ipc.Message{&ipc.Step{
				N: n, From: ipc.At(step.From), To: ipc.At(step.To), Mono: step.Mono, Synced: step.Synced,
			}}
		})
	}
	for i, e := range ended {
		s.collectWindow(e, last && i == len(ended)-1)
	}
	s.notify.feedWatchdog(s.statusLine, s.healthWords)
	return nil
}

// collectWindow asks every sensing process for its part of a window. Where there is
// no answer there is a gap, and a process that should have answered is ended.
func (s *Supervisor) collectWindow(e clock.Window, last bool) {
	w := &ipc.Window{Start: ipc.At(e.Start), End: ipc.At(e.End), Mono: e.Mono, Synced: e.Synced, Tallies: uint16(len(s.streams))}
	g := s.newCollection(w)
	question := &ipc.CloseWindow{N: g.n, Start: w.Start, End: w.End, Mono: w.Mono, Last: last}
	for p, c := range s.openCollection(g) {
		if err := c.Send(question); err != nil {
			s.Log.Warn("not heard", "process", p.watcher.Name, "err", err)
		}
	}
	select {
	case <-g.done:
	case <-time.After(answerTimeout):
	}
	s.mu.Lock()
	s.collection = nil
	for p := range g.open {
		s.Log.Error("no answer", "process", p.watcher.Name)
		p.process.Kill()
	}
	s.mu.Unlock()
	s.queue.push(func(n uint64) []ipc.Message { return g.records(n, s.streams) })
}

func (s *Supervisor) newCollection(w *ipc.Window) *collection {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &collection{
		n: uint64(w.Mono), window: w, tallies: make([]*ipc.Tally, len(s.streams)),
		open: map[*slot]bool{}, done: make(chan struct{}),
	}
}

// openCollection opens the gathering for all processes that are counting.
func (s *Supervisor) openCollection(g *collection) map[*slot]*process.Process {
	s.mu.Lock()
	defer s.mu.Unlock()
	asked := map[*slot]*process.Process{}
	for _, p := range s.slots {
		if p.process != nil {
			g.open[p], asked[p] = true, p.process
		}
	}
	s.collection = g
	g.window.N = g.n
	g.closeIfComplete()
	return asked
}

// closeIfComplete sees whether anything is still to come. It is called under the lock.
func (g *collection) closeIfComplete() {
	select {
	case <-g.done:
	default:
		if len(g.open) == 0 {
			close(g.done)
		}
	}
}

// records is the whole window as the uplink gets it.
func (g *collection) records(n uint64, streams []counting.Stream) []ipc.Message {
	g.window.N = n
	ms := []ipc.Message{g.window}
	for i, t := range g.tallies {
		if t == nil {
			t = ipc.Pack(n, i, counting.NewGap(streams[i], g.window.Start.Time(), g.window.End.Time(), g.window.Mono, counting.ReasonSenseLost))
		}
		t.N, t.Stream = n, uint16(i)
		ms = append(ms, t)
	}
	return ms
}

// take adds one tally if it is the next that was asked for.
func (g *collection) addTally(p *slot, t *ipc.Tally) error {
	if g == nil || !g.open[p] || int(t.Stream) >= len(p.streams) || g.tallies[p.firstStream+int(t.Stream)] != nil {
		return errors.New("a tally that nobody asked for")
	}
	if _, err := t.Unpack(p.streams[t.Stream], g.window); err != nil {
		return err
	}
	g.tallies[p.firstStream+int(t.Stream)] = t
	for i := range p.streams {
		if g.tallies[p.firstStream+i] == nil {
			return nil
		}
	}
	delete(g.open, p)
	g.closeIfComplete()
	return nil
}
