package demo

import (
	"fmt"
	"testing"

	"kerb/drivers/camera/scene"
)

func TestScan(t *testing.T) {
	for seed := 1; seed <= 14; seed++ {
		for _, c := range []scene.Camera{{Height: 9, Across: 4, Tilt: 22, FieldOfView: 45}, {Height: 7, Across: 4, Tilt: 17, FieldOfView: 38}} {
			t.Run(fmt.Sprint(seed, c), func(t *testing.T) {
				runCrowd(t, fmt.Sprintf("calm?seed=%d&rate=1&size=640x480&frames=62&crowd=25:0-200", seed), "neural", 20, 10, c)
			})
		}
	}
}
