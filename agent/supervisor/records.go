package supervisor

import (
	"context"
	"errors"
	"fmt"
	"math/bits"
	"sync"
	"time"

	"kerb/agent/hardware"
	"kerb/agent/ipc"
	"kerb/agent/opener"
	"kerb/agent/process"
	"kerb/counting"
)

// handleSensorRecord handles a record of a sensing process. An error kills that
// process.
func (s *Supervisor) handleSensorRecord(p *slot, c *process.Process, m ipc.Record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch m := m.(type) {
	case *ipc.Walls:
		if p.process == nil {
			s.log.Info("counting", "process", p.watcher.Name, "pid", c.Cmd.Process.Pid)
		}
		if p.process != c {
			p.startedAt, p.lastBeat = s.sinceBoot(), nil
		}
		m.Sensor, p.walls, p.process = uint16(p.number), m, c
		s.notifyIfReady()
		return nil
	case *ipc.Heartbeat:
		if err := p.checkHeartbeat(m, s.sinceBoot()); err != nil {
			return err
		}
		p.setHeartbeat(m, s.sinceBoot())
		s.watchCamera(p, s.sinceBoot())
		return nil
	case *ipc.Tally:
		var err error
		ipc.WithoutTraces(func() { err = s.collection.addTally(p, m) })
		return err
	case *ipc.LoopFault:
		return s.handleLoopFault(p, m)
	case *ipc.CameraFault:
		return s.handleCameraFault(p, m)
	}
	return fmt.Errorf("it says what is not its own to say: %T", m)
}

// sinceBoot returns the time since boot.
func (s *Supervisor) sinceBoot() time.Duration { return s.clock.ReadAll().Mono }

// handleLoopFault keeps the fault for the lamp and queues it for the uplink. It is
// called under the lock.
func (s *Supervisor) handleLoopFault(p *slot, f *ipc.LoopFault) error {
	if int(f.Stream) >= len(p.streams) || p.streams[f.Stream].Kind != counting.LoopStream {
		return errors.New("a fault of what is no loop")
	}
	p.setLoopFault(f, len(s.site.Loops.Lines))
	if f.StaysOnDevice() {
		return nil
	}
	f.Stream += uint16(p.firstStream)
	s.queue.pushNote(func(n uint64) []ipc.Record {
		f.N = n
		return []ipc.Record{f}
	})
	return nil
}

// handleCameraFault keeps the fault for the state message and queues it for the
// uplink. It is called under the lock.
func (s *Supervisor) handleCameraFault(p *slot, v *ipc.CameraFault) error {
	if p.number >= len(s.site.Cameras) {
		return errors.New("a fault of what is no camera")
	}
	if p.sentFault = 0; v.On {
		p.sentFault = v.Fault
	}
	v.Sensor = uint16(p.number)
	s.queue.pushNote(func(n uint64) []ipc.Record {
		v.N = n
		return []ipc.Record{v}
	})
	return nil
}

// handleSensorExit handles the end of a sensing process: its streams get a gap in
// the window that is being collected, and the loss goes into the journal and to the
// uplink. The next process starts without faults.
func (s *Supervisor) handleSensorExit(p *slot, why uint8) {
	s.mu.Lock()
	if p.isDelivering() {
		p.changedAt = s.sinceBoot()
	}
	p.process, p.sentFault, p.lineFaults = nil, 0, nil
	if c := s.collection; c != nil && c.open[p] {
		delete(c.open, p)
		for i := range p.streams { // an incomplete answer is dropped
			c.dropTally(p.firstStream + i)
		}
		c.closeIfComplete()
	}
	s.mu.Unlock()
	if s.stopping.Load() {
		return
	}
	s.journal.WriteEntry("sense_lost", map[string]any{"process": p.watcher.Name, "why": ipc.LostWord(why)})
	s.queue.pushNote(func(n uint64) []ipc.Record {
		return []ipc.Record{&ipc.SensorLost{N: n, Sensor: uint16(p.number), Why: why}}
	})
}

// startPublisher opens for a new uplink process what it asks for, and sends it the
// queue, until ctx ends.
func (s *Supervisor) startPublisher(ctx context.Context, c *process.Process) {
	var beside sync.WaitGroup
	defer beside.Wait()
	broker := opener.NewBroker(s.site.Broker)
	beside.Go(func() { c.Handover.ServeReasons(ctx, broker.OpenFiles) })
	s.sendQueue(ctx, c)
}

// sendQueue sends a new uplink process everything that is not stored yet, then each
// new item and, beside it, the status records. It returns when ctx ends or the
// process does not read.
func (s *Supervisor) sendQueue(ctx context.Context, c *process.Process) {
	if c.SendRecords(&ipc.Begin{Wall: ipc.ToInstant(s.startReading.Wall), Mono: s.startReading.Mono, First: s.publisherStarted.CompareAndSwap(false, true)}) != nil {
		return
	}
	var beside sync.WaitGroup
	defer beside.Wait()
	beside.Go(func() { s.sendStatus(ctx, c) })
	beside.Go(func() { s.readAnswers(c) })
	defer context.AfterFunc(ctx, func() { _ = c.Queries.SetReadDeadline(time.Unix(1, 0)) })() // in the past: ends readAnswers
	for sent := uint64(0); ; {
		i, ok := s.queue.waitAfter(ctx, sent)
		if !ok {
			return
		}
		if err := c.SendRecords(i.records...); err != nil {
			if ctx.Err() == nil {
				s.log.Warn("not heard", "process", "uplink", "err", err)
				c.Kill()
			}
			return
		}
		sent = i.number
	}
}

// statusInterval is the time between two sets of status records, chosen by hand.
const statusInterval = 5 * time.Second

// sendStatus sends the status records until ctx ends or the process is gone.
func (s *Supervisor) sendStatus(ctx context.Context, c *process.Process) {
	for {
		for _, m := range s.statusRecords() {
			if c.SendRecords(m) != nil {
				return
			}
		}
		select {
		case <-time.After(statusInterval):
		case <-ctx.Done():
			return
		}
	}
}

// statusRecords returns the records for the state message: walls, the head of the
// audit log, the board, and the latest heartbeat of each sensing process. Faults in
// a heartbeat are those that were queued as events, so that state and events agree.
func (s *Supervisor) statusRecords() (ms []ipc.Record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ms = append(ms, s.walls)
	if s.decoderWalls != nil {
		ms = append(ms, s.decoderWalls)
	}
	if h := s.journal.AuditHead(); h != nil {
		ms = append(ms, h)
	}
	if s.want.Last.Version > 0 {
		ms = append(ms, wantResult(s.want))
	}
	ms = append(ms, hardware.ReadBoard(s.site.Device.State))
	for _, p := range s.slots {
		if p.walls != nil {
			ms = append(ms, p.walls)
		}
		if p.heartbeat != nil {
			now := *p.heartbeat
			now.Delivering, now.ViewFault = now.Delivering && p.process != nil, p.sentFault
			hideActivity(&now)
			ms = append(ms, &now)
		}
	}
	return ms
}

// hideActivity takes out of a heartbeat for the uplink what tells how much passes: the
// load of the processor, which shows in delays and in the rate of a network. Numbers of pictures are rounded down to a power of two.
func hideActivity(h *ipc.Heartbeat) {
	h.LatencyP50, h.LatencyP95, h.Detection.Looks = 0, 0, 0
	for _, n := range []*uint64{&h.Pictures, &h.Undecoded, &h.Dropped} {
		if *n > 0 {
			*n = 1 << (bits.Len64(*n) - 1)
		}
	}
}

// handlePublisherRecord handles a record of the uplink. An error kills that process.
func (s *Supervisor) handlePublisherRecord(c *process.Process, m ipc.Record) error {
	switch m := m.(type) {
	case *ipc.Walls:
		s.mu.Lock()
		defer s.mu.Unlock()
		s.log.Info("speaking", "process", "uplink", "pid", c.Cmd.Process.Pid)
		s.publisherProcess, s.publisherWalls = c, m
		s.notifyIfReady()
		return nil
	case *ipc.Heartbeat:
		s.online.Store(m.Delivering)
		s.storeFault.Store(m.StoreFault)
		s.busy.Store(m.Busy)
		return nil
	case *ipc.Stored:
		s.queue.dropStored(m.N)
		s.markCutTold(m.N)
		return nil
	case *ipc.WantReceived:
		s.handleWantReceived()
		return nil
	case *ipc.SpoolFound:
		s.journal.WriteEntry("epoch", map[string]any{"reason": ipc.StartWord(m.Reason), "lost": m.Lost, "undelivered": m.Undelivered})
		return nil
	}
	return fmt.Errorf("it says what is not its own to say: %T", m)
}

// handlePublisherExit handles the end of the uplink process.
func (s *Supervisor) handlePublisherExit() {
	s.mu.Lock()
	s.publisherProcess = nil
	s.mu.Unlock()
	s.online.Store(false)
	s.storeFault.Store(false)
	s.busy.Store(false)
}
