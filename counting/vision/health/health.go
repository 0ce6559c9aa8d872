// Package health tells from a camera's pictures whether they can be counted in:
// frozen, dark, blinded, covered, blurred or moved, or with drops on the lens.
//
// It keeps no picture. What it knows of a view is, for each of 192 cells, how
// dense edges are in it and which way most of them run: averaged over seconds,
// and as a reference that is learnt over minutes, three numbers of four bits a
// cell, 2,304 bits in all. Which side of an edge is the brighter one is thrown
// away before anything is summed up, so that there is nothing from which levels
// could be integrated: a picture and its negative are the same. A cell of some
// 200 pixels of the reduced picture has one answer. Of levels it knows the mean,
// the spread and the burnt out share of the whole picture. Fewer bits, two for
// each number or 108 cells, tell places apart less well: on fixed cameras at all
// hours the worst likeness of a view to itself falls from 0.55 to 0.46–0.49,
// while that of other places stays.
//
// It refuses to judge what masks cover. It cannot tell a slow change from the
// street's own: a mount that sags over an hour is followed.
package health

import "time"

// Fault is what is wrong with a camera's pictures.
type Fault uint8

// The faults. Only Drops can be counted through.
const (
	Good    Fault = iota
	Frozen        // the same picture again and again
	Dark          // too dark for anything to be seen
	Blinded       // glare, or a veil of light over most of it
	Covered       // a large part shows nothing where there was structure
	Blurred       // no detail, but light and shade are where they were
	Moved         // structure, but not that of the place the lines were drawn for
	Drops         // rain, snow or dirt on the lens: spots without detail
	faults
)

var names = [faults]string{
	"", "camera_frozen", "camera_dark", "camera_blinded", "camera_covered", "camera_blurred", "camera_moved", "camera_drops",
}

// String is the word of a fault on the wire; empty: none.
func (f Fault) String() string {
	if f < faults {
		return names[f]
	}
	return "unknown"
}

// Known reports whether f is one of the faults, or Good.
func (f Fault) Known() bool { return f < faults }

// Pauses reports whether a count made under this fault would be a lie.
func (f Fault) Pauses() bool { return f != Good && f != Drops }

// How long a state must hold, in seconds that were seen: pictures more than two
// seconds apart count as two.
const (
	maxInterval  = 2.0  // of one look
	frozenAfter  = 30.0 // longer than cameras wait between two whole pictures of a still street
	faultAfter   = 20.0 // until any other fault is told
	dropsAfter   = 60.0 // until drops are told
	goodAfter    = 3.0  // until a fault is over
	backAfter    = 10.0 // until a camera that moved is back
	minReference = 60.0 // until the reference can be held against anything
)

// A Watch judges the pictures of one camera. Its zero value has seen nothing.
// It outlives the counters that it serves: a camera that is opened again is
// held against what it showed before.
type Watch struct {
	short     [cells]structure // averaged over seconds
	reference reference
	changed   [cells]float64 // when a byte of the cell last changed, in seconds seen
	survey    survey
	unmasked  []bool // pixels whose neighbours no mask covers; nil: all
	blind     []bool // what sure was made for

	clock      float64 // seconds seen
	noise      float32 // levels
	light      float32 // mean level, smoothed
	shiftGain  float32 // how much more alike the view is to the reference when it is shifted
	lastSearch float64 // when that was found out
	fault      Fault
	suspect    [faults]float32 // seconds for which each was suspected, less those for which it was not
	pausing    float32         // the same for any that cannot be counted through
	good       float32         // seconds for which nothing was
	begun      bool
	learning   float32 // seconds since the reference's last step
}

// Look judges one picture, dt after the one before it, and says what is wrong
// with the camera. It allocates only when the masks are new.
func (w *Watch) Look(p Picture, dt time.Duration) Fault {
	t := float32(min(max(dt.Seconds(), 0), maxInterval))
	w.clock += float64(t)
	w.excludeMaskRims(&p)
	w.survey.surveyPicture(&p, w.unmasked, w.edgeThreshold(1), w.edgeThreshold(0.5))
	if w.survey.seen == 0 {
		return w.fault // all of it is masked
	}
	w.averageSurvey(t)
	if w.clock-w.lastSearch >= 1 {
		w.lastSearch, w.shiftGain = w.clock, w.searchShift()
	}
	f := w.suspectFault()
	w.weighSuspicion(f, t)
	if w.fault == Good && f == Good && w.good >= goodAfter {
		w.learnReference(t)
	}
	return w.fault
}

// Is the latest verdict.
func (w *Watch) Is() Fault { return w.fault }

// Forget makes the next pictures the reference: somebody has aimed the camera.
func (w *Watch) Forget() { *w = Watch{} }

// edgeThreshold is the least difference over two pixels that is an edge, or a part of
// one, in levels. It follows the light, so that a gain changes little, and lies
// above what noise makes: a gradient of noise of deviation σ is above r in
// exp(−r²/4σ²) of the pixels (Rayleigh), at σ = 3 in less than one of 400.
func (w *Watch) edgeThreshold(part float32) int32 {
	return int32(part*(6+w.light/12) + 3.5*w.noise + 0.5)
}

// excludeMaskRims keeps which pixels have no masked neighbour: a mask's rim is no edge.
func (w *Watch) excludeMaskRims(p *Picture) {
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

// averageSurvey takes the survey into what is remembered of the last seconds.
func (w *Watch) averageSurvey(t float32) {
	const memory = 3 // seconds
	f := t / (memory + t)
	if !w.begun {
		f, w.begun = 1, true
		w.light = w.survey.meanLevel()
	}
	w.light += f * (w.survey.meanLevel() - w.light)
	w.noise += f * (w.survey.noise - w.noise)
	for i := range w.survey.cells {
		c := &w.survey.cells[i]
		if c.moved {
			w.changed[i] = w.clock
		}
		w.short[i].followCell(c, f)
	}
}

// weighSuspicion lets suspicions grow and fade, and changes the verdict when one has
// held for long enough. Where two take turns the more frequent one is told: that
// something is wrong is what they have in common.
func (w *Watch) weighSuspicion(f Fault, t float32) {
	w.good = growTimer(w.good, t, f == Good, dropsAfter)
	if f != Good {
		w.good = 0
	}
	w.pausing = growTimer(w.pausing, t, f.Pauses(), dropsAfter)
	most := f
	for i := Frozen; i < faults; i++ {
		w.suspect[i] = growTimer(w.suspect[i], t, i == f, dropsAfter)
		if i.Pauses() && w.suspect[i] > w.suspect[most] {
			most = i
		}
	}
	back := float32(goodAfter)
	if w.fault == Moved {
		back = backAfter
	}
	switch {
	case f == w.fault:
	case f == Frozen: // has held for long already
		w.setFault(f)
	case f.Pauses() && !w.fault.Pauses() && w.pausing >= faultAfter:
		w.setFault(most)
	case f.Pauses() && w.fault.Pauses() && w.suspect[f] >= faultAfter:
		w.setFault(f)
	case f == Drops && w.fault == Good && w.suspect[f] >= dropsAfter:
		w.setFault(f)
	case f == Good && w.good >= back, f == Drops && w.suspect[f] >= back && w.fault.Pauses():
		w.setFault(Good)
	}
}

// growTimer adds seconds to a timer, or takes them off it.
func growTimer(timer, t float32, on bool, most float32) float32 {
	if on {
		return min(timer+t, most)
	}
	return max(timer-t, 0)
}

func (w *Watch) setFault(f Fault) {
	w.fault = f
	if f == Good {
		w.suspect, w.pausing = [faults]float32{}, 0
	}
}
