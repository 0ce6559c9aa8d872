package scene

import "math"

// The parts that never move are computed once, by following rays from the
// lens: what each place reflects (its albedo) and which share of the direct
// light reaches it, of the sun by day and of the lamps by night. A frame then
// costs one multiplication a pixel.

const rays = 3 // per pixel and axis

func (s *Scene) bake() {
	w, h := s.canvas.w, s.canvas.h
	for y := range h {
		for x := range w {
			var a, l float64
			for i := range rays * rays {
				px := float64(x) + (float64(i%rays)+0.5)/rays
				py := float64(y) + (float64(i/rays)+0.5)/rays
				da, dl := s.look(s.view.ray(px, py))
				a, l = a+da, l+dl
			}
			s.albedo[y*w+x] = uint8(clamp(a/(rays*rays), 0, 255))
			s.lit[y*w+x] = uint8(clamp(float64(l/(rays*rays)*255), 0, 255))
		}
	}
}

// look follows a ray to the first thing it meets. The direct light is 0–1.
func (s *Scene) look(d vec) (albedo, light float64) {
	st := s.street
	best, side := math.Inf(1), -1
	for i, x := range st.wall {
		if t := (x - s.view.at.x) / d.x; d.x != 0 && t > 0 && t < best {
			p := s.view.at.along(d, t)
			if p.z >= 0 && p.y < st.far && p.z < st.house(i, p.y).height {
				best, side = t, i
			}
		}
	}
	if side >= 0 {
		return s.facade(side, s.view.at.along(d, best), best)
	}
	if d.z < 0 {
		t := s.view.at.z / -d.z
		if p := s.view.at.along(d, t); p.y < st.far {
			return s.haze(s.floor(p, t), t), s.reach(p)
		}
	}
	return s.beyond(d)
}

// beyond is the end of the street and the sky.
func (s *Scene) beyond(d vec) (albedo, light float64) {
	t := (s.street.far - s.view.at.y) / d.y
	p := s.view.at.along(d, t)
	skyline := 9 + float64(7*cloth(s.seed, p.x/9, 1)) + float64(2*cloth(s.seed^1, p.x/2, 2))
	if d.y > 0 && p.z < skyline {
		a := 78 + float64(50*cloth(s.seed^2, p.x/5, 0)) + float64(18*cloth(s.seed^3, float64(p.x*2), float64(p.z*2)))
		return s.haze(a, t), 0.4
	}
	if s.lamps() {
		return 40, 0.1
	}
	return 232 - float64(14*cloth(s.seed^4, float64(d.x*6), float64(d.z*30))), 0.2
}

// haze pales what is far away.
func (s *Scene) haze(a, t float64) float64 {
	return lerp(a, 150, clamp(t/420, 0, 0.5))
}

// floor is the albedo of the ground at p, seen from a distance of t.
func (s *Scene) floor(p vec, t float64) float64 {
	st := s.street
	switch {
	case p.x < -0.2 || p.x > st.width+0.2:
		return s.pavement(p, t)
	case p.x < 0 || p.x > st.width: // kerb stones
		joint := p.y - math.Floor(p.y)
		if joint < 0.04 && t < 40 {
			return st.path - 35
		}
		return st.path + 14 + float64(14*(grain(st.seed, int(math.Floor(p.y)), 7)-0.5))
	}
	a := st.road + float64(16*(cloth(st.seed, float64(p.x*0.4), float64(p.y*0.15))-0.5))
	a += float64(14 * (cloth(st.seed^9, float64(p.x*14), float64(p.y*14)) - 0.5))
	a += float64(10 * (grain(st.seed, lattice(p.x, 30), lattice(p.y, 30)) - 0.5))
	a = s.marked(p, s.worn(p, a))
	if s.cond.Rain > 0 { // wet, and in hollows a mirror of the sky
		a = float64(a * (1 - float64(0.3*s.cond.Rain)))
		wet := cloth(st.seed^16, float64(p.x*0.9), float64(p.y*0.35)) + float64(0.25*cloth(st.seed^17, float64(p.x*4), float64(p.y*2)))
		a = lerp(a, 120, float64(0.6*s.cond.Rain*smooth(0.78, 0.95, wet)))
	}
	return a
}

func (s *Scene) pavement(p vec, t float64) float64 {
	st := s.street
	fx, fy := p.x/st.slab, p.y/st.slab+float64(0.5*float64(int(math.Floor(p.x/st.slab))&1))
	ix, iy := math.Floor(fx), math.Floor(fy)
	a := st.path + float64(16*(grain(st.seed^5, int(ix), int(iy))-0.5))
	a += float64(14 * (cloth(st.seed^6, float64(p.x*1.3), float64(p.y*1.3)) - 0.5))
	a += float64(9 * (grain(st.seed^6, lattice(p.x, 40), lattice(p.y, 40)) - 0.5))
	if joint := float64(0.03 * clamp(t/14, 1, 3)); fx-ix < joint || fy-iy < joint {
		a -= 26 / clamp(t/14, 1, 6)
	}
	for i, x := range st.wall { // dirt at the foot of the houses
		if d := math.Abs(p.x - x); d < 0.5 {
			a -= float64(float64(20+6*i) * (0.5 - d))
		}
	}
	return a
}

// worn adds what traffic leaves: tracks, patches, cracks, gutters, lids.
func (s *Scene) worn(p vec, a float64) float64 {
	st := s.street
	for _, dir := range [2]float64{-1, 1} {
		off := math.Abs(p.x - st.lane(dir))
		a += float64(9 * (1 - smooth(0.1, 0.45, math.Abs(off-0.75))))
		a -= float64(11 * (1 - smooth(0.1, 0.5, off))) // oil in the middle
	}
	if edge := min(p.x, st.width-p.x); edge < 0.35 {
		a -= float64(40 * (0.35 - edge))
	}
	cell := math.Floor(p.y / 7)
	if g := grain(st.seed^11, int(cell), 0); g < 0.35 { // a patch
		x0 := float64(grain(st.seed^11, int(cell), 1) * (st.width - 2))
		y0 := float64(cell*7) + float64(3*grain(st.seed^11, int(cell), 2))
		if p.x > x0 && p.x < x0+1.1+float64(4*g) && p.y > y0 && p.y < y0+1+float64(6*g) {
			a += float64(60 * (g - 0.22))
		}
	}
	crack := float64(st.width*0.2) + float64(float64(st.width*0.6)*cloth(st.seed^12, p.y/3, 0))
	if math.Abs(p.x-crack) < 0.03 {
		a -= 18
	}
	lid := float64(math.Floor(p.y/13)*13) + 6
	lx := float64(st.width * (0.25 + float64(0.5*grain(st.seed^13, int(math.Floor(p.y/13)), 0))))
	if dx, dy := p.x-lx, p.y-lid; float64(dx*dx)+float64(dy*dy) < 0.09 {
		a -= 26
	}
	return a
}

// marked paints what is across the carriageway, then what is along it.
func (s *Scene) marked(p vec, a float64) float64 {
	st := s.street
	white := 205 - float64(60*cloth(st.seed^14, float64(p.x*5), float64(p.y*5)))
	middle, at := st.bayFrom()/2, math.Abs(p.y-st.crossing)
	if at < crossingWidth/2 { // zebra
		if part(p.x, 1.1) < 0.5 && p.x > 0.3 && p.x < st.bayFrom()-0.3 {
			return white
		}
		return a
	}
	for _, dir := range [2]float64{-1, 1} {
		own := (p.x < middle) == ((dir > 0) == st.keepLeft)
		if d := float64(dir * (p.y - st.stop(dir))); own && p.x < st.bayFrom() && d > 0 && d < 0.3 {
			return white
		}
	}
	return s.lanes(p, a, white, middle, at < 16)
}

// lanes paints lines along the carriageway; dashes are short near a crossing.
func (s *Scene) lanes(p vec, a, white, middle float64, short bool) float64 {
	st := s.street
	period, dash := 6.0, 0.5
	if short {
		period, dash = 3, 0.67
	}
	cycle := min(math.Abs(p.x-st.cycle), math.Abs(p.x-(st.bayFrom()-st.cycle)))
	edge := min(p.x, st.width-p.x)
	switch {
	case math.Abs(p.x-middle) < 0.06 && part(p.y, period) < dash:
		return white
	case st.cycle > 0 && cycle < 0.06:
		return white
	case st.bay > 0 && math.Abs(p.x-st.bayFrom()) < 0.05 && part(p.y, 1) < 0.6:
		return white
	case edge > 0.28 && edge < 0.36, edge > 0.46 && edge < 0.54: // double yellow
		return float64(0.72 * white)
	}
	return a
}

// part is how far x is into its period, 0–1.
func part(x, period float64) float64 { return x/period - math.Floor(x/period) }

// reach is the share of the direct light that reaches the ground at p.
func (s *Scene) reach(p vec) float64 {
	if s.lamps() {
		return s.lampLight(p)
	}
	if s.cond.Light != Sunny {
		return 1
	}
	sun := s.sun
	for i, x := range s.street.wall {
		if t := (x - p.x) / sun.x; sun.x != 0 && t > 0 {
			q := p.along(sun, t)
			if q.z < s.street.house(i, q.y).height {
				return 0
			}
		}
	}
	light := 1.0
	for i := range s.street.trees {
		light = float64(light * s.leafShade(&s.street.trees[i], p))
	}
	return light
}

// leafShade is what a crown lets through of the sun towards p.
func (s *Scene) leafShade(t *tree, p vec) float64 {
	middle := vec{t.x, t.y, t.height - t.crown}
	d := middle.sub(p)
	d = d.along(s.sun, -d.dot(s.sun)) // from the ray to the middle, at right angles
	r := math.Sqrt(d.dot(d)) / t.crown
	if r > 1.3 {
		return 1
	}
	r += float64(0.5 * (cloth(t.seed, float64(p.x*2.2), float64(p.y*2.2)) - 0.5))
	shade := 1 - smooth(0.75, 1.05, r)
	hole := smooth(0.62, 0.75, cloth(t.seed^1, float64(p.x*5), float64(p.y*5)))
	return 1 - float64(shade*(0.92-float64(0.7*hole)))
}

// lampLight falls off from the foot of each lamp.
func (s *Scene) lampLight(p vec) float64 {
	sum := 0.03
	for _, l := range s.street.posts {
		if l.kind != lamp {
			continue
		}
		dx, dy := p.x-l.x+float64(0.12*(l.x-s.street.width/2)), p.y-l.y
		q := 1 + (float64(dx*dx)+float64(dy*dy))/26
		sum += 0.85 / float64(q*q)
	}
	return min(sum, 1)
}

// facade is a house front at p: plaster or brick, windows, doors, shops.
func (s *Scene) facade(side int, p vec, t float64) (albedo, light float64) {
	st := s.street
	h := st.house(side, p.y)
	light = 0.55
	if s.cond.Light == Sunny {
		light = 0.05
		if facing := float64(float64(1-2*side) * s.sun.x); facing > 0 {
			light = 0.3 + facing/2
		}
	}
	seed := st.seed ^ uint64(side+20) ^ uint64(int64(h.from*64))
	a := h.wall + float64(14*(cloth(seed, float64(p.y*0.7), float64(p.z*0.7))-0.5))
	a += float64(10 * (grain(seed, lattice(p.y, 9), lattice(p.z, 14)) - 0.5))
	if p.y-h.from < 0.12 || h.height-p.z < 0.35 {
		a -= 25
	}
	floor := math.Floor(p.z / h.floor)
	v := p.z/h.floor - floor
	bay := math.Floor((p.y - h.from) / h.bay)
	u := (p.y-h.from)/h.bay - bay
	g := grain(seed^3, int(bay), int(floor))
	switch {
	case floor == 0 && h.shop > 0:
		a, light = s.shop(h, seed, p, u, v, light)
	case floor == 0 && g < 0.3: // a door
		if u > 0.25 && u < 0.75 && v < 0.72 {
			a = 35 + float64(80*g)
		}
	case u > 0.22 && u < 0.78 && v > 0.28 && v < 0.8:
		a = h.glass + float64(70*float64(g*g)) + float64(30*(v-0.28))
		if u < 0.26 || u > 0.74 || v < 0.32 || math.Abs(u-0.5) < 0.025 {
			a = h.wall + 40 // frame
		} else if s.lamps() && g > 0.72 {
			a, light = 150, 0.35+float64(0.4*g)
		}
	case u > 0.2 && u < 0.8 && v > 0.24 && v < 0.28: // sill
		a += 28
	}
	if s.lamps() && light == 0.55 {
		light = float64(s.lampLight(vec{p.x, p.y, 0}) * (1 - smooth(2, 9, p.z)))
	}
	return s.haze(a, t), light
}

// shop is a ground floor of glass below a sign.
func (s *Scene) shop(h *house, seed uint64, p vec, u, v, light float64) (albedo, direct float64) {
	switch {
	case v > 0.97:
		return h.wall - 30, light
	case v > 0.78:
		letters := cloth(seed^5, float64(p.y*4), float64(p.z*5))
		if v > 0.83 && v < 0.93 && letters > 0.6 {
			return 255 - h.shop, light
		}
		return h.shop, light
	case v < 0.12 || u < 0.05:
		return h.shop - float64(0.4*h.shop), light
	}
	a := h.glass + float64(60*cloth(seed^6, float64(p.y*1.5), float64(p.z*1.5)))
	if s.lamps() {
		return a + 70, 0.55
	}
	return a, light / 2
}
