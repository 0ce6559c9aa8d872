package probe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"kerb/agent/config"
	"kerb/agent/source"
	"kerb/drivers/lamp"
	loopdriver "kerb/drivers/loop"
)

// LineFacts tells whether a loop line of site.toml changed while kerb probe waited.
type LineFacts struct {
	Name string `json:"name"`
	GPIO string `json:"gpio,omitempty"`
	Edge bool   `json:"edge"`            // its level changed
	On   bool   `json:"on"`              // at the last change: covered; of a fault relay: dropped
	Why  string `json:"error,omitempty"` // why the lines could not be read
}

// Describe says it in words.
func (f LineFacts) Describe() string {
	switch {
	case f.Why != "":
		return f.Why
	case !f.Edge:
		return "no edge: no vehicle came, or the wire or the pin is another"
	case f.On:
		return "an edge: it is on now"
	}
	return "an edge: it is off now"
}

// WaitForEdges opens the loop lines and waits until each has had an edge, at most for
// wait. Lines that cannot be opened, such as those that kerb run has, tell why.
func WaitForEdges(ctx context.Context, conf config.Loops, wait time.Duration) []LineFacts {
	facts := make([]LineFacts, len(conf.Lines))
	for i, l := range conf.Lines {
		facts[i] = LineFacts{Name: l.Name, GPIO: l.GPIO}
	}
	if err := readEdges(ctx, conf, wait, facts); err != nil {
		for i := range facts {
			facts[i].Why = err.Error()
		}
	}
	return facts
}

// readEdges notes the edges in facts.
func readEdges(ctx context.Context, conf config.Loops, wait time.Duration, facts []LineFacts) error {
	src, err := source.OpenLoops(conf)
	if err != nil {
		return fmt.Errorf("%w: does kerb run, or another program, have them?", err)
	}
	defer src.Close()
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	seen := 0
	for edges := make([]loopdriver.Edge, 64); seen < len(facts); {
		n, _, err := src.ReadEdges(ctx, edges)
		for _, e := range edges[:n] {
			f := &facts[e.Line]
			f.On = e.On
			if !e.Level && !f.Edge {
				f.Edge = true
				seen++
			}
		}
		if ctx.Err() != nil || errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// blinkTime is how long BlinkLamp shows the fault's code, five flashes a second: long
// enough to look up, and unlike the other codes. Chosen by hand.
const blinkTime = 3 * time.Second

// BlinkLamp flashes the lamp of site.toml for three seconds.
func BlinkLamp(ctx context.Context, c config.Lamp) error {
	all, err := loopdriver.ListLines()
	if err != nil {
		return err
	}
	found, err := loopdriver.FindLines(all, []loopdriver.Line{{Chip: c.Chip, Name: c.GPIO}})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, blinkTime)
	defer cancel()
	l := lamp.New(found[0].PeriphPin(), c.ActiveLow)
	l.SetCode(lamp.Fault)
	if err := l.Run(ctx); err != nil && ctx.Err() == nil {
		return fmt.Errorf("%w: does kerb run have it?", err)
	}
	return nil
}
