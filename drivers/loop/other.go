//go:build !linux

package loop

import (
	"context"
	"fmt"
	"time"
)

// Port is a set of open lines. Only Linux has it.
type Port struct{}

// OpenPort returns ErrRefused: only Linux has GPIO line requests.
func OpenPort([]FoundLine, []Line, time.Duration) (*Port, error) {
	return nil, fmt.Errorf("%w: not linux", ErrRefused)
}

// SoftwareTimed is false.
func (p *Port) SoftwareTimed() bool { return false }

// LineNames is empty.
func (p *Port) LineNames() []string { return nil }

// Close has no effect.
func (p *Port) Close() error { return nil }

// ReadEdges returns ErrRefused.
func (p *Port) ReadEdges(context.Context, []Edge) (int, time.Duration, error) {
	return 0, 0, ErrRefused
}

// MonotonicNow is 0: there is no Port whose edges could be compared with it.
func MonotonicNow() time.Duration { return 0 }

// clock is the time since the lines were opened.
type clock struct{ start time.Time }

// newClock starts a clock.
func newClock() clock { return clock{time.Now()} }

// now is the time since newClock.
func (c clock) now() time.Duration { return time.Since(c.start) }
