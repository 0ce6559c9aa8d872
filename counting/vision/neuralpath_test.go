package vision

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"kerb/counting"
	"kerb/counting/neural"
)

// flatSource is a source of pictures of one level, twelve and a half a second.
type flatSource struct {
	level func(i int) byte
	i     int
}

func (g *flatSource) ReadInto(_ context.Context, dst []byte) (time.Time, error) {
	for k := range dst {
		dst[k] = g.level(g.i)
	}
	g.i++
	return time.Unix(0, 0).Add(time.Duration(g.i) * 80 * time.Millisecond), nil
}

func constantLevel(v byte) *flatSource { return &flatSource{level: func(int) byte { return v }} }

var whole = counting.Zone{ID: "all", Polygon: counting.Polygon{{X: -1, Y: -1}, {X: 2, Y: -1}, {X: 2, Y: 2}, {X: -1, Y: 2}}}

func TestDetectionsArePresentInTheirZones(t *testing.T) {
	left := counting.Zone{ID: "left", Polygon: counting.Polygon{{X: 0, Y: 0}, {X: 0.3, Y: 0}, {X: 0.3, Y: 1}, {X: 0, Y: 1}}}
	all := counting.Polygon{{X: -1, Y: -1}, {X: 2, Y: -1}, {X: 2, Y: 2}, {X: -1, Y: 2}}
	for _, c := range []struct {
		name  string
		level byte
		o     Opts
		want  []int
	}{
		{"in the zone where it stands", 255, Opts{}, []int{1, 0}},
		{"and not in the dark", 40, Opts{}, []int{0, 0}},
		{"a mask is grey to the network, whatever is there", 10, Opts{Masks: []counting.Polygon{all}}, []int{1, 0}},
		{"but only if it may be counted", 255, Opts{Classes: []counting.Class{counting.Vehicle}}, []int{0, 0}},
		{"also when somebody may be followed", 255, Opts{FollowMax: time.Minute, Lines: []counting.Line{middle}}, []int{1, 0}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.o.Width, c.o.Height, c.o.Network = 64, 64, newTinyNetwork(t)
			c.o.Zones = []counting.Zone{whole, left}
			n, err := New(constantLevel(c.level), c.o)
			if err != nil {
				t.Fatal(err)
			}
			defer n.Close()
			s, err := n.Step(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			for i, want := range c.want {
				if got := s.Zones[i].Count[counting.Person]; got != want {
					t.Errorf("%s: %d persons; want %d", s.Zones[i].Zone, got, want)
				}
			}
		})
	}
}

func TestVehiclesAreCountedWholeOrSplitAsAsked(t *testing.T) {
	for _, c := range []struct {
		may       []counting.Class
		seen, as  counting.Class
		isCounted bool
	}{
		{[]counting.Class{counting.Vehicle}, counting.Car, counting.Vehicle, true},
		{[]counting.Class{counting.Car, counting.Heavy}, counting.Car, counting.Car, true},
		{[]counting.Class{counting.Heavy}, counting.Car, counting.Vehicle, false},
		{[]counting.Class{counting.Person}, counting.Bicycle, counting.Bicycle, false},
	} {
		n := &Counter{o: Opts{Classes: c.may}}
		if as, ok := n.countableClass(c.seen); as != c.as || ok != c.isCounted {
			t.Errorf("%v of %v: %v, %v", c.seen, c.may, as, ok)
		}
	}
}

// panickingHead panics while the network still holds the picture.
type panickingHead struct{ yoloxHead }

func (panickingHead) decode([]detection, [][]float32, float64) []detection { panic("stumbled") }

func TestThePictureIsWipedFromTheNetwork(t *testing.T) {
	for _, c := range []struct {
		name  string
		panic bool
	}{{"after a step", false}, {"after a panic", true}} {
		t.Run(c.name, func(t *testing.T) {
			net := newTinyNetwork(t)
			n, err := New(constantLevel(200), Opts{Width: 48, Height: 64, Zones: []counting.Zone{whole}, Network: net})
			if err != nil {
				t.Fatal(err)
			}
			defer n.Close()
			if c.panic {
				n.network.detector.(*netDetector).head = panickingHead{}
			}
			func() {
				defer func() {
					if r := recover(); (r != nil) != c.panic {
						t.Errorf("recovered %v", r)
					}
				}()
				if _, err := n.Step(context.Background()); err != nil {
					t.Error(err)
				}
			}()
			if len(bytes.Trim(n.arena.block, "\x00")) > 0 {
				t.Error("the arena holds something")
			}
			for _, name := range append(net.Inputs(), net.Outputs()...) {
				for _, end := range []func(string) ([]float32, []int){net.Input, net.Output} {
					if mem, _ := end(name); slices.ContainsFunc(mem, func(v float32) bool { return v != 0 }) {
						t.Errorf("%s holds something", name)
					}
				}
			}
		})
	}
	t.Run("and a look without the wipe would show it", func(t *testing.T) {
		net := newTinyNetwork(t)
		s, err := newNetDetector(net, 64, 64)
		if err != nil {
			t.Fatal(err)
		}
		s.fillInput(bytes.Repeat([]byte{200}, 64*64), 64)
		net.Run()
		if out, _ := net.Output(""); !slices.ContainsFunc(out, func(v float32) bool { return v != 0 }) {
			t.Error("the test above would see nothing")
		}
	})
}

func TestALookAllocatesNothing(t *testing.T) {
	o := Opts{
		Width: 80, Height: 60, FollowMax: time.Minute, Lines: []counting.Line{middle}, Zones: []counting.Zone{whole},
		Masks: []counting.Polygon{{{X: 0, Y: 0}, {X: 0.1, Y: 0}, {X: 0.1, Y: 0.1}}}, Network: newTinyNetwork(t),
	}
	n, err := New(&flatSource{level: func(i int) byte { return byte(i * 9) }}, o)
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	ctx := context.Background()
	if a := testing.AllocsPerRun(300, func() { _, _ = n.Step(ctx) }); a != 0 {
		t.Errorf("%v allocations a look", a)
	}
}

func TestPicturesBetweenLooksAreSkipped(t *testing.T) {
	looks := 0
	g := constantLevel(255)
	n, err := New(sourceFunc(func(ctx context.Context, dst []byte) (time.Time, error) {
		_, err := g.ReadInto(ctx, dst)
		return time.Unix(0, 0).Add(time.Duration(g.i) * 20 * time.Millisecond), err
	}), Opts{Width: 64, Height: 64, Zones: []counting.Zone{whole}, Network: newTinyNetwork(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	for range 31 {
		s, err := n.Step(context.Background())
		if err != nil || s.Zones[0].Count[counting.Person] != 1 {
			t.Fatalf("%+v, %v: a picture in between keeps what the last look saw", s, err)
		}
		looks = n.looks
	}
	if looks != 11 {
		t.Errorf("%d looks in 0.6 s; want 11", looks)
	}
}

type sourceFunc func(context.Context, []byte) (time.Time, error)

func (f sourceFunc) ReadInto(ctx context.Context, dst []byte) (time.Time, error) { return f(ctx, dst) }

func TestOnlyADetectorIsAccepted(t *testing.T) {
	v, err := InspectNetwork(newTinyNetwork(t))
	if err != nil || v.Head != "YOLOX" || v.Width != 64 || v.Planes != 3 || !slices.Contains(v.Classes, counting.Heavy) {
		t.Errorf("%+v, %v", v, err)
	}
	graph := proto{}.bytes(1, node("Relu", "y", "x")).text(2, "g").bytes(11, value("x", 1, 10)).bytes(12, value("y", 1, 10))
	net, err := neural.Load(proto{}.num(1, 8).bytes(7, graph).bytes(8, proto{}.text(1, "").num(2, 13)), "relu", neural.Opts{})
	if err != nil {
		t.Fatal(err)
	}
	defer net.Close()
	if _, err := InspectNetwork(net); err == nil || !strings.Contains(err.Error(), "must be one picture of one or three planes") {
		t.Errorf("Recognise = %v", err)
	}
	if _, err := New(&failingSource{err: errors.ErrUnsupported}, Opts{Width: 64, Height: 64, Network: net}); err == nil {
		t.Error("New took it")
	}
}
