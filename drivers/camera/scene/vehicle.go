package scene

// A vehicle is a side view drawn out across its width: each part of the
// outline, front to rear over the top, becomes a strip of paint or glass.

// profilePoint is a corner of the side view, with the material of the strip to
// the next corner.
type profilePoint struct {
	along    float64 // from the front, share of the length
	height   float64 // above the ground, share of the height
	width    float64 // share of the width
	material material
}

// material is the surface of a strip.
type material uint8

const (
	bodywork material = iota
	glass
	trim // bumpers and grilles
)

var (
	hatchbackProfile = []profilePoint{
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
	saloonProfile = []profilePoint{
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
	vanProfile = []profilePoint{
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
	busProfile = []profilePoint{
		{0, 0.1, 1, bodywork},
		{0, 0.34, 1, glass},
		{0.015, 0.86, 0.98, bodywork},
		{0.03, 1, 0.94, bodywork},
		{1, 1, 0.94, bodywork},
		{1, 0.8, 0.96, glass},
		{1, 0.52, 0.98, bodywork},
		{1, 0.1, 1, trim},
	}
	cabProfile = []profilePoint{
		{0, 0.12, 1, trim},
		{0, 0.36, 1, glass},
		{0.02, 0.66, 0.96, bodywork},
		{0.07, 0.74, 0.9, bodywork},
		{0.22, 0.74, 0.9, bodywork},
		{0.24, 0.15, 1, trim},
	}
	loadProfile = []profilePoint{
		{0.25, 0.24, 1, bodywork},
		{0.25, 1, 1, bodywork},
		{1, 1, 1, bodywork},
		{1, 0.24, 1, trim},
	}
)

// vehicleFrame is a vehicle's local coordinate frame.
type vehicleFrame struct {
	m           *mover
	ahead, side vec3    // unit; side is out of the flank that is turned to the lens
	tyreRadius  float64 // radius, m
}

// newVehicleFrame returns the frame of m, with side on the flank towards the
// camera.
func (p *painter) newVehicleFrame(m *mover) vehicleFrame {
	f := vehicleFrame{m, vec3{0, m.dir, 0}, vec3{1, 0, 0}, 0.32}
	if p.view.eye.x < m.x {
		f.side.x = -1
	}
	if m.kind >= bus {
		f.tyreRadius = 0.48
	}
	return f
}

// pointAt returns a place on the vehicle: u from front 0 to rear 1, z from the
// ground 0 to the top 1, w from the far flank -1 to the near one 1.
func (f *vehicleFrame) pointAt(u, z, w float64) vec3 {
	p := vec3{f.m.x, f.m.y, float64(z * f.m.height)}
	return p.addScaled(f.ahead, float64(f.m.length*(0.5-u))).addScaled(f.side, float64(w*f.m.width/2))
}

// drawVehicle draws a vehicle with four wheels or more.
func (p *painter) drawVehicle(m *mover) {
	f := p.newVehicleFrame(m)
	p.grow, p.gradient = 0.3, 0.22
	if !p.shadowPass {
		p.drawWheels(&f)
	}
	switch m.kind {
	case hatchback, estate:
		p.extrudeProfile(&f, hatchbackProfile, 3, 7, m.look.body)
	case saloon:
		p.extrudeProfile(&f, saloonProfile, 3, 7, m.look.body)
	case van:
		p.extrudeProfile(&f, vanProfile, 0, 0, m.look.body)
	case bus:
		p.extrudeProfile(&f, busProfile, 0, 0, m.look.body)
	case lorry:
		if m.dir > 0 { // the far part first
			p.extrudeProfile(&f, cabProfile, 0, 0, m.look.body)
		}
		p.extrudeProfile(&f, loadProfile, 0, 0, m.look.extra)
		if m.dir < 0 {
			p.extrudeProfile(&f, cabProfile, 0, 0, m.look.body)
		}
	}
	if !p.shadowPass {
		if p.isFacing(f.pointAt(0.5, 0.3, 1), f.side) {
			p.drawFlank(&f)
		}
		p.drawEnds(&f)
	}
	p.grow, p.gradient = 0, 0
}

// extrudeProfile draws the strips, far ones first, then the flank: as one
// polygon, or, where cabin is not 0, the lower body and the cabin apart
// (corners cabin to end of the profile), because both together are not convex.
func (p *painter) extrudeProfile(f *vehicleFrame, o []profilePoint, cabin, end int, paint float64) {
	from, to, step := 0, len(o)-1, 1
	if f.m.dir < 0 { // the rear is far
		from, to, step = len(o)-2, -1, -1
	}
	for i := from; i != to; i += step {
		a, b := o[i], o[i+1]
		n := f.stripNormal(a, b)
		p.drawFace(p.materialAlbedo(a.material, paint, n), n, f.pointAt(a.along, a.height, -a.width), f.pointAt(a.along, a.height, a.width), f.pointAt(b.along, b.height, b.width), f.pointAt(b.along, b.height, -b.width))
	}
	if !p.isFacing(f.pointAt(0.5, 0.3, 1), f.side) {
		return
	}
	var lower, upper [12]vec3
	low, up := 0, 0
	for i, c := range o {
		q := f.pointAt(c.along, c.height, c.width)
		if cabin == 0 || i <= cabin || i >= end {
			lower[low] = q
			low++
		}
		if i >= cabin && i <= end {
			upper[up] = q
			up++
		}
	}
	p.setLuma(p.shadeFlat(paint, f.side))
	p.fillPolygon(lower[:low]...)
	if cabin > 0 {
		p.setLuma(p.shadeFlat(paint, f.side))
		p.fillPolygon(upper[:up]...)
	}
}

// stripNormal returns the outward normal of the strip between two corners.
func (f *vehicleFrame) stripNormal(a, b profilePoint) vec3 {
	n := f.ahead.times(float64((b.height - a.height) * f.m.height))
	n.z = float64((b.along - a.along) * f.m.length)
	return n.normalized()
}

// materialAlbedo returns the albedo of a material; glass mirrors the sky where
// it lies flat.
func (p *painter) materialAlbedo(s material, paint float64, n vec3) float64 {
	switch s {
	case glass:
		return uprightGlass + float64(55*n.z*n.z)
	case trim:
		return lerp(32, paint, 0.35)
	}
	return paint
}

const uprightGlass = 34.0 // albedo of upright glass

// drawWheels draws all four wheels; the body hides most of them.
func (p *painter) drawWheels(f *vehicleFrame) {
	for _, u := range [2]float64{0.2, 0.8} {
		for _, w := range [2]float64{-1, 1} {
			a := f.pointAt(u, 0, float64(w*0.93))
			a.z = f.tyreRadius
			p.fillDisc(p.shadeFlat(22, f.side.times(w)), a, f.ahead, f.tyreRadius)
		}
	}
}

// drawFlank draws windows, wheels and lettering on the visible flank.
func (p *painter) drawFlank(f *vehicleFrame) {
	for _, u := range [2]float64{0.2, 0.8} {
		a := f.pointAt(u, 0, 1.01)
		a.z = f.tyreRadius
		p.fillDisc(p.shadeFlat(18, f.side), a, f.ahead, f.tyreRadius)
		p.fillDisc(p.shadeFlat(95, f.side), a, f.ahead, float64(f.tyreRadius*0.55))
	}
	body, extra := f.m.look.body, f.m.look.extra
	switch f.m.kind {
	case hatchback, estate:
		p.fillPanel(f, uprightGlass, 0.25, 0.66, 0.415, 0.92, 0.495, 0.92, 0.495, 0.66)
		p.fillPanel(f, uprightGlass, 0.515, 0.66, 0.515, 0.92, 0.84, 0.9, 0.92, 0.66)
	case saloon:
		p.fillPanel(f, uprightGlass, 0.31, 0.72, 0.435, 0.92, 0.54, 0.92, 0.54, 0.72)
		p.fillPanel(f, uprightGlass, 0.56, 0.72, 0.56, 0.92, 0.67, 0.92, 0.79, 0.72)
	case van:
		p.fillPanel(f, uprightGlass, 0.2, 0.58, 0.23, 0.88, 0.32, 0.88, 0.32, 0.58)
	case bus:
		if f.m.look.decker {
			p.drawWindowRow(f, 0.3, 0.52)
			p.drawWindowRow(f, 0.66, 0.88)
		} else {
			p.drawWindowRow(f, 0.42, 0.84)
		}
		p.fillPanel(f, extra, 0, 0.2, 0, 0.25, 1, 0.25, 1, 0.2)
	case lorry:
		p.fillPanel(f, uprightGlass, 0.05, 0.42, 0.08, 0.66, 0.17, 0.66, 0.17, 0.42)
		p.fillPanel(f, body, 0.4, 0.5, 0.4, 0.78, 0.85, 0.72, 0.85, 0.56)
	}
}

// drawWindowRow draws the eight windows of a bus deck, from height low to high.
func (p *painter) drawWindowRow(f *vehicleFrame, low, high float64) {
	for i := range 8 {
		u := 0.02 + float64(0.12*float64(i))
		p.fillPanel(f, 30+float64(6*(i&1)), u, low, u, high, u+0.108, high, u+0.108, low)
	}
}

// fillPanel fills a part of the flank with the four corners u, z, …; cabins
// lean inwards.
func (p *painter) fillPanel(f *vehicleFrame, albedo float64, c ...float64) {
	var v [4]vec3
	for i := range v {
		u, z := c[2*i], c[2*i+1]
		w := 1.0
		if f.m.kind < bus {
			w -= float64(0.5 * max(0, z-0.6))
		}
		v[i] = f.pointAt(u, z, w)
	}
	p.setLuma(p.shadeFlat(albedo, f.side))
	p.fillPolygon(v[:]...)
}

// drawEnds draws lamps and number plate on the visible end, and a lorry's
// doors.
func (p *painter) drawEnds(f *vehicleFrame) {
	m := f.m
	end, lamps, n := 0.0, 210.0, f.ahead
	if !p.isFacing(f.pointAt(0, 0.3, 0), n) {
		end, lamps, n = 1, 75, n.times(-1)
		if m.braking {
			lamps = 160
		}
		if m.kind == lorry {
			p.fillPlate(f, p.shadeFlat(float64(m.look.extra*0.7), n), end, 0.9, 3.4, -0.015, 0.015)
			p.fillPlate(f, p.shadeFlat(float64(m.look.extra*0.7), n), end, 1.54, 1.6, -0.9, 0.9)
		}
	}
	if !p.isFacing(f.pointAt(end, 0.3, 0), n) {
		return
	}
	for _, w := range [2]float64{-0.73, 0.73} {
		p.fillPlate(f, p.shadeFlat(lamps, n), end, 0.62, 0.78, w-0.15, w+0.15)
	}
	p.fillPlate(f, p.shadeFlat(185, n), end, 0.42, 0.54, -0.28, 0.28)
}

// fillPlate fills an upright rectangle at one end, from z0 to z1 metres above
// the ground.
func (p *painter) fillPlate(f *vehicleFrame, luma, end, z0, z1, w0, w1 float64) {
	z0, z1 = z0/f.m.height, z1/f.m.height
	p.setLuma(luma)
	p.fillPolygon(f.pointAt(end, z0, w0), f.pointAt(end, z1, w0), f.pointAt(end, z1, w1), f.pointAt(end, z0, w1))
}
