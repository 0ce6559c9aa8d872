package truth

import (
	"slices"
	"strings"
	"testing"
	"time"

	"kerb/counting"
)

const sample = `{"clip":"a.avi","width":200,"height":100,"fps":10,"frames":50,"how_made":"by eye",
"lines":[{"id":"path","from":[20,50],"to":[180,50],
 "counts":{"person":{"a_to_b":2,"b_to_a":0},"vehicle":{"a_to_b":0,"b_to_a":1}},
 "accept":{"person":{"a_to_b":[2,3],"b_to_a":[0,1]}},
 "crossings":[{"frame":10,"class":"person","direction":"a_to_b"},
  {"frame":20,"class":"person","direction":"a_to_b"},
  {"frame":25,"class":"person","direction":"b_to_a","marginal":true},
  {"frame":40,"class":"vehicle","direction":"b_to_a"}]}],
"occupancy":[{"frame":0,"person":null,"vehicle":2},{"frame":10,"person":1,"vehicle":3}],
"occupancy_roi":{"bottom_y_min":50}}`

func at(frame int, class counting.Class, d counting.Direction) counting.Crossing {
	return counting.Crossing{Stream: "path", Class: class, Dir: d, At: time.Duration(frame) * 100 * time.Millisecond}
}

func TestFileBecomesFractionsOfThePicture(t *testing.T) {
	tr, err := Parse([]byte(sample))
	if err != nil {
		t.Fatal(err)
	}
	l := tr.Lines[0]
	if l.From != (counting.Point{X: 0.1, Y: 0.5}) || l.To != (counting.Point{X: 0.9, Y: 0.5}) {
		t.Errorf("line = %v", l.Line)
	}
	if !tr.Zone.Polygon.Contains(counting.Point{X: 0.5, Y: 1.2}) || tr.Zone.Polygon.Contains(counting.Point{X: 0.5, Y: 0.4}) {
		t.Error("the zone must be what lies below bottom_y_min, past the picture's lower edge too")
	}
}

func TestScoreCountsErrorsAndPairs(t *testing.T) {
	tr, err := Parse([]byte(sample))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name            string
		crossings       []counting.Crossing
		person, vehicle ClassError
	}{
		{"nothing counted", nil, ClassError{2, 2, 0, 0}, ClassError{1, 1, 0, 0}},
		{
			"all right",
			[]counting.Crossing{at(11, counting.Person, 0), at(19, counting.Person, 0), at(45, counting.Car, 1)},
			ClassError{2, 0, 2, 0},
			ClassError{1, 0, 1, 0},
		},
		{
			"right by luck",
			[]counting.Crossing{at(45, counting.Person, 0), at(46, counting.Person, 0)},
			ClassError{2, 0, 0, 2},
			ClassError{1, 1, 0, 0},
		},
		{
			"a marginal crossing is no extra one",
			[]counting.Crossing{at(26, counting.Person, 1)},
			ClassError{2, 2, 0, 0},
			ClassError{1, 1, 0, 0},
		},
		{
			"wrong class counts twice",
			[]counting.Crossing{at(42, counting.Person, 1), at(43, counting.Person, 1)},
			ClassError{2, 4, 0, 2},
			ClassError{1, 1, 0, 0},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := tr.ScoreCrossings(c.crossings, nil)
			if r.Error["person"] != c.person || r.Error["vehicle"] != c.vehicle {
				t.Errorf("person %+v, vehicle %+v; want %+v, %+v", r.Error["person"], r.Error["vehicle"], c.person, c.vehicle)
			}
		})
	}
}

func TestOccupancyAddsTheVehiclesPartsAndSkipsWhatWasNotCounted(t *testing.T) {
	tr, err := Parse([]byte(sample))
	if err != nil {
		t.Fatal(err)
	}
	r := tr.ScoreCrossings(nil, []Sample{
		{Frame: 0, Count: [counting.Classes]int{counting.Person: 9, counting.Car: 2}},
		{Frame: 10, Count: [counting.Classes]int{counting.Person: 3, counting.Heavy: 1, counting.Vehicle: 1}},
	})
	if got := r.Occupancy["person"]; got != (OccupancyError{1, 2}) {
		t.Errorf("person = %+v", got)
	}
	if got := r.Occupancy["vehicle"]; got != (OccupancyError{2, 0.5}) {
		t.Errorf("vehicle = %+v", got)
	}
}

func TestPairsAreOneToOne(t *testing.T) {
	for _, c := range []struct {
		a, b    []float64
		matched int
		rest    []float64
	}{
		{[]float64{1, 1.2, 1.4}, []float64{1}, 1, []float64{1.2, 1.4}},
		{[]float64{3, 0}, []float64{1.5, 1.6}, 2, nil},
		{[]float64{0, 3.2}, []float64{1.6}, 0, []float64{0, 3.2}},
		{[]float64{0}, []float64{1.5}, 1, nil},
	} {
		if n, rest := matchTimes(c.a, c.b); n != c.matched || !slices.Equal(rest, c.rest) {
			t.Errorf("pair(%v, %v) = %d, %v; want %d, %v", c.a, c.b, n, rest, c.matched, c.rest)
		}
	}
}

func TestForeignFilesAreNamedErrors(t *testing.T) {
	for in, want := range map[string]string{
		`{`:         "unexpected end",
		`{"fps":1}`: "width, height and fps must be above 0",
		strings.Replace(sample, "a_to_b", "up", 1):              `line "path": direction "up"`,
		strings.Replace(sample, `"vehicle":{`, `"tram":{`, 1):   `line "path": class "tram"`,
		strings.Replace(sample, `"class":"person"`, `"x":0`, 1): `line "path": crossing 0: class ""`,
	} {
		if _, err := Parse([]byte(in)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Parse = %v; want %q", err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(sample))
	f.Add([]byte(`{"lines":[{}]}`))
	f.Fuzz(func(_ *testing.T, b []byte) {
		if t, err := Parse(b); err == nil {
			t.ScoreCrossings([]counting.Crossing{at(1, counting.Person, 0)}, nil)
		}
	})
}
