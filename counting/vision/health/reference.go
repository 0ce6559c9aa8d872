package health

import "math"

// A structure is what is known of a cell's structure: the root of the share of its
// pixels that lie on edges, and which way those run: upright against flat,
// rising against falling, each divided by that root, so that a few clear edges
// and many weigh alike.
type structure struct {
	dense, upright, rising float32
	edges, faint           float32 // shares, before the root
	sighted                bool    // a mask leaves enough of it
}

// followCell moves the trait towards one survey's cell by a share of the way.
func (t *structure) followCell(c *cell, f float32) {
	t.sighted = c.pixels >= 16
	if !t.sighted {
		return
	}
	n := float32(c.pixels)
	falling := c.edges - c.across - c.along - c.rising
	edges := float32(c.edges) / n
	size := root(edges + 0.02)
	t.edges += f * (edges - t.edges)
	t.faint += f * (float32(c.faint)/n - t.faint)
	t.dense += f * (root(edges) - t.dense)
	t.upright += f * (float32(c.across-c.along)/n/size - t.upright)
	t.rising += f * (float32(c.rising-falling)/n/size - t.rising)
}

func root(v float32) float32 { return float32(math.Sqrt(float64(max(v, 0)))) }

// A reference is the view that the lines were drawn for, as coarsely as it can
// be told apart from another.
type reference struct {
	level [cells][3]int8 // of a trait, in tenths, -7…7
	age   float32        // seconds learnt from

	usual  float32 // likeness of the view to it
	burnt  float32 // share of burnt out pixels
	spread float32 // of the cells' means
	light  float32 // mean level
	noise  float32 // levels
}

const (
	levelSteps = 10
	maxLevel   = 7     // levels either way: four bits
	learnStep  = 2.0   // seconds for a step of a level while the view is learnt
	followStep = 120.0 // the same later: from one end to the other in half an hour, as day becomes night
)

func quantize(v float32) int8 {
	return int8(min(max(math.Round(float64(v*levelSteps)), -maxLevel), maxLevel))
}

// learnReference lets the reference follow the view, by a level at a time.
func (w *Watch) learnReference(t float32) {
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
	f := float32(0.1)
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

// compareReference holds the last seconds against the reference.
func (w *Watch) compareReference() (v verdict) {
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

// maxShift is how far the view is shifted against the reference, in cells: an
// eighth of the width, a sixth of the height. A turn of less is found by it
// and a turn of more by what is no longer alike.
const maxShift = 2

// searchShift tells by how much the view is more like the reference at some shift
// than where it is. A change of the light makes the view less alike, but not
// more so elsewhere.
func (w *Watch) searchShift() float32 {
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

// likenessAt is the likeness of the view to the reference, shifted by cells.
func (w *Watch) likenessAt(dx, dy int) float32 {
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

// A correlation is a correlation (Pearson) that is being summed up.
type correlation struct{ n, x, y, xx, yy, xy float32 }

func (l *correlation) addPair(x, y float32) {
	l.n++
	l.x += x
	l.y += y
	l.xx += x * x
	l.yy += y * y
	l.xy += x * y
}

func (l *correlation) coefficient() float32 {
	if l.n < 2 {
		return 0
	}
	xx, yy := l.xx-l.x*l.x/l.n, l.yy-l.y*l.y/l.n
	if xx <= 1e-6 || yy <= 1e-6 {
		return 0
	}
	return (l.xy - l.x*l.y/l.n) / root(xx*yy)
}

// countPatches counts the connected groups of marked cells, and unmarks them.
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
