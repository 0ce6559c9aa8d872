package vision

import (
	"testing"
	"time"

	"kerb/counting"
)

// newCandidateCounter is a Counter that decides candidates and reads no picture.
func newCandidateCounter() *Counter {
	o := Opts{Lines: []counting.Line{middle}, Classes: counting.CoarseClasses()}
	return &Counter{o: o, network: &neuralPath{tracker: newNetTracker(make([]segment, 1), 320, 240)}}
}

func TestCandidatesAreDecidedOnce(t *testing.T) {
	const a, b = counting.AToB, counting.BToA
	const person, car = counting.Person, counting.Car
	seen := func(class counting.Class, d counting.Direction, at, along, evidence float64) candidate {
		moment := time.Duration(at * float64(time.Second))
		return candidate{
			waiting: true, class: class, dir: d, at: moment, along: along, height: 40, evidence: evidence,
			deadline: moment + decisionDelay, track: -1,
		}
	}
	moved := func(class counting.Class, d counting.Direction, at, along float64) candidate {
		n := seen(class, d, at, along, 0)
		n.fromMotion = true
		return n
	}
	for _, c := range []struct {
		name string
		of   []candidate
		want []counting.Class // in any order
	}{
		{"one", []candidate{seen(person, a, 1, 50, 5)}, []counting.Class{person}},
		{"both sources, the network first", []candidate{seen(person, a, 1, 50, 5), moved(car, a, 1.5, 60)}, []counting.Class{person}},
		{"both sources, motion first", []candidate{moved(car, a, 1, 50), seen(person, a, 1.5, 60, 5)}, []counting.Class{person}},
		{"two objects of which motion saw one", []candidate{moved(person, a, 1, 50), seen(person, a, 1.5, 60, 5), seen(person, a, 1.6, 70, 5)}, []counting.Class{person, person}},
		{"two vehicles that pass through each other", []candidate{seen(car, a, 1, 50, 5), seen(car, b, 1.5, 55, 9)}, []counting.Class{counting.Vehicle}},
		{"two vehicles that meet in two lanes", []candidate{seen(car, a, 1, 50, 5), seen(car, b, 1.5, 90, 9)}, []counting.Class{counting.Vehicle, counting.Vehicle}},
		{"two people who meet", []candidate{seen(person, a, 1, 50, 5), seen(person, b, 1.5, 55, 9)}, []counting.Class{person, person}},
		{"two vehicles one behind the other", []candidate{seen(car, a, 1, 50, 5), seen(car, a, 2.2, 55, 9)}, []counting.Class{counting.Vehicle, counting.Vehicle}},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := newCandidateCounter()
			for _, n := range c.of {
				k.addCandidate(n)
			}
			if len(k.crossings) != 0 {
				t.Error("counted before the decision")
			}
			k.decideDue(time.Minute)
			got := map[counting.Class]int{}
			for _, x := range k.crossings {
				got[x.Class]++
			}
			want := map[counting.Class]int{}
			for _, w := range c.want {
				want[w.WithoutSplit()]++
			}
			for class := range counting.Class(counting.Classes) {
				if got[class] != want[class] {
					t.Errorf("counted %v; want %v", got, want)
				}
			}
			if rest := k.Finish(); len(rest) != 0 {
				t.Errorf("decided again: %v", rest)
			}
		})
	}
}

func TestAStepOverTheLineAndBackCountsNothing(t *testing.T) {
	k := newCandidateCounter()
	k.addCandidate(candidate{waiting: true, class: counting.Person, dir: counting.AToB, height: 40, track: 3, born: 7, deadline: decisionDelay})
	for _, other := range []struct {
		track int
		born  time.Duration
		dir   counting.Direction
	}{{4, 7, counting.BToA}, {3, 8, counting.BToA}, {3, 7, counting.AToB}} {
		if k.network.cancelReturn(0, other.track, other.born, other.dir) {
			t.Errorf("%+v cancels it", other)
		}
	}
	if !k.network.cancelReturn(0, 3, 7, counting.BToA) {
		t.Error("the same track's return does not cancel it")
	}
	if all := k.Finish(); len(all) != 0 {
		t.Errorf("counted %v", all)
	}
}

func TestNoCandidateIsLostWhenManyCrossAtOnce(t *testing.T) {
	k := newCandidateCounter()
	for i := range 3 * maxCandidates {
		k.addCandidate(candidate{waiting: true, class: counting.Person, height: 1, along: float64(10 * i), track: -1, deadline: decisionDelay})
	}
	n := len(k.crossings)
	if n += len(k.Finish()); n != 3*maxCandidates {
		t.Errorf("counted %d; want %d", n, 3*maxCandidates)
	}
}

// The rear of a long vehicle crosses after its front was counted, and the vehicle has left
// the picture before that is decided.
func TestTheRearOfACountedVehicleCountsNothing(t *testing.T) {
	for _, c := range []struct {
		name    string
		crossed bool
		dir     counting.Direction
		want    int
	}{
		{"its track has crossed", true, counting.AToB, 0},
		{"control: it crossed the other way", true, counting.BToA, 1},
		{"control: it has not crossed", false, counting.AToB, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := newCandidateCounter()
			n.network.tracker = newNetTracker([]segment{newSegment(middle, 320, 240)}, 320, 240)
			n.network.gridScale = 1
			place := box{100, 60, 200, 160}
			k := &n.network.tracker.tracks[0]
			k.startAt(&detection{box: place, class: counting.Heavy, score: 2}, 0)
			k.hits = 9
			k.lineSides[0].crossed, k.lineSides[0].dir = c.crossed, c.dir
			o := &blobTrack{box: place, networkLooks: 9}
			o.votes[counting.Heavy] = 2
			n.addMotionCandidate(&blobCrossing{track: o, dir: counting.AToB}, time.Second)
			k.live = false
			if got := len(n.Finish()); got != c.want {
				t.Errorf("counted %d; want %d", got, c.want)
			}
		})
	}
}

// A detector sees an 18 m bus as several boxes, and each crosses the line.
func TestALongVehicleCountsOnce(t *testing.T) {
	front := detection{box: box{100, 60, 200, 160}, class: counting.Heavy, score: 2}
	for _, c := range []struct {
		name string
		rear detection
		dir  counting.Direction
		want int
	}{
		{"its rear appears within it", detection{box: box{90, 40, 170, 120}, class: counting.Heavy, score: 2}, counting.AToB, 1},
		{"control: a bus that follows is seen above its roof", detection{box: box{90, 0, 170, 75}, class: counting.Heavy, score: 2}, counting.AToB, 2},
		{"control: a car beside it", detection{box: box{90, 40, 170, 120}, class: counting.Car, score: 2}, counting.AToB, 2},
		{"control: the other way", detection{box: box{90, 40, 170, 120}, class: counting.Heavy, score: 2}, counting.BToA, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := newCandidateCounter()
			n.network.gridScale = 1
			n.motion = newBlobTracker(320, 240, nil, nil)
			w := n.network.tracker
			w.lines = []segment{newSegment(middle, 320, 240)}
			for i, d := range []detection{front, c.rear} {
				now := time.Duration(i) * time.Second
				for j := range w.tracks {
					w.tracks[j].matched = w.tracks[j].live
				}
				w.startTrack(&d, now)
				d.track.hits, d.track.scoreSum = 9, 2
			}
			n.addNetworkCandidate(0, 40, &w.tracks[0], counting.AToB, 2*time.Second, 2*time.Second)
			n.addNetworkCandidate(0, 90, &w.tracks[1], c.dir, 4*time.Second, 4*time.Second)
			if got := len(n.Finish()); got != c.want {
				t.Errorf("counted %d; want %d", got, c.want)
			}
		})
	}
}

// Motion sees the rear of a bus as an object of its own, when the network's track has ended.
func TestMotionsRearOfABusCountsNothing(t *testing.T) {
	for _, c := range []struct {
		name         string
		heavy        bool
		after, along float64 // of motion's crossing
		want         int
	}{
		{"as long after as a bus takes", true, 2.9, 60, 1},
		{"control: longer after", true, 3.1, 60, 2},
		{"control: beside it", true, 2.9, 75, 2},
		{"control: a car", false, 2.9, 60, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := newCandidateCounter()
			n.addCandidate(candidate{waiting: true, class: counting.Car, at: time.Second, along: 50, height: 40, heavy: c.heavy, track: -1})
			at := time.Second + time.Duration(c.after*float64(time.Second))
			n.addCandidate(candidate{waiting: true, fromMotion: true, class: counting.Bicycle, at: at, along: c.along, height: 40, track: -1})
			if got := len(n.Finish()); got != c.want {
				t.Errorf("counted %d; want %d", got, c.want)
			}
		})
	}
}

// Motion sees the ghost of a vehicle that stood when it drives off, long after it has crossed.
func TestTheGhostOfAVehicleThatStoodCountsNothing(t *testing.T) {
	for _, c := range []struct {
		name       string
		class      counting.Class
		out, after float64 // s after the crossing: out of sight, and motion's crossing
		want       int
	}{
		{"a bus that stood", counting.Heavy, 10, 12.9, 1},
		{"a car that stood", counting.Car, 10, 12.9, 1},
		{"a car that stands yet", counting.Car, 12.9, 12.9, 1},
		{"control: longer after", counting.Car, 10, 13.1, 2},
		{"control: a car that drove by", counting.Car, 2, 2.9, 2},
		{"control: a person who stood", counting.Person, 10, 12.9, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			seconds := func(v float64) time.Duration { return time.Duration(v * float64(time.Second)) }
			n := newCandidateCounter()
			k := &n.network.tracker.tracks[0]
			k.startAt(&detection{box: box{100, 60, 200, 160}, class: c.class, score: 2}, 0)
			n.addCandidate(candidate{waiting: true, class: c.class, at: time.Second, along: 50, height: 40, heavy: c.class == counting.Heavy, deadline: seconds(2.2)})
			k.lastSeen = seconds(1 + c.out)
			n.network.noteSeen()
			k.live = false // a later track in its slot changes nothing
			n.network.noteSeen()
			n.decideDue(seconds(1 + c.after))
			n.addCandidate(candidate{waiting: true, fromMotion: true, class: counting.Bicycle, at: seconds(1 + c.after), along: 60, height: 40, track: -1})
			got := len(n.crossings)
			if got += len(n.Finish()); got != c.want {
				t.Errorf("counted %d; want %d", got, c.want)
			}
		})
	}
}
