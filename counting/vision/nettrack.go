package vision

import (
	"math"
	"time"

	"kerb/counting"
)

// Lengths are parts of a box's height, so that near and far are treated
// alike, and times are seconds, so that fast and slow cameras are. The numbers
// were chosen by the mean over thirty variants of eight clips (mirrored,
// darker, noisier, smaller, at 5 to 16 looks a second, with the lines moved,
// with square and fitted inputs); their neighbours count much the same.
const (
	measurementNoise = 0.06 // of the edges of a sure box from one look to the next
	initialSpeed     = 4.0  // heights per second: what a new track may turn out to do
	sizeGain         = 0.3  // weight of a new look in the size
	confirmScore     = 2.0  // sum of scores from which a track is believed

	// What a user of the street changes speed by, in heights per second².
	walkingAcceleration = 0.7
	drivingAcceleration = 2.0
)

// netTrack is an object that a network sees, known by its geometry alone and
// forgotten with its slot.
type netTrack struct {
	live       bool
	matched    bool   // seen in this look
	x, y       kalman // of the ground: middle of the lower edge
	w, h       float64
	born, seen time.Duration
	advectedAt time.Duration // when its pixels last told how it moves
	hits       int
	scoreSum   float64                   // sum of scores
	votes      [counting.Classes]float64 // the same by class
	path       point                     // how far it has been taken over the lines
	pathAt     time.Duration
	lineSides  []trackLineSide // one per line
}

// startAt makes the slot the track of what was seen once.
func (k *netTrack) startAt(d *detection, now time.Duration) {
	g, h := d.box.groundPoint(), d.box.h()
	transits := k.lineSides
	clear(transits)
	*k = netTrack{live: true, matched: true, w: d.box.w(), h: h, born: now, seen: now, hits: 1, scoreSum: d.score, path: g, pathAt: now, lineSides: transits}
	k.x.startAt(g.x, measurementNoise*h, initialSpeed*h)
	k.y.startAt(g.y, measurementNoise*h, initialSpeed*h)
	k.votes[d.class] = d.score
}

// predict moves the track on by dt seconds.
func (k *netTrack) predict(dt float64) {
	push := drivingAcceleration * k.h
	if k.majorityClass() == counting.Person {
		push = walkingAcceleration * k.h
	}
	k.x.predict(dt, push)
	k.y.predict(dt, push)
}

// correct continues the track with a detection that fills b when whole.
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
	k.seen, k.matched = now, true
}

func (k *netTrack) box() box {
	return box{k.x.x - k.w/2, k.y.x - k.h, k.x.x + k.w/2, k.y.x}
}

// isConfirmed reports whether it was seen often and well enough to be counted.
func (k *netTrack) isConfirmed() bool { return k.hits > 1 && k.scoreSum >= confirmScore }

// majorityClass is what it was seen as for the most part.
func (k *netTrack) majorityClass() (c counting.Class) {
	for i, v := range k.votes {
		if v > k.votes[c] {
			c = counting.Class(i)
		}
	}
	return c
}

// velocityDifference is how differently two tracks move, in pixels per second.
func (k *netTrack) velocityDifference(o *netTrack) float64 {
	return math.Hypot(k.x.v-o.x.v, k.y.v-o.y.v)
}
