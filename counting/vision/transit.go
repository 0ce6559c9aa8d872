package vision

import (
	"math"
	"time"

	"kerb/counting"
)

// How a track crosses a line. Boxes jitter: an object counts only once it has
// moved over the line by more than they do, and more again to come back.
const (
	deadBand  = 0.15        // of the height to either side of a line
	there     = 0.4         // heights that an object goes from one side to the other
	backAgain = 0.9         // the same after it has crossed before
	twins     = 0.3         // overlap of two tracks of one object
	together  = time.Second // within which twins cross
)

// transit is one track's standing with one line.
type transit struct {
	gate gate
	far  float64 // how far from the line it has been on the side that holds
	over bool    // it has crossed
	way  counting.Direction
	at   time.Duration // when it was seen to have crossed
}

// move takes the track's path on to p.
func (g *transit) move(s *segment, k *track, p point, now time.Duration) (counting.Direction, bool) {
	dead := deadBand * k.h
	if k.pathAt == k.born {
		g.gate.move(s, k.path, k.path, k.born, k.born, dead)
		g.far = math.Abs(s.distance(k.path))
	}
	q := s.distance(p)
	if g.gate.side != 0 && g.gate.side == sign(q) {
		g.far = max(g.far, math.Abs(q))
	} else if g.over {
		dead = max(dead, backAgain*k.h-g.far)
	} else {
		dead = max(dead, there*k.h-g.far)
	}
	d, ok := g.gate.move(s, k.path, p, k.pathAt, now, dead)
	if ok {
		g.over, g.way, g.at, g.far = true, d, now, 0
	}
	return d, ok
}

// cross moves every believed track's ground point over the lines.
func (t *tracker) cross(now time.Duration, emit emitter) {
	for i := range t.tracks {
		k := &t.tracks[i]
		if !k.live || !k.taken && k.borne != now || !k.believed() {
			continue
		}
		p := k.box().ground()
		for l := range t.lines {
			g := &k.transits[l]
			if d, ok := g.move(&t.lines[l], k, p, now); ok && !t.twin(k, l, d, now) {
				emit(l, g.gate.along, k, d, g.gate.at)
			}
		}
		k.path, k.pathAt = p, now
	}
}

// twin reports whether another track of the same object has just crossed.
func (t *tracker) twin(k *track, line int, d counting.Direction, now time.Duration) bool {
	for i := range t.tracks {
		o := &t.tracks[i]
		if g := &o.transits[line]; o != k && o.live && g.over && g.way == d && now-g.at < together &&
			kin(o.class(), k.class()) && o.box().iou(k.box()) > twins {
			return true
		}
	}
	return false
}
