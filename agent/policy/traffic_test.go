package policy

import (
	"math"
	"slices"
	"testing"
	"time"

	"kerb/counting"
)

// everything is all that a pair of loops measures.
var everything = counting.QuantitiesOf(counting.LoopStream)

// ofLoops are its members.
var ofLoops = slices.DeleteFunc(counting.AllQuantities(), func(q counting.Quantity) bool { return !everything.Has(q) })

// withTraffic is a text of a policy with the quantities qs.
func withTraffic(text string, qs ...counting.Quantity) string {
	list := "["
	for i, q := range qs {
		if i > 0 {
			list += ", "
		}
		list += quoteTOML(q.String())
	}
	return "count.quantities = " + list + "]\n" + text
}

// trafficWindow is a window of a pair of loops over which n vehicles passed.
func trafficWindow(p *Policy, n uint32) counting.Tally {
	t := window(p, counting.LoopStream)
	t.Counted = [counting.Classes]bool{counting.Vehicle: true}
	t.Measures, t.LengthBins = everything, 4
	t.Crossings[counting.Vehicle][counting.AToB] = n
	t.Traffic.CoveredOver = p.Window()
	t.Traffic.Covered = min(time.Duration(n)*500*time.Millisecond, p.Window())
	for i := range n {
		t.Traffic.AddSpeed(30 + float64(i%30))
		t.Traffic.Lengths[i%4]++
		t.Traffic.Headways[i%counting.TimeBins]++
		t.Traffic.Gaps[i%counting.TimeBins]++
	}
	return t
}

func TestEveryQuantityIsClearedAndComesBackAsItWas(t *testing.T) {
	all := ofLoops
	for name, text := range map[string]string{
		"noise":    withTraffic(noisy, all...),
		"suppress": withTraffic(suppressed, counting.Occupancy, counting.MeanSpeed),
	} {
		p := parse(t, text)
		for _, n := range []uint32{0, 3, 500} {
			r := release(t, p, trafficWindow(p, n))
			if r.again(t) != r {
				t.Errorf("%s, %d: comes back as another", name, n)
			}
			for _, f := range r.Figures() {
				want := figuresOf[f.Quantity].numbers
				if f.Quantity == counting.Lengths {
					want = 4
				}
				if len(f.Numbers) != want || !p.AllowsQuantity(f.Quantity) {
					t.Errorf("%s: %d numbers of %s", name, len(f.Numbers), f.Quantity)
				}
			}
			if got := len(r.Figures()); got != len(p.terms.Count.Quantities) {
				t.Errorf("%s: %d quantities", name, got)
			}
		}
	}
}

// A device that goes back to an earlier version reads what has no quantities.
func TestAReleaseWithoutQuantitiesKeepsItsForm(t *testing.T) {
	for text, magic := range map[string]string{noisy: releaseMagic, withTraffic(noisy, counting.Speeds): trafficMagic} {
		p := parse(t, text)
		b, err := release(t, p, trafficWindow(p, 9)).MarshalBinary()
		if err != nil || string(b[:len(magic)]) != magic {
			t.Errorf("%x, %v", b[:4], err)
		}
	}
	if parse(t, noisy).Hash() != parse(t, withTraffic(noisy)).Hash() {
		t.Error("an empty list of quantities changes the hash, so signatures of before are void")
	}
}

func TestHistogramsNeedNoise(t *testing.T) {
	for _, q := range counting.AllQuantities() {
		_, err := Parse("policy.toml", []byte(withTraffic(suppressed, q)))
		if (err != nil) != (q != counting.Occupancy && q != counting.MeanSpeed) {
			t.Errorf("%s: %v", q, err)
		}
	}
}

// A quantity that the policy does not name does not leave, and costs no share of ε.
func TestOnlyAllowedQuantitiesLeave(t *testing.T) {
	p := parse(t, withTraffic(noisy, counting.Gaps))
	r := release(t, p, trafficWindow(p, 40))
	if fs := r.Figures(); len(fs) != 1 || fs[0].Quantity != counting.Gaps {
		t.Errorf("%+v", fs)
	}
	if d := p.DescribeQuantities(counting.Stream{Measures: everything}); len(d) != 2 || d[0].Epsilon != 0.5 || d[1].Noise.Scale != 6 {
		t.Errorf("%+v", d)
	}
	if d := p.DescribeQuantities(counting.Stream{}); d != nil {
		t.Errorf("a camera's line: %+v", d)
	}
}

// The declared noise of every number is that which Clear draws, and the shares add up
// to ε.
func TestTheDeclaredNoiseOfEveryQuantityIsDrawn(t *testing.T) {
	p := parse(t, withTraffic(noisy, ofLoops...))
	truth := trafficWindow(p, 5000)
	qs := p.AllowedQuantities(everything)
	w := clearer{rule: p.newRule(), noise: seeded(9), parts: countParts(qs)}
	w.below = 0
	declared := p.DescribeQuantities(counting.Stream{Kind: counting.LoopStream, Measures: everything, LengthBins: counting.UKLengths()})
	sum := 0.0
	for i, d := range declared {
		sum += d.Epsilon
		const draws = 20_000
		off := 0.0
		for range draws {
			if i == 0 {
				n := float64(w.clearLine(counting.Vehicle, counting.OnlyAToB, [2]uint32{5000})[0].a - 5000)
				off += n * n
				continue
			}
			q := counting.Quantity(i - 1)
			n := float64(*figureValue(w.noiseTraffic(q, &truth)))
			n -= float64(*exactValue(q, &truth))
			off += n * n
		}
		// In ‰ of 15 min the noise of occupancy is rounded once more: a standard
		// deviation of 0.3 more, beside 48.
		if got := math.Sqrt(off / draws); math.Abs(got/d.Noise.Deviation-1) > 0.05 {
			t.Errorf("%s: drawn %.3f, declared %.3f", d.Name, got, d.Noise.Deviation)
		}
	}
	if math.Abs(sum-p.Epsilon()) > 1e-5 {
		t.Errorf("the shares add up to %g", sum)
	}
}

func figureValue(fs []figure) *int64 { return &fs[0].a }

// exactValue is the first number of a quantity without noise.
func exactValue(q counting.Quantity, t *counting.Tally) *int64 {
	var v int64
	switch q {
	case counting.Occupancy:
		v = toPermille(t.Traffic.Covered.Milliseconds(), t.Traffic.CoveredOver)
	case counting.MeanSpeed:
		v = int64(t.Traffic.SpeedCount)
	default:
		v = int64(trafficBins(q, t)[0])
	}
	return &v
}

// On a camera's line people are shown while the few vehicles are withheld. A mean speed
// would tell that there were five vehicles at least.
func TestACamerasLineGivesNoSpeedOfWithheldVehicles(t *testing.T) {
	p := parse(t, withTraffic(suppressed, counting.MeanSpeed))
	shown := func(a, b uint32) bool {
		y := window(p, counting.LineStream)
		y.Measures = counting.QuantitiesOf(counting.LineStream)
		y.Crossings[counting.Person] = [counting.Directions]uint32{40, 40}
		y.Crossings[counting.Vehicle] = [counting.Directions]uint32{a, b}
		for range a + b {
			y.Traffic.AddSpeed(40)
		}
		return release(t, p, y).Figures()[0].Numbers[1] != nil
	}
	if b := uint32(p.terms.Clear.Below); shown(b-1, b-1) || !shown(b, b) {
		t.Errorf("mean speed with both counts withheld: %v, with none: %v", shown(b-1, b-1), shown(b, b))
	}
}

func TestAStreamReleasesOnlyWhatItsKindMeasures(t *testing.T) {
	p := parse(t, withTraffic(noisy, counting.AllQuantities()...))
	for _, k := range []counting.Kind{counting.LineStream, counting.ZoneStream} {
		for _, q := range counting.AllQuantities() {
			y := window(p, k)
			y.Measures = counting.NewQuantitySet(q)
			if _, err := p.Clear(y); (err == nil) != counting.QuantitiesOf(k).Has(q) {
				t.Errorf("%s of a %s: %v", q, k, err)
			}
		}
	}
}

// The attacker of attack_test.go also has occupancy and mean speed. He knows that a
// vehicle covers the loop for 30 ms to 4 s, and that its speed is 0–150 km/h. Each
// world is a pair of counts with a covered time and a mean speed; he recovers a secret
// if a withheld count can no longer be every small number.
func TestOccupancyAndSpeedTellNothingOfWithheldCounts(t *testing.T) {
	for _, round := range []uint16{1, 5} {
		u := rule{method: Suppress, below: 5, round: round}
		if n := trafficRecovered(clearer{rule: u}, clearer{rule: u}.suppressTraffic); n > 0 {
			t.Errorf("round %d: %d worlds are solved", round, n)
		}
	}
}

func TestOccupancyAndSpeedTellNothingOfWithheldCounts_control(t *testing.T) {
	w := clearer{rule: rule{method: Suppress, below: 5, round: 1}}
	n := trafficRecovered(w, func(q counting.Quantity, t *counting.Tally, _ []cell) []figure {
		if q == counting.MeanSpeed {
			return []figure{{quantity: q, a: int64(t.Traffic.SpeedCount)}}
		}
		return []figure{{quantity: q, a: toPermille(t.Traffic.Covered.Milliseconds(), t.Traffic.CoveredOver)}}
	})
	if n == 0 {
		t.Error("exact occupancy and the number of speeds passed: the attack sees nothing")
	}
}

// trafficRecovered counts the worlds whose small number is narrowed down.
func trafficRecovered(w clearer, clear func(counting.Quantity, *counting.Tally, []cell) []figure) int {
	type seenTraffic struct {
		cells   [2]cell
		figures [3]figure
	}
	type world struct {
		a, b uint32
		s    seenTraffic
	}
	var all []world
	possible := map[seenTraffic]*[2][64]bool{}
	for a := range uint32(25) {
		for b := range uint32(25) {
			n := int64(a + b)
			// Covered times from the shortest to the longest, and mean speeds.
			for step := range int64(9) {
				covered := n*shortestCovered + n*(counting.MaxCovered.Milliseconds()-shortestCovered)*step/8
				for _, speed := range []int64{30, 75, 120} {
					t := counting.Tally{Traffic: counting.Traffic{
						Covered: time.Duration(covered) * time.Millisecond, CoveredOver: 5 * time.Minute,
						SpeedCount: a + b, SpeedSum: n * speed * counting.SpeedUnitsKMH,
					}}
					cells := w.clearLine(counting.Vehicle, counting.BothWays, [2]uint32{a, b})
					var s seenTraffic
					copy(s.cells[:], cells)
					copy(s.figures[:], slices.Concat(clear(counting.Occupancy, &t, cells), clear(counting.MeanSpeed, &t, cells)))
					// For the attacker a covered time in ‰ is one of many; worlds whose
					// range holds it are possible.
					all = append(all, world{a, b, s})
				}
			}
		}
	}
	for _, x := range all {
		possible[x.s] = &[2][64]bool{}
	}
	for s, p := range possible {
		for a := range uint32(25) {
			for b := range uint32(25) {
				if w.couldShow(a, b, s.cells, s.figures[:], clear) {
					p[0][a], p[1][b] = true, true
				}
			}
		}
	}
	solved := 0
	for _, x := range all {
		p := possible[x.s]
		for v := range uint32(w.below) {
			if x.a < uint32(w.below) && !p[0][v] || x.b < uint32(w.below) && !p[1][v] {
				solved++
				break
			}
		}
	}
	return solved
}

// couldShow reports whether a and b passages with some covered time and some speeds
// give the cells and the figures.
func (w clearer) couldShow(a, b uint32, cells [2]cell, fs []figure, clear func(counting.Quantity, *counting.Tally, []cell) []figure) bool {
	got := w.clearLine(counting.Vehicle, counting.BothWays, [2]uint32{a, b})
	if got[0] != cells[0] || got[1] != cells[1] {
		return false
	}
	n := int64(a + b)
	t := counting.Tally{Traffic: counting.Traffic{CoveredOver: 5 * time.Minute, SpeedCount: a + b}}
	// The shown number grows with the covered time: it could be shown if it lies between
	// the least and the most, and between what the slowest and the fastest show.
	t.Traffic.Covered = time.Duration(n) * shortestCovered * time.Millisecond
	least := slices.Concat(clear(counting.Occupancy, &t, got), clear(counting.MeanSpeed, &t, got))
	t.Traffic.Covered, t.Traffic.SpeedSum = time.Duration(n)*counting.MaxCovered, n*2*speedMiddle
	most := slices.Concat(clear(counting.Occupancy, &t, got), clear(counting.MeanSpeed, &t, got))
	for i := range least {
		if fs[i].withheld != least[i].withheld || fs[i].a < least[i].a || fs[i].a > most[i].a {
			return false
		}
	}
	return true
}

// The attacker knows every vehicle over a camera's line but one. With and without it, at
// any speed, the released numbers differ by at most ε together, since its speed is clipped.
func TestOneVehicleOverACamerasLineCostsAtMostEpsilon(t *testing.T) {
	p := parse(t, withTraffic(noisy, counting.MeanSpeed, counting.Speeds))
	d := p.DescribeQuantities(counting.Stream{Kind: counting.LineStream, Measures: counting.QuantitiesOf(counting.LineStream)})
	loss := func(kmh float64, clipped bool) float64 {
		var with counting.Traffic
		with.AddSpeed(kmh)
		bins := uint32(0)
		for _, n := range with.Speeds {
			bins += n
		}
		sum := float64(with.SpeedSum) / counting.SpeedUnitsKMH
		if !clipped {
			sum = kmh
		}
		off := math.Abs(sum - float64(with.SpeedCount)*counting.MaxSpeed/2)
		return 1/d[0].Noise.Scale + float64(with.SpeedCount)/d[1].Noise.Scale + off/d[1].SumNoise.Scale + float64(bins)/d[2].Noise.Scale
	}
	most, control := 0.0, 0.0
	for kmh := 0.5; kmh < 400; kmh += 0.5 {
		most, control = max(most, loss(kmh, true)), max(control, loss(kmh, false))
	}
	t.Logf("at most %.4f of ε = %g; with speeds that are not clipped %.4f", most, p.Epsilon(), control)
	if most > p.Epsilon()+1e-3 || most < 0.99*p.Epsilon() {
		t.Errorf("one vehicle costs %.4f", most)
	}
	if control <= p.Epsilon() {
		t.Error("speeds that are not clipped passed: the attack sees nothing")
	}
}
