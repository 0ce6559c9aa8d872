package supervisor

import (
	"context"
	"slices"
	"time"

	"kerb/agent/config"
	"kerb/agent/ipc"
	"kerb/counting"
	"kerb/drivers/lamp"
	loopdriver "kerb/drivers/loop"
)

// lampInterval is the time between two decisions which code the lamp shows.
const lampInterval = time.Second

// runLamp shows the condition of the agent on the site's lamp until ctx ends. A
// lamp that cannot be opened, or fails later, is logged and stops no counting.
func (s *Supervisor) runLamp(ctx context.Context) {
	if s.site.Lamp.GPIO == "" {
		return
	}
	pin, err := lampPin(s.site.Lamp)
	if err != nil {
		s.log.Warn("no lamp", "err", err)
		return
	}
	l := lamp.New(pin, s.site.Lamp.ActiveLow)
	done := make(chan error, 1)
	go func() { done <- l.Run(ctx) }()
	for tick := time.NewTicker(lampInterval); ; {
		l.SetCode(s.lampCode())
		select {
		case <-tick.C:
		case err := <-done:
			tick.Stop()
			if ctx.Err() == nil {
				s.log.Warn("lamp failed", "err", err)
			}
			return
		}
	}
}

// lampPin returns the GPIO line of the lamp as an output.
func lampPin(c config.Lamp) (lamp.Pin, error) {
	all, err := loopdriver.ListLines()
	if err != nil {
		return nil, err
	}
	found, err := loopdriver.FindLines(all, []loopdriver.Line{{Chip: c.Chip, Name: c.GPIO}})
	if err != nil {
		return nil, err
	}
	return found[0].PeriphPin(), nil
}

// lampCode returns the most urgent code that holds, in the order of package lamp.
func (s *Supervisor) lampCode() lamp.Code {
	h := s.assessSensors()
	switch {
	case h.lost || h.loopFailed || s.storeFault.Load():
		return lamp.Fault
	case h.aiming:
		return lamp.Aiming
	case h.unsighted:
		return lamp.Unsighted
	case !s.isOnline():
		return lamp.Offline
	case s.busy.Load():
		return lamp.Busy
	}
	return lamp.Counting
}

// sensorHealth is the condition of all sensors together.
type sensorHealth struct {
	lost       bool // a sensor that should deliver does not
	loopFailed bool // a fault stops the counting of a loop
	aiming     bool // kerb aim has a camera
	unsighted  bool // the view of a camera is spoilt
}

// assessSensors returns the condition of the sensors. A sensor has to deliver
// unless kerb aim has it, or the hours of the policy or of the camera are closed.
func (s *Supervisor) assessSensors() (h sensorHealth) {
	r := s.clock.ReadAll()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.slots {
		if p.aimed {
			h.aiming = true
			continue
		}
		if s.policy.ClosedReason(p.hours, r.Wall, r.Synced) != counting.NoReason {
			continue
		}
		h.lost = h.lost || !p.isDelivering()
		h.loopFailed = h.loopFailed || p.hasFailedLoop()
		h.unsighted = h.unsighted || p.heartbeat != nil && counting.ViewFault(p.heartbeat.ViewFault) != counting.ViewGood
	}
	return h
}

// isOnline reports whether the uplink runs and has a broker.
func (s *Supervisor) isOnline() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.publisherProcess != nil && s.online.Load()
}

// isDelivering reports whether the process of a slot runs and its camera or loops
// deliver. It is called under the supervisor's lock.
func (p *slot) isDelivering() bool {
	return p.process != nil && p.heartbeat != nil && p.heartbeat.Delivering
}

// setLoopFault notes the beginning or the end of a fault that stops the counting
// of a loop, one of so many lines. The heartbeat of the loops does not tell it. It
// is called under the supervisor's lock.
func (p *slot) setLoopFault(f *ipc.LoopFault, lines int) {
	if !f.IsFailure() || int(f.Line) >= lines {
		return
	}
	if p.lineFaults == nil {
		p.lineFaults = make([]uint16, lines)
	}
	if f.On {
		p.lineFaults[f.Line] |= f.FaultBit
	} else {
		p.lineFaults[f.Line] &^= f.FaultBit
	}
}

// hasFailedLoop reports whether a fault stops the counting of a loop. It is called
// under the supervisor's lock.
func (p *slot) hasFailedLoop() bool {
	return slices.ContainsFunc(p.lineFaults, func(bits uint16) bool { return bits != 0 })
}
