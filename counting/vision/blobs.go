package vision

import "bytes"

// blob is a connected area of the mask.
type blob struct {
	x0, y0, x1, y1 int    // bounding box of its moving pixels; x1 and y1 are excluded
	area           int    // mask pixels
	active         int    // of these, pixels that changed of late
	unshaded       int    // moving pixels that are no shadow
	withShadow     [4]int // the box with its shadow
	fresh          int    // pixels that changed since the look before
}

func (b *blob) w() float64 { return float64(b.x1 - b.x0) }
func (b *blob) h() float64 { return float64(b.y1 - b.y0) }

func (b *blob) box() box {
	return box{float64(b.x0), float64(b.y0), float64(b.x1), float64(b.y1)}
}

// run is a horizontal run of mask pixels.
type run struct {
	y, x0, x1 int32 // x1 excluded
	root      int32 // parent in the union-find forest, an index of runs
	blob      int32 // -1: none
}

// labeller finds the eight-connected blobs of the mask: run-based two-pass labelling
// with union-find (He, Chao, Suzuki 2008).
type labeller struct {
	runs   []run
	blobs  []blob
	blobOf []int32 // root run → blob
}

const (
	maxRuns  = 1 << 13 // of a look; more are noise
	maxBlobs = 256     // of a look

	uncoveredLooks = 2 // looks since a pixel beside changed within which an object has just left it
)

func newLabeller() *labeller {
	return &labeller{runs: make([]run, 0, maxRuns), blobs: make([]blob, 0, maxBlobs), blobOf: make([]int32, maxRuns)}
}

// wipeOutlines overwrites the runs, which are outlines of moving objects.
func (l *labeller) wipeOutlines() { clear(l.runs[:cap(l.runs)]) }

// findRoot finds the root of run i and shortens the path to it.
func (l *labeller) findRoot(i int32) int32 {
	for l.runs[i].root != i {
		l.runs[i].root = l.runs[l.runs[i].root].root
		i = l.runs[i].root
	}
	return i
}

// labelMask finds the blobs of the mask. Runs beyond maxRuns and blobs beyond maxBlobs
// are dropped.
func (l *labeller) labelMask(a *arena, w, h int) {
	l.runs = l.runs[:0]
	prev0, prev1 := 0, 0
	for y := range h {
		start := len(l.runs)
		row := a.mask[y*w : y*w+w]
		for x0, x1, ok := nextRun(row, 0); ok; x0, x1, ok = nextRun(row, x1) {
			if n := len(l.runs); n > start && int32(x0)-l.runs[n-1].x1 <= 1 {
				l.runs[n-1].x1 = int32(x1)
				continue
			}
			if len(l.runs) == maxRuns {
				break
			}
			n := int32(len(l.runs))
			l.runs = append(l.runs, run{int32(y), int32(x0), int32(x1), n, -1})
		}
		l.uniteRows(prev0, prev1, start)
		prev0, prev1 = start, len(l.runs)
	}
	l.measureBlobs(a, w)
}

// nextRun returns the first run [x0, x1) of ones in a row of the mask at x or behind it.
func nextRun(row []byte, x int) (x0, x1 int, ok bool) {
	n := bytes.IndexByte(row[x:], 1)
	if n < 0 {
		return 0, 0, false
	}
	x0, x1 = x+n, len(row)
	if n := bytes.IndexByte(row[x0:], 0); n >= 0 {
		x1 = x0 + n
	}
	return x0, x1, true
}

// uniteRows unites the runs from start on with the runs prev0 to prev1 of the row above
// that touch them.
func (l *labeller) uniteRows(prev0, prev1, start int) {
	p := prev0
	for i := start; i < len(l.runs); i++ {
		for p < prev1 && l.runs[p].x1 < l.runs[i].x0 {
			p++
		}
		for q := p; q < prev1 && l.runs[q].x0 <= l.runs[i].x1; q++ {
			a, b := l.findRoot(int32(i)), l.findRoot(int32(q))
			if a != b {
				l.runs[max(a, b)].root = min(a, b)
			}
		}
	}
}

// measureBlobs makes a blob of every root and sets the blob of every run.
func (l *labeller) measureBlobs(a *arena, w int) {
	l.blobs = l.blobs[:0]
	for i := range l.runs {
		r := l.findRoot(int32(i))
		if int(r) == i {
			l.blobOf[i] = -1
			if len(l.blobs) < maxBlobs {
				l.blobOf[i] = int32(len(l.blobs))
				l.blobs = append(l.blobs, emptyBlob)
			}
		}
		if k := l.blobOf[r]; k >= 0 {
			l.blobs[k].addRun(a, w, &l.runs[i])
		}
	}
	for k := range l.blobs {
		l.blobs[k].includeDominantShadow()
	}
	for i := range l.runs {
		r := &l.runs[i]
		r.blob = l.blobOf[l.findRoot(int32(i))]
	}
}

// emptyBlob is a blob without a pixel, to which runs are added.
var emptyBlob = blob{x0: 1 << 30, y0: 1 << 30, withShadow: [4]int{1 << 30, 1 << 30, 0, 0}}

// addRun adds the pixels of a run to b. Only pixels that move, or that a stopped track
// covers, extend the box.
func (b *blob) addRun(a *arena, w int, r *run) {
	b.area += int(r.x1 - r.x0)
	y := int(r.y)
	activity, covered, evidence := a.activity[y*w:(y+1)*w], a.covered[y*w:(y+1)*w], a.evidence[y*w:(y+1)*w]
	for x := int(r.x0); x < int(r.x1); x++ {
		if activity[x] > 0 || covered[x] >= coveredStopped || a.justUncovered(w, y*w+x) {
			b.withShadow[0], b.withShadow[2] = min(b.withShadow[0], x), max(b.withShadow[2], x+1)
			b.withShadow[1], b.withShadow[3] = min(b.withShadow[1], y), max(b.withShadow[3], y+1)
			if evidence[x] != 0 && evidence[x]&shaded == 0 {
				b.unshaded++
				b.x0, b.x1 = min(b.x0, x), max(b.x1, x+1)
				b.y0, b.y1 = min(b.y0, y), max(b.y1, y+1)
			}
		}
		if activity[x] > 0 {
			b.active++
		}
		if activity[x] == a.maxActivity {
			b.fresh++
		}
	}
}

// justUncovered reports whether an object has just left the place beside pixel p. Then p
// is the end of a moving object although its own level does not change, as on the side of
// a van. Beside a ghost no pixel changes.
func (a *arena) justUncovered(w, p int) bool {
	if p < 2*w || p >= len(a.activity)-2*w {
		return false
	}
	for _, q := range [4]int{p - 2, p + 2, p - 2*w, p + 2*w} {
		if a.activity[q]+uncoveredLooks > a.maxActivity && a.evidence[q] == 0 {
			return true
		}
	}
	return false
}

// includeDominantShadow extends the box by the shadow where that is more than half of
// the blob: a dull car on a dull road looks like a shadow all over.
func (b *blob) includeDominantShadow() {
	if 2*b.unshaded < b.area {
		b.x0, b.y0, b.x1, b.y1 = b.withShadow[0], b.withShadow[1], b.withShadow[2], b.withShadow[3]
		b.unshaded = 0
	}
}
