package vision

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"kerb/counting"
)

// fakeDetector returns what a network would detect of one object t seconds into the
// scene. It reads no pixel.
type fakeDetector struct {
	street *street
	looks  int
	sees   func(t float64) (detection, bool)
}

func (s *fakeDetector) detect([]byte, int, int, float64) []detection {
	s.looks++
	if d, ok := s.sees(float64(s.street.i-1) / s.street.rate); ok {
		return []detection{d}
	}
	return []detection{}
}

// countWithDetector counts a street with motion and a fakeDetector.
func countWithDetector(t *testing.T, src *street, every time.Duration, sees func(float64) (detection, bool)) (all []counting.Crossing, last Step, looks int) {
	t.Helper()
	c, err := New(src, Opts{
		Width: src.w, Height: src.h, Lines: []counting.Line{middle}, Zones: []counting.Zone{whole},
		FollowMax: time.Minute, Network: newTinyNetwork(t), NetworkInterval: every,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	s := &fakeDetector{street: src, sees: sees}
	c.network.detector = s
	for {
		step, err := c.Step(context.Background())
		if errors.Is(err, io.EOF) {
			return append(all, c.Finish()...), last, s.looks
		}
		if err != nil {
			t.Fatal(err)
		}
		last = step
		last.Zones = append([]Presence(nil), step.Zones...)
		all = append(all, step.Crossings...)
	}
}

func TestNetworkAndMotionCountOneCrossingOnce(t *testing.T) {
	at := func(sec float64) box { return box{300 - 80*(sec-2), 120, 390 - 80*(sec-2), 170} }
	drawn := func(s *street, dst []byte, sec float64) {
		b := at(sec)
		s.rect(dst, b.x0, b.y0, b.x1, b.y1, 200)
	}
	car := func(class counting.Class, from, to float64) func(float64) (detection, bool) {
		return func(sec float64) (detection, bool) {
			b := at(sec)
			b.x0, b.x1 = max(b.x0, 0), min(b.x1, 320)
			return detection{box: b, class: class, score: 0.7}, sec >= from && sec < to && b.w() > 20
		}
	}
	// Its middle is on the line after 4.3 s, its front after 3.75 s.
	for _, c := range []struct {
		name  string
		every time.Duration
		sees  func(float64) (detection, bool)
		class counting.Class
	}{
		{"both see it all the way", 0, car(counting.Car, 0, 9), counting.Vehicle},
		{"the network looks four times a second", 250 * time.Millisecond, car(counting.Car, 0, 9), counting.Vehicle},
		{"the network never sees it", 0, car(counting.Car, 9, 9), counting.Vehicle},
		{"the network loses it before the line", 0, car(counting.Car, 0, 3.6), counting.Vehicle},
		{"the network finds it behind the line", 0, car(counting.Car, 4.6, 9), counting.Vehicle},
		{"the network sees it once in a while", 0, func(sec float64) (detection, bool) {
			d, ok := car(counting.Car, 0, 9)(sec)
			return d, ok && int(sec*12.5)%6 == 0
		}, counting.Vehicle},
		{"the network knows better what it is", 0, func(sec float64) (detection, bool) {
			d, ok := car(counting.Bicycle, 0, 3.6)(sec)
			d.score = 0.25 // too low to start a track, high enough to vote
			return d, ok
		}, counting.Bicycle},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, _, _ := countWithDetector(t, newStreet(320, 240, 110, drawn), c.every, c.sees)
			if len(got) != 1 || got[0].Class != c.class || got[0].Dir != counting.AToB {
				t.Errorf("counted %v; want one %v from a to b", got, c.class)
			}
		})
	}
}

func TestAStandingCarIsPresentAndDoesNotCross(t *testing.T) {
	b := box{120, 120, 210, 170} // its ground point is beside the line
	got, last, looks := countWithDetector(t, newStreet(320, 240, 100, func(s *street, dst []byte, _ float64) {
		s.rect(dst, b.x0, b.y0, b.x1, b.y1, 200)
	}), 250*time.Millisecond, func(float64) (detection, bool) {
		return detection{box: b, class: counting.Car, score: 0.6, present: true}, true
	})
	if len(got) != 0 || last.Zones[0].Count[counting.Vehicle] != 1 {
		t.Errorf("crossings %v, zone %v; want a car that stands", got, last.Zones)
	}
	if looks < 25 || looks > 40 {
		t.Errorf("the network looked %d times in 8 s; want four a second", looks)
	}
}
