package clock

import (
	"slices"
	"time"
)

// stepSize is the least jump of the wall clock against the monotonic one that
// counts as a step. NTP slews by at most 500 ppm, which stays far below it
// between two readings.
const stepSize = 500 * time.Millisecond

// maxRuns bounds the spans of trusted labels that are remembered; the oldest
// are dropped.
const maxRuns = 32

// Window is a span within one multiple of the window length in UTC. It is that
// whole multiple unless the clock stepped or the process began or ended in it.
type Window struct {
	Start, End time.Time     // labels by the wall clock; End is after Start
	From, Mono time.Duration // the monotonic times of Start and End
	Suspended  time.Duration // the part in which the machine was suspended
	Synced     bool          // the labels can be trusted, and no other trusted window overlaps them
}

// Observed returns for how long the machine was awake in the window, at most
// its length: a clock that is slewed makes a window slightly longer or shorter
// than its label.
func (w Window) Observed() time.Duration {
	return max(min(w.Mono-w.From-w.Suspended, w.End.Sub(w.Start)), 0)
}

// Step is a jump of the wall clock.
type Step struct {
	Mono   time.Duration // when it was detected
	From   time.Time     // the time without the jump
	To     time.Time     // the time after it
	Synced bool          // To can be trusted
}

// Windows cuts time into windows. Every window begins on the monotonic clock
// exactly where the one before ended.
type Windows struct {
	length  time.Duration
	last    Reading
	start   time.Time     // of the open window, by the wall clock
	from    time.Duration // of the open window, monotonic
	slept   time.Duration // suspended time in the open window, up to the last reading
	trusted []trustedSpan // spans of trusted labels before the last step
	current trustedSpan   // the span since the last step
}

// trustedSpan is a span of wall time whose windows had trusted labels.
type trustedSpan struct{ from, to time.Time }

// NewWindows opens the first window at r. The length must divide a day.
func NewWindows(length time.Duration, r Reading) *Windows {
	return &Windows{length: length, last: r, start: r.Wall, from: r.Mono, current: trustedSpan{r.Wall, r.Wall}}
}

// NextWait returns how long to wait before the next reading: until the end of the
// open window, and at most a second, so that a step is detected soon.
func (w *Windows) NextWait() time.Duration {
	return max(min(w.windowEnd().Sub(w.last.Wall), time.Second), time.Millisecond)
}

// windowEnd returns the end of the open window by the wall clock.
func (w *Windows) windowEnd() time.Time { return w.start.Truncate(w.length).Add(w.length) }

// AdvanceTo moves to r, which must be later than the reading before, and returns
// the windows that ended and the step of the clock that was detected, if any.
func (w *Windows) AdvanceTo(r Reading) (ended []Window, step *Step) {
	jump := r.Wall.Sub(w.last.Wall) - (r.Mono - w.last.Mono)
	// Suspended time is taken to lie directly after the last reading.
	sleep := max((r.Mono-w.last.Mono)-(r.Awake-w.last.Awake), 0)
	asleep := interval{w.last.Mono, w.last.Mono + sleep}
	before := r
	if jump.Abs() > stepSize {
		before.Wall = r.Wall.Add(-jump)
		before.Synced = w.last.Synced
		step = &Step{Mono: r.Mono, From: before.Wall, To: r.Wall, Synced: r.Synced}
	}
	for end := w.windowEnd(); !before.Wall.Before(end); end = w.windowEnd() {
		mono := before.Mono - before.Wall.Sub(end)
		ended = append(ended, w.closeWindow(end, max(mono, w.from), before.Synced, asleep))
	}
	if step != nil {
		if before.Wall.After(w.start) {
			ended = append(ended, w.closeWindow(before.Wall, r.Mono, before.Synced, asleep))
		}
		w.start = r.Wall
		w.startTrusted(r.Wall)
	}
	w.slept += asleep.overlap(w.from, r.Mono)
	w.last = r
	return ended, step
}

// StopAt closes the open window at r, if it has any length.
func (w *Windows) StopAt(r Reading) (ended []Window, step *Step) {
	ended, step = w.AdvanceTo(r)
	if r.Wall.After(w.start) {
		ended = append(ended, w.closeWindow(r.Wall, r.Mono, r.Synced, interval{}))
	}
	return ended, step
}

// closeWindow ends the open window and opens the next one.
func (w *Windows) closeWindow(end time.Time, mono time.Duration, synced bool, asleep interval) Window {
	o := Window{
		Start: w.start, End: end, From: w.from, Mono: mono, Synced: synced,
		Suspended: w.slept + asleep.overlap(w.from, mono),
	}
	if synced {
		o.Synced = !slices.ContainsFunc(w.trusted, func(r trustedSpan) bool { return r.from.Before(end) && w.start.Before(r.to) })
	}
	if o.Synced {
		w.current.to = end
	} else {
		w.startTrusted(end) // labels that are not trusted may be given again
	}
	w.start, w.from, w.slept = end, mono, 0
	return o
}

// startTrusted stores the current span of trusted labels and starts another.
func (w *Windows) startTrusted(at time.Time) {
	if w.current.from.Before(w.current.to) {
		w.trusted = append(w.trusted, w.current)
		w.trusted = w.trusted[max(0, len(w.trusted)-maxRuns):]
	}
	w.current = trustedSpan{at, at}
}

// interval is a span of monotonic time.
type interval struct{ from, to time.Duration }

// overlap returns the length that the interval has in common with from…to.
func (s interval) overlap(from, to time.Duration) time.Duration {
	return max(min(s.to, to)-max(s.from, from), 0)
}
