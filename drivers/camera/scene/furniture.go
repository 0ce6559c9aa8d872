package scene

import "math"

// drawPost draws a lamp post, signal, sign or bollard.
func (s *Scene) drawPost(p *painter, q *post) {
	p.mode, p.alpha = blendOver, 256
	foot, top := vec3{q.x, q.y, 0}, vec3{q.x, q.y, q.height}
	switch q.kind {
	case lamp:
		in := 1.0
		if q.x > 0 {
			in = -1
		}
		p.drawCapsule(q.albedo, foot, top, q.radius, float64(q.radius*0.7))
		end := top.add(vec3{float64(in * 1.4), 0, 0.25})
		p.drawCapsule(q.albedo, top, end, 0.05, 0.05)
		head := end.add(vec3{float64(in * 0.5), 0, 0})
		p.drawCapsule(q.albedo+40, end, head, 0.1, 0.08)
		if s.lampsOn() {
			if x, y, depth := p.view.projectPoint(head); depth > nearPlane {
				r := clamp(float64(0.16*p.view.focal)/depth, 1, float64(s.height)/80)
				p.fillCircle(blendOver, x, y, r, 255)
				p.drawHalo(x, y, r, 10)
			}
		}
	case signal:
		p.drawCapsule(q.albedo, foot, top, q.radius, q.radius)
		s.drawSignalHead(p, q, top)
	case sign:
		p.drawCapsule(q.albedo, foot, top, q.radius, q.radius)
		w := 0.28
		a := vec3{q.x - w, q.y, q.height - 0.56}
		p.setLuma(p.shadeFlat(190, vec3{0, -1, 0}))
		p.fillPolygon(a, a.add(vec3{0, 0, 0.56}), a.add(vec3{0.56, 0, 0.56}), a.add(vec3{0.56, 0, 0}))
		p.setLuma(p.shadeFlat(60, vec3{0, -1, 0}))
		p.fillPolygon(a.add(vec3{0.1, 0, 0.2}), a.add(vec3{0.1, 0, 0.36}), a.add(vec3{0.46, 0, 0.36}), a.add(vec3{0.46, 0, 0.2}))
	case bollard:
		p.drawCapsule(q.albedo, foot, top, q.radius, q.radius)
		p.drawCapsule(180, top.add(vec3{0, 0, -0.18}), top.add(vec3{0, 0, -0.1}), q.radius, q.radius)
	}
}

// drawSignalHead draws the signal's housing and its lit aspect: red above,
// green below.
func (s *Scene) drawSignalHead(p *painter, q *post, top vec3) {
	head := top.add(vec3{0, 0, -0.95})
	p.drawCapsule(25, head, top, 0.17, 0.17)
	red, _ := s.traffic.signalRed()
	at := top.add(vec3{0, -0.18, -0.08})
	if !red {
		at = head.add(vec3{0, -0.18, 0.05})
	}
	if x, y, depth := p.view.projectPoint(at); depth > nearPlane {
		p.fillCircle(blendOver, x, y, max(0.6, float64(0.1*p.view.focal)/depth), 225)
	}
}

// crown is the sprite of a tree's leaves, computed once. The wind shifts its
// rows.
type crown struct {
	x, y, size   int // upper left corner and width on the canvas
	leaf, cover  []uint8
	phase, speed float64
}

// bakeCrowns computes the sprite of every tree that lies before the camera and
// is not wider than twice the canvas.
func (s *Scene) bakeCrowns() {
	s.crowns = make([]crown, len(s.street.trees))
	for i := range s.crowns {
		t := &s.street.trees[i]
		x, y, depth := s.view.projectPoint(vec3{t.x, t.y, t.height - t.crownRadius})
		if depth < 2 {
			continue
		}
		r := float64(t.crownRadius*s.view.focal) / depth
		if r > float64(s.canvas.w) {
			continue
		}
		k := &s.crowns[i]
		k.size = int(2.3*r) + 2
		k.x, k.y = int(math.Floor(x))-k.size/2, int(math.Floor(y))-k.size/2
		k.leaf, k.cover = make([]uint8, k.size*k.size), make([]uint8, k.size*k.size)
		k.phase, k.speed = latticeNoise(t.seed, 1, 1), 0.3+float64(0.3*latticeNoise(t.seed, 2, 2))
		s.bakeLeaves(k, t, r)
	}
}

// bakeLeaves renders a crown of radius r pixels: a noisy ball of clumps,
// brighter above, with holes.
func (s *Scene) bakeLeaves(k *crown, t *tree, r float64) {
	half := float64(k.size) / 2
	for y := range k.size {
		for x := range k.size {
			u, v := (float64(x)+0.5-half)/r, (float64(y)+0.5-half)/r
			d := math.Sqrt(float64(u*u) + float64(v*v))
			clump := valueNoise(t.seed, float64(u*3.1), float64(v*3.1))
			fine := valueNoise(t.seed^1, float64(u*11), float64(v*11))
			finest := valueNoise(t.seed^2, float64(u*27), float64(v*27))
			edge := d + float64(0.38*(clump-0.5)) + float64(0.16*(fine-0.5))
			cover := 1 - smoothstep(0.86, 0.98, edge)
			cover = float64(cover * (1 - float64(0.9*smoothstep(0.66, 0.8, fine)*smoothstep(0.3, 0.9, d))))
			up := 0.5 - float64(0.5*v) + float64(0.3*u*s.sun.x)
			a := 34 + float64(52*up*clump) + float64(30*(finest-0.5)) + float64(24*(fine-0.5))
			k.cover[y*k.size+x] = uint8(255 * clamp(cover, 0, 1))
			k.leaf[y*k.size+x] = uint8(clamp(a, 8, 150))
		}
	}
}

// drawTree draws the trunk, then the crown with each row shifted by the wind:
// two sine waves, the second 2.7 times faster.
func (s *Scene) drawTree(p *painter, index int) {
	t, k := &s.street.trees[index], &s.crowns[index]
	p.mode, p.alpha = blendOver, 256
	p.drawCapsule(52, vec3{t.x, t.y, 0}, vec3{t.x, t.y, t.height - t.crownRadius}, 0.14, 0.11)
	if k.size == 0 {
		return
	}
	light := int32(float64(256 * p.lighting.exposure * (p.lighting.ambient + float64(0.5*p.lighting.direct*p.directLight))))
	now := s.weather.now
	gust := 0.5 + float64(0.5*sin(now/7+k.phase))
	reach := float64(s.cond.Wind * gust * float64(k.size) * 0.035)
	for y := range k.size {
		row := k.y + y
		if row < 0 || row >= s.canvas.h {
			continue
		}
		f := float64(y) / float64(k.size)
		shift := float64(reach * (sin(float64(now*k.speed)+float64(0.9*f)+k.phase) + float64(0.5*sin(float64(now*k.speed*2.7)+float64(2.3*f)))))
		s.blendCrownRow(k, y, row, int32(math.Floor(float64(shift*256))), light)
	}
}

// blendCrownRow blends row y of a crown, shifted by shift/256 pixels, into
// canvas row row.
func (s *Scene) blendCrownRow(k *crown, y, row int, shift, light int32) {
	whole, part := int(shift>>8), shift&255
	leaf, cover := k.leaf[y*k.size:y*k.size+k.size], k.cover[y*k.size:y*k.size+k.size]
	base := row * s.canvas.w
	from, to := max(0, -(k.x+whole)), min(k.size, s.canvas.w-(k.x+whole))
	var last int32
	for x := from; x < to; x++ {
		c := int32(cover[x])
		a := (c*(256-part) + last*part) >> 8
		last = c
		if a == 0 {
			continue
		}
		i := base + k.x + whole + x
		v := int32(s.weather.knee[min(511, int32(leaf[x])*light>>8)])
		d := int32(s.canvas.pix[i])
		s.canvas.pix[i] = uint8(d + (v-d)*(a+a>>7)>>8)
		if s.canvas.owner != nil && a > 127 {
			s.canvas.owner[i] = 0
		}
	}
}
