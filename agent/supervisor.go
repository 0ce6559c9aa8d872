package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	"kerb/agent/cage"
	"kerb/agent/clock"
	"kerb/agent/config"
	"kerb/agent/parcel"
	"kerb/agent/policy"
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
	log    *slog.Logger
	notify notifier

	posts   []*post
	streams []counting.Stream
	speaker *ward
	out     *outbox
	begun   clock.Reading
	walls   *parcel.Walls // its own

	mu        sync.Mutex
	gathering *gathering // the window that is being collected
	speaking  *child     // nil while there is none
}

// A post is one camera's place among the processes.
type post struct {
	camera  config.Camera
	number  int // in site.toml
	first   int // of its streams among all
	streams []counting.Stream
	ward    *ward

	// Under the supervisor's lock.
	child *child // nil while it is not counting
	walls *parcel.Walls
	alive *parcel.Alive
}

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

func newSupervisor(site *config.Site, pol *policy.Policy, clk clock.Clock, args []string, words io.Writer, log *slog.Logger) (*supervisor, error) {
	s := &supervisor{site: site, policy: pol, clock: clk, log: log, streams: site.Streams(), out: newOutbox()}
	nursery := newNursery()
	s.speaker = &ward{
		name: "uplink", args: append([]string{"uplink"}, args...), log: log, words: words, nursery: nursery,
		begun: s.feed, heard: s.heardSpeaker, ended: func(uint8) { s.lostSpeaker() },
	}
	for i, c := range site.Cameras {
		open, err := opener(c)
		if err != nil {
			return nil, err
		}
		p := &post{camera: c, number: i, streams: c.Streams()}
		for _, before := range s.posts {
			p.first += len(before.streams)
		}
		p.ward = &ward{
			name: "sense " + c.Name, args: append([]string{"sense", c.Name}, args...), hatch: true, log: log, words: words, nursery: nursery,
			begun: func(ctx context.Context, c *child) {
				c.hatch.serve(ctx, open, func(err error) { log.Warn("camera not opened", "camera", p.camera.Name, "err", err) })
			},
			heard: func(c *child, m parcel.Message) error { return s.heardSense(p, c, m) },
			ended: func(why uint8) { s.lostSense(p, why) },
		}
		s.posts = append(s.posts, p)
	}
	return s, nil
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
	s.walls = measured(report)
	s.walls.Sensor = parcel.Supervisor
	ctx, refuse := context.WithCancelCause(ctx)
	defer refuse(nil)
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
	s.begun = s.clock.Read()
	err = cut(ctx, s.clock, s.begun, s.policy.Window(), s.end)
	s.finish()
	end()
	wards.Wait()
	if refusal := new(refusedError); errors.As(context.Cause(ctx), refusal) {
		return *refusal
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

// end collects the windows that ended and puts them out for the uplink.
func (s *supervisor) end(ended []clock.Window, step *clock.Step, last bool) error {
	if step != nil {
		s.out.put(func(n uint64) []parcel.Message {
			return []parcel.Message{&parcel.Step{
				N: n, From: parcel.At(step.From), To: parcel.At(step.To), Mono: step.Mono, Synced: step.Synced,
			}}
		})
	}
	for i, e := range ended {
		s.collect(e, last && i == len(ended)-1)
	}
	s.notify.alive(s.status)
	return nil
}

// collect asks every sensing process for its part of a window. Where there is
// no answer there is a gap, and a process that should have answered is ended.
func (s *supervisor) collect(e clock.Window, last bool) {
	w := &parcel.Window{Start: parcel.At(e.Start), End: parcel.At(e.End), Mono: e.Mono, Tallies: uint16(len(s.streams))}
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
	}
	return fmt.Errorf("it says what is not its own to say: %T", m)
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

func (s *supervisor) lostSense(p *post, why uint8) {
	s.mu.Lock()
	p.child = nil
	if g := s.gathering; g != nil {
		delete(g.open, p)
		for i := range p.streams { // half of an answer is none
			g.got[p.first+i] = nil
		}
		g.settle()
	}
	s.mu.Unlock()
	s.out.put(func(n uint64) []parcel.Message {
		return []parcel.Message{&parcel.Event{N: n, Sensor: uint16(p.number), Why: why}}
	})
}

// feed tells a fresh uplink everything that is not stored, then what comes.
func (s *supervisor) feed(ctx context.Context, c *child) {
	if c.tell(&parcel.Begin{Wall: parcel.At(s.begun.Wall), Mono: s.begun.Mono}) != nil {
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
	for _, p := range s.posts {
		if p.walls != nil {
			ms = append(ms, p.walls)
		}
		if p.alive != nil {
			now := *p.alive
			now.Watching = now.Watching && p.child != nil
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
}

// ready tells systemd, once, that all processes are there.
func (s *supervisor) ready() {
	for _, p := range s.posts {
		if p.child == nil {
			return
		}
	}
	if s.speaking != nil {
		s.notify.ready()
	}
}

// status is one line for systemctl status.
func (s *supervisor) status() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	watching, pictures := 0, uint64(0)
	for _, p := range s.posts {
		if p.child != nil && p.alive != nil && p.alive.Watching {
			watching++
			pictures += p.alive.Pictures
		}
	}
	speaking := "speaking"
	if s.speaking == nil {
		speaking = "no uplink"
	}
	return fmt.Sprintf("%d of %d cameras deliver, %d pictures, %s", watching, len(s.posts), pictures, speaking)
}
