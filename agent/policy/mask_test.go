package policy

import (
	"testing"

	"kerb/counting"
)

// A mask over nothing is none: the one of the findings covers 5·10⁻⁹ of the picture.
func TestARequiredMaskCoversAPartOfThePicture(t *testing.T) {
	rect := func(w, h float64) counting.Polygon {
		return counting.Polygon{{X: 0, Y: 0}, {X: w, Y: 0}, {X: w, Y: h}, {X: 0, Y: h}}
	}
	for name, c := range map[string]struct {
		masks []counting.Polygon
		want  bool
	}{
		"none":                 {nil, false},
		"5e-9":                 {[]counting.Polygon{{{X: 0, Y: 0}, {X: 0, Y: 0.0001}, {X: 0.0001, Y: 0}}}, false},
		"a thin strip":         {[]counting.Polygon{rect(1, 0.001)}, false},
		"0.4 %":                {[]counting.Polygon{rect(0.08, 0.05)}, false},
		"0.5 %":                {[]counting.Polygon{rect(0.1, 0.05)}, true},
		"two of 0.25 %":        {[]counting.Polygon{rect(0.05, 0.05), {{X: 0.5, Y: 0.5}, {X: 0.55, Y: 0.5}, {X: 0.55, Y: 0.55}, {X: 0.5, Y: 0.55}}}, true},
		"one of 0.25 %, twice": {[]counting.Polygon{rect(0.05, 0.05), rect(0.05, 0.05)}, false},
	} {
		if got := coversEnough(c.masks); got != c.want {
			t.Errorf("%s: %t, want %t", name, got, c.want)
		}
	}
}
