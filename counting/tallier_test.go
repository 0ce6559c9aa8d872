package counting

import (
	"testing"
	"time"
)

const sec = time.Second

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func lineAndZone() *Tallier {
	return NewTallier([]Stream{
		{ID: "kerb", Kind: LineStream, Classes: []Class{Person, Vehicle}},
		{ID: "plaza", Kind: ZoneStream, Classes: []Class{Person}},
	})
}

func watch(t *Tallier, from, to time.Duration) {
	for at := from; at <= to; at += sec / 10 {
		t.MarkWatched(at)
	}
}

func TestAWindowWatchedFromStartToEndIsOK(t *testing.T) {
	k := lineAndZone()
	watch(k, 0, 60*sec)
	k.AddCrossing(Crossing{Stream: "kerb", Class: Person, Dir: AToB})
	k.AddCrossing(Crossing{Stream: "kerb", Class: Car, Dir: BToA})
	k.AddCrossing(Crossing{Stream: "kerb", Class: Bicycle})
	k.AddCrossing(Crossing{Stream: "nowhere", Class: Person})
	w := k.CloseWindows(60*sec, noon, noon.Add(60*sec), 60*sec)[0]
	if w.Quality != OK || w.Reason != NoReason || w.Observed != 60*sec {
		t.Errorf("quality %v %q, observed %v; want ok, 1m0s", w.Quality, w.Reason, w.Observed)
	}
	want := [Classes][Directions]uint32{Person: {1, 0}, Vehicle: {0, 1}}
	if w.Crossings != want {
		t.Errorf("crossings %v, want %v: a car counts as vehicle, an undeclared class not at all", w.Crossings, want)
	}
}

func TestLostSensorGivesAPartialWindowAndThenAGap(t *testing.T) {
	k := lineAndZone()
	watch(k, 0, 30*sec)
	k.MarkLost(ReasonCameraLost)
	first := k.CloseWindows(60*sec, noon, noon.Add(60*sec), 60*sec)[0]
	if first.Quality != Partial || first.Reason != ReasonCameraLost || first.Observed != 30*sec {
		t.Errorf("first: %v %q %v", first.Quality, first.Reason, first.Observed)
	}
	second := k.CloseWindows(120*sec, noon.Add(60*sec), noon.Add(120*sec), 60*sec)[0]
	if second.Quality != Gap || second.Reason != ReasonCameraLost || second.Observed != 0 {
		t.Errorf("second: %v %q %v; zero is not missing", second.Quality, second.Reason, second.Observed)
	}
	watch(k, 150*sec, 180*sec)
	third := k.CloseWindows(180*sec, noon.Add(120*sec), noon.Add(180*sec), 60*sec)[0]
	if third.Quality != Partial || third.Observed != 30*sec {
		t.Errorf("third: %v %q %v", third.Quality, third.Reason, third.Observed)
	}
	watch(k, 180*sec, 240*sec)
	fourth := k.CloseWindows(240*sec, noon.Add(180*sec), noon.Add(240*sec), 60*sec)[0]
	if fourth.Quality != OK || fourth.Reason != NoReason {
		t.Errorf("fourth: %v %q; an old reason must not stick", fourth.Quality, fourth.Reason)
	}
}

func TestStopKeepsTheReasonOfALostCamera(t *testing.T) {
	k := lineAndZone()
	watch(k, 0, 10*sec)
	k.MarkLost(ReasonCameraLost)
	k.MarkLost(ReasonStopped)
	if w := k.CloseWindows(60*sec, noon, noon.Add(60*sec), 60*sec)[0]; w.Reason != ReasonCameraLost {
		t.Errorf("reason %q", w.Reason)
	}
	k.MarkWatched(60 * sec)
	k.MarkLost(ReasonStopped)
	if w := k.CloseWindows(120*sec, noon, noon.Add(60*sec), 60*sec)[0]; w.Reason != ReasonStopped {
		t.Errorf("reason %q", w.Reason)
	}
}

func TestASilentPauseIsNotObserved(t *testing.T) {
	k := lineAndZone()
	watch(k, 0, 10*sec)
	watch(k, 40*sec, 60*sec)
	w := k.CloseWindows(60*sec, noon, noon.Add(60*sec), 60*sec)[0]
	if w.Observed != 30*sec || w.Quality != Partial || w.Reason != ReasonStalled {
		t.Errorf("%v %q %v; want 30 s partial stalled", w.Quality, w.Reason, w.Observed)
	}
}

func TestFirstWindowOfAProcessIsPartial(t *testing.T) {
	k := lineAndZone()
	watch(k, 0, 20*sec)
	w := k.CloseWindows(20*sec, noon.Add(40*sec), noon.Add(60*sec), 60*sec)[0]
	if w.Quality != Partial || w.Reason != ReasonStarting || w.Observed != 20*sec {
		t.Errorf("%v %q %v; want 20 s partial starting", w.Quality, w.Reason, w.Observed)
	}
}

func TestPresenceIsObjectSecondsAndPeak(t *testing.T) {
	k := lineAndZone()
	k.MarkWatched(0)
	k.AddPresence("plaza", [Classes]int{Person: 3, Vehicle: 9}, 2*sec)
	k.AddPresence("plaza", [Classes]int{Person: 1}, 4*sec)
	w := k.CloseWindows(sec, noon, noon.Add(sec), sec)[1]
	if w.Presence[Person] != 10*sec || w.Peak[Person] != 3 || w.Presence[Vehicle] != 0 {
		t.Errorf("presence %v peak %v", w.Presence, w.Peak)
	}
}

func TestPointOnASharedEdgeIsInOnePolygon(t *testing.T) {
	left := Polygon{{0, 0}, {0.5, 0}, {0.5, 1}, {0, 1}}
	right := Polygon{{0.5, 0}, {1, 0}, {1, 1}, {0.5, 1}}
	for _, y := range []float64{0, 0.25, 0.5, 0.75} {
		p := Point{0.5, y}
		if left.Contains(p) == right.Contains(p) {
			t.Errorf("%v is in both polygons or in none", p)
		}
	}
}

func TestSidesFollowTheConvention(t *testing.T) {
	l := Line{From: Point{0.1, 0.5}, To: Point{0.9, 0.5}}
	if l.Side(Point{0.5, 0.4}) >= 0 || l.Side(Point{0.5, 0.6}) <= 0 {
		t.Error("for a line from left to right, a (negative) is above and b (positive) below")
	}
	if s := l.ScaledTo(352, 288); s.Side(Point{100, 100}) >= 0 || s.Side(Point{100, 200}) <= 0 {
		t.Error("scaling must keep the sides")
	}
}

func TestNamesRoundTrip(t *testing.T) {
	for c := range Class(Classes) {
		if got, err := ParseClass(c.String()); err != nil || got != c {
			t.Errorf("%v: %v, %v", c, got, err)
		}
	}
	for d := range Direction(Directions) {
		if got, err := ParseDirection(d.String()); err != nil || got != d {
			t.Errorf("%v: %v, %v", d, got, err)
		}
	}
	if _, err := ParseClass("dog"); err == nil {
		t.Error("dog is no class")
	}
}

// While only key frames are decoded, lines are not observed; zones are, over longer
// pauses, where zones says so.
func TestLinesAreBlindWhileOnlyKeyFramesAreDecoded(t *testing.T) {
	for _, zones := range []bool{true, false} {
		k := lineAndZone()
		watch(k, 0, 20*sec)
		k.SetKeyFramesOnly(true, zones)
		var in [Classes]int
		in[Person] = 2
		for at := 24 * sec; at <= 60*sec; at += 4 * sec {
			k.AddPresence("plaza", in, k.MarkWatched(at))
		}
		ws := k.CloseWindows(60*sec, noon, noon.Add(60*sec), 60*sec)
		if w := ws[0]; w.Quality != Partial || w.Reason != ReasonKeyFrames || w.Observed != 20*sec {
			t.Errorf("zones %v: the line is %v %v, observed %v", zones, w.Quality, w.Reason, w.Observed)
		}
		switch w := ws[1]; {
		case zones && (w.Quality != OK || w.Presence[Person] != 80*sec || w.Observed != 60*sec):
			t.Errorf("the zone is %v %v, observed %v, presence %v", w.Quality, w.Reason, w.Observed, w.Presence[Person])
		case !zones && (w.Quality != Partial || w.Reason != ReasonKeyFrames || w.Presence[Person] != 0 || w.Observed != 20*sec):
			t.Errorf("the zone without a network is %v %v, observed %v, presence %v", w.Quality, w.Reason, w.Observed, w.Presence[Person])
		}
		watch(k, 60*sec, 119*sec)
		k.SetKeyFramesOnly(false, false)
		watch(k, 119*sec, 120*sec)
		if w := k.CloseWindows(120*sec, noon, noon, 60*sec)[0]; w.Quality == OK || w.Reason != ReasonKeyFrames {
			t.Errorf("a window that was blind for a part: %v %v", w.Quality, w.Reason)
		}
		watch(k, 120*sec, 180*sec)
		if w := k.CloseWindows(180*sec, noon.Add(60*sec), noon.Add(120*sec), 60*sec)[0]; w.Quality != OK {
			t.Errorf("after it: %v %v", w.Quality, w.Reason)
		}
	}
}

// Vehicles alone have speeds, each that is counted at most one, and only where the stream
// measures them.
func TestTheSpeedOfAVehicleIsAddedWhereTheLineMeasuresIt(t *testing.T) {
	classes := []Class{Person, Vehicle}
	t0 := NewTallier([]Stream{
		{ID: "measured", Classes: classes, Measures: QuantitiesOf(LineStream)},
		{ID: "other", Classes: classes},
	})
	t0.MarkWatched(0)
	for _, c := range []Crossing{
		{Stream: "measured", Class: Car, Speed: 10},
		{Stream: "measured", Class: Vehicle},
		{Stream: "measured", Class: Person, Speed: 1.4},
		{Stream: "measured", Class: Bicycle, Speed: 5},
		{Stream: "other", Class: Vehicle, Speed: 10},
	} {
		t0.AddCrossing(c)
	}
	ts := t0.CloseWindows(time.Minute, time.Unix(0, 0), time.Unix(60, 0), time.Minute)
	want := Traffic{SpeedSum: 360, SpeedCount: 1}
	want.Speeds[3] = 1
	if ts[0].Traffic != want || ts[1].Traffic != (Traffic{}) {
		t.Errorf("%+v and %+v", ts[0].Traffic, ts[1].Traffic)
	}
}
