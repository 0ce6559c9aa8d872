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
	doubtful = 0.10 // from here a detection may continue a track
	sure     = 0.30 // from here it may begin one

	coast     = 1200 * time.Millisecond // a believed track lives on unseen so long,
	carryMost = 2500 * time.Millisecond // or so long while its pixels tell where it goes
	carried   = 250 * time.Millisecond  // and have told so lately

	strange = 16.0 // squared deviations beyond which only overlap convinces
	overlay = 0.5  // overlap that does
	another = 0.3  // overlap below which a class does not change to another
	stretch = 2.5  // by which a size may differ

	same    = 0.4 // overlap from which an unseen track is the same as a seen one,
	abreast = 0.5 // if it moves alike, in heights per second
)

// maxTracks bounds a picture; what comes beyond is not followed.
const maxTracks = 128

// tracker follows the detections of one camera.
type tracker struct {
	lines  []segment
	w, h   float64 // of the picture
	tracks [maxTracks]track

	pairs          pairing
	rows, cols, of [maxTracks]int // which tracks and detections it is about, and what it says
}

func newTracker(lines []segment, w, h float64) *tracker {
	t := &tracker{lines: lines, w: w, h: h}
	for i := range t.tracks {
		t.tracks[i].transits = make([]transit, len(lines))
	}
	return t
}

// emitter takes a crossing: of which line, where on it, as what, which way and when.
type emitter func(line int, along float64, k *track, d counting.Direction, at time.Duration)

// step continues the tracks with what was seen at now, dt seconds after the
// last look, and hands out what crossed a line. No track outlives longest.
func (t *tracker) step(seen []detection, now time.Duration, dt float64, longest time.Duration, emit emitter) {
	t.predict(dt)
	t.update(seen, now, longest)
	t.cross(now, emit)
}

// predict moves every track on by dt seconds.
func (t *tracker) predict(dt float64) {
	for i := range t.tracks {
		k := &t.tracks[i]
		k.taken = false
		k.live = k.live && dt < coast.Seconds()
		if k.live {
			k.predict(dt)
		}
	}
}

// update continues the tracks with what was seen at now.
func (t *tracker) update(seen []detection, now, longest time.Duration) {
	t.assign(seen, sure, now)
	t.assign(seen, doubtful, now)
	for i := range seen {
		if d := &seen[i]; d.score >= sure && !d.used && !t.covered(d) {
			t.begin(d, now)
		}
	}
	t.thin()
	t.retire(now, longest)
}

// assign pairs tracks with unused detections of at least that score so that
// all together fit best.
func (t *tracker) assign(seen []detection, least float64, now time.Duration) {
	rows, cols := 0, 0
	for j := range seen {
		if d := &seen[j]; !d.used && d.score >= least && cols < maxTracks {
			t.cols[cols] = j
			cols++
		}
	}
	for i := range t.tracks {
		if k := &t.tracks[i]; k.live && !k.taken {
			t.rows[rows] = i
			for c := range cols {
				f := t.fit(k, &seen[t.cols[c]], seen)
				t.pairs.worth[rows][c] = f * f // one good fit before two poor ones
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
		k.take(d, t.whole(k, d, seen), now)
		d.used = true
	}
}

// fit is how well a detection continues the track: above 0 if it may.
func (t *tracker) fit(k *track, d *detection, seen []detection) float64 {
	v := k.box().iou(d.box)
	if !kin(k.class(), d.class) && v < another {
		return 0
	}
	if r := d.box.h() / max(k.h, 1); r > stretch || r < 1/stretch {
		return 0
	}
	g := t.whole(k, d, seen).ground()
	r := jitter * max(k.h, d.box.h())
	m := k.x.surprise(g.x, r) + k.y.surprise(g.y, r)
	if m > strange && v < overlay {
		return 0
	}
	return v + math.Exp(-m/8)
}

// whole is the box that a detected object most likely fills: where a nearer
// object or the picture's edge cuts it, the track knows how large it was.
func (t *tracker) whole(k *track, d *detection, seen []detection) box {
	const edge = 2 // pixels
	b := d.box
	if !k.believed() {
		return b
	}
	if b.y1 > t.h-edge && b.y0 > edge || hidden(b, seen) {
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

// hidden reports whether something nearer stands before the lower end of b:
// its foot is lower in the picture, its top above b's foot.
func hidden(b box, seen []detection) bool {
	for i := range seen {
		o := &seen[i].box
		if seen[i].score >= sure && o.y1 > b.y1+0.15*b.h() && o.y0 < b.y1-0.05*b.h() && o.y0 > b.y0+0.25*b.h() &&
			min(o.x1, b.x1)-max(o.x0, b.x0) > 0.5*b.w() {
			return true
		}
	}
	return false
}

// covered reports whether a detection is most likely another opinion of what
// is followed already.
func (t *tracker) covered(d *detection) bool {
	for i := range t.tracks {
		if k := &t.tracks[i]; k.live && k.taken && kin(k.class(), d.class) && k.box().iou(d.box) > sameThing {
			return true
		}
	}
	return false
}

func (t *tracker) begin(d *detection, now time.Duration) {
	for i := range t.tracks {
		if k := &t.tracks[i]; !k.live {
			k.start(d, now)
			return
		}
	}
}

// thin ends unseen tracks that are another opinion of one that is seen and
// moves alike. Who passes behind another moves otherwise, and stays.
func (t *tracker) thin() {
	for i := range t.tracks {
		k := &t.tracks[i]
		if !k.live || k.taken {
			continue
		}
		for j := range t.tracks {
			o := &t.tracks[j]
			if o.live && o.taken && o.belief > k.belief && kin(k.class(), o.class()) && k.box().iou(o.box()) > same && k.apart(o) < abreast*o.h {
				k.live = false
				break
			}
		}
	}
}

// retire ends the tracks that are lost and those that have lived longest.
func (t *tracker) retire(now, longest time.Duration) {
	for i := range t.tracks {
		k := &t.tracks[i]
		unseen := now - k.seen
		if unseen > coast && now-k.borne > carried || unseen > carryMost || unseen > coast/2 && !k.believed() || now-k.born > longest {
			k.live = false
		}
	}
}
