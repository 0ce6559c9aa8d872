package scene

import (
	"math"

	"kerb/counting"
)

// Event is one object over one line: what a perfect counter would count.
type Event struct {
	Frame  int // the first picture in which it stands on the other side
	Stream string
	Class  counting.Class
	Dir    counting.Direction
}

// Box is what is seen of one object in the picture last delivered, in
// fractions of the picture as it was delivered, shake included.
type Box struct {
	Class          counting.Class
	X0, Y0, X1, Y1 float64 // the visible extent
	Visible        float64 // visible share of what would be seen with nothing before it, 0–1
	Parked         bool
}

const lineCount = 3

// contact is where an object touches the ground, and on which side of each
// line it was seen last.
type contact struct {
	known bool
	at    counting.Point
	last  [lineCount]counting.Point // the last place that was not on the line
	side  [lineCount]float64
}

// contactOf is the place by which m is counted: of its footprint the point
// that lies nearest to the camera on the way there from its middle. It is what
// the bottom centre of its box comes close to, it is on the ground, and no
// leg, shadow, shake or tree moves it.
func (s *Scene) contactOf(m *mover) counting.Point {
	p := vec{m.x, m.y, 0}
	if m.kind != walker {
		d := vec{s.view.at.x - m.x, s.view.at.y - m.y, 0}
		k := math.Inf(1)
		if d.x != 0 {
			k = m.width / 2 / math.Abs(d.x)
		}
		if d.y != 0 {
			k = min(k, m.length/2/math.Abs(d.y))
		}
		p = p.along(d, k)
	}
	return s.point(p)
}

// point is where p is seen, in fractions of an unshaken picture.
func (s *Scene) point(p vec) counting.Point {
	x, y, depth := s.view.project(p)
	if depth < nearest {
		return counting.Point{X: 0.5, Y: 1e6}
	}
	return counting.Point{X: (x - float64(s.margin)) / float64(s.width), Y: (y - float64(s.margin)) / float64(s.height)}
}

// judge compares where everybody is with where they were one picture ago.
func (s *Scene) judge() {
	s.present = [zoneCount][counting.Classes]int{}
	for i := range s.traffic.movers {
		m := &s.traffic.movers[i]
		if m.kind == nobody {
			continue
		}
		at := s.contactOf(m)
		for z := range s.zones {
			if s.zones[z].Polygon.Contains(at) {
				s.present[z][m.class]++
			}
		}
		if !m.parked {
			s.crossed(m, at)
		}
	}
}

func (s *Scene) crossed(m *mover, at counting.Point) {
	t := &m.truth
	for i := range s.lines {
		side := s.lines[i].Side(at)
		if !t.known {
			t.side[i], t.last[i] = side, at
			continue
		}
		if side == 0 {
			continue
		}
		if t.side[i] != 0 && (side > 0) != (t.side[i] > 0) && meets(s.lines[i], t.last[i], at) {
			dir := counting.AToB
			if side < 0 {
				dir = counting.BToA
			}
			s.events = append(s.events, Event{s.frame, s.lines[i].ID, m.class, dir})
		}
		t.side[i], t.last[i] = side, at
	}
	t.known, t.at = true, at
}

// meets tells whether the way from p to q, which lie on different sides of the
// line, leads through the segment: from its first end, included, to its last,
// not included, so that of two lines with a common end exactly one is crossed.
func meets(l counting.Line, p, q counting.Point) bool {
	a, b := l.Side(p), l.Side(q)
	k := a / (a - b)
	x, y := lerp(p.X, q.X, k), lerp(p.Y, q.Y, k)
	dx, dy := l.To.X-l.From.X, l.To.Y-l.From.Y
	along := float64((x-l.From.X)*dx) + float64((y-l.From.Y)*dy)
	return along >= 0 && along < float64(dx*dx)+float64(dy*dy)
}

// Boxes appends what is seen of every object in the last picture to dst, far
// ones first. It is empty unless Opts.Boxes is set.
func (s *Scene) Boxes(dst []Box) []Box { return dst }
