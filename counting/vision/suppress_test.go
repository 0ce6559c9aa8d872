package vision

import (
	"testing"

	"kerb/counting"
)

func TestTwoBoxesOnOneSpotAreOneVehicle(t *testing.T) {
	car := box{100, 100, 160, 140}
	for _, c := range []struct {
		name  string
		class counting.Class
		other box
		left  int
	}{
		{"a part of the car", counting.Car, box{120, 112, 158, 138}, 1},
		{"the car with its shadow to one side", counting.Car, box{100, 104, 215, 142}, 1},
		{"a car behind it", counting.Car, box{108, 78, 150, 118}, 2},
		{"a car beside it", counting.Car, box{150, 100, 205, 138}, 2},
		{"a bus behind it", counting.Heavy, box{90, 40, 170, 125}, 2},
		{"a person before it", counting.Person, box{120, 100, 135, 140}, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			found := suppress([]detection{{box: car, class: counting.Car, score: 0.8}, {box: c.other, class: c.class, score: 0.5}})
			if len(found) != c.left {
				t.Errorf("%d left; want %d", len(found), c.left)
			}
		})
	}
}
