package loop

import "time"

const (
	onsetsKept    = 32                      // onsets remembered for Limits.Chatter
	chatterSpan   = 2 * time.Second         // the time in which they are too many
	restless      = 500 * time.Millisecond  // a contact that bounces longer than this does not bounce
	shortsInARow  = 3                       // on-times below the minimum, one after the other, that are chatter
	proofOfLife   = 2                       // vehicles that take Silent back
	relayDelay    = time.Second             // a fault relay must have fallen this long
	pulseStuck    = time.Second             // no pulse card holds its output longer
	slowAfter     = 2 * time.Second         // HIOCC: 2.0 s can mean a standing vehicle,
	standingAfter = 2900 * time.Millisecond // 2.9 s must: its counting seconds are not in step with the vehicle
)

// input is one line: first the contact with its bounce, then the state of the
// loop with its books and faults.
type input struct {
	name  string
	card  Card
	lane  int // -1: not in use
	slot  int
	relay bool

	known    bool // whether the level was ever seen
	level    bool // after the last edge, bounce included
	bursting bool
	burstAt  time.Duration // first edge of the burst
	lastEdge time.Duration
	burst    uint32 // edges in it
	blur     bool   // the beginning of the coming presence was not seen

	on      bool          // at rest
	since   time.Duration // of the last change
	from    time.Duration // coverage up to here is in the books
	watched time.Duration // observation up to here is in the books
	lossy   bool          // edges were lost in this window
	grid    int64         // SCOOT intervals of this window up to here are in the books
	bits    uint16        // the last 16 presence bits, newest lowest
	bitsAt  int64         // interval of the newest

	onsets   [onsetsKept]time.Duration
	onset    int // how many there were
	lastOn   time.Duration
	shorts   int
	proof    int
	stage    uint8 // of the alert for the present vehicle: 1 slow, 2 standing
	lastBad  time.Duration
	lastSlow time.Duration
	quietAt  time.Duration // when silence began
	recheck  time.Duration // of Silent
	faults   Fault
	day      day
	due      time.Duration // the earliest time at which something may have to happen
}

func (in *input) trusted() bool { return in.faults&dead == 0 }

// feed takes one edge. The counter's clock has reached e.At less Settle.
func (c *Counter) feed(e Edge) {
	in := &c.in[e.Line]
	e.At = max(e.At, in.lastEdge)
	if e.Missed > 0 {
		c.missed(in, e.Missed, e.At)
	}
	switch {
	case e.Level && !in.bursting && e.On == in.level:
		in.known, in.lastEdge = true, e.At
	case in.on && e.On && e.Missed > 0 && !in.bursting:
		// A vehicle left and another came, unseen.
		in.blur = true
		c.change(in, false, e.At)
		c.change(in, true, e.At)
		in.blur, in.lastEdge = false, e.At
	default:
		// Two edges alike with nothing lost are bounce too: the kernel reads
		// the level some time after the edge that it reports.
		in.blur = in.blur || e.Level || e.Missed > 0
		in.edge(c, e)
	}
	c.schedule(in)
}

// edge puts an edge into a burst, new or old.
func (in *input) edge(c *Counter, e Edge) {
	if !in.bursting {
		in.bursting, in.burstAt, in.burst = true, e.At, 0
	} else if e.At-in.burstAt > restless {
		in.lastBad = e.At
		if c.limits.Chatter > 0 {
			c.fault(in, Chatter, e.At, in.burst)
		}
	}
	in.known, in.level, in.lastEdge = true, e.On, e.At
	in.burst++
}

// missed puts lost edges on record.
func (c *Counter) missed(in *input, n uint32, at time.Duration) {
	if in.lane < 0 {
		return
	}
	l := &c.lanes[in.lane]
	l.win.Missed += n
	l.chain = false
	in.day.spoiled = true
	if !in.lossy { // one event a window: the count is in the window
		in.lossy = true
		c.emit(in, Missed, true, at, n)
	}
}

// rest ends a burst: the line has been quiet for Limits.Settle.
func (c *Counter) rest(in *input) {
	in.bursting = false
	if in.lane >= 0 {
		l := &c.lanes[in.lane]
		if in.level != in.on {
			l.win.Bounce += in.burst - 1
		} else {
			l.win.Bounce += in.burst
		}
	}
	if in.level != in.on {
		c.change(in, in.level, in.burstAt)
	}
	in.blur = false
}

// change is what the loop does once bounce is gone.
func (c *Counter) change(in *input, on bool, at time.Duration) {
	if in.lane < 0 || in.relay {
		in.on, in.since = on, at
		return
	}
	l := &c.lanes[in.lane]
	if on {
		in.roll(at - c.origin)
		in.on, in.since, in.stage = true, at, 0
		in.from = max(in.from, at)
		in.bits |= 1
		l.win.Loops[in.slot].Onsets++
		in.day.onsets++
		c.hurry(in, at)
		if in.trusted() {
			l.begin(c, in.slot, presence{on: at, open: true, blurred: in.blur})
		}
		return
	}
	c.uncover(in, l, at)
}

// uncover is the end of a presence.
func (c *Counter) uncover(in *input, l *lane, at time.Duration) {
	in.roll(at - c.origin - 1)
	o := at - in.since
	in.day.cover(in.since, at)
	if in.trusted() && !in.blur {
		in.account(&l.win, at, true)
	}
	if in.stage > 0 {
		in.lastSlow = at
	}
	in.on, in.since, in.lastOn = false, at, o
	in.from = max(in.from, at)
	if o < c.limits.MinOn {
		l.win.Short++
		c.tooShort(in, at)
	} else {
		in.shorts, in.quietAt = 0, at
		if in.faults&Silent != 0 {
			if in.proof++; in.proof >= proofOfLife {
				c.clear(in, Silent, at)
			}
		}
	}
	if in.trusted() {
		l.end(c, in.slot, at, in.blur)
	}
}

// hurry checks the last onsets for chatter.
func (c *Counter) hurry(in *input, at time.Duration) {
	n := c.limits.Chatter
	in.onsets[in.onset%onsetsKept] = at
	in.onset++
	if n == 0 || in.onset <= n || at-in.onsets[(in.onset-1-n)%onsetsKept] >= chatterSpan {
		return
	}
	in.lastBad = at
	c.fault(in, Chatter, at, uint32(n+1))
}

func (c *Counter) tooShort(in *input, at time.Duration) {
	if in.shorts++; in.shorts < shortsInARow || c.limits.Chatter == 0 {
		return
	}
	in.lastBad = at
	c.fault(in, Chatter, at, uint32(in.shorts))
}

// roll brings the presence bits up to t, a time since the source was opened:
// the loop has been what it is now ever since.
func (in *input) roll(t time.Duration) {
	i := int64(t / BitInterval)
	n := i - in.bitsAt
	if n <= 0 {
		return
	}
	in.bitsAt = i
	in.bits <<= min(n, 16)
	if in.on {
		in.bits |= 1<<min(n, 16) - 1
	}
}

// account puts coverage and observation up to a time into the books of the
// window. Both stay within it, and coverage within observation.
func (in *input) account(w *Window, to time.Duration, covered bool) {
	p := &w.Loops[in.slot]
	if to > in.watched {
		p.Observed += to - in.watched
		in.watched = to
	}
	if !covered || in.from >= to || in.card == Pulse {
		return
	}
	from, to := in.from-w.Start, to-w.Start
	p.On += to - from
	in.from += to - from
	first, last := int64(from/BitInterval), int64((to-1)/BitInterval)
	p.Covered += uint32(last + 1 - max(first, in.grid))
	in.grid = max(in.grid, last+1)
	if n := int64(to/CongestedFor) - int64((from+CongestedFor-1)/CongestedFor); n > 0 {
		p.Congested += uint32(n)
	}
}
