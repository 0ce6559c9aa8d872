package vision

import (
	"time"

	"kerb/counting"
)

// Fusion of two sources of crossings. The network knows what an object is,
// standing or moving, a few times a second. Motion sees every moving object in
// every picture and knows little of its class. The network's tracks count. Motion
// advects them between the network's looks, and counts by itself only the objects
// that the network never saw.
//
// The numbers were chosen by hand and tuned on the eight development clips
// (test/footage).
const (
	minShiftConfidence = 0.3 // least confidence of a shift that corrects a track's speed
	shiftError         = 0.5 // grid pixels: standard deviation of a shift at full confidence

	minBoxOverlap   = 0.3 // of the smaller box, or intersection over union, from which two boxes are of one object
	minVoteSum      = 0.3 // sum of scores from which the network's class of a moving object counts
	minNetworkLooks = 2   // of the network, without which motion does not count an object
)

// advectTracks predicts the network's tracks, dt seconds after the last look, with
// the shift of their pixels as a measurement of speed. It must run before the mask
// is renewed.
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
		x, y, confidence := a.estimateShift(w, h, b, k.x.v*dt/e.gridScale, k.y.v*dt/e.gridScale)
		if confidence < minShiftConfidence {
			continue
		}
		r := e.gridScale * shiftError / confidence / dt
		k.x.correctSpeed(x*e.gridScale/dt, r)
		k.y.correctSpeed(y*e.gridScale/dt, r)
		k.advectedAt = now
	}
	t.predictTracks(dt)
}

// fuseCrossings collects the crossings of the network's tracks and of motion, and
// counts each object once.
func (c *Counter) fuseCrossings(now time.Duration) {
	e, t := c.network, c.network.tracker
	c.detectObjects(now)
	if e.detections != nil {
		t.updateTracks(e.detections, now, c.o.FollowMax)
		c.countDetectedPresence(e.detections, now)
		c.voteClasses()
	} else {
		t.retireTracks(now, c.o.FollowMax)
	}
	t.detectCrossings(now, func(line int, along float64, k *netTrack, d counting.Direction, at time.Duration) {
		c.addNetworkCandidate(line, along*t.lines[line].length, k, d, at, now)
	})
	e.noteSeen()
	for _, p := range c.motion.crossings {
		c.addMotionCandidate(&p, now)
	}
	c.decideDue(now)
}

// addNetworkCandidate handles a crossing of a network's track.
func (c *Counter) addNetworkCandidate(line int, along float64, k *netTrack, d counting.Direction, at, now time.Duration) {
	slot := c.network.tracker.slotOf(k)
	if c.network.cancelReturn(line, slot, k.born, d) {
		return
	}
	n := candidate{
		waiting: true, line: line, dir: d, at: at, along: along, height: k.h, class: c.classOf(k),
		evidence: k.scoreSum, speed: c.trackSpeed(&k.trail), deadline: now + decisionDelay, track: slot, born: k.born, whole: k.whole, heavy: k.mayBeHeavy(),
	}
	if c.network.hasPartCrossed(&n) {
		return
	}
	c.addCandidate(n)
}

// classOf is the class of a network's track, by votes and speed.
func (c *Counter) classOf(k *netTrack) counting.Class {
	return k.decideClass(c.motion.scale.depthFactor(k.y.x / c.network.gridScale))
}

// addMotionCandidate handles a crossing of a blob track. Where a network track is, that
// track decides: if it has crossed the line in this direction, the blob is a part of it,
// such as the rear of a long bus, however soon the track ends.
func (c *Counter) addMotionCandidate(p *blobCrossing, now time.Duration) {
	e, o := c.network, p.track
	class, ok := c.votedClass(o)
	if !ok || o.networkLooks < minNetworkLooks {
		return
	}
	n := candidate{
		waiting: true, line: p.line, dir: p.dir, at: p.at, along: p.along * e.tracker.lines[p.line].length,
		height: o.box.h() * e.gridScale, class: class, fromMotion: true, speed: c.trackSpeed(&o.trail), deadline: now + decisionDelay, track: -1,
	}
	if i := e.trackAt(o.box); i >= 0 {
		k := &e.tracker.tracks[i]
		if g := &k.lineSides[p.line]; g.crossed && g.dir == p.dir {
			return
		}
		n.track, n.born = i, k.born
	} else if o.isSeenWell() {
		return // the network's tracks have counted it, or have reason not to
	}
	c.addCandidate(n)
}

// isSeenWell reports whether the network gave o scores on average from which it starts a
// track of its own.
func (o *blobTrack) isSeenWell() bool {
	sum := 0.0
	for _, v := range o.votes {
		sum += v
	}
	return sum > highScore*float64(o.networkLooks)
}

// votedClass is the class of a blob track: the network's, if it ever saw it.
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

// trackAt is the slot of the confirmed track at the place of a box on the grid;
// -1: none.
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

// toPicture converts a box on the grid to pixels of the picture.
func (e *neuralPath) toPicture(b box) box {
	return box{b.x0 * e.gridScale, b.y0 * e.gridScale, b.x1 * e.gridScale, b.y1 * e.gridScale}
}

// countCrossing counts a crossing if its class may be counted.
func (c *Counter) countCrossing(n *candidate) {
	if class, ok := c.countableClass(n.class); ok {
		c.crossings = append(c.crossings, counting.Crossing{Stream: c.o.Lines[n.line].ID, Class: class, Dir: n.dir, At: n.at, Speed: n.speed})
	}
}

// voteClasses adds the scores of the network's detections to the blob tracks that
// they overlap.
func (c *Counter) voteClasses() {
	e := c.network
	for i := range c.motion.tracks {
		o := &c.motion.tracks[i]
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
