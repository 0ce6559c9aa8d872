package loop_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"kerb/counting/loop"
)

// told is all that windows and faults of the equipment say without noise.
func told(r outcome) string {
	var b strings.Builder
	for _, w := range r.Windows {
		fmt.Fprintln(&b, w.Stream, w.Start, w.Quality, w.Reason, w.Observed)
	}
	for _, e := range r.Events {
		if e.Fault != loop.Slow && e.Fault != loop.Standing {
			fmt.Fprintln(&b, e)
		}
	}
	return b.String()
}

// firstDifference shows the first line in which two texts differ.
func firstDifference(a, b string) string {
	as, bs := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(as), len(bs)) {
		if as[i] != bs[i] {
			return fmt.Sprintf("%q, not %q", bs[i], as[i])
		}
	}
	return fmt.Sprintf("%d lines, not %d", len(bs), len(as))
}

// One vehicle that stands on a loop for hours, on one of two or on a single one, changes
// counts alone: what is told without noise is the same as without it. Others who pass
// it on a pair are counted.
func TestOneParkedVehicleIsToldByNothingWithoutNoise(t *testing.T) {
	const hours = 4
	play := func(stuck time.Duration, parked ...int) outcome {
		o := street()
		o.Limits = loop.DefaultLimits()
		o.Limits.Daily = false
		o.Limits.StuckOn = stuck
		var edges []loop.Edge
		for at := time.Minute; at < hours*time.Hour; at += time.Minute { // others pass over the pair's second loop
			edges = append(edges, loop.Edge{Line: 1, On: true, At: at}, loop.Edge{Line: 1, At: at + 600*time.Millisecond})
			if !slices.Contains(parked, 0) || at < 10*time.Minute || at > 3*time.Hour {
				edges = append(edges, loop.Edge{Line: 0, On: true, At: at - 400*time.Millisecond}, loop.Edge{Line: 0, At: at + 200*time.Millisecond})
			}
		}
		for _, line := range parked {
			edges = append(edges, loop.Edge{Line: line, On: true, At: 10*time.Minute + 5*time.Second}, loop.Edge{Line: line, At: 3*time.Hour - 5*time.Second})
		}
		slices.SortStableFunc(edges, func(a, b loop.Edge) int { return int(a.At - b.At) })
		return count(t, o, &tape{edges: edges, batch: 256, end: hours * time.Hour}, 5*time.Minute, 5*time.Minute)
	}
	nobody, twelve := play(12*time.Hour), loop.DefaultLimits().StuckOn
	for _, on := range [][]int{{0}, {2}, {0, 2}} {
		one := play(twelve, on...)
		if a, b := told(nobody), told(one); a != b {
			t.Errorf("parked on %v: %s", on, firstDifference(a, b))
		}
		if told(play(10*time.Minute, on...)) == told(nobody) {
			t.Errorf("parked on %v: the control, a limit of ten minutes, is not told either", on)
		}
	}
	passed := 0
	for _, w := range play(twelve, 0).Windows {
		if w.Stream == "pair" {
			passed += int(w.Flow())
		}
	}
	if passed < hours*60-5 {
		t.Errorf("%d counted of those who passed, %d did", passed, hours*60-1)
	}
}
