package vision

import (
	"math"
	"time"

	"kerb/counting"
)

// Two witnesses see a street: the network knows what a thing is, standing or
// moving, a few times a second; motion sees whatever moves, in every picture,
// and knows little of it. The network's tracks are the account. Motion carries
// them on between the network's looks, and speaks for itself only of what the
// network never saw.

// advectTracks predicts the tracks, dt seconds after the last look, by how their
// pixels have moved since. It must run before the mask is renewed.
func (e *neuralPath) advectTracks(a *arena, now time.Duration, dt float64) {
	t := e.tracker
	w, h := int(t.w/e.gridScale), int(t.h/e.gridScale)
	for i := range t.tracks {
		k := &t.tracks[i]
		if !k.live || k.hits < 2 {
			continue
		}
		b := k.box()
		b = box{b.x0 / e.gridScale, b.y0 / e.gridScale, b.x1 / e.gridScale, b.y1 / e.gridScale}
		x, y, sure := a.estimateShift(w, h, b, k.x.v*dt/e.gridScale, k.y.v*dt/e.gridScale)
		if sure < minShiftConfidence {
			continue
		}
		r := e.gridScale * shiftError / sure / dt
		k.x.correctSpeed(x*e.gridScale/dt, r)
		k.y.correctSpeed(y*e.gridScale/dt, r)
		k.advectedAt = now
	}
	t.predictTracks(dt)
}

const (
	minShiftConfidence = 0.3
	shiftError         = 0.5 // grid pixels by which a shift of pixels is off

	duplicateWindow   = 2 * time.Second // within which two witnesses tell of one crossing,
	duplicateDistance = 1.2             // and how near on the line, in heights
	trackGrace        = 1500 * time.Millisecond
	minBoxOverlap     = 0.3 // part of the smaller box from which two boxes are one thing's
	minVoteSum        = 0.3 // sum of scores from which the network's opinion of a class counts
)

// candidate is a crossing that a witness saw.
type candidate struct {
	line       int
	dir        counting.Direction
	at         time.Duration
	along      float64 // pixels on the line
	height     float64
	class      counting.Class
	fromMotion bool // who saw it
	matched    bool // the other one did too

	// Of one that waits for the track of the same thing.
	pending  bool
	track    int
	born     time.Duration // of that track
	deadline time.Duration
}

// fuseCrossings takes what the network and what motion saw cross, and counts each
// thing once.
func (c *Counter) fuseCrossings(now time.Duration) {
	e, t := c.network, c.network.tracker
	c.detectObjects(now)
	if e.detections != nil {
		t.updateTracks(e.detections, now, c.o.FollowMax)
		c.voteClasses()
	} else {
		t.retireTracks(now, c.o.FollowMax)
	}
	t.detectCrossings(now, func(line int, along float64, k *netTrack, d counting.Direction, at time.Duration) {
		n := candidate{line: line, dir: d, at: at, along: along * t.lines[line].length, height: k.h}
		if !e.isDuplicate(n) {
			c.countCrossing(line, k.majorityClass(), d, at)
		}
	})
	for _, p := range c.blobs.crossings {
		c.addMotionCandidate(&p, now)
	}
	for i := range e.candidates {
		n := &e.candidates[i]
		if !n.pending || n.matched {
			continue
		}
		if k := &t.tracks[n.track]; k.live && k.born == n.born {
			n.pending = now < n.deadline // it lives and does not cross: it knows better
			continue
		}
		n.pending = false
		c.countCrossing(n.line, n.class, n.dir, n.at)
	}
}

// addMotionCandidate takes what motion saw cross. Where a track is, the track tells.
func (c *Counter) addMotionCandidate(p *blobCrossing, now time.Duration) {
	e, o := c.network, p.track
	class, ok := c.votedClass(o)
	if !ok || o.networkLooks < 2 {
		return
	}
	n := candidate{line: p.line, dir: p.dir, at: p.at, along: p.along * e.tracker.lines[p.line].length, height: o.box.h() * e.gridScale, class: class, fromMotion: true}
	if i := e.trackAt(o.box); i >= 0 {
		n.pending, n.track, n.born, n.deadline = true, i, e.tracker.tracks[i].born, now+trackGrace
	}
	if !e.isDuplicate(n) && !n.pending {
		c.countCrossing(n.line, n.class, n.dir, n.at)
	}
}

// votedClass is what a moving object is, to the network if it ever saw it.
func (c *Counter) votedClass(o *blobTrack) (counting.Class, bool) {
	best, sum := counting.Class(0), 0.0
	for i, v := range o.votes {
		if sum += v; v > o.votes[best] {
			best = counting.Class(i)
		}
	}
	if sum >= minVoteSum {
		return best, true
	}
	return c.likeliestClass(o)
}

// trackAt is the believed track that is where a box on the grid is; -1: none.
func (e *neuralPath) trackAt(b box) int {
	b = e.toPicture(b)
	for i := range e.tracker.tracks {
		k := &e.tracker.tracks[i]
		if !k.live || !k.isConfirmed() {
			continue
		}
		if kb := k.box(); b.overlapArea(kb) > minBoxOverlap*min(b.area(), kb.area()) {
			return i
		}
	}
	return -1
}

// toPicture is a box on the grid in pixels of the picture.
func (e *neuralPath) toPicture(b box) box {
	return box{b.x0 * e.gridScale, b.y0 * e.gridScale, b.x1 * e.gridScale, b.y1 * e.gridScale}
}

// countCrossing counts a crossing, as far as its class may be counted.
func (c *Counter) countCrossing(line int, class counting.Class, d counting.Direction, at time.Duration) {
	if class, ok := c.countableClass(class); ok {
		c.crossings = append(c.crossings, counting.Crossing{Stream: c.o.Lines[line].ID, Class: class, Dir: d, At: at})
	}
}

// voteClasses lets the network say what the moving objects are.
func (c *Counter) voteClasses() {
	e := c.network
	for i := range c.blobs.tracks {
		o := &c.blobs.tracks[i]
		if !o.live {
			continue
		}
		o.networkLooks++
		b := e.toPicture(o.box)
		for j := range e.detections {
			if d := &e.detections[j]; d.box.iou(b) > minBoxOverlap {
				o.votes[d.class] += d.score
			}
		}
	}
}

// isDuplicate reports whether the other witness has told of n already, and notes n
// if not.
func (e *neuralPath) isDuplicate(n candidate) bool {
	for i := range e.candidates {
		o := &e.candidates[i]
		if o.fromMotion == n.fromMotion || o.matched || o.line != n.line || o.dir != n.dir || o.height == 0 {
			continue
		}
		if (o.at-n.at).Abs() < duplicateWindow && math.Abs(o.along-n.along) < duplicateDistance*max(o.height, n.height) {
			o.matched = true
			return !o.pending
		}
	}
	e.candidates[e.candidateCount%len(e.candidates)] = n
	e.candidateCount++
	return false
}
