package main

import (
	"context"
	"time"

	"kerb/agent/clock"
	"kerb/agent/policy"
	"kerb/agent/week"
)

// shifts are the stretches of time in which the policy lets a sensor count, and
// its camera is open.
// Between them the sensor does not run at all: its camera is closed, not merely
// ignored.
type shifts struct {
	closed func() string // why nothing may be counted now: one word for the window; empty: it may
	every  time.Duration // between two looks at the clock
}

// look is how often the clock is looked at. A sensor stops at most so much
// before the end of its hours, never after it.
const look = 250 * time.Millisecond

// newShifts are the policy's hours, and within them the camera's own.
func newShifts(p *policy.Policy, own week.Shifts, read func() clock.Reading) shifts {
	return shifts{every: look, closed: func() string { return closed(p, own, read()) }}
}

// closed says why nothing may be counted at this time. A clock that cannot be
// believed cannot say that it is time: then, unless all hours are open, nothing
// is counted.
func closed(p *policy.Policy, own week.Shifts, r clock.Reading) string {
	within := func(open func(time.Time) bool) bool { return open(r.Wall) && open(r.Wall.Add(look)) }
	switch {
	case p.AlwaysOpen() && own == nil:
		return ""
	case !within(p.Open):
		return "closed"
	case !r.Synced:
		return "clock"
	case own != nil && !within(func(at time.Time) bool { return own.Open(at.In(p.Zone())) }):
		return "camera_closed"
	}
	return ""
}

// run lets the sensor count in its hours until the context ends.
func (s shifts) run(ctx context.Context, c counter) {
	for ctx.Err() == nil {
		if why := s.closed(); why != "" {
			c.lose(why)
			s.pause(ctx)
			continue
		}
		s.shift(ctx, c)
	}
}

// shift lets the sensor count until its hours, or the context, end.
func (s shifts) shift(ctx context.Context, c counter) {
	on, off := context.WithCancel(ctx)
	watching := make(chan struct{})
	go func() {
		defer close(watching)
		defer off()
		for on.Err() == nil && s.closed() == "" {
			s.pause(on)
		}
	}()
	c.run(on)
	off()
	<-watching
}

func (s shifts) pause(ctx context.Context) {
	select {
	case <-time.After(s.every):
	case <-ctx.Done():
	}
}
