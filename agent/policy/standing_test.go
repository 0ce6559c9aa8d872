package policy

import (
	"math"
	"testing"
	"time"

	"kerb/counting"
)

// zoneStanding is a window of a zone with standing and moving objects.
func zoneStanding(p *Policy, stood, moved time.Duration) counting.Tally {
	t := window(p, counting.ZoneStream)
	t.Measures = counting.QuantitiesOf(counting.ZoneStream)
	t.Traffic.FollowedOver = p.Window()
	t.Traffic.Stood[counting.Person], t.Traffic.Moved[counting.Person] = stood, moved
	return t
}

func TestStandingIsClearedAndComesBackAsItWas(t *testing.T) {
	p := parse(t, withTraffic(noisy, counting.Standing))
	for _, n := range []time.Duration{0, 3, 500} {
		y := zoneStanding(p, n*p.Window(), p.Window()/2)
		r := release(t, p, y)
		fs := r.Figures()
		if r.again(t) != r || len(fs) != 1 || fs[0].Quantity != counting.Standing || len(fs[0].Numbers) != 2*len(r.Cells()) {
			t.Fatalf("%+v", fs)
		}
		if got := fs[0].Numbers[0]; p.terms.Clear.Below == 0 && math.Abs(float64(*got)-10*float64(n)) > 300/p.Epsilon() {
			t.Errorf("%d stand, told %d tenths", n, *got)
		}
	}
	y := zoneStanding(p, p.Window(), p.Window())
	y.Traffic.FollowedOver = 0
	for _, v := range release(t, p, y).Figures()[0].Numbers {
		if v != nil {
			t.Errorf("nothing was followed, and %d tenths are told", *v)
		}
	}
}

func TestStandingNeedsNoiseAndFollowing(t *testing.T) {
	for name, text := range map[string]string{
		"suppressed":    withTraffic(suppressed, counting.Standing),
		"never follows": withTraffic("camera.follow_max = \"0s\"\n"+noisy, counting.Standing),
	} {
		if _, err := Parse("policy.toml", []byte(text)); err == nil {
			t.Errorf("%s: no mistake", name)
		}
	}
}

// The declared shares of a zone add up to ε, and the declared noise of standing is drawn.
func TestTheDeclaredNoiseOfStandingIsDrawn(t *testing.T) {
	p := parse(t, withTraffic(noisy, counting.Standing))
	d := p.DescribeQuantities(counting.Stream{Kind: counting.ZoneStream, Measures: counting.QuantitiesOf(counting.ZoneStream)})
	sum := 0.0
	for _, q := range d {
		sum += q.Epsilon
	}
	if len(d) != 3 || math.Abs(sum-p.Epsilon()) > 1e-5 {
		t.Fatalf("the shares of %d quantities add up to %g", len(d), sum)
	}
	w := clearer{rule: p.newRule(), noise: seeded(4), parts: countParts(counting.QuantitiesOf(counting.ZoneStream))}
	w.below = 0
	y := zoneStanding(p, 40*p.Window(), 20*p.Window())
	const draws = 20_000
	off := 0.0
	for range draws {
		n := float64(w.noiseStanding(&y)[0].a)/10 - 40
		off += n * n
	}
	if got := math.Sqrt(off / draws); math.Abs(got/d[2].Noise.Deviation-1) > 0.05 {
		t.Errorf("drawn %.3f, declared %.3f", got, d[2].Noise.Deviation)
	}
}

// The attacker knows every stay but one. A window of six instants, in each of which the stay
// is absent, stands or moves, as one class or the other, beside all stays of two others:
// without it the numbers before noise differ by at most the declared sensitivity together.
func TestOneStayChangesAllStandingByItsShareAtMost(t *testing.T) {
	const instants = 6
	states := 5 // absent; stands or moves as a person; stands or moves as a vehicle
	all := int(math.Pow(float64(states), instants))
	over := 15 * time.Minute / 7 // so that shares are no whole thousandths
	add := func(y *counting.Traffic, pattern int, d time.Duration) {
		for range instants {
			switch s := pattern % states; s {
			case 1, 3:
				y.Stood[[]counting.Class{1: counting.Person, 3: counting.Vehicle}[s]] += d
			case 2, 4:
				y.Moved[[]counting.Class{2: counting.Person, 4: counting.Vehicle}[s]] += d
			}
			pattern /= states
		}
	}
	numbers := func(y *counting.Traffic) (out [4]int64) {
		for i, c := range []counting.Class{counting.Person, counting.Vehicle} {
			out[2*i], out[2*i+1] = meanThousandths(y.Stood[c], over), meanThousandths(y.Moved[c], over)
		}
		return out
	}
	most, worlds := int64(0), 0
	for other := 0; other < all; other += 487 {
		var without counting.Traffic
		add(&without, other, over/instants)
		add(&without, (other*31+7)%all, over/instants)
		a := numbers(&without)
		for pattern := range all {
			with := without
			add(&with, pattern, over/instants)
			b := numbers(&with)
			sum := int64(0)
			for i := range a {
				sum += max(a[i]-b[i], b[i]-a[i])
			}
			most, worlds = max(most, sum), worlds+1
		}
	}
	t.Logf("%d worlds: at most %d thousandths", worlds, most)
	if sensitivity := int64(figuresOf[counting.Standing].sensitivity); most > sensitivity || most < 999 {
		t.Errorf("one stay changes the numbers by %d thousandths; the noise is for %d", most, sensitivity)
	}
}
