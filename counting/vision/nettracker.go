package vision

import (
	"math"
	"time"

	"kerb/counting"
)

// Tracking of a network's detections: a Kalman filter per coordinate and assignment
// by overlap, detections of a high score first and those of a low score second, after
// SORT (Bewley et al. 2016, arXiv 1602.00763) and ByteTrack (Zhang et al. 2022,
// arXiv 2110.06864). Geometry alone is used, no appearance. The numbers were chosen
// like those of nettrack.go.
const (
	lowScore  = 0.10 // from here a detection may continue a track
	highScore = 0.30 // from here it may start one

	maxUnseen        = 1200 * time.Millisecond // that a confirmed track lives without a detection,
	maxAdvected      = 2500 * time.Millisecond // and while the shift of its pixels is measured,
	advectionRecency = 250 * time.Millisecond  // at least so lately

	gateDistance2  = 16.0 // squared standard deviations: beyond this gate only overlap assigns,
	gateIoU        = 0.5  // from so much on
	fitDecay       = 8    // squared standard deviations in which the fit by distance falls to 1/e
	classChangeIoU = 0.3  // least overlap with a detection of another class
	maxSizeRatio   = 2.5  // of the heights of track and detection

	partOverlap = 0.25 // of the smaller box, from which a new heavy vehicle is a part of one that is tracked

	duplicateIoU   = 0.3 // from which a track without a detection duplicates one with,
	walkersIoU     = 0.8 // the same for people, who hide each other while they walk abreast,
	duplicateSpeed = 0.5 // if their speeds differ by less, in heights per second
)

// When something nearer hides the lower end of a detection. Parts of its height or
// width.
const (
	nearerFoot  = 0.15 // the nearer object's foot is at least so much lower,
	nearerHead  = 0.05 // its upper edge at least so much above the hidden foot,
	nearerTop   = 0.25 // and at least so much below the hidden object's upper edge
	nearerWidth = 0.5  // and it covers at least so much of the width
)

// pictureEdge is how near to the picture's edge a detection is cut off, in pixels.
const pictureEdge = 2

// maxTracks bounds the tracks and the detections of one picture. More are ignored.
const maxTracks = 128

// netTracker tracks the detections of one camera.
type netTracker struct {
	lines  []segment
	w, h   float64 // of the picture
	tracks [maxTracks]netTrack

	pairs          assignment
	rows, cols, of [maxTracks]int // the assignment's tracks, its detections, and its result
}

func newNetTracker(lines []segment, w, h float64) *netTracker {
	t := &netTracker{lines: lines, w: w, h: h}
	for i := range t.tracks {
		t.tracks[i].lineSides = make([]trackLineSide, len(lines))
	}
	return t
}

// slotOf is the index of a track.
func (t *netTracker) slotOf(k *netTrack) int {
	for i := range t.tracks {
		if k == &t.tracks[i] {
			return i
		}
	}
	return -1
}

// emitter receives a crossing: the line, the place on it (0–1), the track, the
// direction and the time.
type emitter func(line int, along float64, k *netTrack, d counting.Direction, at time.Duration)

// predictTracks advances every track by dt seconds. After a pause longer than
// maxUnseen all end.
func (t *netTracker) predictTracks(dt float64) {
	for i := range t.tracks {
		k := &t.tracks[i]
		k.matched = false
		k.live = k.live && dt < maxUnseen.Seconds()
		if k.live {
			k.predict(dt)
		}
	}
}

// updateTracks continues the tracks with the detections of the picture at now, starts
// and ends tracks. No track lives longer than longest.
func (t *netTracker) updateTracks(found []detection, now, longest time.Duration) {
	t.assignDetections(found, highScore, now)
	t.assignDetections(found, lowScore, now)
	for i := range found {
		if d := &found[i]; d.score >= highScore && !d.assigned && !t.isTracked(d) {
			t.startTrack(d, now)
		}
	}
	t.dropDuplicates()
	t.retireTracks(now, longest)
}

// assignDetections pairs the unmatched tracks with the unassigned detections of at
// least that score, so that the sum of squared match scores is greatest: one good
// match before two poor ones. The plain sum counted 2 % worse over sixty variants of
// the clips.
func (t *netTracker) assignDetections(found []detection, minScore float64, now time.Duration) {
	rows, cols := 0, 0
	for j := range found {
		if d := &found[j]; !d.assigned && d.score >= minScore && cols < maxTracks {
			t.cols[cols] = j
			cols++
		}
	}
	for i := range t.tracks {
		if k := &t.tracks[i]; k.live && !k.matched {
			t.rows[rows] = i
			for c := range cols {
				f := t.matchScore(k, &found[t.cols[c]], found)
				t.pairs.value[rows][c] = f * f
			}
			rows++
		}
	}
	t.pairs.solve(rows, cols, &t.of)
	for r := range rows {
		if t.of[r] < 0 {
			continue
		}
		k, d := &t.tracks[t.rows[r]], &found[t.cols[t.of[r]]]
		k.correct(d, t.completeBox(k, d, found), now)
		if !t.isCut(d.box) {
			g := d.box.groundPoint()
			k.trail.add(counting.Point{X: g.x / t.w, Y: g.y / t.h}, now)
		}
		d.assigned, d.track = true, k
	}
}

// matchScore is how well a detection continues a track: 0 if it may not, else the
// overlap plus a term that falls with the Mahalanobis distance, at most 2.
func (t *netTracker) matchScore(k *netTrack, d *detection, found []detection) float64 {
	v := k.box().iou(d.box)
	if !sameFamily(k.majorityClass(), d.class) && v < classChangeIoU {
		return 0
	}
	if r := d.box.h() / max(k.h, 1); r > maxSizeRatio || r < 1/maxSizeRatio {
		return 0
	}
	g := t.completeBox(k, d, found).groundPoint()
	r := measurementNoise * max(k.h, d.box.h())
	m := k.x.mahalanobis2(g.x, r) + k.y.mahalanobis2(g.y, r)
	if m > gateDistance2 && v < gateIoU {
		return 0
	}
	return v + math.Exp(-m/fitDecay)
}

// completeBox is the box of the whole detected object: where a nearer object or the
// picture's edge cuts the detection off, the track's size completes it.
func (t *netTracker) completeBox(k *netTrack, d *detection, found []detection) box {
	b := d.box
	if !k.isConfirmed() {
		return b
	}
	if b.y1 > t.h-pictureEdge && b.y0 > pictureEdge || isOccluded(b, found) {
		b.y1 = max(b.y1, b.y0+k.h)
	}
	switch left, right := b.x0 < pictureEdge, b.x1 > t.w-pictureEdge; {
	case left && !right:
		b.x0 = min(b.x0, b.x1-k.w)
	case right && !left:
		b.x1 = max(b.x1, b.x0+k.w)
	}
	return b
}

// isCut reports whether the picture's edge cuts b off.
func (t *netTracker) isCut(b box) bool {
	return b.x0 < pictureEdge || b.y0 < pictureEdge || b.x1 > t.w-pictureEdge || b.y1 > t.h-pictureEdge
}

// isOccluded reports whether a nearer object hides the lower end of b.
func isOccluded(b box, found []detection) bool {
	for i := range found {
		o := &found[i].box
		if found[i].score >= highScore && o.y1 > b.y1+nearerFoot*b.h() && o.y0 < b.y1-nearerHead*b.h() && o.y0 > b.y0+nearerTop*b.h() &&
			min(o.x1, b.x1)-max(o.x0, b.x0) > nearerWidth*b.w() {
			return true
		}
	}
	return false
}

// isTracked reports whether a detection most likely duplicates a track that has one.
func (t *netTracker) isTracked(d *detection) bool {
	for i := range t.tracks {
		if k := &t.tracks[i]; k.live && k.matched && sameFamily(k.majorityClass(), d.class) && k.box().iou(d.box) > sameObjectIoU {
			d.track = k
			return true
		}
	}
	return false
}

// startTrack starts a track in a free slot, if there is one.
func (t *netTracker) startTrack(d *detection, now time.Duration) {
	for i := range t.tracks {
		if k := &t.tracks[i]; !k.live {
			whole := trackID{i, now}
			if o := t.longVehicleAt(d); o != nil {
				whole = o.whole
			}
			k.startAt(d, now)
			k.whole = whole
			d.track = k
			return
		}
	}
}

// longVehicleAt is the track of a heavy vehicle of which d is most likely a part: a detector
// sees a vehicle that is longer than its boxes as several, one behind the other, and no
// other can appear within it. nil: none.
func (t *netTracker) longVehicleAt(d *detection) *netTrack {
	if d.class != counting.Heavy {
		return nil
	}
	for i := range t.tracks {
		k := &t.tracks[i]
		if !k.live || !k.matched || !k.isConfirmed() || !k.mayBeHeavy() {
			continue
		}
		if b := k.box(); b.overlapArea(d.box) > partOverlap*min(b.area(), d.box.area()) {
			return k
		}
	}
	return nil
}

// dropDuplicates ends tracks without a detection that overlap a track with one and
// move alike. An object that passes behind another moves otherwise, and its track
// lives on.
func (t *netTracker) dropDuplicates() {
	for i := range t.tracks {
		k := &t.tracks[i]
		if !k.live || k.matched {
			continue
		}
		least := duplicateIoU
		if k.majorityClass() == counting.Person {
			least = walkersIoU
		}
		for j := range t.tracks {
			o := &t.tracks[j]
			if o.live && o.matched && o.scoreSum > k.scoreSum && sameFamily(k.majorityClass(), o.majorityClass()) &&
				k.box().iou(o.box()) > least && k.velocityDifference(o) < duplicateSpeed*o.h {
				k.live = false
				break
			}
		}
	}
}

// retireTracks ends the tracks that are lost and those that are older than longest.
// One that is not confirmed is lost in half the time.
func (t *netTracker) retireTracks(now, longest time.Duration) {
	for i := range t.tracks {
		k := &t.tracks[i]
		unseen := now - k.lastSeen
		if unseen > maxUnseen && now-k.advectedAt > advectionRecency || unseen > maxAdvected ||
			unseen > maxUnseen/2 && !k.isConfirmed() || now-k.born > longest {
			k.live = false
		}
	}
}
