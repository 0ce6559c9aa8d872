package scene

import (
	"math"

	"kerb/counting"
)

// Event is one object over one line: the count of a perfect counter.
type Event struct {
	Frame  int // the first picture in which it is on the other side
	Stream string
	Class  counting.Class
	Dir    counting.Direction
	Speed  float64 // m/s
}

// Box is the visible part of one object in the picture last delivered, in
// fractions of that picture, shake included.
type Box struct {
	Class          counting.Class
	X0, Y0, X1, Y1 float64 // the visible extent
	Visible        float64 // visible share of the pixels that it would cover alone, 0–1
	Parked         bool
}

const lineCount = 3

// lineState remembers on which side of each line an object's contact point was
// seen last.
type lineState struct {
	known     bool
	lastPoint [lineCount]counting.Point // the last place that was not on the line
	side      [lineCount]float64
}

// contactPoint returns the ground point by which m is counted: the point of its
// footprint where the straight way from its middle to the camera leaves it. The
// bottom centre of its box comes close to that point, and no leg, shadow, shake
// or tree moves it.
func (s *Scene) contactPoint(m *mover) vec3 {
	p := vec3{m.x, m.y, 0}
	if m.kind != walker {
		d := vec3{s.view.eye.x - m.x, s.view.eye.y - m.y, 0}
		k := math.Inf(1)
		if d.x != 0 {
			k = m.width / 2 / math.Abs(d.x)
		}
		if d.y != 0 {
			k = min(k, m.length/2/math.Abs(d.y))
		}
		p = p.addScaled(d, k)
	}
	return p
}

// imagePoint projects p, in fractions of an unshaken picture. A point before
// the near plane lies far below the picture.
func (s *Scene) imagePoint(p vec3) counting.Point {
	x, y, depth := s.view.projectPoint(p)
	if depth < nearPlane {
		return counting.Point{X: 0.5, Y: 1e6}
	}
	return counting.Point{X: (x - float64(s.margin)) / float64(s.width), Y: (y - float64(s.margin)) / float64(s.height)}
}

// updateTruth recounts the zones and records the crossings since the last
// picture.
func (s *Scene) updateTruth() {
	s.present, s.standing = [zoneCount][counting.Classes]int{}, [zoneCount][counting.Classes]int{}
	for i := range s.traffic.movers {
		m := &s.traffic.movers[i]
		if m.kind == noMover || m.parked {
			continue
		}
		at := s.imagePoint(s.contactPoint(m))
		for z := range s.zones {
			if s.zones[z].Polygon.Contains(at) {
				s.present[z][m.class]++
				if m.v < counting.StandingSpeed {
					s.standing[z][m.class]++
				}
			}
		}
		s.recordCrossings(m, at)
	}
}

// recordCrossings compares the contact point at with the last one, and appends
// an Event for each line that it crossed. A point on the line itself changes no
// side.
func (s *Scene) recordCrossings(m *mover, at counting.Point) {
	t := &m.lineState
	for i := range s.lines {
		side := lineSide(s.lines[i], at)
		if !t.known {
			t.side[i], t.lastPoint[i] = side, at
			continue
		}
		if side == 0 {
			continue
		}
		if t.side[i] != 0 && (side > 0) != (t.side[i] > 0) && crossesSegment(s.lines[i], t.lastPoint[i], at) {
			dir := counting.AToB
			if side < 0 {
				dir = counting.BToA
			}
			s.events = append(s.events, Event{s.frame, s.lines[i].ID, m.class, dir, m.v})
		}
		t.side[i], t.lastPoint[i] = side, at
	}
	t.known = true
}

// lineSide is counting.Line.Side, with the same bits on every machine.
func lineSide(l counting.Line, p counting.Point) float64 {
	return float64((l.To.X-l.From.X)*(p.Y-l.From.Y)) - float64((l.To.Y-l.From.Y)*(p.X-l.From.X))
}

// crossesSegment reports whether the way from p to q, which lie on different
// sides of the line, crosses the segment. The segment is half-open, with its
// first end and without its last, so that of two lines with a common end
// exactly one is crossed.
func crossesSegment(l counting.Line, p, q counting.Point) bool {
	a, b := lineSide(l, p), lineSide(l, q)
	k := a / (a - b)
	x, y := lerp(p.X, q.X, k), lerp(p.Y, q.Y, k)
	dx, dy := l.To.X-l.From.X, l.To.Y-l.From.Y
	along := float64((x-l.From.X)*dx) + float64((y-l.From.Y)*dy)
	return along >= 0 && along < float64(dx*dx)+float64(dy*dy)
}

// Boxes appends the visible extent of every object in the last picture to dst,
// far ones first. It appends no box unless Opts.Boxes is set.
func (s *Scene) Boxes(dst []Box) []Box {
	if s.canvas.owner == nil || s.frame < 0 {
		return dst
	}
	type extent struct{ x0, y0, x1, y1, n int }
	var seen [maxMovers + 1]extent
	x0, y0 := s.imager.originX>>8, s.imager.originY>>8
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
	dx, dy := float64(s.imager.originX&255)/256, float64(s.imager.originY&255)/256
	for _, it := range s.items {
		if it.kind != moverItem || seen[it.index+1].n == 0 {
			continue
		}
		m, e := &s.traffic.movers[it.index], seen[it.index+1]
		dst = append(dst, Box{
			Class: m.class,
			X0:    max(0, (float64(e.x0)-dx)/w), Y0: max(0, (float64(e.y0)-dy)/h),
			X1: (float64(e.x1) - dx) / w, Y1: (float64(e.y1) - dy) / h,
			Visible: float64(e.n) / float64(max(e.n, m.drawnPixels)), Parked: m.parked,
		})
	}
	return dst
}
