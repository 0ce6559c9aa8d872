package loop

import "time"

const (
	onsetsKept      = 32                      // onsets remembered for Limits.Chatter
	chatterWindow   = 2 * time.Second         // the time in which they are too many
	maxBounce       = 500 * time.Millisecond  // a contact that bounces longer than this does not bounce
	chatterShorts   = 3                       // on-times below the minimum, one after the other, that are chatter
	lifeSignsNeeded = 2                       // vehicles that take Silent back
	relayDelay      = time.Second             // a fault relay must have fallen this long
	pulseStuck      = time.Second             // no pulse card holds its output longer
	slowAfter       = 2 * time.Second         // HIOCC: 2.0 s can mean a standing vehicle,
	standingAfter   = 2900 * time.Millisecond // 2.9 s must: its counting seconds are not in step with the vehicle
)

// input is one line: first the contact with its bounce, then the state of the
// loop with its books and faults.
type input struct {
	name  string
	card  Card
	lane  int // -1: not in use
	slot  int
	relay bool

	levelKnown bool // whether the level was ever seen
	level      bool // after the last edge, bounce included
	bursting   bool
	burstAt    time.Duration // first edge of the burst
	lastEdge   time.Duration
	burstEdges uint32 // edges in it
	blurNext   bool   // the beginning of the coming presence was not seen

	on             bool          // at rest
	changedAt      time.Duration // of the last change
	coveredTo      time.Duration // coverage up to here is in the books
	observedTo     time.Duration // observation up to here is in the books
	missedReported bool          // edges were lost in this window
	bitsCounted    int64         // SCOOT intervals of this window up to here are in the books
	bits           uint16        // the last 16 presence bits, newest lowest
	bitsTo         int64         // interval of the newest

	onsets      [onsetsKept]time.Duration
	onsetCount  int // how many there were
	lastOn      time.Duration
	shortRun    int
	lifeSigns   int
	alertStage  uint8 // of the alert for the present vehicle: 1 slow, 2 standing
	lastChatter time.Duration
	lastSlow    time.Duration
	silentSince time.Duration // when silence began
	recheckAt   time.Duration // of Silent
	faults      Fault
	day         dayCheck
	due         time.Duration // the earliest time at which something may have to happen
}

func (in *input) isTrusted() bool { return in.faults&untrustedFaults == 0 }

// addEdge takes one edge. The counter's clock has reached e.At less Settle.
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
		// A vehicle left and another came, unseen.
		in.blurNext = true
		c.changeState(in, false, e.At)
		c.changeState(in, true, e.At)
		in.blurNext, in.lastEdge = false, e.At
	default:
		// Two edges alike with nothing lost are bounce too: the kernel reads
		// the level some time after the edge that it reports.
		in.blurNext = in.blurNext || e.Level || e.Missed > 0
		in.extendBurst(c, e)
	}
	c.scheduleInput(in)
}

// extendBurst puts an edge into a burst, new or old.
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

// recordMissed puts lost edges on record.
func (c *Counter) recordMissed(in *input, n uint32, at time.Duration) {
	if in.lane < 0 {
		return
	}
	l := &c.lanes[in.lane]
	l.window.Missed += n
	l.hasLast = false
	in.day.spoiled = true
	if !in.missedReported { // one event a window: the count is in the window
		in.missedReported = true
		c.emitEvent(in, Missed, true, at, n)
	}
}

// endBurst ends a burst: the line has been quiet for Limits.Settle.
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

// changeState is what the loop does once bounce is gone.
func (c *Counter) changeState(in *input, on bool, at time.Duration) {
	if in.lane < 0 || in.relay {
		in.on, in.changedAt = on, at
		return
	}
	l := &c.lanes[in.lane]
	if on {
		in.rollBits(at - c.origin)
		in.on, in.changedAt, in.alertStage = true, at, 0
		in.coveredTo = max(in.coveredTo, at)
		in.bits |= 1
		l.window.Loops[in.slot].Onsets++
		in.day.onsets++
		c.checkChatter(in, at)
		if in.isTrusted() {
			l.addPresence(c, in.slot, presence{on: at, open: true, blurred: in.blurNext})
		}
		return
	}
	c.uncoverLoop(in, l, at)
}

// uncoverLoop is the end of a presence.
func (c *Counter) uncoverLoop(in *input, l *lane, at time.Duration) {
	in.rollBits(at - c.origin - 1)
	o := at - in.changedAt
	in.day.addCoverage(in.changedAt, at)
	if in.isTrusted() && !in.blurNext {
		in.addObserved(&l.window, at, true)
	}
	if in.alertStage > 0 {
		in.lastSlow = at
	}
	in.on, in.changedAt, in.lastOn = false, at, o
	in.coveredTo = max(in.coveredTo, at)
	if o < c.limits.MinOn {
		l.window.Short++
		c.countShort(in, at)
	} else {
		in.shortRun, in.silentSince = 0, at
		if in.faults&Silent != 0 {
			if in.lifeSigns++; in.lifeSigns >= lifeSignsNeeded {
				c.clearFault(in, Silent, at)
			}
		}
	}
	if in.isTrusted() {
		l.endPresence(c, in.slot, at, in.blurNext)
	}
}

// checkChatter checks the last onsets for chatter.
func (c *Counter) checkChatter(in *input, at time.Duration) {
	n := c.limits.Chatter
	in.onsets[in.onsetCount%onsetsKept] = at
	in.onsetCount++
	if n == 0 || in.onsetCount <= n || at-in.onsets[(in.onsetCount-1-n)%onsetsKept] >= chatterWindow {
		return
	}
	in.lastChatter = at
	c.raiseFault(in, Chatter, at, uint32(n+1))
}

func (c *Counter) countShort(in *input, at time.Duration) {
	if in.shortRun++; in.shortRun < chatterShorts || c.limits.Chatter == 0 {
		return
	}
	in.lastChatter = at
	c.raiseFault(in, Chatter, at, uint32(in.shortRun))
}

// rollBits brings the presence bits up to t, a time since the source was opened:
// the loop has been what it is now ever since.
func (in *input) rollBits(t time.Duration) {
	i := int64(t / BitInterval)
	n := i - in.bitsTo
	if n <= 0 {
		return
	}
	in.bitsTo = i
	in.bits <<= min(n, 16)
	if in.on {
		in.bits |= 1<<min(n, 16) - 1
	}
}

// addObserved puts coverage and observation up to a time into the books of the
// window. Both stay within it, and coverage within observation.
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
	first, last := int64(from/BitInterval), int64((to-1)/BitInterval)
	p.Covered += uint32(last + 1 - max(first, in.bitsCounted))
	in.bitsCounted = max(in.bitsCounted, last+1)
	if n := int64(to/CongestedFor) - int64((from+CongestedFor-1)/CongestedFor); n > 0 {
		p.Congested += uint32(n)
	}
}
