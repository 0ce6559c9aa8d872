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
	parts  int // looks in which it looked like two people
	small  int // looks in which its blob was larger than it
	bound  int // looks in which it moved as one with another object

	tried int                       // pictures that a network saw since it was born
	votes [counting.Classes]float64 // what the network took it for, by score
}

const maxObjects = 64

// usual is how many objects a street's first guess at what is common weighs;
// of those that were followed the latest few times as many weigh in.
const usual = 4

type follower struct {
	w, h    float64
	objects [maxObjects]object
	scale   *scale
	lines   []segment
	owners  [maxBlobs]int       // objects that lay claim to a blob
	passed  []passage           // what crossed in the latest look
	common  [len(kinds)]float64 // how many of each kind were followed of late, and some before all
}

// passage is an object over a line.
type passage struct {
	line   int
	object *object
	dir    counting.Direction
	at     time.Duration
	along  float64 // where on the line
}

func newFollower(w, h int, lines []counting.Line, known []counting.Height) *follower {
	f := &follower{w: float64(w), h: float64(h), scale: newScale(float64(w), float64(h), known)}
	for k := range kinds {
		f.common[k] = usual * kinds[k].prior
	}
	f.passed = make([]passage, 0, maxObjects*len(lines))
	for _, l := range lines {
		f.lines = append(f.lines, newSegment(l, float64(w), float64(h)))
	}
	gates := make([]gate, maxObjects*len(lines))
	for i := range f.objects {
		f.objects[i].gates = gates[i*len(lines) : (i+1)*len(lines)]
	}
	return f
}

// reset forgets all objects.
func (f *follower) reset() {
	for i := range f.objects {
		f.objects[i].live = false
	}
}

// predict moves every object on by its speed. One that had no blob in the look
// before goes where the mask left over in its box went. It must run before the
// mask is renewed.
func (f *follower) predict(a *arena, dt float64) {
	for i := range f.objects {
		o := &f.objects[i]
		if !o.live {
			continue
		}
		px, py := o.vx*dt, o.vy*dt
		if o.n == 0 {
			mx, my, sure := a.shifted(int(f.w), int(f.h), o.box, px, py)
			px += 0.6 * sure * (mx - px)
			py += 0.6 * sure * (my - py)
			o.vx, o.vy = px/dt, py/dt
		}
		o.box = o.box.shift(px, py)
	}
}

// cross moves every object's ground point over the lines and hands out what
// crossed. A path starts to count when its object is confirmed, and then from
// its birth.
func (f *follower) cross(now time.Duration) {
	f.passed = f.passed[:0]
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
				f.passed = append(f.passed, passage{k, o, d, g.at, g.along})
			}
		}
		o.last, o.lastAt = p, now
	}
}

// fuse joins objects that are parts of one vehicle: they touch, move as one,
// faster than people do, and make a vehicle's size together.
func (f *follower) fuse() {
	for i := range f.objects {
		o := &f.objects[i]
		if !o.live || o.hits < 4 {
			continue
		}
		together := false
		for j := range f.objects {
			q := &f.objects[j]
			if j == i || !q.live || q.hits < o.hits || q.hits == o.hits && j > i {
				continue
			}
			u := o.box.union(q.box)
			ppm := f.scale.at(u.y1)
			gap := max(o.box.x0-q.box.x1, q.box.x0-o.box.x1, o.box.y0-q.box.y1, q.box.y0-o.box.y1)
			v := math.Hypot(q.vx, q.vy)
			if gap > 0.2*ppm+1 || u.w() > 2.8*ppm || u.h() > 3*ppm || math.Hypot(o.vx-q.vx, o.vy-q.vy) > 0.15*v ||
				f.scale.speed(q, u.y1) < 2.5 {
				continue
			}
			together = true
			if o.bound++; o.bound >= 5 {
				q.box = u
				o.live = false
			}
			break
		}
		if !together && o.bound > 0 {
			o.bound--
		}
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

// claim marks the pixels that objects cover, so that the background does not
// learn them: 1 under what moves, 2 under what has stopped and is known to be
// there by its pixels' difference alone.
func (f *follower) claim(a *arena, now time.Duration) {
	clear(a.claim)
	w, h := int(f.w), int(f.h)
	for i := range f.objects {
		o := &f.objects[i]
		if !o.live || o.hits < 3 {
			continue
		}
		level := uint8(1)
		if now-o.moved > 300*time.Millisecond {
			level = 2
		}
		x0, x1 := max(int(o.box.x0), 0), min(int(o.box.x1+0.5), w)
		for y := max(int(o.box.y0), 0); y < min(int(o.box.y1+0.5), h); y++ {
			for x := x0; x < x1; x++ {
				a.claim[y*w+x] = max(a.claim[y*w+x], level)
			}
		}
	}
}
