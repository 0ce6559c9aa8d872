package sensor

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
type Shifts struct {
	Closed func() string // why nothing may be counted now: one word for the window; empty: it may
	Every  time.Duration // between two looks at the clock
}

// newShifts are the policy's hours, and within them the camera's own.
func NewShifts(p *policy.Policy, own week.Shifts, read func() clock.Reading) Shifts {
	return Shifts{Every: policy.HoursMargin, Closed: func() string { r := read(); return p.ClosedReason(own, r.Wall, r.Synced) }}
}

// run lets the sensor count in its hours until the context ends.
func (s Shifts) Run(ctx context.Context, c Counter) {
	for ctx.Err() == nil {
		if why := s.Closed(); why != "" {
			c.Lose(why)
			s.Pause(ctx)
			continue
		}
		s.shift(ctx, c)
	}
}

// shift lets the sensor count until its hours, or the context, end.
func (s Shifts) shift(ctx context.Context, c Counter) {
	on, off := context.WithCancel(ctx)
	watching := make(chan struct{})
	go func() {
		defer close(watching)
		defer off()
		for on.Err() == nil && s.Closed() == "" {
			s.Pause(on)
		}
	}()
	c.Run(on)
	off()
	<-watching
}

func (s Shifts) Pause(ctx context.Context) {
	select {
	case <-time.After(s.Every):
	case <-ctx.Done():
	}
}
