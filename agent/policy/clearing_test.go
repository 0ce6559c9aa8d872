package policy

import (
	"math"
	"testing"

	"kerb/counting"
)

// The declared standard deviation is that of the noise that Clear draws.
func TestTheDeclaredDeviationIsThatOfTheNoise(t *testing.T) {
	for name, p := range shipped(t) {
		d := p.DescribeClearing(counting.LineStream, counting.ZoneStream)
		if (p.Method() == Noise) != (len(d.Noise) == 3) {
			t.Errorf("%s: noise %v", name, d.Noise)
		}
		if p.Method() != Noise {
			continue
		}
		const draws, truth = 20_000, 500
		w := clearer{rule: p.newRule(), noise: seeded(7)}
		sums := map[string]float64{}
		for range draws {
			n := w.clearLine(counting.Person, counting.OnlyAToB, [counting.Directions]uint32{truth, 0})[0]
			zone := w.clearZone(counting.Person, truth*p.Window(), p.Window(), truth)
			for number, off := range map[string]float64{
				"n": float64(n.a - truth), "mean": float64(zone.a)/10 - truth, "peak": float64(zone.b - truth),
			} {
				sums[number] += off * off
			}
		}
		for number, noised := range d.Noise {
			// The estimate of a standard deviation from 20,000 draws of a Laplace
			// distribution is off by less than 5 % in all but one of 10⁵ trials.
			if got := math.Sqrt(sums[number] / draws); math.Abs(got/noised.Deviation-1) > 0.05 {
				t.Errorf("%s: the noise of %s has a deviation of %.3f, declared is %.3f", name, number, got, noised.Deviation)
			}
		}
	}
}

func TestTheClearingOfEachMethodNamesItsOwnNumbers(t *testing.T) {
	all := shipped(t)
	if c := all["suppress"].DescribeClearing(counting.LineStream); c.Epsilon != 0 || c.Noise != nil || c.Below != 10 || c.Round != 10 {
		t.Errorf("suppress: %+v", c)
	}
	if c := all["busyness"].DescribeClearing(counting.ZoneStream); c.Below != 0 || c.Round != 0 || len(c.Bands) != 3 {
		t.Errorf("bands: %+v", c)
	}
	if c := all["standard"].DescribeClearing(counting.LineStream); c.Epsilon != 1 || c.Noise["n"].Scale != 1 || c.Noise["mean"] != (Noised{}) || c.Below != 5 {
		t.Errorf("noise: %+v", c)
	}
}
