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
	last  [lineCount]counting.Point // the last place that was not on the line
	side  [lineCount]float64
}

// contactOf is the place by which m is counted: of its footprint the point
// that lies nearest to the camera on the way there from its middle. It is what
// the bottom centre of its box comes close to, it is on the ground, and no
// leg, shadow, shake or tree moves it.
func (s *Scene) contactOf(m *mover) vec {
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
	return p
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
		if m.kind == nobody || m.parked {
			continue
		}
		at := s.point(s.contactOf(m))
		for z := range s.zones {
			if s.zones[z].Polygon.Contains(at) {
				s.present[z][m.class]++
			}
		}
		s.crossed(m, at)
	}
}

func (s *Scene) crossed(m *mover, at counting.Point) {
	t := &m.truth
	for i := range s.lines {
		side := sideOf(s.lines[i], at)
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
	t.known = true
}

// sideOf is counting.Line.Side, the same to the last bit on every machine.
func sideOf(l counting.Line, p counting.Point) float64 {
	return float64((l.To.X-l.From.X)*(p.Y-l.From.Y)) - float64((l.To.Y-l.From.Y)*(p.X-l.From.X))
}

// meets tells whether the way from p to q, which lie on different sides of the
// line, leads through the segment: from its first end, included, to its last,
// not included, so that of two lines with a common end exactly one is crossed.
func meets(l counting.Line, p, q counting.Point) bool {
	a, b := sideOf(l, p), sideOf(l, q)
	k := a / (a - b)
	x, y := lerp(p.X, q.X, k), lerp(p.Y, q.Y, k)
	dx, dy := l.To.X-l.From.X, l.To.Y-l.From.Y
	along := float64((x-l.From.X)*dx) + float64((y-l.From.Y)*dy)
	return along >= 0 && along < float64(dx*dx)+float64(dy*dy)
}

// Boxes appends what is seen of every object in the last picture to dst, far
// ones first. It is empty unless Opts.Boxes is set.
func (s *Scene) Boxes(dst []Box) []Box {
	if s.canvas.owner == nil || s.frame < 0 {
		return dst
	}
	type extent struct{ x0, y0, x1, y1, n int }
	var seen [crowd + 1]extent
	x0, y0 := s.lens.sx>>8, s.lens.sy>>8
	for y := range s.height {
		row := s.canvas.owner[(y+y0)*s.canvas.w+x0:][:s.width]
		for x, id := range row {
			if id == 0 {
				continue
			}
			e := &seen[id]
			if e.n == 0 {
				*e = extent{x, y, x + 1, y + 1, 0}
			}
			e.x0, e.x1, e.y1 = min(e.x0, x), max(e.x1, x+1), y+1
			e.n++
		}
	}
	w, h := float64(s.width), float64(s.height)
	dx, dy := float64(s.lens.sx&255)/256, float64(s.lens.sy&255)/256
	for _, it := range s.items {
		if it.what != aMover || seen[it.index+1].n == 0 {
			continue
		}
		m, e := &s.traffic.movers[it.index], seen[it.index+1]
		dst = append(dst, Box{
			Class: m.class,
			X0:    max(0, (float64(e.x0)-dx)/w), Y0: max(0, (float64(e.y0)-dy)/h),
			X1: (float64(e.x1) - dx) / w, Y1: (float64(e.y1) - dy) / h,
			Visible: float64(e.n) / float64(max(e.n, m.drawn)), Parked: m.parked,
		})
	}
	return dst
}
