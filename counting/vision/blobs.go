package vision

// blob is a connected area of the mask.
type blob struct {
	x0, y0, x1, y1 int    // bounding box of what moves in it, x1 and y1 excluded
	area           int    // mask pixels in the box
	active         int    // of these, lately changed ones
	unshaded       int    // of these, ones that no shadow explains
	withShadow     [4]int // the box if shadows were part of it
	fresh          int    // pixels that changed since the look before
}

func (b *blob) w() float64 { return float64(b.x1 - b.x0) }
func (b *blob) h() float64 { return float64(b.y1 - b.y0) }

// run is a horizontal stretch of the mask.
type run struct {
	y, x0, x1 int32 // x1 excluded
	root      int32
	blob      int32 // -1: none
}

// labeller finds blobs: a run-based two-pass labelling with union-find
// (He, Chao, Suzuki 2008), eight-connected.
type labeller struct {
	runs   []run
	blobs  []blob
	blobOf []int32 // root run → blob
}

const (
	maxRuns  = 1 << 13
	maxBlobs = 256
)

func newLabeller() *labeller {
	return &labeller{runs: make([]run, 0, maxRuns), blobs: make([]blob, 0, maxBlobs), blobOf: make([]int32, maxRuns)}
}

// wipeOutlines overwrites the outlines of what moved.
func (l *labeller) wipeOutlines() { clear(l.runs[:cap(l.runs)]) }

func (l *labeller) findRoot(i int32) int32 {
	for l.runs[i].root != i {
		l.runs[i].root = l.runs[l.runs[i].root].root
		i = l.runs[i].root
	}
	return i
}

// labelMask labels the mask. Runs beyond maxRuns are dropped: a picture with that
// many is noise.
func (l *labeller) labelMask(a *arena, w, h int) {
	l.runs = l.runs[:0]
	prev0, prev1 := 0, 0
	for y := range h {
		start := len(l.runs)
		row := a.mask[y*w : y*w+w]
		for x := 0; x < w; x++ {
			if row[x] == 0 {
				continue
			}
			x0 := x
			for x < w && row[x] != 0 {
				x++
			}
			if n := len(l.runs); n > start && int32(x0)-l.runs[n-1].x1 <= 1 {
				l.runs[n-1].x1 = int32(x)
				continue
			}
			if len(l.runs) == maxRuns {
				break
			}
			n := int32(len(l.runs))
			l.runs = append(l.runs, run{int32(y), int32(x0), int32(x), n, -1})
		}
		l.uniteRows(prev0, prev1, start)
		prev0, prev1 = start, len(l.runs)
	}
	l.measureBlobs(a, w)
}

// uniteRows unites the runs from start on with those of the row above that touch them.
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

// measureBlobs makes a blob of every root; runs then name their blob.
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

var emptyBlob = blob{x0: 1 << 30, y0: 1 << 30, withShadow: [4]int{1 << 30, 1 << 30, 0, 0}}

// addRun enlarges b by the run. Only what moves or is claimed stretches the box.
func (b *blob) addRun(a *arena, w int, r *run) {
	linger := a.maxActivity
	b.area += int(r.x1 - r.x0)
	y := int(r.y)
	act, claim, raw := a.activity[y*w:(y+1)*w], a.covered[y*w:(y+1)*w], a.evidence[y*w:(y+1)*w]
	for x := int(r.x0); x < int(r.x1); x++ {
		if act[x] > 0 || claim[x] > 1 || a.justUncovered(w, y*w+x) {
			b.withShadow[0], b.withShadow[2] = min(b.withShadow[0], x), max(b.withShadow[2], x+1)
			b.withShadow[1], b.withShadow[3] = min(b.withShadow[1], y), max(b.withShadow[3], y+1)
			if raw[x] != 0 && raw[x]&shaded == 0 {
				b.unshaded++
				b.x0, b.x1 = min(b.x0, x), max(b.x1, x+1)
				b.y0, b.y1 = min(b.y0, y), max(b.y1, y+1)
			}
		}
		if act[x] > 0 {
			b.active++
		}
		if act[x] == linger {
			b.fresh++
		}
	}
}

// justUncovered tells whether something has just left the place beside pixel p:
// p is then the end of what moves, even if its own level does not change, as on
// the side of a van. At the end of a ghost nothing moves.
func (a *arena) justUncovered(w, p int) bool {
	if p < 2*w || p >= len(a.activity)-2*w {
		return false
	}
	for _, q := range [4]int{p - 2, p + 2, p - 2*w, p + 2*w} {
		if a.activity[q]+2 > a.maxActivity && a.evidence[q] == 0 {
			return true
		}
	}
	return false
}

// includeDominantShadow takes shadows in where there is little else: a dull car on a dull
// road looks like a shadow all over.
func (b *blob) includeDominantShadow() {
	if 2*b.unshaded < b.area {
		b.x0, b.y0, b.x1, b.y1 = b.withShadow[0], b.withShadow[1], b.withShadow[2], b.withShadow[3]
		b.unshaded = 0
	}
}
