package vision

import (
	"math"
	"time"

	"kerb/counting"
)

// How a track crosses a line. Boxes jitter: an object counts only once it has
// moved over the line by more than they do, and more again to come back.
const (
	deadBand      = 0.15        // of the height to either side of a line
	firstCrossing = 0.4         // heights that an object goes from one side to the other
	nextCrossing  = 0.9         // the same after it has crossed before
	twinIoU       = 0.3         // overlap of two tracks of one object
	twinWindow    = time.Second // within which twins cross
)

// trackLineSide is one track's standing with one line.
type trackLineSide struct {
	side    lineSide
	reach   float64 // how far from the line it has been on the side that holds
	crossed bool    // it has crossed
	dir     counting.Direction
	at      time.Duration // when it was seen to have crossed
}

// advancePath takes the track's path on to p.
func (g *trackLineSide) advancePath(s *segment, k *netTrack, p point, now time.Duration) (counting.Direction, bool) {
	dead := deadBand * k.h
	if k.pathAt == k.born {
		g.side.advancePath(s, k.path, k.path, k.born, k.born, dead)
		g.reach = math.Abs(s.signedDistance(k.path))
	}
	q := s.signedDistance(p)
	if g.side.side != 0 && g.side.side == sign(q) {
		g.reach = max(g.reach, math.Abs(q))
	} else if g.crossed {
		dead = max(dead, nextCrossing*k.h-g.reach)
	} else {
		dead = max(dead, firstCrossing*k.h-g.reach)
	}
	d, ok := g.side.advancePath(s, k.path, p, k.pathAt, now, dead)
	if ok {
		g.crossed, g.dir, g.at, g.reach = true, d, now, 0
	}
	return d, ok
}

// detectCrossings moves every believed track's ground point over the lines.
func (t *netTracker) detectCrossings(now time.Duration, emit emitter) {
	for i := range t.tracks {
		k := &t.tracks[i]
		if !k.live || !k.matched && k.advectedAt != now || !k.isConfirmed() {
			continue
		}
		p := k.box().groundPoint()
		for l := range t.lines {
			g := &k.lineSides[l]
			if d, ok := g.advancePath(&t.lines[l], k, p, now); ok && !t.duplicateTrack(k, l, d, now) {
				emit(l, g.side.along, k, d, g.side.at)
			}
		}
		k.path, k.pathAt = p, now
	}
}

// duplicateTrack reports whether another track of the same object has just crossed.
func (t *netTracker) duplicateTrack(k *netTrack, line int, d counting.Direction, now time.Duration) bool {
	for i := range t.tracks {
		o := &t.tracks[i]
		if g := &o.lineSides[line]; o != k && o.live && g.crossed && g.dir == d && now-g.at < twinWindow &&
			sameFamily(o.majorityClass(), k.majorityClass()) && o.box().iou(k.box()) > twinIoU {
			return true
		}
	}
	return false
}
