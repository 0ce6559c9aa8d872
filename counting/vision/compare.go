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

// carry predicts the tracks, dt seconds after the last look, by how their
// pixels have moved since. It must run before the mask is renewed.
func (e *eye) carry(a *arena, now time.Duration, dt float64) {
	t := e.tracker
	w, h := int(t.w/e.k), int(t.h/e.k)
	for i := range t.tracks {
		k := &t.tracks[i]
		if !k.live || k.hits < 2 {
			continue
		}
		b := k.box()
		b = box{b.x0 / e.k, b.y0 / e.k, b.x1 / e.k, b.y1 / e.k}
		x, y, sure := a.shifted(w, h, b, k.x.v*dt/e.k, k.y.v*dt/e.k)
		if sure < carrySure {
			continue
		}
		r := e.k * slip / sure / dt
		k.x.turn(x*e.k/dt, r)
		k.y.turn(y*e.k/dt, r)
		k.borne = now
	}
	t.predict(dt)
}

const (
	carrySure = 0.3
	slip      = 0.5 // grid pixels by which a shift of pixels is off

	doubleFor  = 2 * time.Second // within which two witnesses tell of one crossing,
	doubleNear = 1.2             // and how near on the line, in heights
	hearing    = 1500 * time.Millisecond
	touching   = 0.3 // part of the smaller box from which two boxes are one thing's
	heard      = 0.3 // sum of scores from which the network's opinion of a class counts
)

// claim is a crossing that a witness saw.
type claim struct {
	line   int
	dir    counting.Direction
	at     time.Duration
	along  float64 // pixels on the line
	h      float64
	class  counting.Class
	motion bool // who saw it
	used   bool // the other one did too

	// Of one that waits for the track of the same thing.
	waits bool
	track int
	born  time.Duration // of that track
	until time.Duration
}

// compare takes what the network and what motion saw cross, and counts each
// thing once.
func (c *Counter) compare(now time.Duration) {
	e, t := c.eye, c.eye.tracker
	c.recognise(now)
	if e.seen != nil {
		t.update(e.seen, now, c.o.FollowMax)
		c.acquaint()
	} else {
		t.retire(now, c.o.FollowMax)
	}
	t.cross(now, func(line int, along float64, k *track, d counting.Direction, at time.Duration) {
		n := claim{line: line, dir: d, at: at, along: along * t.lines[line].length, h: k.h}
		if !e.double(n) {
			c.cross(line, k.class(), d, at)
		}
	})
	for _, p := range c.follow.passed {
		c.witness(&p, now)
	}
	for i := range e.claims {
		n := &e.claims[i]
		if !n.waits || n.used {
			continue
		}
		if k := &t.tracks[n.track]; k.live && k.born == n.born {
			n.waits = now < n.until // it lives and does not cross: it knows better
			continue
		}
		n.waits = false
		c.cross(n.line, n.class, n.dir, n.at)
	}
}

// witness takes what motion saw cross. Where a track is, the track tells.
func (c *Counter) witness(p *passage, now time.Duration) {
	e, o := c.eye, p.object
	class, ok := c.opinion(o)
	if !ok || o.tried < 2 {
		return
	}
	n := claim{line: p.line, dir: p.dir, at: p.at, along: p.along * e.tracker.lines[p.line].length, h: o.box.h() * e.k, class: class, motion: true}
	if i := e.at(o.box); i >= 0 {
		n.waits, n.track, n.born, n.until = true, i, e.tracker.tracks[i].born, now+hearing
	}
	if !e.double(n) && !n.waits {
		c.cross(n.line, n.class, n.dir, n.at)
	}
}

// opinion is what a moving object is, to the network if it ever saw it.
func (c *Counter) opinion(o *object) (counting.Class, bool) {
	best, sum := counting.Class(0), 0.0
	for i, v := range o.votes {
		if sum += v; v > o.votes[best] {
			best = counting.Class(i)
		}
	}
	if sum >= heard {
		return best, true
	}
	return c.class(o)
}

// at is the believed track that is where a box on the grid is; -1: none.
func (e *eye) at(b box) int {
	b = e.large(b)
	for i := range e.tracker.tracks {
		k := &e.tracker.tracks[i]
		if !k.live || !k.believed() {
			continue
		}
		if kb := k.box(); b.overlap(kb) > touching*min(b.area(), kb.area()) {
			return i
		}
	}
	return -1
}

// large is a box on the grid in pixels of the picture.
func (e *eye) large(b box) box { return box{b.x0 * e.k, b.y0 * e.k, b.x1 * e.k, b.y1 * e.k} }

// cross counts a crossing, as far as its class may be counted.
func (c *Counter) cross(line int, class counting.Class, d counting.Direction, at time.Duration) {
	if class, ok := c.counted(class); ok {
		c.crossings = append(c.crossings, counting.Crossing{Stream: c.o.Lines[line].ID, Class: class, Dir: d, At: at})
	}
}

// acquaint lets the network say what the moving objects are.
func (c *Counter) acquaint() {
	e := c.eye
	for i := range c.follow.objects {
		o := &c.follow.objects[i]
		if !o.live {
			continue
		}
		o.tried++
		b := e.large(o.box)
		for j := range e.seen {
			if d := &e.seen[j]; d.box.iou(b) > touching {
				o.votes[d.class] += d.score
			}
		}
	}
}

// double reports whether the other witness has told of n already, and notes n
// if not.
func (e *eye) double(n claim) bool {
	for i := range e.claims {
		o := &e.claims[i]
		if o.motion == n.motion || o.used || o.line != n.line || o.dir != n.dir || o.h == 0 {
			continue
		}
		if (o.at-n.at).Abs() < doubleFor && math.Abs(o.along-n.along) < doubleNear*max(o.h, n.h) {
			o.used = true
			return !o.waits
		}
	}
	e.claims[e.n%len(e.claims)] = n
	e.n++
	return false
}
