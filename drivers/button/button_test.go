package button

import (
	"errors"
	"io"
	"testing"
	"time"

	"kerb/drivers/loop"
	"kerb/drivers/loop/looptest"
)

func TestAButtonCountsWhenItWasHeldWithoutABreak(t *testing.T) {
	on := func(at time.Duration) loop.Edge { return loop.Edge{On: true, At: at} }
	off := func(at time.Duration) loop.Edge { return loop.Edge{At: at} }
	level := loop.Edge{On: true, At: time.Second, Level: true}
	lost := loop.Edge{On: true, At: 5 * time.Second, Missed: 2}
	batch := func(now time.Duration, es ...loop.Edge) looptest.Batch {
		return looptest.Batch{Edges: es, Now: now}
	}
	for what, c := range map[string]struct {
		batches []looptest.Batch
		held    bool
	}{
		"held":                         {[]looptest.Batch{batch(time.Second, on(time.Second)), batch(3900 * time.Millisecond), batch(4 * time.Second)}, true},
		"held, and told in one go":     {[]looptest.Batch{batch(9*time.Second, on(time.Second), off(4*time.Second))}, true},
		"let go too soon":              {[]looptest.Batch{batch(4*time.Second, on(time.Second), off(3999*time.Millisecond)), batch(9 * time.Second)}, false},
		"twice, and neither long":      {[]looptest.Batch{batch(5*time.Second, on(time.Second), off(3*time.Second), on(3100*time.Millisecond)), batch(6 * time.Second)}, false},
		"a second time, and long":      {[]looptest.Batch{batch(7*time.Second, on(time.Second), off(3*time.Second), on(4*time.Second))}, true},
		"a wire that is shorted":       {[]looptest.Batch{batch(time.Second, level), batch(time.Hour)}, false},
		"still held from before":       {[]looptest.Batch{batch(time.Second, level), batch(9*time.Second, off(8*time.Second), on(9*time.Second)), batch(12 * time.Second)}, true},
		"edges were lost in the press": {[]looptest.Batch{batch(5*time.Second, on(time.Second), lost), batch(7 * time.Second)}, false},
	} {
		err := WaitHeld(t.Context(), looptest.NewPlayback(t, c.batches...), Hold)
		if c.held != (err == nil) || !c.held && !errors.Is(err, io.EOF) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
