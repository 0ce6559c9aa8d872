package sensor

import (
	"context"
	"time"

	"kerb/agent/clock"
	"kerb/agent/policy"
	"kerb/agent/week"
	"kerb/counting"
)

// shifts are the stretches of time in which the policy lets a sensor count, and
// its camera is open.
// Between them the sensor does not run at all: its camera is closed, not merely
// ignored.
type Schedule struct {
	Closed   func() counting.Reason // why nothing may be counted now: one word for the window; empty: it may
	Interval time.Duration          // between two looks at the clock
}

// newShifts are the policy's hours, and within them the camera's own.
func NewSchedule(p *policy.Policy, own week.Spans, read func() clock.Reading) Schedule {
	return Schedule{Interval: policy.HoursMargin, Closed: func() counting.Reason { r := read(); return p.ClosedReason(own, r.Wall, r.Synced) }}
}

// run lets the sensor count in its hours until the context ends.
func (s Schedule) Run(ctx context.Context, c Sensor) {
	for ctx.Err() == nil {
		if why := s.Closed(); why != counting.NoReason {
			c.MarkLost(why)
			s.wait(ctx)
			continue
		}
		s.runOpenHours(ctx, c)
	}
}

// runOpenHours lets the sensor count until its hours, or the context, end.
func (s Schedule) runOpenHours(ctx context.Context, c Sensor) {
	on, off := context.WithCancel(ctx)
	watching := make(chan struct{})
	go func() {
		defer close(watching)
		defer off()
		for on.Err() == nil && s.Closed() == counting.NoReason {
			s.wait(on)
		}
	}()
	c.Run(on)
	off()
	<-watching
}

func (s Schedule) wait(ctx context.Context) {
	select {
	case <-time.After(s.Interval):
	case <-ctx.Done():
	}
}
