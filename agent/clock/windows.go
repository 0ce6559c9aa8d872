package clock

import (
	"slices"
	"time"
)

// stepSize is the least jump of the wall clock against the monotonic one that
// is a step. What NTP slews, at most 500 ppm, stays far below it between two
// readings.
const stepSize = 500 * time.Millisecond

// maxRuns bounds what is remembered of earlier times; the oldest go first.
const maxRuns = 32

// Window is a span that lies within one multiple of the window length in UTC,
// and is it whole unless the clock stepped or the process began or ended in it.
type Window struct {
	Start, End time.Time     // as the wall clock labelled it; End is after Start
	From, Mono time.Duration // its monotonic ends
	Suspended  time.Duration // of it, while the machine slept
	Synced     bool          // the label can be believed, and no other believed window overlaps it
}

// Observed is how much of the window the machine was awake, at most its length:
// a clock that is slewed makes a window a little longer or shorter than its
// label says.
func (w Window) Observed() time.Duration {
	return max(min(w.Mono-w.From-w.Suspended, w.End.Sub(w.Start)), 0)
}

// Step is a jump of the wall clock.
type Step struct {
	Mono   time.Duration // when it was seen
	From   time.Time     // what the clock would have shown
	To     time.Time     // what it shows
	Synced bool          // To can be believed
}

// Windows cuts time into windows. Every window begins on the monotonic clock
// exactly where the one before ended.
type Windows struct {
	length time.Duration
	last   Reading
	start  time.Time     // of the open window, on the wall
	from   time.Duration // of the open window, monotonic
	slept  time.Duration // in the open window, up to the last look
	runs   []run         // believed stretches of wall time before the last step
	run    run           // since the last step
}

// run is a stretch of wall time that was given away under believed labels.
type run struct{ from, to time.Time }

// NewWindows opens the first window at r. The length must divide a day.
func NewWindows(length time.Duration, r Reading) *Windows {
	return &Windows{length: length, last: r, start: r.Wall, from: r.Mono, run: run{r.Wall, r.Wall}}
}

// Next is how long to wait before the next Advance: to the end of the open
// window, but no more than a second, so that a step is seen soon.
func (w *Windows) Next() time.Duration {
	return max(min(w.end().Sub(w.last.Wall), time.Second), time.Millisecond)
}

func (w *Windows) end() time.Time { return w.start.Truncate(w.length).Add(w.length) }

// Advance goes on to r, which must be later than the reading before, and gives
// the windows that ended and the step of the clock that was seen, if any.
func (w *Windows) Advance(r Reading) (ended []Window, step *Step) {
	jump := r.Wall.Sub(w.last.Wall) - (r.Mono - w.last.Mono)
	// The machine sleeps, if at all, right after the last look.
	sleep := max((r.Mono-w.last.Mono)-(r.Awake-w.last.Awake), 0)
	asleep := span{w.last.Mono, w.last.Mono + sleep}
	before := r
	if jump.Abs() > stepSize {
		before.Wall = r.Wall.Add(-jump)
		before.Synced = w.last.Synced
		step = &Step{Mono: r.Mono, From: before.Wall, To: r.Wall, Synced: r.Synced}
	}
	for end := w.end(); !before.Wall.Before(end); end = w.end() {
		mono := before.Mono - before.Wall.Sub(end)
		ended = append(ended, w.close(end, max(mono, w.from), before.Synced, asleep))
	}
	if step != nil {
		if before.Wall.After(w.start) {
			ended = append(ended, w.close(before.Wall, r.Mono, before.Synced, asleep))
		}
		w.start = r.Wall
		w.newRun(r.Wall)
	}
	w.slept += asleep.within(w.from, r.Mono)
	w.last = r
	return ended, step
}

// Stop closes the open window at r, if it has any length.
func (w *Windows) Stop(r Reading) (ended []Window, step *Step) {
	ended, step = w.Advance(r)
	if r.Wall.After(w.start) {
		ended = append(ended, w.close(r.Wall, r.Mono, r.Synced, span{}))
	}
	return ended, step
}

func (w *Windows) close(end time.Time, mono time.Duration, synced bool, asleep span) Window {
	o := Window{
		Start: w.start, End: end, From: w.from, Mono: mono, Synced: synced,
		Suspended: w.slept + asleep.within(w.from, mono),
	}
	if synced {
		o.Synced = !slices.ContainsFunc(w.runs, func(r run) bool { return r.from.Before(end) && w.start.Before(r.to) })
	}
	if o.Synced {
		w.run.to = end
	} else {
		w.newRun(end) // what was not believed may be labelled again
	}
	w.start, w.from, w.slept = end, mono, 0
	return o
}

func (w *Windows) newRun(at time.Time) {
	if w.run.from.Before(w.run.to) {
		w.runs = append(w.runs, w.run)
		w.runs = w.runs[max(0, len(w.runs)-maxRuns):]
	}
	w.run = run{at, at}
}

// span is a stretch of monotonic time.
type span struct{ from, to time.Duration }

func (s span) within(from, to time.Duration) time.Duration {
	return max(min(s.to, to)-max(s.from, from), 0)
}
