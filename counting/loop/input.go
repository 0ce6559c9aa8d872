package loop

import (
	"time"

	"kerb/counting"
)

// The debounce, chatter and alert times of an input. HIOCC is the incident
// detection of TRRL SR 526; the others were chosen by hand for cards and relays.
const (
	onsetsKept      = 32                      // onsets remembered for Limits.Chatter
	chatterWindow   = 2 * time.Second         // more than Limits.Chatter onsets within it are a fault
	maxBounce       = 500 * time.Millisecond  // a contact that changes for longer is chatter, not bounce
	chatterShorts   = 3                       // on-times in a row below Limits.MinOn that are chatter
	lifeSignsNeeded = 2                       // vehicles that clear Silent, and StuckOn after the one that raised it
	heldFor         = 10 * time.Minute        // a loop covered for longer no longer holds up the other one of its pair
	relayDelay      = time.Second             // how long a fault relay must have fallen
	slowAfter       = 2 * time.Second         // HIOCC: a vehicle of 2.0 s may be standing,
	standingAfter   = 2900 * time.Millisecond // of 2.9 s must be: HIOCC's counting seconds are not in step with the vehicle
	bitsKept        = 16                      // SCOOT presence bits remembered for a terminal
)

// The stages of the alert for the vehicle on a loop.
const (
	alertNone uint8 = iota
	alertSlow
	alertStanding
)

// input is one input line. It first removes the bounce of the contact, then
// follows the state of the loop, its sums and its faults.

// input is one line: first the contact with its bounce, then the state of the
// loop with its books and faults.
type input struct {
	name  string
	card  Card
	lane  int // -1: not in use
	slot  int // index within the lane's loops
	relay bool

	levelKnown bool          // false until the first edge or level
	level      bool          // after the last edge, bounce included
	bursting   bool          // the contact bounces
	burstAt    time.Duration // first edge of the burst
	lastEdge   time.Duration
	burstEdges uint32 // edges in it
	blurNext   bool   // an edge of the coming presence may be missing

	on             bool          // the debounced level
	changedAt      time.Duration // last change of on
	coveredTo      time.Duration // on-time before it is in the window's sums
	observedTo     time.Duration // observation before it is in the window's sums
	missedReported bool          // Missed was reported in this window
	clipped        time.Duration // on-time of this vehicle that is in the clipped sum
	congested      bool          // this vehicle has been counted in Stood
	bitsCounted    int64         // SCOOT intervals of this window that are in its sums
	bits           uint16        // the last bitsKept presence bits, newest lowest
	bitsTo         int64         // interval of the newest

	onsets      [onsetsKept]time.Duration // ring of the last onsets
	nextOnset   int                       // the oldest of them
	total       int                       // onsets since the start, with Opts.Totals
	lastOn      time.Duration             // last on-time
	shortRun    int                       // on-times in a row below Limits.MinOn
	lifeSigns   int                       // vehicles since Silent was raised
	stuckSigns  int                       // presences that ended since StuckOn was raised
	alertStage  uint8                     // of the vehicle on the loop
	lastChatter time.Duration
	lastSlow    time.Duration
	silentSince time.Duration // end of the last vehicle
	recheckAt   time.Duration // next look at Silent
	faults      Fault
	cardCheck   cardCheck
	day         dayCheck
	due         time.Duration // earliest deadline
}

// isTrusted is false while a fault makes the loop's edges worthless.
func (in *input) isTrusted() bool { return in.faults&untrustedFaults == 0 }

// coversAll reports whether another vehicle has stood on the loop since before p: then
// it is no fault that the loop did not see the vehicle of p.
func (in *input) coversAll(p presence) bool { return in.on && in.changedAt <= p.on }

// addEdge handles one edge. The counter's clock has reached e.At less Settle.
func (c *Counter) addEdge(e Edge) {
	in := &c.inputs[e.Line]
	e.At = max(e.At, in.lastEdge)
	if e.Missed > 0 {
		c.recordMissed(in, e.Missed, e.At)
	}
	switch {
	case e.Level && !in.bursting && e.On == in.level:
		in.levelKnown, in.lastEdge = true, e.At
	case in.on && e.On && e.Missed > 0 && !in.bursting:
		// A vehicle left and another came while edges were lost.
		in.blurNext = true
		c.changeState(in, false, e.At)
		c.changeState(in, true, e.At)
		in.blurNext, in.lastEdge = false, e.At
	default:
		// Two equal edges without a loss are bounce too: the kernel reads the
		// level some time after the edge that it reports.
		in.blurNext = in.blurNext || e.Level || e.Missed > 0
		in.extendBurst(c, e)
	}
	c.scheduleInput(in)
}

// extendBurst adds an edge to the present burst, or begins one, and raises
// Chatter when the burst lasts longer than maxBounce.
func (in *input) extendBurst(c *Counter, e Edge) {
	if !in.bursting {
		in.bursting, in.burstAt, in.burstEdges = true, e.At, 0
	} else if e.At-in.burstAt > maxBounce {
		in.lastChatter = e.At
		if c.limits.Chatter > 0 {
			c.raiseFault(in, Chatter, e.At, in.burstEdges)
		}
	}
	in.levelKnown, in.level, in.lastEdge = true, e.On, e.At
	in.burstEdges++
}

// recordMissed adds n lost edges to the window and reports the first loss in it.
func (c *Counter) recordMissed(in *input, n uint32, at time.Duration) {
	if in.lane < 0 {
		return
	}
	l := &c.lanes[in.lane]
	l.window.Missed += n
	l.hasLast = false
	in.day.spoiled = true
	if !in.missedReported { // one event a window: the number is in the window
		in.missedReported = true
		c.emitEvent(in, Missed, true, at, n)
	}
}

// endBurst ends a burst once the line has been quiet for Limits.Settle. Its first
// edge is the time of the change.
func (c *Counter) endBurst(in *input) {
	in.bursting = false
	if in.lane >= 0 {
		l := &c.lanes[in.lane]
		if in.level != in.on {
			l.window.Bounce += in.burstEdges - 1
		} else {
			l.window.Bounce += in.burstEdges
		}
	}
	if in.level != in.on {
		c.changeState(in, in.level, in.burstAt)
	}
	in.blurNext = false
}

// changeState sets the debounced level of a line. On a loop it begins or ends a
// presence.
func (c *Counter) changeState(in *input, on bool, at time.Duration) {
	if in.lane < 0 || in.relay {
		in.on, in.changedAt = on, at
		return
	}
	l := &c.lanes[in.lane]
	if on {
		in.rollBits(at - c.origin)
		in.on, in.changedAt, in.alertStage = true, at, alertNone
		if !l.continues(c, in.slot, at) {
			in.clipped, in.congested = 0, false
		}
		in.coveredTo = max(in.coveredTo, at)
		in.bits |= 1
		l.window.Loops[in.slot].Onsets++
		in.day.onset = true
		if c.totals {
			in.total++
		}
		c.checkChatter(in, at)
		if in.isTrusted() {
			l.addPresence(c, in.slot, presence{on: at, open: true, blurred: in.blurNext})
		}
		return
	}
	c.uncoverLoop(in, l, at)
}

// uncoverLoop ends a presence: its on-time goes into the sums, and too short a
// presence counts towards Chatter.
func (c *Counter) uncoverLoop(in *input, l *lane, at time.Duration) {
	in.rollBits(at - c.origin - 1)
	o := at - in.changedAt
	in.day.addCoverage(in.changedAt, at)
	if in.isTrusted() && !in.blurNext {
		in.addObserved(&l.window, at, true)
	}
	if in.alertStage > alertNone {
		in.lastSlow = at
	}
	began := in.changedAt
	in.on, in.changedAt, in.lastOn = false, at, o
	in.coveredTo = max(in.coveredTo, at)
	if o < c.limits.MinOn {
		l.window.Short++
		c.countShort(in, at)
	} else {
		in.shortRun, in.silentSince = 0, at
		if !in.blurNext {
			c.checkCard(in, began, at)
		} else {
			in.cardCheck.n = 0
		}
		if in.faults&Silent != 0 {
			if in.lifeSigns++; in.lifeSigns >= lifeSignsNeeded {
				c.clearFault(in, Silent, at)
				in.recheckAt = at
			}
		}
		if in.faults&StuckOn != 0 {
			if in.stuckSigns++; in.stuckSigns > lifeSignsNeeded {
				c.clearFault(in, StuckOn, at)
			}
		}
	}
	if in.isTrusted() {
		l.endPresence(c, in.slot, at, in.blurNext)
	}
}

// checkChatter remembers an onset, and raises Chatter when more than
// Limits.Chatter of them lie within chatterWindow.
func (c *Counter) checkChatter(in *input, at time.Duration) {
	n := c.limits.Chatter
	before := in.onsets[(in.nextOnset-n+onsetsKept)%onsetsKept] // n onsets ago
	in.onsets[in.nextOnset] = at
	in.nextOnset = (in.nextOnset + 1) % onsetsKept
	if n == 0 || at-before >= chatterWindow {
		return
	}
	in.lastChatter = at
	c.raiseFault(in, Chatter, at, uint32(n+1))
}

// countShort raises Chatter after chatterShorts on-times in a row below Limits.MinOn.
func (c *Counter) countShort(in *input, at time.Duration) {
	if in.shortRun++; in.shortRun < chatterShorts || c.limits.Chatter == 0 {
		return
	}
	in.lastChatter = at
	c.raiseFault(in, Chatter, at, uint32(in.shortRun))
}

// rollBits fills the presence bits up to t, a time since the source was opened,
// with the present state of the loop.
func (in *input) rollBits(t time.Duration) {
	i := int64(t / BitInterval)
	n := i - in.bitsTo
	if n <= 0 {
		return
	}
	in.bitsTo = i
	in.bits <<= min(n, bitsKept)
	if in.on {
		in.bits |= 1<<min(n, bitsKept) - 1
	}
}

// addObserved adds observation, and on-time where covered, up to a time to the
// window's sums. Both stay within the window, and on-time within observation.
func (in *input) addObserved(w *Window, to time.Duration, covered bool) {
	p := &w.Loops[in.slot]
	if to > in.observedTo {
		p.Observed += to - in.observedTo
		in.observedTo = to
	}
	if !covered || in.coveredTo >= to || in.card == Pulse {
		return
	}
	from, to := in.coveredTo-w.Start, to-w.Start
	p.On += to - from
	in.coveredTo += to - from
	clipped := min(to-from, counting.MaxCovered-in.clipped)
	p.Clipped += clipped
	in.clipped += clipped
	first, last := int64(from/BitInterval), int64((to-1)/BitInterval)
	p.Covered += uint32(last + 1 - max(first, in.bitsCounted))
	in.bitsCounted = max(in.bitsCounted, last+1)
	if n := int64(to/CongestedFor) - int64((from+CongestedFor-1)/CongestedFor); n > 0 {
		p.Congested += uint32(n)
		if !in.congested {
			in.congested = true
			p.Stood++
		}
	}
}
