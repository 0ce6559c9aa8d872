package vision

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// Evidence and background must not depend on the number of goroutines that share a
// picture: every byte of the model is the same.
func TestEvidenceDoesNotDependOnBands(t *testing.T) {
	const w, h, looks = 40, 31, 120
	run := func(bands int) *arena {
		rng := rand.New(rand.NewPCG(3, 1))
		street := make([]byte, w*h)
		for i := range street {
			street[i] = uint8(60 + 40*(i%w/8%2) + 40*(i/w/6%2))
		}
		a := newArena(1, w*h)
		tempo := rates{minAge: 4, activity: 4, minCandAge: 3, maxCandAge: 15, peelAge: 3, memory: 40, minDifference: 70, minChange: 70}
		for n := range looks {
			a.now, a.before = a.before, a.now
			for i := range a.now {
				v := int(street[i]) + rng.IntN(7) - 3
				if x, y := i%w, i/w; (x+n)%23 < 6 && y > 3 && y < 28 { // something moves on and stays for a while
					v = 220 - 3*y
				}
				a.now[i] = uint8(v)
			}
			if n == 0 {
				a.initBackground()
				continue
			}
			if n%10 == 0 {
				for i := range a.covered {
					a.covered[i] = uint8(rng.IntN(2))
				}
			}
			a.bgBefore, a.bgHi = a.bgHi, a.bgBefore
			for b := range bands {
				a.updateBackground(w, h*b/bands, h*(b+1)/bands, &tempo)
			}
			for b := range bands {
				a.filterMask(w, h, h*b/bands, h*(b+1)/bands)
			}
		}
		return a
	}
	one := run(1)
	if bytes.Count(one.evidence, []byte{0}) == len(one.evidence) || bytes.Equal(one.bgHi, one.bgBefore) {
		t.Fatal("nothing happened that could differ")
	}
	for _, bands := range []int{2, 3, 8} {
		more := run(bands)
		for name, p := range map[string][2][]byte{
			"raw": {one.evidence, more.evidence}, "mask": {one.mask, more.mask}, "background": {one.bgHi, more.bgHi},
			"age": {one.age, more.age}, "held": {one.candAge, more.candAge}, "deviation": {one.dev, more.dev},
		} {
			if !bytes.Equal(p[0], p[1]) {
				t.Errorf("%d bands: %s is not what one band makes it", bands, name)
			}
		}
	}
}
