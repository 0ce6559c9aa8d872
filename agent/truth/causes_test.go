package truth

import (
	"testing"
	"time"

	"kerb/counting"
)

func TestEveryDifferenceHasItsCause(t *testing.T) {
	const a, b = counting.AToB, counting.BToA
	const person, bicycle, car, vehicle = counting.Person, counting.Bicycle, counting.Car, counting.Vehicle
	counted := func(c counting.Class, d counting.Direction, at float64) counting.Crossing {
		return counting.Crossing{Stream: "l", Class: c, Dir: d, At: time.Duration(at * float64(time.Second))}
	}
	is := func(frame int, c counting.Class, d counting.Direction) Crossing {
		return Crossing{Frame: frame, Class: c, Dir: d}
	}
	for _, c := range []struct {
		name    string
		truth   []Crossing
		counted []counting.Crossing
		saw     bool
		want    []Cause
	}{
		{"right", []Crossing{is(10, vehicle, a)}, []counting.Crossing{counted(car, a, 1.2)}, true, nil},
		{"not seen", []Crossing{is(10, person, a)}, nil, false, []Cause{Undetected}},
		{"seen and not counted", []Crossing{is(10, person, a)}, nil, true, []Cause{Unfollowed}},
		{"a cyclist as a person", []Crossing{is(10, bicycle, a)}, []counting.Crossing{counted(person, a, 1)}, true, []Cause{WrongClass}},
		{"the wrong way", []Crossing{is(10, person, a)}, []counting.Crossing{counted(person, b, 1)}, true, []Cause{AtLine}},
		{"three seconds early", []Crossing{is(40, vehicle, a)}, []counting.Crossing{counted(car, a, 1)}, true, []Cause{AtLine}},
		{"to and fro", nil, []counting.Crossing{counted(person, a, 1), counted(person, b, 3)}, true, []Cause{AtLine, AtLine}},
		{"twice", []Crossing{is(10, vehicle, a)}, []counting.Crossing{counted(car, a, 1), counted(car, a, 2)}, true, []Cause{Double}},
		{"out of nothing", nil, []counting.Crossing{counted(car, a, 1)}, true, []Cause{Extra}},
		{
			"a marginal one that was counted",
			[]Crossing{{Frame: 10, Class: person, Dir: a, Marginal: true}},
			[]counting.Crossing{counted(person, a, 1)},
			true, nil,
		},
		{"a marginal one that was not", []Crossing{{Frame: 10, Class: person, Dir: a, Marginal: true}}, nil, true, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			tr := Truth{Rate: 10, Lines: []Line{{Line: counting.Line{ID: "l"}, Crossings: c.truth}}}
			found := tr.FindCauses(c.counted, func(*Line, Crossing) bool { return c.saw })
			var got []Cause
			for _, d := range found {
				got = append(got, d.Cause)
			}
			if len(got) != len(c.want) {
				t.Fatalf("%v; want %v", got, c.want)
			}
			for i := range got {
				if got[i] != c.want[i] {
					t.Errorf("%v; want %v", got, c.want)
				}
			}
		})
	}
}
