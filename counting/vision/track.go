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
	jitter    = 0.06 // of the edges of a sure box from one look to the next
	rush      = 4.0  // heights per second: what a new track may turn out to do
	growth    = 0.3  // weight of a new look in the size
	believing = 2.0  // sum of scores from which a track is believed

	// What a user of the street changes speed by, in heights per second².
	pushWalking = 0.7
	pushDriving = 2.0
)

// track is an object that a network sees, known by its geometry alone and
// forgotten with its slot.
type track struct {
	live       bool
	taken      bool   // seen in this look
	x, y       filter // of the ground: middle of the lower edge
	w, h       float64
	born, seen time.Duration
	borne      time.Duration // when its pixels last told how it moves
	hits       int
	belief     float64                   // sum of scores
	votes      [counting.Classes]float64 // the same by class
	path       point                     // how far it has been taken over the lines
	pathAt     time.Duration
	transits   []transit // one per line
}

// start makes the slot the track of what was seen once.
func (k *track) start(d *detection, now time.Duration) {
	g, h := d.box.ground(), d.box.h()
	transits := k.transits
	clear(transits)
	*k = track{live: true, taken: true, w: d.box.w(), h: h, born: now, seen: now, hits: 1, belief: d.score, path: g, pathAt: now, transits: transits}
	k.x.start(g.x, jitter*h, rush*h)
	k.y.start(g.y, jitter*h, rush*h)
	k.votes[d.class] = d.score
}

// predict moves the track on by dt seconds.
func (k *track) predict(dt float64) {
	push := pushDriving * k.h
	if k.class() == counting.Person {
		push = pushWalking * k.h
	}
	k.x.predict(dt, push)
	k.y.predict(dt, push)
}

// take continues the track with a detection that fills b when whole.
func (k *track) take(d *detection, b box, now time.Duration) {
	g := b.ground()
	r := jitter * b.h() * (1 + (1-d.score)/2)
	k.x.correct(g.x, r)
	k.y.correct(g.y, r)
	n := max(1/float64(k.hits+1), growth)
	k.w += n * (b.w() - k.w)
	k.h += n * (b.h() - k.h)
	k.votes[d.class] += d.score
	k.belief += d.score
	k.hits++
	k.seen, k.taken = now, true
}

func (k *track) box() box {
	return box{k.x.x - k.w/2, k.y.x - k.h, k.x.x + k.w/2, k.y.x}
}

// believed reports whether it was seen often and well enough to be counted.
func (k *track) believed() bool { return k.hits > 1 && k.belief >= believing }

// class is what it was seen as for the most part.
func (k *track) class() (c counting.Class) {
	for i, v := range k.votes {
		if v > k.votes[c] {
			c = counting.Class(i)
		}
	}
	return c
}

// apart is how differently two tracks move, in pixels per second.
func (k *track) apart(o *track) float64 { return math.Hypot(k.x.v-o.x.v, k.y.v-o.y.v) }
