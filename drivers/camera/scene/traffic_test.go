package scene

import (
	"math"
	"testing"
)

func TestVehiclesOfALaneNeverTouch(t *testing.T) {
	for _, p := range []Preset{Busy, Jam} {
		for seed := range uint64(3) {
			s := openScene(t, Opts{Seed: seed, Width: 64, Height: 48, Conditions: p.Conditions()})
			s.runMinutes(5, func() {
				ms := s.traffic.movers[:]
				for i := range ms {
					for j := range i {
						a, b := &ms[i], &ms[j]
						if a.kind <= cyclist || b.kind <= cyclist || a.parked || b.parked || a.dir != b.dir {
							continue
						}
						if math.Abs(a.y-b.y) < (a.length+b.length)/2 {
							t.Fatalf("%v seed %d, picture %d: %v and %v are in each other at %.1f and %.1f", p, seed, s.frame, a.class, b.class, a.y, b.y)
						}
					}
				}
			})
		}
	}
}

func TestVehiclesDoNotHitPeople(t *testing.T) {
	hit, crossed := 0, 0
	for seed := range uint64(4) {
		s := openScene(t, Opts{Seed: seed, Width: 64, Height: 48, Conditions: Busy.Conditions()})
		s.runMinutes(5, func() {
			ms := s.traffic.movers[:]
			for i := range ms {
				p := &ms[i]
				if p.kind != walker || !p.walk.isOnRoad() {
					continue
				}
				crossed++
				for j := range ms {
					v := &ms[j]
					if v.kind > cyclist && !v.parked && math.Abs(v.x-p.x) < v.width/2 && math.Abs(v.y-p.y) < v.length/2 {
						hit++
					}
				}
			}
		})
	}
	t.Logf("%d of %d", hit, crossed)
	if crossed == 0 || hit*200 > crossed {
		t.Errorf("in %d of %d moments somebody stood inside a vehicle", hit, crossed)
	}
}

func TestTrafficQueuesAtTheSignal(t *testing.T) {
	s := openScene(t, Opts{Seed: 1, Width: 64, Height: 48, Conditions: Jam.Conditions()})
	standing, moving, onLine := 0, 0, 0
	s.runMinutes(5, func() {
		for i := range s.traffic.movers {
			m := &s.traffic.movers[i]
			if m.kind <= cyclist || m.parked {
				continue
			}
			if m.v > 0.3 {
				moving++
				continue
			}
			standing++
			if math.Abs(m.y-s.street.countY) < m.length/2 {
				onLine++
			}
		}
	})
	if standing < moving || moving == 0 || onLine == 0 {
		t.Errorf("standing %d, moving %d, standing on the line %d", standing, moving, onLine)
	}
}

func TestPeopleWalkLikePeople(t *testing.T) {
	s := openScene(t, Opts{Seed: 1, Width: 64, Height: 48, Conditions: Busy.Conditions()})
	var stood, turned, pairs, crossing int
	last := map[appearance]float64{}
	s.runMinutes(8, func() {
		ms := s.traffic.movers[:]
		for i := range ms {
			m := &ms[i]
			if m.kind != walker {
				continue
			}
			if m.v > 2.3 {
				t.Fatalf("somebody runs at %v m/s", m.v)
			}
			if m.walk.state == pausing {
				stood++
			}
			if m.walk.isOnRoad() {
				crossing++
			} else if low, high := s.street.wallX[0]+0.2, s.street.wallX[1]-0.2; m.x < low || m.x > high {
				t.Fatalf("somebody stands in a house: x = %v", m.x)
			}
			if d, ok := last[m.look]; ok && d != m.dir {
				turned++
			}
			last[m.look] = m.dir
			for j := range i {
				if o := &ms[j]; o.kind == walker && o.dir == m.dir && math.Abs(o.y-m.y) < 0.5 && math.Abs(o.x-m.x) < 0.9 {
					pairs++
				}
			}
		}
	})
	if stood == 0 || turned == 0 || pairs == 0 || crossing == 0 {
		t.Errorf("stood %d, turned back %d, walked side by side %d, crossed %d", stood, turned, pairs, crossing)
	}
}
