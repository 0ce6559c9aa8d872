package vision

import "math"

// Block matching of the pixels of one box between two looks. Chosen by hand and
// tuned on the eight development clips (test/footage).
const (
	minMatchSide   = 3    // grid pixels: a box with a shorter side is not matched
	matchPixels    = 96   // most pixels compared
	minMatchPixels = 12   // least
	searchRadius   = 2    // grid pixels around the expected shift,
	radiusPerSide  = 0.08 // and so much more per pixel of the box's height: large is near, and fast
	maxRadius      = 5    // grid pixels
	maxPixelCost   = 60   // levels: a pixel that does not fit at all costs no more
	distanceCost   = 128  // a shift is dearer by 1/128 for each squared pixel from the expected one
	minMeanCost    = 2    // levels per pixel, mean over all shifts: with less there is no texture
)

// shiftSearch is the state of one estimate.
type shiftSearch struct {
	ix, iy, r int                // expected shift and radius, in whole pixels
	at        [matchPixels]int32 // pixels that are compared
	n         int
	cost      [2*maxRadius + 1][2*maxRadius + 1]int32
	best      int32 // least cost,
	bx, by    int   // and where, relative to the expected shift
	sum       int64 // of all costs
}

// estimateShift estimates by how many grid pixels the masked pixels of box b moved
// since the look before: least sum of absolute differences around the expected
// shift (ex, ey), refined by a parabola. confidence is 0 if the pixels have no
// texture, up to 1.
func (a *arena) estimateShift(w, h int, b box, ex, ey float64) (x, y, confidence float64) {
	s := shiftSearch{ix: int(math.Round(ex)), iy: int(math.Round(ey))}
	s.r = min(searchRadius+int(radiusPerSide*b.h()), maxRadius)
	if !s.choosePixels(a, w, h, b) {
		return ex, ey, 0
	}
	s.searchShifts(a, w)
	r := s.r
	mean := float64(s.sum) / float64((2*r+1)*(2*r+1))
	if mean <= float64(minMeanCost*s.n) {
		return ex, ey, 0
	}
	confidence = 1 - float64(s.best)/mean
	if s.bx == -r || s.bx == r || s.by == -r || s.by == r {
		confidence /= 2 // the minimum may lie outside
	}
	sx, sy := 0.0, 0.0
	if s.bx > -r && s.bx < r {
		sx = parabolaVertex(s.cost[s.by+r][s.bx+r-1], s.best, s.cost[s.by+r][s.bx+r+1])
	}
	if s.by > -r && s.by < r {
		sy = parabolaVertex(s.cost[s.by+r-1][s.bx+r], s.best, s.cost[s.by+r+1][s.bx+r])
	}
	return float64(s.ix+s.bx) + sx, float64(s.iy+s.by) + sy, confidence
}

// choosePixels samples the masked pixels of b in a staggered grid. It reports false
// if there are too few.
func (s *shiftSearch) choosePixels(a *arena, w, h int, b box) bool {
	x0, y0 := max(int(b.x0), 0), max(int(b.y0), 0)
	x1, y1 := min(int(b.x1+0.5), w), min(int(b.y1+0.5), h)
	if x1-x0 < minMatchSide || y1-y0 < minMatchSide {
		return false
	}
	step := 1 + int(math.Sqrt(float64((x1-x0)*(y1-y0))/matchPixels))
	for y := y0; y < y1; y += step {
		if y+s.iy-s.r < 0 || y+s.iy+s.r >= h {
			continue
		}
		for x := x0 + (y/step&1)*step/2; x < x1 && s.n < matchPixels; x += step {
			if a.mask[y*w+x] != 0 && x+s.ix-s.r >= 0 && x+s.ix+s.r < w {
				s.at[s.n] = int32(y*w + x)
				s.n++
			}
		}
	}
	return s.n >= minMatchPixels
}

// searchShifts computes the cost of every shift within the radius.
func (s *shiftSearch) searchShifts(a *arena, w int) {
	s.best = math.MaxInt32
	for dy := -s.r; dy <= s.r; dy++ {
		for dx := -s.r; dx <= s.r; dx++ {
			off := int32((s.iy+dy)*w + s.ix + dx)
			var c int32
			for _, p := range s.at[:s.n] {
				c += min(absDiff32(a.before[p], a.now[p+off]), maxPixelCost)
			}
			c += c * int32(dx*dx+dy*dy) / distanceCost
			s.cost[dy+s.r][dx+s.r] = c
			s.sum += int64(c)
			if c < s.best {
				s.best, s.bx, s.by = c, dx, dy
			}
		}
	}
}

// parabolaVertex is the place of the minimum, between -½ and ½, of the parabola
// through three costs.
func parabolaVertex(l, c, r int32) float64 {
	den := float64(l - 2*c + r)
	if den <= 0 {
		return 0
	}
	return max(min(0.5*float64(l-r)/den, 0.5), -0.5)
}
