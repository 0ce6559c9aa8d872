package vision

import (
	"math"
	"time"

	"kerb/counting"
)

// How a track follows its blob. Gains are shares of the way from the box to the
// blob in one look. ppm is pixels per metre.
const (
	boxGain        = 0.4  // of a confirmed track,
	youngBoxGain   = 0.7  // of one that is not confirmed,
	grownGain      = 0.25 // where the blob has outgrown the box,
	shrunkGain     = 0.15 // most, where the blob is smaller than the box by shrunkArea: part of it is hidden
	shrunkArea     = 0.7  // of the box's area
	speedGain      = 0.25 // of the speed of a confirmed track,
	youngSpeedGain = 0.5  // and of one that is not
	sharedGain     = 0.3  // of the edges that are near, for a blob of several objects

	outgrownFactor = 1.4 // of width or height, plus outgrownMargin: the blob is larger than the track
	outgrownMargin = 2   // grid pixels
	outgrownLooks  = 5   // after which a person's box takes the larger size, too
	restPercent    = 1   // of a blob's pixels that change: with fewer the object rests
	restShare      = 0.3 // of the box that its blob must have for a resting track to count as seen

	edgeTolerance = 0.2 // of a side, plus one pixel: a blob's edge as near as that is the track's own
	edgeMargin    = 1.5 // grid pixels from the picture's edge at which a box is cut off

	wholeIoU       = 0.6                    // overlap of blob and box from which the object is seen whole
	maxViews       = 30                     // over which the likelihoods are averaged, at most
	classViews     = 12                     // whole views after which a track weighs in the priors and votes on the scale
	voteInterval   = 500 * time.Millisecond // between two votes of one track
	voteWeight     = 0.3                    // of one vote: the looks at one object resemble each other
	evidenceWeight = 2                      // the looks at one object weigh as much as two that are independent
	priorMemory    = 4                      // × priorWeight objects: from so many on, old ones are forgotten
	priorFloor     = 2                      // the least prior of a kind is its first guess over this

	minPerson    = 1.2  // m: least height of a person,
	maxPerson    = 2.3  // m: most height,
	personWidth  = 0.3  // m: least width,
	personShape  = 1.2  // least height by width
	objectHeight = 1.1  // m: least height of an object that is no part of another,
	objectWidth  = 0.35 // m: and its least width

	twoPeopleLooks = 4    // looks like two people after which one branches off
	joinFactor     = 1.15 // of width and height of a confirmed track, plus one pixel, that its blobs may fill together
	equalPart      = 0.6  // width and height of one blob by the other from which both may be objects of their own
	sideGap        = -1   // grid pixels between two such blobs side by side
	smallPartArea  = 1.5  // of the main blob that it may have together with a small part
)

// updateTrack moves o's box and speed towards its blobs and updates its class.
func (t *blobTracker) updateTrack(o *blobTrack, blobs []blob, now time.Duration, dt float64) {
	o.shared = t.owners[o.blobs[0]] > 1
	m := blobs[o.blobs[0]].box()
	if o.blobCount > 1 {
		m = t.mergeBlobs(o, blobs, now)
	}
	if b := &blobs[o.blobs[0]]; b.fresh*100 <= b.area*restPercent {
		// It rests: the rest of its blob is no measure of its outline.
		o.vx, o.vy = 0, 0
		if float64(b.area) > restShare*o.box.area() {
			o.lastSeen = now
		}
		return
	}
	o.lastSeen = now
	o.lastMoved = now
	o.hits++
	before := o.box
	t.updateBox(o, m, &blobs[o.blobs[0]], now)
	mv, pm := o.box.center(), before.center()
	gv := speedGain
	if o.hits < confirmHits {
		gv = youngSpeedGain
	}
	o.vx += gv * (mv.x - pm.x) / dt
	o.vy += gv * (mv.y - pm.y) / dt
}

// updateBox moves o's box towards m, the box of its blobs, of which b is the best.
func (t *blobTracker) updateBox(o *blobTrack, m box, b *blob, now time.Duration) {
	g := boxGain
	if o.hits < confirmHits {
		g = youngBoxGain
	}
	big := o.hits > confirmHits && (m.w() > outgrownFactor*o.box.w()+outgrownMargin || m.h() > outgrownFactor*o.box.h()+outgrownMargin)
	if big && !o.shared && t.fitsOneVehicle(b) {
		// It may have been seen in part so far, above all at the picture's edge.
		o.outgrown++
		if !t.isPersonlike(o) || o.outgrown > outgrownLooks || t.isClipped(o.box) {
			big, g = false, grownGain
		}
	} else {
		o.outgrown = 0
	}
	switch {
	case o.shared || big:
		o.box = nudgeBox(o.box, m, sharedGain)
	default:
		if m.area() < shrunkArea*o.box.area() {
			g = min(g, shrunkGain)
		}
		t.classify(o, m, now)
		if !t.isClipped(m) {
			// The blob, not the box: that lags behind while a young track learns its speed.
			g := m.groundPoint()
			o.trail.add(counting.Point{X: g.x / t.w, Y: g.y / t.h}, now)
		}
		o.box = box{
			o.box.x0 + g*(m.x0-o.box.x0), o.box.y0 + g*(m.y0-o.box.y0),
			o.box.x1 + g*(m.x1-o.box.x1), o.box.y1 + g*(m.y1-o.box.y1),
		}
	}
}

// classify updates the mean log-likelihoods of an object that is seen whole, and
// lets it vote on the scale.
func (t *blobTracker) classify(o *blobTrack, m box, now time.Duration) {
	if o.hits < coverHits || t.isClipped(m) || m.overlapArea(o.box) < wholeIoU*(m.area()+o.box.area()-m.overlapArea(o.box)) {
		return
	}
	var e [len(kinds)]float64
	t.scale.addLogLikelihoods(m, o.vx, o.vy, &e)
	o.wholeViews++
	g := 1 / float64(min(o.wholeViews, maxViews))
	for k := range e {
		o.logLikelihood[k] += g * (e[k] - o.logLikelihood[k])
	}
	if o.wholeViews == classViews {
		t.updatePriors(o)
	}
	if o.wholeViews >= classViews && now-o.lastVote > voteInterval && t.hasTravelled(o) {
		o.lastVote = now
		t.scale.addVote(m, o.vx, o.vy, voteWeight)
	}
}

// updatePriors adds an object to the class priors, to each kind by the posterior
// probability that it is of it. When the sum exceeds the memory, every kind
// loses a share, but keeps half of its first guess.
func (t *blobTracker) updatePriors(o *blobTrack) {
	const tiny = 1e-9 // against a division by 0
	var p [len(kinds)]float64
	sum, all := 0.0, 0.0
	for k := range kinds {
		p[k] = math.Exp(evidenceWeight*o.logLikelihood[k]) * t.priors[k]
		sum += p[k]
		all += t.priors[k]
	}
	for k := range kinds {
		t.priors[k] += p[k] / (sum + tiny)
		if all > priorMemory*priorWeight {
			t.priors[k] = max(t.priors[k]*(1-1/all), priorWeight*kinds[k].prior/priorFloor)
		}
	}
}

// isClipped reports whether the picture's edge cuts b off.
func (t *blobTracker) isClipped(b box) bool {
	return b.x0 <= edgeMargin || b.y0 <= edgeMargin || b.x1 >= t.w-edgeMargin || b.y1 >= t.h-edgeMargin
}

// mergeBlobs returns the box of several blobs of one track. A blob that is too
// large and too far off to be a part of the object becomes a track of its own.
func (t *blobTracker) mergeBlobs(o *blobTrack, blobs []blob, now time.Duration) box {
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
		if t.isPersonSized(b) && t.isPersonSized(m) && t.scale.trackSpeed(o, m.y1) < walkerSpeed {
			if o.twoPeople++; o.twoPeople >= twoPeopleLooks {
				o.twoPeople = 0
				t.branchTrack(o, b, now)
				continue
			}
		} else if o.twoPeople > 0 {
			o.twoPeople--
		}
		if u := m.union(b); u.w() < joinFactor*o.box.w()+1 && u.h() < joinFactor*o.box.h()+1 && o.hits > confirmHits {
			m = u
			continue
		}
		part := min(b.w()/m.w(), b.h()/m.h())
		if part > equalPart && max(b.x0-m.x1, m.x0-b.x1) > sideGap || t.isObjectSized(b) && t.isObjectSized(m) {
			t.branchTrack(o, b, now)
		} else if u := m.union(b); part <= equalPart && u.area() < smallPartArea*m.area() {
			m = u
		}
	}
	return m
}

// isObjectSized reports whether b is large enough to be an object and not a part
// of one.
func (t *blobTracker) isObjectSized(b box) bool {
	ppm := t.scale.pixelsPerMetre(b.y1)
	return b.h() > objectHeight*ppm && b.w() > objectWidth*ppm
}

// isPersonSized reports whether b has the size and shape of a person. An uncertain
// scale widens the limits.
func (t *blobTracker) isPersonSized(b box) bool {
	ppm, slack := t.scale.pixelsPerMetre(b.y1), math.Exp(t.scale.unsure)
	return b.h() > personShape*b.w() && b.h() > minPerson*ppm/slack && b.h() < maxPerson*ppm*slack && b.w() > personWidth*ppm/slack
}

// nudgeBox moves b by the mean shift, times g, of those of its edges that are near
// to m's. Its size stays.
func nudgeBox(b, m box, g float64) box {
	tx, ty := edgeTolerance*b.w()+1, edgeTolerance*b.h()+1
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
