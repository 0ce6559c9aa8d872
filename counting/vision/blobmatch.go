package vision

import (
	"math"
	"time"
)

// matchBlobs gives blobs to objects, renews the objects, and starts new ones.
func (f *blobTracker) matchBlobs(blobs []blob, now time.Duration, dt float64) {
	for k := range blobs {
		f.owners[k] = 0
	}
	for i := range f.tracks {
		o := &f.tracks[i]
		o.blobCount = 0
		if o.live {
			f.chooseBlob(o, blobs)
		}
	}
	for k := range blobs {
		if f.owners[k] > 1 {
			f.resolveShared(k, &blobs[k])
		}
	}
	for i := range f.tracks {
		if o := &f.tracks[i]; o.live && o.blobCount > 0 {
			f.collectBlobs(o, blobs)
			f.updateTrack(o, blobs, now, dt)
		}
	}
}

// chooseBlob finds the blob that fits o best.
func (f *blobTracker) chooseBlob(o *blobTrack, blobs []blob) {
	best := 0.0
	for k := range blobs {
		if !f.touchesBlob(o, &blobs[k]) {
			continue
		}
		b := blobs[k].box()
		v := o.box.overlapArea(b)
		v = v/(o.box.area()+b.area()-v) + 0.01
		if v > best {
			best = v
			o.blobs[0], o.blobCount = k, 1
		}
	}
	if o.blobCount > 0 {
		f.owners[o.blobs[0]]++
	}
}

// collectBlobs adds the blobs that no object chose but this one touches.
func (f *blobTracker) collectBlobs(o *blobTrack, blobs []blob) {
	for k := range blobs {
		if f.owners[k] == 0 && o.blobCount < len(o.blobs) && f.touchesBlob(o, &blobs[k]) {
			o.blobs[o.blobCount] = k
			o.blobCount++
		}
	}
	for _, k := range o.blobs[1:o.blobCount] {
		f.owners[k] = 1
	}
}

// isEstablished objects have been seen whole and alone for a while.
func (o *blobTrack) isEstablished() bool { return o.wholeViews >= 6 }

// resolveShared settles which of the objects that touch a blob live on: tentative
// ones give way to an established one that covers them, or to the one that
// fits best if the blob may be a single thing.
func (f *blobTracker) resolveShared(k int, b *blob) {
	var best *blobTrack
	fit, sure := 0.0, 0
	bb := b.box()
	for i := range f.tracks {
		o := &f.tracks[i]
		if !o.live || o.blobCount == 0 || o.blobs[0] != k {
			continue
		}
		v := o.box.overlapArea(bb) / (o.box.area() + bb.area() - o.box.overlapArea(bb))
		if o.isEstablished() {
			v++
			sure++
		}
		if best == nil || v > fit {
			best, fit = o, v
		}
	}
	if sure == 0 && !f.fitsOneVehicle(b) {
		return
	}
	for i := range f.tracks {
		o := &f.tracks[i]
		if !o.live || o == best || o.blobCount == 0 || o.blobs[0] != k || o.isEstablished() {
			continue
		}
		if sure == 0 || o.box.overlapArea(best.box) > 0.5*o.box.area() || sure == 1 && f.fitsOneVehicle(b) && !f.isPersonlike(best) {
			o.live = false
			f.owners[k]--
		}
	}
}

// fitsOneVehicle tells whether a blob may be one vehicle or less, by size and shape.
func (f *blobTracker) fitsOneVehicle(b *blob) bool {
	ppm := f.scale.pixelsPerMetre(float64(b.y1)) * math.Exp(f.scale.unsure)
	return b.w() < 6*ppm && b.h() < 5*ppm && float64(b.area) > 0.4*b.w()*b.h()
}

func (f *blobTracker) isPersonlike(o *blobTrack) bool {
	if o.wholeViews == 0 {
		return o.box.h() > 1.5*o.box.w()
	}
	return o.logLikelihood[0] > o.logLikelihood[2]
}

func (f *blobTracker) touchesBlob(o *blobTrack, b *blob) bool {
	if b.active == 0 && b.area < 6 || b.x1 <= b.x0 {
		return false
	}
	bb := b.box()
	pad := 1.0
	if o.hits < 4 {
		pad = 0.3 * math.Sqrt(o.box.area())
	}
	g := box{o.box.x0 - pad, o.box.y0 - pad, o.box.x1 + pad, o.box.y1 + pad}
	return g.overlapArea(bb) > 0.25*min(g.area(), bb.area())
}

func (f *blobTracker) updateTrack(o *blobTrack, blobs []blob, now time.Duration, dt float64) {
	o.shared = f.owners[o.blobs[0]] > 1
	m := blobs[o.blobs[0]].box()
	if o.blobCount > 1 {
		m = f.mergeBlobs(o, blobs, now)
	}
	if b := &blobs[o.blobs[0]]; b.fresh*100 <= b.area {
		// It rests: what is left of its blob tells nothing of its outline.
		o.vx, o.vy = 0, 0
		if float64(b.area) > 0.3*o.box.area() {
			o.lastSeen = now
		}
		return
	}
	o.lastSeen = now
	o.lastMoved = now
	o.hits++
	before := o.box
	g := 0.4
	if o.hits < 4 {
		g = 0.7
	}
	big := o.hits > 4 && (m.w() > 1.4*o.box.w()+2 || m.h() > 1.4*o.box.h()+2)
	if big && !o.shared && f.fitsOneVehicle(&blobs[o.blobs[0]]) {
		// It may have been seen in part so far, above all at the picture's edge.
		o.outgrown++
		if !f.isPersonlike(o) || o.outgrown > 5 || f.isClipped(before) {
			big, g = false, 0.25
		}
	} else {
		o.outgrown = 0
	}
	switch {
	case o.shared || big:
		o.box = f.nudgeBox(o.box, m, 0.3)
	default:
		if m.area() < 0.7*o.box.area() {
			g = min(g, 0.15)
		}
		f.classify(o, m, now)
		o.box = box{
			o.box.x0 + g*(m.x0-o.box.x0), o.box.y0 + g*(m.y0-o.box.y0),
			o.box.x1 + g*(m.x1-o.box.x1), o.box.y1 + g*(m.y1-o.box.y1),
		}
	}
	mv, pm := o.box.center(), before.center()
	gv := 0.25
	if o.hits < 4 {
		gv = 0.5
	}
	o.vx += gv * (mv.x - pm.x) / dt
	o.vy += gv * (mv.y - pm.y) / dt
}

// classify judges an object that is seen whole, and lets it vote on the scale.
func (f *blobTracker) classify(o *blobTrack, m box, now time.Duration) {
	if o.hits < 3 || f.isClipped(m) || m.overlapArea(o.box) < 0.6*(m.area()+o.box.area()-m.overlapArea(o.box)) {
		return
	}
	var e [len(kinds)]float64
	f.scale.addLogLikelihoods(m, o.vx, o.vy, &e)
	o.wholeViews++
	g := 1 / float64(min(o.wholeViews, 30))
	for k := range e {
		o.logLikelihood[k] += g * (e[k] - o.logLikelihood[k])
	}
	if o.wholeViews == 12 {
		f.updatePriors(o)
	}
	if o.wholeViews >= 12 && now-o.lastVote > 500*time.Millisecond && f.hasTravelled(o) {
		o.lastVote = now
		f.scale.addVote(m, o.vx, o.vy, 0.3)
	}
}

// updatePriors adds an object to what is common here, by how much it may be of each
// kind.
func (f *blobTracker) updatePriors(o *blobTrack) {
	var p [len(kinds)]float64
	sum, all := 0.0, 0.0
	for k := range kinds {
		p[k] = math.Exp(2*o.logLikelihood[k]) * f.priors[k]
		sum += p[k]
		all += f.priors[k]
	}
	for k := range kinds {
		f.priors[k] += p[k] / (sum + 1e-9)
		if all > 4*priorWeight {
			f.priors[k] = max(f.priors[k]*(1-1/all), priorWeight*kinds[k].prior/2)
		}
	}
}

// isClipped tells whether b is cut off by the picture's edge.
func (f *blobTracker) isClipped(b box) bool {
	return b.x0 <= 1.5 || b.y0 <= 1.5 || b.x1 >= f.w-1.5 || b.y1 >= f.h-1.5
}

// mergeBlobs is the box of several blobs of one object. Blobs that are too large
// and too far apart to be parts of one become objects of their own.
func (f *blobTracker) mergeBlobs(o *blobTrack, blobs []blob, now time.Duration) box {
	main := o.blobs[0]
	best := 0.0
	for _, k := range o.blobs[:o.blobCount] {
		b := blobs[k].box()
		if s := b.overlapArea(o.box) / (b.area() + o.box.area() - b.overlapArea(o.box)); s > best {
			main, best = k, s
		}
	}
	m := blobs[main].box()
	for _, k := range o.blobs[:o.blobCount] {
		b := blobs[k].box()
		if k == main {
			continue
		}
		if f.isPersonSized(b) && f.isPersonSized(m) && f.scale.trackSpeed(o, m.y1) < 2.5 {
			if o.twoPeople++; o.twoPeople >= 4 {
				o.twoPeople = 0
				f.branchTrack(o, m, b, now)
				continue
			}
		} else if o.twoPeople > 0 {
			o.twoPeople--
		}
		if u := m.union(b); u.w() < 1.15*o.box.w()+1 && u.h() < 1.15*o.box.h()+1 && o.hits > 4 {
			m = u
			continue
		}
		part := min(b.w()/m.w(), b.h()/m.h())
		if part > 0.6 && max(b.x0-m.x1, m.x0-b.x1) > -1 || f.isObjectSized(b) && f.isObjectSized(m) {
			f.branchTrack(o, m, b, now)
		} else if u := m.union(b); part <= 0.6 && u.area() < 1.5*m.area() {
			m = u
		}
	}
	return m
}

// isObjectSized tells whether b is large enough to be a thing and not a part of one.
func (f *blobTracker) isObjectSized(b box) bool {
	ppm := f.scale.pixelsPerMetre(b.y1)
	return b.h() > 1.1*ppm && b.w() > 0.35*ppm
}

// isPersonSized tells whether b is as large as a person, by itself.
func (f *blobTracker) isPersonSized(b box) bool {
	ppm, slack := f.scale.pixelsPerMetre(b.y1), math.Exp(f.scale.unsure)
	return b.h() > 1.2*b.w() && b.h() > 1.2*ppm/slack && b.h() < 2.3*ppm*slack && b.w() > 0.3*ppm/slack
}

// branchTrack starts an object at b with the past of o, whose own new box is m.
func (f *blobTracker) branchTrack(o *blobTrack, m, b box, now time.Duration) {
	c := f.startTrack(b, now)
	if c == nil {
		return
	}
	c.vx, c.vy = o.vx, o.vy
	if now-o.born > 2*time.Second || o.isEstablished() && f.isPersonlike(o) {
		return
	}
	g := b.groundPoint()
	p := o.box.groundPoint()
	c.born, c.pathAt = o.born, o.born
	c.origin = point{o.origin.x + g.x - p.x, o.origin.y + g.y - p.y}
	c.path = c.origin
	c.hits = 1
}

// nudgeBox moves b's edges towards m's where they are close, and keeps them elsewhere.
func (f *blobTracker) nudgeBox(b, m box, g float64) box {
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
	return b.shiftedBy(g*dx/max(nx, 1), g*dy/max(ny, 1))
}

// startTracks starts objects on blobs of what no object explains.
func (f *blobTracker) startTracks(blobs []blob, now time.Duration) {
	for k := range blobs {
		b := blobs[k].box()
		ppm := f.scale.pixelsPerMetre(b.y1)
		if blobs[k].active == 0 || blobs[k].area < 12 || b.h() < 0.8*ppm && b.w() < 0.8*ppm || b.w() < 0.25*ppm || b.h() < 0.4*ppm {
			continue
		}
		if float64(blobs[k].area) < 0.3*b.area() {
			continue
		}
		f.startTrack(b, now)
	}
}

func (f *blobTracker) startTrack(b box, now time.Duration) *blobTrack {
	if b.area() < 12 || b.h() < 3 || b.w() < 2 {
		return nil
	}
	for i := range f.tracks {
		o := &f.tracks[i]
		if o.live {
			continue
		}
		clear(o.lineSides)
		*o = blobTrack{live: true, box: b, born: now, lastSeen: now, lastMoved: now, origin: b.groundPoint(), path: b.groundPoint(), pathAt: now, lineSides: o.lineSides}
		return o
	}
	return nil
}

// eraseExplained clears the mask where followed objects are.
func (f *blobTracker) eraseExplained(a *arena) {
	w, h := int(f.w), int(f.h)
	for i := range f.tracks {
		o := &f.tracks[i]
		if !o.live || o.blobCount == 0 {
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
