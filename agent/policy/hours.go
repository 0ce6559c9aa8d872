package policy

import (
	"time"

	"kerb/agent/week"
	"kerb/counting"
)

// HoursMargin is the interval at which a sensor compares the clock with its
// hours. It stops up to one margin before the end of the hours and never after.
const HoursMargin = 250 * time.Millisecond

// ClosedReason returns the reason word why no counting is allowed at the wall
// time now, or "" where it is allowed. own holds the camera's own hours, nil for
// none. While the clock is not synchronised, counting is allowed only where all
// hours are open, because the hour is then unknown.
func (p *Policy) ClosedReason(own week.Spans, now time.Time, synced bool) counting.Reason {
	within := func(open func(time.Time) bool) bool { return open(now) && open(now.Add(HoursMargin)) }
	switch {
	case p.AlwaysOpen() && own == nil:
		return counting.NoReason
	case !within(p.OpenAt):
		return counting.ReasonClosed
	case !synced:
		return counting.ReasonClock
	case own != nil && !within(func(at time.Time) bool { return own.Contains(at.In(p.TimeZone())) }):
		return counting.ReasonCameraClosed
	}
	return counting.NoReason
}
