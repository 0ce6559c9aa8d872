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
	site    *config.Site
	policy  *policy.Policy
	clock   clock.Clock
	journal *admission.Journal
	log     *slog.Logger
	notify  notifier

	Fingerprint      string      // what the two files are: see inner
	restart          func(error) // ends the agent, with the reason
	slots            []*slot
	streams          []counting.Stream
	publisher        *process.Watcher
	queue            *queue
	startReading            clock.Reading
	walls            *ipc.Walls  // its own
	online           atomic.Bool // the uplink has a broker
	publisherStarted atomic.Bool // an uplink was told to begin
	stopping         atomic.Bool // what ends now ends because it should

	mu         sync.Mutex
	collection *collection      // the window that is being collected
	publisherProcess *process.Process // nil while there is none
}

// A post is the place of one camera, or of the loops, among the processes.
type slot struct {
	number      int // in site.toml; the loops come after the cameras
	firstStream int // of its streams among all
	streams     []counting.Stream
	watcher     *process.Watcher
	hours       week.Spans // of the camera; nil: always

	// Under the supervisor's lock.
	process   *process.Process // nil while it is not counting
	aimed     bool             // kerb aim has its camera
	walls     *ipc.Walls
	heartbeat *ipc.Heartbeat
	sentFault uint8 // what the uplink knows to be wrong with what the camera shows
}

func New(site *config.Site, pol *policy.Policy, clk clock.Clock, args []string, keep *admission.Journal, words io.Writer, log *slog.Logger) (*Supervisor, error) {
	s := &Supervisor{site: site, policy: pol, clock: clk, journal: keep, log: log, streams: site.Streams(), queue: newQueue()}
	nursery := process.NewStarter()
	s.publisher = &process.Watcher{
		Name: "uplink", Args: append([]string{"uplink"}, args...), Log: log, ChildOutput: words, Starter: nursery,
		OnStart: s.sendQueue, OnRecord: s.handlePublisherRecord, OnExit: func(uint8) { s.handlePublisherExit() },
	}
	for place, c := range site.Cameras {
		if err := opener.CheckPermanent(c); err != nil {
			return nil, err
		}
		door := opener.New(c, pol.MaxPixels(), nursery.Start, words, log)
		s.addSlot(c.Streams(), c.Hours, &process.Watcher{
			Name: "sense " + c.Name, Args: append([]string{"sense", c.Name}, args...), WithHandover: true, Isolated: true,
			Log: log, ChildOutput: words, Starter: nursery,
			OnStart: func(ctx context.Context, ch *process.Process) {
				defer door.Close()
				s.sendPauseState(place, ch)
				ch.Handover.Serve(ctx, door.Open, func(err error) { log.Warn("camera not opened", "camera", c.Name, "err", err) })
			},
		})
	}
	if len(site.Loops.Lanes) > 0 {
		s.addSlot(site.Loops.Streams(), nil, &process.Watcher{
			Name: "sense loops", Args: append([]string{"sense"}, args...), Isolated: true, Log: log, ChildOutput: words, Starter: nursery,
			OnStart: func(context.Context, *process.Process) {},
		})
	}
	return s, nil
}

// addSlot adds a sensing process.
func (s *Supervisor) addSlot(streams []counting.Stream, hours week.Spans, w *process.Watcher) {
	p := &slot{number: len(s.slots), streams: streams, hours: hours, watcher: w}
	for _, before := range s.slots {
		p.firstStream += len(before.streams)
	}
	w.OnRecord = func(c *process.Process, m ipc.Message) error { return s.handleSensorRecord(p, c, m) }
	w.OnExit = func(why uint8) { s.handleSensorExit(p, why) }
	s.slots = append(s.slots, p)
}

// run is the agent until the context ends.
func (s *Supervisor) Run(ctx context.Context) error {
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
	child.ShrinkHeap()
	debug.FreeOSMemory()
	s.walls = child.PackWalls(report)
	s.walls.Sensor = ipc.Supervisor
	ctx, refuse := context.WithCancelCause(ctx)
	defer refuse(nil)
	s.restart = refuse
	living, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	var wards sync.WaitGroup
	for _, w := range s.watchers() {
		wards.Go(func() {
			if err := w.Run(living); err != nil {
				refuse(err)
			}
		})
	}
	wards.Go(func() { s.runLamp(living) })
	wards.Go(func() { s.serveAim(living) })
	s.startReading = s.clock.ReadAll()
	err = clock.RunWindows(ctx, s.clock, s.startReading, s.policy.Window(), s.endWindows)
	s.drainQueue()
	s.stopping.Store(true)
	end()
	wards.Wait()
	if refusal := new(child.RefusedError); errors.As(context.Cause(ctx), refusal) {
		return *refusal
	}
	if errors.Is(context.Cause(ctx), ErrFilesChanged) {
		return ErrFilesChanged
	}
	return err
}

func (s *Supervisor) watchers() []*process.Watcher {
	ws := []*process.Watcher{s.publisher}
	for _, p := range s.slots {
		ws = append(ws, p.watcher)
	}
	return ws
}

// drainTimeout is how long a stopping agent waits for its processes: the uplink
// stores the last window and has lastChance to send it.
const drainTimeout = ipc.DrainTimeout + 3*time.Second

func (s *Supervisor) drainQueue() {
	s.notify.notifyStopping()
	ctx, cancel := context.WithTimeout(context.Background(), drainTimeout)
	defer cancel()
	if !s.queue.waitEmpty(ctx) {
		s.log.Error("the last windows could not be stored")
		return
	}
	s.publisher.Stopping.Store(true)
	s.mu.Lock()
	c := s.publisherProcess
	s.mu.Unlock()
	if c == nil || c.Send(&ipc.Finish{}) != nil {
		return
	}
	for ; ctx.Err() == nil; time.Sleep(10 * time.Millisecond) {
		s.mu.Lock()
		gone := s.publisherProcess == nil
		s.mu.Unlock()
		if gone {
			return
		}
	}
}

// heardSense takes what a sensing process says. An error ends that process.
func (s *Supervisor) handleSensorRecord(p *slot, c *process.Process, m ipc.Message) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch m := m.(type) {
	case *ipc.Walls:
		if p.process == nil {
			s.log.Info("counting", "process", p.watcher.Name, "pid", c.Cmd.Process.Pid)
		}
		m.Sensor, p.walls, p.process = uint16(p.number), m, c
		s.notifyIfReady()
		return nil
	case *ipc.Heartbeat:
		m.Sensor, p.heartbeat = uint16(p.number), m
		return nil
	case *ipc.Tally:
		return s.collection.addTally(p, m)
	case *ipc.LoopFault:
		return s.handleLoopFault(p, m)
	case *ipc.CameraFault:
		return s.handleCameraFault(p, m)
	}
	return fmt.Errorf("it says what is not its own to say: %T", m)
}

func (s *Supervisor) handleLoopFault(p *slot, f *ipc.LoopFault) error {
	if int(f.Stream) >= len(p.streams) || p.streams[f.Stream].Kind != counting.LoopStream {
		return errors.New("a fault of what is no loop")
	}
	f.Stream += uint16(p.firstStream)
	s.queue.pushNote(func(n uint64) []ipc.Message {
		f.N = n
		return []ipc.Message{f}
	})
	return nil
}

func (s *Supervisor) handleCameraFault(p *slot, v *ipc.CameraFault) error {
	if p.number >= len(s.site.Cameras) {
		return errors.New("a fault of what is no camera")
	}
	if p.sentFault = 0; v.On {
		p.sentFault = v.Fault
	}
	v.Sensor = uint16(p.number)
	s.queue.pushNote(func(n uint64) []ipc.Message {
		v.N = n
		return []ipc.Message{v}
	})
	return nil
}

func (s *Supervisor) handleSensorExit(p *slot, why uint8) {
	s.mu.Lock()
	p.process, p.sentFault = nil, 0
	if g := s.collection; g != nil && g.open[p] {
		delete(g.open, p)
		for i := range p.streams { // half of an answer is none
			g.tallies[p.firstStream+i] = nil
		}
		g.closeIfComplete()
	}
	s.mu.Unlock()
	if s.stopping.Load() {
		return
	}
	s.journal.Write("sense_lost", map[string]any{"process": p.watcher.Name, "why": ipc.LostWord(why)})
	s.queue.pushNote(func(n uint64) []ipc.Message {
		return []ipc.Message{&ipc.SensorLost{N: n, Sensor: uint16(p.number), Why: why}}
	})
}

// sendQueue tells a fresh uplink everything that is not stored, then what comes.
func (s *Supervisor) sendQueue(ctx context.Context, c *process.Process) {
	if c.Send(&ipc.Begin{Wall: ipc.At(s.startReading.Wall), Mono: s.startReading.Mono, First: s.publisherStarted.CompareAndSwap(false, true)}) != nil {
		return
	}
	var told sync.WaitGroup
	defer told.Wait()
	told.Go(func() { s.sendStatus(ctx, c) })
	for sent := uint64(0); ; {
		i, ok := s.queue.waitAfter(ctx, sent)
		if !ok {
			return
		}
		if err := c.Send(i.records...); err != nil {
			if ctx.Err() == nil {
				s.log.Warn("not heard", "process", "uplink", "err", err)
				c.Kill()
			}
			return
		}
		sent = i.number
	}
}

// sendStatus tells the uplink how the sensing processes are, for its state.
func (s *Supervisor) sendStatus(ctx context.Context, c *process.Process) {
	for {
		for _, m := range s.statusRecords() {
			if c.Send(m) != nil {
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

func (s *Supervisor) statusRecords() (ms []ipc.Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ms = append(ms, s.walls)
	if h := s.journal.AuditHead(); h != nil {
		ms = append(ms, h)
	}
	ms = append(ms, hardware.ReadBoard(s.site.Device.State))
	for _, p := range s.slots {
		if p.walls != nil {
			ms = append(ms, p.walls)
		}
		if p.heartbeat != nil {
			now := *p.heartbeat
			now.Watching, now.View = now.Watching && p.process != nil, p.sentFault // in their windows' time: see view
			ms = append(ms, &now)
		}
	}
	return ms
}

// handlePublisherRecord takes what the uplink says.
func (s *Supervisor) handlePublisherRecord(c *process.Process, m ipc.Message) error {
	switch m := m.(type) {
	case *ipc.Walls:
		s.mu.Lock()
		defer s.mu.Unlock()
		s.log.Info("speaking", "process", "uplink", "pid", c.Cmd.Process.Pid)
		s.publisherProcess = c
		s.notifyIfReady()
		return nil
	case *ipc.Heartbeat:
		s.online.Store(m.Watching)
		return nil
	case *ipc.Stored:
		s.queue.dropStored(m.N)
		return nil
	}
	return fmt.Errorf("it says what is not its own to say: %T", m)
}

func (s *Supervisor) handlePublisherExit() {
	s.mu.Lock()
	s.publisherProcess = nil
	s.mu.Unlock()
	s.online.Store(false)
}
