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
	ahead, side vec // unit; side is to the right as the street sees it
}

func (f *frame) at(u, z, w float64) vec {
	along := float64(f.m.length * (0.5 - u))
	out := float64(w * f.m.width / 2)
	p := vec{f.m.x, f.m.y, float64(z * f.m.height)}
	return p.along(f.ahead, along).along(f.side, out)
}

// vehicle draws anything on four wheels or more.
func (p *painter) vehicle(m *mover) {
	f := frame{m, vec{0, m.dir, 0}, vec{1, 0, 0}}
	p.grow, p.fade = 0.3, 0.22
	near := 1.0 // the side that is seen
	if p.view.at.x < m.x {
		near = -1
	}
	p.wheels(&f, near, 0.2, 0.8)
	paint := m.look.body
	switch m.kind {
	case hatchback, estate:
		p.extrude(&f, hatchbackOutline, 3, 7, near, paint)
	case saloon:
		p.extrude(&f, saloonOutline, 3, 7, near, paint)
	case van:
		p.extrude(&f, vanOutline, 0, 0, near, paint)
		p.sidePane(&f, near, 0.2, 0.32, 0.58, 0.88, 0.95)
	case bus:
		p.extrude(&f, busOutline, 0, 0, near, paint)
		p.busSide(&f, near)
	case lorry:
		// The far part first.
		if m.dir < 0 {
			p.extrude(&f, loadOutline, 0, 0, near, m.look.extra)
			p.extrude(&f, cabOutline, 0, 0, near, paint)
		} else {
			p.extrude(&f, cabOutline, 0, 0, near, paint)
			p.extrude(&f, loadOutline, 0, 0, near, m.look.extra)
		}
		p.sidePane(&f, near, 0.05, 0.17, 0.42, 0.66, 0.96)
		p.livery(&f, near)
	}
	if !p.onto {
		p.details(&f)
	}
	p.grow, p.fade = 0, 0
}

// extrude draws the strips, far ones first, then the side that is seen: whole,
// or where cabin is not 0 the lower body, and from corner cabin to corner end
// the cabin with its windows.
func (p *painter) extrude(f *frame, o []outline, cabin, end int, near, paint float64) {
	from, to, step := 0, len(o)-1, 1
	if f.m.dir < 0 { // the rear is far
		from, to, step = len(o)-2, -1, -1
	}
	for i := from; i != to; i += step {
		a, b := o[i], o[i+1]
		l0, r0 := f.at(a.u, a.z, -a.w), f.at(a.u, a.z, a.w)
		l1, r1 := f.at(b.u, b.z, -b.w), f.at(b.u, b.z, b.w)
		n := f.normal(a, b)
		p.face(p.stuff(a.strip, paint, n), n, l0, r0, r1, l1)
	}
	n := f.side.times(near)
	if !p.onto && !p.facing(f.at(0.5, 0.3, near), n) {
		return
	}
	p.luma(p.shade(paint, n))
	var lower [12]vec
	k := 0
	for i, c := range o {
		if (cabin == 0 || i <= cabin || i >= end) && k < len(lower) {
			lower[k] = f.at(c.u, c.z, float64(near*c.w))
			k++
		}
	}
	p.polygon(lower[:k]...)
	if cabin > 0 {
		p.cabin(f, o[cabin:end+1], near, paint, n)
	}
}

// cabin is the upper part of a car's side: pillars around two panes.
func (p *painter) cabin(f *frame, o []outline, near, paint float64, n vec) {
	var side [8]vec
	k := 0
	for _, c := range o {
		if k < len(side) {
			side[k] = f.at(c.u, c.z, float64(near*c.w))
			k++
		}
	}
	p.luma(p.shade(paint, n))
	p.polygon(side[:k]...)
	if p.onto {
		return
	}
	first, last := o[0], o[len(o)-1]
	top, back := o[1], o[len(o)-2]
	p.luma(p.shade(p.stuff(glass, paint, n), n))
	middle := (top.u + back.u) / 2
	base := max(first.z, last.z) + 0.03
	roof := min(top.z, back.z) - 0.05
	p.polygon(f.at(first.u+0.05, base, near), f.at(top.u+0.015, roof, float64(near*0.82)),
		f.at(middle-0.01, roof, float64(near*0.82)), f.at(middle-0.01, base, near))
	p.polygon(f.at(middle+0.01, base, near), f.at(middle+0.01, roof, float64(near*0.82)),
		f.at(back.u-0.01, roof, float64(near*0.82)), f.at(last.u-0.05, base, near))
}

// normal is that of the strip between two corners, outwards.
func (f *frame) normal(a, b outline) vec {
	du := float64((a.u - b.u) * f.m.length) // ahead
	dz := float64((b.z - a.z) * f.m.height)
	n := f.ahead.times(dz)
	n.z = -du
	return n.unit()
}

// stuff is the albedo of a material; glass mirrors the sky where it lies flat.
func (p *painter) stuff(s stuff, paint float64, n vec) float64 {
	switch s {
	case glass:
		return 34 + float64(55*float64(n.z*n.z))
	case trim:
		return lerp(32, paint, 0.35)
	}
	return paint
}

func (p *painter) sidePane(f *frame, near, u0, u1, z0, z1, w float64) {
	n := f.side.times(near)
	if p.onto || !p.facing(f.at(0.5, z0, near), n) {
		return
	}
	p.luma(p.shade(34, n))
	p.polygon(f.at(u0, z0, near), f.at(u0+0.03, z1, float64(near*w)), f.at(u1, z1, float64(near*w)), f.at(u1, z0, near))
}

// busSide has a row of panes on each deck, doors and a stripe.
func (p *painter) busSide(f *frame, near float64) {
	n := f.side.times(near)
	if p.onto || !p.facing(f.at(0.5, 0.5, near), n) {
		return
	}
	decks := [][2]float64{{0.42, 0.84}}
	if f.m.look.decker {
		decks = [][2]float64{{0.3, 0.52}, {0.66, 0.88}}
	}
	for _, d := range decks {
		for i := range 8 {
			u := 0.02 + float64(0.12*float64(i))
			p.luma(p.shade(30+float64(6*float64(i&1)), n))
			p.polygon(f.at(u, d[0], near), f.at(u, d[1], near), f.at(u+0.108, d[1], near), f.at(u+0.108, d[0], near))
		}
	}
	p.luma(p.shade(f.m.look.extra, n))
	p.polygon(f.at(0, 0.2, near), f.at(0, 0.25, near), f.at(1, 0.25, near), f.at(1, 0.2, near))
}

// livery is a sign on a lorry's side and the doors at its rear.
func (p *painter) livery(f *frame, near float64) {
	if p.onto {
		return
	}
	n := f.side.times(near)
	if p.facing(f.at(0.5, 0.5, near), n) {
		p.luma(p.shade(f.m.look.body, n))
		p.polygon(f.at(0.4, 0.5, near), f.at(0.4, 0.78, near), f.at(0.85, 0.72, near), f.at(0.85, 0.56, near))
	}
	n = f.ahead.times(-1)
	if p.facing(f.at(1, 0.5, 0), n) {
		p.luma(p.shade(float64(f.m.look.extra*0.7), n))
		p.polygon(f.at(1, 0.26, -0.015), f.at(1, 0.97, -0.015), f.at(1, 0.97, 0.015), f.at(1, 0.26, 0.015))
		p.polygon(f.at(1, 0.44, -0.9), f.at(1, 0.455, -0.9), f.at(1, 0.455, 0.9), f.at(1, 0.44, 0.9))
	}
}

// wheels draws the axles on the side that is seen, and the dark below.
func (p *painter) wheels(f *frame, near, front, rear float64) {
	if p.onto {
		return
	}
	r := 0.32
	if f.m.class == builds[bus].class {
		r = 0.48
	}
	for _, u := range [2]float64{front, rear} {
		for _, w := range [2]float64{-near, near} {
			a := f.at(u, 0, float64(w*0.93))
			a.z = r
			p.disc(p.shade(22, f.side.times(w)), a, f.ahead, r)
		}
	}
}

// details are lamps, plates and hubs: what makes a box a car.
func (p *painter) details(f *frame) {
	m := f.m
	near := 1.0
	if p.view.at.x < m.x {
		near = -1
	}
	r := 0.32
	if m.class == builds[bus].class {
		r = 0.48
	}
	n := f.side.times(near)
	if p.facing(f.at(0.5, 0.2, near), n) {
		for _, u := range [2]float64{0.2, 0.8} {
			a := f.at(u, 0, float64(near*1.01))
			a.z = r
			p.disc(p.shade(18, n), a, f.ahead, r)
			p.disc(p.shade(95, n), a, f.ahead, float64(r*0.55))
		}
	}
	end, lampAlbedo := 0.0, 210.0 // the end that is seen
	n = f.ahead
	if !p.facing(f.at(0, 0.3, 0), n) {
		end, lampAlbedo, n = 1, 75, n.times(-1)
		if m.braked {
			lampAlbedo = 160
		}
	}
	if !p.facing(f.at(end, 0.3, 0), n) {
		return
	}
	z0, z1 := 0.62/m.height, 0.78/m.height
	p.luma(p.shade(lampAlbedo, n))
	for _, w := range [2]float64{-1, 1} {
		p.polygon(f.at(end, z0, float64(w*0.88)), f.at(end, z1, float64(w*0.88)), f.at(end, z1, float64(w*0.58)), f.at(end, z0, float64(w*0.58)))
	}
	p.luma(p.shade(185, n))
	z0, z1 = 0.42/m.height, 0.54/m.height
	p.polygon(f.at(end, z0, -0.28), f.at(end, z1, -0.28), f.at(end, z1, 0.28), f.at(end, z0, 0.28))
}
