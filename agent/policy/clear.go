package policy

import (
	"cmp"
	"errors"
	"fmt"
	"math/bits"
	"time"

	"kerb/counting"
)

// Clear turns one window into a Release, the only form in which it may be
// stored or sent. Noise is drawn here, once. Clearing the same window twice
// would give an observer two draws of the same number, so the caller keeps the
// Release and resends that.
//
// The Tally must be of a kind and of classes that the policy allows, and lie in
// one of the policy's windows, which are aligned in UTC. Otherwise Clear
// returns an error that holds no number of the Tally. A Tally of a part of a
// window, at a start or a stop, is released as the whole window with less time
// observed: no shorter window leaves the device. Of a zone, a part that ends before
// the window does is a gap: who stays is in the next part as well, and would be told
// again by every stop within the window. So a zone has one release with numbers for a
// window. Outside the policy's hours the
// Release is a gap, independent of the counts. Without noise, a window of which less
// than half was observed is a gap too, because stopping and starting the device
// must not make windows shorter.
func (p *Policy) Clear(t counting.Tally) (Release, error) {
	if err := p.checkTally(&t); err != nil {
		return Release{}, fmt.Errorf("clear %s: %w", t.Stream, err)
	}
	start := t.Start.Truncate(p.Window())
	end := start.Add(p.Window())
	r := Release{
		stream: t.Stream, kind: t.Kind, quality: t.Quality, reason: t.Reason.String(),
		start: start.UnixMilli(), end: end.UnixMilli(), mono: t.Mono.Milliseconds(),
		observed: p.coarsenObserved(&t), still: t.Polled,
		policy: p.hash, rule: p.newRule(),
	}
	if !p.openAll(start, end) {
		r.quality, r.reason = counting.Gap, reasonClosed
	}
	if p.Method() != Noise && 2*t.Observed < p.Window() && r.quality != counting.Gap {
		r.quality, r.reason = counting.Gap, reasonShort
	}
	if t.Kind == counting.ZoneStream && t.End.Before(end) && r.quality != counting.Gap {
		r.quality, r.reason = counting.Gap, cmp.Or(r.reason, counting.ReasonStopped.String())
	}
	switch r.quality {
	case counting.OK:
		r.reason = ""
	case counting.Gap:
		r.observed = 0
	}
	if !isWord(r.reason) && r.quality != counting.OK {
		r.reason = "unknown"
	}
	if r.quality == counting.Gap {
		return r, nil
	}
	quantities := p.AllowedQuantities(t.Measures)
	w := clearer{rule: r.rule, kind: t.Kind, noise: newSampler(), parts: countParts(quantities)}
	for c := range counting.Class(counting.Classes) {
		if !t.Counted[c] {
			continue
		}
		if t.Kind == counting.ZoneStream {
			r.appendCells(w.clearZone(c, t.Presence[c], t.SampledTime(), t.Peak[c]))
		} else {
			r.appendCells(w.clearLine(c, t.OneWay, t.Crossings[c])...)
		}
	}
	r.appendTraffic(w, quantities, &t)
	return r, nil
}

// observedSteps is the number of steps in which a Release tells the observed part of a
// window. A finer number would tell when a sensor was lost or found, to the second.
const observedSteps = 10

// coarsenObserved returns the observed time in seconds, in tenths of the window: all of
// it where the quality is OK, or else one to nine tenths. For a zone that is seen at
// instants it is their number.
func (p *Policy) coarsenObserved(t *counting.Tally) int64 {
	window := p.Window()
	switch {
	case t.Polled:
		return int64(t.Instants)
	case t.Quality == counting.OK:
		return int64(window / time.Second)
	}
	tenths := (t.Observed*observedSteps + window/2) / window
	return int64(min(max(tenths, 1), observedSteps-1) * window / observedSteps / time.Second)
}

// appendCells adds cells behind those that r has.
func (r *Release) appendCells(cs ...cell) { r.count += copy(r.cells[r.count:], cs) }

// checkTally returns an error for a Tally that the policy does not allow at
// all.
func (p *Policy) checkTally(t *counting.Tally) error {
	start := t.Start.Truncate(p.Window())
	switch length := t.End.Sub(t.Start); {
	case !isName(t.Stream):
		return errors.New("stream name must be 1–64 of a–z, 0–9, _ and -")
	case t.Kind > counting.LoopStream || !p.AllowsKind(t.Kind):
		return fmt.Errorf("the policy does not allow %s streams", nameKind(t.Kind))
	case t.Quality > counting.Gap:
		return fmt.Errorf("quality %d is none", uint8(t.Quality))
	case length <= 0 || t.End.After(start.Add(p.Window())):
		return fmt.Errorf("counted from %s for %s: not in one window of %s", t.Start.UTC().Format(time.RFC3339), length, p.Window())
	case start.UnixMilli() < 0 || t.End.UnixMilli() > maxTime-maxWindow.Milliseconds() || t.Mono < 0:
		return errors.New("window lies before 1970 or after 9999")
	case t.Quality != counting.Gap && (t.Observed <= 0 || t.Observed > length):
		return fmt.Errorf("observed %s of %s", t.Observed, length)
	case t.OneWay > counting.OnlyBToA || t.OneWay != counting.BothWays && t.Kind != counting.LoopStream:
		return fmt.Errorf("a %s is not seen in one direction only", nameKind(t.Kind))
	case t.Polled && t.Kind != counting.ZoneStream:
		return fmt.Errorf("a %s is not seen at instants", nameKind(t.Kind))
	case t.Quality != counting.Gap && (t.SampledTime() <= 0 || t.SampledTime() > length):
		return fmt.Errorf("%d instants in %s", t.Instants, length)
	}
	return errors.Join(p.checkClasses(t.Counted), checkTraffic(t))
}

// checkClasses returns an error if a class is counted that the policy does not
// allow.
func (p *Policy) checkClasses(counted [counting.Classes]bool) error {
	for c, yes := range counted {
		if yes && !p.AllowsClass(counting.Class(c)) {
			return fmt.Errorf("the policy does not allow class %s", counting.Class(c))
		}
	}
	return checkSplit(counted)
}

// checkSplit returns an error for a stream that counts no class, or vehicles
// both as a whole and by parts.
func checkSplit(counted [counting.Classes]bool) error {
	if counted == [counting.Classes]bool{} {
		return errors.New("no class is counted")
	}
	for _, c := range counting.AllClasses() {
		if whole := c.WithoutSplit(); whole != c && counted[c] && counted[whole] {
			return fmt.Errorf("%s and a part of it are both counted: their difference would tell what is withheld", whole)
		}
	}
	return nil
}

// nameKind is the name of a kind, "unknown" for a value that is none.
func nameKind(k counting.Kind) string {
	if k > counting.LoopStream {
		return "unknown"
	}
	return k.String()
}

// newRule is the policy's clearing as the parameters of a Release.
func (p *Policy) newRule() rule {
	c := p.terms.Clear
	r := rule{
		method: c.Method, epsilon: uint16(c.Epsilon*1000 + 0.5),
		below: uint16(c.Below), round: uint16(c.Round), totals: c.Totals,
	}
	for i, b := range c.Bands {
		r.bands[i] = uint16(b)
	}
	return r
}

// clearer clears the cells of one window.
type clearer struct {
	rule
	kind  counting.Kind
	noise *sampler
	parts uint64 // in which ε is divided: see traffic.go
}

// clearLine clears the crossings of a line or loop in one class. A stream of one
// direction has one cell, which is its total too.
func (w clearer) clearLine(c counting.Class, way counting.OneWay, n [counting.Directions]uint32) []cell {
	cells := make([]cell, 0, counting.Directions+1)
	for d, n := range n {
		if way.Sees(counting.Direction(d)) {
			cells = append(cells, cell{class: c, dir: counting.Direction(d), a: int64(n)})
		}
	}
	if w.method == Noise {
		for i := range cells {
			n := cells[i].a + w.draw(1, 1)
			cells[i].a = min(max(n, minCount), maxCount)
			cells[i].withholdBelow(int64(w.below))
		}
		return cells
	}
	w.totals = w.totals && way == counting.BothWays
	if w.totals {
		cells = append(cells, cell{class: c, dir: Both, a: cells[0].a + cells[1].a})
	}
	w.suppressCells(cells)
	return cells
}

// suppressCells withholds counts below the threshold and rounds the others.
// Where a total is given, a single withheld direction could be computed as the
// total minus the other direction. So if either is withheld, both are, and
// their upper bound is the one that follows from the total anyway.
func (w clearer) suppressCells(cells []cell) {
	hidden := false
	for i := range cells {
		c := &cells[i]
		if c.withholdBelow(int64(w.below)) {
			hidden = hidden || c.dir != Both
		} else {
			c.a = roundToStep(c.a, int64(w.round), maxCount)
		}
	}
	if !w.totals || !hidden {
		return
	}
	total, most := cells[counting.Directions], int64(0)
	if total.ranged {
		most = total.b
	} else {
		most = total.a + int64(w.round)/2 + 1
	}
	for i := range cells[:counting.Directions] {
		cells[i] = cell{class: total.class, dir: cells[i].dir, ranged: true, b: most}
	}
}

// withholdBelow replaces a number below the threshold by "below the threshold".
// Threshold 0 withholds no number, not even one that noise made negative.
func (c *cell) withholdBelow(below int64) bool {
	if c.ranged = below > 0 && c.a < below; c.ranged {
		c.a, c.b = 0, below
	}
	return c.ranged
}

// clearZone clears the number of objects of one class that were present.
//
// One presence adds at most its own time in the window to the object-seconds,
// so at most 1 to the mean, and at most 1 to the peak; observed at instants, at
// most each of them. Half of ε is spent on each. The mean is rounded to tenths
// first, in whole numbers, which keeps its sensitivity: two numbers at most 1
// apart round to tenths at most 10 apart.
func (w clearer) clearZone(c counting.Class, present, observed time.Duration, peak uint32) cell {
	tenths := meanTenths(present, observed)
	o := cell{class: c, a: tenths, b: int64(peak)}
	switch w.method {
	case Noise:
		o.a = min(max(o.a+w.draw(10, 2), minMean), maxMean)
		o.b = min(max(o.b+w.draw(1, 2), minCount), maxCount)
		if w.below > 0 && o.a < 10*int64(w.below) {
			o.ranged, o.a, o.b = true, 0, int64(w.below)
		}
	case Suppress:
		if o.a < 10*int64(w.below) {
			o.ranged, o.a, o.b = true, 0, int64(w.below)
			return o
		}
		o.a = roundToStep(o.a, 10*int64(w.round), maxMean)
		o.b = roundToStep(o.b, int64(w.round), maxCount)
	case Bands:
		o.ranged = true
		o.a, o.b = w.bandAround((tenths + 5) / 10)
	}
	return o
}

// meanTenths is present/observed in tenths, halves up, or maxMean if it is
// more: ⌊(20·present + observed) / (2·observed)⌋ without overflow.
func meanTenths(present, observed time.Duration) int64 {
	hi, lo := bits.Mul64(20, uint64(max(0, present)))
	lo, carry := bits.Add64(lo, uint64(observed), 0)
	if hi += carry; hi >= 2*uint64(observed) {
		return maxMean
	}
	tenths, _ := bits.Div64(hi, lo, 2*uint64(observed))
	return int64(min(tenths, maxMean))
}

// bandAround is the band that contains n: its lower end, and the lower end of
// the next band or 0.
func (w clearer) bandAround(n int64) (from, below int64) {
	for _, b := range w.bands {
		if b == 0 {
			break
		}
		if n < int64(b) {
			return from, int64(b)
		}
		from = int64(b)
	}
	return from, 0
}

// roundToStep is the multiple of step nearest to n, halves up, for n ≥ 0; or
// the largest multiple that does not exceed most.
func roundToStep(n, step, most int64) int64 {
	return min((n+step/2)/step, most/step) * step
}
