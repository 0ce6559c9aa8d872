package policy

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"kerb/counting"
)

// The mathematics of the quantities of counting.Traffic under noise.
//
// One passage has one ε, for all quantities together. A stream that releases m
// quantities besides its counts spends ε/(1+m) on the counts and on each quantity,
// and by sequential composition the passage costs ε in all.
//
// A quantity of sensitivity Δ, the most by which adding or removing one passage can
// change the sum of the absolute values of its numbers, gets discrete Laplace noise of
// scale Δ·(1+m)/ε on every number:
//
//	occupancy  Σ min(on-time, 4 s) in ms                Δ = 4000
//	speed      number of speeds                         Δ = 1, half of the share
//	           Σ (min(v, 150 km/h) − 75 km/h) in 0.1    Δ = 750, half of the share
//	speeds     one bin of one passage                   Δ = 1
//	lengths    one bin of one passage                   Δ = 1
//	headways   a passage has one, and parts that of the next in two: −1 +1 +1   Δ = 3
//	gaps       the same                                 Δ = 3
//	congested  at most one interval of one passage      Δ = 1
//	standing   mean standing and mean moving of each    Δ = 1012
//	           class in a zone, in thousandths
//
// One stay in a zone stands or moves, as one class, at each moment, so that it adds at most
// the whole of the observed time, 1000 thousandths, to all these means together, however
// often its class or its state change; rounding to thousandths adds one for each number
// at most. The released means are the noised ones rounded to tenths.
//
// A camera's line has the speeds of vehicles alone, one of each vehicle that it counts.
//
// A passage over the border of two windows is clipped over both together, and one
// headway belongs to one window, so these bounds hold over all windows. Everything
// else is computed from the noised numbers: the mean speed, the share of the time, and
// the cells withheld as too small.
//
// Without noise nothing bounds what a histogram tells: a bin that is withheld is the
// count less the others. Suppression therefore clears occupancy and mean speed only:
// see suppressTraffic.

// figureOf describes the figures of one quantity.
type figureOf struct {
	numbers     int    // how many figures; 0: the length bins, or two for each class of the stream
	sensitivity uint64 // Δ of each histogram bin or count
}

var figuresOf = [counting.Quantities]figureOf{
	counting.Occupancy: {1, uint64(counting.MaxCovered / time.Millisecond)},
	counting.MeanSpeed: {2, 1},
	counting.Speeds:    {counting.SpeedBins, 1},
	counting.Lengths:   {0, 1},
	counting.Headways:  {counting.TimeBins, 3},
	counting.Gaps:      {counting.TimeBins, 3},
	counting.Congested: {1, 1},
	counting.Standing:  {0, 1000 + 2*counting.Classes},
}

// speedMiddle is the middle of the range of speeds, in the unit of SpeedSum: half of
// the range is the sensitivity of the sum of the distances from it.
const speedMiddle = counting.MaxSpeed * counting.SpeedUnitsKMH / 2

// maxFigures is the number of figures of a stream that measures everything.
const maxFigures = 1 + 2 + counting.SpeedBins + counting.MaxLengthBins + 2*counting.TimeBins + 1

// figure is one released number of a quantity. If withheld, it is below the policy's
// threshold, or there is no such number.
type figure struct {
	quantity counting.Quantity
	withheld bool
	a        int64 // ‰, vehicles, or tenths of km/h
}

// The bounds of an occupancy in ‰ with its noise.
const maxPermille = 99_999

// Figures are the released numbers of one quantity.
type Figures struct {
	Quantity counting.Quantity
	// Numbers of the quantity: occupancy in ‰; number of speeds and mean speed in
	// tenths of km/h; bins; congested intervals; mean standing and mean moving of each
	// class of the cells, in tenths of objects. A nil number is withheld.
	Numbers []*int64
}

// Figures returns the quantities of the window besides its counts, in the order of
// counting.Quantity; none for a gap.
func (r Release) Figures() []Figures {
	var out []Figures
	for _, f := range r.figures[:r.figureCount] {
		if n := len(out); n == 0 || out[n-1].Quantity != f.quantity {
			out = append(out, Figures{Quantity: f.quantity})
		}
		var v *int64
		if !f.withheld {
			v = &f.a
		}
		last := &out[len(out)-1]
		last.Numbers = append(last.Numbers, v)
	}
	return out
}

// AllowsQuantity reports whether the quantity may be released beside the counts.
func (p *Policy) AllowsQuantity(q counting.Quantity) bool {
	return slices.Contains(p.terms.Count.Quantities, quantity(q)) && (q != counting.Standing || p.FollowMax() > 0)
}

// AllowedQuantities is the part of s that may be released.
func (p *Policy) AllowedQuantities(s counting.QuantitySet) (allowed counting.QuantitySet) {
	for _, q := range counting.AllQuantities() {
		if s.Has(q) && p.AllowsQuantity(q) {
			allowed |= counting.NewQuantitySet(q)
		}
	}
	return allowed
}

// countParts is the number of equal parts in which a stream with quantities qs
// divides ε: one for the counts, and one for each quantity.
func countParts(qs counting.QuantitySet) uint64 {
	n := uint64(1)
	for _, q := range counting.AllQuantities() {
		if qs.Has(q) {
			n++
		}
	}
	return n
}

// appendTraffic clears the quantities qs of t and appends them to r, whose cells are
// cleared already.
func (r *Release) appendTraffic(w clearer, qs counting.QuantitySet, t *counting.Tally) {
	for _, q := range counting.AllQuantities() {
		if !qs.Has(q) {
			continue
		}
		var fs []figure
		if w.method == Noise {
			fs = w.noiseTraffic(q, t)
		} else {
			fs = w.suppressTraffic(q, t, r.cells[:r.count])
		}
		r.figureCount += copy(r.figures[r.figureCount:], fs)
	}
}

// draw draws the noise of a number with sensitivity Δ; the share of its quantity in ε
// is divided by of.
func (w clearer) draw(sensitivity, of uint64) int64 {
	return w.noise.drawLaplace(uint64(w.epsilon), 1000*max(w.parts, 1)*of*sensitivity)
}

// noiseTraffic clears one quantity with noise.
func (w clearer) noiseTraffic(q counting.Quantity, t *counting.Tally) []figure {
	sensitivity := figuresOf[q].sensitivity
	switch q {
	case counting.Occupancy:
		f := figure{quantity: q, withheld: t.Traffic.CoveredOver <= 0}
		noised := t.Traffic.Covered.Milliseconds() + w.draw(sensitivity, 1)
		if !f.withheld {
			f.a = toPermille(noised, t.Traffic.CoveredOver)
		}
		return []figure{f}
	case counting.MeanSpeed:
		n := int64(t.Traffic.SpeedCount) + w.draw(sensitivity, 2)
		off := t.Traffic.SpeedSum - int64(t.Traffic.SpeedCount)*speedMiddle + w.draw(speedMiddle, 2)
		fs := []figure{w.newCount(q, n), {quantity: q, withheld: true}}
		if !fs[0].withheld && n >= 1 {
			fs[1] = figure{quantity: q, a: min(max(speedMiddle+divideRounded(off, n), 0), 2*speedMiddle)}
		}
		return fs
	case counting.Standing:
		return w.noiseStanding(t)
	}
	bins := trafficBins(q, t)
	fs := make([]figure, len(bins))
	for i, n := range bins {
		fs[i] = w.newCount(q, int64(n)+w.draw(sensitivity, 1))
	}
	return fs
}

// maxStood is the largest sum of standing objects over time that is told, in ms: a thousand
// for a day. It keeps the arithmetic within 64 bits.
const maxStood = 1000 * 24 * 60 * 60 * 1000

// noiseStanding clears the mean numbers of objects that stand and that move, of each class
// that is counted. They are withheld where nothing was followed.
func (w clearer) noiseStanding(t *counting.Tally) (fs []figure) {
	for c := range counting.Class(counting.Classes) {
		if !t.Counted[c] {
			continue
		}
		for _, present := range []time.Duration{t.Traffic.Stood[c], t.Traffic.Moved[c]} {
			f := figure{quantity: counting.Standing, withheld: true}
			noised := w.draw(figuresOf[counting.Standing].sensitivity, 1)
			if t.Traffic.FollowedOver > 0 {
				noised += meanThousandths(present, t.Traffic.FollowedOver)
				f.a = min(max(divideRounded(noised, 100), minMean), maxMean)
				f.withheld = w.below > 0 && f.a < 10*int64(w.below)
			}
			if f.withheld {
				f.a = 0
			}
			fs = append(fs, f)
		}
	}
	return fs
}

// meanThousandths is present/over in thousandths, rounded.
func meanThousandths(present, over time.Duration) int64 {
	return divideRounded(min(present.Milliseconds(), maxStood)*1000, max(over.Milliseconds(), 1))
}

// newCount is a noised number of vehicles as a figure, withheld where it is below the
// threshold.
func (w clearer) newCount(q counting.Quantity, n int64) figure {
	if w.below > 0 && n < int64(w.below) {
		return figure{quantity: q, withheld: true}
	}
	return figure{quantity: q, a: min(max(n, minCount), maxCount)}
}

// trafficBins are the exact numbers of vehicles of a histogram, or the one number of
// congested intervals.
func trafficBins(q counting.Quantity, t *counting.Tally) []uint32 {
	switch q {
	case counting.Speeds:
		return t.Traffic.Speeds[:]
	case counting.Lengths:
		return t.Traffic.Lengths[:t.LengthBins]
	case counting.Headways:
		return t.Traffic.Headways[:]
	case counting.Gaps:
		return t.Traffic.Gaps[:]
	case counting.Congested:
		return []uint32{t.Traffic.Congested}
	}
	return nil
}

// shortestCovered is the shortest time for which a vehicle covers a loop: 30 ms, the
// minimum on-time of loop.DefaultLimits.
const shortestCovered = 30

// suppressTraffic clears occupancy or mean speed without noise. Both are withheld
// while every count is: then nothing tells even whether one person passed. Otherwise
// the covered time is moved to the range that is possible for every count that a
// reader of the cells must think possible, the fewest vehicles for 4 s each and the
// most for 30 ms each, so that it tells nothing about a withheld count. A mean tells
// nothing of a number, and is given in whole km/h. The number of speeds is never given:
// less the counts shown it would be a withheld one.
func (w clearer) suppressTraffic(q counting.Quantity, t *counting.Tally, cells []cell) []figure {
	fewest, most := w.countRange(cells)
	switch {
	case q == counting.Occupancy && (fewest == 0 || t.Traffic.CoveredOver <= 0):
		return []figure{{quantity: q, withheld: true}}
	case q == counting.Occupancy:
		covered := min(max(t.Traffic.Covered.Milliseconds(), most*shortestCovered), fewest*counting.MaxCovered.Milliseconds())
		return []figure{{quantity: q, a: toPermille(covered, t.Traffic.CoveredOver)}}
	}
	fs := []figure{{quantity: q, withheld: true}, {quantity: q, withheld: true}}
	if fewest > 0 && int64(t.Traffic.SpeedCount) >= int64(w.below) {
		mean := divideRounded(t.Traffic.SpeedSum, int64(t.Traffic.SpeedCount))
		fs[1] = figure{quantity: q, a: roundToStep(mean, counting.SpeedUnitsKMH, 2*speedMiddle)}
	}
	return fs
}

// countRange is the smallest and the largest number of passages of vehicles that the cells
// allow; the smallest is 0 where all are withheld. Who else passed has no speed.
func (w clearer) countRange(cells []cell) (fewest, most int64) {
	for _, c := range cells {
		switch {
		case c.dir == Both || c.class.WithoutSplit() != counting.Vehicle:
		case c.ranged:
			most += c.b - 1
		default:
			from, to := w.countsRoundedTo(c.a)
			fewest, most = fewest+from, most+to
		}
	}
	return fewest, most
}

// toPermille is ms/over in ‰, rounded.
func toPermille(ms int64, over time.Duration) int64 {
	return min(max(divideRounded(ms*1000, max(over.Milliseconds(), 1)), -maxPermille), maxPermille)
}

// divideRounded is a/b rounded to the nearest whole number, for b > 0.
func divideRounded(a, b int64) int64 {
	if a < 0 {
		return -divideRounded(-a, b)
	}
	return (a + b/2) / b
}

// checkTraffic refuses traffic that cannot be cleared.
func checkTraffic(t *counting.Tally) error {
	tr := &t.Traffic
	switch {
	case t.Measures&^counting.QuantitiesOf(t.Kind) != 0:
		return fmt.Errorf("a %s does not measure that", nameKind(t.Kind))
	case t.LengthBins < 0 || t.LengthBins > counting.MaxLengthBins || t.Measures.Has(counting.Lengths) && t.LengthBins < 2:
		return fmt.Errorf("%d length bins", t.LengthBins)
	case tr.CoveredOver < 0 || tr.Covered < 0 || tr.Covered > tr.CoveredOver || tr.CoveredOver > maxWindow:
		return errors.New("covered for longer than observed")
	case tr.FollowedOver < 0 || tr.FollowedOver > maxWindow || slices.Min(tr.Stood[:]) < 0 || slices.Min(tr.Moved[:]) < 0:
		return errors.New("standing for less than no time")
	case tr.SpeedSum < 0 || tr.SpeedSum > int64(tr.SpeedCount)*2*speedMiddle:
		return errors.New("speeds above the bound of their sum")
	}
	return nil
}

// checkFigures returns an error for figures that Clear cannot have made.
func (r *Release) checkFigures() error {
	fs := r.figures[:r.figureCount]
	if len(fs) > 0 && (r.quality == counting.Gap || r.rule.method == Bands) {
		return errors.New("quantities where there can be none")
	}
	for len(fs) > 0 {
		q := fs[0].quantity
		n := 1
		for n < len(fs) && fs[n].quantity == q {
			n++
		}
		want := n
		if int(q) < counting.Quantities && figuresOf[q].numbers > 0 {
			want = figuresOf[q].numbers
		}
		next := counting.Quantity(counting.Quantities)
		if n < len(fs) {
			next = fs[n].quantity
		}
		if int(q) >= counting.Quantities || !counting.QuantitiesOf(r.kind).Has(q) || n != want || next <= q || q == counting.Lengths && (n < 2 || n > counting.MaxLengthBins) || q == counting.Standing && n != 2*r.count {
			return errors.New("quantities out of order")
		}
		if !r.rule.allowsFigures(q, fs[:n]) {
			return fmt.Errorf("impossible %s", q)
		}
		fs = fs[n:]
	}
	return nil
}

// allowsFigures reports whether the figures of one quantity are a possible result of
// the rule.
func (u rule) allowsFigures(q counting.Quantity, fs []figure) bool {
	if slices.ContainsFunc(fs, func(f figure) bool { return f.withheld && f.a != 0 }) {
		return false
	}
	isCount := func(f figure) bool { return f.withheld || f.a >= leastShown(u.below) && f.a <= maxCount }
	isSpeed := func(f figure) bool { return f.withheld || f.a >= 0 && f.a <= 2*speedMiddle }
	switch {
	case q == counting.Occupancy && u.method == Noise:
		return fs[0].a >= -maxPermille && fs[0].a <= maxPermille
	case q == counting.Occupancy:
		return fs[0].a >= 0 && fs[0].a <= 1000
	case q == counting.MeanSpeed && u.method == Noise:
		return isCount(fs[0]) && isSpeed(fs[1]) && (fs[1].withheld || !fs[0].withheld && fs[0].a >= 1)
	case q == counting.MeanSpeed:
		return fs[0].withheld && isSpeed(fs[1]) && fs[1].a%counting.SpeedUnitsKMH == 0
	case u.method == Suppress:
		return false
	case q == counting.Standing:
		least := max(minMean, 10*leastShown(u.below))
		return !slices.ContainsFunc(fs, func(f figure) bool { return !f.withheld && (f.a < least || f.a > maxMean) })
	}
	return !slices.ContainsFunc(fs, func(f figure) bool { return !isCount(f) })
}

// quantity is a counting.Quantity as a word of the file.
type quantity counting.Quantity

// UnmarshalText accepts the names of the quantities.
func (q *quantity) UnmarshalText(b []byte) error {
	v, err := counting.ParseQuantity(string(b))
	*q = quantity(v)
	return err
}

// String is the name of the quantity.
func (q quantity) String() string { return counting.Quantity(q).String() }

// needsNoise reports whether the quantity cannot be protected by withholding.
func needsNoise(q quantity) bool {
	return counting.Quantity(q) != counting.Occupancy && counting.Quantity(q) != counting.MeanSpeed
}

// quantityList is the list of all quantities in the order of the wire, in a form that
// is both TOML and JSON.
func quantityList() string {
	var names []string
	for _, q := range counting.AllQuantities() {
		names = append(names, quoteTOML(q.String()))
	}
	return "[" + strings.Join(names, ", ") + "]"
}
