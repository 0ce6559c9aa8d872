package sensor

import (
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"testing"
	"time"

	"kerb/agent/config"
	"kerb/agent/policy"
	"kerb/counting"
	"kerb/counting/vision"
	"kerb/counting/vision/health"
)

// A window in which a fault begins or lasts is a gap with its reason, whenever in it that
// was.
// Faults are reported when the window ends.
func TestCountingPausesWhereALineWouldLie(t *testing.T) {
	c := config.Camera{Name: "north", Lines: []config.Line{{Line: counting.Line{ID: "kerb"}, Classes: []counting.Class{counting.Person}}}}
	var now time.Duration
	s := NewCamera(c, policy.Demo(), nil, func() time.Duration { return now }, slog.New(slog.DiscardHandler))
	var told []string
	s.View.OnChange = func(f counting.ViewFault, on bool) { told = append(told, fmt.Sprint(f, " ", on)) }
	crossing := []counting.Crossing{{Stream: "kerb", Class: counting.Person}}
	second := func(f counting.ViewFault, n int) {
		for range n {
			now += time.Second
			s.countStep(vision.Step{Health: f, Crossings: slices.Clone(crossing)})
		}
	}
	end := func() counting.Tally {
		at := time.Unix(1e9, 0)
		return s.CloseWindow(now, at, at.Add(time.Minute), time.Minute)[0]
	}
	second(counting.ViewGood, 11)
	second(counting.ViewMoved, 30)
	if len(told) > 0 {
		t.Errorf("%v was told before the window ended", told)
	}
	second(counting.ViewGood, 20)
	if w := end(); w.Quality != counting.Gap || w.Reason != counting.ReasonCameraMoved || w.Observed != 0 || w.Crossings[counting.Person][0] != 0 {
		t.Errorf("with a pause: %+v", w)
	}
	second(counting.ViewCovered, 60)
	if w := end(); w.Quality != counting.Gap || w.Reason != counting.ReasonCameraCovered || w.Crossings[counting.Person][0] != 0 {
		t.Errorf("covered all the time: %+v", w)
	}
	second(counting.ViewDrops, 61)
	if w := end(); w.Quality != counting.OK || w.Reason != counting.NoReason || w.Crossings[counting.Person][0] != 61 {
		t.Errorf("drops: %+v", w)
	}
	second(counting.ViewGood, 1)
	end()
	want := []string{"camera_moved true", "camera_moved false", "camera_covered true", "camera_covered false", "camera_drops true", "camera_drops false"}
	if !slices.Equal(told, want) {
		t.Errorf("told %v, want %v", told, want)
	}
}

// A camera whose fault flaps reports a bounded number of changes, the last included.
func TestAFlappingFaultIsReportedAFewTimes(t *testing.T) {
	var v View
	var last string
	n := 0
	v.OnChange = func(f counting.ViewFault, on bool) { last, n = fmt.Sprint(f, on), n+1 }
	for range 1000 {
		v.updateFault(counting.ViewDark, slog.New(slog.DiscardHandler))
		v.updateFault(counting.ViewBlurred, slog.New(slog.DiscardHandler))
	}
	v.reportChanges()
	if n != maxViewChanges || last != "camera_blurred true" {
		t.Errorf("%d told, the last %s", n, last)
	}
}

// After aiming, the next view is the reference.
func TestAimingResetsTheReferenceOfTheView(t *testing.T) {
	var v View
	look := func(w *health.Monitor) {
		w.JudgePicture(health.Picture{Width: 64, Height: 48, Now: make([]byte, 64*48)}, time.Second)
	}
	look(v.monitorForOpening())
	if reflect.ValueOf(&v.monitor).Elem().IsZero() {
		t.Fatal("nothing was seen")
	}
	if v.monitorForOpening(); reflect.ValueOf(&v.monitor).Elem().IsZero() {
		t.Error("forgotten by being opened again")
	}
	v.resetAtOpening.Store(true)
	if v.monitorForOpening(); !reflect.ValueOf(&v.monitor).Elem().IsZero() {
		t.Error("not forgotten")
	}
}
