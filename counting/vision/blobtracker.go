package vision

import (
	"math"
	"time"

	"kerb/counting"
)

// box is an upright rectangle on the working grid.
type box struct{ x0, y0, x1, y1 float64 }

func (b box) w() float64                 { return b.x1 - b.x0 }
func (b box) h() float64                 { return b.y1 - b.y0 }
func (b box) area() float64              { return max(b.w(), 0) * max(b.h(), 0) }
func (b box) groundPoint() point         { return point{(b.x0 + b.x1) / 2, b.y1} }
func (b box) center() point              { return point{(b.x0 + b.x1) / 2, (b.y0 + b.y1) / 2} }
func (b box) shiftedBy(x, y float64) box { return box{b.x0 + x, b.y0 + y, b.x1 + x, b.y1 + y} }

func (b box) overlapArea(c box) float64 {
	return max(min(b.x1, c.x1)-max(b.x0, c.x0), 0) * max(min(b.y1, c.y1)-max(b.y0, c.y0), 0)
}

func (b box) union(c box) box {
	return box{min(b.x0, c.x0), min(b.y0, c.y0), max(b.x1, c.x1), max(b.y1, c.y1)}
}

func (b blob) box() box {
	return box{float64(b.x0), float64(b.y0), float64(b.x1), float64(b.y1)}
}

// blobTrack is something that moves or has moved. It is known by its geometry
// alone and forgotten with its slot.
type blobTrack struct {
	live          bool
	box           box
	vx, vy        float64 // grid pixels per second
	born          time.Duration
	lastSeen      time.Duration // last look with a blob
	hits          int
	origin        point // ground where it was born
	path          point // where the path over the lines has got to
	pathAt        time.Duration
	lastMoved     time.Duration // last look in which its pixels changed
	lineSides     []lineSide
	logLikelihood [len(kinds)]float64 // mean log-likelihood over the looks it was seen whole
	wholeViews    int
	lastVote      time.Duration
	blobs         [4]int
	blobCount     int
	shared        bool
	twoPeople     int // looks in which it looked like two people
	outgrown      int // looks in which its blob was larger than it
	joined        int // looks in which it moved as one with another object

	networkLooks int                       // pictures that a network saw since it was born
	votes        [counting.Classes]float64 // what the network took it for, by score
}

const maxBlobTracks = 64

// priorWeight is how many objects a street's first guess at what is common weighs;
// of those that were followed the latest few times as many weigh in.
const priorWeight = 4

type blobTracker struct {
	w, h      float64
	tracks    [maxBlobTracks]blobTrack
	scale     *scale
	lines     []segment
	owners    [maxBlobs]int       // objects that lay claim to a blob
	crossings []blobCrossing      // what crossed in the latest look
	priors    [len(kinds)]float64 // how many of each kind were followed of late, and some before all
}

// blobCrossing is an object over a line.
type blobCrossing struct {
	line  int
	track *blobTrack
	dir   counting.Direction
	at    time.Duration
	along float64 // where on the line
}

func newBlobTracker(w, h int, lines []counting.Line, known []counting.Height) *blobTracker {
	f := &blobTracker{w: float64(w), h: float64(h), scale: newScale(float64(w), float64(h), known)}
	for k := range kinds {
		f.priors[k] = priorWeight * kinds[k].prior
	}
	f.crossings = make([]blobCrossing, 0, maxBlobTracks*len(lines))
	for _, l := range lines {
		f.lines = append(f.lines, newSegment(l, float64(w), float64(h)))
	}
	gates := make([]lineSide, maxBlobTracks*len(lines))
	for i := range f.tracks {
		f.tracks[i].lineSides = gates[i*len(lines) : (i+1)*len(lines)]
	}
	return f
}

// forgetTracks forgets all objects.
func (f *blobTracker) forgetTracks() {
	for i := range f.tracks {
		f.tracks[i].live = false
	}
}

// predictTracks moves every object on by its speed. One that had no blob in the look
// before goes where the mask left over in its box went. It must run before the
// mask is renewed.
func (f *blobTracker) predictTracks(a *arena, dt float64) {
	for i := range f.tracks {
		o := &f.tracks[i]
		if !o.live {
			continue
		}
		px, py := o.vx*dt, o.vy*dt
		if o.blobCount == 0 {
			mx, my, sure := a.estimateShift(int(f.w), int(f.h), o.box, px, py)
			px += 0.6 * sure * (mx - px)
			py += 0.6 * sure * (my - py)
			o.vx, o.vy = px/dt, py/dt
		}
		o.box = o.box.shiftedBy(px, py)
	}
}

// detectCrossings moves every object's ground point over the lines and hands out what
// crossed. A path starts to count when its object is confirmed, and then from
// its birth.
func (f *blobTracker) detectCrossings(now time.Duration) {
	f.crossings = f.crossings[:0]
	for i := range f.tracks {
		o := &f.tracks[i]
		p := o.box.groundPoint()
		if !o.live || o.hits < 4 || math.Hypot(p.x-o.origin.x, p.y-o.origin.y) < 0.25*min(o.box.h(), o.box.w()) {
			continue
		}
		dead := 0.1 * o.box.h()
		for k := range o.lineSides {
			g, l := &o.lineSides[k], &f.lines[k]
			if o.pathAt == o.born {
				g.advancePath(l, o.path, o.path, o.born, o.born, dead)
			}
			if d, ok := g.advancePath(l, o.path, p, o.pathAt, now, dead); ok {
				f.crossings = append(f.crossings, blobCrossing{k, o, d, g.at, g.along})
			}
		}
		o.path, o.pathAt = p, now
	}
}

// mergeVehicleParts joins objects that are parts of one vehicle: they touch, move as one,
// faster than people do, and make a vehicle's size together.
func (f *blobTracker) mergeVehicleParts() {
	for i := range f.tracks {
		o := &f.tracks[i]
		if !o.live || o.hits < 4 {
			continue
		}
		together := false
		for j := range f.tracks {
			q := &f.tracks[j]
			if j == i || !q.live || q.hits < o.hits || q.hits == o.hits && j > i {
				continue
			}
			u := o.box.union(q.box)
			ppm := f.scale.pixelsPerMetre(u.y1)
			gap := max(o.box.x0-q.box.x1, q.box.x0-o.box.x1, o.box.y0-q.box.y1, q.box.y0-o.box.y1)
			v := math.Hypot(q.vx, q.vy)
			if gap > 0.2*ppm+1 || u.w() > 2.8*ppm || u.h() > 3*ppm || math.Hypot(o.vx-q.vx, o.vy-q.vy) > 0.15*v ||
				f.scale.trackSpeed(q, u.y1) < 2.5 {
				continue
			}
			together = true
			if o.joined++; o.joined >= 5 {
				q.box = u
				o.live = false
			}
			break
		}
		if !together && o.joined > 0 {
			o.joined--
		}
	}
}

// dropGhosts drops objects that stand still where the background has the edges and
// the picture has not: what is seen there is the street that something left.
func (f *blobTracker) dropGhosts(a *arena, now time.Duration) {
	for i := range f.tracks {
		o := &f.tracks[i]
		if !o.live || now-o.lastMoved < 500*time.Millisecond {
			continue
		}
		w, h := int(f.w), int(f.h)
		x0, x1 := max(int(o.box.x0)-1, 1), min(int(o.box.x1)+2, w-1)
		y0, y1 := max(int(o.box.y0)-1, 1), min(int(o.box.y1)+2, h-1)
		var in, bg int
		for y := y0; y < y1; y++ {
			for x := x0; x < x1; x++ {
				p := y*w + x
				if m := a.evidence[p] & different; m != a.evidence[p+1]&different || m != a.evidence[p+w]&different {
					in += absDiff(a.now[p+1], a.now[p-1]) + absDiff(a.now[p+w], a.now[p-w])
					bg += absDiff(a.bgHi[p+1], a.bgHi[p-1]) + absDiff(a.bgHi[p+w], a.bgHi[p-w])
				}
			}
		}
		if bg > in+in/4 {
			o.live = false
		}
	}
}

// hasTravelled tells whether o has come some way since its birth, on purpose.
func (f *blobTracker) hasTravelled(o *blobTrack) bool {
	p := o.box.groundPoint()
	return o.hits >= 6 && math.Hypot(p.x-o.origin.x, p.y-o.origin.y) > 0.6*min(o.box.w(), o.box.h())
}

// retireTracks drops objects that left, were lost or were followed for too long.
func (f *blobTracker) retireTracks(now, longest time.Duration) {
	for i := range f.tracks {
		o := &f.tracks[i]
		if !o.live {
			continue
		}
		m := o.box.center()
		lost := time.Second
		if o.hits < 4 {
			lost = 250 * time.Millisecond
		}
		if now-o.lastMoved > 800*time.Millisecond && !f.hasTravelled(o) {
			o.live = false
			continue
		}
		if now-o.lastSeen > lost || now-o.born > longest || m.x < 0 || m.y < 0 || m.x > f.w || m.y > f.h {
			o.live = false
			continue
		}
		for j := range f.tracks {
			q := &f.tracks[j]
			if j == i || !q.live || q.hits < o.hits || q.hits == o.hits && j > i {
				continue
			}
			v := o.box.overlapArea(q.box)
			if v > 0.6*(o.box.area()+q.box.area()-v) || v > 0.8*o.box.area() && !o.isEstablished() {
				o.live = false
				break
			}
		}
	}
}

// markCovered marks the pixels that objects cover, so that the background does not
// learn them: 1 under what moves, 2 under what has stopped and is known to be
// there by its pixels' difference alone.
func (f *blobTracker) markCovered(a *arena, now time.Duration) {
	clear(a.covered)
	w, h := int(f.w), int(f.h)
	for i := range f.tracks {
		o := &f.tracks[i]
		if !o.live || o.hits < 3 {
			continue
		}
		level := uint8(1)
		if now-o.lastMoved > 300*time.Millisecond {
			level = 2
		}
		x0, x1 := max(int(o.box.x0), 0), min(int(o.box.x1+0.5), w)
		for y := max(int(o.box.y0), 0); y < min(int(o.box.y1+0.5), h); y++ {
			for x := x0; x < x1; x++ {
				a.covered[y*w+x] = max(a.covered[y*w+x], level)
			}
		}
	}
}
