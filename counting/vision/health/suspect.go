package health

// What a picture must have, or not, to be suspected.
const (
	minEdgeShare  = 0.04 // least share of a cell's pixels on edges that makes it structured
	lostShare     = 0.25 // of that share in the reference: what is less is lost
	emptyShare    = 0.05 // of the cells structured: no street looks like that
	dullAll       = 0.85 // of the structured cells without clear edges: no picture to count in
	lostMany      = 0.4  // of the structured cells lost: more than what parks before a lens hides
	frozenCells   = 0.08 // of the cells may change in a frozen picture: the clock in its corner
	movedLikeness = 0.5  // of the usual likeness to the reference: less is another place
	shiftedGain   = 0.15 // how much more alike the view must be when it is shifted, to be shifted
	burntLevel    = 250  // a level that is burnt out
	burntGlare    = 0.2  // share of burnt out pixels beyond the usual that blinds where structure is gone
	burntBlaze    = 0.35 // the same that blinds where only some is: more than a sky that turns white
	lostSome      = 0.15 // of the structured cells lost
	darkMean      = 32   // a mean level below which it may be too dark
	lampLevel     = 48   // a level that one pixel of a hundred reaches where a lamp shines
)

// verdict is what the cells say together.
type verdict struct {
	sighted    int     // cells that are not masked
	structured int     // of them now
	expected   int     // in the reference
	lost       int     // expected, and not there, not even half as clear
	dull       int     // expected, and not as clear
	spots      int     // separate patches of lost cells
	same       float32 // likeness to the reference, -1…1
	rest       float32 // the same without what is lost
}

// suspectFault is what this look, with the last seconds, would say.
func (w *Watch) suspectFault() Fault {
	v := w.compareReference()
	if v.sighted == 0 {
		return Good
	}
	s := &w.survey
	empty := float32(v.structured) < emptyShare*float32(v.sighted)
	r := &w.reference
	ready := r.age >= minReference && v.expected >= cells/16
	lost, dull := float32(0), float32(0)
	if ready {
		lost, dull = float32(v.lost)/float32(v.expected), float32(v.dull)/float32(v.expected)
	}
	empty = empty || dull >= dullAll
	switch {
	case (empty || lost >= lostMany) && w.light < darkMean && s.shareAbove(lampLevel) < 0.01:
		return Dark
	case lost >= lostSome && s.shareAbove(burntLevel) >= r.burnt+burntBlaze:
		return Blinded
	case empty || lost >= lostMany && (v.structured < v.expected/4 || v.rest >= movedLikeness*r.usual):
		return w.classifyHidden(empty)
	case w.isFrozen(&v):
		return Frozen
	case ready && (v.same < movedLikeness*r.usual || w.shiftGain > shiftedGain):
		return Moved
	case ready && v.spots >= 3 && lost >= 0.05 && w.isLightEven():
		return Drops
	}
	return Good
}

// classifyHidden says why structure is gone: all of it, or a part.
func (w *Watch) classifyHidden(everywhere bool) Fault {
	burnt := w.survey.shareAbove(burntLevel)
	switch {
	case burnt >= w.reference.burnt+burntGlare || w.light > 215:
		return Blinded
	case everywhere && w.reference.age >= minReference && w.levelSpread() > 0.5*w.reference.spread:
		return Blurred
	}
	return Covered
}

// isLightEven reports whether the light is as it usually is of late. Where it fails,
// dim corners lose their edges as spots on a lens would take them.
func (w *Watch) isLightEven() bool {
	r := &w.reference
	return w.light > 0.75*r.light && w.light < 1.33*r.light && w.noise < 1.5*r.noise+0.5
}

// isFrozen reports whether hardly a cell has changed for long.
func (w *Watch) isFrozen(v *verdict) bool {
	if w.clock < frozenAfter {
		return false
	}
	n := 0
	for i := range w.changed {
		if w.short[i].sighted && w.clock-w.changed[i] < frozenAfter {
			n++
		}
	}
	return float32(n) <= frozenCells*float32(v.sighted)
}

// levelSpread is the standard deviation of the cells' mean levels: light and shade
// without any detail.
func (w *Watch) levelSpread() float32 {
	n, sum, sq := float32(0), float32(0), float32(0)
	for i := range w.survey.cells {
		c := &w.survey.cells[i]
		if c.pixels > 0 {
			m := float32(c.sum) / float32(c.pixels)
			n, sum, sq = n+1, sum+m, sq+m*m
		}
	}
	if n == 0 {
		return 0
	}
	return root(sq/n - sum/n*(sum/n))
}
