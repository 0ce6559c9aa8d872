package loop

import (
	"time"

	"golang.org/x/sys/unix"
)

// clock reads CLOCK_MONOTONIC, the edges' clock, through Go's own monotonic
// clock, which is the same one without a system call.
type clock struct {
	bootOffset time.Duration
	start      time.Time
}

// MonotonicNow is the time of CLOCK_MONOTONIC, the clock of a Port's edges.
func MonotonicNow() time.Duration { return newClock().now() }

// newClock reads CLOCK_MONOTONIC once, as the offset of Go's own clock.
func newClock() clock {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		panic(err) // every Linux has it
	}
	return clock{bootOffset: time.Duration(ts.Nano()), start: time.Now()}
}

// now is the time of CLOCK_MONOTONIC.
func (c clock) now() time.Duration { return c.bootOffset + time.Since(c.start) }
