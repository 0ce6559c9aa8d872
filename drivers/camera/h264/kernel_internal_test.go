package h264

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// The kernels in assembly give the bytes of the portable ones, on any samples, and
// write nothing beside their block.
func TestVectorUnitAgreesWithPortableFilters(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	const stride, from = 40, 48
	src := make([]byte, from*32)
	var rows [21 * 16]int16
	for n := range 4000 {
		for i := range src {
			switch n % 3 {
			case 0:
				src[i] = byte(r.UintN(256))
			case 1:
				src[i] = byte(255 * r.UintN(2))
			default:
				src[i] = byte(128 + r.IntN(9) - 4)
			}
		}
		w, h := 4<<r.IntN(3), 4<<r.IntN(3)
		want := make([]byte, stride*20)
		for i := range want {
			want[i] = byte(r.UintN(256))
		}
		got := bytes.Clone(want)
		name := ""
		switch r.IntN(4) {
		case 0:
			name = "across"
			filterAcrossPortable(want[stride:], stride, src, from, w, h)
			filterAcross(got[stride:], stride, src, from, w, h)
		case 1:
			name = "down"
			filterDownPortable(want[stride:], stride, src, from, w, h)
			filterDown(got[stride:], stride, src, from, w, h)
		case 2:
			name = "both"
			filterBothPortable(want[stride:], stride, src, from, w, h, &rows)
			filterBoth(got[stride:], stride, src, from, w, h, &rows)
		default:
			name = "average"
			averageIntoPortable(want[stride:], stride, src, from, w, h)
			averageInto(got[stride:], stride, src, from, w, h)
		}
		if !bytes.Equal(got, want) {
			t.Fatalf("%s of %d×%d differs", name, w, h)
		}
	}
}
