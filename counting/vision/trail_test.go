package vision

import (
	"math"
	"testing"
	"time"

	"kerb/counting"
)

// A camera 6 m above the street and a vehicle that drives away from it at 12 m/s: the speed
// is right, also with false places between the true ones, and not told of a short trail.
func TestATrailGivesTheSpeedOverTheGround(t *testing.T) {
	const height, horizon, lens, aspect, speed = 6.0, -0.1, 0.83, 4.0 / 3, 12.0
	place := func(away float64) counting.Point {
		return counting.Point{X: 0.5 + lens*2/away, Y: horizon + lens*aspect*height/away}
	}
	g, ok := counting.NewGround(nil, &counting.Distance{From: place(10), To: place(20), Metres: 10}, aspect)
	if !ok {
		t.Fatal("no ground")
	}
	for _, k := range []struct {
		name   string
		places int
		false_ int // one in so many places is false
		want   float64
	}{
		{"a second and a half", 16, 0, speed},
		{"one false place in five", 16, 5, speed},
		{"a short one", 4, 0, 0},
	} {
		var w trail
		for i := range k.places {
			at := time.Duration(i) * 100 * time.Millisecond
			p := place(9 + speed*at.Seconds())
			if k.false_ > 0 && i%k.false_ == 2 {
				p.Y += 0.2
			}
			w.add(p, at)
			w.add(counting.Point{}, at+time.Millisecond) // too soon after it: left out
		}
		// The horizon is taken for granted, so that a distance alone is a few per cent off.
		if v, ok := w.speed(g); ok != (k.want > 0) || math.Abs(v-k.want) > 0.06*speed {
			t.Errorf("%s: %.2f m/s", k.name, v)
		}
		if n := testing.AllocsPerRun(10, func() { w.speed(g) }); n > 0 {
			t.Errorf("%s: %.0f allocations", k.name, n)
		}
	}
}
