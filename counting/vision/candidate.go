package vision

import (
	"math"
	"time"

	"kerb/counting"
)

// A crossing is decided some time after it was seen, when more is known: whether the track
// stayed on its new side, and whether another track or the other source saw the same object.
// Until then it is a candidate. Its time stays that at which the path met the line.
//
// The numbers were chosen by hand and tried on the development clips (make truth).
const (
	decisionDelay = 1200 * time.Millisecond // from the crossing's report to the decision

	// Most between the two sources' crossings of one object. The distance is wide because
	// that costs no true crossing on the clips and avoids doubles.
	duplicateWindow   = 2 * time.Second
	duplicateDistance = 1.2 // along the line, in heights of the object

	// An 18 m bus at 6 m/s crosses for three seconds. Motion sees its rear as an object of its own.
	// Any vehicle that has stood leaves a ghost in the background, which moves when it drives off.
	rearTime     = 3 * time.Second
	rearDistance = 0.5 // along the line, in heights of the bus

	// Two vehicles cannot cross a line at one place in opposite directions within so short a
	// time: one of the two tracks is false.
	oncomingTime    = time.Second
	vehicleDistance = 0.4 // along the line, in heights of the higher one: one place
)

// candidate is a crossing that one of the two sources saw.
type candidate struct {
	waiting    bool // not decided yet
	fromMotion bool
	matched    bool // the other source saw it, too
	counted    bool
	line       int
	dir        counting.Direction
	at         time.Duration
	along      float64 // pixels on the line
	height     float64 // of the object, pixels; 0: an empty slot
	class      counting.Class
	evidence   float64       // sum of the track's scores
	speed      float64       // m/s; 0: not known
	deadline   time.Duration // when it is decided
	seen       time.Duration // when the network last saw that track
	track      int           // slot of the network's track that made it, or that is at its place; -1: none
	born       time.Duration // of that track: the slot may be used anew
	whole      trackID       // the long vehicle of which that track, of the network, is a part
	heavy      bool          // that track may be of a heavy vehicle
}

// maxCandidates bounds the latest crossings that are remembered. Before an undecided one
// is overwritten, it is decided.
const maxCandidates = 64

// addCandidate compares n with the other source's candidates and keeps it, unless one of
// those was counted already or will be.
func (c *Counter) addCandidate(n candidate) {
	e := c.network
	for i := range e.candidates {
		o := &e.candidates[i]
		if n.fromMotion && n.isRearOf(o) {
			return
		}
		if o.height == 0 || o.fromMotion == n.fromMotion || o.matched || o.line != n.line || o.dir != n.dir {
			continue
		}
		if (o.at-n.at).Abs() >= duplicateWindow || math.Abs(o.along-n.along) >= duplicateDistance*max(o.height, n.height) {
			continue
		}
		if !o.fromMotion || o.counted {
			o.matched = true
			return
		}
		// The network's crossing replaces motion's: it knows the class better.
		o.matched, o.waiting, n.matched = true, false, true
		break
	}
	slot := &e.candidates[e.candidateCount%len(e.candidates)]
	if slot.waiting {
		c.decideCandidate(slot)
	}
	*slot = n
	e.candidateCount++
}

// cancelReturn drops an undecided crossing of track k in the other direction and reports
// whether there was one: a step over the line and back counts nothing.
func (e *neuralPath) cancelReturn(line, track int, born time.Duration, dir counting.Direction) bool {
	for i := range e.candidates {
		o := &e.candidates[i]
		if o.waiting && !o.fromMotion && o.line == line && o.track == track && o.born == born && o.dir != dir {
			*o = candidate{}
			return true
		}
	}
	return false
}

// isRearOf reports whether motion's crossing n is most likely of the rear of a heavy vehicle, or of
// the ghost of one that crossed slowly, whose crossing o the network saw. A vehicle is on the line,
// or near it, until it is out of sight.
func (n *candidate) isRearOf(o *candidate) bool {
	slow := o.class.WithoutSplit() == counting.Vehicle && o.seen-o.at > rearTime
	return o.height > 0 && !o.fromMotion && (o.waiting || o.counted) && o.line == n.line && o.dir == n.dir && (o.heavy || slow) &&
		n.at > o.at && n.at-max(o.at, o.seen) < rearTime && math.Abs(o.along-n.along) < rearDistance*o.height
}

// hasPartCrossed reports whether another track of the long vehicle that made n has crossed
// the line in the same direction.
func (e *neuralPath) hasPartCrossed(n *candidate) bool {
	for i := range e.candidates {
		o := &e.candidates[i]
		if o.height > 0 && !o.fromMotion && (o.waiting || o.counted) && o.line == n.line && o.dir == n.dir &&
			o.whole == n.whole && (o.track != n.track || o.born != n.born) {
			return true
		}
	}
	return false
}

// noteSeen notes when the network last saw the tracks whose crossings are remembered.
func (e *neuralPath) noteSeen() {
	for i := range e.candidates {
		o := &e.candidates[i]
		if o.height == 0 || o.track < 0 {
			continue
		}
		if k := &e.tracker.tracks[o.track]; k.live && k.born == o.born {
			o.seen = k.lastSeen
		}
	}
}

// decideDue decides the candidates whose time has come.
func (c *Counter) decideDue(now time.Duration) {
	for i := range c.network.candidates {
		if o := &c.network.candidates[i]; o.waiting && now >= o.deadline {
			c.decideCandidate(o)
		}
	}
}

// decideCandidate counts a candidate or drops it.
func (c *Counter) decideCandidate(n *candidate) {
	n.waiting = false
	var k *netTrack
	if n.track >= 0 {
		if k = &c.network.tracker.tracks[n.track]; !k.live || k.born != n.born {
			k = nil
		}
	}
	if n.fromMotion && k != nil {
		*n = candidate{} // that track has not crossed: it is right
		return
	}
	if !n.fromMotion && c.network.isImpossible(n) {
		return
	}
	n.counted = true
	if n.speed == 0 && k != nil {
		n.speed = c.trackSpeed(&k.trail) // it was too young when it crossed
	}
	c.countCrossing(n)
}

// isImpossible reports whether a vehicle's crossing contradicts that of another track with
// more evidence, or one that is counted.
func (e *neuralPath) isImpossible(n *candidate) bool {
	if n.class.WithoutSplit() != counting.Vehicle {
		return false
	}
	for i := range e.candidates {
		o := &e.candidates[i]
		if o == n || o.height == 0 || o.fromMotion || !o.waiting && !o.counted || o.line != n.line || o.dir == n.dir || o.class.WithoutSplit() != counting.Vehicle {
			continue
		}
		if (o.at-n.at).Abs() < oncomingTime && math.Abs(o.along-n.along) < vehicleDistance*max(o.height, n.height) && (o.counted || o.evidence > n.evidence) {
			return true
		}
	}
	return false
}

// Finish decides at once the open crossings at the end of the pictures, and returns the
// crossings that are counted. They are valid until the next Step.
func (c *Counter) Finish() []counting.Crossing {
	c.crossings = c.crossings[:0]
	if c.network != nil {
		c.decideDue(math.MaxInt64)
	}
	return c.crossings
}
