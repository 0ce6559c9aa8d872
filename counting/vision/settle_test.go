package vision

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// fillAtRandom fills all planes; levels lie near each other, so that all branches occur.
func fillAtRandom(a *arena, r *rand.Rand) {
	for i := range a.now {
		base := int(r.Uint32() & 0xff)
		near := func(d int) byte { return uint8(min(max(base+r.IntN(2*d+1)-d, 0), 255)) }
		a.now[i], a.before[i], a.bgBefore[i] = near(30), near(30), near(40)
		if r.IntN(4) == 0 {
			a.bgBefore[i] = byte(r.Uint32())
		}
		for _, p := range [][]byte{a.bgHi, a.bgLo, a.dev, a.age, a.cand, a.candAge, a.activity, a.evidence} {
			p[i] = byte(r.Uint32())
			if r.IntN(4) == 0 {
				p[i] = []byte{0, 1, 254, 255}[r.IntN(4)]
			}
		}
		a.covered[i] = uint8(r.IntN(3))
	}
}

// The kernel of this processor and the portable code give the same model, byte for byte.
func TestKernelsSettlePixelsAlike(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	var candidates, settled int
	for range 4000 {
		n := 1 + r.IntN(600)
		one, other := newArena(1, n), newArena(1, n)
		fillAtRandom(one, r)
		copy(other.block, one.block)
		tempo := rates{
			minAge: 1 + r.Int32N(maxRateLooks), activity: uint8(1 + r.IntN(maxRateLooks)), memory: 1 + r.Int32N(maxRateLooks),
			minDifference: 56 + r.Int32N(1300), minChange: 56 + r.Int32N(1300),
		}
		for lo := 0; lo < n; lo += settledPixels {
			var far, want [settledPixels / 8]uint8
			hi := min(lo+settledPixels, n)
			one.settlePixels(lo, hi, &tempo, &far)
			other.settlePixelsPortable(lo, hi, lo, &tempo, &want)
			if far != want || !bytes.Equal(one.block, other.block) {
				t.Fatalf("pixels %d to %d of %d differ, with %+v", lo, hi, n, tempo)
			}
			for _, b := range far[:(hi-lo)/8] {
				if candidates++; b == 0 {
					settled++
				}
			}
		}
	}
	if settled == 0 || settled == candidates {
		t.Errorf("%d of %d eights without a far pixel", settled, candidates)
	}
}

// Each quotient that the kernel takes in single precision is that of whole numbers.
func TestQuotientsAreExactInSinglePrecision(t *testing.T) {
	for n := int32(1); n <= maxCount; n++ {
		for d := int32(-1 << 16); d <= 1<<16; d++ {
			if int32(float32(d)/float32(n)) != d/n {
				t.Fatalf("%d/%d", d, n)
			}
		}
	}
}

// The mask is set where four of nine pixels bear evidence, whatever the width; a pixel
// beyond the edge of the grid bears none, and the first and last row have no mask.
func TestMaskIsSetWhereFourOfNinePixelsBearEvidence(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 4))
	for w := 1; w < 40; w++ {
		const h = 7
		a := newArena(1, w*h)
		for i := range a.evidence {
			a.evidence[i], a.mask[i] = uint8(r.IntN(8))*uint8(r.IntN(2)), 7
		}
		a.filterMask(w, h, 0, h)
		for i, got := range a.mask {
			n := 0
			for dy := -1; dy <= 1; dy++ {
				for dx := -1; dx <= 1; dx++ {
					if x, y := i%w+dx, i/w+dy; x >= 0 && x < w && y >= 0 && y < h && a.evidence[y*w+x] != 0 {
						n++
					}
				}
			}
			want := uint8(0)
			if y := i / w; y > 0 && y < h-1 && n >= filterMin {
				want = 1
			}
			if got != want {
				t.Fatalf("width %d, pixel %d: %d with %d of nine", w, i, got, n)
			}
		}
	}
}
