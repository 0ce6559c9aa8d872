package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"kerb/agent/cage"
	"kerb/agent/clock"
	"kerb/agent/config"
	"kerb/agent/parcel"
	"kerb/agent/policy"
	"kerb/agent/week"
	"kerb/counting"
)

// A supervisor starts the process that speaks and one process for each camera,
// keeps them alive, and carries what they count from these to that. It cuts
// the windows, because it alone lives as long as the agent. It opens cameras
// for those who may open nothing, and reads nothing of what comes from them.
type supervisor struct {
	site   *config.Site
	policy *policy.Policy
	clock  clock.Clock
	book   *book
	log    *slog.Logger
	notify notifier

	agreed  string      // what the two files are: see inner
	anew    func(error) // ends the agent, with the reason
	posts   []*post
	streams []counting.Stream
	speaker *ward
	out     *outbox
	begun   clock.Reading
	walls   *parcel.Walls // its own
	online  atomic.Bool   // the uplink has a broker
	spoken  atomic.Bool   // an uplink was told to begin
	leaving atomic.Bool   // what ends now ends because it should

	mu        sync.Mutex
	gathering *gathering // the window that is being collected
	speaking  *child     // nil while there is none
}

// A post is the place of one camera, or of the loops, among the processes.
type post struct {
	number  int // in site.toml; the loops come after the cameras
	first   int // of its streams among all
	streams []counting.Stream
	ward    *ward
	hours   week.Shifts // of the camera; nil: always

	// Under the supervisor's lock.
	child *child // nil while it is not counting
	aimed bool   // kerb aim has its camera
	walls *parcel.Walls
	alive *parcel.Alive
	told  uint8 // what the uplink knows to be wrong with what the camera shows
}

func newSupervisor(site *config.Site, pol *policy.Policy, clk clock.Clock, args []string, keep *book, words io.Writer, log *slog.Logger) (*supervisor, error) {
	s := &supervisor{site: site, policy: pol, clock: clk, book: keep, log: log, streams: site.Streams(), out: newOutbox()}
	nursery := newNursery()
	s.speaker = &ward{
		name: "uplink", args: append([]string{"uplink"}, args...), log: log, words: words, nursery: nursery,
		begun: s.feed, heard: s.heardSpeaker, ended: func(uint8) { s.lostSpeaker() },
	}
	for place, c := range site.Cameras {
		if err := lasting(c); err != nil {
			return nil, err
		}
		door := newDoor(c, pol.MaxPixels(), nursery.start, words, log)
		s.post(c.Streams(), c.Hours, &ward{
			name: "sense " + c.Name, args: append([]string{"sense", c.Name}, args...), hatch: true, apart: true,
			log: log, words: words, nursery: nursery,
			begun: func(ctx context.Context, ch *child) {
				defer door.close()
				s.resume(place, ch)
				ch.hatch.serve(ctx, door.open, func(err error) { log.Warn("camera not opened", "camera", c.Name, "err", err) })
			},
		})
	}
	if len(site.Loops.Lanes) > 0 {
		s.post(site.Loops.Streams(), nil, &ward{
			name: "sense loops", args: append([]string{"sense"}, args...), apart: true, log: log, words: words, nursery: nursery,
			begun: func(context.Context, *child) {},
		})
	}
	return s, nil
}

// post adds a sensing process.
func (s *supervisor) post(streams []counting.Stream, hours week.Shifts, w *ward) {
	p := &post{number: len(s.posts), streams: streams, hours: hours, ward: w}
	for _, before := range s.posts {
		p.first += len(before.streams)
	}
	w.heard = func(c *child, m parcel.Message) error { return s.heardSense(p, c, m) }
	w.ended = func(why uint8) { s.lostSense(p, why) }
	s.posts = append(s.posts, p)
}

// run is the agent until the context ends.
func (s *supervisor) run(ctx context.Context) error {
	if err := os.MkdirAll(s.site.Device.State, 0o700); err != nil {
		return fmt.Errorf("make the state directory: %w", err)
	}
	report, err := cage.Supervisor().Apply()
	if err != nil {
		return err
	}
	if err := report.Strict(); err != nil {
		if s.site.Device.Strict {
			return err
		}
		s.log.Warn("walls are missing", "err", err)
	}
	lean()
	debug.FreeOSMemory()
	s.walls = measured(report)
	s.walls.Sensor = parcel.Supervisor
	ctx, refuse := context.WithCancelCause(ctx)
	defer refuse(nil)
	s.anew = refuse
	living, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	var wards sync.WaitGroup
	for _, w := range s.wards() {
		wards.Go(func() {
			if err := w.run(living); err != nil {
				refuse(err)
			}
		})
	}
	wards.Go(func() { s.shine(living) })
	wards.Go(func() { s.attend(living) })
	s.begun = s.clock.Read()
	err = cut(ctx, s.clock, s.begun, s.policy.Window(), s.end)
	s.finish()
	s.leaving.Store(true)
	end()
	wards.Wait()
	if refusal := new(refusedError); errors.As(context.Cause(ctx), refusal) {
		return *refusal
	}
	if errors.Is(context.Cause(ctx), errChanged) {
		return errChanged
	}
	return err
}

func (s *supervisor) wards() []*ward {
	ws := []*ward{s.speaker}
	for _, p := range s.posts {
		ws = append(ws, p.ward)
	}
	return ws
}

// lastWords is how long a stopping agent waits for its processes: the uplink
// stores the last window and has lastChance to send it.
const lastWords = lastChance + 3*time.Second

func (s *supervisor) finish() {
	s.notify.stopping()
	ctx, cancel := context.WithTimeout(context.Background(), lastWords)
	defer cancel()
	if !s.out.empty(ctx) {
		s.log.Error("the last windows could not be stored")
		return
	}
	s.speaker.last.Store(true)
	s.mu.Lock()
	c := s.speaking
	s.mu.Unlock()
	if c == nil || c.tell(&parcel.Finish{}) != nil {
		return
	}
	for ; ctx.Err() == nil; time.Sleep(10 * time.Millisecond) {
		s.mu.Lock()
		gone := s.speaking == nil
		s.mu.Unlock()
		if gone {
			return
		}
	}
}

// heardSense takes what a sensing process says. An error ends that process.
func (s *supervisor) heardSense(p *post, c *child, m parcel.Message) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch m := m.(type) {
	case *parcel.Walls:
		if p.child == nil {
			s.log.Info("counting", "process", p.ward.name, "pid", c.cmd.Process.Pid)
		}
		m.Sensor, p.walls, p.child = uint16(p.number), m, c
		s.ready()
		return nil
	case *parcel.Alive:
		m.Sensor, p.alive = uint16(p.number), m
		return nil
	case *parcel.Tally:
		return s.gathering.take(p, m)
	case *parcel.Fault:
		return s.heardFault(p, m)
	case *parcel.View:
		return s.heardView(p, m)
	}
	return fmt.Errorf("it says what is not its own to say: %T", m)
}

func (s *supervisor) heardFault(p *post, f *parcel.Fault) error {
	if int(f.Stream) >= len(p.streams) || p.streams[f.Stream].Kind != counting.LoopStream {
		return errors.New("a fault of what is no loop")
	}
	f.Stream += uint16(p.first)
	s.out.note(func(n uint64) []parcel.Message {
		f.N = n
		return []parcel.Message{f}
	})
	return nil
}

func (s *supervisor) heardView(p *post, v *parcel.View) error {
	if p.number >= len(s.site.Cameras) {
		return errors.New("a fault of what is no camera")
	}
	if p.told = 0; v.On {
		p.told = v.Fault
	}
	v.Sensor = uint16(p.number)
	s.out.note(func(n uint64) []parcel.Message {
		v.N = n
		return []parcel.Message{v}
	})
	return nil
}

func (s *supervisor) lostSense(p *post, why uint8) {
	s.mu.Lock()
	p.child, p.told = nil, 0
	if g := s.gathering; g != nil && g.open[p] {
		delete(g.open, p)
		for i := range p.streams { // half of an answer is none
			g.got[p.first+i] = nil
		}
		g.settle()
	}
	s.mu.Unlock()
	if s.leaving.Load() {
		return
	}
	s.book.write("sense_lost", map[string]any{"process": p.ward.name, "why": whyEnded(why)})
	s.out.note(func(n uint64) []parcel.Message {
		return []parcel.Message{&parcel.Event{N: n, Sensor: uint16(p.number), Why: why}}
	})
}

// feed tells a fresh uplink everything that is not stored, then what comes.
func (s *supervisor) feed(ctx context.Context, c *child) {
	if c.tell(&parcel.Begin{Wall: parcel.At(s.begun.Wall), Mono: s.begun.Mono, First: s.spoken.CompareAndSwap(false, true)}) != nil {
		return
	}
	var told sync.WaitGroup
	defer told.Wait()
	told.Go(func() { s.gossip(ctx, c) })
	for sent := uint64(0); ; {
		i, ok := s.out.after(ctx, sent)
		if !ok {
			return
		}
		if err := c.tell(i.ms...); err != nil {
			if ctx.Err() == nil {
				s.log.Warn("not heard", "process", "uplink", "err", err)
				c.kill()
			}
			return
		}
		sent = i.n
	}
}

// gossip tells the uplink how the sensing processes are, for its state.
func (s *supervisor) gossip(ctx context.Context, c *child) {
	for {
		for _, m := range s.news() {
			if c.tell(m) != nil {
				return
			}
		}
		select {
		case <-time.After(5 * time.Second):
		case <-ctx.Done():
			return
		}
	}
}

func (s *supervisor) news() (ms []parcel.Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ms = append(ms, s.walls)
	if h := s.book.head(); h != nil {
		ms = append(ms, h)
	}
	ms = append(ms, lookAtBoard(s.site.Device.State))
	for _, p := range s.posts {
		if p.walls != nil {
			ms = append(ms, p.walls)
		}
		if p.alive != nil {
			now := *p.alive
			now.Watching, now.View = now.Watching && p.child != nil, p.told // in their windows' time: see view
			ms = append(ms, &now)
		}
	}
	return ms
}

// heardSpeaker takes what the uplink says.
func (s *supervisor) heardSpeaker(c *child, m parcel.Message) error {
	switch m := m.(type) {
	case *parcel.Walls:
		s.mu.Lock()
		defer s.mu.Unlock()
		s.log.Info("speaking", "process", "uplink", "pid", c.cmd.Process.Pid)
		s.speaking = c
		s.ready()
		return nil
	case *parcel.Alive:
		s.online.Store(m.Watching)
		return nil
	case *parcel.Stored:
		s.out.stored(m.N)
		return nil
	}
	return fmt.Errorf("it says what is not its own to say: %T", m)
}

func (s *supervisor) lostSpeaker() {
	s.mu.Lock()
	s.speaking = nil
	s.mu.Unlock()
	s.online.Store(false)
}
