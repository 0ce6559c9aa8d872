package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"image/jpeg"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"

	"kerb/agent/aim"
	"kerb/agent/config"
	"kerb/agent/parcel"
	"kerb/agent/policy"
	"kerb/agent/store"
	"kerb/counting"
	"kerb/counting/vision"
	"kerb/counting/vision/health"
	"kerb/drivers/camera/scene"
)

// The page has words for every fault that the camera's watch knows.
func TestEveryCameraFaultHasItsWordsOnThePage(t *testing.T) {
	names := aim.Faults()
	if last := health.Fault(len(names) - 1); !last.Known() || (last + 1).Known() {
		t.Fatalf("the page knows %d faults, health others", len(names))
	}
	for i, name := range names {
		if f := health.Fault(i); f != health.Good && f.String() != "camera_"+name {
			t.Errorf("fault %d is %s here and %s on the page", i, f, name)
		}
	}
}

// What the two ends of the pipe call a fault must be the same: the room of the
// records knows numbers and words only.
func TestEveryCameraFaultCrossesThePipe(t *testing.T) {
	if last := health.Fault(parcel.Views); !last.Known() || (last + 1).Known() {
		t.Fatalf("parcel knows %d faults, health others", parcel.Views)
	}
	s := counting.Stream{ID: "kerb", Classes: []counting.Class{counting.Person}}
	w := &parcel.Window{N: 1, Start: 0, End: parcel.Instant(time.Minute)}
	for f := health.Frozen; f.Known(); f++ {
		if !f.Pauses() {
			continue
		}
		in := counting.Tally{Stream: "kerb", Quality: counting.Partial, Reason: f.String()}
		if out, err := parcel.Pack(1, 0, in).Unpack(s, w); err != nil || out.Reason != f.String() {
			t.Errorf("%v comes out as %q, %v", f, out.Reason, err)
		}
	}
}

// While a fault holds nothing is counted and the window says why; afterwards it
// goes on. What is told is told when the window ends.
func TestCountingPausesWhereALineWouldLie(t *testing.T) {
	c := config.Camera{Name: "north", Lines: []config.Line{{Line: counting.Line{ID: "kerb"}, Classes: []counting.Class{counting.Person}}}}
	var now time.Duration
	s := newSensor(c, policy.Demo(), func() time.Duration { return now }, slog.New(slog.DiscardHandler))
	var told []string
	s.view.tell = func(f health.Fault, on bool) { told = append(told, fmt.Sprint(f, " ", on)) }
	crossing := []counting.Crossing{{Stream: "kerb", Class: counting.Person}}
	second := func(f health.Fault, n int) {
		for range n {
			now += time.Second
			s.count(vision.Step{Health: f, Crossings: crossing})
		}
	}
	end := func() counting.Tally {
		at := time.Unix(1e9, 0)
		return s.end(now, at, at.Add(time.Minute), time.Minute)[0]
	}
	second(health.Good, 11)
	second(health.Moved, 30)
	if len(told) > 0 {
		t.Errorf("%v was told before the window ended", told)
	}
	second(health.Good, 20)
	if w := end(); w.Quality != counting.Partial || w.Reason != "camera_moved" || w.Observed != 29*time.Second || w.Crossings[counting.Person][0] != 31 {
		t.Errorf("with a pause: %+v", w)
	}
	second(health.Covered, 60)
	if w := end(); w.Quality != counting.Gap || w.Reason != "camera_covered" || w.Crossings[counting.Person][0] != 0 {
		t.Errorf("covered all the time: %+v", w)
	}
	second(health.Drops, 61)
	if w := end(); w.Quality != counting.OK || w.Reason != "" || w.Crossings[counting.Person][0] != 61 {
		t.Errorf("drops: %+v", w)
	}
	second(health.Good, 1)
	end()
	want := []string{"camera_moved true", "camera_moved false", "camera_covered true", "camera_covered false", "camera_drops true", "camera_drops false"}
	if !slices.Equal(told, want) {
		t.Errorf("told %v, want %v", told, want)
	}
}

// A camera that flaps tells a bounded number of turns, and the last one.
func TestATurningCameraTellsFew(t *testing.T) {
	var v view
	var last string
	n := 0
	v.tell = func(f health.Fault, on bool) { last, n = fmt.Sprint(f, on), n+1 }
	for range 1000 {
		v.note(health.Dark, slog.New(slog.DiscardHandler))
		v.note(health.Blurred, slog.New(slog.DiscardHandler))
	}
	v.close()
	if n != maxTurns || last != "camera_blurred true" {
		t.Errorf("%d told, the last %s", n, last)
	}
}

// After aiming the view is taken as it is.
func TestAimingMakesTheViewTheRightOne(t *testing.T) {
	var v view
	look := func(w *health.Watch) {
		w.Look(health.Picture{Width: 64, Height: 48, Now: make([]byte, 64*48)}, time.Second)
	}
	look(v.fresh())
	if reflect.ValueOf(&v.watch).Elem().IsZero() {
		t.Fatal("nothing was seen")
	}
	if v.fresh(); reflect.ValueOf(&v.watch).Elem().IsZero() {
		t.Error("forgotten by being opened again")
	}
	v.forget.Store(true)
	if v.fresh(); !reflect.ValueOf(&v.watch).Elem().IsZero() {
		t.Error("not forgotten")
	}
}

// A fault goes from the process that sees, through the supervisor, to the
// platform; the state says it only when the event does.
func TestACameraFaultReachesThePlatform(t *testing.T) {
	site := &config.Site{Cameras: []config.Camera{{Name: "north"}}}
	s := &supervisor{site: site, out: newOutbox(), book: &book{}, log: slog.New(slog.DiscardHandler)}
	s.posts = []*post{{alive: &parcel.Alive{View: uint8(health.Moved), Watching: true}, child: &child{}}}
	pipe := new(bytes.Buffer)
	sendView(pipe)(health.Moved, true)
	m, err := parcel.Read(pipe)
	if err != nil {
		t.Fatal(err)
	}
	known := func() (f health.Fault) {
		for _, m := range s.news() {
			if a, ok := m.(*parcel.Alive); ok {
				f = health.Fault(a.View)
			}
		}
		return f
	}
	if f := known(); f != health.Good {
		t.Errorf("the uplink knows of %v before it was told", f)
	}
	if err := s.heardSense(s.posts[0], nil, m); err != nil {
		t.Fatal(err)
	}
	if f := known(); f != health.Moved {
		t.Errorf("the uplink knows of %v", f)
	}
	if err := s.heardSense(&post{number: 1}, nil, &parcel.View{Fault: 1}); err == nil {
		t.Error("the loops have a camera's fault")
	}
	w := writerOn(t, filepath.Join(t.TempDir(), "spool"), policy.Demo())
	w.site, w.condition.site = site, site
	i, ok := s.out.after(t.Context(), 0)
	if !ok {
		t.Fatal("nothing for the uplink")
	}
	if _, err := w.take(i.ms[0]); err != nil {
		t.Fatal(err)
	}
	var note store.Note
	for _, n := range w.store.Notes() {
		note = n
	}
	text, err := json.Marshal(map[string]any{"schema": "kerb.event/1", "device": "pi", "n": 1, "kind": note.Kind, "data": note.Data})
	if err != nil {
		t.Fatal(err)
	}
	if err := ofSchema(t, "event", text); err != nil || note.Kind != "camera_fault" || note.Data["fault"] != "camera_moved" || note.Data["camera"] != "north" {
		t.Errorf("%s: %v", text, err)
	}
	w.condition.heard(0, &parcel.Alive{View: uint8(health.Moved), Watching: true})
	text, err = json.Marshal(map[string]any{"schema": "kerb.state/1", "device": "pi", "online": false, "agent": map[string]any{"sensors": w.condition.report()["sensors"]}})
	if err != nil || !bytes.Contains(text, []byte(`"fault":"camera_moved"`)) {
		t.Errorf("state: %s, %v", text, err)
	}
	if err := ofSchema(t, "state", text); err != nil {
		t.Error(err)
	}
}

// kerb replay says what kerb run would have found wrong, and leaves out what it
// would have left out.
func TestReplayTellsOfASpoiltView(t *testing.T) {
	if testing.Short() {
		t.Skip("short: a thousand pictures")
	}
	street, err := scene.New(scene.Opts{Seed: 1, Width: 320, Height: 240, Rate: clipRate})
	if err != nil {
		t.Fatal(err)
	}
	defer street.Close()
	path := filepath.Join(t.TempDir(), "stuck.mjpeg")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	picture := image.NewGray(image.Rect(0, 0, 320, 240))
	for n := range 40 * clipRate {
		if n < 5*clipRate { // and then the same again and again
			if _, err := street.ReadInto(t.Context(), picture.Pix); err != nil {
				t.Fatal(err)
			}
		}
		if err := jpeg.Encode(f, picture, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	res, err := (&replay{Detector: motionDetector, Follow: time.Minute}).clip(t.Context(), path, terminal{out: io.Discard, err: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	if len(res.Health) != 1 || res.Health[0].Fault != "camera_frozen" || res.Health[0].From < 34 || res.Health[0].From > 37 || res.Health[0].To < 39 {
		t.Errorf("%+v", res.Health)
	}
	var text bytes.Buffer
	if res.print(&text); !bytes.Contains(text.Bytes(), []byte("camera_frozen from 3")) {
		t.Errorf("a person reads %s", text.String())
	}
}
