package scene

import (
	"context"
	"math"
	"testing"

	"kerb/counting"
)

// wideCamera is a camera that sees both house fronts where the lines lie.
var wideCamera = Camera{Height: 9, Across: 4, Tilt: 20, Roll: 1, FieldOfView: 75}

// newWideScene is a scene whose lines reach from house to house, so that no
// mover can pass beside them.
func newWideScene(t *testing.T, p Preset, seed uint64) *Scene {
	t.Helper()
	s := openScene(t, Opts{Seed: seed, Width: 160, Height: 96, Rate: 10, Camera: wideCamera, Conditions: p.Conditions()})
	left, right := s.imagePoint(vec3{s.street.wallX[0], s.street.countY, 0}), s.imagePoint(vec3{s.street.wallX[1], s.street.countY, 0})
	if s.lines[0].From != left || s.lines[2].To != right {
		t.Fatal("the lines do not reach from house to house")
	}
	return s
}

// runMinutes runs a scene without drawing it, and calls each after every
// picture.
func (s *Scene) runMinutes(n float64, each func()) {
	for range int(n * 60 * s.opts.Rate) {
		s.advanceFrame()
		each()
	}
}

func TestCrossingsAccountForEveryMoveBetweenTheSides(t *testing.T) {
	for p := range presetConditions {
		t.Run(Preset(p).String(), func(t *testing.T) {
			s := newWideScene(t, Preset(p), uint64(p)+1)
			checkConservation(t, s)
		})
	}
}

// checkConservation compares, picture by picture, the objects on side b with
// the reported crossings.
func checkConservation(t *testing.T, s *Scene) {
	type one struct {
		look appearance
		near bool
	}
	side := func(m *mover) bool { return s.contactPoint(m).y < s.street.countY }
	before := [maxMovers]one{}
	for i := range s.traffic.movers {
		before[i] = one{s.traffic.movers[i].look, side(&s.traffic.movers[i])}
	}
	known, moves := 0, 0
	s.runMinutes(6, func() {
		balance := [counting.Classes][counting.Directions]int{}
		for _, e := range s.Truth()[known:] {
			if e.Frame != s.frame {
				t.Fatalf("crossing of picture %d is told in picture %d", e.Frame, s.frame)
			}
			balance[e.Class][e.Dir]--
			moves++
		}
		known = len(s.Truth())
		for i := range s.traffic.movers {
			m := &s.traffic.movers[i]
			now := one{m.look, side(m)}
			if m.kind != noMover && before[i].look == now.look && before[i].near != now.near {
				dir := counting.BToA
				if now.near {
					dir = counting.AToB
				}
				balance[m.class][dir]++
			}
			before[i] = now
		}
		if balance != [counting.Classes][counting.Directions]int{} {
			t.Fatalf("picture %d: moves over the line less crossings, per class and direction: %v", s.frame, balance)
		}
	})
	if moves < 20 {
		t.Errorf("only %d crossings in six minutes", moves)
	}
}

func TestCrossingsOfOneObjectAlternate(t *testing.T) {
	l := []counting.Line{{ID: "x", From: counting.Point{X: 0.2, Y: 0.5}, To: counting.Point{X: 0.8, Y: 0.5}}}
	s := &Scene{lines: l}
	for _, c := range []struct {
		name string
		ys   []float64
		x    float64
		want []counting.Direction
	}{
		{"over", []float64{0.3, 0.4, 0.6}, 0.5, []counting.Direction{counting.AToB}},
		{"over and back", []float64{0.3, 0.6, 0.3}, 0.5, []counting.Direction{counting.AToB, counting.BToA}},
		{"stops on it and goes on", []float64{0.3, 0.5, 0.5, 0.5, 0.7}, 0.5, []counting.Direction{counting.AToB}},
		{"stops on it and turns back", []float64{0.3, 0.5, 0.5, 0.3}, 0.5, nil},
		{"starts on it", []float64{0.5, 0.7, 0.5, 0.6}, 0.5, nil},
		{"ends on it", []float64{0.7, 0.6, 0.5, 0.5}, 0.5, nil},
		{"passes its end", []float64{0.3, 0.7, 0.3}, 0.81, nil},
		{"meets its first end", []float64{0.25, 0.75}, 0.2, []counting.Direction{counting.AToB}},
		{"meets its last end", []float64{0.25, 0.75}, 0.8, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			s.events = nil
			m := &mover{}
			for _, y := range c.ys {
				s.recordCrossings(m, counting.Point{X: c.x, Y: y})
			}
			if len(s.events) != len(c.want) {
				t.Fatalf("%v, want %v", s.events, c.want)
			}
			for i, e := range s.events {
				if e.Dir != c.want[i] {
					t.Errorf("crossing %d is %v, want %v", i, e.Dir, c.want[i])
				}
			}
		})
	}
}

func TestOccupancyIsARecountOfThePlaces(t *testing.T) {
	s := newWideScene(t, Busy, 5)
	st := s.street
	from, to := st.countY-1, st.countY+18
	strips := [zoneCount][2]float64{{0, st.bayLeftX()}, {st.wallX[0], 0}, {st.width, st.wallX[1]}}
	most := 0
	s.runMinutes(3, func() {
		for z, strip := range strips {
			var want [counting.Classes]int
			for i := range s.traffic.movers {
				m := &s.traffic.movers[i]
				c := s.contactPoint(m)
				if m.kind != noMover && !m.parked && c.y > from && c.y < to && c.x > strip[0] && c.x < strip[1] {
					want[m.class]++
					most = max(most, want[m.class])
				}
			}
			if got := s.PresentIn(z); got != want {
				t.Fatalf("picture %d, %s: %v, want %v", s.frame, s.zones[z].ID, got, want)
			}
		}
	})
	if most < 3 {
		t.Errorf("never more than %d in a zone", most)
	}
}

func TestCameraIsAPinhole(t *testing.T) {
	v := newPinhole(Camera{Height: 8, Across: 3, Tilt: 30, FieldOfView: 60}, 480, 270, 0)
	// On the optical axis the ground lies h/tan(tilt) away.
	x, y, depth := v.projectPoint(vec3{3, 8 / math.Tan(math.Pi/6), 0})
	if math.Abs(x-240) > 1e-6 || math.Abs(y-135) > 1e-6 || math.Abs(depth-16) > 1e-6 {
		t.Errorf("axis: %v,%v at %v", x, y, depth)
	}
	// Half the angle of view to the right is the edge of the picture.
	p := v.eye.addScaled(v.ahead, 10).addScaled(v.right, 10*math.Tan(math.Pi/6))
	if x, y, _ := v.projectPoint(p); math.Abs(x-480) > 1e-6 || math.Abs(y-135) > 1e-6 {
		t.Errorf("edge: %v,%v", x, y)
	}
	turned := newPinhole(Camera{Height: 8, Across: -2, Tilt: 17, Yaw: -13, Roll: 5, FieldOfView: 60}, 480, 270, 9)
	for _, p := range []vec3{{0, 12, 0}, {5, 40, 0}, {-3, 25, 0}} {
		x, y, _ := turned.projectPoint(p)
		if q, ok := turned.groundPoint(x, y); !ok || q.sub(p).dot(q.sub(p)) > 1e-12 {
			t.Errorf("%v is seen at %v,%v, where the ground is %v", p, x, y, q)
		}
	}
}

func TestSineIsAccurate(t *testing.T) {
	for turns := -2.0; turns < 2; turns += 0.003 {
		if got, want := sin(turns), math.Sin(2*math.Pi*turns); math.Abs(got-want) > 1e-8 {
			t.Fatalf("sin(%v turns) = %v, want %v", turns, got, want)
		}
	}
}

func TestHeightsAreUprightOnTheGround(t *testing.T) {
	for seed := range uint64(20) {
		s := openScene(t, Opts{Seed: seed, Width: 64, Height: 48})
		hs := s.Heights()
		if len(hs) != 2 || hs[0].Foot.Y <= hs[1].Foot.Y {
			t.Fatalf("seed %d: %+v", seed, hs)
		}
		for _, h := range hs {
			pixel := func(p counting.Point) (x, y float64) {
				return p.X*64 + float64(s.margin), p.Y*48 + float64(s.margin)
			}
			foot, ok := s.view.groundPoint(pixel(h.Foot))
			top := s.imagePoint(foot.add(vec3{0, 0, h.Metres}))
			if !ok || math.Hypot(top.X-h.Top.X, top.Y-h.Top.Y) > 1e-9 {
				t.Errorf("seed %d: %+v: the top of %v m is at %v", seed, h, h.Metres, top)
			}
			for _, p := range []counting.Point{h.Foot, h.Top} {
				if p.X < 0 || p.X > 1 || p.Y < 0 || p.Y > 1 {
					t.Errorf("seed %d: %v is out of the picture", seed, p)
				}
			}
		}
	}
}

func TestLinesLieInThePictureAndShareTheirEnds(t *testing.T) {
	for seed := range uint64(20) {
		s := openScene(t, Opts{Seed: seed, Width: 64, Height: 48})
		l := s.Lines()
		if l[0].To != l[1].From || l[1].To != l[2].From {
			t.Errorf("seed %d: %v", seed, l)
		}
		for _, one := range l {
			for _, p := range []counting.Point{one.From, one.To} {
				if p.X < 0 || p.X > 1 || p.Y < 0 || p.Y > 1 {
					t.Errorf("seed %d: %s: %v is out of the picture", seed, one.ID, p)
				}
			}
			far := s.imagePoint(vec3{s.street.width / 2, s.street.countY + 5, 0})
			if one.To.X-one.From.X < 0.02 || one.Side(far) >= 0 {
				t.Errorf("seed %d: %s: %+v is short, or its side a is not the far one", seed, one.ID, one)
			}
		}
	}
}

func TestBoxesStandWhereTheTruthSays(t *testing.T) {
	s := openScene(t, Opts{Seed: 2, Width: 352, Height: 288, Boxes: true, Conditions: Windy.Conditions()})
	buf := make([]byte, 352*288)
	seen := map[counting.Class]int{}
	for range 400 {
		if _, err := s.ReadInto(context.Background(), buf); err != nil {
			t.Fatal(err)
		}
		if s.frame%4 != 0 {
			continue
		}
		sway := counting.Point{X: float64(s.imager.originX)/256 - float64(s.margin), Y: float64(s.imager.originY)/256 - float64(s.margin)}
		for _, b := range s.Boxes(nil) {
			if b.X0 < 0 || b.Y0 < 0 || b.X1 > 1.01 || b.Y1 > 1.01 || b.X0 >= b.X1 || b.Y0 >= b.Y1 || b.Visible <= 0 || b.Visible > 1 {
				t.Fatalf("box %+v", b)
			}
			if b.Parked || b.Visible < 0.97 || b.Y1 > 0.97 || b.X0 < 0.03 || b.X1 > 0.97 || b.Y1-b.Y0 < 0.05 {
				continue // something hides it, or the edge cuts it
			}
			best := math.Inf(1)
			for i := range s.traffic.movers {
				if m := &s.traffic.movers[i]; m.kind != noMover && m.class == b.Class {
					p := s.imagePoint(s.contactPoint(m))
					p.X, p.Y = p.X-sway.X/352, p.Y-sway.Y/288
					if p.X > b.X0-0.01 && p.X < b.X1+0.01 {
						best = min(best, math.Abs(p.Y-b.Y1)-0.15*(b.Y1-b.Y0))
					}
				}
			}
			seen[b.Class]++
			if best > 2.0/288 { // a seventh of its height, and two pixels for those that are far
				t.Errorf("picture %d: nothing stands at the foot of %+v", s.frame, b)
			}
		}
	}
	for _, c := range []counting.Class{counting.Person, counting.Bicycle, counting.Car, counting.Heavy} {
		if seen[c] == 0 {
			t.Errorf("no %v was seen whole", c)
		}
	}
}
