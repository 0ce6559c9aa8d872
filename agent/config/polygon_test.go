package config

import "testing"

func TestAPolygonWhoseSidesCrossIsFound(t *testing.T) {
	for name, test := range map[string]struct {
		corners [][2]float64
		want    bool
	}{
		"triangle":          {[][2]float64{{0, 0}, {1, 0}, {1, 1}}, false},
		"square":            {[][2]float64{{0, 0.5}, {1, 0.5}, {1, 1}, {0, 1}}, false},
		"against the clock": {[][2]float64{{0, 1}, {1, 1}, {1, 0.5}, {0, 0.5}}, false},
		"L":                 {[][2]float64{{0, 0}, {1, 0}, {1, 0.5}, {0.5, 0.5}, {0.5, 1}, {0, 1}}, false},
		"bow tie":           {[][2]float64{{0, 0}, {1, 1}, {1, 0}, {0, 1}}, true},
		"uneven bow tie":    {[][2]float64{{0, 0}, {0.9, 1}, {1, 0}, {0.1, 1}}, true},
		"all on one line":   {[][2]float64{{0, 0}, {0.5, 0.5}, {1, 1}}, true},
		"one point":         {[][2]float64{{1, 1}, {1, 1}, {1, 1}}, true},
	} {
		if got := crosses(test.corners); got != test.want {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}
