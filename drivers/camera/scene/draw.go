package scene

// item is an upright object with the bounding box of its footprint (m). Items
// are drawn from back to front, the painter's algorithm.
type item struct {
	kind           itemKind
	index          int
	x0, x1, y0, y1 float64
}

// itemKind tells to which list item.index belongs.
type itemKind uint8

const (
	moverItem itemKind = iota
	postItem
	treeItem
)

// isBehind reports whether a must be drawn before b for a camera at x.
func (a *item) isBehind(b *item, x float64) bool {
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

// drawFrame renders the present state of the street into the canvas: shadows
// into the light map, the lit ground, then all items from back to front, then
// rain.
func (s *Scene) drawFrame() {
	s.weather.fillTable()
	p := &s.painter
	p.lighting = s.weather.currentLighting()
	copy(s.canvas.light, s.staticLight)
	s.sortItems()
	s.drawShadows(p)
	s.shadeGround()
	clear(s.canvas.owner)
	for i := range s.items {
		it := &s.items[i]
		p.id, p.coveredPixels = 0, 0
		switch it.kind {
		case moverItem:
			s.drawMover(p, it.index)
		case postItem:
			p.directLight = s.directLightAt(it.x0, it.y0)
			s.drawPost(p, &s.street.posts[it.index])
		case treeItem:
			p.directLight = 0.5
			s.drawTree(p, it.index)
		}
	}
	s.drawRain(p)
}

// shadeGround computes the static pixels: albedo times light, through the cover
// of clouds, the exposure table and the highlight knee.
func (s *Scene) shadeGround() {
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

// sortItems rebuilds s.items in drawing order by insertion.
func (s *Scene) sortItems() {
	s.items = s.items[:0]
	for i := range s.traffic.movers {
		if m := &s.traffic.movers[i]; m.kind != noMover {
			half := m.width / 2
			s.insertItem(item{moverItem, i, m.x - half, m.x + half, m.minY(), m.maxY()})
		}
	}
	for i := range s.street.posts {
		q := &s.street.posts[i]
		s.insertItem(item{postItem, i, q.x, q.x, q.y, q.y})
	}
	for i := range s.street.trees {
		q := &s.street.trees[i]
		s.insertItem(item{treeItem, i, q.x, q.x, q.y, q.y})
	}
}

// insertItem moves it forward past every item that it is behind.
func (s *Scene) insertItem(it item) {
	x := s.view.eye.x
	k := len(s.items)
	s.items = append(s.items, it)
	for k > 0 && it.isBehind(&s.items[k-1], x) {
		s.items[k] = s.items[k-1]
		k--
	}
	s.items[k] = it
}

// drawShadows subtracts cast shadows from the light map under direct sun, and
// by night adds the beams of headlights to it.
func (s *Scene) drawShadows(p *painter) {
	if s.lampsOn() {
		for i := range s.traffic.movers {
			if m := &s.traffic.movers[i]; m.kind > cyclist && !m.parked {
				s.drawBeam(p, m)
			}
		}
		return
	}
	if s.cond.Light != Sunny {
		return
	}
	p.shadowPass, p.mode, p.value = true, subtractLight, 255<<8 // all of the direct light
	for i := range s.items {
		it := &s.items[i]
		switch it.kind {
		case moverItem:
			s.drawShape(p, &s.traffic.movers[it.index])
		case postItem:
			q := &s.street.posts[it.index]
			p.drawCapsule(0, vec3{q.x, q.y, 0}, vec3{q.x, q.y, q.height}, q.radius, q.radius)
		case treeItem:
			q := &s.street.trees[it.index]
			p.drawCapsule(0, vec3{q.x, q.y, 0}, vec3{q.x, q.y, q.height - q.crownRadius}, 0.13, 0.13)
		}
	}
	p.shadowPass, p.mode = false, blendOver
}

// drawShape draws a mover's body, or its shadow in a shadow pass.
func (s *Scene) drawShape(p *painter, m *mover) {
	switch m.kind {
	case noMover:
	case walker:
		p.drawPerson(m)
	case cyclist, motorcyclist:
		p.drawRider(m)
	default:
		p.drawVehicle(m)
	}
}

// directLightAt returns the share of the direct light on the ground at (px,py),
// 0–1, clouds included. A place outside the picture takes the nearest pixel's.
func (s *Scene) directLightAt(px, py float64) float64 {
	x, y, depth := s.view.projectPoint(vec3{px, py, 0})
	if depth < nearPlane {
		y = float64(s.canvas.h)
	}
	column := int(clamp(x, 0, float64(s.canvas.w-1)))
	row := int(clamp(y, 0, float64(s.canvas.h-1)))
	return float64(s.staticLight[row*s.canvas.w+column]) / 255 * float64(s.weather.cover[column]) / 256
}

// drawMover draws one mover with its contact shadow and lamps, and counts the
// pixels that it covers.
func (s *Scene) drawMover(p *painter, index int) {
	m := &s.traffic.movers[index]
	reach := s.directLightAt(m.x, m.minY())
	if m.drawnPixels > 0 {
		reach = lerp(m.directLight, reach, 0.35) // enter a shadow over several pictures
	}
	m.directLight = reach
	p.directLight = m.directLight
	p.mode, p.alpha = blendOver, 256
	s.drawContactShadow(p, m)
	p.id = uint8(index + 1)
	s.drawShape(p, m)
	m.drawnPixels = max(1, p.coveredPixels)
	if (s.lampsOn() || s.cond.Rain > 0) && !m.parked && m.kind > walker {
		s.drawHeadlights(p, m)
	}
}

// drawContactShadow darkens the ground below a mover (ambient occlusion), in
// any light: two nested shapes, the larger three times fainter.
func (s *Scene) drawContactShadow(p *painter, m *mover) {
	x, y := m.width/2, m.length/2
	p.alpha = 150
	if m.kind <= motorcyclist {
		x, y = 0.3, max(0.25, m.length/2)
		p.alpha = 90
	}
	p.value = int32(float64(12 * 256 * p.lighting.exposure * p.lighting.ambient))
	for range 2 {
		if m.kind <= motorcyclist {
			p.fillEllipse(m.x, m.y, x, y)
		} else {
			p.fillPolygon(vec3{m.x - x, m.y - y, 0}, vec3{m.x - x, m.y + y, 0}, vec3{m.x + x, m.y + y, 0}, vec3{m.x + x, m.y - y, 0})
		}
		x, y = x+0.12, y+0.12
		p.alpha /= 3
	}
	p.alpha = 256
}

// fillEllipse fills an ellipse on the ground around (x,y) with half axes of a
// and b metres.
func (p *painter) fillEllipse(x, y, a, b float64) {
	for _, e := range unitCircle {
		px, py, depth := p.view.projectPoint(vec3{x + float64(a*e[0]), y + float64(b*e[1]), 0})
		if depth < nearPlane {
			p.n = 0
			return
		}
		p.addVertex(px, py)
	}
	p.fillVertices()
}

// drawBeam adds the light of a vehicle's headlamps to the light map: four
// nested trapezia on the road ahead.
func (s *Scene) drawBeam(p *painter, m *mover) {
	p.mode = addLight
	nose := m.y + float64(m.dir*m.length/2)
	for i := range 4 {
		k := float64(i)
		p.value = 34 << 8
		a, b := nose+float64(m.dir*(0.6+float64(0.5*k))), nose+float64(m.dir*(13-float64(2.6*k)))
		w0, w1 := 0.9-float64(0.1*k), 2.2-float64(0.3*k)
		p.fillPolygon(vec3{m.x - w0, a, 0}, vec3{m.x - w1, b, 0}, vec3{m.x + w1, b, 0}, vec3{m.x + w0, a, 0})
	}
	p.mode = blendOver
}

// drawHeadlights draws the lamps on the end that the camera sees: bright ones
// with a halo in front, dim ones at the rear, brighter while braking.
func (s *Scene) drawHeadlights(p *painter, m *mover) {
	at := vec3{m.x, m.y + float64(m.dir*m.length/2), 0.7}
	front := m.dir < 0
	size, value := 0.1, 235.0
	if !front {
		at.y = m.y - float64(m.dir*m.length/2)
		size, value = 0.07, 120
		if m.braking {
			value = 190
		}
	}
	halo := front && s.lampsOn()
	off := float64(m.width * 0.36)
	if m.kind <= motorcyclist {
		off = 0
		if m.kind == cyclist {
			size = 0.05
		}
	}
	for _, side := range [2]float64{-1, 1} {
		q := at
		q.x += float64(side * off)
		x, y, depth := p.view.projectPoint(q)
		if depth < nearPlane {
			continue
		}
		r := max(0.8, float64(size*p.view.focal)/depth)
		p.fillCircle(blendOver, x, y, r, value)
		if halo {
			p.drawHalo(x, y, r, 12)
		}
		if off == 0 {
			break
		}
	}
}

// fillCircle fills a circle of r pixels around canvas place (x,y).
func (p *painter) fillCircle(k blendMode, x, y, r, value float64) {
	for _, e := range unitCircle {
		p.addVertex(x+float64(r*e[0]), y+float64(r*e[1]))
	}
	p.mode = k
	p.setLuma(value)
	p.fillVertices()
	p.mode = blendOver
}

// drawHalo adds the glow around a bright spot of r pixels: eight circles, each
// 0.55 r wider than the last.
func (p *painter) drawHalo(x, y, r, value float64) {
	for i := range 8 {
		p.fillCircle(blendAdd, x, y, float64(r*(1.4+float64(0.55*float64(i)))), value)
	}
}

// drawRain draws streaks over the finished picture: one per 1,100 pixels in the
// hardest rain, nearer ones longer and wider.
func (s *Scene) drawRain(p *painter) {
	c := &s.weather.rng
	n := int(float64(s.cond.Rain * float64(s.canvas.w*s.canvas.h) / 1100))
	bright := clamp(float64(235*p.lighting.exposure*min(1, p.lighting.ambient+0.35)), 0, 255)
	p.mode = blendOver
	for range n {
		x, y := c.floatIn(0, float64(s.canvas.w)), c.floatIn(-20, float64(s.canvas.h))
		near := c.unitFloat()
		near = float64(near * near * near)
		l := float64((5 + float64(22*near)) * float64(s.canvas.h) / 270)
		w := 0.3 + float64(0.9*near)
		p.alpha = int32(30 + float64(45*near))
		lean := float64(l * (0.08 + float64(0.1*s.cond.Wind)))
		p.addVertex(x, y)
		p.addVertex(x+w, y)
		p.addVertex(x+w-lean, y+l)
		p.addVertex(x-lean, y+l)
		p.setLuma(bright)
		p.fillVertices()
	}
	p.alpha = 256
}
