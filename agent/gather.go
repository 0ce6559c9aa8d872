package main

import (
	"errors"
	"time"

	"kerb/agent/clock"
	"kerb/agent/parcel"
	"kerb/counting"
)

// gathering is one window on its way from the sensing processes.
type gathering struct {
	n      uint64
	window *parcel.Window
	got    []*parcel.Tally // of all streams
	open   map[*post]bool  // asked, and not complete
	done   chan struct{}   // closed when nothing is open
}

// answering is how long a sensing process may take to say what it counted.
const answering = 5 * time.Second

// end collects the windows that ended and puts them out for the uplink.
func (s *supervisor) end(ended []clock.Window, step *clock.Step, last bool) error {
	if step != nil {
		s.log.Warn("clock stepped", "from", step.From, "to", step.To)
		s.book.write("clock_step", jump(*step))
		s.out.put(func(n uint64) []parcel.Message {
			return []parcel.Message{&parcel.Step{
				N: n, From: parcel.At(step.From), To: parcel.At(step.To), Mono: step.Mono, Synced: step.Synced,
			}}
		})
	}
	for i, e := range ended {
		s.collect(e, last && i == len(ended)-1)
	}
	s.notify.alive(s.status, s.well)
	return nil
}

// collect asks every sensing process for its part of a window. Where there is
// no answer there is a gap, and a process that should have answered is ended.
func (s *supervisor) collect(e clock.Window, last bool) {
	w := &parcel.Window{Start: parcel.At(e.Start), End: parcel.At(e.End), Mono: e.Mono, Synced: e.Synced, Tallies: uint16(len(s.streams))}
	g := s.gather(w)
	question := &parcel.Cut{N: g.n, Start: w.Start, End: w.End, Mono: w.Mono, Last: last}
	for p, c := range s.ask(g) {
		if err := c.tell(question); err != nil {
			s.log.Warn("not heard", "process", p.ward.name, "err", err)
		}
	}
	select {
	case <-g.done:
	case <-time.After(answering):
	}
	s.mu.Lock()
	s.gathering = nil
	for p := range g.open {
		s.log.Error("no answer", "process", p.ward.name)
		p.child.kill()
	}
	s.mu.Unlock()
	s.out.put(func(n uint64) []parcel.Message { return g.item(n, s.streams) })
}

func (s *supervisor) gather(w *parcel.Window) *gathering {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &gathering{
		n: uint64(w.Mono), window: w, got: make([]*parcel.Tally, len(s.streams)),
		open: map[*post]bool{}, done: make(chan struct{}),
	}
}

// ask opens the gathering for all processes that are counting.
func (s *supervisor) ask(g *gathering) map[*post]*child {
	s.mu.Lock()
	defer s.mu.Unlock()
	asked := map[*post]*child{}
	for _, p := range s.posts {
		if p.child != nil {
			g.open[p], asked[p] = true, p.child
		}
	}
	s.gathering = g
	g.window.N = g.n
	g.settle()
	return asked
}

// settle sees whether anything is still to come. It is called under the lock.
func (g *gathering) settle() {
	select {
	case <-g.done:
	default:
		if len(g.open) == 0 {
			close(g.done)
		}
	}
}

// item is the whole window as the uplink gets it.
func (g *gathering) item(n uint64, streams []counting.Stream) []parcel.Message {
	g.window.N = n
	ms := []parcel.Message{g.window}
	for i, t := range g.got {
		if t == nil {
			t = parcel.Pack(n, i, gap(streams[i], g.window.Start.Time(), g.window.End.Time(), g.window.Mono, "sense_lost"))
		}
		t.N, t.Stream = n, uint16(i)
		ms = append(ms, t)
	}
	return ms
}

// take adds one tally if it is the next that was asked for.
func (g *gathering) take(p *post, t *parcel.Tally) error {
	if g == nil || !g.open[p] || int(t.Stream) >= len(p.streams) || g.got[p.first+int(t.Stream)] != nil {
		return errors.New("a tally that nobody asked for")
	}
	if _, err := t.Unpack(p.streams[t.Stream], g.window); err != nil {
		return err
	}
	g.got[p.first+int(t.Stream)] = t
	for i := range p.streams {
		if g.got[p.first+i] == nil {
			return nil
		}
	}
	delete(g.open, p)
	g.settle()
	return nil
}
