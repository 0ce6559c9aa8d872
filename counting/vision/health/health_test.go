package health

import (
	"math/rand/v2"
	"testing"
	"time"

	"kerb/counting"
)

// street is a view of walls, kerbs and marks that stay where they are, with
// a sensor's noise.
type street struct {
	w, h    int
	still   []byte
	rand    *rand.Rand
	now     []byte
	before  []byte
	n       int
	blind   []bool
	quality float64 // deviation of the noise
	grain   []float32
}

func newStreet(seed uint64) *street {
	s := &street{w: 200, h: 150, rand: rand.New(rand.NewPCG(seed, 1)), quality: 1.2}
	// Larger than the shown part, so that the camera can be turned.
	s.still = make([]byte, 2*s.w*2*s.h)
	for i := range s.still {
		s.still[i] = 110
	}
	for range 220 {
		x0, y0 := s.rand.IntN(2*s.w), s.rand.IntN(2*s.h)
		w, h := 4+s.rand.IntN(60), 3+s.rand.IntN(25)
		level, slope := 50+s.rand.IntN(150), s.rand.IntN(3)-1
		for y := y0; y < min(y0+h, 2*s.h); y++ {
			for x := x0; x < x0+w; x++ {
				if xx := x + slope*(y-y0); xx >= 0 && xx < 2*s.w {
					s.still[y*2*s.w+xx] = byte(level)
				}
			}
		}
	}
	s.now, s.before = make([]byte, s.w*s.h), make([]byte, s.w*s.h)
	s.grain = make([]float32, 2*s.w*s.h)
	for i := range s.grain {
		s.grain[i] = float32(s.rand.NormFloat64())
	}
	return s
}

const perSecond = 4

// long skips tests that need hours of pictures.
func long(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("short: hours of pictures")
	}
}

// play shows the street for some seconds, changed by do, and returns the fault at the end
// and the seconds after which the fault first changed.
func (s *street) play(w *Monitor, seconds float64, dx, dy int, do func(p []byte, sec float64)) (is counting.ViewFault, after float64) {
	first := w.CurrentFault()
	for i := range int(seconds * perSecond) {
		s.now, s.before = s.before, s.now
		for y := range s.h {
			copy(s.now[y*s.w:(y+1)*s.w], s.still[(y+s.h/2+dy)*2*s.w+s.w/2+dx:])
		}
		if do != nil {
			do(s.now, float64(i)/perSecond)
		}
		if s.quality > 0 {
			grain := s.grain[s.rand.IntN(s.w*s.h):]
			for i, v := range s.now {
				s.now[i] = byte(max(min(float32(v)+float32(s.quality)*grain[i]+0.5, 255), 0))
			}
		}
		p := Picture{Width: s.w, Height: s.h, Now: s.now, Blind: s.blind}
		if s.n++; s.n > 1 {
			p.Before = s.before
		}
		is = w.JudgePicture(p, time.Second/perSecond)
		if after == 0 && is != first {
			after = float64(i+1) / perSecond
		}
	}
	return is, after
}

func gain(g, offset float64) func([]byte, float64) {
	return func(p []byte, _ float64) {
		for i, v := range p {
			p[i] = byte(max(min(float64(v)*g+offset, 255), 0))
		}
	}
}

// sky has no structure and fills the upper half.
func sky(bright byte) func([]byte, float64) {
	return func(p []byte, _ float64) {
		for i := range 75 * 200 {
			p[i] = bright
		}
	}
}

func grey(share float64) func([]byte, float64) {
	return func(p []byte, _ float64) {
		for i := range p {
			if float64(i%200) < share*200 {
				p[i] = 95
			}
		}
	}
}

func soft(r int) func([]byte, float64) {
	return func(p []byte, _ float64) {
		line := make([]byte, 200)
		for range 2 {
			for y := range 150 {
				copy(line, p[y*200:])
				for x := range 200 {
					sum, n := 0, 0
					for _, v := range line[max(x-r, 0):min(x+r+1, 200)] {
						sum, n = sum+int(v), n+1
					}
					p[y*200+x] = byte(sum / n)
				}
			}
			for x := range 200 {
				for y := range 150 {
					line[y] = p[y*200+x]
				}
				for y := range 150 {
					sum, n := 0, 0
					for _, v := range line[max(y-r, 0):min(y+r+1, 150)] {
						sum, n = sum+int(v), n+1
					}
					p[y*200+x] = byte(sum / n)
				}
			}
		}
	}
}

// Each fault is found within a minute, counting resumes when it is over, and
// without the fault the same street is well.
func TestFaultsAreFoundAndEnd(t *testing.T) {
	long(t)
	for _, c := range []struct {
		name   string
		want   counting.ViewFault
		dx, dy int
		still  bool
		do     func([]byte, float64)
	}{
		{name: "the same picture again", want: counting.ViewFrozen, still: true},
		{name: "no light", want: counting.ViewDark, do: gain(0.04, 0)},
		{name: "a veil of light", want: counting.ViewBlinded, do: gain(0.1, 220)},
		{name: "burnt out", want: counting.ViewBlinded, do: gain(1, 150)},
		{name: "a hand", want: counting.ViewCovered, do: grey(1)},
		{name: "paint over two thirds", want: counting.ViewCovered, do: grey(0.66)},
		{name: "out of focus", want: counting.ViewBlurred, do: soft(7)},
		{name: "turned by a tenth", want: counting.ViewMoved, dx: 20},
		{name: "turned by a fifth", want: counting.ViewMoved, dx: -30, dy: 30},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, w := newStreet(1), new(Monitor)
			if is, after := s.play(w, 150, 0, 0, nil); is != counting.ViewGood || after != 0 {
				t.Fatalf("well, it is %v after %v s", is, after)
			}
			if c.still {
				s.quality = 0
			}
			is, after := s.play(w, 90, c.dx, c.dy, c.do)
			if is != c.want || after <= 0 || after > 60 {
				t.Errorf("%v after %v s; want %v within a minute", is, after, c.want)
			}
			s.quality = 1.2
			if is, after := s.play(w, 90, 0, 0, nil); is != counting.ViewGood || after < 60 || after > 75 {
				t.Errorf("over, it is %v after %v s", is, after)
			}
			if is, after := s.play(w, 90, 0, 0, nil); is != counting.ViewGood || after != 0 {
				t.Errorf("well again, it is %v after %v s", is, after)
			}
		})
	}
}

// Events of every street are no fault.
func TestOrdinaryStreetsHaveNoFault(t *testing.T) {
	long(t)
	box := func(p []byte, x0, y0, x1, y1 int, level byte) {
		for y := max(y0, 0); y < min(y1, 150); y++ {
			for x := max(x0, 0); x < min(x1, 200); x++ {
				p[y*200+x] = level + byte(20*(x/9&1)) + byte(12*(y/7&1))
			}
		}
	}
	for _, c := range []struct {
		name    string
		minutes float64
		before  func([]byte, float64) // while the view is learnt
		do      func([]byte, float64)
	}{
		{name: "nothing", minutes: 5},
		{name: "half the light at once", minutes: 3, do: gain(0.5, 0)},
		{name: "twice the contrast", minutes: 3, do: gain(1.4, -30)},
		{name: "a lorry parks", minutes: 3, do: func(p []byte, _ float64) { box(p, 40, 40, 110, 120, 150) }},
		{name: "traffic all the time", minutes: 3, do: func(p []byte, sec float64) {
			for i := range 6 {
				x := int(sec*40+float64(i)*70)%400 - 100
				box(p, x, 60+10*i, x+60, 85+10*i, byte(60+20*i))
			}
		}},
		{name: "a sky that turns white at once", minutes: 3, before: sky(240), do: sky(255)},
		{name: "dusk", minutes: 30, do: func(p []byte, sec float64) { gain(1-0.85*sec/1800, 0)(p, 0) }},
		{name: "a shadow sweeps over", minutes: 20, do: func(p []byte, sec float64) {
			edge := int(sec / 1200 * 260)
			for i, v := range p {
				if i%200+i/200/3 < edge {
					p[i] = byte(float64(v) * 0.55)
				}
			}
		}},
		{name: "the mount sways by a pixel", minutes: 3, do: func(p []byte, sec float64) {
			if int(sec*3)%2 == 1 {
				copy(p, p[1:])
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, w := newStreet(2), new(Monitor)
			s.play(w, 150, 0, 0, c.before)
			if is, after := s.play(w, 60*c.minutes, 0, 0, c.do); is != counting.ViewGood || after != 0 {
				t.Errorf("%v, and told something after %v s", is, after)
			}
		})
	}
}

// A street with two lamps and no other light is night, not dark; where the
// lamps fail it is.
func TestNightIsNotDark(t *testing.T) {
	long(t)
	lamps := func(bright float64) func([]byte, float64) {
		return func(p []byte, _ float64) {
			for i, v := range p {
				x, y := float64(i%200), float64(i/200)
				light := 0.06
				for _, at := range [2][2]float64{{50, 60}, {150, 80}} {
					d := (x-at[0])*(x-at[0]) + (y-at[1])*(y-at[1])
					light += bright / (1 + d/500)
				}
				p[i] = byte(min(float64(v)*light, 255))
			}
		}
	}
	s, w := newStreet(3), new(Monitor)
	s.quality = 2.5
	if is, after := s.play(w, 300, 0, 0, lamps(0.9)); is != counting.ViewGood || after != 0 {
		t.Errorf("a lit night: %v after %v s", is, after)
	}
	if is, after := s.play(w, 60, 0, 0, lamps(0)); is != counting.ViewDark || after > 60 {
		t.Errorf("the lamps failed: %v after %v s", is, after)
	}
}

// A camera of which only one corner moves is frozen with a clock in it; one
// that is still because its codec repeats itself for ten seconds is not.
func TestFrozenIgnoresClocksAndCodecs(t *testing.T) {
	long(t)
	s, w := newStreet(4), new(Monitor)
	s.play(w, 120, 0, 0, nil)
	s.quality = 0
	n := byte(0)
	is, _ := s.play(w, 60, 0, 0, func(p []byte, _ float64) {
		n++
		for i := range 30 {
			p[3*200+5+i] = n + byte(i)
		}
	})
	if is != counting.ViewFrozen {
		t.Errorf("with a clock: %v", is)
	}
	s, w = newStreet(4), new(Monitor)
	s.quality = 0
	is, after := s.play(w, 300, 0, 0, func(p []byte, sec float64) {
		for i := range p {
			p[i] += byte(int(sec) / 10 * i % 3) // every tenth second a whole picture
		}
	})
	if is != counting.ViewGood || after != 0 {
		t.Errorf("a codec's still street: %v after %v s", is, after)
	}
}

// The light of a street without noise fades, and all of its cells change for minutes. When
// it stays as it is, the camera is not frozen: it never stirred by itself.
func TestAFadingLightIsNoStir(t *testing.T) {
	s, w := newStreet(12), new(Monitor)
	s.quality = 0
	s.play(w, 70, 0, 0, nil)
	for _, do := range []func([]byte, float64){func(p []byte, sec float64) { gain(1-0.4*sec/180, 0)(p, 0) }, gain(0.6, 0)} {
		if is, after := s.play(w, 180, 0, 0, do); is == counting.ViewFrozen {
			t.Errorf("frozen after %v s", after)
		}
	}
}

// A sky that is burnt out from the start, over half of the picture, is a sky.
func TestAWhiteSkyIsNoGlare(t *testing.T) {
	s, w := newStreet(12), new(Monitor)
	if is, after := s.play(w, 150, 0, 0, sky(255)); is != counting.ViewGood || after != 0 {
		t.Errorf("%v after %v s", is, after)
	}
}

// Pixels under masks are not judged, and a mask's rim is no structure.
func TestMasksAreNotJudged(t *testing.T) {
	s, w := newStreet(5), new(Monitor)
	s.blind = make([]bool, s.w*s.h)
	for i := range s.blind {
		s.blind[i] = i%s.w >= 100
	}
	hide := func(p []byte, _ float64) {
		for i, b := range s.blind {
			if b {
				p[i] = 0
			}
		}
	}
	s.play(w, 150, 0, 0, hide)
	for i := range cells {
		if i%Columns >= Columns/2 && (w.short[i].sighted || w.reference.level[i] != [3]int8{}) {
			t.Fatalf("cell %d is behind the mask and has %+v", i, w.short[i])
		}
	}
	if is, _ := s.play(w, 60, 0, 0, func(p []byte, sec float64) { grey(1)(p, sec); hide(p, sec) }); is != counting.ViewCovered {
		t.Errorf("the rest is covered: %v", is)
	}
	for i := range s.blind {
		s.blind[i] = true
	}
	w = new(Monitor)
	if is, after := s.play(w, 90, 0, 0, nil); is != counting.ViewGood || after != 0 {
		t.Errorf("all is masked: %v", is)
	}
}

// A camera that starts covered has no reference, and is found all the same.
func TestACameraCoveredFromTheStartIsFound(t *testing.T) {
	s, w := newStreet(6), new(Monitor)
	if is, after := s.play(w, 60, 0, 0, grey(1)); is != counting.ViewCovered {
		t.Errorf("%v after %v s", is, after)
	}
}

// A picture, its negative and a brighter picture have the same reference: it does not
// hold which side of an edge is the brighter one.
func TestReferenceIsTheSameForANegative(t *testing.T) {
	learn := func(do func([]byte, float64)) [cells][3]int8 {
		s, w := newStreet(7), new(Monitor)
		s.quality = 0
		// The mean sets what an edge is; here it is the same for both.
		s.play(w, 100, 0, 0, func(p []byte, sec float64) {
			if do != nil {
				do(p, sec)
			}
			p[s.rand.IntN(len(p))]++
			w.light = 127
		})
		return w.reference.level
	}
	plain := learn(nil)
	if plain == ([cells][3]int8{}) {
		t.Fatal("nothing was learnt")
	}
	if learn(func(p []byte, _ float64) {
		for i, v := range p {
			p[i] = 255 - v
		}
	}) != plain {
		t.Error("the negative has another reference")
	}
	if learn(gain(1, 17)) != plain {
		t.Error("a brighter picture has another reference")
	}
	if learn(func(p []byte, _ float64) { copy(p, p[25:]) }) == plain {
		t.Error("control: a shifted street has the same reference")
	}
}

// After Forget the view becomes the reference.
func TestForgetMakesTheViewTheReference(t *testing.T) {
	long(t)
	s, w := newStreet(8), new(Monitor)
	s.play(w, 150, 0, 0, nil)
	if is, _ := s.play(w, 60, 40, 0, nil); is != counting.ViewMoved {
		t.Fatalf("moved: %v", is)
	}
	if is, _ := s.play(w, 600, 40, 0, nil); is != counting.ViewMoved {
		t.Errorf("ten minutes later: %v", is)
	}
	w.ResetReference()
	if is, after := s.play(w, 200, 40, 0, nil); is != counting.ViewGood || after != 0 {
		t.Errorf("forgotten: %v after %v s", is, after)
	}
	if is, _ := s.play(w, 60, 0, 0, nil); is != counting.ViewMoved {
		t.Errorf("moved back: %v", is)
	}
}

// A month of seconds must not stop the timers.
func TestALongLifeChangesNothing(t *testing.T) {
	s, w := newStreet(9), new(Monitor)
	s.play(w, 100, 0, 0, nil)
	w.clock += 1e8
	w.stirred, w.shaken, w.shakenFrom = w.stirred+1e8, w.shaken+1e8, w.shakenFrom+1e8
	if is, after := s.play(w, 60, 0, 0, nil); is != counting.ViewGood || after != 0 {
		t.Errorf("%v after %v s", is, after)
	}
	s.quality = 0
	if is, _ := s.play(w, 60, 0, 0, nil); is != counting.ViewFrozen {
		t.Errorf("frozen: %v", is)
	}
}

func TestLookAllocatesNothing(t *testing.T) {
	s, w := newStreet(10), new(Monitor)
	s.play(w, 100, 0, 0, nil)
	p := Picture{Width: s.w, Height: s.h, Now: s.now, Before: s.before}
	if n := testing.AllocsPerRun(100, func() { w.JudgePicture(p, time.Second) }); n != 0 {
		t.Errorf("%v allocations a picture", n)
	}
}

func BenchmarkLook(b *testing.B) {
	s, w := newStreet(11), new(Monitor)
	s.play(w, 100, 0, 0, nil)
	p := Picture{Width: s.w, Height: s.h, Now: s.now, Before: s.before}
	b.ReportAllocs()
	for b.Loop() {
		w.JudgePicture(p, time.Second/perSecond)
	}
}
