// Package lamp blinks a code for the device's state on one LED, for a technician
// in front of the cabinet without a screen. The caller decides which code holds.
// It never follows traffic: a lamp that followed a loop would let passers-by read
// the counts. Busy tells what an event of an operational policy has told already.
//
//	code      meaning                                   the lamp
//	Counting  all is well                               one short flash every 3 s
//	Busy      an alert of the policy is on               a flash of a second every 3 s
//	Offline   counting, but the broker is not reached   two short flashes every 3 s
//	Unsighted a camera's view is spoilt: see its event  three short flashes every 3 s
//	Fault     a loop, a camera or the store has failed  five flashes a second, without end
//	Aiming    commissioning: the page is open           half a second on, half a second off
//	Dark      stopped                                   off
//
// A lamp that is off or on for longer than 3 s means that kerb does not run.
package lamp

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"periph.io/x/conn/v3/gpio"
)

// Code is a state of the device that the lamp can show.
type Code uint32

// The codes, in order of urgency: a device shows the highest that holds.
const (
	Dark Code = iota
	Counting
	Busy
	Offline
	Unsighted
	Aiming
	Fault
)

var codeNames = [...]string{"dark", "counting", "busy", "offline", "unsighted", "aiming", "fault"}

// String is the word of the code, such as "counting".
func (c Code) String() string {
	if int(c) < len(codeNames) {
		return codeNames[c]
	}
	return fmt.Sprintf("code(%d)", uint32(c))
}

// The times of the patterns, chosen by hand.
const (
	flashTime  = 80 * time.Millisecond  // a short flash
	longTime   = time.Second            // a long flash
	roundTime  = 3 * time.Second        // a round of short flashes
	fastTime   = 100 * time.Millisecond // on, and off: five flashes a second
	aimingTime = 500 * time.Millisecond // on, and off
)

// blinkPattern is the on, off, on, off… times of one round.
func (c Code) blinkPattern() []time.Duration {
	switch c {
	case Counting:
		return []time.Duration{flashTime, roundTime - flashTime}
	case Busy:
		return []time.Duration{longTime, roundTime - longTime}
	case Offline:
		return []time.Duration{flashTime, 3 * flashTime, flashTime, roundTime - 5*flashTime}
	case Unsighted:
		return []time.Duration{flashTime, 3 * flashTime, flashTime, 3 * flashTime, flashTime, roundTime - 9*flashTime}
	case Aiming:
		return []time.Duration{aimingTime, aimingTime}
	case Fault:
		return []time.Duration{fastTime, fastTime}
	}
	return []time.Duration{0, time.Second}
}

// Pin is the output of the lamp: a periph pin, such as that of a loop.Found.
type Pin interface {
	Out(gpio.Level) error
}

// Lamp blinks an LED. It is safe for concurrent use.
type Lamp struct {
	pin       Pin
	activeLow bool
	code      atomic.Uint32
	changed   chan struct{}
}

// New makes a dark lamp on a pin. activeLow: the LED shines when the pin is low.
func New(pin Pin, activeLow bool) *Lamp {
	return &Lamp{pin: pin, activeLow: activeLow, changed: make(chan struct{}, 1)}
}

// SetCode changes the code at once.
func (l *Lamp) SetCode(c Code) {
	if l.code.Swap(uint32(c)) == uint32(c) {
		return
	}
	select {
	case l.changed <- struct{}{}:
	default:
	}
}

// Run blinks until ctx ends and leaves the lamp dark. It returns the error of the
// pin, if any.
func (l *Lamp) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		select {
		case <-l.changed: // the load below reads the new code
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

// blinkOnce shows one round of the code's pattern, cut short when the code changes.
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

// switchLED switches the LED on or off.
func (l *Lamp) switchLED(on bool) error { return l.pin.Out(gpio.Level(on != l.activeLow)) }
