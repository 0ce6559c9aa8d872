package scene

import "math"

// The static parts are ray-cast once: the albedo of each place (the share of
// light that it reflects, 0–255), and the share of the direct light that
// reaches it, of the sun by day and of the lamps by night. A frame then costs
// one multiplication a pixel. Albedos, sizes of stones, cracks and windows, and
// the weights of the noise textures were chosen by hand.

const raysPerAxis = 3 // rays per pixel and axis

// bakeStatic ray-casts every pixel of the canvas with raysPerAxis² rays, and
// stores the mean albedo and direct light.
func (s *Scene) bakeStatic() {
	w, h := s.canvas.w, s.canvas.h
	for y := range h {
		for x := range w {
			var a, l float64
			for i := range raysPerAxis * raysPerAxis {
				px := float64(x) + (float64(i%raysPerAxis)+0.5)/raysPerAxis
				py := float64(y) + (float64(i/raysPerAxis)+0.5)/raysPerAxis
				da, dl := s.castRay(s.view.rayThrough(px, py))
				a, l = a+da, l+dl
			}
			s.albedo[y*w+x] = uint8(clamp(a/(raysPerAxis*raysPerAxis), 0, 255))
			s.staticLight[y*w+x] = uint8(clamp(float64(l/(raysPerAxis*raysPerAxis)*255), 0, 255))
		}
	}
}

// castRay returns the albedo (0–255) and the direct light (0–1) of the first
// surface that a ray from the lens in direction d meets: a house front, the
// ground, or the backdrop.
func (s *Scene) castRay(d vec3) (albedo, light float64) {
	st := s.street
	best, side := math.Inf(1), -1
	for i, x := range st.wallX {
		if t := (x - s.view.eye.x) / d.x; d.x != 0 && t > 0 && t < best {
			p := s.view.eye.addScaled(d, t)
			if p.z >= 0 && p.y < st.farY && p.z < st.houseAt(i, p.y).height {
				best, side = t, i
			}
		}
	}
	if side >= 0 {
		return s.shadeFacade(side, s.view.eye.addScaled(d, best), best)
	}
	if d.z < 0 {
		t := s.view.eye.z / -d.z
		if p := s.view.eye.addScaled(d, t); p.y < st.farY {
			return s.applyHaze(s.groundAlbedo(p, t), t), s.sunOrLampLight(p)
		}
	}
	return s.shadeBackdrop(d)
}

// shadeBackdrop returns the end of the street (a skyline of value noise) or the
// sky above it.
func (s *Scene) shadeBackdrop(d vec3) (albedo, light float64) {
	t := (s.street.farY - s.view.eye.y) / d.y
	p := s.view.eye.addScaled(d, t)
	skyline := 9 + float64(7*valueNoise(s.seed, p.x/9, 1)) + float64(2*valueNoise(s.seed^1, p.x/2, 2))
	if d.y > 0 && p.z < skyline {
		a := 78 + float64(50*valueNoise(s.seed^2, p.x/5, 0)) + float64(18*valueNoise(s.seed^3, float64(p.x*2), float64(p.z*2)))
		return s.applyHaze(a, t), 0.4
	}
	if s.lampsOn() {
		return 40, 0.1
	}
	return 232 - float64(14*valueNoise(s.seed^4, float64(d.x*6), float64(d.z*30))), 0.2
}

const (
	hazeAlbedo = 150 // of the haze
	hazeLength = 420 // m, at which it would cover everything; it stops at half
)

// applyHaze mixes albedo a at distance t (m) with pale grey: aerial
// perspective.
func (s *Scene) applyHaze(a, t float64) float64 {
	return lerp(a, hazeAlbedo, clamp(t/hazeLength, 0, 0.5))
}

// groundAlbedo returns the albedo of the ground at p, seen from t metres away.
func (s *Scene) groundAlbedo(p vec3, t float64) float64 {
	st := s.street
	switch {
	case p.x < -0.2 || p.x > st.width+0.2:
		return s.pavementAlbedo(p, t)
	case p.x < 0 || p.x > st.width: // kerb stones
		joint := p.y - math.Floor(p.y)
		if joint < 0.04 && t < 40 {
			return st.pathAlbedo - 35
		}
		return st.pathAlbedo + 14 + float64(14*(latticeNoise(st.seed, int(math.Floor(p.y)), 7)-0.5))
	}
	a := st.roadAlbedo + float64(16*(valueNoise(st.seed, float64(p.x*0.4), float64(p.y*0.15))-0.5))
	a += float64(14 * (valueNoise(st.seed^9, float64(p.x*14), float64(p.y*14)) - 0.5))
	a += float64(10 * (latticeNoise(st.seed, latticeCell(p.x, 30), latticeCell(p.y, 30)) - 0.5))
	a = s.addMarkings(p, s.addWear(p, a))
	if s.cond.Rain > 0 { // wet, and in hollows a mirror of the sky
		a = float64(a * (1 - float64(0.3*s.cond.Rain)))
		wet := valueNoise(st.seed^16, float64(p.x*0.9), float64(p.y*0.35)) + float64(0.25*valueNoise(st.seed^17, float64(p.x*4), float64(p.y*2)))
		a = lerp(a, 120, float64(0.6*s.cond.Rain*smoothstep(0.78, 0.95, wet)))
	}
	return a
}

// pavementAlbedo returns the albedo of paving slabs in running bond, with
// joints that widen with the distance t so that they do not alias.
func (s *Scene) pavementAlbedo(p vec3, t float64) float64 {
	st := s.street
	fx, fy := p.x/st.slabSize, p.y/st.slabSize+float64(0.5*float64(int(math.Floor(p.x/st.slabSize))&1))
	ix, iy := math.Floor(fx), math.Floor(fy)
	a := st.pathAlbedo + float64(16*(latticeNoise(st.seed^5, int(ix), int(iy))-0.5))
	a += float64(14 * (valueNoise(st.seed^6, float64(p.x*1.3), float64(p.y*1.3)) - 0.5))
	a += float64(9 * (latticeNoise(st.seed^6, latticeCell(p.x, 40), latticeCell(p.y, 40)) - 0.5))
	if joint := float64(0.03 * clamp(t/14, 1, 3)); fx-ix < joint || fy-iy < joint {
		a -= 26 / clamp(t/14, 1, 6)
	}
	for i, x := range st.wallX { // dirt at the foot of the houses
		if d := math.Abs(p.x - x); d < 0.5 {
			a -= float64(float64(20+6*i) * (0.5 - d))
		}
	}
	return a
}

// addWear adds the marks of traffic to carriageway albedo a: wheel tracks, oil,
// gutters, patches, cracks and manhole lids.
func (s *Scene) addWear(p vec3, a float64) float64 {
	st := s.street
	for _, dir := range [2]float64{-1, 1} {
		off := math.Abs(p.x - st.laneX(dir))
		a += float64(9 * (1 - smoothstep(0.1, 0.45, math.Abs(off-0.75))))
		a -= float64(11 * (1 - smoothstep(0.1, 0.5, off))) // oil in the middle
	}
	if edge := min(p.x, st.width-p.x); edge < 0.35 {
		a -= float64(40 * (0.35 - edge))
	}
	cell := math.Floor(p.y / 7)
	if g := latticeNoise(st.seed^11, int(cell), 0); g < 0.35 { // a patch
		x0 := float64(latticeNoise(st.seed^11, int(cell), 1) * (st.width - 2))
		y0 := float64(cell*7) + float64(3*latticeNoise(st.seed^11, int(cell), 2))
		if p.x > x0 && p.x < x0+1.1+float64(4*g) && p.y > y0 && p.y < y0+1+float64(6*g) {
			a += float64(60 * (g - 0.22))
		}
	}
	crack := float64(st.width*0.2) + float64(float64(st.width*0.6)*valueNoise(st.seed^12, p.y/3, 0))
	if math.Abs(p.x-crack) < 0.03 {
		a -= 18
	}
	lid := float64(math.Floor(p.y/13)*13) + 6
	lx := float64(st.width * (0.25 + float64(0.5*latticeNoise(st.seed^13, int(math.Floor(p.y/13)), 0))))
	if dx, dy := p.x-lx, p.y-lid; float64(dx*dx)+float64(dy*dy) < 0.09 {
		a -= 26
	}
	return a
}

// addMarkings replaces carriageway albedo a by that of paint where p lies on
// the zebra crossing, a stop line or a lane marking.
func (s *Scene) addMarkings(p vec3, a float64) float64 {
	st := s.street
	white := 205 - float64(60*valueNoise(st.seed^14, float64(p.x*5), float64(p.y*5)))
	middle, at := st.bayLeftX()/2, math.Abs(p.y-st.crossingY)
	if at < crossingWidth/2 { // zebra
		if periodPhase(p.x, 1.1) < 0.5 && p.x > 0.3 && p.x < st.bayLeftX()-0.3 {
			return white
		}
		return a
	}
	for _, dir := range [2]float64{-1, 1} {
		own := (p.x < middle) == ((dir > 0) == st.keepLeft)
		if d := float64(dir * (p.y - st.stopLineY(dir))); own && p.x < st.bayLeftX() && d > 0 && d < 0.3 {
			return white
		}
	}
	return s.addLaneMarkings(p, a, white, middle, at < 16)
}

// addLaneMarkings paints the lines along the carriageway; short selects the
// shorter dashes near a crossing.
func (s *Scene) addLaneMarkings(p vec3, a, white, middle float64, short bool) float64 {
	st := s.street
	period, dash := 6.0, 0.5
	if short {
		period, dash = 3, 0.67
	}
	cycle := min(math.Abs(p.x-st.cycleWidth), math.Abs(p.x-(st.bayLeftX()-st.cycleWidth)))
	edge := min(p.x, st.width-p.x)
	switch {
	case math.Abs(p.x-middle) < 0.06 && periodPhase(p.y, period) < dash:
		return white
	case st.cycleWidth > 0 && cycle < 0.06:
		return white
	case st.bayWidth > 0 && math.Abs(p.x-st.bayLeftX()) < 0.05 && periodPhase(p.y, 1) < 0.6:
		return white
	case edge > 0.28 && edge < 0.36, edge > 0.46 && edge < 0.54: // double yellow
		return float64(0.72 * white)
	}
	return a
}

// periodPhase returns how far x is into its period, 0–1.
func periodPhase(x, period float64) float64 { return x/period - math.Floor(x/period) }

// sunOrLampLight returns the share of the direct light, 0–1, that reaches the
// ground at p: of the sun by day, with the shadows of houses and trees, and of
// the street lamps by night.
func (s *Scene) sunOrLampLight(p vec3) float64 {
	if s.lampsOn() {
		return s.lampLight(p)
	}
	if s.cond.Light != Sunny {
		return 1
	}
	sun := s.sun
	for i, x := range s.street.wallX {
		if t := (x - p.x) / sun.x; sun.x != 0 && t > 0 {
			q := p.addScaled(sun, t)
			if q.z < s.street.houseAt(i, q.y).height {
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

// leafShade returns the share of sunlight, 0–1, that the crown of t lets
// through to the ground at p: the ray passes through a noisy ball with holes.
func (s *Scene) leafShade(t *tree, p vec3) float64 {
	middle := vec3{t.x, t.y, t.height - t.crownRadius}
	d := middle.sub(p)
	d = d.addScaled(s.sun, -d.dot(s.sun)) // from the ray to the middle, at right angles
	r := math.Sqrt(d.dot(d)) / t.crownRadius
	if r > 1.3 {
		return 1
	}
	r += float64(0.5 * (valueNoise(t.seed, float64(p.x*2.2), float64(p.y*2.2)) - 0.5))
	shade := 1 - smoothstep(0.75, 1.05, r)
	hole := smoothstep(0.62, 0.75, valueNoise(t.seed^1, float64(p.x*5), float64(p.y*5)))
	return 1 - float64(shade*(0.92-float64(0.7*hole)))
}

// lampLight returns the light of all street lamps at p, 0–1. Each falls off as
// 1/(1 + r²/26 m²)², an inverse-square law for a lamp at height.
func (s *Scene) lampLight(p vec3) float64 {
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

// shadeFacade returns albedo and direct light of a house front at p, seen from
// t metres away: plaster or brick, windows, doors, shops.
func (s *Scene) shadeFacade(side int, p vec3, t float64) (albedo, light float64) {
	st := s.street
	h := st.houseAt(side, p.y)
	light = 0.55
	if s.cond.Light == Sunny {
		light = 0.05
		if facing := float64(float64(1-2*side) * s.sun.x); facing > 0 {
			light = 0.3 + facing/2
		}
	}
	seed := st.seed ^ uint64(side+20) ^ uint64(int64(h.from*64))
	a := h.wallAlbedo + float64(14*(valueNoise(seed, float64(p.y*0.7), float64(p.z*0.7))-0.5))
	a += float64(10 * (latticeNoise(seed, latticeCell(p.y, 9), latticeCell(p.z, 14)) - 0.5))
	if p.y-h.from < 0.12 || h.height-p.z < 0.35 {
		a -= 25
	}
	floor := math.Floor(p.z / h.floorHeight)
	v := p.z/h.floorHeight - floor
	bay := math.Floor((p.y - h.from) / h.windowBay)
	u := (p.y-h.from)/h.windowBay - bay
	g := latticeNoise(seed^3, int(bay), int(floor))
	switch {
	case floor == 0 && h.signAlbedo > 0:
		a, light = s.shadeShopFront(h, seed, p, u, v, light)
	case floor == 0 && g < 0.3: // a door
		if u > 0.25 && u < 0.75 && v < 0.72 {
			a = 35 + float64(80*g)
		}
	case u > 0.22 && u < 0.78 && v > 0.28 && v < 0.8:
		a = h.glassAlbedo + float64(70*float64(g*g)) + float64(30*(v-0.28))
		if u < 0.26 || u > 0.74 || v < 0.32 || math.Abs(u-0.5) < 0.025 {
			a = h.wallAlbedo + 40 // frame
		} else if s.lampsOn() && g > 0.72 {
			a, light = 150, 0.35+float64(0.4*g)
		}
	case u > 0.2 && u < 0.8 && v > 0.24 && v < 0.28: // sill
		a += 28
	}
	if s.lampsOn() && light == 0.55 {
		light = float64(s.lampLight(vec3{p.x, p.y, 0}) * (1 - smoothstep(2, 9, p.z)))
	}
	return s.applyHaze(a, t), light
}

// shadeShopFront returns albedo and direct light of a ground floor: glass below
// a sign. u and v are the place within a window's bay and the floor, 0–1.
func (s *Scene) shadeShopFront(h *house, seed uint64, p vec3, u, v, light float64) (albedo, direct float64) {
	switch {
	case v > 0.97:
		return h.wallAlbedo - 30, light
	case v > 0.78:
		letters := valueNoise(seed^5, float64(p.y*4), float64(p.z*5))
		if v > 0.83 && v < 0.93 && letters > 0.6 {
			return 255 - h.signAlbedo, light
		}
		return h.signAlbedo, light
	case v < 0.12 || u < 0.05:
		return h.signAlbedo - float64(0.4*h.signAlbedo), light
	}
	a := h.glassAlbedo + float64(60*valueNoise(seed^6, float64(p.y*1.5), float64(p.z*1.5)))
	if s.lampsOn() {
		return a + 70, 0.55
	}
	return a, light / 2
}
