package loop

import (
	"math"
	"time"

	"kerb/counting"
)

// The limits for pairing, measuring and classing. Those without a source were
// chosen by hand.
const (
	queueLen        = 8        // presences of one loop that wait for the other
	maxPairSpeed    = 70.0     // m/s: two loops that follow each other faster are coupled
	minPulseSpeed   = 1.5      // m/s: with pulse cards a slower vehicle is not recognised on the second loop
	minVehicle      = 1.2      // m: shortest vehicle, which bounds the wait for the second loop
	minLength       = 0.5      // m: a shorter measured length counts as unknown
	maxLength       = 30.0     // m: a longer one too
	doubtfulShare   = 0.25     // of the speed: trailing edges that differ by more make it doubtful
	freeFlow        = 45 / kmh // m/s: from here on the on-times of two loops should be equal
	driftVehicles   = 50       // vehicles over which on-times are compared
	driftClearShare = 0.5      // of Limits.Drift: below it the fault clears (hysteresis)
	motorcycleBelow = 3.0      // m: shorter is a motorcycle (TLS: 1.5–3.0 m),
	carBelow        = 6.6      // m: shorter is a car or van, longer is heavy (the British bound)
)

// presence is one vehicle on one loop.

// presence is one vehicle on one loop.
type presence struct {
	on, off time.Duration
	open    bool // the vehicle still covers the loop
	blurred bool // one of its edges was lost: the vehicle is counted, but not measured
}

// onTime is the time for which the loop was covered.
func (p presence) onTime() time.Duration { return p.off - p.on }

// queue holds one loop's presences that wait for the other loop, oldest first.
type queue struct {
	p [queueLen]presence
	n int
}

// popFirst removes and returns the oldest presence. The queue must not be empty.
func (q *queue) popFirst() presence {
	p := q.p[0]
	copy(q.p[:], q.p[1:q.n])
	q.n--
	return p
}

// lane joins the presences of its one or two loops into passages.
type lane struct {
	Lane
	pulse        bool // a loop has a pulse card
	inputs       [2]int
	pair         bool // two loops
	queue        [2]queue
	trustedLoops int           // number of loops that are trusted
	observedTo   time.Duration // observation before it is in the window's sums
	due          time.Duration // when the oldest presence stops waiting for the other loop
	hasLast      bool          // lastOn and lastOff are those of the vehicle right before
	lastOn       time.Duration
	lastOff      time.Duration
	oddPair      CardFinding // of the last pair, 0 for a vehicle
	oddPairs     int         // pairs in a row with this finding
	loneStreak   int         // passages in a row that only one loop saw, whichever
	loneRun      [2]int      // passages in a row on this loop only
	pairRun      int         // passages on both loops since Pair was raised
	meanLogRatio float64     // mean logarithm of the ratio of on-times at free flow
	ratioCount   int         // ratios in it, at most driftVehicles
	lastSpeed    float64     // m/s, of the last vehicle with a speed
	total        uint32      // passages since the start, or the last end of a window
	window       Window
}

// newLane makes lane i of the counter, whose inputs are set.

func newLane(c *Counter, i int, o Lane) lane {
	if o.LengthBins.Len() == 0 {
		o.LengthBins = counting.UKLengths()
	}
	l := lane{Lane: o, pair: len(o.Loops) == 2, trustedLoops: len(o.Loops), due: never}
	copy(l.inputs[:], o.Loops)
	l.window = l.newWindow(0)
	for slot, n := range o.Loops {
		if c.inputs[n].card == Pulse {
			l.pulse = true
			l.window.Loops[slot].Pulse = true
		}
	}
	return l
}

// newWindow makes an empty window that begins at start.
func (l *lane) newWindow(start time.Duration) Window {
	w := Window{Stream: l.Stream, Start: start, LengthBins: l.LengthBins, Estimated: !l.pair && l.MeanLength > 0}
	for slot := range w.Loops {
		w.Loops[slot].Pulse = l.window.Loops[slot].Pulse
	}
	w.Counted[counting.Vehicle] = !l.Split
	if l.Split {
		w.Counted[counting.Motorcycle], w.Counted[counting.Car], w.Counted[counting.Heavy] = true, true, true
	}
	return w
}

// addPresence adds a presence to its loop's queue.
func (l *lane) addPresence(c *Counter, slot int, p presence) {
	q := &l.queue[slot]
	if !p.blurred && l.continues(c, slot, p.on) {
		q.p[q.n-1].open = true
		l.window.Joined++
		return
	}
	if q.n == queueLen { // the oldest cannot wait any longer
		l.addLone(c, slot, q.popFirst())
	}
	q.p[q.n] = p
	q.n++
}

// continues reports whether a loop that is covered from on is still covered by the
// vehicle of its newest presence, under which the card let go.
func (l *lane) continues(c *Counter, slot int, on time.Duration) bool {
	q := &l.queue[slot]
	if q.n == 0 {
		return false
	}
	p := q.p[q.n-1]
	return !p.open && !p.blurred && on-p.off < l.letGo(c.limits.LetGo)
}

// endPresence ends the newest presence of a loop, and drops it where it is
// shorter than Limits.MinOn.
func (l *lane) endPresence(c *Counter, slot int, off time.Duration, blurred bool) {
	q := &l.queue[slot]
	if q.n == 0 || !q.p[q.n-1].open {
		return
	}
	p := &q.p[q.n-1]
	p.off, p.open, p.blurred = off, false, p.blurred || blurred
	if p.onTime() < c.limits.MinOn && !p.blurred {
		q.n--
	}
	l.resolveQueues(c, off)
}

// resolveQueues makes passages of the presences that can be decided at t.
func (l *lane) resolveQueues(c *Counter, t time.Duration) {
	l.due = never
	for {
		a, b := &l.queue[0], &l.queue[1]
		slot := 0
		switch {
		case a.n == 0 && b.n == 0:
			return
		case a.n == 0, b.n > 0 && b.p[0].on < a.p[0].on:
			slot = 1
		}
		mine, other := &l.queue[slot], &l.queue[1-slot]
		f := mine.p[0]
		if f.open && t-f.on >= heldFor && other.n > 0 { // who passes the vehicle that stands is seen by the other loop alone
			mine, other, slot = other, mine, 1-slot
			if f = mine.p[0]; !f.open && !l.waitForLetGo(c, f, t) {
				l.addLone(c, slot, mine.popFirst())
				continue
			}
			return
		}
		if f.open {
			return // the end of the presence is needed for pairTimeout
		}
		if l.waitForLetGo(c, f, t) {
			return
		}
		if !l.pair {
			l.addSingle(c, mine.popFirst())
			continue
		}
		limit := f.on + l.pairTimeout(f)
		switch {
		case !c.inputs[l.inputs[1-slot]].isTrusted(), other.n > 0 && other.p[0].on > limit:
			l.addLone(c, slot, mine.popFirst())
		case other.n > 0 && (other.p[0].open || l.waitForLetGo(c, other.p[0], t)):
			return
		case other.n > 0:
			l.addPair(c, slot, mine.popFirst(), other.popFirst())
		case t >= limit:
			l.addLone(c, slot, mine.popFirst())
		default:
			l.due = limit
			c.nextDue = min(c.nextDue, limit)
			return
		}
	}
}

// waitForLetGo reports whether presence p can still go on at t, and sets the deadline
// until which it can.
func (l *lane) waitForLetGo(c *Counter, p presence, t time.Duration) bool {
	ends := p.off + l.letGo(c.limits.LetGo)
	if p.blurred || t >= ends {
		return false
	}
	l.due = ends
	c.nextDue = min(c.nextDue, ends)
	return true
}

// pairTimeout is the longest delay of the second loop's leading edge at which the
// vehicle is not shorter than minVehicle: with v = D/t and the on-time o it is
// the t at which v·o - loop length = minVehicle.
func (l *lane) pairTimeout(f presence) time.Duration {
	if l.pulse {
		return time.Duration(l.Spacing / minPulseSpeed * float64(time.Second))
	}
	return time.Duration(l.Spacing * float64(f.onTime()) / (l.LoopLength + minVehicle))
}

// speedAndLength gives the speed in m/s and the length in m of a vehicle that went
// over both loops, first f and then s; 0 where unknown.
func (l *lane) speedAndLength(f, s presence) (speed, length float64) {
	t := (s.on - f.on).Seconds()
	if f.blurred || s.blurred || t*maxPairSpeed < l.Spacing {
		return 0, 0
	}
	speed = l.Spacing / t
	if l.pulse {
		return speed, 0
	}
	length = speed*(f.onTime()+s.onTime()).Seconds()/2 - l.LoopLength
	if length < minLength || length > maxLength {
		length = 0
	}
	return speed, length
}

// directionFrom is the direction of a vehicle that reached this loop first.
func (l *lane) directionFrom(slot int) counting.Direction {
	if (slot == 1) != l.Reverse {
		return counting.BToA
	}
	return counting.AToB
}

// addPair counts a vehicle that both loops saw, first f and then s.
func (l *lane) addPair(c *Counter, slot int, f, s presence) {
	speed, length := l.speedAndLength(f, s)
	if l.checkPair(c, f, s, speed, length) {
		l.window.Backed++
		return
	}
	l.loneRun, l.loneStreak = [2]int{}, 0
	l.pairRun++
	if l.pairRun >= c.limits.PairClear {
		c.clearFault(&c.inputs[l.inputs[0]], Pair, max(f.off, s.off))
		c.clearFault(&c.inputs[l.inputs[1]], Pair, max(f.off, s.off))
	}
	if speed > 0 && !l.pulse {
		trail := l.Spacing / (s.off - f.off).Seconds()
		if !(math.Abs(trail-speed) <= speed*doubtfulShare) {
			l.window.Doubtful++
		}
		if speed >= freeFlow {
			l.compareOnTimes(c, slot, f, s)
		}
	}
	l.addPassage(c, f, l.directionFrom(slot), speed, length)
}

// compareOnTimes raises Drift when the mean ratio of the loops' on-times leaves
// its limit, after Coifman (Using dual loop speed traps to identify detector
// errors, TRR 1683, 1999).
func (l *lane) compareOnTimes(c *Counter, slot int, f, s presence) {
	if slot == 1 {
		f, s = s, f
	}
	if f.onTime() <= 0 || s.onTime() <= 0 || c.limits.Drift == 0 {
		return
	}
	r := math.Log(float64(f.onTime()) / float64(s.onTime()))
	if l.ratioCount < driftVehicles {
		l.ratioCount++
	}
	l.meanLogRatio += (r - l.meanLogRatio) / float64(l.ratioCount)
	if l.ratioCount < driftVehicles {
		return
	}
	at, limit := max(f.off, s.off), math.Log1p(c.limits.Drift)
	// The ratio cannot tell which loop fails: the shorter on-time is named.
	weak := &c.inputs[l.inputs[0]]
	if l.meanLogRatio > 0 {
		weak = &c.inputs[l.inputs[1]]
	}
	switch d := math.Abs(l.meanLogRatio); {
	case d > limit:
		c.raiseFault(weak, Drift, at, 0)
	case d < limit*driftClearShare:
		c.clearFault(&c.inputs[l.inputs[0]], Drift, at)
		c.clearFault(&c.inputs[l.inputs[1]], Drift, at)
	}
}

// addLone counts a vehicle that only one of two loops saw.
func (l *lane) addLone(c *Counter, slot int, f presence) {
	l.window.Lone++
	other := &c.inputs[l.inputs[1-slot]]
	if other.isTrusted() && !other.coversAll(f) {
		if l.loneStreak++; c.limits.Card && c.limits.Pair > 0 && l.loneStreak >= 2*c.limits.Pair {
			l.pairRun = 0 // each loop in turn, never both: no single loop is the weak one
			c.raiseFault(other, Pair, f.off, uint32(l.loneStreak))
		}
		l.loneRun[slot]++
		l.loneRun[1-slot] = 0
		if n := c.limits.Pair; n > 0 && l.loneRun[slot] >= n {
			l.pairRun = 0
			c.raiseFault(other, Pair, f.off, uint32(l.loneRun[slot]))
		}
	}
	l.addPassage(c, f, l.directionFrom(0), 0, 0)
}

// addSingle counts a vehicle over the only loop of a lane.
func (l *lane) addSingle(c *Counter, f presence) {
	speed := 0.0
	if o := f.onTime().Seconds(); l.MeanLength > 0 && o > 0 && !f.blurred {
		speed = (l.MeanLength + l.LoopLength) / o
	}
	l.addPassage(c, f, l.directionFrom(0), speed, 0)
}

// addPassage adds one vehicle to the window and to the result.
func (l *lane) addPassage(c *Counter, f presence, dir counting.Direction, speed, length float64) {
	w, class := &l.window, counting.Vehicle
	if l.Split {
		class = l.classByLength(length)
		if length == 0 {
			w.Unsized++
		}
	}
	w.Passages[class][dir]++
	if c.totals {
		l.total++
	}
	if l.hasLast && !f.blurred {
		h := max(0, f.on-l.lastOn)
		w.Headway += h
		w.Headways[counting.TimeBin(h)]++
		if !l.pulse {
			w.Gaps[counting.TimeBin(max(0, f.on-l.lastOff))]++
		}
	}
	l.hasLast, l.lastOn, l.lastOff = !f.blurred, f.on, f.off
	if speed > 0 {
		w.addSpeed(speed)
		l.lastSpeed = speed
	}
	if length > 0 {
		w.Lengths[w.LengthBins.BinOf(length)]++
	}
	c.passages = append(c.passages, counting.Crossing{Stream: l.Stream, Class: class, Dir: dir, At: f.on, Speed: speed, Length: length})
}

// classByLength is the class of a length in m; an unknown length counts as a car.
func (l *lane) classByLength(length float64) counting.Class {
	switch {
	case length == 0:
		return counting.Car
	case length < motorcycleBelow:
		return counting.Motorcycle
	case length < carBelow:
		return counting.Car
	}
	return counting.Heavy
}
