package policy

import (
	"testing"
	"time"

	"kerb/configs"
	"kerb/counting"
)

// Without noise the true number lies within the bounds of every release. With noise the
// deviation is that of meta, which TestNoise… holds against the sampler.
func TestTheTrueNumberLiesWithinTheBounds(t *testing.T) {
	for _, name := range []string{"suppress", "traffic", "busyness", "standard"} {
		text, err := configs.ReadPolicy(name)
		if err != nil {
			t.Fatal(err)
		}
		p, err := Parse(name, text)
		if err != nil {
			t.Fatal(err)
		}
		for kind := counting.LineStream; kind <= counting.LoopStream; kind++ {
			if !p.AllowsKind(kind) {
				continue
			}
			for n := range uint32(120) {
				r := clearCount(t, p, kind, n)
				checkBounds(t, p, &r, float64(n))
			}
		}
	}
}

// clearCount clears a window with n vehicles from a to b, or n all the time in a zone.
func clearCount(t *testing.T, p *Policy, kind counting.Kind, n uint32) Release {
	t.Helper()
	start := time.Date(2026, 11, 23, 14, 0, 0, 0, time.UTC)
	w := counting.Tally{Stream: "s", Kind: kind, Start: start, End: start.Add(p.Window()), Mono: time.Hour, Observed: p.Window()}
	for _, c := range []counting.Class{counting.Person, counting.Vehicle} {
		if p.AllowsClass(c) {
			w.Counted[c], w.Crossings[c][counting.AToB] = true, n
			w.Presence[c], w.Peak[c] = time.Duration(n)*p.Window(), n
		}
	}
	r, err := p.Clear(w)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func checkBounds(t *testing.T, p *Policy, r *Release, want float64) {
	t.Helper()
	bounds := r.Bounds()
	for i, c := range r.Cells() {
		if c.Dir == counting.BToA {
			want = 0
		}
		b := bounds[i]
		if p.Method() == Noise {
			scale := p.DescribeClearing(r.Kind()).Noise[map[bool]string{true: "mean", false: "n"}[r.Kind() == counting.ZoneStream]]
			if b.Deviation != scale.Deviation || !c.Ranged && (b.Least != b.Most || b.Least != float64(c.N)+c.Mean) || c.Ranged && b.Least != 0 {
				t.Fatalf("%s %s: %+v of %+v, want the deviation %g", p.Title(), r.Kind(), b, c, scale.Deviation)
			}
			continue
		}
		if b.Deviation != 0 || want < b.Least || want > b.Most || !c.Ranged && b.Most-b.Least > 10 {
			t.Fatalf("%s %s: %g is not within %+v of %+v", p.Title(), r.Kind(), want, b, c)
		}
		if c.Dir == counting.BToA {
			return
		}
	}
}
