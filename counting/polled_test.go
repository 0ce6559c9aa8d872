package counting

import (
	"testing"
	"time"
)

// A zone of single pictures counts instants instead of seconds.
func TestInstantsAreCounted(t *testing.T) {
	start := time.Date(2026, 11, 28, 9, 0, 0, 0, time.UTC)
	const whole = 15 * time.Minute
	tally := NewTallier([]Stream{{ID: "square", Kind: ZoneStream, Polled: true, Classes: []Class{Person}}})
	end := func(now time.Duration) Tally { return tally.CloseWindows(now, start, start.Add(whole), whole)[0] }

	tally.MarkWatched(0)
	for i, n := range []int{2, 0, 4} {
		now := time.Duration(i) * 5 * time.Minute
		tally.MarkWatched(now)
		var count [Classes]int
		count[Person] = n
		tally.AddPresence("square", count, 0)
	}
	if w := end(whole); w.Quality != OK || w.Instants != 3 || w.SampledTime() != 3*time.Second || w.Observed != whole ||
		w.Presence[Person] != 6*time.Second || w.Peak[Person] != 4 {
		t.Errorf("three pictures: %+v", w)
	}
	// The camera answers with the same picture as before.
	tally.MarkWatched(20 * time.Minute)
	if w := end(2 * whole); w.Quality != Gap || w.Reason != ReasonNoPicture || w.Instants != 0 {
		t.Errorf("no picture: %+v", w)
	}
	tally.MarkWatched(31 * time.Minute)
	tally.AddPresence("square", [Classes]int{}, 0)
	tally.MarkLost(ReasonCameraLost)
	if w := end(3 * whole); w.Quality != Partial || w.Reason != ReasonCameraLost || w.Instants != 1 || w.Observed != time.Minute {
		t.Errorf("lost after one: %+v", w)
	}
	if w := end(4 * whole); w.Quality != Gap || w.Reason != ReasonCameraLost {
		t.Errorf("lost: %+v", w)
	}
}
