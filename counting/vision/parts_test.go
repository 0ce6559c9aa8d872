package vision

import (
	"math"
	"math/rand/v2"
	"testing"

	"kerb/counting"
)

// drawMask makes an arena whose mask is a drawing: every character but a blank is set.
func drawMask(rows ...string) (*arena, int, int) {
	w, h := len(rows[0]), len(rows)
	a := newArena(1, w*h)
	for y, r := range rows {
		for x, c := range r {
			if c != ' ' {
				p := y*w + x
				a.mask[p], a.evidence[p], a.activity[p] = 1, different, 1
			}
		}
	}
	return a, w, h
}

func TestBlobsAreEightConnected(t *testing.T) {
	a, w, h := drawMask(
		"            ",
		" ##   ##    ",
		" ##    ##   ",
		"        ##  ",
		" #       ## ",
		" #          ",
		"            ")
	l := newLabeller()
	l.labelMask(a, w, h)
	if len(l.blobs) != 3 {
		t.Fatalf("%d blobs; want 3, a diagonal is one", len(l.blobs))
	}
	if b := l.blobs[1]; b.x0 != 6 || b.y0 != 1 || b.x1 != 11 || b.y1 != 5 || b.area != 8 {
		t.Errorf("diagonal = %+v", b)
	}
}

func TestTheBoxExcludesShadowUnlessItDominates(t *testing.T) {
	a, w, h := drawMask(
		"          ",
		" ####     ",
		" #### ss  ",
		" ######s  ",
		"          ")
	for p := range a.evidence {
		if x := p % w; x > 4 && a.evidence[p] != 0 {
			a.evidence[p] |= shaded
		}
	}
	l := newLabeller()
	l.labelMask(a, w, h)
	if b := l.blobs[0]; b.x1 != 5 {
		t.Errorf("box ends at %d; want 5, before the shadow", b.x1)
	}
	for p := range a.evidence {
		if a.evidence[p] != 0 {
			a.evidence[p] |= shaded
		}
	}
	l.labelMask(a, w, h)
	if b := l.blobs[0]; b.x0 != 1 || b.x1 != 8 {
		t.Errorf("box of nothing but shadow = %+v; want all of it", b)
	}
}

func TestSplitter(t *testing.T) {
	// Four grid pixels make a metre.
	sc := &scale{cameraHeight: 1, horizon: 0, fixed: true}
	for _, c := range []struct {
		name string
		rows []string
		want int
	}{
		{"two who touch shoulders are two", []string{
			"              ",
			"  ##     ##   ",
			"  ##     ##   ",
			" ####   ####  ",
			" ###########  ",
			"  ##     ##   ",
			"  ##     ##   ",
			"  ##     ##   ",
		}, 2},
		{"one who strides is one", []string{
			"        ",
			"   ##   ",
			"   ##   ",
			"  ####  ",
			"  ####  ",
			"  ####  ",
			"  #  #  ",
			" #    # ",
		}, 1},
		{"a car is one", []string{
			"                ",
			"    ######      ",
			"   ########     ",
			" ############## ",
			" ############## ",
			"  ##       ##   ",
		}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, w, h := drawMask(c.rows...)
			sc.cameraHeight = float64(h-1) / 4
			l := newLabeller()
			l.labelMask(a, w, h)
			new(splitter).splitBlobs(l, a, w, sc)
			if len(l.blobs) != c.want {
				t.Errorf("%d parts %+v; want %d", len(l.blobs), l.blobs, c.want)
			}
			area := 0
			for _, b := range l.blobs {
				area += b.area
			}
			for _, m := range a.mask {
				area -= int(m)
			}
			if area != 0 {
				t.Errorf("cutting changed the area by %d", area)
			}
		})
	}
}

func TestScaleOfTwoKnownHeights(t *testing.T) {
	s := newScale(200, 150, []counting.Height{
		{Foot: counting.Point{X: 0.2, Y: 0.4}, Top: counting.Point{X: 0.2, Y: 0.3}, Metres: 1.5}, // 10 px/m at row 60
		{Foot: counting.Point{X: 0.8, Y: 0.8}, Top: counting.Point{X: 0.8, Y: 0.6}, Metres: 1.5}, // 20 px/m at row 120
	})
	for y, want := range map[float64]float64{60: 10, 90: 15, 120: 20} {
		if got := s.pixelsPerMetre(y); math.Abs(got-want) > 1e-9 {
			t.Errorf("at(%v) = %v px/m; want %v", y, got, want)
		}
	}
	before := *s
	s.addVote(box{10, 10, 12, 60}, 1, 1, 1)
	if *s != before {
		t.Error("a vote changed a known scale")
	}
}

func TestScaleIsLearntFromPeople(t *testing.T) {
	for _, mount := range []float64{3.5, 6, 10} {
		const horizon = -10.0
		s := newScale(240, 180, nil)
		r := rand.New(rand.NewPCG(1, 1))
		for range 60 {
			y := 60 + 110*r.Float64()
			ppm := (y - horizon) / mount
			hgt, wid := ppm*(1.7+0.1*r.NormFloat64()), ppm*(0.62+0.08*r.NormFloat64())
			s.addVote(box{50, y - hgt, 50 + wid, y}, 1.3*ppm, 0, 0.3)
		}
		for _, y := range []float64{80, 120, 160} {
			if got, want := s.pixelsPerMetre(y), (y-horizon)/mount; math.Abs(math.Log(got/want)) > 0.2 {
				t.Errorf("camera %v m up: at(%v) = %.1f px/m; want %.1f", mount, y, got, want)
			}
		}
		if s.unsure > 0.2 {
			t.Errorf("camera %v m up: still unsure by %.2f", mount, s.unsure)
		}
	}
}

// texture makes a picture with edges everywhere.
func texture(w, h, dx, dy int) []byte {
	p := make([]byte, w*h)
	for i := range p {
		x, y := i%w+dx, i/w+dy
		p[i] = uint8(100 + 50*math.Sin(float64(x)/2.1)*math.Cos(float64(y)/1.7) + 30*math.Sin(float64(x*y)/37))
	}
	return p
}

func TestStabilizeUndoesAShift(t *testing.T) {
	const w, h = 96, 64
	for dy := -maxShake; dy <= maxShake; dy++ {
		for dx := -maxShake; dx <= maxShake; dx++ {
			a := newArena(1, w*h)
			copy(a.bgHi, texture(w, h, 0, 0))
			for i := range a.age {
				a.age[i] = 50
			}
			copy(a.now, texture(w, h, dx, dy))
			a.stabilize(w, h)
			for y := 4; y < h-4; y++ {
				for x := 4; x < w-4; x++ {
					if d := absDiff(a.now[y*w+x], a.bgHi[y*w+x]); d > 1 {
						t.Fatalf("shift %d,%d: off by %d levels at %d,%d", dx, dy, d, x, y)
					}
				}
			}
		}
	}
}

func TestExposureStepMovesTheBackground(t *testing.T) {
	const w, h = 96, 64
	for _, factor := range []float64{0.7, 1.3} {
		a := newArena(1, w*h)
		copy(a.bgHi, texture(w, h, 0, 0))
		for i, v := range a.bgHi {
			a.now[i] = uint8(float64(v) * factor)
		}
		a.followExposure()
		for i := range a.now {
			if d := absDiff(a.now[i], a.bgHi[i]); d > 4 {
				t.Fatalf("× %v: still %d levels off", factor, d)
			}
		}
	}
}

func TestEstimateShiftFindsTheShiftOfMaskedPixels(t *testing.T) {
	const w, h = 96, 64
	a := newArena(1, w*h)
	copy(a.before, texture(w, h, 0, 0))
	copy(a.now, texture(w, h, -3, 1))
	for i := range a.mask {
		a.mask[i] = 1
	}
	x, y, sure := a.estimateShift(w, h, box{30, 20, 50, 45}, 2, 0)
	if math.Abs(x-3) > 0.3 || math.Abs(y+1) > 0.3 || sure < 0.5 {
		t.Errorf("shifted = %.2f, %.2f (sure %.2f); want 3, -1", x, y, sure)
	}
	if _, _, sure := newArena(1, w*h).estimateShift(w, h, box{30, 20, 50, 45}, 2, 0); sure != 0 {
		t.Errorf("an empty mask is sure by %v", sure)
	}
}
