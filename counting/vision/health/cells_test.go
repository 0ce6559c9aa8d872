package health

import (
	"math"
	"math/rand/v2"
	"testing"
)

// The sums of a cell, without branches, are those of the definition by angles.
func TestEdgesAreCountedByStrengthAndDirection(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 9))
	const w, h, least, half = 31, 24, 24 * 24, 12 * 12
	for range 200 {
		p := &Picture{Width: w, Height: h, Now: make([]byte, w*h)}
		unmasked := make([]bool, w*h)
		for i := range p.Now {
			p.Now[i], unmasked[i] = byte(100+r.IntN(60)), r.IntN(9) > 0
		}
		var s survey
		var got, want cell
		s.countEdges(&got, p, unmasked, least, half, 1, 1, w-1, h-1)
		for y := 1; y < h-1; y += rowStep {
			for x := 1; x < w-1; x++ {
				at := y*w + x
				if !unmasked[at] {
					continue
				}
				want.pixels++
				want.sum += int32(p.Now[at])
				gx, gy := int(p.Now[at+1])-int(p.Now[at-1]), int(p.Now[at+w])-int(p.Now[at-w])
				if gx*gx+gy*gy >= half {
					want.faint++
				}
				if gx*gx+gy*gy < least {
					continue
				}
				want.edges++
				switch tilt := math.Abs(float64(gy)) / math.Abs(float64(gx)); {
				case tilt < 0.414:
					want.across++
				case tilt > 1/0.414:
					want.along++
				case gx*gy < 0:
					want.rising++
				}
			}
		}
		if got != want || s.seen != want.pixels || want.rising == 0 {
			t.Fatalf("%+v, not %+v", got, want)
		}
	}
}
