// Package health judges from a camera's pictures whether they can be counted: frozen,
// dark, blinded, covered, blurred or moved pictures, or drops on the lens. It compares the
// edges of 192 cells, as means over seconds, with a reference that is learnt over minutes.
//
// It keeps no picture. Of edges it keeps density and main direction (reference.go), of
// levels the mean, the spread and the burnt out share of the whole picture.
//
// One object alone begins and ends no fault: when a fault begins or
// ends is told to the platform without noise. A fault is over when the view was well for
// a minute. A camera is frozen when its pictures cease to change all over, in most cells
// at once, as sensor noise and codecs change them; a camera without noise never does, and
// is never called frozen.
//
// It refuses to judge pixels under masks. It cannot tell a slow change from the street's
// own: a mount that sags over an hour is followed.
package health

import (
	"math"
	"time"

	"kerb/counting"
)

// How long a state must hold, in seconds of pictures: an interval above maxInterval counts
// as maxInterval. Chosen by hand, so that a fault is reported within a minute
// (TestFaultsAreFoundAndEnd).
const (
	maxInterval  = 2.0  // of one look
	frozenAfter  = 30.0 // without a stir: longer than cameras wait between two whole pictures of a still street
	stirsAfter   = 60.0 // of changes to and fro without such a pause, until a camera is known to stir
	faultAfter   = 50.0 // from the first suspicion until any other fault begins: longer than a vehicle waits at a crossing with its lamps on the lens
	eitherAfter  = 80.0 // the same where several faults alternate: so long that a single one has begun before
	dropsAfter   = 60.0 // the same of drops
	overAfter    = 60.0 // from the first well picture until a fault is over: longer than one object passes, or one lamp lights a dark road
	mayInterrupt = 0.25 // of each of these times may have another judgement, longer than a lamp lights a dark road: it neither delays nor hastens
	goodAfter    = 3.0  // without suspicion until the view is learnt
	minReference = 60.0 // until the reference is used

	turnedShare = 8 // an eighth of the cells gets darker after it got brighter, or the reverse: changes to and fro

	searchEvery  = 1 // between two searches for a shift
	surveyMemory = 3 // of the running mean of surveys
)

// The least difference over two pixels that is an edge, in levels. It follows the mean
// level, so that a gain changes little, and is above noise: a gradient of noise of
// deviation σ exceeds r in exp(−r²/4σ²) of the pixels (Rayleigh), at σ = 3 in less than
// one of 400.
const (
	edgeLevels = 6   // levels,
	edgeLight  = 12  // and a twelfth of the mean level,
	edgeNoise  = 3.5 // and so many times the noise
	faintEdge  = 0.5 // of it: part of an edge
)

// Monitor judges the pictures of one camera. Its zero value has no reference yet. It
// outlives the Counters that it serves: a camera that is opened again is compared with its
// former view.
type Monitor struct {
	short     [cells]structure // averaged over seconds
	reference reference
	survey    survey
	unmasked  []bool // pixels without a masked neighbour; nil: all
	blind     []bool // the masks for which unmasked was made

	clock      float64     // seconds of pictures so far
	stirred    float64     // clock of the last stir: a picture in which at least half of the cells changed
	shaken     float64     // clock of the last stir to and fro
	shakenFrom float64     // clock of the first one since the last pause of frozenAfter
	stirs      bool        // the pictures of this camera change all over although nothing passes: its noise, or its codec
	trend      [cells]int8 // 1: a cell got brighter when it last changed, -1: darker; until stirs
	noise      float32     // levels
	light      float32     // mean level, smoothed
	shiftGain  float32     // by how much the view is more like the reference at its best shift
	lastSearch float64     // clock of that search
	fault      counting.ViewFault
	suspect    [counting.ViewFaults]float32 // seconds for which each was suspected, less those for which it was not
	held       [counting.ViewFaults]spell   // of each judgement, with ViewGood
	spoilt     spell                        // of any fault that pauses counting
	usable     spell                        // of none that does
	good       float32                      // seconds without suspicion
	begun      bool
	learning   float32 // seconds since the reference's last step
}

// JudgePicture judges one picture, dt after the one before, and returns the camera's fault. It
// allocates only when the masks are new.
func (w *Monitor) JudgePicture(p Picture, dt time.Duration) counting.ViewFault {
	t := float32(min(max(dt.Seconds(), 0), maxInterval))
	w.clock += float64(t)
	w.excludeMaskRims(&p)
	w.survey.surveyPicture(&p, w.unmasked, w.edgeThreshold(1), w.edgeThreshold(faintEdge), !w.stirs)
	if w.survey.seen == 0 {
		return w.fault // all of it is masked
	}
	w.averageSurvey(t)
	if w.clock-w.lastSearch >= searchEvery {
		w.lastSearch, w.shiftGain = w.clock, w.searchShift()
	}
	f := w.suspectFault()
	w.weighSuspicion(f, t)
	if w.fault == counting.ViewGood && f == counting.ViewGood && w.good >= goodAfter {
		w.learnReference(t)
	}
	return w.fault
}

// CurrentFault returns the latest fault.
func (w *Monitor) CurrentFault() counting.ViewFault { return w.fault }

// ResetReference discards the reference: the next pictures become it, after the camera was aimed.
func (w *Monitor) ResetReference() { *w = Monitor{} }

// edgeThreshold is the least difference over two pixels that is an edge, times part, in
// levels.
func (w *Monitor) edgeThreshold(part float32) int32 {
	return int32(part*(edgeLevels+w.light/edgeLight) + edgeNoise*w.noise + 0.5)
}

// excludeMaskRims computes which pixels have no masked neighbour: a mask's rim is no edge.
func (w *Monitor) excludeMaskRims(p *Picture) {
	if p.Blind == nil {
		w.unmasked, w.blind = nil, nil
		return
	}
	if len(w.blind) == len(p.Blind) && &w.blind[0] == &p.Blind[0] {
		return
	}
	w.blind, w.unmasked = p.Blind, make([]bool, len(p.Blind))
	for y := 1; y+1 < p.Height; y++ {
		for x := 1; x+1 < p.Width; x++ {
			i := y*p.Width + x
			w.unmasked[i] = !p.Blind[i] && !p.Blind[i-1] && !p.Blind[i+1] && !p.Blind[i-p.Width] && !p.Blind[i+p.Width]
		}
	}
}

// averageSurvey adds the survey to the running means.
func (w *Monitor) averageSurvey(t float32) {
	f := t / (surveyMemory + t)
	if !w.begun {
		f, w.begun = 1, true
		w.light = w.survey.meanLevel()
	}
	w.light += f * (w.survey.meanLevel() - w.light)
	w.noise += f * (w.survey.noise - w.noise)
	moved, turned, sighted := 0, 0, 0
	for i := range w.survey.cells {
		c := &w.survey.cells[i]
		w.short[i].followCell(c, f)
		if w.short[i].sighted {
			sighted++
			if c.moved {
				moved++
			}
		}
		if c.trend != 0 {
			if c.trend == -w.trend[i] {
				turned++
			}
			w.trend[i] = c.trend
		}
	}
	if moved > 0 && 2*moved >= sighted {
		w.noteStir(turnedShare*turned >= sighted)
	}
}

// noteStir notes that at least half of the cells changed at once, which no object that
// passes does for stirsAfter. The light of dusk does; but unlike noise and codecs it changes
// a cell one way, and not to and fro.
func (w *Monitor) noteStir(toAndFro bool) {
	w.stirred = w.clock
	if !toAndFro {
		return
	}
	if w.shakenFrom == 0 || w.clock-w.shaken >= frozenAfter {
		w.shakenFrom = w.clock
	}
	w.shaken = w.clock
	w.stirs = w.stirs || w.clock-w.shakenFrom >= stirsAfter
}

// weighSuspicion runs the timers of the suspicions and changes the fault when one has held
// for long enough. Where two alternate, the more frequent one is reported.
func (w *Monitor) weighSuspicion(f counting.ViewFault, t float32) {
	w.good = growTimer(w.good, t, f == counting.ViewGood, dropsAfter)
	if f != counting.ViewGood {
		w.good = 0
	}
	most, next := f, w.fault
	for i := counting.ViewGood; i < counting.ViewFaults; i++ {
		if w.held[i].extend(i == f, t, spellOf(i)) && (i.Pauses() || !w.fault.Pauses()) {
			next = i
		}
		w.suspect[i] = growTimer(w.suspect[i], t, i == f, dropsAfter)
		if i.Pauses() && w.suspect[i] > w.suspect[most] {
			most = i
		}
	}
	either, over := w.spoilt.extend(f.Pauses(), t, eitherAfter), w.usable.extend(!f.Pauses(), t, overAfter)
	switch {
	case f == counting.ViewFrozen: // it has held for frozenAfter already
		next = f
	case either && !w.fault.Pauses() && !next.Pauses():
		next = most
	case over && w.fault.Pauses():
		next = counting.ViewGood
	}
	if next != w.fault {
		w.setFault(next)
	}
}

// spellOf returns the seconds after which a judgement that lasts counts.
func spellOf(f counting.ViewFault) float32 {
	switch f {
	case counting.ViewGood:
		return overAfter
	case counting.ViewDrops:
		return dropsAfter
	}
	return faultAfter
}

// spell is the time for which a judgement has lasted. It is full a fixed time after it
// began, whatever interrupts it meanwhile for a part of mayInterrupt at most.
type spell struct {
	since, without float32 // seconds since its first picture, and those of other judgements
}

// extend adds t seconds with or without the judgement. It reports whether the spell is
// full now; the next picture with the judgement then begins another.
func (s *spell) extend(on bool, t, full float32) bool {
	if !on && s.since == 0 {
		return false
	}
	if s.since += t; !on {
		s.without += t
	}
	s.since = max(s.since, math.SmallestNonzeroFloat32) // the first picture of all, which takes no time, begins one, too
	lasted := s.without <= mayInterrupt*full
	done := lasted && s.since >= full
	if done || !lasted {
		*s = spell{}
	}
	return done
}

// growTimer adds t seconds to a timer, up to most, or subtracts them, down to 0.
func growTimer(timer, t float32, on bool, most float32) float32 {
	if on {
		return min(timer+t, most)
	}
	return max(timer-t, 0)
}

// setFault changes the fault. Good resets the suspicions.
func (w *Monitor) setFault(f counting.ViewFault) {
	w.fault = f
	if f == counting.ViewGood {
		w.suspect = [counting.ViewFaults]float32{}
	}
}
