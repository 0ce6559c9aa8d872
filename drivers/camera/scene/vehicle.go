package scene

// A vehicle is a side view drawn out across its width: each part of the
// outline, front to rear over the top, becomes a strip of paint or glass.

// outline is a corner of the side view and what the strip to the next one is.
type outline struct {
	u     float64 // from the front, share of the length
	z     float64 // above the ground, share of the height
	w     float64 // share of the width
	strip stuff
}

type stuff uint8

const (
	bodywork stuff = iota
	glass
	trim // bumpers and grilles
)

var (
	hatchbackOutline = []outline{
		{0, 0.16, 0.9, trim},
		{0, 0.36, 0.96, bodywork},
		{0.03, 0.5, 0.98, bodywork},
		{0.2, 0.62, 1, glass},
		{0.4, 0.97, 0.78, bodywork},
		{0.6, 1, 0.78, bodywork},
		{0.85, 0.95, 0.78, glass},
		{0.97, 0.63, 0.96, bodywork},
		{1, 0.4, 0.96, trim},
		{1, 0.18, 0.9, trim},
	}
	saloonOutline = []outline{
		{0, 0.16, 0.9, trim},
		{0, 0.36, 0.95, bodywork},
		{0.03, 0.5, 0.97, bodywork},
		{0.26, 0.63, 1, glass},
		{0.42, 0.97, 0.78, bodywork},
		{0.62, 1, 0.78, bodywork},
		{0.68, 0.97, 0.78, glass},
		{0.84, 0.7, 0.96, bodywork},
		{0.99, 0.66, 0.94, bodywork},
		{1, 0.4, 0.95, trim},
		{1, 0.18, 0.9, trim},
	}
	vanOutline = []outline{
		{0, 0.14, 0.94, trim},
		{0, 0.34, 0.98, bodywork},
		{0.04, 0.46, 1, bodywork},
		{0.14, 0.56, 1, glass},
		{0.27, 0.95, 0.9, bodywork},
		{0.33, 1, 0.9, bodywork},
		{1, 1, 0.92, bodywork},
		{1, 0.9, 0.93, glass},
		{1, 0.62, 0.96, bodywork},
		{1, 0.18, 0.98, trim},
	}
	busOutline = []outline{
		{0, 0.1, 1, bodywork},
		{0, 0.34, 1, glass},
		{0.015, 0.86, 0.98, bodywork},
		{0.03, 1, 0.94, bodywork},
		{1, 1, 0.94, bodywork},
		{1, 0.8, 0.96, glass},
		{1, 0.52, 0.98, bodywork},
		{1, 0.1, 1, trim},
	}
	cabOutline = []outline{
		{0, 0.12, 1, trim},
		{0, 0.36, 1, glass},
		{0.02, 0.66, 0.96, bodywork},
		{0.07, 0.74, 0.9, bodywork},
		{0.22, 0.74, 0.9, bodywork},
		{0.24, 0.15, 1, trim},
	}
	loadOutline = []outline{
		{0.25, 0.24, 1, bodywork},
		{0.25, 1, 1, bodywork},
		{1, 1, 1, bodywork},
		{1, 0.24, 1, trim},
	}
)

// frame is a vehicle's own directions.
type frame struct {
	m           *mover
	ahead, side vec     // unit; side is out of the flank that is turned to the lens
	tyre        float64 // radius, m
}

func (p *painter) frame(m *mover) frame {
	f := frame{m, vec{0, m.dir, 0}, vec{1, 0, 0}, 0.32}
	if p.view.at.x < m.x {
		f.side.x = -1
	}
	if m.kind >= bus {
		f.tyre = 0.48
	}
	return f
}

// at is a place on the vehicle: u from front 0 to rear 1, z from the ground 0
// to the top 1, w from the far flank -1 to the near one 1.
func (f *frame) at(u, z, w float64) vec {
	p := vec{f.m.x, f.m.y, float64(z * f.m.height)}
	return p.along(f.ahead, float64(f.m.length*(0.5-u))).along(f.side, float64(w*f.m.width/2))
}

// vehicle draws anything on four wheels or more.
func (p *painter) vehicle(m *mover) {
	f := p.frame(m)
	p.grow, p.fade = 0.3, 0.22
	if !p.onto {
		p.wheels(&f)
	}
	switch m.kind {
	case hatchback, estate:
		p.extrude(&f, hatchbackOutline, 3, 7, m.look.body)
	case saloon:
		p.extrude(&f, saloonOutline, 3, 7, m.look.body)
	case van:
		p.extrude(&f, vanOutline, 0, 0, m.look.body)
	case bus:
		p.extrude(&f, busOutline, 0, 0, m.look.body)
	case lorry:
		if m.dir > 0 { // the far part first
			p.extrude(&f, cabOutline, 0, 0, m.look.body)
		}
		p.extrude(&f, loadOutline, 0, 0, m.look.extra)
		if m.dir < 0 {
			p.extrude(&f, cabOutline, 0, 0, m.look.body)
		}
	}
	if !p.onto {
		if p.facing(f.at(0.5, 0.3, 1), f.side) {
			p.flank(&f)
		}
		p.ends(&f)
	}
	p.grow, p.fade = 0, 0
}

// extrude draws the strips, far ones first, then the flank: whole, or where
// cabin is not 0 the lower body, and from corner cabin to corner end the cabin.
func (p *painter) extrude(f *frame, o []outline, cabin, end int, paint float64) {
	from, to, step := 0, len(o)-1, 1
	if f.m.dir < 0 { // the rear is far
		from, to, step = len(o)-2, -1, -1
	}
	for i := from; i != to; i += step {
		a, b := o[i], o[i+1]
		n := f.normal(a, b)
		p.face(p.stuff(a.strip, paint, n), n, f.at(a.u, a.z, -a.w), f.at(a.u, a.z, a.w), f.at(b.u, b.z, b.w), f.at(b.u, b.z, -b.w))
	}
	if !p.facing(f.at(0.5, 0.3, 1), f.side) {
		return
	}
	var lower, upper [12]vec
	low, up := 0, 0
	for i, c := range o {
		q := f.at(c.u, c.z, c.w)
		if cabin == 0 || i <= cabin || i >= end {
			lower[low] = q
			low++
		}
		if i >= cabin && i <= end {
			upper[up] = q
			up++
		}
	}
	p.luma(p.shade(paint, f.side))
	p.polygon(lower[:low]...)
	if cabin > 0 {
		p.luma(p.shade(paint, f.side))
		p.polygon(upper[:up]...)
	}
}

// normal is that of the strip between two corners, outwards.
func (f *frame) normal(a, b outline) vec {
	n := f.ahead.times(float64((b.z - a.z) * f.m.height))
	n.z = float64((b.u - a.u) * f.m.length)
	return n.unit()
}

// stuff is the albedo of a material; glass mirrors the sky where it lies flat.
func (p *painter) stuff(s stuff, paint float64, n vec) float64 {
	switch s {
	case glass:
		return pane + float64(55*n.z*n.z)
	case trim:
		return lerp(32, paint, 0.35)
	}
	return paint
}

const pane = 34.0 // albedo of upright glass

// wheels draws all four, of which the body hides most.
func (p *painter) wheels(f *frame) {
	for _, u := range [2]float64{0.2, 0.8} {
		for _, w := range [2]float64{-1, 1} {
			a := f.at(u, 0, float64(w*0.93))
			a.z = f.tyre
			p.disc(p.shade(22, f.side.times(w)), a, f.ahead, f.tyre)
		}
	}
}

// flank puts windows, hubs and signs on the flank that is seen.
func (p *painter) flank(f *frame) {
	for _, u := range [2]float64{0.2, 0.8} {
		a := f.at(u, 0, 1.01)
		a.z = f.tyre
		p.disc(p.shade(18, f.side), a, f.ahead, f.tyre)
		p.disc(p.shade(95, f.side), a, f.ahead, float64(f.tyre*0.55))
	}
	body, extra := f.m.look.body, f.m.look.extra
	switch f.m.kind {
	case hatchback, estate:
		p.panel(f, pane, 0.25, 0.66, 0.415, 0.92, 0.495, 0.92, 0.495, 0.66)
		p.panel(f, pane, 0.515, 0.66, 0.515, 0.92, 0.84, 0.9, 0.92, 0.66)
	case saloon:
		p.panel(f, pane, 0.31, 0.72, 0.435, 0.92, 0.54, 0.92, 0.54, 0.72)
		p.panel(f, pane, 0.56, 0.72, 0.56, 0.92, 0.67, 0.92, 0.79, 0.72)
	case van:
		p.panel(f, pane, 0.2, 0.58, 0.23, 0.88, 0.32, 0.88, 0.32, 0.58)
	case bus:
		if f.m.look.decker {
			p.panes(f, 0.3, 0.52)
			p.panes(f, 0.66, 0.88)
		} else {
			p.panes(f, 0.42, 0.84)
		}
		p.panel(f, extra, 0, 0.2, 0, 0.25, 1, 0.25, 1, 0.2)
	case lorry:
		p.panel(f, pane, 0.05, 0.42, 0.08, 0.66, 0.17, 0.66, 0.17, 0.42)
		p.panel(f, body, 0.4, 0.5, 0.4, 0.78, 0.85, 0.72, 0.85, 0.56)
	}
}

// panes is a deck's row of windows.
func (p *painter) panes(f *frame, low, high float64) {
	for i := range 8 {
		u := 0.02 + float64(0.12*float64(i))
		p.panel(f, 30+float64(6*(i&1)), u, low, u, high, u+0.108, high, u+0.108, low)
	}
}

// panel fills a part of the flank with the corners u, z, …; cabins lean in.
func (p *painter) panel(f *frame, albedo float64, c ...float64) {
	var v [4]vec
	for i := range v {
		u, z := c[2*i], c[2*i+1]
		w := 1.0
		if f.m.kind < bus {
			w -= float64(0.5 * max(0, z-0.6))
		}
		v[i] = f.at(u, z, w)
	}
	p.luma(p.shade(albedo, f.side))
	p.polygon(v[:]...)
}

// ends draws lamps and plate on the end that is seen, and a lorry's doors.
func (p *painter) ends(f *frame) {
	m := f.m
	end, lamps, n := 0.0, 210.0, f.ahead
	if !p.facing(f.at(0, 0.3, 0), n) {
		end, lamps, n = 1, 75, n.times(-1)
		if m.braked {
			lamps = 160
		}
		if m.kind == lorry {
			p.plate(f, p.shade(float64(m.look.extra*0.7), n), end, 0.9, 3.4, -0.015, 0.015)
			p.plate(f, p.shade(float64(m.look.extra*0.7), n), end, 1.54, 1.6, -0.9, 0.9)
		}
	}
	if !p.facing(f.at(end, 0.3, 0), n) {
		return
	}
	for _, w := range [2]float64{-0.73, 0.73} {
		p.plate(f, p.shade(lamps, n), end, 0.62, 0.78, w-0.15, w+0.15)
	}
	p.plate(f, p.shade(185, n), end, 0.42, 0.54, -0.28, 0.28)
}

// plate fills an upright rectangle at one end, from z0 to z1 m above ground.
func (p *painter) plate(f *frame, luma, end, z0, z1, w0, w1 float64) {
	z0, z1 = z0/f.m.height, z1/f.m.height
	p.luma(luma)
	p.polygon(f.at(end, z0, w0), f.at(end, z1, w0), f.at(end, z1, w1), f.at(end, z0, w1))
}
