package vision

import (
	"math"
	"time"
)

// match gives blobs to objects, renews the objects, and starts new ones.
func (f *follower) match(blobs []blob, now time.Duration, dt float64) {
	for k := range blobs {
		f.owners[k] = 0
	}
	for i := range f.objects {
		o := &f.objects[i]
		o.n = 0
		if o.live {
			f.choose(o, blobs)
		}
	}
	for k := range blobs {
		if f.owners[k] > 1 {
			f.contest(k, &blobs[k])
		}
	}
	for i := range f.objects {
		if o := &f.objects[i]; o.live && o.n > 0 {
			f.collect(o, blobs)
			f.update(o, blobs, now, dt)
		}
	}
}

// choose finds the blob that fits o best.
func (f *follower) choose(o *object, blobs []blob) {
	best := 0.0
	for k := range blobs {
		if !f.touches(o, &blobs[k]) {
			continue
		}
		b := blobs[k].box()
		v := o.box.overlap(b)
		v = v/(o.box.area()+b.area()-v) + 0.01
		if v > best {
			best = v
			o.blobs[0], o.n = k, 1
		}
	}
	if o.n > 0 {
		f.owners[o.blobs[0]]++
	}
}

// collect adds the blobs that no object chose but this one touches.
func (f *follower) collect(o *object, blobs []blob) {
	for k := range blobs {
		if f.owners[k] == 0 && o.n < len(o.blobs) && f.touches(o, &blobs[k]) {
			o.blobs[o.n] = k
			o.n++
		}
	}
	for _, k := range o.blobs[1:o.n] {
		f.owners[k] = 1
	}
}

// established objects have been seen whole and alone for a while.
func (o *object) established() bool { return o.whole >= 6 }

// contest settles which of the objects that touch a blob live on: tentative
// ones give way to an established one that covers them, or to the one that
// fits best if the blob may be a single thing.
func (f *follower) contest(k int, b *blob) {
	var best *object
	fit, sure := 0.0, 0
	bb := b.box()
	for i := range f.objects {
		o := &f.objects[i]
		if !o.live || o.n == 0 || o.blobs[0] != k {
			continue
		}
		v := o.box.overlap(bb) / (o.box.area() + bb.area() - o.box.overlap(bb))
		if o.established() {
			v++
			sure++
		}
		if best == nil || v > fit {
			best, fit = o, v
		}
	}
	if sure == 0 && !f.single(b) {
		return
	}
	for i := range f.objects {
		o := &f.objects[i]
		if !o.live || o == best || o.n == 0 || o.blobs[0] != k || o.established() {
			continue
		}
		if sure == 0 || o.box.overlap(best.box) > 0.5*o.box.area() || sure == 1 && f.single(b) && !f.personlike(best) {
			o.live = false
			f.owners[k]--
		}
	}
}

// single tells whether a blob may be one vehicle or less, by size and shape.
func (f *follower) single(b *blob) bool {
	ppm := f.scale.at(float64(b.y1)) * math.Exp(f.scale.unsure)
	return b.w() < 6*ppm && b.h() < 5*ppm && float64(b.area) > 0.4*b.w()*b.h()
}

func (f *follower) personlike(o *object) bool {
	if o.whole == 0 {
		return o.box.h() > 1.5*o.box.w()
	}
	return o.suits[0] > o.suits[2]
}

func (f *follower) touches(o *object, b *blob) bool {
	if b.active == 0 && b.area < 6 || b.x1 <= b.x0 {
		return false
	}
	bb := b.box()
	pad := 1.0
	if o.hits < 4 {
		pad = 0.3 * math.Sqrt(o.box.area())
	}
	g := box{o.box.x0 - pad, o.box.y0 - pad, o.box.x1 + pad, o.box.y1 + pad}
	return g.overlap(bb) > 0.25*min(g.area(), bb.area())
}

func (f *follower) update(o *object, blobs []blob, now time.Duration, dt float64) {
	o.shared = f.owners[o.blobs[0]] > 1
	m := blobs[o.blobs[0]].box()
	if o.n > 1 {
		m = f.gather(o, blobs, now)
	}
	if b := &blobs[o.blobs[0]]; b.fresh*100 <= b.area {
		// It rests: what is left of its blob tells nothing of its outline.
		o.vx, o.vy = 0, 0
		if float64(b.area) > 0.3*o.box.area() {
			o.seen = now
		}
		return
	}
	o.seen = now
	o.moved = now
	o.hits++
	before := o.box
	g := 0.4
	if o.hits < 4 {
		g = 0.7
	}
	big := o.hits > 4 && (m.w() > 1.4*o.box.w()+2 || m.h() > 1.4*o.box.h()+2)
	if big && !o.shared && f.single(&blobs[o.blobs[0]]) {
		// It may have been seen in part so far, above all at the picture's edge.
		o.small++
		if !f.personlike(o) || o.small > 5 || f.clipped(before) {
			big, g = false, 0.25
		}
	} else {
		o.small = 0
	}
	switch {
	case o.shared || big:
		o.box = f.nudge(o.box, m, 0.3)
	default:
		if m.area() < 0.7*o.box.area() {
			g = min(g, 0.15)
		}
		f.study(o, m, now)
		o.box = box{
			o.box.x0 + g*(m.x0-o.box.x0), o.box.y0 + g*(m.y0-o.box.y0),
			o.box.x1 + g*(m.x1-o.box.x1), o.box.y1 + g*(m.y1-o.box.y1),
		}
	}
	mv, pm := o.box.middle(), before.middle()
	gv := 0.25
	if o.hits < 4 {
		gv = 0.5
	}
	o.vx += gv * (mv.x - pm.x) / dt
	o.vy += gv * (mv.y - pm.y) / dt
}

// study judges an object that is seen whole, and lets it vote on the scale.
func (f *follower) study(o *object, m box, now time.Duration) {
	if o.hits < 3 || f.clipped(m) || m.overlap(o.box) < 0.6*(m.area()+o.box.area()-m.overlap(o.box)) {
		return
	}
	var e [len(kinds)]float64
	f.scale.judge(m, o.vx, o.vy, &e)
	o.whole++
	g := 1 / float64(min(o.whole, 30))
	for k := range e {
		o.suits[k] += g * (e[k] - o.suits[k])
	}
	if o.whole == 12 {
		f.tally(o)
	}
	if o.whole >= 12 && now-o.voted > 500*time.Millisecond && f.travelled(o) {
		o.voted = now
		f.scale.vote(m, o.vx, o.vy, 0.3)
	}
}

// tally adds an object to what is common here, by how much it may be of each
// kind.
func (f *follower) tally(o *object) {
	var p [len(kinds)]float64
	sum, all := 0.0, 0.0
	for k := range kinds {
		p[k] = math.Exp(2*o.suits[k]) * f.common[k]
		sum += p[k]
		all += f.common[k]
	}
	for k := range kinds {
		f.common[k] += p[k] / (sum + 1e-9)
		if all > 4*usual {
			f.common[k] = max(f.common[k]*(1-1/all), usual*kinds[k].prior/2)
		}
	}
}

// clipped tells whether b is cut off by the picture's edge.
func (f *follower) clipped(b box) bool {
	return b.x0 <= 1.5 || b.y0 <= 1.5 || b.x1 >= f.w-1.5 || b.y1 >= f.h-1.5
}

// gather is the box of several blobs of one object. Blobs that are too large
// and too far apart to be parts of one become objects of their own.
func (f *follower) gather(o *object, blobs []blob, now time.Duration) box {
	main := o.blobs[0]
	best := 0.0
	for _, k := range o.blobs[:o.n] {
		b := blobs[k].box()
		if s := b.overlap(o.box) / (b.area() + o.box.area() - b.overlap(o.box)); s > best {
			main, best = k, s
		}
	}
	m := blobs[main].box()
	for _, k := range o.blobs[:o.n] {
		b := blobs[k].box()
		if k == main {
			continue
		}
		if f.person(b) && f.person(m) && f.scale.speed(o, m.y1) < 2.5 {
			if o.parts++; o.parts >= 4 {
				o.parts = 0
				f.branch(o, m, b, now)
				continue
			}
		} else if o.parts > 0 {
			o.parts--
		}
		if u := m.union(b); u.w() < 1.15*o.box.w()+1 && u.h() < 1.15*o.box.h()+1 && o.hits > 4 {
			m = u
			continue
		}
		part := min(b.w()/m.w(), b.h()/m.h())
		if part > 0.6 && max(b.x0-m.x1, m.x0-b.x1) > -1 || f.whole(b) && f.whole(m) {
			f.branch(o, m, b, now)
		} else if u := m.union(b); part <= 0.6 && u.area() < 1.5*m.area() {
			m = u
		}
	}
	return m
}

// whole tells whether b is large enough to be a thing and not a part of one.
func (f *follower) whole(b box) bool {
	ppm := f.scale.at(b.y1)
	return b.h() > 1.1*ppm && b.w() > 0.35*ppm
}

// person tells whether b is as large as a person, by itself.
func (f *follower) person(b box) bool {
	ppm, slack := f.scale.at(b.y1), math.Exp(f.scale.unsure)
	return b.h() > 1.2*b.w() && b.h() > 1.2*ppm/slack && b.h() < 2.3*ppm*slack && b.w() > 0.3*ppm/slack
}

// branch starts an object at b with the past of o, whose own new box is m.
func (f *follower) branch(o *object, m, b box, now time.Duration) {
	c := f.birth(b, now)
	if c == nil {
		return
	}
	c.vx, c.vy = o.vx, o.vy
	if now-o.born > 2*time.Second || o.established() && f.personlike(o) {
		return
	}
	g := b.ground()
	p := o.box.ground()
	c.born, c.lastAt = o.born, o.born
	c.from = point{o.from.x + g.x - p.x, o.from.y + g.y - p.y}
	c.last = c.from
	c.hits = 1
}

// nudge moves b's edges towards m's where they are close, and keeps them elsewhere.
func (f *follower) nudge(b, m box, g float64) box {
	tx, ty := 0.2*b.w()+1, 0.2*b.h()+1
	var dx, dy, nx, ny float64
	for _, e := range [2]float64{m.x0 - b.x0, m.x1 - b.x1} {
		if math.Abs(e) < tx {
			dx += e
			nx++
		}
	}
	for _, e := range [2]float64{m.y0 - b.y0, m.y1 - b.y1} {
		if math.Abs(e) < ty {
			dy += e
			ny++
		}
	}
	return b.shift(g*dx/max(nx, 1), g*dy/max(ny, 1))
}

// births starts objects on blobs of what no object explains.
func (f *follower) births(blobs []blob, now time.Duration) {
	for k := range blobs {
		b := blobs[k].box()
		ppm := f.scale.at(b.y1)
		if blobs[k].active == 0 || blobs[k].area < 12 || b.h() < 0.8*ppm && b.w() < 0.8*ppm || b.w() < 0.25*ppm || b.h() < 0.4*ppm {
			continue
		}
		if float64(blobs[k].area) < 0.3*b.area() {
			continue
		}
		f.birth(b, now)
	}
}

func (f *follower) birth(b box, now time.Duration) *object {
	if b.area() < 12 || b.h() < 3 || b.w() < 2 {
		return nil
	}
	for i := range f.objects {
		o := &f.objects[i]
		if o.live {
			continue
		}
		clear(o.gates)
		*o = object{live: true, box: b, born: now, seen: now, moved: now, from: b.ground(), last: b.ground(), lastAt: now, gates: o.gates}
		return o
	}
	return nil
}

// erase clears the mask where followed objects are.
func (f *follower) erase(a *arena) {
	w, h := int(f.w), int(f.h)
	for i := range f.objects {
		o := &f.objects[i]
		if !o.live || o.n == 0 {
			continue
		}
		px, py := 1+0.2*o.box.w(), 1+0.2*o.box.h()
		x0, x1 := max(int(o.box.x0-px), 0), min(int(o.box.x1+px+0.5), w)
		for y := max(int(o.box.y0-py), 0); y < min(int(o.box.y1+py+0.5), h); y++ {
			if x0 < x1 {
				clear(a.mask[y*w+x0 : y*w+x1])
			}
		}
	}
}
