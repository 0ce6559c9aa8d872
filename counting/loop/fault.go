package loop

import (
	"strings"
	"time"

	"kerb/counting"
)

// Fault is a set of faults of a loop, its card, its wire or its reader.
type Fault uint16

// The faults, worst first: a window gives the first of its faults as its reason.
const (
	Relay      Fault = 1 << iota // the card's own fault relay has fallen
	CardMode                     // the edges are not those of the card's declared mode: see CardFinding
	StuckOn                      // a presence longer than Limits.StuckOn: a card that fails to detect, or a vehicle that stands; it ends with the second vehicle after that
	Chatter                      // more onsets than Limits.Chatter in 2 s, or three on-times in a row below Limits.MinOn, or bounce for more than half a second
	Silent                       // no vehicle for longer than Limits.Silent: an unplugged line looks like this
	Pair                         // vehicles pass one of two loops without being seen by the other
	Missed                       // edges were lost between the kernel and here
	Drift                        // two loops' on-times at free flow have drifted apart (Coifman 1999)
	Daily                        // a daily check failed (Chen et al. 2003, PeMS)
	Slow                         // a vehicle may be standing on the loop: 2.0 s in one go (HIOCC, TRRL SR 526)
	Standing                     // a vehicle is standing on the loop: 2.9 s in one go
	faultCount = iota
)

// untrustedFaults are the faults under which a loop's edges are not counted. Silent is
// none of them: one or two vehicles end it, and what a platform is told without noise
// must not depend on them.
const untrustedFaults = Relay | CardMode | StuckOn | Chatter

// qualityFaults are the faults that lower the quality of a window.
const qualityFaults = untrustedFaults | Pair | Missed | Drift | Daily

// faultReasons maps each fault to the reason of a window, whose word is the
// fault's word as well.
var faultReasons = [faultCount]counting.Reason{
	counting.ReasonLoopRelay, counting.ReasonLoopCard, counting.ReasonLoopStuckOn, counting.ReasonLoopChatter, counting.ReasonLoopSilent,
	counting.ReasonLoopPair, counting.ReasonEdgesMissed, counting.ReasonLoopDrift, counting.ReasonLoopDaily,
	counting.ReasonLoopSlow, counting.ReasonLoopStanding,
}

// String is the fixed word of the wire, such as loop_stuck_on; for several
// faults the words joined by +, for none "ok".
func (f Fault) String() string {
	if f == 0 {
		return "ok"
	}
	var words []string
	for i, r := range faultReasons {
		if f&(1<<i) != 0 {
			words = append(words, r.String())
		}
	}
	return strings.Join(words, "+")
}

// worstReason returns the reason of the first fault in f, NoReason for none. It
// does not allocate.
func (f Fault) worstReason() counting.Reason {
	for i, r := range faultReasons {
		if f&(1<<i) != 0 {
			return r
		}
	}
	return counting.NoReason
}

// Event is the beginning or the end of a fault. Missed has no end.
type Event struct {
	Stream string
	Line   string // name of the line with the fault
	Fault  Fault
	On     bool          // the fault begins; false: it ends
	At     time.Duration // when it was detected, on the edges' clock
	N      uint32        // the CardFinding, edges lost, onsets, on-times or passages in a row, failed daily checks as a bit set (DailyCheck); else 0
}

// raiseFault begins f on an input of a lane and emits its event, unless f holds
// already. The first of the untrustedFaults stops counting.
func (c *Counter) raiseFault(in *input, f Fault, at time.Duration, n uint32) {
	if in.faults&f != 0 {
		return
	}
	was := in.faults
	in.faults |= f
	c.emitEvent(in, f, true, at, n)
	if was&untrustedFaults == 0 && f&untrustedFaults != 0 {
		c.stopTrusting(in, at)
	}
}

// clearFault ends f and emits its event, if f holds. After the last of the
// untrustedFaults counting starts again.
func (c *Counter) clearFault(in *input, f Fault, at time.Duration) {
	if in.faults&f == 0 {
		return
	}
	in.faults &^= f
	c.emitEvent(in, f, false, at, 0)
	if f&untrustedFaults != 0 && in.faults&untrustedFaults == 0 {
		c.resumeTrusting(in, at)
	}
}

// emitEvent appends an event to the result and adds its fault to the window.
func (c *Counter) emitEvent(in *input, f Fault, on bool, at time.Duration, n uint32) {
	l := &c.lanes[in.lane]
	l.window.Faults |= f
	c.events = append(c.events, Event{Stream: l.Stream, Line: in.name, Fault: f, On: on, At: at, N: n})
}

// stopTrusting closes the sums of a loop that has failed, and drops its presences.
func (c *Counter) stopTrusting(in *input, at time.Duration) {
	l := &c.lanes[in.lane]
	at = max(at, l.window.Start)
	in.addObserved(&l.window, at, in.on)
	if l.trustedLoops--; l.trustedLoops == 0 {
		l.window.Observed += max(0, at-l.observedTo)
	}
	l.queue[in.slot].n = 0
	l.hasLast = false
	l.resolveQueues(c, at)
}

// resumeTrusting starts the sums of a loop again. The beginning of a presence
// that covers the loop now is unknown.
func (c *Counter) resumeTrusting(in *input, at time.Duration) {
	l := &c.lanes[in.lane]
	at = max(at, l.window.Start)
	in.coveredTo, in.observedTo, in.recheckAt = at, at, at
	if l.trustedLoops++; l.trustedLoops == 1 {
		l.observedTo = at
	}
	l.hasLast = false
	if in.on {
		l.addPresence(c, in.slot, presence{on: at, open: true, blurred: true})
	}
}

// setQuality sets the window's quality, and its reason: the worst of its faults.
func (w *Window) setQuality() {
	f := w.Faults & qualityFaults
	switch {
	case w.Observed == 0 && f == 0:
		w.Quality, w.Reason = counting.Gap, counting.ReasonNotObserved
	case w.Observed == 0:
		w.Quality, w.Reason = counting.Gap, f.worstReason()
	case f != 0:
		w.Quality, w.Reason = counting.Partial, f.worstReason()
	default:
		w.Quality, w.Reason = counting.OK, counting.NoReason
	}
}
