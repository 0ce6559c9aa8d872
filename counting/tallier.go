package counting

import (
	"slices"
	"sync"
	"time"
)

// videoPause is the longest pause between two pictures, or two signs of life of
// a loop, that still counts as observed. An object at walking pace covers less
// than its own length in it.
const videoPause = 2 * time.Second

// polledPause is that of a sensor that looks at instants: in between it waits,
// and is lost when it says so. One that does not even wait any more ends, and
// its window with it.
const polledPause = 2 * time.Hour

// The reasons that are no fault: before the first sign of life, and after the
// last.
const (
	starting = "starting"
	stopped  = "stopped"
)

// noPicture is why a window has no instant although its camera answered.
const noPicture = "no_picture"

// A Tallier counts the crossings and presences of one sensor into windows.
// It is safe for use by the sensor and by the clock that ends the window.
//
// Its times are monotonic, on one scale chosen by the caller.
type Tallier struct {
	mu         sync.Mutex
	streams    []Stream
	windows    []Tally
	observedTo time.Duration // until when the sensor has watched
	live       bool          // false until the first sign of life, and after Lost
	reason     string        // why the open window is not fully observed
	maxPause   time.Duration // the longest that is observed
}

// NewTallier opens the first window of every stream. Until the first call of
// Watched nothing is observed.
func NewTallier(streams []Stream) *Tallier {
	t := &Tallier{streams: slices.Clone(streams), reason: starting, maxPause: videoPause}
	if slices.ContainsFunc(streams, func(s Stream) bool { return s.Still }) {
		t.maxPause = polledPause
	}
	t.windows = t.newWindows()
	return t
}

func (t *Tallier) newWindows() []Tally {
	ts := make([]Tally, len(t.streams))
	for i, s := range t.streams {
		ts[i] = Tally{Stream: s.ID, Kind: s.Kind, Still: s.Still}
		for _, c := range s.Classes {
			ts[i].Counted[c] = true
		}
	}
	return ts
}

// Cross counts one crossing in its stream's open window. A crossing of an
// unknown stream, or of a class the stream does not count, is dropped.
// A part of the vehicle split counts as vehicle where the split is not asked for.
// It reports whether the crossing was counted.
func (t *Tallier) Cross(c Crossing) (counted bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range t.windows {
		w := &t.windows[i]
		if w.Stream != c.Stream {
			continue
		}
		if class, ok := w.classCell(c.Class); ok {
			w.Crossings[class][c.Dir]++
			counted = true
		}
	}
	return counted
}

// classCell is the class under which an object of class c is counted in this window.
func (w *Tally) classCell(c Class) (Class, bool) {
	if w.Counted[c] {
		return c, true
	}
	return c.Coarse(), w.Counted[c.Coarse()]
}

// Present says how many objects of each class a zone held for the last d,
// as Watched returned it; or, of a stream that is seen at instants, at this one.
func (t *Tallier) Present(stream string, count [Classes]int, d time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range t.windows {
		w := &t.windows[i]
		if w.Stream != stream {
			continue
		}
		if w.Still {
			w.Instants++
			d = time.Second
		}
		var n [Classes]int
		for c := range Class(Classes) {
			if class, ok := w.classCell(c); ok {
				n[class] += count[c]
			}
		}
		for c := range n {
			w.Presence[c] += time.Duration(n[c]) * d
			w.Peak[c] = max(w.Peak[c], uint32(n[c]))
		}
	}
}

// Watched says that the sensor was alive at now: the time since the last call
// is observed, unless the pause was too long to be sure. It returns the time
// that it added.
func (t *Tallier) Watched(now time.Duration) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.addObserved(now)
}

func (t *Tallier) addObserved(now time.Duration) time.Duration {
	d := now - t.observedTo
	t.observedTo = now
	if !t.live {
		t.live = true
		return 0
	}
	if d <= 0 {
		return 0
	}
	if d > t.maxPause {
		t.reason = "stalled"
		return 0
	}
	for i := range t.windows {
		t.windows[i].Observed += d
	}
	return d
}

// Lost says that the sensor is gone and why, in one short word that may go on
// the wire: what follows is not observed until the next call of Watched.
func (t *Tallier) Lost(reason string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	// That the agent stops is no news of a sensor that was gone already.
	if reason != stopped || t.live || t.reason == "" || t.reason == starting {
		t.reason = reason
	}
	t.live = false
}

// End closes the window of every stream at now and opens the next. Start and
// end are the wall-clock times that belong to the window, and whole is how
// long a whole one is: the first and the last of a process are shorter.
func (t *Tallier) End(now time.Duration, start, end time.Time, whole time.Duration) []Tally {
	t.mu.Lock()
	defer t.mu.Unlock()
	// The rest of the window belongs to it only if the sensor is not overdue.
	if t.live && now-t.observedTo <= t.maxPause {
		t.addObserved(now)
	}
	closed := t.windows
	for i := range closed {
		closed[i].closeAt(now, start, end, whole, t.reason)
	}
	t.windows = t.newWindows()
	if t.live {
		t.reason = ""
	}
	return closed
}

// unobservedShare is the part of a window that may go unobserved without a word:
// a picture's time at either end.
const unobservedShare = 0.01

func (w *Tally) closeAt(now time.Duration, start, end time.Time, whole time.Duration, reason string) {
	w.Mono, w.Start, w.End = now, start.UTC(), end.UTC()
	w.Observed = min(w.Observed, end.Sub(start))
	missing := whole - w.Observed
	switch {
	case w.Observed <= 0:
		w.Quality = Gap
	case w.Still && w.Instants == 0:
		w.Quality = Gap
		if reason == "" {
			reason = noPicture
		}
	case float64(missing) > unobservedShare*float64(whole) && missing > 250*time.Millisecond:
		w.Quality = Partial
	default:
		return
	}
	w.Reason = reason
	if w.Reason == "" {
		w.Reason = "stalled"
	}
}
