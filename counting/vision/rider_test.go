package vision

import (
	"testing"

	"kerb/counting"
)

func TestWalkersAndRidersAreToldApartByVotesAndSpeed(t *testing.T) {
	const person, bicycle, motorcycle, car, heavy = counting.Person, counting.Bicycle, counting.Motorcycle, counting.Car, counting.Heavy
	for _, c := range []struct {
		name   string
		votes  map[counting.Class]float64
		across float64 // m/s, by the height of the box
		away   float64 // m/s as it looks, of which depth 2 makes twice as much
		want   counting.Class
	}{
		{"a walker", map[counting.Class]float64{person: 20}, 1.4, 0, person},
		{"a walker taken for a cyclist", map[counting.Class]float64{person: 6, bicycle: 11}, 1.2, 0, person},
		{"somebody who stands beside a bicycle", map[counting.Class]float64{person: 10, bicycle: 10}, 0, 0, person},
		{"a runner", map[counting.Class]float64{person: 20}, 2.8, 0, person},
		{"a cyclist", map[counting.Class]float64{bicycle: 20}, 4, 0, bicycle},
		{"a slow cyclist", map[counting.Class]float64{bicycle: 20}, 2.2, 0, bicycle},
		{"a cyclist taken for a walker", map[counting.Class]float64{person: 14, bicycle: 3}, 4.4, 0, bicycle},
		{"a cyclist who comes towards the camera", map[counting.Class]float64{person: 14, bicycle: 3}, 0.3, 2.2, bicycle},
		{"a cyclist whom no network knows", map[counting.Class]float64{person: 14}, 4.4, 0, bicycle},
		{"a motorcycle taken for a bicycle", map[counting.Class]float64{bicycle: 7, motorcycle: 1}, 10, 0, motorcycle},
		{"a fast motorcycle", map[counting.Class]float64{motorcycle: 7}, 30, 0, motorcycle},
		{"a car at walking speed", map[counting.Class]float64{car: 7, person: 5}, 1, 0, car},
		{"a lorry", map[counting.Class]float64{heavy: 7, car: 5}, 4, 0, heavy},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := netTrack{h: 34}
			k.x.v, k.y.v = c.across*k.h/bodyHeight, c.away*k.h/bodyHeight
			for class, v := range c.votes {
				k.votes[class] = v
				k.scoreSum += v
			}
			if got := k.decideClass(2); got != c.want {
				t.Errorf("%v; want %v", got, c.want)
			}
		})
	}
}

func TestJitterMakesNoCyclist(t *testing.T) {
	k := netTrack{h: 20, scoreSum: 8}
	k.votes[counting.Person] = 8
	k.x.v, k.y.v = 10, 14 // 3.7 m/s at depth 3
	if got := k.decideClass(3); got != counting.Bicycle {
		t.Fatalf("%v without jitter; want a bicycle", got)
	}
	k.x.pvv, k.y.pvv = 4, 150 // standard deviations of 0.2 and 3.1 m/s
	if got := k.decideClass(3); got != counting.Person {
		t.Errorf("%v; want a person", got)
	}
}

func TestDepthIsBoundedAtTheHorizon(t *testing.T) {
	s := newScale(256, 192, nil)
	if near, far := s.depthFactor(190), s.depthFactor(20); near >= far {
		t.Errorf("%.1f near, %.1f far; want more far away", near, far)
	}
	if f := s.depthFactor(s.horizon - 5); f != maxDepthFactor {
		t.Errorf("%v above the horizon; want %v", f, maxDepthFactor)
	}
}
