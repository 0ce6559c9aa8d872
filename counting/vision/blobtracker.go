package vision

import (
	"math"
	"time"

	"kerb/counting"
)

// Limits and life of a blob track. A hit is a look in which a blob that moves
// continued the track. All numbers of the blob tracker, in this file and in
// blobmatch.go, blobupdate.go and bloblife.go, were chosen by hand and tuned on
// the eight development clips (test/footage) unless a line says otherwise.
const (
	maxBlobTracks = 64

	confirmHits = 4 // from here a track is confirmed: it may be counted, and its gains are those of a track that runs
	coverHits   = 3 // from here the background is not learnt under the track, and its class is judged
	travelHits  = 6 // least hits of a track that has travelled

	shiftTrust  = 0.6  // weight of a measured shift of pixels against the predicted one, at full confidence
	startTravel = 0.25 // way from its origin before a track may cross a line, in its box's shorter sides
	farTravel   = 0.6  // way from its origin after which a track has travelled on purpose, in the same unit

	blobDeadBand = 0.1 // to either side of a line, in heights of the box
)

// priorWeight is how many objects the first guess of the class priors weighs.
// Of the objects that were tracked the latest few times as many weigh in. Chosen
// by hand.
const priorWeight = 4

// blobTrack is one moving object in the blob tracker. It holds geometry alone,
// no appearance, and is forgotten with its slot. A box is in grid pixels.
type blobTrack struct {
	live      bool
	box       box
	vx, vy    float64 // grid pixels per second
	born      time.Duration
	lastSeen  time.Duration // latest look with a blob
	lastMoved time.Duration // latest look in which its pixels changed
	hits      int
	origin    point // ground point at birth
	path      point // ground point up to which lines were checked
	pathAt    time.Duration
	lineSides []lineSide // one per line
	trail     trail

	logLikelihood [len(kinds)]float64 // per kind, mean over the looks in which it was seen whole
	wholeViews    int                 // how many those are
	lastVote      time.Duration       // when it last voted on the scale

	blobs     [4]int // indices of its blobs in this look, the best first
	blobCount int
	shared    bool // its best blob belongs to other tracks, too
	twoPeople int  // looks in which it looked like two people
	outgrown  int  // looks in which its blob was larger than its box
	joined    int  // looks in which it moved as one with another track

	networkLooks int                       // pictures that a network saw since its birth
	votes        [counting.Classes]float64 // scores that the network gave it, by class
	standsAs     counting.Class            // its class in zones, once stands is set: a stay has one class
	stands       bool
}

// blobTracker tracks blobs of moving pixels: it predicts each box by its speed,
// assigns blobs by overlap, and smooths boxes with fixed gains.
type blobTracker struct {
	w, h      float64 // of the working grid
	tracks    [maxBlobTracks]blobTrack
	scale     *scale
	lines     []segment
	owners    [maxBlobs]int       // how many tracks chose a blob
	crossings []blobCrossing      // of the latest look
	priors    [len(kinds)]float64 // how many objects of each kind were tracked of late, the first guess included
}

// blobCrossing is a line crossing of a blob track.
type blobCrossing struct {
	line  int
	track *blobTrack
	dir   counting.Direction
	at    time.Duration
	along float64 // place on the line, 0 at its start, 1 at its end
}

func newBlobTracker(w, h int, lines []counting.Line, known []counting.Height) *blobTracker {
	t := &blobTracker{w: float64(w), h: float64(h), scale: newScale(float64(w), float64(h), known)}
	for k := range kinds {
		t.priors[k] = priorWeight * kinds[k].prior
	}
	t.crossings = make([]blobCrossing, 0, maxBlobTracks*len(lines))
	for _, l := range lines {
		t.lines = append(t.lines, newSegment(l, float64(w), float64(h)))
	}
	sides := make([]lineSide, maxBlobTracks*len(lines))
	for i := range t.tracks {
		t.tracks[i].lineSides = sides[i*len(lines) : (i+1)*len(lines)]
	}
	return t
}

// forgetTracks ends all tracks.
func (t *blobTracker) forgetTracks() {
	for i := range t.tracks {
		t.tracks[i].live = false
	}
}

// predictTracks moves every track on by its speed over dt seconds. A track that
// had no blob in the look before follows the shift of the unexplained pixels in
// its box. It must run before the mask is renewed.
func (t *blobTracker) predictTracks(a *arena, dt float64) {
	for i := range t.tracks {
		o := &t.tracks[i]
		if !o.live {
			continue
		}
		px, py := o.vx*dt, o.vy*dt
		if o.blobCount == 0 {
			mx, my, sure := a.estimateShift(int(t.w), int(t.h), o.box, px, py)
			px += shiftTrust * sure * (mx - px)
			py += shiftTrust * sure * (my - py)
			o.vx, o.vy = px/dt, py/dt
		}
		o.box = o.box.shiftedBy(px, py)
	}
}

// detectCrossings moves every confirmed track's ground point over the lines and
// fills t.crossings. A path counts from the track's birth on.
func (t *blobTracker) detectCrossings(now time.Duration) {
	t.crossings = t.crossings[:0]
	for i := range t.tracks {
		o := &t.tracks[i]
		p := o.box.groundPoint()
		if !o.live || o.hits < confirmHits || math.Hypot(p.x-o.origin.x, p.y-o.origin.y) < startTravel*min(o.box.h(), o.box.w()) {
			continue
		}
		dead := blobDeadBand * o.box.h()
		for k := range o.lineSides {
			s, l := &o.lineSides[k], &t.lines[k]
			if o.pathAt == o.born {
				s.advancePath(l, o.path, o.path, o.born, o.born, dead)
			}
			if d, ok := s.advancePath(l, o.path, p, o.pathAt, now, dead); ok {
				t.crossings = append(t.crossings, blobCrossing{k, o, d, s.at, s.along})
			}
		}
		o.path, o.pathAt = p, now
	}
}

// hasTravelled reports whether o has gone some way from its origin: farther than
// jitter carries it.
func (t *blobTracker) hasTravelled(o *blobTrack) bool {
	p := o.box.groundPoint()
	return o.hits >= travelHits && math.Hypot(p.x-o.origin.x, p.y-o.origin.y) > farTravel*min(o.box.w(), o.box.h())
}
