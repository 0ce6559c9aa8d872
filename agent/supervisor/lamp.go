package supervisor

import (
	"context"
	"time"

	"kerb/agent/config"
	"kerb/counting"
	"kerb/drivers/lamp"
	loopdriver "kerb/drivers/loop"
)

// runLamp blinks on the site's lamp what the agent is doing, until the context
// ends. A lamp that is not there stops nothing.
func (s *Supervisor) runLamp(ctx context.Context) {
	if s.Site.Lamp.GPIO == "" {
		return
	}
	pin, err := lampPin(s.Site.Lamp)
	if err != nil {
		s.Log.Warn("no lamp", "err", err)
		return
	}
	l := lamp.New(pin, s.Site.Lamp.ActiveLow)
	done := make(chan error, 1)
	go func() { done <- l.Run(ctx) }()
	for tick := time.NewTicker(time.Second); ; {
		l.SetCode(s.lampCode())
		select {
		case <-tick.C:
		case err := <-done:
			tick.Stop()
			if ctx.Err() == nil {
				s.Log.Warn("lamp failed", "err", err)
			}
			return
		}
	}
}

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

// code is what the lamp says: a sensor that does not deliver before one that
// shows nothing that could be counted, and that before a broker that is not
// reached. Outside the policy's hours, and a camera's own, nothing has to deliver.
func (s *Supervisor) lampCode() lamp.Code {
	r := s.Clock.ReadAll()
	s.mu.Lock()
	defer s.mu.Unlock()
	unsighted := false
	for _, p := range s.slots {
		open := s.Policy.ClosedReason(p.hours, r.Wall, r.Synced) == counting.NoReason
		if open && !p.aimed && (p.process == nil || p.heartbeat == nil || !p.heartbeat.Watching) {
			return lamp.Fault
		}
		unsighted = unsighted || open && !p.aimed && p.heartbeat != nil && counting.ViewFault(p.heartbeat.View) != counting.ViewGood
	}
	if unsighted {
		return lamp.Unsighted
	}
	if s.publishing == nil || !s.online.Load() {
		return lamp.Offline
	}
	return lamp.Counting
}
