package vision

import (
	"math"
	"slices"
)

// splitter cuts blobs that cannot be one thing: two people whose shoulders
// touch, cars of a queue that hide the road between them. A cut is a column
// or a row; it is made where the silhouette narrows between two parts that
// could each stand alone, or where it divides one sparse box into two full
// ones.
type splitter struct {
	first, last [512]int32 // silhouette per column or row
	size        [512]int32 // last - first + 1, smoothed
}

// splitBlobs cuts blobs until none can be cut.
func (s *splitter) splitBlobs(l *labeller, a *arena, w int, sc *scale) {
	for k := 0; k < len(l.blobs); k++ {
		for range 6 {
			if len(l.blobs) == maxBlobs || l.blobs[k].x1 <= l.blobs[k].x0 {
				break
			}
			if at, ok := s.columnCut(l, k, sc); ok {
				l.cutBlob(a, w, k, at, false)
				continue
			}
			at, ok := s.rowCut(l, k, sc)
			if !ok {
				break
			}
			l.cutBlob(a, w, k, at, true)
		}
	}
}

// cutBlob moves what lies from column or row at on into a new blob.
func (l *labeller) cutBlob(a *arena, w, k int, at int32, row bool) {
	n := int32(len(l.blobs))
	for i := range l.runs {
		r := &l.runs[i]
		switch {
		case r.blob != int32(k):
		case row && r.y >= at, !row && r.x0 >= at:
			r.blob = n
		case !row && r.x1 > at && len(l.runs) < cap(l.runs):
			l.runs = append(l.runs, run{r.y, at, r.x1, 0, n})
			r = &l.runs[i]
			r.x1 = at
		}
	}
	b, c := emptyBlob, emptyBlob
	for i := range l.runs {
		switch l.runs[i].blob {
		case int32(k):
			b.addRun(a, w, &l.runs[i])
		case n:
			c.addRun(a, w, &l.runs[i])
		}
	}
	b.includeDominantShadow()
	c.includeDominantShadow()
	l.blobs[k] = b
	l.blobs = append(l.blobs, c)
}

// measureSilhouette fills first, last and size of blob k, by columns or rows.
func (s *splitter) measureSilhouette(l *labeller, k int, row bool) (n int) {
	b := &l.blobs[k]
	n = b.x1 - b.x0
	if row {
		n = b.y1 - b.y0
	}
	for i := range n {
		s.first[i], s.last[i] = 1<<30, -1
	}
	for i := range l.runs {
		r := &l.runs[i]
		if r.blob != int32(k) || int(r.y) < b.y0 || int(r.y) >= b.y1 {
			continue
		}
		x0, x1 := max(r.x0, int32(b.x0)), min(r.x1, int32(b.x1))
		if x0 >= x1 {
			continue
		}
		if row {
			y := r.y - int32(b.y0)
			s.first[y], s.last[y] = min(s.first[y], x0), max(s.last[y], x1-1)
			continue
		}
		for x := x0 - int32(b.x0); x < x1-int32(b.x0); x++ {
			s.first[x], s.last[x] = min(s.first[x], r.y), max(s.last[x], r.y)
		}
	}
	for i := range n {
		s.size[i] = max(s.last[i]-s.first[i]+1, 0)
	}
	return n
}

// deepestValley finds the cut that leaves the deepest valley between two peaks:
// depth is 1 - valley / lower peak. least is the least size of either part.
func (s *splitter) deepestValley(n, least int) (at int, depth float64, left, right int32) {
	for i := least; i <= n-least; i++ {
		l, r := slices.Max(s.size[:i]), slices.Max(s.size[i:n])
		v := min(s.size[i], s.size[i-1])
		if d := 1 - float64(v)/float64(max(min(l, r), 1)); d > depth {
			at, depth, left, right = i, d, l, r
		}
	}
	return at, depth, left, right
}

// columnCut finds where blob k falls into things side by side.
func (s *splitter) columnCut(l *labeller, k int, sc *scale) (int32, bool) {
	b := &l.blobs[k]
	ppm := sc.pixelsPerMetre(float64(b.y1))
	least := max(int(0.3*ppm), 3)
	if b.x1-b.x0 < 2*least || b.x1-b.x0 > len(s.size) {
		return 0, false
	}
	n := s.measureSilhouette(l, k, false)
	at, depth, left, right := s.deepestValley(n, least)
	lower := float64(min(left, right))
	if lower < 0.5*float64(max(left, right)) || lower < 0.9*ppm {
		return 0, false
	}
	slim := lower > 1.1*float64(min(at, n-at)) && lower > 0.9*float64(max(at, n-at))
	if depth > 0.6 || depth > 0.2 && slim {
		return int32(b.x0 + at), true
	}
	return s.headCut(b, n, least, ppm, sc.unsure)
}

// headCut finds the dip between two heads in the upper outline of a blob as
// tall as a person, whatever the bodies below do.
func (s *splitter) headCut(b *blob, n, least int, ppm, unsure float64) (int32, bool) {
	slack := math.Exp(unsure)
	if b.h() > 2.3*ppm*slack || b.h() < 1.2*ppm/slack {
		return 0, false
	}
	for i := range n {
		s.size[i] = max(int32(b.y1)-s.first[i], 0)
	}
	at, depth, left, right := s.deepestValley(n, least)
	lower := float64(min(left, right))
	widest := max(at, n-at)
	if widest >= 2*min(at, n-at) {
		widest /= 2 // two on that side
	}
	if depth > 0.08 && depth*lower >= 1.9 && lower > 0.75*float64(max(left, right)) && lower > 1.25*float64(widest) {
		return int32(b.x0 + at), true
	}
	return 0, false
}

// rowCut finds where blob k falls into things one behind the other.
func (s *splitter) rowCut(l *labeller, k int, sc *scale) (int32, bool) {
	b := &l.blobs[k]
	ppm := sc.pixelsPerMetre(float64(b.y1))
	least := max(int(1.0*ppm), 4)
	if b.y1-b.y0 < 2*least || b.y1-b.y0 > len(s.size) {
		return 0, false
	}
	n := s.measureSilhouette(l, k, true)
	at, depth, left, right := s.deepestValley(n, least)
	lower := float64(min(left, right))
	if depth > 0.5 && lower > 0.4*float64(max(left, right)) && lower > 0.5*ppm {
		return int32(b.y0 + at), true
	}
	if at, gain := s.sparseCut(n); gain > 0.3 && at >= least && n-at >= least {
		return int32(b.y0 + at), true
	}
	return 0, false
}

// sparseCut finds the cut after which two boxes hold the silhouette in the least
// area, and which part of the one box they save.
func (s *splitter) sparseCut(n int) (at int, gain float64) {
	lo, hi := int32(1<<30), int32(-1)
	for i := range n {
		lo, hi = min(lo, s.first[i]), max(hi, s.last[i])
	}
	whole := float64(int32(n) * (hi - lo + 1))
	// the box of the part behind each cut
	l2, h2 := int32(1<<30), int32(-1)
	var rest [512]int32
	for i := n - 1; i >= 0; i-- {
		l2, h2 = min(l2, s.first[i]), max(h2, s.last[i])
		rest[i] = max(h2-l2+1, 0) * int32(n-i)
	}
	l1, h1 := int32(1<<30), int32(-1)
	for i := 1; i < n; i++ {
		l1, h1 = min(l1, s.first[i-1]), max(h1, s.last[i-1])
		if g := 1 - float64(max(h1-l1+1, 0)*int32(i)+rest[i])/whole; g > gain {
			at, gain = i, g
		}
	}
	return at, gain
}
