package vision

import (
	"math"
	"slices"
)

// Where a blob is cut. ppm is pixels per metre, a peak and a valley are sizes of the
// silhouette. Chosen by hand and tuned on the eight development clips (test/footage).
const (
	maxSilhouette = 512 // columns or rows of a blob that is cut
	maxCuts       = 6   // in a row, of one blob

	columnPart   = 0.3 // m: least width of a part,
	columnPixels = 3   // and pixels
	columnPeak   = 0.9 // m: least height of the lower part,
	columnRatio  = 0.5 // and of the lower part by the higher one
	columnDepth  = 0.6 // depth of a valley that is cut in any case,
	slimDepth    = 0.2 // and between two slim parts:
	slimNarrow   = 1.1 // height by width of the narrower part,
	slimWide     = 0.9 // and of the wider part

	headDepth  = 0.08 // least depth of the dip between two heads,
	headPixels = 1.9  // and pixels
	headRatio  = 0.75 // of the lower person by the higher one
	headSlim   = 1.25 // height by width of the wider part

	rowPart   = 1.0 // m: least height of a part,
	rowPixels = 4   // and pixels
	rowDepth  = 0.5 // depth of a valley that is cut
	rowRatio  = 0.4 // of the narrower part by the wider one
	rowPeak   = 0.5 // m: least width of the narrower part

	sparseGain = 0.3 // of the area of one box that two boxes save
)

// splitter cuts blobs of several objects: two people whose shoulders touch, cars of a
// queue that hide the road between them. A cut is a column or a row. It is made where the
// silhouette narrows between two parts that could each be an object, or where it divides
// one sparse box into two full ones.
type splitter struct {
	first, last [maxSilhouette]int32 // silhouette per column or row
	size        [maxSilhouette]int32 // last - first + 1
}

// splitBlobs cuts blobs until no cut is found.
func (s *splitter) splitBlobs(l *labeller, a *arena, w int, sc *scale) {
	for k := 0; k < len(l.blobs); k++ {
		for range maxCuts {
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

// cutBlob moves the pixels from column or row at on into a new blob.
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

// measureSilhouette fills first, last and size of blob k, by columns or rows, and returns
// how many those are.
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

// deepestValley finds the cut at the deepest valley between two peaks, left and right:
// depth is 1 - valley / lower peak. Each part has at least least of the n columns or
// rows.
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

// columnCut finds the column that divides blob k into objects side by side.
func (s *splitter) columnCut(l *labeller, k int, sc *scale) (int32, bool) {
	b := &l.blobs[k]
	ppm := sc.pixelsPerMetre(float64(b.y1))
	least := max(int(columnPart*ppm), columnPixels)
	if b.x1-b.x0 < 2*least || b.x1-b.x0 > len(s.size) {
		return 0, false
	}
	n := s.measureSilhouette(l, k, false)
	at, depth, left, right := s.deepestValley(n, least)
	lower := float64(min(left, right))
	if lower < columnRatio*float64(max(left, right)) || lower < columnPeak*ppm {
		return 0, false
	}
	slim := lower > slimNarrow*float64(min(at, n-at)) && lower > slimWide*float64(max(at, n-at))
	if depth > columnDepth || depth > slimDepth && slim {
		return int32(b.x0 + at), true
	}
	return s.headCut(b, n, least, ppm, sc.unsure)
}

// headCut finds the dip between two heads in the upper outline of a blob as tall as a
// person. The bodies below may touch.
func (s *splitter) headCut(b *blob, n, least int, ppm, unsure float64) (int32, bool) {
	slack := math.Exp(unsure)
	if b.h() > maxPerson*ppm*slack || b.h() < minPerson*ppm/slack {
		return 0, false
	}
	for i := range n {
		s.size[i] = max(int32(b.y1)-s.first[i], 0)
	}
	at, depth, left, right := s.deepestValley(n, least)
	lower := float64(min(left, right))
	widest := max(at, n-at)
	if widest >= 2*min(at, n-at) {
		widest /= 2 // two people on that side
	}
	if depth > headDepth && depth*lower >= headPixels && lower > headRatio*float64(max(left, right)) && lower > headSlim*float64(widest) {
		return int32(b.x0 + at), true
	}
	return 0, false
}

// rowCut finds the row that divides blob k into objects one behind the other.
func (s *splitter) rowCut(l *labeller, k int, sc *scale) (int32, bool) {
	b := &l.blobs[k]
	ppm := sc.pixelsPerMetre(float64(b.y1))
	least := max(int(rowPart*ppm), rowPixels)
	if b.y1-b.y0 < 2*least || b.y1-b.y0 > len(s.size) {
		return 0, false
	}
	n := s.measureSilhouette(l, k, true)
	at, depth, left, right := s.deepestValley(n, least)
	lower := float64(min(left, right))
	if depth > rowDepth && lower > rowRatio*float64(max(left, right)) && lower > rowPeak*ppm {
		return int32(b.y0 + at), true
	}
	if at, gain := s.sparseCut(n); gain > sparseGain && at >= least && n-at >= least {
		return int32(b.y0 + at), true
	}
	return 0, false
}

// sparseCut finds the cut after which two boxes contain the silhouette in the least area.
// gain is the part of the one box's area that they save.
func (s *splitter) sparseCut(n int) (at int, gain float64) {
	lo, hi := int32(1<<30), int32(-1)
	for i := range n {
		lo, hi = min(lo, s.first[i]), max(hi, s.last[i])
	}
	whole := float64(int32(n) * (hi - lo + 1))
	// Area of the box of the part behind each cut.
	l2, h2 := int32(1<<30), int32(-1)
	var rest [maxSilhouette]int32
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
