package sensor

import (
	"context"
	"time"

	"kerb/agent/clock"
	"kerb/agent/policy"
	"kerb/agent/week"
	"kerb/counting"
)

// Schedule runs a sensor only in the hours in which the policy allows counting and
// the camera is open. Outside of them the sensor does not run: its camera is
// closed, not merely ignored.
type Schedule struct {
	closedReason func() counting.Reason // why counting is not allowed now; NoReason: it is
	interval     time.Duration          // between two readings of the clock
}

// NewSchedule returns the schedule of the policy's hours, narrowed by the camera's
// own spans (nil: always). read reads the clock. Where there are hours, the camera
// is closed while the clock is not synchronised.
func NewSchedule(p *policy.Policy, own week.Spans, read func() clock.Reading) Schedule {
	return Schedule{
		interval: policy.HoursMargin,
		closedReason: func() counting.Reason {
			r := read()
			return p.ClosedReason(own, r.Wall, r.Synced)
		},
	}
}

// Run runs the sensor in its hours until ctx ends. Outside of them it marks the
// sensor lost with the reason.
func (s Schedule) Run(ctx context.Context, c Sensor) {
	for ctx.Err() == nil {
		if why := s.closedReason(); why != counting.NoReason {
			c.MarkLost(why)
			s.waitInterval(ctx)
			continue
		}
		s.runOpenHours(ctx, c)
	}
}

// runOpenHours runs the sensor until its hours, its Run or ctx end.
func (s Schedule) runOpenHours(ctx context.Context, c Sensor) {
	on, off := context.WithCancel(ctx)
	watching := make(chan struct{})
	go func() {
		defer close(watching)
		defer off()
		for on.Err() == nil && s.closedReason() == counting.NoReason {
			s.waitInterval(on)
		}
	}()
	c.Run(on)
	off()
	<-watching
}

func (s Schedule) waitInterval(ctx context.Context) {
	select {
	case <-time.After(s.interval):
	case <-ctx.Done():
	}
}
