package vision

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"kerb/counting"
)

// actor returns the box that a network would detect of one object t seconds into the
// scene; ok is false while it detects none.
type actor func(t float64) (b box, ok bool)

// moveBox moves a box of w×h so that its ground point goes from one point to another
// between two times. It stands before and after.
func moveBox(class counting.Class, w, h float64, from, to point, begin, end float64) (counting.Class, actor) {
	return class, func(t float64) (box, bool) {
		f := min(max((t-begin)/(end-begin), 0), 1)
		x, y := from.x+f*(to.x-from.x), from.y+f*(to.y-from.y)
		return box{x - w/2, y - h, x + w/2, y}, true
	}
}

type cast struct {
	class counting.Class
	act   actor
}

func newCast(class counting.Class, a actor) cast { return cast{class, a} }

// step tracks one picture: its detections at now, dt seconds after the last.
func (t *netTracker) step(found []detection, now time.Duration, dt float64, longest time.Duration, emit emitter) {
	t.predictTracks(dt)
	t.updateTracks(found, now, longest)
	t.detectCrossings(now, emit)
}

// countScene tracks a scene of 320×240 with a line across its middle, from left to
// right: above it is side a.
func countScene(rate, seconds, shake float64, who ...cast) (crossings []counting.Crossing) {
	line := segment{a: point{20, 120}, b: point{300, 120}, length: 280}
	tr := newNetTracker([]segment{line}, 320, 240)
	r := rand.New(rand.NewPCG(1, 2))
	last := 0.0
	for i := range int(seconds * rate) {
		t := float64(i) / rate
		var seen []detection
		for _, c := range who {
			b, ok := c.act(t)
			if !ok {
				continue
			}
			j := func() float64 { return shake * b.h() * r.NormFloat64() }
			seen = append(seen, detection{box: box{b.x0 + j(), b.y0 + j(), b.x1 + j(), b.y1 + j()}, class: c.class, score: 0.6})
		}
		now := time.Duration(t * float64(time.Second))
		tr.step(mergeRiders(suppress(seen)), now, t-last, time.Minute, func(_ int, _ float64, k *netTrack, d counting.Direction, at time.Duration) {
			crossings = append(crossings, counting.Crossing{Class: k.majorityClass(), Dir: d, At: at})
		})
		last = t
	}
	return crossings
}

// hideBetween hides an actor between two times.
func hideBetween(c cast, from, to float64) cast {
	return cast{c.class, func(t float64) (box, bool) {
		b, _ := c.act(t)
		return b, t < from || t >= to
	}}
}

func TestTracking(t *testing.T) {
	const person, car = counting.Person, counting.Car
	down, up := counting.AToB, counting.BToA
	for _, c := range []struct {
		name        string
		rate, shake float64
		seconds     float64
		who         []cast
		want        []counting.Direction
	}{
		{"one who walks over the line", 12, 0, 6, []cast{newCast(moveBox(person, 15, 40, point{100, 90}, point{100, 160}, 1, 5))}, []counting.Direction{down}},
		{"one who walks over it seen badly", 12, 0.03, 6, []cast{newCast(moveBox(person, 15, 40, point{100, 90}, point{100, 160}, 1, 5))}, []counting.Direction{down}},
		{"one who stops on the line", 12, 0.03, 20, []cast{newCast(moveBox(person, 15, 40, point{100, 80}, point{100, 121}, 1, 3))}, nil},
		{"one who stands beside it while boxes jitter", 25, 0.06, 30, []cast{newCast(moveBox(person, 15, 40, point{100, 118}, point{100, 118}, 0, 1))}, nil},
		{"a queue that creeps and stops before the line", 12, 0.04, 20, []cast{
			newCast(moveBox(car, 40, 30, point{100, 80}, point{100, 112}, 1, 18)), newCast(moveBox(car, 30, 22, point{100, 60}, point{100, 88}, 1, 18)),
		}, nil},
		{"one who crosses and comes back", 12, 0.02, 12, []cast{{person, func(t float64) (box, bool) {
			y := 120 - 50*math.Cos(t*math.Pi/6)
			return box{92, y - 40, 108, y}, true
		}}}, []counting.Direction{down, up}},
		{"two that meet on the line", 12, 0.02, 6, []cast{
			newCast(moveBox(person, 15, 40, point{80, 80}, point{130, 160}, 1, 5)), newCast(moveBox(person, 15, 40, point{130, 160}, point{80, 80}, 1, 5)),
		}, []counting.Direction{down, up}},
		{"two who walk abreast", 12, 0.02, 6, []cast{
			newCast(moveBox(person, 15, 40, point{100, 80}, point{100, 160}, 1, 5)), newCast(moveBox(person, 15, 40, point{114, 80}, point{114, 160}, 1, 5)),
		}, []counting.Direction{down, down}},
		{"one who is hidden as it crosses", 12, 0.02, 6, []cast{
			hideBetween(newCast(moveBox(person, 15, 40, point{100, 80}, point{100, 160}, 1, 5)), 2.7, 3.4),
		}, []counting.Direction{down}},
		{"one who goes round the line's end", 12, 0.02, 6, []cast{
			newCast(moveBox(person, 15, 40, point{310, 80}, point{310, 160}, 1, 5)),
		}, nil},
		{"one who is first seen on the line and walks on", 12, 0.02, 6, []cast{
			hideBetween(newCast(moveBox(person, 15, 40, point{100, 80}, point{100, 160}, 1, 5)), 0, 2.9),
		}, []counting.Direction{down}},
		{"one who is first seen behind the line and walks on", 12, 0.02, 6, []cast{
			hideBetween(newCast(moveBox(person, 15, 40, point{100, 80}, point{100, 160}, 1, 5)), 0, 3.2),
		}, nil},
		{"one who stands on the line while boxes jitter", 25, 0.06, 60, []cast{newCast(moveBox(person, 15, 40, point{100, 120}, point{100, 120}, 0, 1))}, nil},
		{"one who is hidden by another, a little ahead, while crossing", 12, 0.02, 14, []cast{
			newCast(moveBox(person, 15, 40, point{100, 80}, point{100, 160}, 1, 13)),
			hideBetween(newCast(moveBox(person, 15, 40, point{103, 72}, point{103, 152}, 1, 13)), 7.9, 8.6),
		}, []counting.Direction{down, down}},
		{"a car at five pictures a second", 5, 0.02, 4, []cast{
			hideBetween(newCast(moveBox(car, 40, 30, point{160, 40}, point{160, 220}, 1, 3)), 3, 9),
		}, []counting.Direction{down}},
		{"a car at eight pictures a second, and one behind it", 8, 0.02, 5, []cast{
			hideBetween(newCast(moveBox(car, 40, 30, point{160, 40}, point{160, 220}, 1, 3)), 3, 9),
			hideBetween(newCast(moveBox(car, 40, 30, point{160, -5}, point{160, 220}, 1, 3.5)), 3.5, 9),
		}, []counting.Direction{down, down}},
		{"a flash that is seen once", 12, 0, 3, []cast{{car, func(t float64) (box, bool) {
			return box{100, 90, 140, 119 + 40*t}, t > 1 && t < 1.1
		}}}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := countScene(c.rate, c.seconds, c.shake, c.who...)
			n := [2]int{}
			for _, x := range got {
				n[x.Dir]++
			}
			want := [2]int{}
			for _, d := range c.want {
				want[d]++
			}
			if n != want {
				t.Errorf("counted %v; want %v", got, c.want)
			}
		})
	}
}

func TestTheClassIsThatOfMostDetections(t *testing.T) {
	i := 0
	_, act := moveBox(counting.Car, 40, 30, point{160, 60}, point{160, 200}, 0, 4)
	tr := newNetTracker([]segment{{a: point{20, 120}, b: point{300, 120}, length: 280}}, 320, 240)
	var got []counting.Class
	for k := range 48 {
		b, _ := act(float64(k) / 12)
		class := counting.Car
		if i++; i%3 == 0 {
			class = counting.Heavy
		}
		tr.step([]detection{{box: b, class: class, score: 0.6}}, time.Duration(k)*time.Second/12, 1.0/12, time.Minute,
			func(_ int, _ float64, k *netTrack, _ counting.Direction, _ time.Duration) {
				got = append(got, k.majorityClass())
			})
	}
	if len(got) != 1 || got[0] != counting.Car {
		t.Errorf("counted %v; want one car", got)
	}
}

func TestAnOccludedCarKeepsItsGroundPoint(t *testing.T) {
	tr := newNetTracker(nil, 320, 240)
	far := box{100, 60, 140, 100}
	for i := range 12 {
		tr.step([]detection{{box: far, class: counting.Car, score: 0.7}}, time.Duration(i)*80*time.Millisecond, 0.08, time.Minute, nil)
	}
	for i := range 12 {
		cut, nearer := far, box{98, 85, 146, 135}
		cut.y1 = 88
		tr.step([]detection{{box: cut, class: counting.Car, score: 0.7}, {box: nearer, class: counting.Car, score: 0.8}},
			time.Duration(12+i)*80*time.Millisecond, 0.08, time.Minute, nil)
	}
	if y := tr.tracks[0].box().y1; math.Abs(y-100) > 2 {
		t.Errorf("its foot went to %.1f; it stands at 100", y)
	}
}

func TestNoTrackOutlivesFollowMax(t *testing.T) {
	tr := newNetTracker(nil, 320, 240)
	for i := range 100 {
		now := time.Duration(i) * 100 * time.Millisecond
		tr.step([]detection{{box: box{100, 60, 140, 100}, class: counting.Car, score: 0.7}}, now, 0.1, 2*time.Second, nil)
		for k := range tr.tracks {
			if tk := &tr.tracks[k]; tk.live && now-tk.born > 2*time.Second {
				t.Fatalf("a track lived %v", now-tk.born)
			}
		}
	}
}

func TestDetectionsBeyondMaxTracksAreDropped(t *testing.T) {
	tr := newNetTracker(nil, 4000, 4000)
	var seen []detection
	for i := range 2 * maxTracks {
		x, y := float64(i%20)*100, float64(i/20)*100
		seen = append(seen, detection{box: box{x, y, x + 50, y + 50}, class: counting.Car, score: 0.9})
	}
	seen = suppress(seen)
	if len(seen) != maxTracks {
		t.Errorf("%d detections left; want %d", len(seen), maxTracks)
	}
	tr.step(seen, 0, 0, time.Minute, nil)
}

func TestFilterFindsTheSpeedAndResistsAnOutlier(t *testing.T) {
	var f kalman
	f.startAt(0, 1, 50)
	for i := 1; i <= 30; i++ {
		f.predict(0.1, 5)
		f.correctPosition(float64(i)*2, 1)
	}
	if math.Abs(f.v-20) > 1 || math.Abs(f.x-60) > 1 {
		t.Errorf("at %.1f with %.1f; want 60 with 20", f.x, f.v)
	}
	before := f
	f.correctPosition(300, 1)
	if d := f.x - before.x; d > huberLimit*math.Sqrt(before.pxx+1) {
		t.Errorf("an outlier pulled by %.1f", d)
	}
}

// A network takes one object for a person, a bicycle and a car in turn: in zones it is
// what it was first, until it leaves, so that the stay changes the numbers of one class.
func TestAStayHasOneClass(t *testing.T) {
	tracker := newNetTracker(nil, 320, 240)
	place := box{100, 60, 130, 150}
	look := func(i int, class counting.Class, present bool) counting.Class {
		found := []detection{{box: place, class: class, score: 0.8, present: present}}
		now := time.Duration(i) * 200 * time.Millisecond
		tracker.predictTracks(0.2)
		tracker.updateTracks(found, now, 30*time.Second)
		return found[0].standingClass()
	}
	seen := [...]counting.Class{counting.Person, counting.Bicycle, counting.Car}
	flips := 0
	for i := range 100 {
		class := seen[(i+i/7)%len(seen)]
		if class != seen[0] {
			flips++
		}
		if got := look(i, class, i%5 != 4); got != seen[0] {
			t.Fatalf("look %d: %v", i, got)
		}
	}
	if flips < 50 {
		t.Errorf("control: the network changed its mind %d times only", flips)
	}
	for i := 100; i < 120; i++ { // it leaves
		tracker.predictTracks(0.2)
		tracker.updateTracks(nil, time.Duration(i)*200*time.Millisecond, 30*time.Second)
	}
	if got := look(120, counting.Bicycle, true); got != counting.Bicycle {
		t.Errorf("the next one is a %v", got)
	}
}
