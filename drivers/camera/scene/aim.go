package scene

import (
	"errors"

	"kerb/counting"
)

const zoneCount = 3

// aim hangs the camera and lays lines and zones where it sees them.
func (s *Scene) aim() error {
	if s.opts.Camera == (Camera{}) {
		s.opts.Camera = s.hang()
	}
	c := s.opts.Camera
	if !(c.Height >= 5 && c.Height <= 30 && c.Across >= -10 && c.Across <= 30 && c.Tilt >= 2 && c.Tilt <= 80 &&
		c.Yaw >= -40 && c.Yaw <= 40 && c.Roll >= -10 && c.Roll <= 10 && c.View >= 20 && c.View <= 100) {
		return errors.New("scene: camera: out of range: height 5–30, across -10–30, tilt 2–80, yaw ±40, roll ±10, view 20–100")
	}
	s.view = newView(c, s.width, s.height, s.margin)
	st := s.street
	st.near, st.lens = 60, c.Height
	for _, x := range [2]float64{0, float64(s.width + 2*s.margin)} {
		if p, ok := s.view.ground(x, float64(s.height+2*s.margin)); ok {
			st.near = min(st.near, p.y)
		}
	}
	if !s.layLines() {
		return errors.New("scene: camera: it does not see the carriageway and 1.5 m of both pavements side by side")
	}
	st.crossing = st.counted + 10 + float64(4*grain(st.seed, 3, 3))
	s.layZones()
	return nil
}

// hang chooses a camera's place as a city would: on a wall or a lamp, looking
// down the street.
func (s *Scene) hang() Camera {
	c := chance(mix(s.seed ^ 0xca3e4a))
	for {
		k := Camera{
			Height: c.between(6.5, 10), Across: c.between(-2.5, s.street.width+2.5),
			Tilt: c.between(17, 24), Roll: c.between(-1.5, 1.5), View: c.between(46, 62),
		}
		t := (s.street.width/2 - k.Across) / c.between(18, 30)
		k.Yaw = float64(57.3*t*(1-float64(t*t)/3)) + c.between(-3, 3)
		s.view = newView(k, s.width, s.height, s.margin)
		if s.layLines() {
			return k
		}
	}
}

// layLines finds the nearest place, not too low in the picture, at which the whole width of the street is seen.
func (s *Scene) layLines() bool {
	st := s.street
	for st.counted = 8; st.counted < 45; st.counted += 0.5 {
		inside := true
		for _, x := range [4]float64{max(st.wall[0]+0.3, -2.2), 0, st.width, min(st.wall[1]-0.3, st.width+2.2)} {
			p := s.point(vec{x, st.counted, 0})
			inside = inside && p.X > 0.015 && p.X < 0.985 && p.Y < 0.72 && p.Y > 0.1
		}
		if inside {
			s.drawLines()
			return true
		}
	}
	return false
}

func (s *Scene) drawLines() {
	st := s.street
	kerbL, kerbR := s.point(vec{0, st.counted, 0}), s.point(vec{st.width, st.counted, 0})
	endL, endR := s.point(vec{st.wall[0], st.counted, 0}), s.point(vec{st.wall[1], st.counted, 0})
	if endL.X < 0.01 {
		endL = between(endL, kerbL, (0.01-endL.X)/(kerbL.X-endL.X))
	}
	if endR.X > 0.99 {
		endR = between(endR, kerbR, (endR.X-0.99)/(endR.X-kerbR.X))
	}
	s.lines = []counting.Line{
		{ID: "left", From: endL, To: kerbL},
		{ID: "road", From: kerbL, To: kerbR},
		{ID: "right", From: kerbR, To: endR},
	}
}

func between(a, b counting.Point, t float64) counting.Point {
	return counting.Point{X: lerp(a.X, b.X, t), Y: lerp(a.Y, b.Y, t)}
}

// layZones covers 18 m of the street behind the lines and what lies before.
func (s *Scene) layZones() {
	st := s.street
	from, to := st.counted-1, st.counted+18
	strip := func(x0, x1 float64) counting.Polygon {
		g := counting.Polygon{s.point(vec{x0, to, 0}), s.point(vec{x1, to, 0}), s.point(vec{x1, from, 0}), s.point(vec{x0, from, 0})}
		for i := range g {
			g[i].X, g[i].Y = clamp(g[i].X, 0, 1), clamp(g[i].Y, 0, 1)
		}
		return g
	}
	s.zones = []counting.Zone{
		{ID: "road-zone", Polygon: strip(0, st.bayFrom())},
		{ID: "left-zone", Polygon: strip(st.wall[0], 0)},
		{ID: "right-zone", Polygon: strip(st.width, st.wall[1])},
	}
}

// light sets the sun.
func (s *Scene) light() {
	s.sun = vec{0, 0, 1}
	if s.cond.Light == Sunny {
		c := chance(mix(s.seed ^ 0x50))
		turn, height := c.unit(), c.between(0.1, 0.15)
		s.sun = vec{float64(cos(turn) * cos(height)), float64(sin(turn) * cos(height)), sin(height)}
	}
}

// measured are the nearest and the farthest of the posts that are seen whole.
func (s *Scene) measured() []counting.Height {
	var low, high post
	for _, p := range s.street.posts {
		foot, top := s.point(vec{p.x, p.y, 0}), s.point(vec{p.x, p.y, p.height})
		if p.kind == lamp || p.kind == bollard || p.y > s.street.counted+40 || min(foot.X, top.X) < 0 || max(foot.X, top.X) > 1 || foot.Y > 1 || top.Y < 0 {
			continue
		}
		if low.height == 0 || p.y < low.y {
			low = p
		}
		if high.height == 0 || p.y > high.y {
			high = p
		}
	}
	height := func(p post) counting.Height {
		return counting.Height{Foot: s.point(vec{p.x, p.y, 0}), Top: s.point(vec{p.x, p.y, p.height}), Metres: p.height}
	}
	return []counting.Height{height(low), height(high)}
}

// lamps tells whether lamps and headlights are on.
func (s *Scene) lamps() bool { return s.cond.Light >= Twilight }
