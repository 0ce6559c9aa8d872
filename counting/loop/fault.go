package loop

import (
	"fmt"
	"strings"
	"time"

	"kerb/counting"
)

// Fault is one way in which a loop, its card, its wire or its reader fails.
type Fault uint16

// The faults, worst first: the order in which a window names its reason.
const (
	Relay      Fault = 1 << iota // the card's own fault relay has fallen
	StuckOn                      // a presence longer than Limits.StuckOn: a card that fails to detect, not a queue
	Chatter                      // more onsets than Limits.Chatter in 2 s, or three on-times in a row below Limits.MinOn, or no rest for half a second
	Silent                       // no vehicle for longer than Limits.Silent: an unplugged line looks like this
	Pair                         // one of two loops sees what the other does not
	Missed                       // edges were lost between the kernel and here
	Drift                        // two loops' on-times at free flow have drifted apart (Coifman 1999)
	Daily                        // a daily check was not passed (Chen et al. 2003, PeMS)
	Slow                         // a vehicle may be standing on the loop: 2.0 s in one go (HIOCC, TRRL SR 526)
	Standing                     // a vehicle is standing on the loop: 2.9 s in one go
	faultCount = iota
)

// untrustedFaults are the faults that make a loop's word worth nothing.
const untrustedFaults = Relay | StuckOn | Chatter | Silent

// qualityFaults are the faults that lower the quality of a window.
const qualityFaults = untrustedFaults | Pair | Missed | Drift | Daily

var faultNames = [faultCount]string{
	"loop_relay", "loop_stuck_on", "loop_chatter", "loop_silent",
	"loop_pair", "edges_missed", "loop_drift", "loop_daily", "loop_slow", "loop_standing",
}

// String is the fixed word of the wire, such as loop_stuck_on; of several
// faults the words joined by +, of none "ok".
func (f Fault) String() string {
	if f == 0 {
		return "ok"
	}
	var words []string
	for i, n := range faultNames {
		if f&(1<<i) != 0 {
			words = append(words, n)
		}
	}
	return strings.Join(words, "+")
}

// worstName is the name of the first fault in f, without allocating.
func (f Fault) worstName() string {
	for i, n := range faultNames {
		if f&(1<<i) != 0 {
			return n
		}
	}
	return ""
}

// ParseFault is the inverse of String for a single fault.
func ParseFault(s string) (Fault, error) {
	for i, n := range faultNames {
		if n == s {
			return 1 << i, nil
		}
	}
	return 0, fmt.Errorf("fault %q: must be one of %s", s, strings.Join(faultNames[:], ", "))
}

// Event is the beginning or the end of a fault. Missed has no end.
type Event struct {
	Stream string
	Line   string // the line it is about
	Fault  Fault
	On     bool          // it begins; false: it is over
	At     time.Duration // when it was known, on the edges' clock
	N      uint32        // edges lost, passages in a row, failed daily checks as a bit set (DailyCheck); else 0
}

// raiseFault raises f on an input that belongs to a lane, once.
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

// clearFault takes f back.
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

func (c *Counter) emitEvent(in *input, f Fault, on bool, at time.Duration, n uint32) {
	l := &c.lanes[in.lane]
	l.window.Faults |= f
	c.events = append(c.events, Event{Stream: l.Stream, Line: in.name, Fault: f, On: on, At: at, N: n})
}

// stopTrusting stops the books of a loop that has failed.
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

// resumeTrusting starts them again. A vehicle that covers the loop now has no known
// beginning.
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

// setQuality gives the window its quality.
func (w *Window) setQuality() {
	f := w.Faults & qualityFaults
	switch {
	case w.Observed == 0 && f == 0:
		w.Quality, w.Reason = counting.Gap, "not_observed"
	case w.Observed == 0:
		w.Quality, w.Reason = counting.Gap, f.worstName()
	case f != 0:
		w.Quality, w.Reason = counting.Partial, f.worstName()
	default:
		w.Quality, w.Reason = counting.OK, ""
	}
}
