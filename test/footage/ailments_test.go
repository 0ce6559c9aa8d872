package footage

import (
	"math/rand/v2"

	"kerb/counting"
)

// An ailment is something that happens to a camera.
type ailment struct {
	name  string
	want  []counting.ViewFault // any of them finds it
	least float64              // share of the films in which it must be found; 0: the figure is told, no more
	quick bool                 // in every check
	dx    float64              // turned by so much of the picture's width
	dy    float64              // and of its height
	turn  func(p []byte, f *film, r *rand.Rand, sec float64)
	hold  bool // the picture stands
}

var ailments = []ailment{
	{name: "frozen", want: []counting.ViewFault{counting.ViewFrozen}, least: 1, quick: true, hold: true},
	{name: "frozen, clock runs", want: []counting.ViewFault{counting.ViewFrozen}, least: 1, hold: true, turn: clockface},
	{name: "cap on", want: []counting.ViewFault{counting.ViewDark}, least: 1, turn: func(p []byte, _ *film, r *rand.Rand, _ float64) {
		for i := range p {
			p[i] = level(6 + 2*r.NormFloat64())
		}
	}},
	{name: "lights out", want: []counting.ViewFault{counting.ViewDark}, least: 1, quick: true, turn: func(p []byte, _ *film, r *rand.Rand, _ float64) {
		for i, v := range p {
			p[i] = level(float64(v)*0.08 + 2*r.NormFloat64())
		}
	}},
	{name: "sun in the lens", want: []counting.ViewFault{counting.ViewBlinded}, least: 1, quick: true, turn: sun},
	{name: "veil of light", want: []counting.ViewFault{counting.ViewBlinded}, least: 1, turn: func(p []byte, _ *film, r *rand.Rand, _ float64) {
		for i, v := range p {
			p[i] = level(float64(v)*0.12 + 215 + r.NormFloat64())
		}
	}},
	{name: "hand over all", want: []counting.ViewFault{counting.ViewCovered, counting.ViewBlurred}, least: 1, turn: cover(1)},
	{name: "sprayed 70 %", want: []counting.ViewFault{counting.ViewCovered}, least: 1, quick: true, turn: cover(0.7)},
	{name: "covered 50 %", want: []counting.ViewFault{counting.ViewCovered, counting.ViewMoved, counting.ViewDrops}, least: 0.7, turn: cover(0.5)},
	{name: "blur 2 %", want: []counting.ViewFault{counting.ViewBlurred, counting.ViewCovered}, least: 0.9, quick: true, turn: defocus(0.02)},
	{name: "blur 4 %", want: []counting.ViewFault{counting.ViewBlurred, counting.ViewCovered}, least: 1, turn: defocus(0.04)},
	{name: "turned 5 %", want: []counting.ViewFault{counting.ViewMoved}, dx: 0.05},
	{name: "turned 10 %", want: []counting.ViewFault{counting.ViewMoved}, least: 1, quick: true, dx: 0.10},
	{name: "turned 12 % up", want: []counting.ViewFault{counting.ViewMoved}, least: 0.8, dy: -0.12},
	{name: "turned 12,12 %", want: []counting.ViewFault{counting.ViewMoved}, least: 1, quick: true, dx: -0.12, dy: 0.12},
	{name: "12 drops", want: []counting.ViewFault{counting.ViewDrops}, turn: drops(12)},
	{name: "30 drops", want: []counting.ViewFault{counting.ViewDrops, counting.ViewCovered}, turn: drops(30)},
}

func clockface(p []byte, f *film, r *rand.Rand, _ float64) {
	for y := 2; y < 2+f.h/24; y++ {
		for x := 2; x < f.w/4; x++ {
			p[y*f.w+x] = byte(r.Uint32())
		}
	}
}

func sun(p []byte, f *film, _ *rand.Rand, _ float64) {
	cx, cy, r := 0.4*float64(f.w), 0.3*float64(f.h), 0.35*float64(f.w)
	for i, v := range p {
		x, y := float64(i%f.w)-cx, float64(i/f.w)-cy
		d := (x*x + y*y) / (r * r)
		p[i] = level(float64(v)*0.4 + 60 + 400/(1+2*d*d))
	}
}

// cover hides a share of the picture from the left on, with a soft rim.
func cover(share float64) func([]byte, *film, *rand.Rand, float64) {
	return func(p []byte, f *film, r *rand.Rand, _ float64) {
		for i, v := range p {
			x := float64(i%f.w)/float64(f.w) + 0.03*float64(i/f.w)/float64(f.h)
			a := max(min((share-x)/0.05+0.5, 1), 0)
			if share >= 1 {
				a = 1
			}
			p[i] = level(float64(v)*(1-a) + a*(90+10*float64(i/f.w)/float64(f.h)+1.5*r.NormFloat64()))
		}
	}
}

// defocus blurs by a deviation that is a share of the picture's width.
func defocus(share float64) func([]byte, *film, *rand.Rand, float64) {
	return func(p []byte, f *film, r *rand.Rand, _ float64) {
		blur(p, f.w, f.h, int(share*float64(f.w)+0.5))
		for i, v := range p {
			p[i] = level(float64(v) + r.NormFloat64())
		}
	}
}

// blur is three boxes of radius r, whose deviation is about r.
func blur(p []byte, w, h, r int) {
	line := make([]int, max(w, h))
	pass := func(n, from, step int) {
		for i := range n {
			line[i] = int(p[from+i*step])
		}
		sum := 0
		for i := -r; i <= r; i++ {
			sum += line[min(max(i, 0), n-1)]
		}
		for i := range n {
			p[from+i*step] = byte(sum / (2*r + 1))
			sum += line[min(i+r+1, n-1)] - line[max(i-r, 0)]
		}
	}
	for range 3 {
		for y := range h {
			pass(w, y*w, 1)
		}
		for x := range w {
			pass(h, x, w)
		}
	}
}

// drops are so many round spots of 3–7 % of the width that blur the picture
// behind them, at the same places all the time.
func drops(n int) func([]byte, *film, *rand.Rand, float64) {
	return func(p []byte, f *film, _ *rand.Rand, _ float64) {
		soft := append([]byte(nil), p...)
		blur(soft, f.w, f.h, f.w/25)
		r := rand.New(rand.NewPCG(5, 6))
		for range n {
			cx, cy := r.Float64()*float64(f.w), r.Float64()*float64(f.h)
			rad := (0.03 + 0.04*r.Float64()) * float64(f.w)
			for y := max(int(cy-rad), 0); y < min(int(cy+rad), f.h); y++ {
				for x := max(int(cx-rad), 0); x < min(int(cx+rad), f.w); x++ {
					dx, dy := float64(x)-cx, float64(y)-cy
					if dx*dx+dy*dy < rad*rad {
						p[y*f.w+x] = soft[y*f.w+x]
					}
				}
			}
		}
	}
}
