package vision

import (
	"math"
	"time"

	"kerb/counting"
)

// box is an upright rectangle on the working grid.
type box struct{ x0, y0, x1, y1 float64 }

func (b box) w() float64             { return b.x1 - b.x0 }
func (b box) h() float64             { return b.y1 - b.y0 }
func (b box) area() float64          { return max(b.w(), 0) * max(b.h(), 0) }
func (b box) ground() point          { return point{(b.x0 + b.x1) / 2, b.y1} }
func (b box) middle() point          { return point{(b.x0 + b.x1) / 2, (b.y0 + b.y1) / 2} }
func (b box) shift(x, y float64) box { return box{b.x0 + x, b.y0 + y, b.x1 + x, b.y1 + y} }

func (b box) overlap(c box) float64 {
	return max(min(b.x1, c.x1)-max(b.x0, c.x0), 0) * max(min(b.y1, c.y1)-max(b.y0, c.y0), 0)
}

func (b box) union(c box) box {
	return box{min(b.x0, c.x0), min(b.y0, c.y0), max(b.x1, c.x1), max(b.y1, c.y1)}
}

func (b blob) box() box {
	return box{float64(b.x0), float64(b.y0), float64(b.x1), float64(b.y1)}
}

// object is something that moves or has moved. It is known by its geometry
// alone and forgotten with its slot.
type object struct {
	live   bool
	box    box
	vx, vy float64 // grid pixels per second
	born   time.Duration
	seen   time.Duration // last look with a blob
	hits   int
	from   point // ground where it was born
	last   point // where the path over the lines has got to
	lastAt time.Duration
	moved  time.Duration // last look in which its pixels changed
	gates  []gate
	suits  [len(kinds)]float64 // mean log-likelihood over the looks it was seen whole
	whole  int
	voted  time.Duration
	blobs  [4]int
	n      int
	shared bool
}

const maxObjects = 64

type follower struct {
	w, h    float64
	objects [maxObjects]object
	scale   *scale
	lines   []segment
	owners  [maxBlobs]int // objects that lay claim to a blob
}

func newFollower(w, h int, lines []counting.Line, known []counting.Height) *follower {
	f := &follower{w: float64(w), h: float64(h), scale: newScale(float64(w), float64(h), known)}
	for _, l := range lines {
		f.lines = append(f.lines, newSegment(l, float64(w), float64(h)))
	}
	gates := make([]gate, maxObjects*len(lines))
	for i := range f.objects {
		f.objects[i].gates = gates[i*len(lines) : (i+1)*len(lines)]
	}
	return f
}

// predict moves every object on by its speed, corrected by where its pixels
// went since the look before. It must run before the mask is renewed.
func (f *follower) predict(a *arena, w, h int, dt float64) {
	for i := range f.objects {
		o := &f.objects[i]
		if !o.live {
			continue
		}
		px, py := o.vx*dt, o.vy*dt
		if mx, my, sure := a.shifted(w, h, o.box, px, py); sure > 0 {
			g := 0.6 * sure
			px += g * (mx - px)
			py += g * (my - py)
			o.vx, o.vy = px/dt, py/dt
		}
		o.box = o.box.shift(px, py)
	}
}

// shifted finds by how much the marked pixels of box moved between the look
// before and now: least mean absolute difference around the expected shift,
// refined by a parabola. sure is 0 if the pixels say nothing, up to 1.
func (a *arena) shifted(w, h int, b box, ex, ey float64) (x, y, sure float64) {
	x0, y0 := max(int(b.x0), 0), max(int(b.y0), 0)
	x1, y1 := min(int(b.x1+0.5), w), min(int(b.y1+0.5), h)
	if x1-x0 < 3 || y1-y0 < 3 {
		return ex, ey, 0
	}
	const most = 96
	var at [most]int32
	n := 0
	step := 1 + int(math.Sqrt(float64((x1-x0)*(y1-y0))/most))
	ix, iy := int(math.Round(ex)), int(math.Round(ey))
	r := 2 + int(0.08*b.h())
	r = min(r, 5)
	for yy := y0; yy < y1; yy += step {
		if yy+iy-r < 0 || yy+iy+r >= h {
			continue
		}
		for xx := x0 + (yy/step&1)*step/2; xx < x1 && n < most; xx += step {
			if a.mask[yy*w+xx] != 0 && xx+ix-r >= 0 && xx+ix+r < w {
				at[n] = int32(yy*w + xx)
				n++
			}
		}
	}
	if n < 12 {
		return ex, ey, 0
	}
	var cost [11][11]int32
	best, bx, by := int32(math.MaxInt32), 0, 0
	var sum int64
	for dy := -r; dy <= r; dy++ {
		for dx := -r; dx <= r; dx++ {
			off := int32((iy+dy)*w + ix + dx)
			var s int32
			for _, p := range at[:n] {
				d := int32(a.before[p]) - int32(a.now[p+off])
				if d < 0 {
					d = -d
				}
				s += min(d, 60)
			}
			s += s * int32(dx*dx+dy*dy) / 128
			cost[dy+r][dx+r] = s
			sum += int64(s)
			if s < best {
				best, bx, by = s, dx, dy
			}
		}
	}
	mean := float64(sum) / float64((2*r+1)*(2*r+1))
	if mean <= float64(2*n) {
		return ex, ey, 0
	}
	sure = 1 - float64(best)/mean
	if bx == -r || bx == r || by == -r || by == r {
		sure /= 2
	}
	sx, sy := 0.0, 0.0
	if bx > -r && bx < r {
		sx = vertex(cost[by+r][bx+r-1], best, cost[by+r][bx+r+1])
	}
	if by > -r && by < r {
		sy = vertex(cost[by+r-1][bx+r], best, cost[by+r+1][bx+r])
	}
	return float64(ix+bx) + sx, float64(iy+by) + sy, sure
}

// vertex is where between -½ and ½ the parabola through three costs is least.
func vertex(l, c, r int32) float64 {
	den := float64(l - 2*c + r)
	if den <= 0 {
		return 0
	}
	return max(min(0.5*float64(l-r)/den, 0.5), -0.5)
}

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

// erase clears the mask where followed objects are.
func (f *follower) erase(a *arena, w, h int) {
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
	o.seen = now
	for _, k := range o.blobs[:o.n] {
		if blobs[k].active > 0 {
			o.moved = now
		}
	}
	o.hits++
	before := o.box
	g := 0.4
	if o.hits < 4 {
		g = 0.7
	}
	big := o.hits > 4 && (m.w() > 1.4*o.box.w()+2 || m.h() > 1.4*o.box.h()+2)
	if big && !o.shared && !f.personlike(o) && f.single(&blobs[o.blobs[0]]) {
		big = false
		g = 0.25
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
	if o.established() && now-o.voted > 500*time.Millisecond && f.travelled(o) {
		o.voted = now
		f.scale.vote(m, o.vx, o.vy, 0.3)
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

// cross moves every object's ground point over the lines and hands out what
// crossed. A path starts to count when its object is confirmed, and then from
// its birth.
func (f *follower) cross(now time.Duration, emit func(line int, o *object, d counting.Direction, at time.Duration)) {
	for i := range f.objects {
		o := &f.objects[i]
		p := o.box.ground()
		if !o.live || o.hits < 4 || math.Hypot(p.x-o.from.x, p.y-o.from.y) < 0.25*min(o.box.h(), o.box.w()) {
			continue
		}
		dead := 0.1 * o.box.h()
		for k := range o.gates {
			g, l := &o.gates[k], &f.lines[k]
			if o.lastAt == o.born {
				g.move(l, o.last, o.last, o.born, o.born, dead)
			}
			if d, ok := g.move(l, o.last, p, o.lastAt, now, dead); ok {
				emit(k, o, d, g.at)
			}
		}
		o.last, o.lastAt = p, now
	}
}

// ghosts drops objects that stand still where the background has the edges and
// the picture has not: what is seen there is the street that something left.
func (f *follower) ghosts(a *arena, now time.Duration) {
	for i := range f.objects {
		o := &f.objects[i]
		if !o.live || now-o.moved < 500*time.Millisecond {
			continue
		}
		w, h := int(f.w), int(f.h)
		x0, x1 := max(int(o.box.x0)-1, 1), min(int(o.box.x1)+2, w-1)
		y0, y1 := max(int(o.box.y0)-1, 1), min(int(o.box.y1)+2, h-1)
		var in, bg int
		for y := y0; y < y1; y++ {
			for x := x0; x < x1; x++ {
				p := y*w + x
				if m := a.raw[p] & different; m != a.raw[p+1]&different || m != a.raw[p+w]&different {
					in += distance(a.now[p+1], a.now[p-1]) + distance(a.now[p+w], a.now[p-w])
					bg += distance(a.bgHi[p+1], a.bgHi[p-1]) + distance(a.bgHi[p+w], a.bgHi[p-w])
				}
			}
		}
		if bg > in+in/4 {
			o.live = false
		}
	}
}

func distance(a, b uint8) int {
	if a < b {
		a, b = b, a
	}
	return int(a - b)
}

// travelled tells whether o has come some way since its birth, on purpose.
func (f *follower) travelled(o *object) bool {
	p := o.box.ground()
	return o.hits >= 6 && math.Hypot(p.x-o.from.x, p.y-o.from.y) > 0.6*min(o.box.w(), o.box.h())
}

// retire drops objects that left, were lost or were followed for too long.
func (f *follower) retire(now, longest time.Duration) {
	for i := range f.objects {
		o := &f.objects[i]
		if !o.live {
			continue
		}
		m := o.box.middle()
		lost := time.Second
		if o.hits < 4 {
			lost = 250 * time.Millisecond
		}
		if now-o.moved > 800*time.Millisecond && !f.travelled(o) {
			o.live = false
			continue
		}
		if now-o.seen > lost || now-o.born > longest || m.x < 0 || m.y < 0 || m.x > f.w || m.y > f.h {
			o.live = false
			continue
		}
		for j := range f.objects {
			q := &f.objects[j]
			if j == i || !q.live || q.hits < o.hits || q.hits == o.hits && j > i {
				continue
			}
			v := o.box.overlap(q.box)
			if v > 0.6*(o.box.area()+q.box.area()-v) || v > 0.8*o.box.area() && !o.established() {
				o.live = false
				break
			}
		}
	}
}
