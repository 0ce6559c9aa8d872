package scene

import "math"

// The same seed has to give the same bytes on every machine. The language
// allows x*y+z to be computed with one rounding instead of two, and arm64 and
// newer amd64 do so. An explicit conversion forbids it: every product of
// floats in this package stands inside one (a test reads the source for it),
// and nothing of package math is used that is not exact.

// vec is a place or direction in the street, in metres: x across it to the
// right, y along it away from the camera, z up.
type vec struct{ x, y, z float64 }

func (a vec) add(b vec) vec { return vec{a.x + b.x, a.y + b.y, a.z + b.z} }
func (a vec) sub(b vec) vec { return vec{a.x - b.x, a.y - b.y, a.z - b.z} }

func (a vec) times(k float64) vec {
	return vec{float64(a.x * k), float64(a.y * k), float64(a.z * k)}
}

// along is a + k·b.
func (a vec) along(b vec, k float64) vec { return a.add(b.times(k)) }

func (a vec) dot(b vec) float64 {
	return float64(a.x*b.x) + float64(a.y*b.y) + float64(a.z*b.z)
}

func (a vec) unit() vec {
	l := math.Sqrt(a.dot(a))
	if l == 0 {
		return vec{}
	}
	return vec{a.x / l, a.y / l, a.z / l}
}

func lerp(a, b, t float64) float64 { return a + float64((b-a)*t) }

func clamp(v, low, high float64) float64 { return max(low, min(high, v)) }

// smooth rises from 0 at a to 1 at b with level ends.
func smooth(a, b, v float64) float64 {
	t := clamp((v-a)/(b-a), 0, 1)
	return float64(t * t * (3 - float64(2*t)))
}

// sin is the sine of an angle in turns, to 1e-9 (Taylor, after reduction to a
// quarter turn).
func sin(turns float64) float64 {
	t := turns - math.Floor(turns) // 0–1
	switch {
	case t > 0.75:
		t--
	case t > 0.25:
		t = 0.5 - t
	}
	x := float64(t * (2 * math.Pi))
	q := float64(x * x)
	s := 1 - q/156
	s = 1 - float64(q*s)/110
	s = 1 - float64(q*s)/72
	s = 1 - float64(q*s)/42
	s = 1 - float64(q*s)/20
	s = 1 - float64(q*s)/6
	return float64(x * s)
}

func cos(turns float64) float64 { return sin(turns + 0.25) }

// Camera is where the camera hangs and what it sees. The picture is that of a
// pinhole: x = cx + f·X/Z.
type Camera struct {
	Height float64 // of the lens above the ground, m, 5–30
	Across float64 // from the left kerb to the right, m, -10–30
	Tilt   float64 // below the horizon, degrees, 2–80
	Yaw    float64 // to the right of the street's direction, degrees, -40–40
	Roll   float64 // clockwise, degrees, -10–10
	View   float64 // horizontal angle of view, degrees, 20–100
}

// view projects the street into a canvas of pixels.
type view struct {
	at                 vec
	right, down, ahead vec
	focal, cx, cy      float64 // pixels
}

func newView(c Camera, w, h, margin int) view {
	const degree = 1.0 / 360
	sy, cy := sin(float64(c.Yaw*degree)), cos(float64(c.Yaw*degree))
	st, ct := sin(float64(c.Tilt*degree)), cos(float64(c.Tilt*degree))
	sr, cr := sin(float64(c.Roll*degree)), cos(float64(c.Roll*degree))
	half := float64(c.View * degree / 2)
	v := view{
		at:    vec{c.Across, 0, c.Height},
		ahead: vec{float64(sy * ct), float64(cy * ct), -st},
		focal: float64(w) / 2 / (sin(half) / cos(half)),
		cx:    float64(w)/2 + float64(margin),
		cy:    float64(h)/2 + float64(margin),
	}
	right := vec{cy, -sy, 0}
	down := vec{-float64(sy * st), -float64(cy * st), -ct}
	v.right = right.times(cr).add(down.times(-sr))
	v.down = down.times(cr).add(right.times(sr))
	return v
}

// project gives the canvas place of p and its distance along the optical
// axis; a depth of less than nearest is behind the lens and has no place.
func (v *view) project(p vec) (x, y, depth float64) {
	d := p.sub(v.at)
	depth = d.dot(v.ahead)
	if depth < nearest {
		return 0, 0, depth
	}
	k := v.focal / depth
	return v.cx + float64(d.dot(v.right)*k), v.cy + float64(d.dot(v.down)*k), depth
}

const nearest = 0.5 // m, the closest that is drawn

// ray is the direction in which a canvas place is seen; one unit of it is one
// metre along the optical axis.
func (v *view) ray(x, y float64) vec {
	return v.ahead.along(v.right, (x-v.cx)/v.focal).along(v.down, (y-v.cy)/v.focal)
}

// ground is where on the ground a canvas place is seen, and whether it is.
func (v *view) ground(x, y float64) (vec, bool) {
	d := v.ray(x, y)
	if d.z > -1e-6 {
		return vec{}, false
	}
	return v.at.along(d, v.at.z/-d.z), true
}
