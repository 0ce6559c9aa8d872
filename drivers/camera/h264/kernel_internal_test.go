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

// The transforms agree on coefficients whose intermediate values fit into 16 bits, as
// those of a valid stream (8.5.12).
func TestVectorUnitAgreesWithPortableTransforms(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	const stride = 24
	for range 20000 {
		want := make([]byte, stride*10)
		for i := range want {
			want[i] = byte(r.UintN(256))
		}
		got := bytes.Clone(want)
		peak := 1 << (1 + r.IntN(9))
		var four, four2 [16]int16
		var eight, eight2 [64]int16
		for range 1 + r.IntN(64) {
			eight[r.IntN(64)] = int16(r.IntN(peak) - peak/2)
			four[r.IntN(16)] = int16(r.IntN(4*peak) - 2*peak)
		}
		four2, eight2 = four, eight
		if r.IntN(2) == 0 {
			addTransform4x4Portable(want[stride+3:], stride, &four)
			addTransform4x4(got[stride+3:], stride, &four2)
		} else {
			addTransform8x8Portable(want[stride+3:], stride, &eight)
			addTransform8x8(got[stride+3:], stride, &eight2)
		}
		if !bytes.Equal(got, want) || four2 != four || eight2 != eight {
			t.Fatalf("differs:\n%v\n%v", got, want)
		}
	}
}

func TestVectorUnitAgreesWithPortableDeblocking(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	const stride = 32
	changed := 0
	for range 20000 {
		want := make([]byte, stride*32)
		base, spread := r.IntN(256), 1+r.IntN(60)
		for i := range want {
			want[i] = byte(min(max(base+r.IntN(spread)-spread/2, 0), 255))
		}
		got, before := bytes.Clone(want), bytes.Clone(want)
		tc := [4]int8{}
		for k := range tc {
			tc[k] = int8(r.IntN(27) - 1)
		}
		alpha, beta := 1+r.IntN(255), 1+r.IntN(18)
		across, along, at := 1, stride, 8*stride+8
		if r.IntN(2) == 0 {
			across, along = stride, 1
		}
		filterNormalPortable(want, at, across, along, alpha, beta, &tc)
		filterNormal(got, at, across, along, alpha, beta, &tc)
		if !bytes.Equal(got, want) {
			t.Fatalf("differs: across %d, alpha %d, beta %d, tc %v", across, alpha, beta, tc)
		}
		if !bytes.Equal(got, before) {
			changed++
		}
	}
	if changed < 5000 {
		t.Errorf("only %d edges were filtered", changed)
	}
}
