package vision

import (
	"math"
	"time"

	"kerb/counting"
)

// point is a place on the working grid, in grid pixels; x right, y down.
type point struct{ x, y float64 }

// segment is a counting line on the working grid.
type segment struct {
	a, b   point
	length float64
}

func newSegment(l counting.Line, w, h float64) segment {
	l = l.Scaled(w, h)
	s := segment{a: point{l.From.X, l.From.Y}, b: point{l.To.X, l.To.Y}}
	s.length = math.Hypot(s.b.x-s.a.x, s.b.y-s.a.y)
	return s
}

// signedDistance is how far p lies from the infinite line, positive on side b.
func (s *segment) signedDistance(p point) float64 {
	return ((s.b.x-s.a.x)*(p.y-s.a.y) - (s.b.y-s.a.y)*(p.x-s.a.x)) / s.length
}

// fractionAlong is where p's foot lies on the line: 0 at a, 1 at b.
func (s *segment) fractionAlong(p point) float64 {
	return ((s.b.x-s.a.x)*(p.x-s.a.x) + (s.b.y-s.a.y)*(p.y-s.a.y)) / (s.length * s.length)
}

// lineSide is one object's standing with one line. A side holds only once the
// object was farther from the line than the dead band, so that stopping on
// the line, jitter and turning back count nothing. A change of side is a
// crossing only if the path went through the segment on balance: an object
// that goes round the end changes its side without being counted.
type lineSide struct {
	side    int8          // the side that holds: -1 a, +1 b, 0 none yet
	through int8          // passages through the segment since, b-wards positive
	at      time.Duration // of the latest passage
	along   float64       // and where, 0 at the segment's start, 1 at its end
}

// advancePath takes the object from p at t0 to q at t1. dead is the width of the
// dead band to either side. A path that ends exactly on the line is on side b,
// so every passage belongs to exactly one move; the segment has its start and
// lacks its end.
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

func sign(d float64) int8 {
	if d < 0 {
		return -1
	}
	return 1
}
