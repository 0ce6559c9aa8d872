package vision

import (
	"math"
	"time"

	"kerb/counting"
)

// Numbers of a network's track. Lengths are parts of the box's height, so that near
// and far objects are treated alike; times are seconds, so that slow and fast
// cameras are. The values were chosen by the mean over thirty variants of the eight
// development clips (mirrored, darker, noisier, smaller, at 5 to 16 looks a second,
// with the lines moved, with square and fitted inputs). Neighbouring values count
// much the same.
const (
	measurementNoise = 0.06 // heights: standard deviation of the edges of a detection that scores 1
	initialSpeed     = 4.0  // heights per second: standard deviation of a new track's speed
	sizeGain         = 0.3  // least weight of a detection in the size
	confirmScore     = 2.0  // sum of scores from which a track is confirmed
	heavyShare       = 0.25 // of the scores, from which a track may be of a heavy vehicle

	// Standard deviation of acceleration, in heights per second².
	walkingAcceleration = 0.7 // of a person
	drivingAcceleration = 2.0 // of any other class
)

// netTrack is one object that a network detects. It holds geometry alone, no
// appearance, and is forgotten with its slot.
type netTrack struct {
	live           bool
	matched        bool   // with a detection of this look
	x, y           kalman // of the ground point, in pixels of the picture
	w, h           float64
	born, lastSeen time.Duration
	advectedAt     time.Duration             // when the shift of its pixels was last measured
	hits           int                       // detections so far
	scoreSum       float64                   // of the detections
	votes          [counting.Classes]float64 // the same by class
	path           point                     // ground point up to which lines were checked
	pathAt         time.Duration
	lineSides      []trackLineSide // one per line
	trail          trail
	standsAs       counting.Class // its class in zones, once stands is set: a stay has one class
	stands         bool
	whole          trackID // of the long vehicle of which it is a part: its first track; its own, if it is none
}

// trackID identifies a track: a slot is used anew.
type trackID struct {
	slot int
	born time.Duration
}

// startAt makes the slot the track of a first detection.
func (k *netTrack) startAt(d *detection, now time.Duration) {
	g, h := d.box.groundPoint(), d.box.h()
	sides := k.lineSides
	clear(sides)
	*k = netTrack{
		live: true, matched: true, w: d.box.w(), h: h, born: now, lastSeen: now, hits: 1, scoreSum: d.score,
		path: g, pathAt: now, lineSides: sides,
	}
	k.x.startAt(g.x, measurementNoise*h, initialSpeed*h)
	k.y.startAt(g.y, measurementNoise*h, initialSpeed*h)
	k.votes[d.class] = d.score
}

// predict advances the track by dt seconds.
func (k *netTrack) predict(dt float64) {
	acceleration := drivingAcceleration * k.h
	if k.majorityClass() == counting.Person {
		acceleration = walkingAcceleration * k.h
	}
	k.x.predict(dt, acceleration)
	k.y.predict(dt, acceleration)
}

// correct updates the track with a detection; b is the box of the whole object. The
// noise grows by half as the score falls from 1 to 0.
func (k *netTrack) correct(d *detection, b box, now time.Duration) {
	g := b.groundPoint()
	r := measurementNoise * b.h() * (1 + (1-d.score)/2)
	k.x.correctPosition(g.x, r)
	k.y.correctPosition(g.y, r)
	n := max(1/float64(k.hits+1), sizeGain)
	k.w += n * (b.w() - k.w)
	k.h += n * (b.h() - k.h)
	k.votes[d.class] += d.score
	k.scoreSum += d.score
	k.hits++
	k.lastSeen, k.matched = now, true
}

func (k *netTrack) box() box {
	return box{k.x.x - k.w/2, k.y.x - k.h, k.x.x + k.w/2, k.y.x}
}

// isConfirmed reports whether the track was seen often and surely enough to be
// counted.
func (k *netTrack) isConfirmed() bool { return k.hits > 1 && k.scoreSum >= confirmScore }

// majorityClass is the class with the largest sum of scores.
func (k *netTrack) majorityClass() (c counting.Class) {
	for i, v := range k.votes {
		if v > k.votes[c] {
			c = counting.Class(i)
		}
	}
	return c
}

// mayBeHeavy reports whether the detector took the track for a heavy vehicle in many pictures:
// it takes parts of a bus for cars.
func (k *netTrack) mayBeHeavy() bool {
	return k.votes[counting.Heavy] > heavyShare*k.scoreSum
}

// velocityDifference is how differently two tracks move, in pixels per second.
func (k *netTrack) velocityDifference(o *netTrack) float64 {
	return math.Hypot(k.x.v-o.x.v, k.y.v-o.y.v)
}
