package scene

import (
	"errors"

	"kerb/counting"
)

const zoneCount = 3

// The counting lines lie between firstLineY and lastLineY, in steps of
// lineStepY, m. Chosen by hand.
const (
	firstLineY = 8
	lastLineY  = 45
	lineStepY  = 0.5
)

// placeCamera checks the camera's pose, or draws one from the seed, and
// computes where the counting lines and zones lie in its picture.
func (s *Scene) placeCamera() error {
	if s.opts.Camera == (Camera{}) {
		s.opts.Camera = s.chooseCamera()
	}
	c := s.opts.Camera
	if !(c.Height >= 5 && c.Height <= 30 && c.Across >= -10 && c.Across <= 30 && c.Tilt >= 2 && c.Tilt <= 80 &&
		c.Yaw >= -40 && c.Yaw <= 40 && c.Roll >= -10 && c.Roll <= 10 && c.FieldOfView >= 20 && c.FieldOfView <= 100) {
		return errors.New("scene: camera: out of range: height 5–30, across -10–30, tilt 2–80, yaw ±40, roll ±10, view 20–100")
	}
	s.view = newPinhole(c, s.width, s.height, s.margin)
	st := s.street
	st.nearY, st.eyeHeight = 60, c.Height
	for _, x := range [2]float64{0, float64(s.width + 2*s.margin)} {
		if p, ok := s.view.groundPoint(x, float64(s.height+2*s.margin)); ok {
			st.nearY = min(st.nearY, p.y)
		}
	}
	if !s.findLinePlace() {
		return errors.New("scene: camera: it does not see the carriageway and 1.5 m of both pavements side by side")
	}
	st.crossingY = st.countY + 10 + float64(4*latticeNoise(st.seed, 3, 3))
	s.computeZones()
	return nil
}

// chooseCamera draws poses from the seed, as a city would mount a camera (on a
// wall or lamp post, looking down the street), until one sees the whole width
// of the street. Yaw turns the camera to the middle of the street 18 m to 30 m
// away; 57.3 is degrees a radian, and t(1-t²/3) the arc tangent of t.
func (s *Scene) chooseCamera() Camera {
	c := splitMix64(mix64(s.seed ^ 0xca3e4a))
	for {
		k := Camera{
			Height: c.floatIn(6.5, 10), Across: c.floatIn(-2.5, s.street.width+2.5),
			Tilt: c.floatIn(17, 24), Roll: c.floatIn(-1.5, 1.5), FieldOfView: c.floatIn(46, 62),
		}
		t := (s.street.width/2 - k.Across) / c.floatIn(18, 30)
		k.Yaw = float64(57.3*t*(1-float64(t*t)/3)) + c.floatIn(-3, 3)
		s.view = newPinhole(k, s.width, s.height, s.margin)
		if s.findLinePlace() {
			return k
		}
	}
}

// findLinePlace sets street.countY to the nearest distance at which the camera
// sees the whole width of the street, and not too low in the picture. It
// reports false when no distance from 8 m to 45 m will do.
func (s *Scene) findLinePlace() bool {
	st := s.street
	for st.countY = firstLineY; st.countY < lastLineY; st.countY += lineStepY {
		inside := true
		for _, x := range [4]float64{max(st.wallX[0]+0.3, -2.2), 0, st.width, min(st.wallX[1]-0.3, st.width+2.2)} {
			p := s.imagePoint(vec3{x, st.countY, 0})
			inside = inside && p.X > 0.015 && p.X < 0.985 && p.Y < 0.72 && p.Y > 0.1
		}
		if inside {
			s.computeLines()
			return true
		}
	}
	return false
}

// computeLines projects the three counting lines at street.countY, and shortens
// the outer two where they leave the picture.
func (s *Scene) computeLines() {
	st := s.street
	kerbL, kerbR := s.imagePoint(vec3{0, st.countY, 0}), s.imagePoint(vec3{st.width, st.countY, 0})
	endL, endR := s.imagePoint(vec3{st.wallX[0], st.countY, 0}), s.imagePoint(vec3{st.wallX[1], st.countY, 0})
	if endL.X < 0.01 {
		endL = lerpPoint(endL, kerbL, (0.01-endL.X)/(kerbL.X-endL.X))
	}
	if endR.X > 0.99 {
		endR = lerpPoint(endR, kerbR, (endR.X-0.99)/(endR.X-kerbR.X))
	}
	s.lines = []counting.Line{
		{ID: "left", From: endL, To: kerbL},
		{ID: "road", From: kerbL, To: kerbR},
		{ID: "right", From: kerbR, To: endR},
	}
}

// lerpPoint interpolates linearly from a (t = 0) to b (t = 1).
func lerpPoint(a, b counting.Point, t float64) counting.Point {
	return counting.Point{X: lerp(a.X, b.X, t), Y: lerp(a.Y, b.Y, t)}
}

// computeZones projects the three zones: 18 m of street behind the counting
// lines and 1 m before them.
func (s *Scene) computeZones() {
	st := s.street
	from, to := st.countY-1, st.countY+18
	strip := func(x0, x1 float64) counting.Polygon {
		g := counting.Polygon{s.imagePoint(vec3{x0, to, 0}), s.imagePoint(vec3{x1, to, 0}), s.imagePoint(vec3{x1, from, 0}), s.imagePoint(vec3{x0, from, 0})}
		for i := range g {
			g[i].X, g[i].Y = clamp(g[i].X, 0, 1), clamp(g[i].Y, 0, 1)
		}
		return g
	}
	s.zones = []counting.Zone{
		{ID: "road-zone", Polygon: strip(0, st.bayLeftX())},
		{ID: "left-zone", Polygon: strip(st.wallX[0], 0)},
		{ID: "right-zone", Polygon: strip(st.width, st.wallX[1])},
	}
}

// setSun draws the direction of the sun from the seed: any azimuth, 36° to 54°
// high. Without direct sun it points straight up.
func (s *Scene) setSun() {
	s.sun = vec3{0, 0, 1}
	if s.cond.Light == Sunny {
		c := splitMix64(mix64(s.seed ^ 0x50))
		turn, height := c.unitFloat(), c.floatIn(0.1, 0.15)
		s.sun = vec3{float64(cos(turn) * cos(height)), float64(sin(turn) * cos(height)), sin(height)}
	}
}

// chooseHeights returns the nearest and the farthest signal or sign that the
// picture shows from foot to top.
func (s *Scene) chooseHeights() []counting.Height {
	var low, high post
	for _, p := range s.street.posts {
		foot, top := s.imagePoint(vec3{p.x, p.y, 0}), s.imagePoint(vec3{p.x, p.y, p.height})
		if p.kind == lamp || p.kind == bollard || p.y > s.street.countY+40 || min(foot.X, top.X) < 0 || max(foot.X, top.X) > 1 || foot.Y > 1 || top.Y < 0 {
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
		return counting.Height{Foot: s.imagePoint(vec3{p.x, p.y, 0}), Top: s.imagePoint(vec3{p.x, p.y, p.height}), Metres: p.height}
	}
	return []counting.Height{height(low), height(high)}
}

// lampsOn reports whether street lamps and headlights are on.
func (s *Scene) lampsOn() bool { return s.cond.Light >= Twilight }
