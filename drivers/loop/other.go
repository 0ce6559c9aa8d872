//go:build !linux

package loop

import (
	"context"
	"fmt"
	"time"
)

// Port is a set of open lines. Only Linux has them.
type Port struct{}

// Open is refused: only Linux has GPIO line requests.
func Open([]Found, []Line, time.Duration) (*Port, error) {
	return nil, fmt.Errorf("%w: not linux", ErrRefused)
}

// Coarse is false.
func (p *Port) Coarse() bool { return false }

// Lines is empty.
func (p *Port) Lines() []string { return nil }

// Close does nothing.
func (p *Port) Close() error { return nil }

// ReadEdges is an error.
func (p *Port) ReadEdges(context.Context, []Edge) (int, time.Duration, error) {
	return 0, 0, ErrRefused
}

// Now is 0: there is no Port to compare with.
func Now() time.Duration { return 0 }

// clock runs since the lines were opened.
type clock struct{ start time.Time }

func newClock() clock { return clock{time.Now()} }

func (c clock) now() time.Duration { return time.Since(c.start) }
