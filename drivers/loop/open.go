package loop

import (
	"context"
	"errors"
	"fmt"
	"time"

	"periph.io/x/conn/v3/gpio"
)

// Reader is a set of open lines, as Port and Pins are.
type Reader interface {
	ReadEdges(ctx context.Context, dst []Edge) (n int, now time.Duration, err error)
	SoftwareTimed() bool // the edges have software timestamps, not the kernel's
	LineNames() []string
	Close() error
}

// OpenLines finds the lines and opens them: with the kernel's timestamps
// (OpenPort), or where the kernel refuses that, with software timestamps
// (OpenPins). debounce is that of OpenPort. Its error lists all missing lines.
func OpenLines(lines []Line, debounce time.Duration) (Reader, error) {
	all, err := ListLines()
	if err != nil {
		return nil, err
	}
	found, err := FindLines(all, lines)
	if err != nil {
		return nil, err
	}
	port, refused := OpenPort(found, lines, debounce)
	if refused == nil {
		return port, nil
	}
	if !errors.Is(refused, ErrRefused) {
		return nil, refused
	}
	var pins []gpio.PinIn
	for _, f := range found {
		pins = append(pins, f.PeriphPin())
	}
	p, err := OpenPins(pins, lines)
	if err != nil {
		return nil, fmt.Errorf("%w; then through periph: %w", refused, err)
	}
	return p, nil
}
