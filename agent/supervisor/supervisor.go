package supervisor

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

	"kerb/agent/admission"
	"kerb/agent/cage"
	"kerb/agent/child"
	"kerb/agent/clock"
	"kerb/agent/config"
	"kerb/agent/hardware"
	"kerb/agent/ipc"
	"kerb/agent/opener"
	"kerb/agent/policy"
	"kerb/agent/process"
	"kerb/agent/week"
	"kerb/counting"
)

// A supervisor starts the process that speaks and one process for each camera,
// keeps them alive, and carries what they count from these to that. It cuts
// the windows, because it alone lives as long as the agent. It opens cameras
// for those who may open nothing, and reads nothing of what comes from them.
type Supervisor struct {
	Site   *config.Site
	Policy *policy.Policy
	Clock  clock.Clock
	Book   *admission.Book
	Log    *slog.Logger
	notify Notifier

	Agreed  string      // what the two files are: see inner
	anew    func(error) // ends the agent, with the reason
	Posts   []*Post
	streams []counting.Stream
	speaker *process.Ward
	Out     *outbox
	begun   clock.Reading
	walls   *ipc.Walls  // its own
	Online  atomic.Bool // the uplink has a broker
	spoken  atomic.Bool // an uplink was told to begin
	leaving atomic.Bool // what ends now ends because it should

	mu        sync.Mutex
	gathering *Gathering     // the window that is being collected
	Speaking  *process.Child // nil while there is none
}

// A post is the place of one camera, or of the loops, among the processes.
type Post struct {
	Number  int // in site.toml; the loops come after the cameras
	First   int // of its streams among all
	Streams []counting.Stream
	ward    *process.Ward
	hours   week.Shifts // of the camera; nil: always

	// Under the supervisor's lock.
	Child *process.Child // nil while it is not counting
	Aimed bool           // kerb aim has its camera
	walls *ipc.Walls
	Alive *ipc.Alive
	told  uint8 // what the uplink knows to be wrong with what the camera shows
}

func NewSupervisor(site *config.Site, pol *policy.Policy, clk clock.Clock, args []string, keep *admission.Book, words io.Writer, log *slog.Logger) (*Supervisor, error) {
	s := &Supervisor{Site: site, Policy: pol, Clock: clk, Book: keep, Log: log, streams: site.Streams(), Out: NewOutbox()}
	nursery := process.NewNursery()
	s.speaker = &process.Ward{
		Name: "uplink", Args: append([]string{"uplink"}, args...), Log: log, Words: words, Nursery: nursery,
		Begun: s.feed, Heard: s.heardSpeaker, Ended: func(uint8) { s.lostSpeaker() },
	}
	for place, c := range site.Cameras {
		if err := opener.Lasting(c); err != nil {
			return nil, err
		}
		door := opener.NewDoor(c, pol.MaxPixels(), nursery.Start, words, log)
		s.post(c.Streams(), c.Hours, &process.Ward{
			Name: "sense " + c.Name, Args: append([]string{"sense", c.Name}, args...), Hatch: true, Apart: true,
			Log: log, Words: words, Nursery: nursery,
			Begun: func(ctx context.Context, ch *process.Child) {
				defer door.Close()
				s.resume(place, ch)
				ch.Hatch.Serve(ctx, door.Open, func(err error) { log.Warn("camera not opened", "camera", c.Name, "err", err) })
			},
		})
	}
	if len(site.Loops.Lanes) > 0 {
		s.post(site.Loops.Streams(), nil, &process.Ward{
			Name: "sense loops", Args: append([]string{"sense"}, args...), Apart: true, Log: log, Words: words, Nursery: nursery,
			Begun: func(context.Context, *process.Child) {},
		})
	}
	return s, nil
}

// post adds a sensing process.
func (s *Supervisor) post(streams []counting.Stream, hours week.Shifts, w *process.Ward) {
	p := &Post{Number: len(s.Posts), Streams: streams, hours: hours, ward: w}
	for _, before := range s.Posts {
		p.First += len(before.Streams)
	}
	w.Heard = func(c *process.Child, m ipc.Message) error { return s.HeardSense(p, c, m) }
	w.Ended = func(why uint8) { s.lostSense(p, why) }
	s.Posts = append(s.Posts, p)
}

// run is the agent until the context ends.
func (s *Supervisor) Run(ctx context.Context) error {
	if err := os.MkdirAll(s.Site.Device.State, 0o700); err != nil {
		return fmt.Errorf("make the state directory: %w", err)
	}
	report, err := cage.Supervisor().Apply()
	if err != nil {
		return err
	}
	if err := report.Strict(); err != nil {
		if s.Site.Device.Strict {
			return err
		}
		s.Log.Warn("walls are missing", "err", err)
	}
	child.Lean()
	debug.FreeOSMemory()
	s.walls = child.Measured(report)
	s.walls.Sensor = ipc.Supervisor
	ctx, refuse := context.WithCancelCause(ctx)
	defer refuse(nil)
	s.anew = refuse
	living, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	var wards sync.WaitGroup
	for _, w := range s.wards() {
		wards.Go(func() {
			if err := w.Run(living); err != nil {
				refuse(err)
			}
		})
	}
	wards.Go(func() { s.shine(living) })
	wards.Go(func() { s.attend(living) })
	s.begun = s.Clock.Read()
	err = clock.RunWindows(ctx, s.Clock, s.begun, s.Policy.Window(), s.End)
	s.finish()
	s.leaving.Store(true)
	end()
	wards.Wait()
	if refusal := new(child.RefusedError); errors.As(context.Cause(ctx), refusal) {
		return *refusal
	}
	if errors.Is(context.Cause(ctx), ErrChanged) {
		return ErrChanged
	}
	return err
}

func (s *Supervisor) wards() []*process.Ward {
	ws := []*process.Ward{s.speaker}
	for _, p := range s.Posts {
		ws = append(ws, p.ward)
	}
	return ws
}

// lastWords is how long a stopping agent waits for its processes: the uplink
// stores the last window and has lastChance to send it.
const lastWords = ipc.DrainTimeout + 3*time.Second

func (s *Supervisor) finish() {
	s.notify.Stopping()
	ctx, cancel := context.WithTimeout(context.Background(), lastWords)
	defer cancel()
	if !s.Out.Empty(ctx) {
		s.Log.Error("the last windows could not be stored")
		return
	}
	s.speaker.Last.Store(true)
	s.mu.Lock()
	c := s.Speaking
	s.mu.Unlock()
	if c == nil || c.Tell(&ipc.Finish{}) != nil {
		return
	}
	for ; ctx.Err() == nil; time.Sleep(10 * time.Millisecond) {
		s.mu.Lock()
		gone := s.Speaking == nil
		s.mu.Unlock()
		if gone {
			return
		}
	}
}

// heardSense takes what a sensing process says. An error ends that process.
func (s *Supervisor) HeardSense(p *Post, c *process.Child, m ipc.Message) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch m := m.(type) {
	case *ipc.Walls:
		if p.Child == nil {
			s.Log.Info("counting", "process", p.ward.Name, "pid", c.Cmd.Process.Pid)
		}
		m.Sensor, p.walls, p.Child = uint16(p.Number), m, c
		s.ready()
		return nil
	case *ipc.Alive:
		m.Sensor, p.Alive = uint16(p.Number), m
		return nil
	case *ipc.Tally:
		return s.gathering.Take(p, m)
	case *ipc.Fault:
		return s.heardFault(p, m)
	case *ipc.View:
		return s.heardView(p, m)
	}
	return fmt.Errorf("it says what is not its own to say: %T", m)
}

func (s *Supervisor) heardFault(p *Post, f *ipc.Fault) error {
	if int(f.Stream) >= len(p.Streams) || p.Streams[f.Stream].Kind != counting.LoopStream {
		return errors.New("a fault of what is no loop")
	}
	f.Stream += uint16(p.First)
	s.Out.Note(func(n uint64) []ipc.Message {
		f.N = n
		return []ipc.Message{f}
	})
	return nil
}

func (s *Supervisor) heardView(p *Post, v *ipc.View) error {
	if p.Number >= len(s.Site.Cameras) {
		return errors.New("a fault of what is no camera")
	}
	if p.told = 0; v.On {
		p.told = v.Fault
	}
	v.Sensor = uint16(p.Number)
	s.Out.Note(func(n uint64) []ipc.Message {
		v.N = n
		return []ipc.Message{v}
	})
	return nil
}

func (s *Supervisor) lostSense(p *Post, why uint8) {
	s.mu.Lock()
	p.Child, p.told = nil, 0
	if g := s.gathering; g != nil && g.Open[p] {
		delete(g.Open, p)
		for i := range p.Streams { // half of an answer is none
			g.Got[p.First+i] = nil
		}
		g.settle()
	}
	s.mu.Unlock()
	if s.leaving.Load() {
		return
	}
	s.Book.Write("sense_lost", map[string]any{"process": p.ward.Name, "why": ipc.LostWord(why)})
	s.Out.Note(func(n uint64) []ipc.Message {
		return []ipc.Message{&ipc.Event{N: n, Sensor: uint16(p.Number), Why: why}}
	})
}

// feed tells a fresh uplink everything that is not stored, then what comes.
func (s *Supervisor) feed(ctx context.Context, c *process.Child) {
	if c.Tell(&ipc.Begin{Wall: ipc.At(s.begun.Wall), Mono: s.begun.Mono, First: s.spoken.CompareAndSwap(false, true)}) != nil {
		return
	}
	var told sync.WaitGroup
	defer told.Wait()
	told.Go(func() { s.gossip(ctx, c) })
	for sent := uint64(0); ; {
		i, ok := s.Out.After(ctx, sent)
		if !ok {
			return
		}
		if err := c.Tell(i.Ms...); err != nil {
			if ctx.Err() == nil {
				s.Log.Warn("not heard", "process", "uplink", "err", err)
				c.Kill()
			}
			return
		}
		sent = i.N
	}
}

// gossip tells the uplink how the sensing processes are, for its state.
func (s *Supervisor) gossip(ctx context.Context, c *process.Child) {
	for {
		for _, m := range s.News() {
			if c.Tell(m) != nil {
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

func (s *Supervisor) News() (ms []ipc.Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ms = append(ms, s.walls)
	if h := s.Book.Head(); h != nil {
		ms = append(ms, h)
	}
	ms = append(ms, hardware.LookAtBoard(s.Site.Device.State))
	for _, p := range s.Posts {
		if p.walls != nil {
			ms = append(ms, p.walls)
		}
		if p.Alive != nil {
			now := *p.Alive
			now.Watching, now.View = now.Watching && p.Child != nil, p.told // in their windows' time: see view
			ms = append(ms, &now)
		}
	}
	return ms
}

// heardSpeaker takes what the uplink says.
func (s *Supervisor) heardSpeaker(c *process.Child, m ipc.Message) error {
	switch m := m.(type) {
	case *ipc.Walls:
		s.mu.Lock()
		defer s.mu.Unlock()
		s.Log.Info("speaking", "process", "uplink", "pid", c.Cmd.Process.Pid)
		s.Speaking = c
		s.ready()
		return nil
	case *ipc.Alive:
		s.Online.Store(m.Watching)
		return nil
	case *ipc.Stored:
		s.Out.Stored(m.N)
		return nil
	}
	return fmt.Errorf("it says what is not its own to say: %T", m)
}

func (s *Supervisor) lostSpeaker() {
	s.mu.Lock()
	s.Speaking = nil
	s.mu.Unlock()
	s.Online.Store(false)
}
