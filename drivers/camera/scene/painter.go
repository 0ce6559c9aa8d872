package scene

import "math"

// painter draws solid shapes of the street into the canvas: as the camera sees
// them, or, in a shadow pass, their shadow on the ground (planar projection
// along the sun).
type painter struct {
	*canvas
	view        *pinhole
	sun         vec3         // unit, towards the sun
	shadowPass  bool         // draw the shadow on the ground instead of the body
	lighting    illumination // the light of this frame
	directLight float64      // share of the direct light at the place of the object, 0–1
	gradient    float64      // share by which a face is darker at its lower end
	grow        float64      // pixels by which polygons are grown to close their seams
}

// illumination is the light of one frame; with it an albedo becomes a luma.
type illumination struct {
	exposure, ambient, direct float64
}

// shadeFlat returns the luma of a flat surface of that albedo with unit normal
// n: Lambertian direct light, and ambient light that is weaker for surfaces
// that face down.
func (p *painter) shadeFlat(albedo float64, n vec3) float64 {
	sky := 0.62 + float64(0.38*n.z)
	direct := float64(max(0, n.dot(p.sun)) * float64(p.lighting.direct*p.directLight) * 1.25)
	return float64(albedo * p.lighting.exposure * (float64(p.lighting.ambient*sky) + direct))
}

// setLuma sets the value to fill with, after the highlight knee. A shadow pass
// keeps its own value.
func (p *painter) setLuma(v float64) {
	if !p.shadowPass {
		v -= max(0, float64((v-kneeStart)*kneeDrop/kneeRange)) // as weather.knee
		p.value = int32(clamp(float64(v*256), 0, 65535))
	}
}

// toCanvas projects a point of the street, or in a shadow pass its shadow, onto
// the canvas.
func (p *painter) toCanvas(v vec3) (x, y, depth float64) {
	if p.shadowPass {
		v = v.addScaled(p.sun, -v.z/p.sun.z)
	}
	return p.view.projectPoint(v)
}

// isFacing reports whether the camera sees the front of a face at v with normal
// n (back-face culling). A shadow pass takes every face.
func (p *painter) isFacing(v, n vec3) bool { return p.shadowPass || n.dot(p.view.eye.sub(v)) > 0 }

// pixelSize returns the size in pixels of an object of size metres at a place.
func (p *painter) pixelSize(at vec3, size float64) float64 {
	_, _, depth := p.view.projectPoint(at)
	return float64(size*p.view.focal) / max(depth, nearPlane)
}

// fillPolygon fills a flat convex face. A face with any vertex before the near
// plane is left out whole.
func (p *painter) fillPolygon(v ...vec3) {
	var xs, ys [len(p.px)]float64
	var mx, my float64
	for i, q := range v {
		x, y, depth := p.toCanvas(q)
		if depth < nearPlane {
			p.n = 0
			return
		}
		xs[i], ys[i] = x, y
		mx, my = mx+x, my+y
	}
	n := float64(len(v))
	mx, my = mx/n, my/n
	for i := range v {
		x, y := xs[i], ys[i]
		if p.grow > 0 && !p.shadowPass {
			dx, dy := x-mx, y-my
			if l := math.Sqrt(float64(dx*dx) + float64(dy*dy)); l > 0.1 {
				x, y = x+float64(dx/l*p.grow), y+float64(dy/l*p.grow)
			}
		}
		p.addVertex(x, y)
	}
	if p.gradient > 0 && !p.shadowPass {
		p.setGradient()
	}
	p.fillVertices()
	p.slope = 0
}

// setGradient makes the polygon at hand darker from its upper to its lower end.
func (p *painter) setGradient() {
	low, high := p.py[0], p.py[0]
	for _, y := range p.py[1:p.n] {
		low, high = min(low, y), max(high, y)
	}
	change := int32(float64(float64(p.value) * p.gradient))
	p.value += change / 2
	p.slope = -change / (high>>8 - low>>8 + 1)
}

// drawFace fills a flat convex face, shaded by its normal, if it faces the
// camera.
func (p *painter) drawFace(albedo float64, n vec3, v ...vec3) {
	if p.isFacing(v[0], n) {
		p.setLuma(p.shadeFlat(albedo, n))
		p.fillPolygon(v...)
	}
}

// halfCircle holds five points on a half circle, from one side over the end to
// the other.
var halfCircle = [5][2]float64{{0, 1}, {0.7071, 0.7071}, {1, 0}, {0.7071, -0.7071}, {0, -1}}

// unitCircle holds twelve points on a circle.
var unitCircle = [12][2]float64{
	{1, 0},
	{0.866, 0.5},
	{0.5, 0.866},
	{0, 1},
	{-0.5, 0.866},
	{-0.866, 0.5},
	{-1, 0},
	{-0.866, -0.5},
	{-0.5, -0.866},
	{0, -1},
	{0.5, -0.866},
	{0.866, -0.5},
}

// drawCapsule fills the hull of two balls of radius ra and rb metres around a
// and b, a tapered capsule: an arm, a neck, a post, or a ball.
func (p *painter) drawCapsule(albedo float64, a, b vec3, ra, rb float64) {
	ax, ay, da := p.toCanvas(a)
	bx, by, db := p.toCanvas(b)
	if da < nearPlane || db < nearPlane {
		return
	}
	ka, kb := float64(ra*p.view.focal)/da, float64(rb*p.view.focal)/db
	ux, uy := bx-ax, by-ay
	if l := math.Sqrt(float64(ux*ux) + float64(uy*uy)); l > 0.01 {
		ux, uy = ux/l, uy/l
	} else {
		ux, uy = 0, 1
	}
	flat := 1.0
	if p.shadowPass {
		flat = 0.5 // a ball's shadow is flat on the ground
	}
	for _, e := range halfCircle { // around b, outwards
		p.addVertex(bx+float64(kb*(float64(ux*e[0])-float64(uy*e[1]))), by+float64(flat*kb*(float64(uy*e[0])+float64(ux*e[1]))))
	}
	for _, e := range halfCircle { // around a
		p.addVertex(ax-float64(ka*(float64(ux*e[0])-float64(uy*e[1]))), ay-float64(flat*ka*(float64(uy*e[0])+float64(ux*e[1]))))
	}
	p.setLuma(p.shadeRound(albedo))
	p.fillVertices()
}

// shadeRound returns the luma of an upright round body: the mean over its
// visible side.
func (p *painter) shadeRound(albedo float64) float64 {
	facing := -p.view.ahead.dot(p.sun)
	direct := float64(p.lighting.direct * p.directLight * (0.45 + float64(0.35*facing)))
	return float64(albedo * p.lighting.exposure * (float64(0.74*p.lighting.ambient) + direct))
}

// fillDisc fills a circle of radius r metres around a, in the upright plane
// along u, with luma v.
func (p *painter) fillDisc(v float64, a, u vec3, r float64) {
	for _, e := range unitCircle {
		q := a.addScaled(u, float64(r*e[0]))
		q.z += float64(r * e[1])
		x, y, depth := p.toCanvas(q)
		if depth < nearPlane {
			p.n = 0
			return
		}
		p.addVertex(x, y)
	}
	p.setLuma(v)
	p.fillVertices()
}
