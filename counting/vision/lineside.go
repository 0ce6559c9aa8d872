package vision

import (
	"math"
	"time"

	"kerb/counting"
)

// segment is a counting line from a to b, in pixels of the working grid or of the
// picture.
type segment struct {
	a, b   point
	length float64
}

func newSegment(l counting.Line, w, h float64) segment {
	l = l.ScaledTo(w, h)
	s := segment{a: point{l.From.X, l.From.Y}, b: point{l.To.X, l.To.Y}}
	s.length = math.Hypot(s.b.x-s.a.x, s.b.y-s.a.y)
	return s
}

// signedDistance is the distance of p from the infinite line in pixels, positive on
// side b.
func (s *segment) signedDistance(p point) float64 {
	return ((s.b.x-s.a.x)*(p.y-s.a.y) - (s.b.y-s.a.y)*(p.x-s.a.x)) / s.length
}

// fractionAlong is the place of the projection of p on the line: 0 at a, 1 at b.
func (s *segment) fractionAlong(p point) float64 {
	return ((s.b.x-s.a.x)*(p.x-s.a.x) + (s.b.y-s.a.y)*(p.y-s.a.y)) / (s.length * s.length)
}

// lineSide is the state of one object at one line, with hysteresis. The side changes
// only when the object is farther from the line than the dead band, so that no
// crossing is counted for stopping on the line, jitter or turning back. A change of
// side is a crossing only if the path went through the segment on balance: an object
// that goes round the end changes its side and is not counted.
type lineSide struct {
	side    int8          // -1 a, +1 b, 0 not known yet
	through int8          // passages through the segment since side changed, towards b positive
	at      time.Duration // of the latest passage
	along   float64       // and its place, 0 at the segment's start, 1 at its end
}

// advancePath moves the object from p at t0 to q at t1 and reports a crossing. dead
// is the width of the dead band to either side, in pixels. A path that ends exactly
// on the line is on side b, so every passage belongs to exactly one call. The segment
// includes its start and excludes its end.
func (g *lineSide) advancePath(s *segment, p, q point, t0, t1 time.Duration, dead float64) (counting.Direction, bool) {
	dp, dq := s.signedDistance(p), s.signedDistance(q)
	if (dp < 0) != (dq < 0) {
		f := dp / (dp - dq)
		u := s.fractionAlong(point{p.x + f*(q.x-p.x), p.y + f*(q.y-p.y)})
		if u >= 0 && u < 1 {
			g.along = u
			g.at = t0 + time.Duration(f*float64(t1-t0))
			g.through += sign(dq)
		}
	}
	if math.Abs(dq) <= dead {
		return 0, false
	}
	was, net := g.side, g.through
	g.side, g.through = sign(dq), 0
	if was == 0 || was == g.side || net != g.side {
		return 0, false
	}
	if g.side > 0 {
		return counting.AToB, true
	}
	return counting.BToA, true
}

// sign is -1 for a negative distance, else 1.
func sign(d float64) int8 {
	if d < 0 {
		return -1
	}
	return 1
}
