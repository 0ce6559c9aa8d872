package luma

import (
	"math/rand/v2"
	"testing"
)

func TestVectorUnitAgreesWithPortableTransformOnAnyInput(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var want, got [64]byte
	for range 200000 {
		var b [64]int16
		var cols, rows uint8 = 1, 1
		peak := 1 << r.IntN(17)
		for range r.IntN(65) {
			i := r.IntN(64)
			b[i] = int16(r.IntN(peak) - peak/2)
			cols, rows = cols|1<<(i&7), rows|1<<(i>>3)
		}
		portable(want[:], 8, &b, cols, rows)
		idct(got[:], 8, &b, cols, rows)
		if got != want {
			t.Fatalf("block %v\ngot  %v\nwant %v", b, got, want)
		}
	}
}
