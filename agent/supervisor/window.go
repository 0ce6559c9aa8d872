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
type Gathering struct {
	N      uint64
	Window *ipc.Window
	Got    []*ipc.Tally   // of all streams
	Open   map[*Post]bool // asked, and not complete
	Done   chan struct{}  // closed when nothing is open
}

// answering is how long a sensing process may take to say what it counted.
const answering = 5 * time.Second

// end collects the windows that ended and puts them out for the uplink.
func (s *Supervisor) End(ended []clock.Window, step *clock.Step, last bool) error {
	if step != nil {
		s.Log.Warn("clock stepped", "from", step.From, "to", step.To)
		s.Book.Write("clock_step", step.EventData())
		s.Out.Put(func(n uint64) []ipc.Message {
			return []ipc.Message{&ipc.Step{
				N: n, From: ipc.At(step.From), To: ipc.At(step.To), Mono: step.Mono, Synced: step.Synced,
			}}
		})
	}
	for i, e := range ended {
		s.collect(e, last && i == len(ended)-1)
	}
	s.notify.Alive(s.status, s.Well)
	return nil
}

// collect asks every sensing process for its part of a window. Where there is
// no answer there is a gap, and a process that should have answered is ended.
func (s *Supervisor) collect(e clock.Window, last bool) {
	w := &ipc.Window{Start: ipc.At(e.Start), End: ipc.At(e.End), Mono: e.Mono, Synced: e.Synced, Tallies: uint16(len(s.streams))}
	g := s.gather(w)
	question := &ipc.Cut{N: g.N, Start: w.Start, End: w.End, Mono: w.Mono, Last: last}
	for p, c := range s.ask(g) {
		if err := c.Tell(question); err != nil {
			s.Log.Warn("not heard", "process", p.ward.Name, "err", err)
		}
	}
	select {
	case <-g.Done:
	case <-time.After(answering):
	}
	s.mu.Lock()
	s.gathering = nil
	for p := range g.Open {
		s.Log.Error("no answer", "process", p.ward.Name)
		p.Child.Kill()
	}
	s.mu.Unlock()
	s.Out.Put(func(n uint64) []ipc.Message { return g.item(n, s.streams) })
}

func (s *Supervisor) gather(w *ipc.Window) *Gathering {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &Gathering{
		N: uint64(w.Mono), Window: w, Got: make([]*ipc.Tally, len(s.streams)),
		Open: map[*Post]bool{}, Done: make(chan struct{}),
	}
}

// ask opens the gathering for all processes that are counting.
func (s *Supervisor) ask(g *Gathering) map[*Post]*process.Child {
	s.mu.Lock()
	defer s.mu.Unlock()
	asked := map[*Post]*process.Child{}
	for _, p := range s.Posts {
		if p.Child != nil {
			g.Open[p], asked[p] = true, p.Child
		}
	}
	s.gathering = g
	g.Window.N = g.N
	g.settle()
	return asked
}

// settle sees whether anything is still to come. It is called under the lock.
func (g *Gathering) settle() {
	select {
	case <-g.Done:
	default:
		if len(g.Open) == 0 {
			close(g.Done)
		}
	}
}

// item is the whole window as the uplink gets it.
func (g *Gathering) item(n uint64, streams []counting.Stream) []ipc.Message {
	g.Window.N = n
	ms := []ipc.Message{g.Window}
	for i, t := range g.Got {
		if t == nil {
			t = ipc.Pack(n, i, counting.NewGap(streams[i], g.Window.Start.Time(), g.Window.End.Time(), g.Window.Mono, "sense_lost"))
		}
		t.N, t.Stream = n, uint16(i)
		ms = append(ms, t)
	}
	return ms
}

// take adds one tally if it is the next that was asked for.
func (g *Gathering) Take(p *Post, t *ipc.Tally) error {
	if g == nil || !g.Open[p] || int(t.Stream) >= len(p.Streams) || g.Got[p.First+int(t.Stream)] != nil {
		return errors.New("a tally that nobody asked for")
	}
	if _, err := t.Unpack(p.Streams[t.Stream], g.Window); err != nil {
		return err
	}
	g.Got[p.First+int(t.Stream)] = t
	for i := range p.Streams {
		if g.Got[p.First+i] == nil {
			return nil
		}
	}
	delete(g.Open, p)
	g.settle()
	return nil
}
