package main

import (
	"context"
	"time"

	"kerb/agent/config"
	"kerb/counting/vision/health"
	"kerb/drivers/lamp"
	loopdriver "kerb/drivers/loop"
)

// shine blinks on the site's lamp what the agent is doing, until the context
// ends. A lamp that is not there stops nothing.
func (s *supervisor) shine(ctx context.Context) {
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
	for tick := time.NewTicker(time.Second); ; {
		l.Show(s.code())
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

func lampPin(c config.Lamp) (lamp.Pin, error) {
	all, err := loopdriver.Lines()
	if err != nil {
		return nil, err
	}
	found, err := loopdriver.Find(all, []loopdriver.Line{{Chip: c.Chip, Name: c.GPIO}})
	if err != nil {
		return nil, err
	}
	return found[0].Pin(), nil
}

// code is what the lamp says: a sensor that does not deliver before one that
// shows nothing that could be counted, and that before a broker that is not
// reached. Outside the policy's hours, and a camera's own, nothing has to deliver.
func (s *supervisor) code() lamp.Code {
	r := s.clock.Read()
	s.mu.Lock()
	defer s.mu.Unlock()
	unsighted := false
	for _, p := range s.posts {
		open := closed(s.policy, p.hours, r) == ""
		if open && !p.aimed && (p.child == nil || p.alive == nil || !p.alive.Watching) {
			return lamp.Fault
		}
		unsighted = unsighted || open && !p.aimed && p.alive != nil && health.Fault(p.alive.View) != health.Good
	}
	if unsighted {
		return lamp.Unsighted
	}
	if s.speaking == nil || !s.online.Load() {
		return lamp.Offline
	}
	return lamp.Counting
}
