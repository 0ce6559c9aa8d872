package scene

import "math"

// painter draws solid things of the street into the canvas: as the lens sees
// them, or as the shadow that they throw on the ground.
type painter struct {
	*canvas
	view  *view
	sun   vec     // unit, towards the sun
	onto  bool    // what is drawn is the shadow on the ground
	tone  tone    // the light of this frame
	reach float64 // share of the direct light at the place of the object, 0–1
	fade  float64 // share by which a face is darker at its lower end
	grow  float64 // pixels by which polygons are grown to close their seams
}

// tone turns an albedo into luma.
type tone struct {
	exposure, ambient, direct float64
}

// shade is the luma of a surface of that albedo which faces along n.
func (p *painter) shade(albedo float64, n vec) float64 {
	sky := 0.62 + float64(0.38*n.z)
	direct := float64(max(0, n.dot(p.sun)) * float64(p.tone.direct*p.reach) * 1.25)
	return float64(albedo * p.tone.exposure * (float64(p.tone.ambient*sky) + direct))
}

// luma sets the value to be filled.
func (p *painter) luma(v float64) {
	if !p.onto {
		v -= max(0, float64((v-165)*256/346)) // as weather.knee
		p.value = int32(clamp(float64(v*256), 0, 65535))
	}
}

// place projects a point of the street, or its shadow.
func (p *painter) place(v vec) (x, y, depth float64) {
	if p.onto {
		v = v.along(p.sun, -v.z/p.sun.z)
	}
	return p.view.project(v)
}

// facing tells whether the lens sees the front of a face at v with normal n.
func (p *painter) facing(v, n vec) bool { return p.onto || n.dot(p.view.at.sub(v)) > 0 }

// pixels is the size in the picture of something of that size at a place.
func (p *painter) pixels(at vec, size float64) float64 {
	_, _, depth := p.view.project(at)
	return float64(size*p.view.focal) / max(depth, nearest)
}

// polygon fills a flat convex face.
func (p *painter) polygon(v ...vec) {
	var xs, ys [len(p.px)]float64
	var mx, my float64
	for i, q := range v {
		x, y, depth := p.place(q)
		if depth < nearest {
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
		if p.grow > 0 && !p.onto {
			dx, dy := x-mx, y-my
			if l := math.Sqrt(float64(dx*dx) + float64(dy*dy)); l > 0.1 {
				x, y = x+float64(dx/l*p.grow), y+float64(dy/l*p.grow)
			}
		}
		p.corner(x, y)
	}
	if p.fade > 0 && !p.onto {
		p.shades()
	}
	p.fill()
	p.slope = 0
}

// shades makes the next face darker from its upper to its lower end.
func (p *painter) shades() {
	low, high := p.py[0], p.py[0]
	for _, y := range p.py[1:p.n] {
		low, high = min(low, y), max(high, y)
	}
	change := int32(float64(float64(p.value) * p.fade))
	p.value += change / 2
	p.slope = -change / (high>>8 - low>>8 + 1)
}

// face fills a flat convex face in its own light when it faces the lens.
func (p *painter) face(albedo float64, n vec, v ...vec) {
	if p.facing(v[0], n) {
		p.luma(p.shade(albedo, n))
		p.polygon(v...)
	}
}

// five points on a half circle, from one side over the end to the other
var arc = [5][2]float64{{0, 1}, {0.7071, 0.7071}, {1, 0}, {0.7071, -0.7071}, {0, -1}}

// twelve points on a circle
var circle = [12][2]float64{
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

// limb fills what lies between two balls: an arm, a neck, a post, a ball.
func (p *painter) limb(albedo float64, a, b vec, ra, rb float64) {
	ax, ay, da := p.place(a)
	bx, by, db := p.place(b)
	if da < nearest || db < nearest {
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
	if p.onto {
		flat = 0.5 // a ball's shadow is flat on the ground
	}
	for _, e := range arc { // around b, outwards
		p.corner(bx+float64(kb*(float64(ux*e[0])-float64(uy*e[1]))), by+float64(flat*kb*(float64(uy*e[0])+float64(ux*e[1]))))
	}
	for _, e := range arc { // around a
		p.corner(ax-float64(ka*(float64(ux*e[0])-float64(uy*e[1]))), ay-float64(flat*ka*(float64(uy*e[0])+float64(ux*e[1]))))
	}
	p.luma(p.round(albedo))
	p.fill()
}

// round is the luma of an upright round thing: the mean over what is seen.
func (p *painter) round(albedo float64) float64 {
	facing := -p.view.ahead.dot(p.sun)
	direct := float64(p.tone.direct * p.reach * (0.45 + float64(0.35*facing)))
	return float64(albedo * p.tone.exposure * (float64(0.74*p.tone.ambient) + direct))
}

// disc fills a circle in the upright plane of direction u through a.
func (p *painter) disc(v float64, a, u vec, r float64) {
	for _, e := range circle {
		q := a.along(u, float64(r*e[0]))
		q.z += float64(r * e[1])
		x, y, depth := p.place(q)
		if depth < nearest {
			p.n = 0
			return
		}
		p.corner(x, y)
	}
	p.luma(v)
	p.fill()
}
