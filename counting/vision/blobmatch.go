package vision

import (
	"math"
	"time"
)

// Which blobs belong to which track. ppm is pixels per metre.
const (
	minStillBlob = 6    // pixels of a blob that counts although none of it changed of late
	touchPadding = 1.0  // grid pixels around a confirmed track's box,
	youngPadding = 0.3  // and in sides of a square of its area around one that is not confirmed
	touchShare   = 0.25 // of the smaller of box and blob that must overlap
	overlapBonus = 0.01 // added to the intersection over union: a blob that touches is better than none

	establishedViews = 6   // looks seen whole and alone after which a track is established
	giveWayShare     = 0.5 // of a tentative track within the best one: it ends

	vehicleWidth  = 6   // m: most width of a single vehicle,
	vehicleHeight = 5   // m: most height,
	vehicleFill   = 0.4 // least share of its box that its blob fills
	personUpright = 1.5 // height by width from which a track whose class is not judged yet is like a person
)

// matchBlobs assigns blobs to tracks and updates the tracks. dt is seconds since
// the look before.
func (t *blobTracker) matchBlobs(blobs []blob, now time.Duration, dt float64) {
	for k := range blobs {
		t.owners[k] = 0
	}
	for i := range t.tracks {
		o := &t.tracks[i]
		o.blobCount = 0
		if o.live {
			t.chooseBlob(o, blobs)
		}
	}
	for k := range blobs {
		if t.owners[k] > 1 {
			t.resolveShared(k, &blobs[k])
		}
	}
	for i := range t.tracks {
		if o := &t.tracks[i]; o.live && o.blobCount > 0 {
			t.collectBlobs(o, blobs)
			t.updateTrack(o, blobs, now, dt)
		}
	}
}

// chooseBlob gives o the blob with the largest intersection over union.
func (t *blobTracker) chooseBlob(o *blobTrack, blobs []blob) {
	best := 0.0
	for k := range blobs {
		if !t.touchesBlob(o, &blobs[k]) {
			continue
		}
		b := blobs[k].box()
		v := o.box.overlapArea(b)
		v = v/(o.box.area()+b.area()-v) + overlapBonus
		if v > best {
			best = v
			o.blobs[0], o.blobCount = k, 1
		}
	}
	if o.blobCount > 0 {
		t.owners[o.blobs[0]]++
	}
}

// collectBlobs adds the blobs that o touches and no track chose.
func (t *blobTracker) collectBlobs(o *blobTrack, blobs []blob) {
	for k := range blobs {
		if t.owners[k] == 0 && o.blobCount < len(o.blobs) && t.touchesBlob(o, &blobs[k]) {
			o.blobs[o.blobCount] = k
			o.blobCount++
		}
	}
	for _, k := range o.blobs[1:o.blobCount] {
		t.owners[k] = 1
	}
}

// isEstablished reports whether o was seen whole and alone for a while.
func (o *blobTrack) isEstablished() bool { return o.wholeViews >= establishedViews }

// resolveShared decides which of the tracks that chose blob k live on. Tentative
// tracks end where an established one covers them, or, if the blob may be a
// single object, where another fits better.
func (t *blobTracker) resolveShared(k int, b *blob) {
	var best *blobTrack
	fit, established := 0.0, 0
	bb := b.box()
	for i := range t.tracks {
		o := &t.tracks[i]
		if !o.live || o.blobCount == 0 || o.blobs[0] != k {
			continue
		}
		v := o.box.overlapArea(bb) / (o.box.area() + bb.area() - o.box.overlapArea(bb))
		if o.isEstablished() {
			v++ // before all tentative ones
			established++
		}
		if best == nil || v > fit {
			best, fit = o, v
		}
	}
	if established == 0 && !t.fitsOneVehicle(b) {
		return
	}
	for i := range t.tracks {
		o := &t.tracks[i]
		if !o.live || o == best || o.blobCount == 0 || o.blobs[0] != k || o.isEstablished() {
			continue
		}
		if established == 0 || o.box.overlapArea(best.box) > giveWayShare*o.box.area() || established == 1 && t.fitsOneVehicle(b) && !t.isPersonlike(best) {
			o.live = false
			t.owners[k]--
		}
	}
}

// fitsOneVehicle reports whether a blob may be one vehicle or less, by size and
// shape. An uncertain scale widens the limits.
func (t *blobTracker) fitsOneVehicle(b *blob) bool {
	ppm := t.scale.pixelsPerMetre(float64(b.y1)) * math.Exp(t.scale.unsure)
	return b.w() < vehicleWidth*ppm && b.h() < vehicleHeight*ppm && float64(b.area) > vehicleFill*b.w()*b.h()
}

// isPersonlike reports whether o is rather a person than a vehicle.
func (t *blobTracker) isPersonlike(o *blobTrack) bool {
	if o.wholeViews == 0 {
		return o.box.h() > personUpright*o.box.w()
	}
	return o.logLikelihood[personKind] > o.logLikelihood[vehicleKind]
}

// touchesBlob reports whether b may belong to o.
func (t *blobTracker) touchesBlob(o *blobTrack, b *blob) bool {
	if b.active == 0 && b.area < minStillBlob || b.x1 <= b.x0 {
		return false
	}
	bb := b.box()
	pad := touchPadding
	if o.hits < confirmHits {
		pad = youngPadding * math.Sqrt(o.box.area())
	}
	g := box{o.box.x0 - pad, o.box.y0 - pad, o.box.x1 + pad, o.box.y1 + pad}
	return g.overlapArea(bb) > touchShare*min(g.area(), bb.area())
}
