// Package button waits until a push button on a GPIO line is held for some seconds.
//
// It refuses a line that is active when it is opened: a shorted wire, or a button that
// is still held from the time before, counts after it was released only.
package button

import (
	"context"
	"fmt"
	"time"

	"kerb/drivers/loop"
)

// The times of the button, chosen by hand.
const (
	Hold     = 3 * time.Second       // longer than a hand that slips, or a lorry that shakes the cabinet
	Debounce = 20 * time.Millisecond // a contact bounces for a few milliseconds
)

// Open opens the line of a push button between the line and ground, with the pull-up
// resistor of the chip. chip is empty or its label, as in loop.Line. The error is that of
// loop.OpenLines: no such line, or a line that another program has.
func Open(chip, name string) (loop.Reader, error) {
	r, err := loop.OpenLines([]loop.Line{{Chip: chip, Name: name, Bias: loop.PullUp}}, Debounce)
	if err != nil {
		return nil, fmt.Errorf("button: %w", err)
	}
	return r, nil
}

// Edges is the part of a loop.Reader that WaitHeld needs.
type Edges interface {
	ReadEdges(ctx context.Context, dst []loop.Edge) (n int, now time.Duration, err error)
}

// WaitHeld returns nil once the line, the only one of r, was active for the time hold without
// a break. The error is that of r, or of ctx.
func WaitHeld(ctx context.Context, r Edges, hold time.Duration) error {
	var buf [16]loop.Edge
	var since time.Duration // when it was pressed
	pressed := false
	for {
		n, now, err := r.ReadEdges(ctx, buf[:])
		for _, e := range buf[:n] {
			if pressed && e.Missed == 0 && e.At-since >= hold {
				return nil
			}
			since, pressed = e.At, e.On && !e.Level
		}
		if pressed && now-since >= hold {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
