// Package lamp blinks what the device is doing on one LED, for someone in front
// of the cabinet who has nothing else. It never shows traffic: a lamp that
// followed a loop would tell passers-by what is counted.
//
//	code      meaning                                   the lamp
//	Counting  all is well                               one short flash every 3 s
//	Offline   counting, but the broker is not reached   two short flashes every 3 s
//	Unsighted a camera's view is spoilt: see its event  three short flashes every 3 s
//	Fault     a loop, a camera or the store has failed  five flashes a second, without end
//	Aiming    commissioning: the page is open           half a second on, half a second off
//	Dark      stopped                                   off
//
// A lamp that is off or on for longer than 3 s means that nobody runs it.
package lamp

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"periph.io/x/conn/v3/gpio"
)

// Code is what the lamp says.
type Code uint32

// The codes, by urgency: a device shows the greatest that is true.
const (
	Dark Code = iota
	Counting
	Offline
	Unsighted
	Aiming
	Fault
)

var codeNames = [...]string{"dark", "counting", "offline", "unsighted", "aiming", "fault"}

func (c Code) String() string {
	if int(c) < len(codeNames) {
		return codeNames[c]
	}
	return fmt.Sprintf("code(%d)", uint32(c))
}

const flashTime = 80 * time.Millisecond

// blinkPattern is on, off, on, off… of one round.
func (c Code) blinkPattern() []time.Duration {
	switch c {
	case Counting:
		return []time.Duration{flashTime, 3*time.Second - flashTime}
	case Offline:
		return []time.Duration{flashTime, 3 * flashTime, flashTime, 3*time.Second - 5*flashTime}
	case Unsighted:
		return []time.Duration{flashTime, 3 * flashTime, flashTime, 3 * flashTime, flashTime, 3*time.Second - 9*flashTime}
	case Aiming:
		return []time.Duration{500 * time.Millisecond, 500 * time.Millisecond}
	case Fault:
		return []time.Duration{100 * time.Millisecond, 100 * time.Millisecond}
	}
	return []time.Duration{0, time.Second}
}

// Pin is the output: a periph pin, such as loop.Found gives.
type Pin interface {
	Out(gpio.Level) error
}

// Lamp blinks. Show may be called from anywhere.
type Lamp struct {
	pin       Pin
	activeLow bool
	code      atomic.Uint32
	changed   chan struct{}
}

// New is a dark lamp on a pin. activeLow: the LED shines when the pin is low.
func New(pin Pin, activeLow bool) *Lamp {
	return &Lamp{pin: pin, activeLow: activeLow, changed: make(chan struct{}, 1)}
}

// Show changes what the lamp says, at once.
func (l *Lamp) Show(c Code) {
	if l.code.Swap(uint32(c)) == uint32(c) {
		return
	}
	select {
	case l.changed <- struct{}{}:
	default:
	}
}

// Run blinks until ctx ends, and leaves the lamp dark. An error is the pin's.
func (l *Lamp) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		select {
		case <-l.changed: // the code below is the new one
		default:
		}
		if err := l.blinkOnce(ctx, Code(l.code.Load())); err != nil {
			l.switchLED(false)
			return fmt.Errorf("status lamp: %w", err)
		}
	}
	if err := l.switchLED(false); err != nil {
		return fmt.Errorf("status lamp: %w", err)
	}
	return nil
}

// blinkOnce is one round of a pattern, cut short when the code changes.
func (l *Lamp) blinkOnce(ctx context.Context, c Code) error {
	for i, d := range c.blinkPattern() {
		if d == 0 {
			continue
		}
		if err := l.switchLED(i%2 == 0); err != nil {
			return err
		}
		wait := time.NewTimer(d)
		select {
		case <-wait.C:
		case <-l.changed:
			wait.Stop()
			return nil
		case <-ctx.Done():
			wait.Stop()
			return nil
		}
	}
	return nil
}

func (l *Lamp) switchLED(on bool) error { return l.pin.Out(gpio.Level(on != l.activeLow)) }
