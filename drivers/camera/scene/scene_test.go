package scene

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"kerb/drivers/camera/cameratest"
)

func openScene(t testing.TB, o Opts) *Scene {
	t.Helper()
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// smallOpts is a picture that is quick to bake.
func smallOpts(p Preset) Opts {
	return Opts{Seed: 3, Width: 160, Height: 96, Rate: 5, Conditions: p.Conditions()}
}

func TestConforms(t *testing.T) {
	cameratest.TestSource(t, cameratest.Case{
		Open: func() (cameratest.Source, error) {
			o := smallOpts(Windy)
			o.Frames = 30
			return New(o)
		},
		Pictures: 30,
		OpenStalled: func() (cameratest.Source, error) {
			o := smallOpts(Calm)
			o.Rate, o.Realtime = 1, true
			return New(o)
		},
	})
}

func TestEndlessConforms(t *testing.T) {
	cameratest.TestSource(t, cameratest.Case{Open: func() (cameratest.Source, error) {
		o := smallOpts(Busy)
		o.Boxes = true
		return New(o)
	}})
}

func TestPicturesAreTimedByTheirNumber(t *testing.T) {
	s := openScene(t, Opts{Width: 160, Height: 96, Rate: 4, Frames: 3})
	buf := make([]byte, 160*96)
	for i := range 3 {
		at, err := s.ReadInto(context.Background(), buf)
		if want := time.Unix(0, 0).UTC().Add(time.Duration(i) * 250 * time.Millisecond); err != nil || !at.Equal(want) {
			t.Fatalf("picture %d: %v, %v; want %v", i, at, err, want)
		}
	}
	if _, err := s.ReadInto(context.Background(), buf); err != io.EOF {
		t.Fatalf("after the last picture: %v; want EOF", err)
	}
}

func TestRealtimeWaitsAndDropsWhatIsLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := smallOpts(Calm)
		o.Realtime, o.Frames = true, 100
		s := openScene(t, o)
		buf := make([]byte, 160*96)
		begin := time.Now()
		read := func(frame int) {
			t.Helper()
			at, err := s.ReadInto(t.Context(), buf)
			if err != nil {
				t.Fatal(err)
			}
			due := begin.Add(time.Duration(frame) * 200 * time.Millisecond)
			if !at.Equal(due) || time.Now().Before(due) || s.frame != frame {
				t.Fatalf("picture %d of %v at %v; want %d of %v", s.frame, at, time.Now(), frame, due)
			}
		}
		read(0)
		read(1)
		read(2)
		time.Sleep(100 * time.Millisecond) // half a picture late: no picture is lost
		read(3)
		time.Sleep(time.Second + 50*time.Millisecond) // five late: only the last is there
		read(8)
		read(9)
		time.Sleep(time.Minute)
		if _, err := s.ReadInto(t.Context(), buf); err != io.EOF {
			t.Fatalf("past the end: %v; want EOF", err)
		}
	})
}

func TestDroppedPicturesLoseNoTruth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := smallOpts(Busy)
		all := openScene(t, o)
		buf := make([]byte, 160*96)
		for range 301 {
			if _, err := all.ReadInto(t.Context(), buf); err != nil {
				t.Fatal(err)
			}
		}
		o.Realtime = true
		late := openScene(t, o)
		for range 3 {
			if _, err := late.ReadInto(t.Context(), buf); err != nil {
				t.Fatal(err)
			}
			time.Sleep(30*time.Second + 10*time.Millisecond)
		}
		if late.frame != 300 {
			t.Fatalf("stands at picture %d", late.frame)
		}
		a, b := all.Truth(), late.Truth()
		if len(a) == 0 || len(a) != len(b) {
			t.Fatalf("%d crossings, with dropped pictures %d", len(a), len(b))
		}
		for i := range a {
			if a[i] != b[i] {
				t.Fatalf("crossing %d: %v, with dropped pictures %v", i, a[i], b[i])
			}
		}
	})
}

func TestSeedsAndPresetsDiffer(t *testing.T) {
	var seen [][]byte
	add := func(name string, o Opts) {
		s := openScene(t, o)
		buf := make([]byte, 160*96)
		for range 3 {
			if _, err := s.ReadInto(context.Background(), buf); err != nil {
				t.Fatal(err)
			}
		}
		for _, other := range seen {
			if bytes.Equal(other, buf) {
				t.Errorf("%s looks like another", name)
			}
		}
		seen = append(seen, buf)
	}
	for p := range presetConditions {
		add(Preset(p).String(), smallOpts(Preset(p)))
	}
	o := smallOpts(Calm)
	o.Seed++
	add("another seed", o)
}

func TestPresetsAreNamedAndWithinBounds(t *testing.T) {
	for p := range presetConditions {
		got, err := ParsePreset(Preset(p).String())
		if err != nil || got != Preset(p) {
			t.Errorf("%v: %v, %v", Preset(p), got, err)
		}
		c := got.Conditions()
		if err := c.checkRanges(); err != nil {
			t.Errorf("%v: %v", got, err)
		}
	}
}

func TestEveryBadOptionIsReported(t *testing.T) {
	o := Opts{Width: 10, Height: 10, Rate: 100, Frames: -1, Conditions: Calm.Conditions()}
	o.Conditions.Noise, o.Conditions.Rain = -1, 2
	_, err := New(o)
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{"size 10x10", "rate = 100", "frames = -1", "noise = -1", "rain = 2"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not reported in:\n%v", want, err)
		}
	}
	if _, err := New(Opts{Camera: Camera{Height: 6, Tilt: 70, FieldOfView: 20, Across: 4}}); err == nil {
		t.Error("a camera that sees no pavement is accepted")
	}
}

func TestParseOfASource(t *testing.T) {
	got, err := ParseOpts("busy?seed=7&size=640x480&rate=12.5&frames=9")
	want := Opts{Seed: 7, Width: 640, Height: 480, Rate: 12.5, Frames: 9, Conditions: Busy.Conditions()}
	if err != nil || got != want {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
	if got, err := ParseOpts("night"); err != nil || got.Width != 480 || got.Rate != 10 || got.Conditions != Night.Conditions() {
		t.Errorf("%+v, %v", got, err)
	}
	for _, bad := range []string{
		"", "noon", "busy?", "busy?seed", "busy?seed=-1", "busy?size=640", "busy?size=9x9", "busy?size=640x480x3",
		"busy?rate=0.1", "busy?rate=NaN", "busy?frames=-4", "busy?colour=1", "busy?seed=1&seed=2", "busy?&", "busy?seed=1&",
	} {
		if _, err := ParseOpts(bad); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("busy?seed=7&size=640x480&rate=15&frames=600")
	f.Add("jam")
	f.Fuzz(func(t *testing.T, s string) {
		o, err := ParseOpts(s)
		if err != nil {
			return
		}
		if err := o.checkRanges(); err != nil {
			t.Fatalf("%q: accepted, but %v", s, err)
		}
	})
}

func TestClosedSceneStillKnowsItsTruth(t *testing.T) {
	s := openScene(t, smallOpts(Busy))
	buf := make([]byte, 160*96)
	for len(s.Truth()) == 0 {
		if _, err := s.ReadInto(context.Background(), buf); err != nil {
			t.Fatal(err)
		}
	}
	s.Close()
	if _, err := s.ReadInto(context.Background(), buf); !errors.Is(err, ErrClosed) {
		t.Errorf("read after close: %v", err)
	}
	if len(s.Truth()) == 0 {
		t.Error("the truth is lost")
	}
	if bytes.ContainsFunc(s.canvas.pix, func(r rune) bool { return r != 0 }) {
		t.Error("the last picture is still in memory")
	}
}
