package counting

import (
	"slices"
	"sync"
	"time"
)

// videoPause is the longest pause between two pictures, or two heartbeats of a
// loop, that still counts as observed: 2 s, chosen by hand. An object at walking
// pace covers less than its own length in it.
const videoPause = 2 * time.Second

// keyFramePause is the longest such pause where only key frames are decoded: 10 s, chosen
// by hand. Cameras send one every 1 to 4 s, and seldom less often than every 8 s.
const keyFramePause = 10 * time.Second

// polledPause is the longest such pause of a sensor that takes single pictures:
// 2 h. Between two pictures it waits, and it reports its loss itself. A sensor
// process that stops waiting ends, and its window with it.
const polledPause = 2 * time.Hour

// A Tallier adds the crossings and presences of one sensor up into windows. It is
// safe for concurrent use by the sensor and by the clock that closes the windows.
//
// Its times are monotonic, on one time scale that the caller chooses.
type Tallier struct {
	mu         sync.Mutex
	streams    []Stream
	windows    []Tally
	observedTo time.Duration   // end of the time that the sensor has watched
	live       bool            // false until the first heartbeat, and after MarkLost
	paused     bool            // the open window is a gap: see Pause
	reason     Reason          // why the open window is not fully observed
	maxPause   time.Duration   // longest time between two heartbeats that counts as observed
	blind      func(Kind) bool // kinds of streams that are not observed, because pictures come too seldom; nil: none
	blinded    []bool          // for each window: its stream was blind for a part of it
}

// NewTallier opens the first window of every stream. The time before the first
// call of MarkWatched is not observed.
func NewTallier(streams []Stream) *Tallier {
	t := &Tallier{streams: slices.Clone(streams), reason: ReasonStarting, maxPause: videoPause}
	if slices.ContainsFunc(streams, func(s Stream) bool { return s.Polled }) {
		t.maxPause = polledPause
	}
	t.windows = t.newWindows()
	return t
}

// SetKeyFramesOnly says that pictures come seldom from now on, or at their rate again.
// Lines are not observed then, since what crosses between two pictures is not seen, and
// zones only where a detector needs no movement. Their windows have ReasonKeyFrames.
func (t *Tallier) SetKeyFramesOnly(on, zones bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.maxPause, t.blind = videoPause, nil
	if on {
		t.maxPause = keyFramePause
		t.blind = func(k Kind) bool { return k != ZoneStream || !zones }
	}
	t.markBlinded()
}

// markBlinded marks the open windows whose streams are blind.
func (t *Tallier) markBlinded() {
	for i := range t.windows {
		t.blinded[i] = t.blinded[i] || t.isBlind(i)
	}
}

// isBlind reports whether the stream of a window is not observed.
func (t *Tallier) isBlind(i int) bool { return t.blind != nil && t.blind(t.windows[i].Kind) }

// newWindows makes an empty window of every stream.
func (t *Tallier) newWindows() []Tally {
	ts := make([]Tally, len(t.streams))
	t.blinded = make([]bool, len(t.streams))
	for i, s := range t.streams {
		ts[i] = Tally{Stream: s.ID, Kind: s.Kind, OneWay: s.OneWay, Polled: s.Polled, Measures: s.Measures, LengthBins: s.LengthBins.Len()}
		for _, c := range s.Classes {
			ts[i].Counted[c] = true
		}
	}
	return ts
}

// kmhPerMetreSecond converts m/s to km/h.
const kmhPerMetreSecond = 3.6

// AddCrossing counts one crossing in its stream's open window and reports whether it
// was counted. The speed of a vehicle is added where the stream measures speeds. A part of the vehicle split counts as vehicle where the stream
// does not split. A crossing of an unknown stream, or of a class that the stream
// does not count, is dropped.
func (t *Tallier) AddCrossing(c Crossing) (counted bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range t.windows {
		w := &t.windows[i]
		if w.Stream != c.Stream || t.paused {
			continue
		}
		if class, ok := w.classCell(c.Class); ok {
			w.Crossings[class][c.Dir]++
			counted = true
			if c.Speed > 0 && class.WithoutSplit() == Vehicle && w.Measures.Has(Speeds) {
				w.Traffic.AddSpeed(c.Speed * kmhPerMetreSecond)
			}
		}
	}
	return counted
}

// classCell maps class c to the class under which this window counts it; ok is
// false where the window does not count it.
func (w *Tally) classCell(c Class) (Class, bool) {
	if w.Counted[c] {
		return c, true
	}
	return c.WithoutSplit(), w.Counted[c.WithoutSplit()]
}

// AddPresence adds the number of objects of each class in a zone over the last d, as
// MarkWatched returned it. Where the zone is seen at instants, it adds one instant
// instead, which counts as one second.
func (t *Tallier) AddPresence(stream string, count [Classes]int, d time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range t.windows {
		w := &t.windows[i]
		if w.Stream != stream || t.paused || t.isBlind(i) {
			continue
		}
		if w.Polled {
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

// AddStanding adds how many of the present objects of each class in a zone stand, over the
// last d, as MarkWatched returned it. It is for objects that are followed: in a single
// picture everything stands.
func (t *Tallier) AddStanding(stream string, present, standing [Classes]int, d time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range t.windows {
		w := &t.windows[i]
		if w.Stream != stream || t.paused || t.isBlind(i) || !w.Measures.Has(Standing) {
			continue
		}
		w.Traffic.FollowedOver += d
		for c := range Class(Classes) {
			if class, ok := w.classCell(c); ok {
				w.Traffic.Stood[class] += time.Duration(standing[c]) * d
				w.Traffic.Moved[class] += time.Duration(present[c]-standing[c]) * d
			}
		}
	}
}

// MarkWatched records a heartbeat of the sensor at now. The time since the last call
// counts as observed, unless it is longer than the pause allowed (2 s; 2 h for a
// sensor with instants). It returns the time that it added.
func (t *Tallier) MarkWatched(now time.Duration) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.addObserved(now)
}

// addObserved is MarkWatched with the lock held.
func (t *Tallier) addObserved(now time.Duration) time.Duration {
	d := now - t.observedTo
	t.observedTo = now
	if t.paused {
		return 0
	}
	if !t.live {
		t.live = true
		return 0
	}
	if d <= 0 {
		return 0
	}
	if d > t.maxPause {
		t.reason = ReasonStalled
		return 0
	}
	for i := range t.windows {
		if !t.isBlind(i) {
			t.windows[i].Observed += d
		}
	}
	return d
}

// MarkLost marks the sensor as lost, for a reason. The time until the next call of MarkWatched is not observed.
func (t *Tallier) MarkLost(reason Reason) {
	t.mu.Lock()
	defer t.mu.Unlock()
	// A stop of the agent does not replace the reason of a sensor lost before.
	if reason != ReasonStopped || t.live || t.reason == NoReason || t.reason == ReasonStarting {
		t.reason = reason
	}
	t.live = false
}

// Pause makes the open window of every stream a gap, for a reason: when in the window the
// reason began and ended is not told, because one object can delay either, and what was
// counted before it was noticed may be wrong. The caller calls it for every picture for
// which the reason holds.
func (t *Tallier) Pause(reason Reason) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.paused {
		t.windows = t.newWindows()
		t.markBlinded()
	}
	t.reason, t.live, t.paused = reason, false, true
}

// CloseWindows closes the window of every stream at now and opens the next. Start and
// end are the wall-clock times of the window, and whole is the length of a whole
// window: the first and the last window of a process are shorter.
func (t *Tallier) CloseWindows(now time.Duration, start, end time.Time, whole time.Duration) []Tally {
	t.mu.Lock()
	defer t.mu.Unlock()
	// The rest of the window belongs to it only if the sensor is not overdue.
	if t.live && now-t.observedTo <= t.maxPause {
		t.addObserved(now)
	}
	closed := t.windows
	for i := range closed {
		reason := t.reason
		if t.blinded[i] && t.live {
			reason = ReasonKeyFrames
		}
		closed[i].closeAt(now, start, end, whole, reason)
	}
	t.windows, t.paused = t.newWindows(), false
	t.markBlinded()
	if t.live {
		t.reason = NoReason
	}
	return closed
}

// A window is OK although unobservedShare of it, or unobservedTime, was not
// observed: a picture's time at either end. Both were chosen by hand.
const (
	unobservedShare = 0.01
	unobservedTime  = 250 * time.Millisecond
)

// boundInstants limits the instants of a window of that length to one a second, as each
// counts as a second, and keeps the mean of what was present: a clip that comes just before
// a short window ends has more. Less than a second has none.
func (w *Tally) boundInstants(length time.Duration) {
	most := uint32(max(length, 0) / time.Second)
	if w.Instants <= most {
		return
	}
	for c := range w.Presence {
		w.Presence[c] = w.Presence[c] * time.Duration(most) / time.Duration(w.Instants)
		if most == 0 {
			w.Peak[c] = 0
		}
	}
	w.Instants = most
}

// closeAt stamps the window with its times and sets its quality and reason.
func (w *Tally) closeAt(now time.Duration, start, end time.Time, whole time.Duration, reason Reason) {
	w.Mono, w.Start, w.End = now, start.UTC(), end.UTC()
	w.Observed = min(w.Observed, end.Sub(start))
	w.boundInstants(end.Sub(start))
	missing := whole - w.Observed
	switch {
	case w.Observed <= 0:
		w.Quality = Gap
	case w.Polled && w.Instants == 0:
		w.Quality = Gap
		if reason == NoReason {
			reason = ReasonNoPicture
		}
	case float64(missing) > unobservedShare*float64(whole) && missing > unobservedTime:
		w.Quality = Partial
	default:
		return
	}
	w.Reason = reason
	if w.Reason == NoReason {
		w.Reason = ReasonStalled
	}
}
