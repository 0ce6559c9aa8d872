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
	rising := int32(0)
	for range 2000 {
		p := &Picture{Width: w, Height: h, Now: make([]byte, w*h)}
		unmasked := make([]bool, w*h)
		for i := range p.Now {
			p.Now[i], unmasked[i] = byte(100+r.IntN(60)), r.IntN(9) > 0
		}
		var s survey
		var got, want cell
		x0, y0 := 1+r.IntN(w-3), 1+r.IntN(h-3)
		x1, y1 := x0+1+r.IntN(w-1-x0), y0+1+r.IntN(h-1-y0)
		blind := unmasked
		if r.IntN(2) == 0 {
			blind = nil
			for i := range unmasked {
				unmasked[i] = true
			}
		}
		s.countEdges(&got, p, blind, least, half, x0, y0, x1, y1)
		for y := y0; y < y1; y += rowStep {
			for x := x0; x < x1; x++ {
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
		if rising += want.rising; got != want || s.seen != want.pixels {
			t.Fatalf("%+v, not %+v", got, want)
		}
	}
	if rising == 0 {
		t.Error("no rising edge")
	}
}
