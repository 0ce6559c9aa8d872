package health

import "math"

// A trait is what is known of a cell's structure: the root of the share of its
// pixels that lie on edges, and which way those run: upright against flat,
// rising against falling, each divided by that root, so that a few clear edges
// and many weigh alike.
type trait struct {
	dense, upright, rising float32
	edges, faint           float32 // shares, before the root
	sighted                bool    // a mask leaves enough of it
}

// follow moves the trait towards one survey's cell by a share of the way.
func (t *trait) follow(c *cell, f float32) {
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
	tenths  = 10
	deepest = 7     // levels either way: four bits
	quick   = 2.0   // seconds for a step of a level while the view is learnt
	slow    = 120.0 // the same later: from one end to the other in half an hour, as day becomes night
)

func quantum(v float32) int8 {
	return int8(min(max(math.Round(float64(v*tenths)), -deepest), deepest))
}

// learn lets the reference follow the view, by a level at a time.
func (w *Watch) learn(t float32) {
	r := &w.reference
	first := r.age == 0
	r.age = min(r.age+t, firstView)
	pace := float32(slow)
	if r.age < firstView {
		pace = quick
	}
	if w.learning += t; w.learning < pace && !first {
		return
	}
	w.learning = 0
	for i := range r.level {
		s := &w.short[i]
		for k, v := range [3]float32{s.dense, s.upright, s.rising} {
			to := quantum(v)
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
	v := w.compare()
	r.usual += f * (v.same - r.usual)
	r.burnt += f * (w.survey.above(white) - r.burnt)
	r.spread += f * (w.spread() - r.spread)
	r.light += f * (w.light - r.light)
	r.noise += f * (w.noise - r.noise)
}

// compare holds the last seconds against the reference.
func (w *Watch) compare() (v verdict) {
	var all, rest [3]likening
	var lost [cells]bool
	for i := range w.short {
		s := &w.short[i]
		if !s.sighted {
			continue
		}
		v.sighted++
		if s.edges >= structured {
			v.structured++
		}
		level := &w.reference.level[i]
		was := float32(level[0]) / tenths
		if was*was >= structured {
			v.expected++
			if lost[i] = s.faint < faded*was*was; lost[i] {
				v.lost++
			}
			if s.edges < faded*was*was {
				v.dull++
			}
		}
		for k, now := range [3]float32{s.dense, s.upright, s.rising} {
			all[k].add(float32(level[k])/tenths, now)
			if !lost[i] {
				rest[k].add(float32(level[k])/tenths, now)
			}
		}
	}
	v.same = (all[0].value() + all[1].value() + all[2].value()) / 3
	v.rest = (rest[0].value() + rest[1].value() + rest[2].value()) / 3
	v.spots = patches(&lost)
	return v
}

// farthest is how far the view is shifted against the reference, in cells: an
// eighth of the width, a sixth of the height. A turn of less is found by it
// and a turn of more by what is no longer alike.
const farthest = 2

// search tells by how much the view is more like the reference at some shift
// than where it is. A change of the light makes the view less alike, but not
// more so elsewhere.
func (w *Watch) search() float32 {
	here, best := w.alike(0, 0), float32(-1)
	for dy := -farthest; dy <= farthest; dy++ {
		for dx := -farthest; dx <= farthest; dx++ {
			if dx != 0 || dy != 0 {
				best = max(best, w.alike(dx, dy))
			}
		}
	}
	return best - here
}

// alike is the likeness of the view to the reference, shifted by cells.
func (w *Watch) alike(dx, dy int) float32 {
	var l [3]likening
	for y := max(0, -dy); y < min(Rows, Rows-dy); y++ {
		for x := max(0, -dx); x < min(Columns, Columns-dx); x++ {
			s, level := &w.short[y*Columns+x], &w.reference.level[(y+dy)*Columns+x+dx]
			if s.sighted {
				l[0].add(float32(level[0])/tenths, s.dense)
				l[1].add(float32(level[1])/tenths, s.upright)
				l[2].add(float32(level[2])/tenths, s.rising)
			}
		}
	}
	return (l[0].value() + l[1].value() + l[2].value()) / 3
}

// A likening is a correlation (Pearson) that is being summed up.
type likening struct{ n, x, y, xx, yy, xy float32 }

func (l *likening) add(x, y float32) {
	l.n++
	l.x += x
	l.y += y
	l.xx += x * x
	l.yy += y * y
	l.xy += x * y
}

func (l *likening) value() float32 {
	if l.n < 2 {
		return 0
	}
	xx, yy := l.xx-l.x*l.x/l.n, l.yy-l.y*l.y/l.n
	if xx <= 1e-6 || yy <= 1e-6 {
		return 0
	}
	return (l.xy - l.x*l.y/l.n) / root(xx*yy)
}

// patches counts the connected groups of marked cells, and unmarks them.
func patches(mark *[cells]bool) (n int) {
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
