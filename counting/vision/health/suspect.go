package health

import "kerb/counting"

// Limits of a suspicion. Chosen by hand on fixed cameras at all hours and on streets that
// are drawn in the tests; a line says where more is known.
const (
	minEdgeShare  = 0.04 // least share of a cell's pixels on edges that makes it structured
	lostShare     = 0.25 // of that share in the reference: a cell with less is lost
	emptyShare    = 0.05 // of the cells structured: no street has fewer
	dullAll       = 0.85 // of the structured cells without clear edges: the picture is useless
	lostMany      = 0.4  // of the structured cells lost: more than a vehicle hides that parks before the lens
	lostSome      = 0.15 // of the structured cells lost
	keptFew       = 4    // a quarter of the expected cells structured
	movedLikeness = 0.5  // of the usual likeness to the reference: midway between one camera at all hours and other streets
	shiftedGain   = 0.15 // of likeness at the best shift: the view is shifted
	referenceMin  = 16   // a sixteenth of the cells must be structured in the reference

	burntLevel  = 250  // level that is burnt out
	burntGlare  = 0.2  // share of burnt out pixels beyond the usual that blinds where structure is gone
	burntBlaze  = 0.35 // the same where only some is lost: more than a sky that turns white
	veilMean    = 215  // mean level above which a veil of light blinds
	darkMean    = 32   // mean level below which it may be too dark
	lampLevel   = 48   // level that lamps reach
	lampShare   = 0.01 // of the pixels at that level: a lamp shines
	blurSpread  = 0.5  // of the reference's spread: light and shade are still there
	dropSpots   = 3    // patches of lost cells
	dropLost    = 0.05 // of the structured cells lost
	evenDarker  = 0.75 // of the usual mean level: the light is even from here
	evenLighter = 1.33 // to here,
	evenNoise   = 1.5  // with at most so many times the usual noise,
	evenLevels  = 0.5  // and so many levels on top
)

// verdict sums up the comparison of all cells with the reference.
type verdict struct {
	sighted    int     // cells that are not masked
	structured int     // of these, structured now
	expected   int     // of these, structured in the reference
	lost       int     // expected, and without even faint edges
	dull       int     // expected, and without clear edges
	spots      int     // connected patches of lost cells
	same       float32 // likeness to the reference, -1…1
	rest       float32 // the same without the lost cells
}

// suspectFault is the fault that the running means suggest now.
func (w *Monitor) suspectFault() counting.ViewFault {
	v := w.compareReference()
	if v.sighted == 0 {
		return counting.ViewGood
	}
	s := &w.survey
	empty := float32(v.structured) < emptyShare*float32(v.sighted)
	r := &w.reference
	ready := r.age >= minReference && v.expected >= cells/referenceMin
	lost, dull := float32(0), float32(0)
	if ready {
		lost, dull = float32(v.lost)/float32(v.expected), float32(v.dull)/float32(v.expected)
	}
	empty = empty || dull >= dullAll
	switch {
	case (empty || lost >= lostMany) && w.light < darkMean && s.shareAbove(lampLevel) < lampShare:
		return counting.ViewDark
	case lost >= lostSome && s.shareAbove(burntLevel) >= r.burnt+burntBlaze:
		return counting.ViewBlinded
	case empty || lost >= lostMany && (v.structured < v.expected/keptFew || v.rest >= movedLikeness*r.usual):
		return w.classifyHidden(empty)
	case w.isFrozen():
		return counting.ViewFrozen
	case ready && (v.same < movedLikeness*r.usual || w.shiftGain > shiftedGain):
		return counting.ViewMoved
	case ready && v.spots >= dropSpots && lost >= dropLost && w.isLightEven():
		return counting.ViewDrops
	}
	return counting.ViewGood
}

// classifyHidden tells the faults apart that hide structure, everywhere or in a part.
func (w *Monitor) classifyHidden(everywhere bool) counting.ViewFault {
	burnt := w.survey.shareAbove(burntLevel)
	switch {
	case burnt >= w.reference.burnt+burntGlare || w.light > veilMean:
		return counting.ViewBlinded
	case everywhere && w.reference.age >= minReference && w.levelSpread() > blurSpread*w.reference.spread:
		return counting.ViewBlurred
	}
	return counting.ViewCovered
}

// isLightEven reports whether the light is as usual. If it is not, dim corners lose their
// edges as behind spots on a lens.
func (w *Monitor) isLightEven() bool {
	r := &w.reference
	return w.light > evenDarker*r.light && w.light < evenLighter*r.light && w.noise < evenNoise*r.noise+evenLevels
}

// isFrozen reports whether a camera that stirs has not done so for frozenAfter.
func (w *Monitor) isFrozen() bool { return w.stirs && w.clock-w.stirred >= frozenAfter }

// levelSpread is the standard deviation of the cells' mean levels: light and shade without
// detail.
func (w *Monitor) levelSpread() float32 {
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
