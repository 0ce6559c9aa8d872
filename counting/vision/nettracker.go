package vision

import (
	"math"
	"time"

	"kerb/counting"
)

// Following what a network detects: a Kalman filter per coordinate and
// assignment by overlap, sure detections first and doubtful ones second, after
// SORT (Bewley et al. 2016, arXiv 1602.00763) and ByteTrack (Zhang et al.
// 2022, arXiv 2110.06864). Geometry alone: no appearance is described.
const (
	lowScore  = 0.10 // from here a detection may continue a track
	highScore = 0.30 // from here it may begin one

	maxUnseen        = 1200 * time.Millisecond // a believed track lives on unseen so long,
	maxAdvected      = 2500 * time.Millisecond // or so long while its pixels tell where it goes
	advectionRecency = 250 * time.Millisecond  // and have told so lately

	gateDistance2  = 16.0 // squared deviations beyond which only overlap convinces
	gateIoU        = 0.5  // overlap that does
	classChangeIoU = 0.3  // overlap below which a class does not change to another
	maxSizeRatio   = 2.5  // by which a size may differ

	duplicateIoU   = 0.4 // overlap from which an unseen track is the same as a seen one,
	duplicateSpeed = 0.5 // if it moves alike, in heights per second
)

// maxTracks bounds a picture; what comes beyond is not followed.
const maxTracks = 128

// netTracker follows the detections of one camera.
type netTracker struct {
	lines  []segment
	w, h   float64 // of the picture
	tracks [maxTracks]netTrack

	pairs          assignment
	rows, cols, of [maxTracks]int // which tracks and detections it is about, and what it says
}

func newNetTracker(lines []segment, w, h float64) *netTracker {
	t := &netTracker{lines: lines, w: w, h: h}
	for i := range t.tracks {
		t.tracks[i].lineSides = make([]trackLineSide, len(lines))
	}
	return t
}

// emitter takes a crossing: of which line, where on it, as what, which way and when.
type emitter func(line int, along float64, k *netTrack, d counting.Direction, at time.Duration)

// step continues the tracks with what was seen at now, dt seconds after the
// last look, and hands out what crossed a line. No track outlives longest.
func (t *netTracker) step(seen []detection, now time.Duration, dt float64, longest time.Duration, emit emitter) {
	t.predictTracks(dt)
	t.updateTracks(seen, now, longest)
	t.detectCrossings(now, emit)
}

// predictTracks moves every track on by dt seconds.
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

// updateTracks continues the tracks with what was seen at now.
func (t *netTracker) updateTracks(seen []detection, now, longest time.Duration) {
	t.assignDetections(seen, highScore, now)
	t.assignDetections(seen, lowScore, now)
	for i := range seen {
		if d := &seen[i]; d.score >= highScore && !d.assigned && !t.isTracked(d) {
			t.startTrack(d, now)
		}
	}
	t.dropDuplicates()
	t.retireTracks(now, longest)
}

// assignDetections pairs tracks with unused detections of at least that score so that
// all together fit best.
func (t *netTracker) assignDetections(seen []detection, least float64, now time.Duration) {
	rows, cols := 0, 0
	for j := range seen {
		if d := &seen[j]; !d.assigned && d.score >= least && cols < maxTracks {
			t.cols[cols] = j
			cols++
		}
	}
	for i := range t.tracks {
		if k := &t.tracks[i]; k.live && !k.matched {
			t.rows[rows] = i
			for c := range cols {
				f := t.matchScore(k, &seen[t.cols[c]], seen)
				t.pairs.value[rows][c] = f * f // one good fit before two poor ones
			}
			rows++
		}
	}
	t.pairs.solve(rows, cols, &t.of)
	for r := range rows {
		if t.of[r] < 0 {
			continue
		}
		k, d := &t.tracks[t.rows[r]], &seen[t.cols[t.of[r]]]
		k.correct(d, t.completeBox(k, d, seen), now)
		d.assigned = true
	}
}

// matchScore is how well a detection continues the track: above 0 if it may.
func (t *netTracker) matchScore(k *netTrack, d *detection, seen []detection) float64 {
	v := k.box().iou(d.box)
	if !sameFamily(k.majorityClass(), d.class) && v < classChangeIoU {
		return 0
	}
	if r := d.box.h() / max(k.h, 1); r > maxSizeRatio || r < 1/maxSizeRatio {
		return 0
	}
	g := t.completeBox(k, d, seen).groundPoint()
	r := measurementNoise * max(k.h, d.box.h())
	m := k.x.mahalanobis2(g.x, r) + k.y.mahalanobis2(g.y, r)
	if m > gateDistance2 && v < gateIoU {
		return 0
	}
	return v + math.Exp(-m/8)
}

// completeBox is the box that a detected object most likely fills: where a nearer
// object or the picture's edge cuts it, the track knows how large it was.
func (t *netTracker) completeBox(k *netTrack, d *detection, seen []detection) box {
	const edge = 2 // pixels
	b := d.box
	if !k.isConfirmed() {
		return b
	}
	if b.y1 > t.h-edge && b.y0 > edge || isOccluded(b, seen) {
		b.y1 = max(b.y1, b.y0+k.h)
	}
	switch left, right := b.x0 < edge, b.x1 > t.w-edge; {
	case left && !right:
		b.x0 = min(b.x0, b.x1-k.w)
	case right && !left:
		b.x1 = max(b.x1, b.x0+k.w)
	}
	return b
}

// isOccluded reports whether something nearer stands before the lower end of b:
// its foot is lower in the picture, its top above b's foot.
func isOccluded(b box, seen []detection) bool {
	for i := range seen {
		o := &seen[i].box
		if seen[i].score >= highScore && o.y1 > b.y1+0.15*b.h() && o.y0 < b.y1-0.05*b.h() && o.y0 > b.y0+0.25*b.h() &&
			min(o.x1, b.x1)-max(o.x0, b.x0) > 0.5*b.w() {
			return true
		}
	}
	return false
}

// isTracked reports whether a detection is most likely another opinion of what
// is followed already.
func (t *netTracker) isTracked(d *detection) bool {
	for i := range t.tracks {
		if k := &t.tracks[i]; k.live && k.matched && sameFamily(k.majorityClass(), d.class) && k.box().iou(d.box) > sameObjectIoU {
			return true
		}
	}
	return false
}

func (t *netTracker) startTrack(d *detection, now time.Duration) {
	for i := range t.tracks {
		if k := &t.tracks[i]; !k.live {
			k.startAt(d, now)
			return
		}
	}
}

// dropDuplicates ends unseen tracks that are another opinion of one that is seen and
// moves alike. Who passes behind another moves otherwise, and stays.
func (t *netTracker) dropDuplicates() {
	for i := range t.tracks {
		k := &t.tracks[i]
		if !k.live || k.matched {
			continue
		}
		for j := range t.tracks {
			o := &t.tracks[j]
			if o.live && o.matched && o.scoreSum > k.scoreSum && sameFamily(k.majorityClass(), o.majorityClass()) && k.box().iou(o.box()) > duplicateIoU && k.velocityDifference(o) < duplicateSpeed*o.h {
				k.live = false
				break
			}
		}
	}
}

// retireTracks ends the tracks that are lost and those that have lived longest.
func (t *netTracker) retireTracks(now, longest time.Duration) {
	for i := range t.tracks {
		k := &t.tracks[i]
		unseen := now - k.seen
		if unseen > maxUnseen && now-k.advectedAt > advectionRecency || unseen > maxAdvected || unseen > maxUnseen/2 && !k.isConfirmed() || now-k.born > longest {
			k.live = false
		}
	}
}
