package health

import "math"

// structure describes the edges of a cell: the root of the share of its pixels that lie on
// edges, and their directions, upright against flat and rising against falling, each
// divided by that root, so that a few clear edges and many weigh alike.
type structure struct {
	dense, upright, rising float32
	edges, faint           float32 // shares of the pixels
	sighted                bool    // masks leave enough pixels
}

// Numbers of a structure and of the reference. Chosen by hand on fixed cameras at all
// hours.
const (
	minPixels = 16   // examined pixels of a cell that is judged
	edgeFloor = 0.02 // share added below the root, so that a cell without edges has no direction

	levelSteps  = 10    // a level is a tenth
	maxLevel    = 7     // levels either way: four bits
	learnStep   = 2.0   // seconds for a step of a level while the view is learnt
	followStep  = 120.0 // the same later: half an hour from one end to the other, as day becomes night
	minVariance = 1e-6  // sum of squares below which a side does not vary
	learnGain   = 0.1   // weight of a step in the usual likeness, light and noise
)

// followCell moves the structure towards a cell of one survey by f of the way.
func (t *structure) followCell(c *cell, f float32) {
	t.sighted = c.pixels >= minPixels
	if !t.sighted {
		return
	}
	n := float32(c.pixels)
	falling := c.edges - c.across - c.along - c.rising
	edges := float32(c.edges) / n
	size := root(edges + edgeFloor)
	t.edges += f * (edges - t.edges)
	t.faint += f * (float32(c.faint)/n - t.faint)
	t.dense += f * (root(edges) - t.dense)
	t.upright += f * (float32(c.across-c.along)/n/size - t.upright)
	t.rising += f * (float32(c.rising-falling)/n/size - t.rising)
}

// root is the square root of v, 0 below 0.
func root(v float32) float32 { return float32(math.Sqrt(float64(max(v, 0)))) }

// reference describes the view for which the lines were drawn, as coarsely as views can
// be told apart: three numbers of four bits for each of 192 cells, 2,304 bits in all. Which
// side of an edge is brighter is discarded before anything is summed up, so no levels can
// be integrated from it: a picture and its negative give the same numbers. A cell is some
// 200 pixels of the reduced picture. Fewer bits, two for each number or 108 cells, tell
// places apart less well: on fixed cameras at all hours the least likeness of a view to
// itself falls from 0.55 to 0.46–0.49, while that of other places stays.
type reference struct {
	level [cells][3]int8 // dense, upright and rising, in tenths, -7…7
	age   float32        // seconds that it was learnt, up to minReference

	usual  float32 // likeness of the view to it
	burnt  float32 // share of burnt out pixels
	spread float32 // of the cells' means
	light  float32 // mean level
	noise  float32 // levels
}

// quantize rounds to a level.
func quantize(v float32) int8 {
	return int8(min(max(math.Round(float64(v*levelSteps)), -maxLevel), maxLevel))
}

// learnReference moves the reference towards the view, by one level at a time.
func (w *Monitor) learnReference(t float32) {
	r := &w.reference
	first := r.age == 0
	r.age = min(r.age+t, minReference)
	pace := float32(followStep)
	if r.age < minReference {
		pace = learnStep
	}
	if w.learning += t; w.learning < pace && !first {
		return
	}
	w.learning = 0
	for i := range r.level {
		s := &w.short[i]
		for k, v := range [3]float32{s.dense, s.upright, s.rising} {
			to := quantize(v)
			switch at := &r.level[i][k]; {
			case first:
				*at = to
			case *at < to:
				*at++
			case *at > to:
				*at--
			}
		}
	}
	f := float32(learnGain)
	if first {
		f = 1
	}
	v := w.compareReference()
	r.usual += f * (v.same - r.usual)
	r.burnt += f * (w.survey.shareAbove(burntLevel) - r.burnt)
	r.spread += f * (w.levelSpread() - r.spread)
	r.light += f * (w.light - r.light)
	r.noise += f * (w.noise - r.noise)
}

// compareReference compares the running means with the reference.
func (w *Monitor) compareReference() (v verdict) {
	var all, rest [3]correlation
	var lost [cells]bool
	for i := range w.short {
		s := &w.short[i]
		if !s.sighted {
			continue
		}
		v.sighted++
		if s.edges >= minEdgeShare {
			v.structured++
		}
		level := &w.reference.level[i]
		was := float32(level[0]) / levelSteps
		if was*was >= minEdgeShare {
			v.expected++
			if lost[i] = s.faint < lostShare*was*was; lost[i] {
				v.lost++
			}
			if s.edges < lostShare*was*was {
				v.dull++
			}
		}
		for k, now := range [3]float32{s.dense, s.upright, s.rising} {
			all[k].addPair(float32(level[k])/levelSteps, now)
			if !lost[i] {
				rest[k].addPair(float32(level[k])/levelSteps, now)
			}
		}
	}
	v.same = (all[0].coefficient() + all[1].coefficient() + all[2].coefficient()) / 3
	v.rest = (rest[0].coefficient() + rest[1].coefficient() + rest[2].coefficient()) / 3
	v.spots = countPatches(&lost)
	return v
}

// maxShift is the farthest shift that is searched, in cells: an eighth of the width, a
// sixth of the height. A smaller turn is found by it, a larger one by the lost likeness.
const maxShift = 2

// searchShift returns by how much the view is more like the reference at the best shift
// than without one. A change of the light makes the view less alike, but not more alike
// at a shift.
func (w *Monitor) searchShift() float32 {
	here, best := w.likenessAt(0, 0), float32(-1)
	for dy := -maxShift; dy <= maxShift; dy++ {
		for dx := -maxShift; dx <= maxShift; dx++ {
			if dx != 0 || dy != 0 {
				best = max(best, w.likenessAt(dx, dy))
			}
		}
	}
	return best - here
}

// likenessAt is the likeness of the view to the reference shifted by (dx, dy) cells, -1…1.
func (w *Monitor) likenessAt(dx, dy int) float32 {
	var l [3]correlation
	for y := max(0, -dy); y < min(Rows, Rows-dy); y++ {
		for x := max(0, -dx); x < min(Columns, Columns-dx); x++ {
			s, level := &w.short[y*Columns+x], &w.reference.level[(y+dy)*Columns+x+dx]
			if s.sighted {
				l[0].addPair(float32(level[0])/levelSteps, s.dense)
				l[1].addPair(float32(level[1])/levelSteps, s.upright)
				l[2].addPair(float32(level[2])/levelSteps, s.rising)
			}
		}
	}
	return (l[0].coefficient() + l[1].coefficient() + l[2].coefficient()) / 3
}

// correlation sums up a Pearson correlation.
type correlation struct{ n, x, y, xx, yy, xy float32 }

func (l *correlation) addPair(x, y float32) {
	l.n++
	l.x += x
	l.y += y
	l.xx += x * x
	l.yy += y * y
	l.xy += x * y
}

// coefficient is the correlation, -1…1; 0 if either side does not vary.
func (l *correlation) coefficient() float32 {
	if l.n < 2 {
		return 0
	}
	xx, yy := l.xx-l.x*l.x/l.n, l.yy-l.y*l.y/l.n
	if xx <= minVariance || yy <= minVariance {
		return 0
	}
	return (l.xy - l.x*l.y/l.n) / root(xx*yy)
}

// countPatches counts the four-connected groups of marked cells, and unmarks them.
func countPatches(mark *[cells]bool) (n int) {
	var stack [cells]uint8
	for i := range mark {
		if !mark[i] {
			continue
		}
		n++
		mark[i] = false
		stack[0] = uint8(i)
		for top := 1; top > 0; {
			top--
			at := int(stack[top])
			x, y := at%Columns, at/Columns
			for _, d := range [4][2]int{{-1, 0}, {1, 0}, {0, -1}, {0, 1}} {
				x, y := x+d[0], y+d[1]
				if next := y*Columns + x; x >= 0 && x < Columns && y >= 0 && y < Rows && mark[next] {
					mark[next] = false
					stack[top] = uint8(next)
					top++
				}
			}
		}
	}
	return n
}
