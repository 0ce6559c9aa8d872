package vision

import (
	"math"
	"time"

	"kerb/counting"
)

// How a network's track crosses a line. Boxes jitter, so an object counts only after
// it has moved over the line by more than that, and by more again to come back. The
// numbers were chosen like those of nettrack.go.
const (
	deadBand      = 0.15        // heights, to either side of a line
	firstCrossing = 0.4         // heights: least way from the farthest point on one side to the other side,
	firstWalked   = 0.3         // of a person
	nextCrossing  = 0.9         // the same after the track has crossed before
	twinIoU       = 0.3         // overlap of two tracks of one object
	twinWindow    = time.Second // most between the crossings of two tracks of one object
)

// trackLineSide is the state of one track at one line: its side, with a dead band
// that grows until the track has gone far enough.
type trackLineSide struct {
	side    lineSide
	reach   float64 // farthest distance from the line on its side, pixels
	crossed bool
	dir     counting.Direction // of the latest crossing,
	at      time.Duration      // and when it was recognised
}

// advancePath moves the track's path on to p and reports a crossing. People and cyclists
// are on the side of their first detection, however near to the line that is: in a group
// or at a wall they are detected late, and a dead band at birth lost 3 of 64 people on the
// development clips. Vehicles keep it, because their first detection is often of a part.
func (g *trackLineSide) advancePath(s *segment, k *netTrack, p point, now time.Duration) (counting.Direction, bool) {
	dead, birthBand, first := deadBand*k.h, deadBand*k.h, firstCrossing
	switch k.majorityClass() {
	case counting.Person:
		birthBand, first = 0, firstWalked
	case counting.Bicycle:
		birthBand = 0
	}
	if k.pathAt == k.born {
		g.side.advancePath(s, k.path, k.path, k.born, k.born, birthBand)
		g.reach = math.Abs(s.signedDistance(k.path))
	}
	q := s.signedDistance(p)
	if g.side.side != 0 && g.side.side == sign(q) {
		g.reach = max(g.reach, math.Abs(q))
	} else if g.crossed {
		dead = max(dead, nextCrossing*k.h-g.reach)
	} else {
		dead = max(dead, first*k.h-g.reach)
	}
	d, ok := g.side.advancePath(s, k.path, p, k.pathAt, now, dead)
	if ok {
		g.crossed, g.dir, g.at, g.reach = true, d, now, 0
	}
	return d, ok
}

// detectCrossings moves the ground point of every confirmed track that was seen or
// advected now over the lines, and hands crossings to emit.
func (t *netTracker) detectCrossings(now time.Duration, emit emitter) {
	for i := range t.tracks {
		k := &t.tracks[i]
		if !k.live || !k.matched && k.advectedAt != now || !k.isConfirmed() {
			continue
		}
		p := k.box().groundPoint()
		for l := range t.lines {
			g := &k.lineSides[l]
			if d, ok := g.advancePath(&t.lines[l], k, p, now); ok && !t.hasTwin(k, l, d, now) {
				emit(l, g.side.along, k, d, g.side.at)
			}
		}
		k.path, k.pathAt = p, now
	}
}

// hasTwin reports whether another track of the same object has just crossed the
// line in the same direction.
func (t *netTracker) hasTwin(k *netTrack, line int, d counting.Direction, now time.Duration) bool {
	for i := range t.tracks {
		o := &t.tracks[i]
		if g := &o.lineSides[line]; o != k && o.live && g.crossed && g.dir == d && now-g.at < twinWindow &&
			sameFamily(o.majorityClass(), k.majorityClass()) && o.box().iou(k.box()) > twinIoU {
			return true
		}
	}
	return false
}
