package vision

// blob is a connected area of the mask.
type blob struct {
	x0, y0, x1, y1 int // bounding box of what moves in it, x1 and y1 excluded
	area           int // mask pixels in the box
	active         int // of these, lately changed ones
}

func (b *blob) w() float64 { return float64(b.x1 - b.x0) }
func (b *blob) h() float64 { return float64(b.y1 - b.y0) }

// run is a horizontal stretch of the mask.
type run struct {
	y, x0, x1 int32 // x1 excluded
	root      int32
}

// labels finds blobs: a run-based two-pass labelling with union-find
// (He, Chao, Suzuki 2008), eight-connected.
type labels struct {
	runs  []run
	blobs []blob
	of    []int32 // root run → blob
}

const (
	maxRuns  = 1 << 13
	maxBlobs = 256
)

func newLabels() *labels {
	return &labels{runs: make([]run, 0, maxRuns), blobs: make([]blob, 0, maxBlobs), of: make([]int32, maxRuns)}
}

func (l *labels) root(i int32) int32 {
	for l.runs[i].root != i {
		l.runs[i].root = l.runs[l.runs[i].root].root
		i = l.runs[i].root
	}
	return i
}

// find labels the mask. Runs beyond maxRuns are dropped: a picture with that
// many is noise.
func (l *labels) find(a *arena, w, h int, gap int32) {
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
			if n := len(l.runs); n > start && int32(x0)-l.runs[n-1].x1 <= gap {
				l.runs[n-1].x1 = int32(x)
				continue
			}
			if len(l.runs) == maxRuns {
				break
			}
			n := int32(len(l.runs))
			l.runs = append(l.runs, run{int32(y), int32(x0), int32(x), n})
		}
		l.join(prev0, prev1, start)
		prev0, prev1 = start, len(l.runs)
	}
	l.measure(a, w)
}

// join unites the runs from start on with those of the row above that touch them.
func (l *labels) join(prev0, prev1, start int) {
	p := prev0
	for i := start; i < len(l.runs); i++ {
		for p < prev1 && l.runs[p].x1 < l.runs[i].x0 {
			p++
		}
		for q := p; q < prev1 && l.runs[q].x0 <= l.runs[i].x1; q++ {
			a, b := l.root(int32(i)), l.root(int32(q))
			if a != b {
				l.runs[max(a, b)].root = min(a, b)
			}
		}
	}
}

func (l *labels) measure(a *arena, w int) {
	l.blobs = l.blobs[:0]
	for i := range l.runs {
		r := l.root(int32(i))
		if int(r) == i {
			if len(l.blobs) == maxBlobs {
				l.of[i] = -1
				continue
			}
			l.of[i] = int32(len(l.blobs))
			l.blobs = append(l.blobs, blob{x0: w, y0: 1 << 30, x1: 0, y1: 0})
		}
		k := l.of[r]
		if k < 0 {
			continue
		}
		b := &l.blobs[k]
		run := l.runs[i]
		b.area += int(run.x1 - run.x0)
		row := a.act[int(run.y)*w : int(run.y+1)*w]
		cl := a.claim[int(run.y)*w : int(run.y+1)*w]
		for x := int(run.x0); x < int(run.x1); x++ {
			if row[x] > 0 || cl[x] > 0 {
				b.x0, b.x1 = min(b.x0, x), max(b.x1, x+1)
				b.y0, b.y1 = min(b.y0, int(run.y)), max(b.y1, int(run.y)+1)
			}
			if row[x] > 0 {
				b.active++
			}
		}
	}
}
