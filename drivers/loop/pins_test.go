package loop_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"periph.io/x/conn/v3/gpio"

	"kerb/drivers/loop"
)

// pin is a periph pin whose edges come from a channel.
type pin struct {
	gpio.PinIn
	level   atomic.Bool
	edges   chan gpio.Level
	refuses error // of In
	closed  bool
}

func (p *pin) In(gpio.Pull, gpio.Edge) error { return p.refuses }
func (p *pin) Halt() error                   { return nil }
func (p *pin) Close()                        { p.closed = true }
func (p *pin) Read() gpio.Level              { return gpio.Level(p.level.Load()) }

func (p *pin) WaitForEdge(d time.Duration) bool {
	select {
	case l := <-p.edges:
		p.level.Store(bool(l))
		return true
	case <-time.After(d):
		return false
	}
}

func TestPinsGiveBothEdgesAndAreCoarse(t *testing.T) {
	pin := &pin{edges: make(chan gpio.Level)}
	pin.level.Store(true)
	p, err := loop.OpenPins([]gpio.PinIn{pin}, []loop.Line{{Name: "GPIO17"}})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if !p.SoftwareTimed() || p.LineNames()[0] != "GPIO17" {
		t.Errorf("coarse = %v, lines = %v", p.SoftwareTimed(), p.LineNames())
	}
	next := func() loop.Edge {
		var buf [1]loop.Edge
		for {
			n, now, err := p.ReadEdges(context.Background(), buf[:])
			if err != nil {
				t.Fatal(err)
			}
			if n == 1 {
				if buf[0].At > now {
					t.Errorf("edge at %v, but now is %v", buf[0].At, now)
				}
				return buf[0]
			}
		}
	}
	if e := next(); !e.Level || e.On {
		t.Errorf("at opening: %+v, want the level off", e)
	}
	pin.edges <- gpio.Low // active: the contact pulls down
	if e := next(); !e.On || e.Level || e.Missed != 0 {
		t.Errorf("first edge: %+v, want on", e)
	}
	pin.edges <- gpio.Low // bounce: off and on again before anyone looked
	if e := next(); !e.On || e.Missed != 0 {
		t.Errorf("bounce: %+v, want on and none missed", e)
	}
	pin.edges <- gpio.High
	if e := next(); e.On || e.Missed != 0 {
		t.Errorf("last edge: %+v, want off", e)
	}
}

func TestPinsOfTheWrongNumberAreRefused(t *testing.T) {
	if _, err := loop.OpenPins(nil, []loop.Line{{Name: "a"}}); err == nil {
		t.Error("no pin for a line was accepted")
	}
}

func TestAllPinsAreClosedWhenOneRefuses(t *testing.T) {
	good, bad, unused := &pin{}, &pin{refuses: errors.New("busy")}, &pin{}
	lines := []loop.Line{{Name: "a"}, {Name: "b"}, {Name: "c"}}
	if _, err := loop.OpenPins([]gpio.PinIn{good, bad, unused}, lines); err == nil || err.Error() != "line b: busy" {
		t.Errorf("error %v", err)
	}
	if !good.closed || !bad.closed || unused.closed {
		t.Errorf("closed: %v, %v, %v; the first two must be", good.closed, bad.closed, unused.closed)
	}
}
