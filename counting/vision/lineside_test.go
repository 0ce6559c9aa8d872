package vision

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"kerb/counting"
)

// walk moves one object along a path, one second a step, and returns its crossings:
// +1 for a_to_b, -1 for b_to_a.
func walk(s segment, dead float64, path ...point) (counted []int, at []time.Duration) {
	var g lineSide
	g.advancePath(&s, path[0], path[0], 0, 0, dead)
	for i := 1; i < len(path); i++ {
		t0, t1 := time.Duration(i-1)*time.Second, time.Duration(i)*time.Second
		if d, ok := g.advancePath(&s, path[i-1], path[i], t0, t1, dead); ok {
			at = append(at, g.at)
			if d == counting.AToB {
				counted = append(counted, 1)
			} else {
				counted = append(counted, -1)
			}
		}
	}
	return counted, at
}

func TestLineSide(t *testing.T) {
	// From left to right: a is above (y < 50), b below; the dead band is 4 wide.
	flat := segment{a: point{20, 50}, b: point{80, 50}, length: 60}
	for _, c := range []struct {
		name string
		path []point
		want []int
	}{
		{"walking down is a_to_b", []point{{50, 30}, {50, 70}}, []int{1}},
		{"walking up is b_to_a", []point{{50, 70}, {50, 30}}, []int{-1}},
		{"a shallow path counts by its sides, not its shape", []point{{21, 45}, {79, 55}}, []int{1}},
		{"there and back counts both", []point{{50, 30}, {50, 70}, {50, 30}}, []int{1, -1}},
		{"stopping on the line counts once, when it is left", []point{{50, 30}, {50, 50}, {50, 50}, {50, 50}, {50, 70}}, []int{1}},
		{"jitter on the line counts nothing", []point{{50, 30}, {50, 48}, {50, 52}, {50, 49}, {50, 53}, {50, 47}}, nil},
		{"jitter after a crossing counts nothing more", []point{{50, 30}, {50, 60}, {50, 49}, {50, 53}, {50, 47}, {50, 60}}, []int{1}},
		{"turning back inside the dead band counts nothing", []point{{50, 30}, {50, 53}, {50, 30}}, nil},
		{"starting on the line and leaving counts nothing", []point{{50, 51}, {50, 70}}, nil},
		{"starting on the line, leaving and crossing counts the crossing", []point{{50, 51}, {50, 70}, {50, 30}}, []int{-1}},
		{"ending on the line counts nothing", []point{{50, 30}, {50, 52}}, nil},
		{"going round the end counts nothing", []point{{50, 30}, {90, 40}, {90, 60}, {50, 70}}, nil},
		{"going round and back through counts the way back", []point{{50, 30}, {90, 40}, {90, 60}, {50, 70}, {50, 30}}, []int{-1}},
		{"in through the line and out round the end counts one", []point{{50, 30}, {50, 70}, {90, 70}, {90, 30}}, []int{1}},
		{"circling the end within the dead band counts nothing", []point{{78, 30}, {78, 52}, {83, 52}, {83, 30}}, nil},
		{"the start of the line belongs to it", []point{{20, 30}, {20, 70}}, []int{1}},
		{"the end of the line does not", []point{{80, 30}, {80, 70}}, nil},
		{"a path that touches the line and turns counts nothing", []point{{50, 30}, {50, 50}, {50, 30}}, nil},
		{"a path along the line counts nothing", []point{{10, 50}, {90, 50}}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, _ := walk(flat, 4, c.path...)
			if len(got) != len(c.want) {
				t.Fatalf("counted %v; want %v", got, c.want)
			}
			for i := range got {
				if got[i] != c.want[i] {
					t.Errorf("counted %v; want %v", got, c.want)
				}
			}
		})
	}
}

func TestCrossingHasTheTimeOfThePassage(t *testing.T) {
	s := segment{a: point{0, 50}, b: point{100, 50}, length: 100}
	_, at := walk(s, 4, point{50, 40}, point{50, 48}, point{50, 52}, point{50, 80})
	if len(at) != 1 || at[0] != 1500*time.Millisecond {
		t.Errorf("at = %v; want 1.5s", at)
	}
}

func TestSidesAreThoseOfCounting(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := rapid.Float64Range(0, 1)
		l := counting.Line{From: counting.Point{X: f.Draw(t, "x1"), Y: f.Draw(t, "y1")}, To: counting.Point{X: f.Draw(t, "x2"), Y: f.Draw(t, "y2")}}
		p := counting.Point{X: f.Draw(t, "x"), Y: f.Draw(t, "y")}
		s := newSegment(l, 160, 90)
		if side := l.Side(p); math.Abs(side) > 1e-9 && side*s.signedDistance(point{p.X * 160, p.Y * 90}) <= 0 {
			t.Fatalf("side %v, distance %v", side, s.signedDistance(point{p.X * 160, p.Y * 90}))
		}
	})
}

// For every path, crossings of one object alternate, and follow its changes of side
// outside the dead band.
func TestCrossingsAlternateUnlessItWentRoundTheEnd(t *testing.T) {
	endless := segment{a: point{-1e6, 50}, b: point{1e6, 50}, length: 2e6}
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 40).Draw(t, "n")
		path := make([]point, n)
		for i := range path {
			path[i] = point{rapid.Float64Range(0, 100).Draw(t, "x"), rapid.Float64Range(0, 100).Draw(t, "y")}
		}
		dead := rapid.Float64Range(0, 20).Draw(t, "dead")
		counted, _ := walk(endless, dead, path...)
		var sides []int8
		for _, p := range path {
			if d := endless.signedDistance(p); math.Abs(d) > dead && (len(sides) == 0 || sides[len(sides)-1] != sign(d)) {
				sides = append(sides, sign(d))
			}
		}
		if len(counted) != max(len(sides)-1, 0) {
			t.Fatalf("counted %v on sides %v", counted, sides)
		}
		for i, c := range counted {
			if int8(c) != sides[i+1] {
				t.Fatalf("counted %v on sides %v", counted, sides)
			}
		}
	})
}

// Dividing a step in two must not change the count.
func TestMoreLooksCountTheSame(t *testing.T) {
	s := segment{a: point{30, 20}, b: point{70, 80}, length: math.Hypot(40, 60)}
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 12).Draw(t, "n")
		var coarse, fine []point
		for i := range n {
			p := point{rapid.Float64Range(0, 100).Draw(t, "x"), rapid.Float64Range(0, 100).Draw(t, "y")}
			if i > 0 {
				q := coarse[i-1]
				fine = append(fine, point{(p.x + q.x) / 2, (p.y + q.y) / 2})
			}
			coarse, fine = append(coarse, p), append(fine, p)
		}
		a, _ := walk(s, 0, coarse...)
		b, _ := walk(s, 0, fine...)
		sum := func(x []int) (n int) {
			for _, v := range x {
				n += v
			}
			return n
		}
		if sum(a) != sum(b) {
			t.Fatalf("%v by long steps, %v by short ones", a, b)
		}
	})
}
