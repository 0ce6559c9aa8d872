package loop

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"periph.io/x/conn/v3/gpio"
)

// Pins are lines read through periph: for kernels that refuse the line request,
// and for pins that are no kernel lines. Their edges have software timestamps,
// taken when Go wakes up, which are late by up to some milliseconds. Two edges
// within that time arrive as one edge to the old level: bounce and a short
// vehicle look the same. Pins do not remove bounce.
type Pins struct {
	names     []string
	pins      []gpio.PinIn
	edges     chan Edge
	stop      chan struct{}
	done      sync.WaitGroup
	clock     clock
	levels    []Edge
	timer     *time.Timer
	watermark time.Duration
}

// OpenPins configures the pins as inputs, line by line, and starts one goroutine
// a pin, which Close ends. It returns an error where the numbers of pins and lines
// differ or a pin refuses.
func OpenPins(pins []gpio.PinIn, lines []Line) (*Pins, error) {
	if len(pins) != len(lines) {
		return nil, fmt.Errorf("%d pins for %d lines", len(pins), len(lines))
	}
	p := &Pins{edges: make(chan Edge, 1024), stop: make(chan struct{}), clock: newClock(), timer: time.NewTimer(MaxWait)}
	for i, pin := range pins {
		pull := [...]gpio.Pull{PullUp: gpio.PullUp, PullDown: gpio.PullDown, NoBias: gpio.PullNoChange}
		p.pins = append(p.pins, pin) // before In, which may hold the line even where it fails
		if err := pin.In(pull[lines[i].Bias], gpio.BothEdges); err != nil {
			return nil, errors.Join(fmt.Errorf("line %s: %w", lines[i].Name, err), p.Close())
		}
		p.names = append(p.names, lines[i].Name)
		p.levels = append(p.levels, Edge{Line: i, On: bool(pin.Read()) == lines[i].ActiveHigh, At: p.clock.now(), Level: true})
	}
	for i, pin := range pins {
		p.done.Go(func() { p.watchPin(i, pin, lines[i].ActiveHigh) })
	}
	return p, nil
}

// watchPin sends the pin's edges to the channel until Close.
func (p *Pins) watchPin(line int, pin gpio.PinIn, activeHigh bool) {
	var missed uint32
	for {
		select {
		case <-p.stop:
			return
		default:
		}
		// Not -1: periph's gpioioctl returns from that at once (host#78).
		if !pin.WaitForEdge(MaxWait) {
			continue
		}
		at := p.clock.now()
		on := bool(pin.Read()) == activeHigh
		// The level can be the old one: the contact changed twice before this read.
		select {
		case p.edges <- Edge{Line: line, On: on, At: at, Missed: missed}:
			missed = 0
		default: // the channel is full
			missed++
		}
	}
}

// SoftwareTimed is true: the edges have software timestamps.
func (p *Pins) SoftwareTimed() bool { return true }

// LineNames are the names of the lines, in order.
func (p *Pins) LineNames() []string { return p.names }

// Close ends the goroutines, waits for them and releases the pins.
func (p *Pins) Close() error {
	close(p.stop)
	var errs []error
	for _, pin := range p.pins {
		errs = append(errs, pin.Halt())
	}
	p.done.Wait()
	for _, pin := range p.pins {
		if c, ok := pin.(interface{ Close() }); ok { // gpioioctl holds the line until then
			c.Close()
		}
	}
	return errors.Join(errs...)
}

// ReadEdges waits for edges, at most MaxWait, and fills dst in the order in which
// Go noticed them. now is the time of the look, or that of the last edge where dst
// was too small. It does not allocate.
func (p *Pins) ReadEdges(ctx context.Context, dst []Edge) (n int, now time.Duration, err error) {
	if len(p.levels) > 0 {
		n = copy(dst, p.levels)
		p.levels = p.levels[n:]
		p.watermark = dst[n-1].At
		return n, p.watermark, nil
	}
	p.timer.Reset(MaxWait)
	select {
	case <-ctx.Done():
		return 0, p.watermark, ctx.Err()
	case <-p.timer.C:
	case dst[0] = <-p.edges:
		n = 1
	}
	now = p.clock.now()
	for n < len(dst) {
		select {
		case dst[n] = <-p.edges:
			n++
			continue
		default:
		}
		p.watermark = max(p.watermark, now)
		return n, p.watermark, nil
	}
	p.watermark = max(p.watermark, dst[n-1].At)
	return n, p.watermark, nil
}
