package scene

import "math"

// The same seed has to give the same bytes on every machine. The Go
// specification allows x*y+z with one rounding instead of two (fused
// multiply-add), and arm64 and newer amd64 do so. An explicit conversion
// forbids it: every product of floats in this package stands inside one (a
// test reads the source for it), and of package math only exact functions are
// used.

// vec3 is a place or direction in the street, in metres: x across it to the
// right, from the left kerb; y along it, away from the camera; z up.
type vec3 struct{ x, y, z float64 }

func (a vec3) add(b vec3) vec3 { return vec3{a.x + b.x, a.y + b.y, a.z + b.z} }
func (a vec3) sub(b vec3) vec3 { return vec3{a.x - b.x, a.y - b.y, a.z - b.z} }

// times returns k·a.
func (a vec3) times(k float64) vec3 {
	return vec3{float64(a.x * k), float64(a.y * k), float64(a.z * k)}
}

// addScaled returns a + k·b.
func (a vec3) addScaled(b vec3, k float64) vec3 { return a.add(b.times(k)) }

// dot returns the scalar product.
func (a vec3) dot(b vec3) float64 {
	return float64(a.x*b.x) + float64(a.y*b.y) + float64(a.z*b.z)
}

// normalized returns the unit vector along a, or the zero vector for a zero
// vector.
func (a vec3) normalized() vec3 {
	l := math.Sqrt(a.dot(a))
	if l == 0 {
		return vec3{}
	}
	return vec3{a.x / l, a.y / l, a.z / l}
}

// lerp interpolates linearly from a (t = 0) to b (t = 1).
func lerp(a, b, t float64) float64 { return a + float64((b-a)*t) }

// clamp limits v to low–high.
func clamp(v, low, high float64) float64 { return max(low, min(high, v)) }

// smoothstep rises from 0 at a to 1 at b with level ends (3t² − 2t³).
func smoothstep(a, b, v float64) float64 {
	t := clamp((v-a)/(b-a), 0, 1)
	return float64(t * t * (3 - float64(2*t)))
}

// sin returns the sine of an angle in turns, to 1e-9: a Taylor series after
// reduction to a quarter turn. Unlike math.Sin it gives the same bits on every
// machine.
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

// cos returns the cosine of an angle in turns.
func cos(turns float64) float64 { return sin(turns + 0.25) }

// Camera is the pose and the horizontal field of view of the camera, an ideal
// pinhole without distortion: x = cx + f·X/Z.
type Camera struct {
	Height      float64 // of the lens above the ground, m, 5–30
	Across      float64 // from the left kerb to the right, m, -10–30
	Tilt        float64 // below the horizon, degrees, 2–80
	Yaw         float64 // to the right of the street's direction, degrees, -40–40
	Roll        float64 // clockwise, degrees, -10–10
	FieldOfView float64 // horizontal angle of view, degrees, 20–100
}

// pinhole projects places of the street to canvas pixels.
type pinhole struct {
	eye                vec3
	right, down, ahead vec3
	focal, cx, cy      float64 // pixels
}

// newPinhole builds the projection for a picture of w×h pixels in the middle of
// a canvas that is margin pixels larger on each side.
func newPinhole(c Camera, w, h, margin int) pinhole {
	const degree = 1.0 / 360
	sy, cy := sin(float64(c.Yaw*degree)), cos(float64(c.Yaw*degree))
	st, ct := sin(float64(c.Tilt*degree)), cos(float64(c.Tilt*degree))
	sr, cr := sin(float64(c.Roll*degree)), cos(float64(c.Roll*degree))
	half := float64(c.FieldOfView * degree / 2)
	v := pinhole{
		eye:   vec3{c.Across, 0, c.Height},
		ahead: vec3{float64(sy * ct), float64(cy * ct), -st},
		focal: float64(w) / 2 / (sin(half) / cos(half)),
		cx:    float64(w)/2 + float64(margin),
		cy:    float64(h)/2 + float64(margin),
	}
	right := vec3{cy, -sy, 0}
	down := vec3{-float64(sy * st), -float64(cy * st), -ct}
	v.right = right.times(cr).add(down.times(-sr))
	v.down = down.times(cr).add(right.times(sr))
	return v
}

// projectPoint returns the canvas place of p and its depth, the distance along
// the optical axis in metres. A depth below nearPlane is too close or behind
// the lens; it has no place.
func (v *pinhole) projectPoint(p vec3) (x, y, depth float64) {
	d := p.sub(v.eye)
	depth = d.dot(v.ahead)
	if depth < nearPlane {
		return 0, 0, depth
	}
	k := v.focal / depth
	return v.cx + float64(d.dot(v.right)*k), v.cy + float64(d.dot(v.down)*k), depth
}

const nearPlane = 0.5 // m, the closest that is drawn

// rayThrough returns the direction in which the canvas place (x,y) is seen; one
// unit of it is one metre along the optical axis.
func (v *pinhole) rayThrough(x, y float64) vec3 {
	return v.ahead.addScaled(v.right, (x-v.cx)/v.focal).addScaled(v.down, (y-v.cy)/v.focal)
}

// groundPoint returns the place on the ground that the canvas place (x,y)
// shows. It reports false at or above the horizon.
func (v *pinhole) groundPoint(x, y float64) (vec3, bool) {
	d := v.rayThrough(x, y)
	if d.z > -1e-6 {
		return vec3{}, false
	}
	return v.eye.addScaled(d, v.eye.z/-d.z), true
}
