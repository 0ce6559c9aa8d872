package vision

import (
	"math"
	"time"
)

// When blob tracks begin, join and end. ppm is pixels per metre.
const (
	minBirthBlob   = 12   // pixels of a blob that may start a track
	minBirthArea   = 12   // grid pixels², of its box
	minBirthHeight = 3    // grid pixels
	minBirthWidth  = 2    // grid pixels
	birthLength    = 0.8  // m: the box is at least so high or so wide,
	birthWidth     = 0.25 // m: at least so wide,
	birthHeight    = 0.4  // m: and at least so high
	birthFill      = 0.3  // least share of its box that a blob fills

	branchMaxAge = 2 * time.Second // a younger track hands its origin on to the track that branches off

	erasePadding = 0.2 // of width and height, plus one pixel, around a track's box

	partGap     = 0.2  // m, plus one pixel: most between two parts of one vehicle
	partWidth   = 2.8  // m: most width of the whole
	partHeight  = 3.0  // m: most height of the whole
	partSpeed   = 0.15 // of the speed: most by which two parts' speeds differ
	walkerSpeed = 2.5  // m/s: slower objects may be people side by side
	joinLooks   = 5    // after which the parts become one track

	ghostAfter      = 500 * time.Millisecond // without change before a track is checked for a ghost
	restingAfter    = 300 * time.Millisecond // without change before a track counts as stopped
	standsFor       = 800 * time.Millisecond // without change after which a track that has not travelled ends
	lostAfter       = time.Second            // without a blob after which a confirmed track ends
	tentativeLost   = 250 * time.Millisecond // the same for a track that is not confirmed
	duplicateShare  = 0.6                    // intersection over union from which two tracks are of one object
	duplicateInside = 0.8                    // part of a track that is not established within another: the same object
)

// Values of arena.covered.
const (
	coveredMoving  = 1 // under a track that moves
	coveredStopped = 2 // under a track that has stopped and is known by its difference from the background alone
)

// startTracks starts tracks on the blobs that no track explains.
func (t *blobTracker) startTracks(blobs []blob, now time.Duration) {
	for k := range blobs {
		b := blobs[k].box()
		ppm := t.scale.pixelsPerMetre(b.y1)
		if blobs[k].active == 0 || blobs[k].area < minBirthBlob {
			continue
		}
		if b.h() < birthLength*ppm && b.w() < birthLength*ppm || b.w() < birthWidth*ppm || b.h() < birthHeight*ppm {
			continue
		}
		if float64(blobs[k].area) < birthFill*b.area() {
			continue
		}
		t.startTrack(b, now)
	}
}

// startTrack starts a track at b in a free slot; nil: b is too small or no slot is
// free.
func (t *blobTracker) startTrack(b box, now time.Duration) *blobTrack {
	if b.area() < minBirthArea || b.h() < minBirthHeight || b.w() < minBirthWidth {
		return nil
	}
	for i := range t.tracks {
		o := &t.tracks[i]
		if o.live {
			continue
		}
		clear(o.lineSides)
		g := b.groundPoint()
		*o = blobTrack{
			live: true, box: b, born: now, lastSeen: now, lastMoved: now,
			origin: g, path: g, pathAt: now, lineSides: o.lineSides,
		}
		return o
	}
	return nil
}

// branchTrack starts a track at b for an object that o had covered as well. If o
// is young, the new track takes over its birth and, shifted, its origin, so that
// both cross the lines that lie behind them.
func (t *blobTracker) branchTrack(o *blobTrack, b box, now time.Duration) {
	c := t.startTrack(b, now)
	if c == nil {
		return
	}
	c.vx, c.vy = o.vx, o.vy
	if now-o.born > branchMaxAge || o.isEstablished() && t.isPersonlike(o) {
		return
	}
	g := b.groundPoint()
	p := o.box.groundPoint()
	c.born, c.pathAt = o.born, o.born
	c.origin = point{o.origin.x + g.x - p.x, o.origin.y + g.y - p.y}
	c.path = c.origin
	c.hits = 1
}

// eraseExplained clears the mask under the tracks that have a blob: no track explains
// the rest.
func (t *blobTracker) eraseExplained(a *arena) {
	w, h := int(t.w), int(t.h)
	for i := range t.tracks {
		o := &t.tracks[i]
		if !o.live || o.blobCount == 0 {
			continue
		}
		px, py := 1+erasePadding*o.box.w(), 1+erasePadding*o.box.h()
		x0, x1 := max(int(o.box.x0-px), 0), min(int(o.box.x1+px+0.5), w)
		for y := max(int(o.box.y0-py), 0); y < min(int(o.box.y1+py+0.5), h); y++ {
			if x0 < x1 {
				clear(a.mask[y*w+x0 : y*w+x1])
			}
		}
	}
}

// mergeVehicleParts joins tracks that are parts of one vehicle: they touch, move
// as one, faster than people walk, and have a vehicle's size together.
func (t *blobTracker) mergeVehicleParts() {
	for i := range t.tracks {
		o := &t.tracks[i]
		if !o.live || o.hits < confirmHits {
			continue
		}
		together := false
		for j := range t.tracks {
			q := &t.tracks[j]
			if j == i || !q.live || q.hits < o.hits || q.hits == o.hits && j > i || !t.moveAsOne(o, q) {
				continue
			}
			together = true
			if o.joined++; o.joined >= joinLooks {
				q.box = o.box.union(q.box)
				o.live = false
			}
			break
		}
		if !together && o.joined > 0 {
			o.joined--
		}
	}
}

// moveAsOne reports whether o and q may be parts of one vehicle in this look.
func (t *blobTracker) moveAsOne(o, q *blobTrack) bool {
	u := o.box.union(q.box)
	ppm := t.scale.pixelsPerMetre(u.y1)
	gap := max(o.box.x0-q.box.x1, q.box.x0-o.box.x1, o.box.y0-q.box.y1, q.box.y0-o.box.y1)
	v := math.Hypot(q.vx, q.vy)
	return !(gap > partGap*ppm+1 || u.w() > partWidth*ppm || u.h() > partHeight*ppm || math.Hypot(o.vx-q.vx, o.vy-q.vy) > partSpeed*v ||
		t.scale.trackSpeed(q, u.y1) < walkerSpeed)
}

// dropGhosts ends tracks that stand still where the background has edges and the
// picture has none: there the background still holds an object that has left.
func (t *blobTracker) dropGhosts(a *arena, now time.Duration) {
	for i := range t.tracks {
		o := &t.tracks[i]
		if !o.live || now-o.lastMoved < ghostAfter {
			continue
		}
		w, h := int(t.w), int(t.h)
		x0, x1 := max(int(o.box.x0)-1, 1), min(int(o.box.x1)+2, w-1)
		y0, y1 := max(int(o.box.y0)-1, 1), min(int(o.box.y1)+2, h-1)
		var in, bg int // sums of gradients on the rim: of the picture, of the background
		for y := y0; y < y1; y++ {
			for x := x0; x < x1; x++ {
				p := y*w + x
				if m := a.evidence[p] & different; m != a.evidence[p+1]&different || m != a.evidence[p+w]&different {
					in += absDiff(a.now[p+1], a.now[p-1]) + absDiff(a.now[p+w], a.now[p-w])
					bg += absDiff(a.bgHi[p+1], a.bgHi[p-1]) + absDiff(a.bgHi[p+w], a.bgHi[p-w])
				}
			}
		}
		if bg > in+in/4 { // a quarter more: chosen by hand
			o.live = false
		}
	}
}

// retireTracks ends tracks that left the picture, were lost, duplicate another or
// are older than longest.
func (t *blobTracker) retireTracks(now, longest time.Duration) {
	for i := range t.tracks {
		o := &t.tracks[i]
		if !o.live {
			continue
		}
		m := o.box.center()
		lost := lostAfter
		if o.hits < confirmHits {
			lost = tentativeLost
		}
		if now-o.lastMoved > standsFor && !t.hasTravelled(o) {
			o.live = false
			continue
		}
		if now-o.lastSeen > lost || now-o.born > longest || m.x < 0 || m.y < 0 || m.x > t.w || m.y > t.h {
			o.live = false
			continue
		}
		for j := range t.tracks {
			q := &t.tracks[j]
			if j == i || !q.live || q.hits < o.hits || q.hits == o.hits && j > i {
				continue
			}
			v := o.box.overlapArea(q.box)
			if v > duplicateShare*(o.box.area()+q.box.area()-v) || v > duplicateInside*o.box.area() && !o.isEstablished() {
				o.live = false
				break
			}
		}
	}
}

// markCovered marks the pixels under tracks, so that the background does not
// learn them.
func (t *blobTracker) markCovered(a *arena, now time.Duration) {
	clear(a.covered)
	w, h := int(t.w), int(t.h)
	for i := range t.tracks {
		o := &t.tracks[i]
		if !o.live || o.hits < coverHits {
			continue
		}
		level := uint8(coveredMoving)
		if now-o.lastMoved > restingAfter {
			level = coveredStopped
		}
		x0, x1 := max(int(o.box.x0), 0), min(int(o.box.x1+0.5), w)
		for y := max(int(o.box.y0), 0); y < min(int(o.box.y1+0.5), h); y++ {
			for x := x0; x < x1; x++ {
				a.covered[y*w+x] = max(a.covered[y*w+x], level)
			}
		}
	}
}
