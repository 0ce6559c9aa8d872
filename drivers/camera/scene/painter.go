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
		p.value, p.slope = int32(clamp(float64(v*256), 0, 65535)), 0
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
	p.fill()
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
	for i := range 12 {
		t := float64(i) / 12
		q := a.along(u, float64(r*cos(t)))
		q.z += float64(r * sin(t))
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
