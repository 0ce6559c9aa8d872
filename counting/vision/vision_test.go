package vision

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"kerb/counting"
)

// street is a source that draws grey noise and boxes on it.
type street struct {
	w, h   int
	rate   float64
	frames int
	i      int
	rand   *rand.Rand
	draw   func(s *street, dst []byte, t float64)
}

func newStreet(w, h, frames int, draw func(*street, []byte, float64)) *street {
	return &street{w: w, h: h, rate: 12.5, frames: frames, rand: rand.New(rand.NewPCG(1, 1)), draw: draw}
}

func (s *street) ReadInto(_ context.Context, dst []byte) (time.Time, error) {
	if s.i == s.frames {
		return time.Time{}, io.EOF
	}
	t := float64(s.i) / s.rate
	s.i++
	for i := range dst {
		// a road with some texture that stays where it is
		dst[i] = uint8(110 + (i*7919>>4)%11 + int(s.rand.Uint32()&3))
	}
	s.draw(s, dst, t)
	return time.Unix(0, 0).Add(time.Duration(t * 1e9)), nil
}

// rect paints a textured rectangle.
func (s *street) rect(dst []byte, x0, y0, x1, y1 float64, level int) {
	for y := max(int(y0), 0); y < min(int(y1), s.h); y++ {
		for x := max(int(x0), 0); x < min(int(x1), s.w); x++ {
			dst[y*s.w+x] = uint8(level + 8*((x-int(x0))/3&1) + 8*((y-int(y0))/5&1))
		}
	}
}

func countAll(t *testing.T, src Source, o Opts) (all []counting.Crossing, last Step) {
	t.Helper()
	c, err := New(src, o)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for {
		s, err := c.Step(context.Background())
		if errors.Is(err, io.EOF) {
			return all, last
		}
		if err != nil {
			t.Fatal(err)
		}
		last = s
		last.Zones = append([]Presence(nil), s.Zones...)
		all = append(all, s.Crossings...)
	}
}

// The line runs across the middle from top to bottom: a is right of it.
var middle = counting.Line{ID: "middle", From: counting.Point{X: 0.5, Y: 0}, To: counting.Point{X: 0.5, Y: 1}}

func TestCounting(t *testing.T) {
	walker := func(s *street, dst []byte, sec float64) {
		s.rect(dst, 20+18*sec, 100, 36+18*sec, 144, 40)
	}
	car := func(s *street, dst []byte, sec float64) {
		s.rect(dst, 300-80*(sec-2), 120, 390-80*(sec-2), 170, 200)
	}
	for _, c := range []struct {
		name string
		draw func(*street, []byte, float64)
		want []counting.Crossing
	}{
		{"an empty street counts nothing", func(*street, []byte, float64) {}, nil},
		{"a person who walks to the right", walker, []counting.Crossing{{Class: counting.Person, Dir: counting.BToA}}},
		{"a car that drives to the left", car, []counting.Crossing{{Class: counting.Vehicle, Dir: counting.AToB}}},
		{"a car that stood there from the start and never moves", func(s *street, dst []byte, _ float64) {
			s.rect(dst, 120, 120, 210, 170, 200)
		}, nil},
		{"a step of the light", func(s *street, dst []byte, sec float64) {
			if sec > 3 {
				for i, v := range dst {
					dst[i] = uint8(int(v) * 13 / 10)
				}
			}
		}, nil},
		{"a walker under a step of the light", func(s *street, dst []byte, sec float64) {
			walker(s, dst, sec)
			if sec > 5 {
				for i, v := range dst {
					dst[i] = uint8(int(v) * 13 / 10)
				}
			}
		}, []counting.Crossing{{Class: counting.Person, Dir: counting.BToA}}},
		{"a person and a car", func(s *street, dst []byte, sec float64) {
			s.rect(dst, 300-80*(sec-2), 160, 390-80*(sec-2), 210, 200)
			walker(s, dst, sec)
		}, []counting.Crossing{{Class: counting.Vehicle, Dir: counting.AToB}, {Class: counting.Person, Dir: counting.BToA}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, _ := countAll(t, newStreet(320, 240, 170, c.draw), Opts{Width: 320, Height: 240, Lines: []counting.Line{middle}, FollowMax: time.Minute})
			if len(got) != len(c.want) {
				t.Fatalf("counted %v; want %v", got, c.want)
			}
			for i, w := range c.want {
				if got[i].Stream != "middle" || got[i].Class != w.Class || got[i].Dir != w.Dir {
					t.Errorf("counted %v; want %v", got[i], w)
				}
			}
		})
	}
}

func TestOnlyAllowedClassesAreCounted(t *testing.T) {
	src := newStreet(320, 240, 170, func(s *street, dst []byte, sec float64) {
		s.rect(dst, 20+18*sec, 100, 36+18*sec, 144, 40)
	})
	got, _ := countAll(t, src, Opts{Width: 320, Height: 240, Lines: []counting.Line{middle}, FollowMax: time.Minute, Classes: []counting.Class{counting.Vehicle}})
	if len(got) != 0 {
		t.Errorf("counted %v; only vehicles may be", got)
	}
}

func TestMaskedPartsAreNotCounted(t *testing.T) {
	src := newStreet(320, 240, 170, func(s *street, dst []byte, sec float64) {
		s.rect(dst, 20+18*sec, 100, 36+18*sec, 144, 40)
	})
	all := counting.Polygon{{X: -1, Y: -1}, {X: 2, Y: -1}, {X: 2, Y: 2}, {X: -1, Y: 2}}
	got, _ := countAll(t, src, Opts{Width: 320, Height: 240, Lines: []counting.Line{middle}, FollowMax: time.Minute, Masks: []counting.Polygon{all}})
	if len(got) != 0 {
		t.Errorf("counted %v behind a mask", got)
	}
}

func TestZoneCountsAStoppedPerson(t *testing.T) {
	zone := counting.Zone{ID: "bench", Polygon: counting.Polygon{{X: 0.5, Y: 0}, {X: 1, Y: 0}, {X: 1, Y: 1}, {X: 0.5, Y: 1}}}
	// A person in the very first picture would be part of the background; this one comes
	// later.
	draw := func(s *street, dst []byte, sec float64) {
		if sec > 3 {
			x := 22 * min(sec-3, 9)
			s.rect(dst, x, 100, x+16, 144, 40)
		}
	}
	for _, c := range []struct {
		name   string
		frames int
		want   int
	}{
		{"on the way there", 68, 0},
		{"on arrival", 152, 1},
		{"five seconds later", 215, 1},
		{"half a minute later", 530, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, last := countAll(t, newStreet(320, 240, c.frames, draw), Opts{Width: 320, Height: 240, Zones: []counting.Zone{zone}, FollowMax: time.Minute})
			if got := last.Zones[0]; got.Zone != "bench" || got.Count[counting.Person] != c.want {
				t.Errorf("zone = %v; want %d", got, c.want)
			}
		})
	}
}

func TestZoneIsCountedWithoutFollowing(t *testing.T) {
	zone := counting.Zone{ID: "all", Polygon: counting.Polygon{{X: 0, Y: 0}, {X: 1, Y: 0}, {X: 1, Y: 1}, {X: 0, Y: 1}}}
	src := newStreet(320, 240, 60, func(s *street, dst []byte, sec float64) {
		s.rect(dst, 20+22*sec, 100, 36+22*sec, 144, 40)
	})
	_, last := countAll(t, src, Opts{Width: 320, Height: 240, Zones: []counting.Zone{zone}})
	if got := last.Zones[0].Count[counting.Person]; got != 1 {
		t.Errorf("zone = %v; want one person", last.Zones[0])
	}
}

// failingSource is a source that fails after it has filled the buffer.
type failingSource struct {
	fail func()
	err  error
}

func (s *failingSource) ReadInto(_ context.Context, dst []byte) (time.Time, error) {
	for i := range dst {
		dst[i] = 0xAA
	}
	if s.fail != nil {
		s.fail()
	}
	return time.Unix(0, 0), s.err
}

// keepsOutlines reports whether outlines of moving objects are kept.
func keepsOutlines(c *Counter) bool {
	return slices.ContainsFunc(c.labeller.runs[:cap(c.labeller.runs)], func(r run) bool { return r != run{} }) || c.splitter != splitter{}
}

func TestOutlinesAreGoneAfterEveryStep(t *testing.T) {
	s := newStreet(320, 240, 60, func(s *street, dst []byte, sec float64) { s.rect(dst, 20+18*sec, 100, 36+18*sec, 144, 40) })
	c, err := New(s, Opts{Width: 320, Height: 240, Lines: []counting.Line{middle}, FollowMax: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for range 50 {
		if _, err := c.Step(t.Context()); err != nil {
			t.Fatal(err)
		}
		if keepsOutlines(c) {
			t.Fatal("outlines are kept")
		}
	}
	if _, err := s.ReadInto(t.Context(), c.arena.picture); err != nil {
		t.Fatal(err)
	}
	if c.processPicture(c.lastLook+100*time.Millisecond, 0.1); !keepsOutlines(c) {
		t.Error("control: a look without the wipe leaves none: the test sees nothing")
	}
}

func TestPictureIsGone(t *testing.T) {
	boom := errors.New("boom")
	for _, c := range []struct {
		name string
		src  *failingSource
	}{
		{"after a step", &failingSource{}},
		{"after an error", &failingSource{err: boom}},
		{"after a panic", &failingSource{fail: func() { panic(boom) }}},
	} {
		t.Run(c.name, func(t *testing.T) {
			n, err := New(c.src, Opts{Width: 64, Height: 48, FollowMax: time.Second})
			if err != nil {
				t.Fatal(err)
			}
			defer n.Close()
			func() {
				defer func() { _ = recover() }()
				if _, err := n.Step(context.Background()); !errors.Is(err, c.src.err) {
					t.Errorf("err = %v", err)
				}
			}()
			if len(bytes.Trim(n.arena.picture, "\x00")) > 0 {
				t.Error("the picture is still there")
			}
			if keepsOutlines(n) {
				t.Error("outlines of it are still there")
			}
		})
	}
	t.Run("with its models after Close", func(t *testing.T) {
		n, err := New(&failingSource{}, Opts{Width: 64, Height: 48, FollowMax: time.Second})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := n.Step(context.Background()); err != nil {
			t.Fatal(err)
		}
		if len(bytes.Trim(n.arena.block, "\x00")) == 0 {
			t.Fatal("no model before Close: the test would not see one after it")
		}
		n.Close()
		if len(bytes.Trim(n.arena.block, "\x00")) > 0 {
			t.Error("a model is still there")
		}
	})
}

func TestArenaIsOneBlock(t *testing.T) {
	a := newArena(100, 10)
	for i, p := range [][]byte{a.picture, a.now, a.before, a.bgHi, a.bgBefore, a.bgLo, a.dev, a.age, a.cand, a.candAge, a.activity, a.covered, a.evidence, a.mask} {
		for j := range p {
			p[j] = uint8(i + 1)
		}
	}
	if n := bytes.Count(a.block, []byte{0}); n != 0 || len(a.block) != 100+gridPlanes*10 {
		t.Errorf("%d bytes of %d belong to no plane", n, len(a.block))
	}
	for i, p := range [][]byte{a.picture, a.now, a.before, a.bgHi, a.bgBefore, a.bgLo, a.dev, a.age, a.cand, a.candAge, a.activity, a.covered, a.evidence, a.mask} {
		if p[0] != uint8(i+1) || p[len(p)-1] != uint8(i+1) || cap(p) != len(p) {
			t.Errorf("plane %d overlaps another", i)
		}
	}
}

func TestStepAllocatesNothing(t *testing.T) {
	for _, workers := range []int{1, 2} {
		src := newStreet(320, 240, 1<<30, func(s *street, dst []byte, sec float64) {
			s.rect(dst, float64(int(18*sec)%320), 100, float64(int(18*sec)%320+16), 144, 40)
			s.rect(dst, float64(int(80*sec)%400)-80, 160, float64(int(80*sec)%400), 210, 200)
		})
		zone := counting.Zone{ID: "z", Polygon: counting.Polygon{{X: 0, Y: 0}, {X: 1, Y: 0}, {X: 1, Y: 1}}}
		c, err := New(src, Opts{Width: 320, Height: 240, Lines: []counting.Line{middle}, Zones: []counting.Zone{zone}, FollowMax: time.Minute, Workers: workers})
		if err != nil {
			t.Fatal(err)
		}
		ctx := context.Background()
		if n := testing.AllocsPerRun(200, func() { _, _ = c.Step(ctx) }); n != 0 {
			t.Errorf("%d workers: %v allocations a step", workers, n)
		}
		c.Close()
	}
}

func TestCloseLeavesNoGoroutine(t *testing.T) {
	defer goleak.VerifyNone(t)
	c, err := New(newStreet(64, 48, 9, func(*street, []byte, float64) {}), Opts{Width: 64, Height: 48, Workers: 4, FollowMax: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		if _, err := c.Step(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	c.Close()
	c.Close()
}

func TestWorkersCountTheSame(t *testing.T) {
	var want []counting.Crossing
	for _, workers := range []int{1, 2, 3} {
		src := newStreet(320, 240, 170, func(s *street, dst []byte, sec float64) {
			s.rect(dst, 20+18*sec, 100, 36+18*sec, 144, 40)
			s.rect(dst, 300-80*(sec-2), 150, 390-80*(sec-2), 200, 200)
		})
		got, _ := countAll(t, src, Opts{Width: 320, Height: 240, Lines: []counting.Line{middle}, FollowMax: time.Minute, Workers: workers})
		if workers == 1 {
			want = got
		}
		if len(got) != len(want) || len(got) == 0 {
			t.Fatalf("%d workers counted %v; one counted %v", workers, got, want)
		}
		for i := range got {
			if got[i].Class != want[i].Class || got[i].Dir != want[i].Dir {
				t.Errorf("%d workers counted %v; one counted %v", workers, got, want)
			}
		}
	}
}

func TestWrongOptionsAreRefused(t *testing.T) {
	ok := Opts{Width: 64, Height: 48, FollowMax: time.Second}
	for _, c := range []struct {
		name string
		edit func(*Opts)
		want string
	}{
		{"a picture too small", func(o *Opts) { o.Width = 8 }, "16–8192"},
		{"a picture too large", func(o *Opts) { o.Height = 1 << 20 }, "16–8192"},
		{"lines without following", func(o *Opts) { o.FollowMax, o.Lines = 0, []counting.Line{middle} }, "count zones only"},
		{"a line without length", func(o *Opts) { o.Lines = []counting.Line{{ID: "dot"}} }, `line "dot"`},
		{"a zone without area", func(o *Opts) { o.Zones = []counting.Zone{{ID: "dot"}} }, `zone "dot"`},
		{"a mask without area", func(o *Opts) { o.Masks = []counting.Polygon{{}} }, "mask 0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := ok
			c.edit(&o)
			if _, err := New(&failingSource{}, o); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("New = %v; want %q", err, c.want)
			}
		})
	}
}

// Somebody walks into the zone, stands for eight seconds and walks on.
func TestStandingAndMovingAreToldApart(t *testing.T) {
	at := func(sec float64) float64 { return 20 + 30*(min(sec, 4)+max(sec-12, 0)) }
	src := newStreet(320, 240, 200, func(s *street, dst []byte, sec float64) {
		s.rect(dst, at(sec), 100, at(sec)+16, 144, 40)
	})
	c, err := New(src, Opts{Width: 320, Height: 240, FollowMax: time.Minute, Zones: []counting.Zone{whole}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for {
		s, err := c.Step(context.Background())
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		sec, z := s.Mono.Seconds(), s.Zones[0]
		stood := z.Standing[counting.Person]
		switch {
		case !z.Followed || stood > z.Count[counting.Person]:
			t.Fatalf("%.1f s: %+v", sec, z)
		case sec > 2 && sec < 4 && stood > 0:
			t.Fatalf("%.1f s: who walks is said to stand", sec)
		case sec > 7 && sec < 12 && stood != 1:
			t.Fatalf("%.1f s: who stands is not: %+v", sec, z)
		case sec > 14 && stood > 0:
			t.Fatalf("%.1f s: who walks on is said to stand", sec)
		}
	}
}
