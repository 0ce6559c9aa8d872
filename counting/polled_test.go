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

// A clip of four pictures that comes just before a window's end has more instants than the
// window has seconds: the window keeps the mean and is released.
func TestInstantsAreNoMoreThanSeconds(t *testing.T) {
	for _, c := range []struct {
		length   time.Duration
		instants uint32
		presence time.Duration
		quality  Quality
	}{
		{1970 * time.Millisecond, 1, 3 * time.Second, Partial},
		{2 * time.Second, 2, 6 * time.Second, Partial},
		{4 * time.Second, 4, 12 * time.Second, Partial},
		{900 * time.Millisecond, 0, 0, Gap},
	} {
		tally := NewTallier([]Stream{{ID: "square", Kind: ZoneStream, Polled: true, Classes: []Class{Person}}})
		tally.MarkWatched(0)
		for range 4 {
			tally.AddPresence("square", [Classes]int{Person: 3}, 0)
		}
		start := time.Date(2026, 11, 28, 9, 0, 0, 0, time.UTC)
		tally.MarkWatched(c.length)
		w := tally.CloseWindows(c.length, start, start.Add(c.length), time.Minute)[0]
		if w.Instants != c.instants || w.Presence[Person] != c.presence || w.Quality != c.quality || w.SampledTime() > c.length {
			t.Errorf("%s: %+v", c.length, w)
		}
	}
}
