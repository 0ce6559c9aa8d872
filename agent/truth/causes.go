package truth

import (
	"cmp"
	"math"
	"slices"

	"kerb/counting"
)

// Cause tells why a counter and the truth differ at one crossing.
type Cause int

// The causes. The first two are of a true crossing that was not counted, the last two of
// a counted one that is not true.
const (
	Undetected Cause = iota // the detector did not see the object at the line
	Unfollowed              // it did, and no crossing was counted
	WrongClass              // the crossing was counted as of another class
	AtLine                  // counted in the wrong direction, far too early or late, or to and fro
	Double                  // one object counted twice
	Extra                   // nothing is there
	Causes                  // how many causes there are
)

func (c Cause) String() string {
	return [...]string{"undetected", "unfollowed", "wrong class", "at the line", "double", "extra"}[c]
}

// Difference is one crossing at which a counter and the truth differ. Class, Dir and Frame
// are the truth's where it has the crossing.
type Difference struct {
	Cause   Cause
	Line    string
	Class   counting.Class
	Dir     counting.Direction
	Frame   int
	Counted counting.Class // WrongClass: as what it was counted
}

// How far apart a counted and a true crossing of one object may be, in seconds.
const (
	lateWindow   = 4.0 // for a crossing counted far too early or late,
	toAndFro     = 5.0 // between two false crossings in opposite directions, and
	doubleWindow = 2.0 // between two crossings counted of one object
)

// event is one crossing on one line, of the truth or counted.
type event struct {
	at       float64 // seconds
	class    counting.Class
	dir      counting.Direction
	marginal bool
	done     bool
}

// FindCauses pairs counted and true crossings line by line, in the order exact, wrong class,
// wrong time or direction, and returns those that differ. saw reports whether the detector
// saw the object of a true crossing on both sides of the line; nil: not known, and then
// every miss is Unfollowed.
func (t *Truth) FindCauses(crossings []counting.Crossing, saw func(l *Line, c Crossing) bool) (found []Difference) {
	for i := range t.Lines {
		l := &t.Lines[i]
		var real, counted []event
		for _, c := range l.Crossings {
			real = append(real, event{at: float64(c.Frame) / t.Rate, class: c.Class, dir: c.Dir, marginal: c.Marginal})
		}
		for _, c := range crossings {
			if c.Stream == l.ID {
				counted = append(counted, event{at: c.At.Seconds(), class: c.Class.WithoutSplit(), dir: c.Dir})
			}
		}
		found = append(found, t.differencesAt(l, real, counted, saw)...)
	}
	return found
}

func (t *Truth) differencesAt(l *Line, real, counted []event, saw func(l *Line, c Crossing) bool) (found []Difference) {
	add := func(c Cause, e *event, as counting.Class) {
		found = append(found, Difference{c, l.ID, e.class, e.dir, int(math.Round(e.at * t.Rate)), as})
	}
	pairEvents(real, counted, matchWindow, func(a, b *event) bool { return a.class == b.class && a.dir == b.dir }, nil)
	pairEvents(real, counted, matchWindow, func(a, b *event) bool { return a.dir == b.dir },
		func(a, b *event) { add(WrongClass, a, b.class) })
	pairEvents(real, counted, lateWindow, func(a, b *event) bool { return a.class == b.class && a.dir == b.dir },
		func(a, b *event) { add(AtLine, a, b.class) })
	pairEvents(real, counted, matchWindow, func(a, b *event) bool { return a.class == b.class },
		func(a, b *event) { add(AtLine, a, b.class) })
	pairEvents(counted, counted, toAndFro, func(a, b *event) bool { return a.class == b.class && a.dir != b.dir },
		func(a, b *event) { add(AtLine, a, a.class); add(AtLine, b, b.class) })
	for i := range counted {
		e := &counted[i]
		if e.done {
			continue
		}
		cause := Extra
		for j := range counted {
			if o := &counted[j]; o.done && o.dir == e.dir && math.Abs(o.at-e.at) <= doubleWindow {
				cause = Double
			}
		}
		add(cause, e, e.class)
	}
	for i := range real {
		e := &real[i]
		if e.done || e.marginal {
			continue
		}
		cause := Unfollowed
		if saw != nil && !saw(l, Crossing{Frame: int(math.Round(e.at * t.Rate)), Class: e.class, Dir: e.dir}) {
			cause = Undetected
		}
		add(cause, e, e.class)
	}
	return found
}

// pairEvents pairs events of a and b that fit and are at most within seconds apart, the
// nearest first, and calls tell for each pair. Sure ones come before marginal ones.
func pairEvents(a, b []event, within float64, fit func(a, b *event) bool, tell func(a, b *event)) {
	type pair struct{ i, j int }
	var pairs []pair
	for i := range a {
		for j := range b {
			if !a[i].done && !b[j].done && &a[i] != &b[j] && math.Abs(a[i].at-b[j].at) <= within && fit(&a[i], &b[j]) {
				pairs = append(pairs, pair{i, j})
			}
		}
	}
	distance := func(p pair) float64 {
		d := math.Abs(a[p.i].at - b[p.j].at)
		if a[p.i].marginal {
			d += within
		}
		return d
	}
	slices.SortStableFunc(pairs, func(p, q pair) int { return cmp.Compare(distance(p), distance(q)) })
	for _, p := range pairs {
		if a[p.i].done || b[p.j].done {
			continue
		}
		a[p.i].done, b[p.j].done = true, true
		if tell != nil && !a[p.i].marginal {
			tell(&a[p.i], &b[p.j])
		}
	}
}
