package loop

import (
	"math"
	"time"

	"kerb/counting"
)

const (
	queueLen    = 8        // presences of one loop that wait for the other
	topSpeed    = 70.0     // m/s: two loops that answer faster are coupled
	pulseCrawl  = 1.5      // m/s: with pulse cards a slower vehicle is not recognised on the second loop
	shortest    = 1.2      // m: shortest vehicle, for how long the second loop may keep us waiting
	longest     = 30.0     // m: a longer one is not believed
	freeFlow    = 45 / 3.6 // m/s: from here on the on-times of two loops should be equal
	driftMemory = 50       // vehicles over which on-times are compared
	motorcycle  = 3.0      // m: shorter is a motorcycle (TLS: 1.5–3.0 m),
	car         = 6.6      // m: shorter is a car or van, longer is heavy (the British bound)
)

// presence is one vehicle on one loop.
type presence struct {
	on, off time.Duration
	open    bool // it has not left yet
	blurred bool // one of its edges was not seen: it counts, but measures nothing
}

func (p presence) onTime() time.Duration { return p.off - p.on }

type queue struct {
	p [queueLen]presence
	n int
}

func (q *queue) pop() presence {
	p := q.p[0]
	copy(q.p[:], q.p[1:q.n])
	q.n--
	return p
}

// lane makes passages of presences.
type lane struct {
	Lane
	pulse   bool
	inputs  [2]int
	pair    bool
	queue   [2]queue
	trusted int           // loops without a fault
	from    time.Duration // lane observed up to here
	due     time.Duration // when the first presence stops waiting for the other loop
	chain   bool          // lastOn and lastOff are those of the vehicle right before
	lastOn  time.Duration
	lastOff time.Duration
	streak  [2]int  // passages in a row on this loop only
	both    int     // passages on both since a pair fault
	ratio   float64 // mean log ratio of on-times at free flow
	ratios  int
	speed   float64 // of the last vehicle that had one
	total   uint32  // passages since the start
	win     Window
}

func newLane(c *Counter, i int, o Lane) lane {
	if o.Lengths.n == 0 {
		o.Lengths = UK()
	}
	l := lane{Lane: o, pair: len(o.Loops) == 2, trusted: len(o.Loops), due: never}
	copy(l.inputs[:], o.Loops)
	l.win = l.blank(0)
	for slot, n := range o.Loops {
		if c.in[n].card == Pulse {
			l.pulse = true
			l.win.Loops[slot].Pulse = true
		}
	}
	return l
}

// blank is a window in which nothing has happened yet.
func (l *lane) blank(start time.Duration) Window {
	w := Window{Stream: l.Stream, Start: start, Bins: l.Lengths, Estimated: !l.pair && l.MeanLength > 0}
	for slot := range w.Loops {
		w.Loops[slot].Pulse = l.win.Loops[slot].Pulse
	}
	w.Counted[counting.Vehicle] = !l.Split
	if l.Split {
		w.Counted[counting.Motorcycle], w.Counted[counting.Car], w.Counted[counting.Heavy] = true, true, true
	}
	return w
}

// begin is a vehicle on a loop.
func (l *lane) begin(c *Counter, slot int, p presence) {
	q := &l.queue[slot]
	if q.n == queueLen { // cannot wait any longer
		l.lone(c, slot, q.pop())
	}
	q.p[q.n] = p
	q.n++
}

// end is its leaving.
func (l *lane) end(c *Counter, slot int, off time.Duration, blurred bool) {
	q := &l.queue[slot]
	if q.n == 0 || !q.p[q.n-1].open {
		return
	}
	p := &q.p[q.n-1]
	p.off, p.open, p.blurred = off, false, p.blurred || blurred
	if p.onTime() < c.limits.MinOn && !p.blurred {
		q.n--
	}
	l.resolve(c, off)
}

// resolve makes passages of what can be decided at t.
func (l *lane) resolve(c *Counter, t time.Duration) {
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
		if f.open {
			return // with its end known so is how long the other may take
		}
		if !l.pair {
			l.single(c, mine.pop())
			continue
		}
		limit := f.on + l.patience(f)
		switch {
		case !c.in[l.inputs[1-slot]].trusted(), other.n > 0 && other.p[0].on > limit:
			l.lone(c, slot, mine.pop())
		case other.n > 0 && other.p[0].open:
			return
		case other.n > 0:
			l.paired(c, slot, mine.pop(), other.pop())
		case t >= limit:
			l.lone(c, slot, mine.pop())
		default:
			l.due = limit
			c.next = min(c.next, limit)
			return
		}
	}
}

// patience is how long after the first loop the second may answer, so that
// the vehicle is not shorter than any: with v = D/t, the on-time o gives
// v·o - loop length ≥ shortest.
func (l *lane) patience(f presence) time.Duration {
	if l.pulse {
		return time.Duration(l.Spacing / pulseCrawl * float64(time.Second))
	}
	return time.Duration(l.Spacing * float64(f.onTime()) / (l.LoopLength + shortest))
}

// measure gives speed in m/s and length in m of a vehicle that went over both
// loops, first f and then s; 0 for what is not known.
func (l *lane) measure(f, s presence) (speed, length float64) {
	t := (s.on - f.on).Seconds()
	if f.blurred || s.blurred || t*topSpeed < l.Spacing {
		return 0, 0
	}
	speed = l.Spacing / t
	if l.pulse {
		return speed, 0
	}
	length = speed*(f.onTime()+s.onTime()).Seconds()/2 - l.LoopLength
	if length < 0.5 || length > longest {
		length = 0
	}
	return speed, length
}

// direction of a vehicle that touched this loop first.
func (l *lane) direction(slot int) counting.Direction {
	if (slot == 1) != l.Reverse {
		return counting.BToA
	}
	return counting.AToB
}

// paired is a vehicle over both loops.
func (l *lane) paired(c *Counter, slot int, f, s presence) {
	speed, length := l.measure(f, s)
	l.streak = [2]int{}
	l.both++
	if l.both >= c.limits.PairClear {
		c.clear(&c.in[l.inputs[0]], Pair, max(f.off, s.off))
		c.clear(&c.in[l.inputs[1]], Pair, max(f.off, s.off))
	}
	if speed > 0 && !l.pulse {
		trail := l.Spacing / (s.off - f.off).Seconds()
		if !(math.Abs(trail-speed) <= speed/4) {
			l.win.Doubtful++
		}
		if speed >= freeFlow {
			l.compare(c, slot, f, s)
		}
	}
	l.passage(c, f, l.direction(slot), speed, length)
}

// compare follows the ratio of the loops' on-times, after Coifman (Using dual
// loop speed traps to identify detector errors, TRR 1683, 1999).
func (l *lane) compare(c *Counter, slot int, f, s presence) {
	if slot == 1 {
		f, s = s, f
	}
	if f.onTime() <= 0 || s.onTime() <= 0 || c.limits.Drift == 0 {
		return
	}
	r := math.Log(float64(f.onTime()) / float64(s.onTime()))
	if l.ratios < driftMemory {
		l.ratios++
	}
	l.ratio += (r - l.ratio) / float64(l.ratios)
	if l.ratios < driftMemory {
		return
	}
	at, limit := max(f.off, s.off), math.Log1p(c.limits.Drift)
	// Which of the two fails cannot be told: the shorter one is named.
	weak := &c.in[l.inputs[0]]
	if l.ratio > 0 {
		weak = &c.in[l.inputs[1]]
	}
	switch d := math.Abs(l.ratio); {
	case d > limit:
		c.fault(weak, Drift, at, 0)
	case d < limit/2:
		c.clear(&c.in[l.inputs[0]], Drift, at)
		c.clear(&c.in[l.inputs[1]], Drift, at)
	}
}

// lone is a vehicle that only one of two loops saw.
func (l *lane) lone(c *Counter, slot int, f presence) {
	l.win.Lone++
	other := &c.in[l.inputs[1-slot]]
	if other.trusted() {
		l.streak[slot]++
		l.streak[1-slot] = 0
		if n := c.limits.Pair; n > 0 && l.streak[slot] >= n {
			l.both = 0
			c.fault(other, Pair, f.off, uint32(l.streak[slot]))
		}
	}
	l.passage(c, f, l.direction(0), 0, 0)
}

// single is a vehicle over the only loop.
func (l *lane) single(c *Counter, f presence) {
	speed := 0.0
	if o := f.onTime().Seconds(); l.MeanLength > 0 && o > 0 && !f.blurred {
		speed = (l.MeanLength + l.LoopLength) / o
	}
	l.passage(c, f, l.direction(0), speed, 0)
}

// passage puts one vehicle into the window.
func (l *lane) passage(c *Counter, f presence, dir counting.Direction, speed, length float64) {
	w, class := &l.win, counting.Vehicle
	if l.Split {
		class = l.class(length)
		if length == 0 {
			w.Unsized++
		}
	}
	w.Passages[class][dir]++
	l.total++
	if l.chain && !f.blurred {
		h := max(0, f.on-l.lastOn)
		w.Headway += h
		w.Headways[timeBin(h)]++
		if !l.pulse {
			w.Gaps[timeBin(max(0, f.on-l.lastOff))]++
		}
	}
	l.chain, l.lastOn, l.lastOff = !f.blurred, f.on, f.off
	if speed > 0 {
		w.Speeds[speedBin(speed)]++
		l.speed = speed
	}
	if length > 0 {
		w.Lengths[w.Bins.bin(length)]++
	}
	c.passages = append(c.passages, counting.Crossing{Stream: l.Stream, Class: class, Dir: dir, At: f.on, Speed: speed, Length: length})
}

// class of a length in m; what is not known counts as a car.
func (l *lane) class(length float64) counting.Class {
	switch {
	case length == 0:
		return counting.Car
	case length < motorcycle:
		return counting.Motorcycle
	case length < car:
		return counting.Car
	}
	return counting.Heavy
}
