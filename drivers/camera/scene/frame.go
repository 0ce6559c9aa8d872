package scene

// item is anything that stands up, with its footprint: what must be drawn
// from back to front.
type item struct {
	what           what
	index          int
	x0, x1, y0, y1 float64
}

type what uint8

const (
	aMover what = iota
	aPost
	aTree
)

// behind tells whether a must be drawn before b, seen from x.
func (a *item) behind(b *item, x float64) bool {
	switch {
	case a.y0 >= b.y1:
		return true
	case a.y1 <= b.y0:
		return false
	case a.x0 >= b.x1:
		return x < a.x0
	case a.x1 <= b.x0:
		return x > a.x1
	}
	return a.y0+a.y1 > b.y0+b.y1
}

// draw draws the street as it is now.
func (s *Scene) draw() {
	s.weather.fill()
	p := &s.painter
	p.tone = s.weather.tone()
	copy(s.canvas.light, s.lit)
	s.sort()
	s.shadows(p)
	s.ground()
	clear(s.canvas.owner)
	for i := range s.items {
		it := &s.items[i]
		p.id, p.drawn = 0, 0
		switch it.what {
		case aMover:
			s.drawMover(p, it.index)
		case aPost:
			p.reach = s.reachAt(it.x0, it.y0)
			s.drawPost(p, &s.street.posts[it.index])
		case aTree:
			p.reach = 0.5
			s.drawTree(p, it.index)
		}
	}
	s.rain(p)
}

// ground lights what does not move.
func (s *Scene) ground() {
	w := s.canvas.w
	table, knee := &s.weather.table, &s.weather.knee
	cover := s.weather.cover
	for y := range s.canvas.h {
		pix, light, albedo := s.canvas.pix[y*w:y*w+w], s.canvas.light[y*w:y*w+w], s.albedo[y*w:y*w+w]
		light, albedo, cover = light[:len(pix)], albedo[:len(pix)], cover[:len(pix)]
		for x := range pix {
			l := uint8(int32(light[x]) * cover[x] >> 8)
			pix[x] = knee[min(511, int32(albedo[x])*table[l]>>8)]
		}
	}
}

// sort orders what stands up from back to front, starting from an order by
// distance.
func (s *Scene) sort() {
	s.items = s.items[:0]
	for i := range s.traffic.movers {
		if m := &s.traffic.movers[i]; m.kind != nobody {
			half := m.width / 2
			s.insert(item{aMover, i, m.x - half, m.x + half, m.rear(), m.front()})
		}
	}
	for i := range s.street.posts {
		q := &s.street.posts[i]
		s.insert(item{aPost, i, q.x, q.x, q.y, q.y})
	}
	for i := range s.street.trees {
		q := &s.street.trees[i]
		s.insert(item{aTree, i, q.x, q.x, q.y, q.y})
	}
}

func (s *Scene) insert(it item) {
	x := s.view.at.x
	k := len(s.items)
	s.items = append(s.items, it)
	for k > 0 && it.behind(&s.items[k-1], x) {
		s.items[k] = s.items[k-1]
		k--
	}
	s.items[k] = it
}

// shadows darkens the ground by day and lights it before vehicles by night.
func (s *Scene) shadows(p *painter) {
	if s.lamps() {
		for i := range s.traffic.movers {
			if m := &s.traffic.movers[i]; m.kind > cyclist && !m.parked {
				s.beam(p, m)
			}
		}
		return
	}
	if s.cond.Light != Sunny {
		return
	}
	p.onto, p.ink, p.value = true, shadow, 255<<8
	for i := range s.items {
		it := &s.items[i]
		switch it.what {
		case aMover:
			s.shape(p, &s.traffic.movers[it.index])
		case aPost:
			q := &s.street.posts[it.index]
			p.limb(0, vec{q.x, q.y, 0}, vec{q.x, q.y, q.height}, q.radius, q.radius)
		case aTree:
			q := &s.street.trees[it.index]
			p.limb(0, vec{q.x, q.y, 0}, vec{q.x, q.y, q.height - q.crown}, 0.13, 0.13)
		}
	}
	p.onto, p.ink = false, paint
}

func (s *Scene) shape(p *painter, m *mover) {
	switch m.kind {
	case nobody:
	case walker:
		p.person(m)
	case cyclist, biker:
		p.rider(m)
	default:
		p.vehicle(m)
	}
}

// reachAt is the share of the direct light at a place, that of the nearest
// place seen where it is out of the picture.
func (s *Scene) reachAt(px, py float64) float64 {
	x, y, depth := s.view.project(vec{px, py, 0})
	if depth < nearest {
		y = float64(s.canvas.h)
	}
	column := int(clamp(x, 0, float64(s.canvas.w-1)))
	row := int(clamp(y, 0, float64(s.canvas.h-1)))
	return float64(s.lit[row*s.canvas.w+column]) / 255 * float64(s.weather.cover[column]) / 256
}

func (s *Scene) drawMover(p *painter, index int) {
	m := &s.traffic.movers[index]
	reach := s.reachAt(m.x, m.rear())
	if m.drawn > 0 {
		reach = lerp(m.reach, reach, 0.35) // into a shadow one goes step by step
	}
	m.reach = reach
	p.reach = m.reach
	p.ink, p.alpha = paint, 256
	s.contactShadow(p, m)
	p.id = uint8(index + 1)
	s.shape(p, m)
	m.drawn = max(1, p.drawn)
	if (s.lamps() || s.cond.Rain > 0) && !m.parked && m.kind > walker {
		s.headlights(p, m)
	}
}

// contactShadow is the dark below anything that stands on the ground, in any
// light.
func (s *Scene) contactShadow(p *painter, m *mover) {
	x, y := m.width/2, m.length/2
	p.alpha = 150
	if m.kind <= biker {
		x, y = 0.3, max(0.25, m.length/2)
		p.alpha = 90
	}
	p.value = int32(float64(12 * 256 * p.tone.exposure * p.tone.ambient))
	for range 2 {
		if m.kind <= biker {
			p.oval(m.x, m.y, x, y)
		} else {
			p.polygon(vec{m.x - x, m.y - y, 0}, vec{m.x - x, m.y + y, 0}, vec{m.x + x, m.y + y, 0}, vec{m.x + x, m.y - y, 0})
		}
		x, y = x+0.12, y+0.12
		p.alpha /= 3
	}
	p.alpha = 256
}

// oval fills an ellipse on the ground with half axes of a and b metres.
func (p *painter) oval(x, y, a, b float64) {
	for _, e := range circle {
		px, py, depth := p.view.project(vec{x + float64(a*e[0]), y + float64(b*e[1]), 0})
		if depth < nearest {
			p.n = 0
			return
		}
		p.corner(px, py)
	}
	p.fill()
}

// beam is the light of headlamps on the road.
func (s *Scene) beam(p *painter, m *mover) {
	p.ink = pool
	nose := m.y + float64(m.dir*m.length/2)
	for i := range 4 {
		k := float64(i)
		p.value = 34 << 8
		a, b := nose+float64(m.dir*(0.6+float64(0.5*k))), nose+float64(m.dir*(13-float64(2.6*k)))
		w0, w1 := 0.9-float64(0.1*k), 2.2-float64(0.3*k)
		p.polygon(vec{m.x - w0, a, 0}, vec{m.x - w1, b, 0}, vec{m.x + w1, b, 0}, vec{m.x + w0, a, 0})
	}
	p.ink = paint
}

// headlights are bright spots with a halo, or dim ones at the rear.
func (s *Scene) headlights(p *painter, m *mover) {
	at := vec{m.x, m.y + float64(m.dir*m.length/2), 0.7}
	front := m.dir < 0
	size, value := 0.1, 235.0
	if !front {
		at.y = m.y - float64(m.dir*m.length/2)
		size, value = 0.07, 120
		if m.braked {
			value = 190
		}
	}
	halo := front && s.lamps()
	off := float64(m.width * 0.36)
	if m.kind <= biker {
		off = 0
		if m.kind == cyclist {
			size = 0.05
		}
	}
	for _, side := range [2]float64{-1, 1} {
		q := at
		q.x += float64(side * off)
		x, y, depth := p.view.project(q)
		if depth < nearest {
			continue
		}
		r := max(0.8, float64(size*p.view.focal)/depth)
		p.spot(paint, x, y, r, value)
		if halo {
			p.halo(x, y, r, 12)
		}
		if off == 0 {
			break
		}
	}
}

// spot fills a circle of r pixels.
func (p *painter) spot(k ink, x, y, r, value float64) {
	for _, e := range circle {
		p.corner(x+float64(r*e[0]), y+float64(r*e[1]))
	}
	p.ink = k
	p.luma(value)
	p.fill()
	p.ink = paint
}

// halo is the glow around a bright thing of r pixels.
func (p *painter) halo(x, y, r, value float64) {
	for i := range 8 {
		p.spot(glare, x, y, float64(r*(1.4+float64(0.55*float64(i)))), value)
	}
}

// rain draws streaks before everything.
func (s *Scene) rain(p *painter) {
	c := &s.weather.chance
	n := int(float64(s.cond.Rain * float64(s.canvas.w*s.canvas.h) / 1100))
	bright := clamp(float64(235*p.tone.exposure*min(1, p.tone.ambient+0.35)), 0, 255)
	p.ink = paint
	for range n {
		x, y := c.between(0, float64(s.canvas.w)), c.between(-20, float64(s.canvas.h))
		near := c.unit()
		near = float64(near * near * near)
		l := float64((5 + float64(22*near)) * float64(s.canvas.h) / 270)
		w := 0.3 + float64(0.9*near)
		p.alpha = int32(30 + float64(45*near))
		lean := float64(l * (0.08 + float64(0.1*s.cond.Wind)))
		p.corner(x, y)
		p.corner(x+w, y)
		p.corner(x+w-lean, y+l)
		p.corner(x-lean, y+l)
		p.luma(bright)
		p.fill()
	}
	p.alpha = 256
}
