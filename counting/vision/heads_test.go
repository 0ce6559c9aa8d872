package vision

import (
	"math"
	"strings"
	"testing"

	"kerb/counting"
)

// yoloxOutput is the output of a YOLOX network for a 64×64 picture without objects.
// setRow sets one of its rows.
func yoloxOutput() []float32 { return make([]float32, yoloxRows(64, 64)*cocoRow) }

func setRow(out []float32, row int, values map[int]float32) {
	for k, v := range values {
		out[row*cocoRow+k] = v
	}
}

func boxesEqual(a, b box) bool {
	return math.Abs(a.x0-b.x0)+math.Abs(a.y0-b.y0)+math.Abs(a.x1-b.x1)+math.Abs(a.y1-b.y1) < 0.01
}

func TestYOLOXRowsAreDecoded(t *testing.T) {
	ln2 := float32(math.Ln2)
	for _, c := range []struct {
		name   string
		row    int
		values map[int]float32
		want   detection
	}{
		{
			"the fine grid, third row, second column", 2*8 + 1,
			map[int]float32{0: 0.5, 1: 0.25, 2: ln2, 3: 2 * ln2, 4: 0.9, 5: 0.8},
			detection{box: box{12 - 8, 18 - 16, 12 + 8, 18 + 16}, class: counting.Person, score: 0.72},
		},
		{
			"the middle grid", 64 + 5,
			map[int]float32{0: 0, 1: 0, 2: 0, 3: 0, 4: 1, 5 + 7: 0.5},
			detection{box: box{16 - 8, 16 - 8, 16 + 8, 16 + 8}, class: counting.Heavy, score: 0.5},
		},
		{
			"the coarse grid, and furniture is no match", 64 + 16 + 3,
			map[int]float32{0: 0, 1: 0, 2: 0, 3: 0, 4: 1, 5 + 56: 0.99, 5 + 2: 0.4},
			detection{box: box{32 - 16, 32 - 16, 32 + 16, 32 + 16}, class: counting.Car, score: 0.4},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			out := yoloxOutput()
			setRow(out, c.row, c.values)
			got := yoloxHead{64, 64}.decode(nil, [][]float32{out}, 0.1)
			if len(got) != 1 || !boxesEqual(got[0].box, c.want.box) || got[0].class != c.want.class || math.Abs(got[0].score-c.want.score) > 1e-6 {
				t.Errorf("got %+v; want %+v", got, c.want)
			}
		})
	}
}

func TestYOLOXDropsLowScoresAndSurvivesNonsense(t *testing.T) {
	out := yoloxOutput()
	setRow(out, 0, map[int]float32{4: 0.3, 5: 0.3})
	if got := (yoloxHead{64, 64}).decode(nil, [][]float32{out}, 0.1); len(got) != 0 {
		t.Errorf("0.09 is below 0.1: %+v", got)
	}
	setRow(out, 0, map[int]float32{2: 1e9, 3: float32(math.Inf(1)), 4: 1, 5: 1})
	for _, d := range (yoloxHead{64, 64}).decode(nil, [][]float32{out}, 0.1) {
		if math.IsInf(d.box.h(), 0) || math.IsInf(d.box.w(), 0) {
			t.Errorf("an infinite box: %+v", d)
		}
	}
}

func TestFastestDetPlanesAreDecoded(t *testing.T) {
	f := fastestHead{gw: 4, gh: 3, w: 64, h: 48}
	n := 12
	out := make([]float32, cocoRow*n)
	at := 1*4 + 2 // second row, third column
	out[at] = 1
	out[3*n+at], out[4*n+at] = 0, float32(math.Log(3)) // half the width, three quarters of the height
	out[(5+1)*n+at] = 0.8
	got := f.decode(nil, [][]float32{out}, 0.1)
	want := box{32 - 16, 16 - 18, 32 + 16, 16 + 18}
	if len(got) != 1 || !boxesEqual(got[0].box, want) || got[0].class != counting.Bicycle {
		t.Fatalf("got %+v; want %+v", got, want)
	}
	if s := math.Pow(0.8, 0.4*fastestExponent); math.Abs(got[0].score-s) > 1e-6 {
		t.Errorf("score %v; want %v", got[0].score, s)
	}
}

func TestAHeadIsRecognisedByItsShape(t *testing.T) {
	for _, c := range []struct {
		shape []int
		w, h  int
		want  string
	}{
		{[]int{1, 3549, 85}, 416, 416, "YOLOX"},
		{[]int{1, 85, 22, 22}, 352, 352, "FastestDet"},
		{[]int{1, 3549, 85}, 416, 320, ""},
		{[]int{1, 3549, 25}, 416, 416, ""},
		{[]int{1, 85, 0, 0}, 352, 352, ""},
		{[]int{1, 1000}, 224, 224, ""},
	} {
		h, err := chooseHead([][]int{c.shape}, c.w, c.h)
		switch {
		case c.want == "" && (err == nil || !strings.Contains(err.Error(), "neither kerb's own head")):
			t.Errorf("%v: %v, %v", c.shape, h, err)
		case c.want != "" && (err != nil || h.name() != c.want):
			t.Errorf("%v: %v, %v; want %s", c.shape, h, err, c.want)
		}
	}
}

func TestSuppressKeepsTheHighestScoreOfAnObject(t *testing.T) {
	at := func(x, y, w, h float64) box { return box{x, y, x + w, y + h} }
	for _, c := range []struct {
		name string
		in   []detection
		want []float64
	}{
		{"two opinions of a car", []detection{{box: at(0, 0, 10, 10), class: counting.Car, score: 0.5}, {box: at(1, 0, 10, 10), class: counting.Car, score: 0.6}}, []float64{0.6}},
		{"a car or a lorry", []detection{{box: at(0, 0, 10, 10), class: counting.Heavy, score: 0.5}, {box: at(1, 0, 10, 10), class: counting.Car, score: 0.6}}, []float64{0.6}},
		{"a person before a car", []detection{{box: at(0, 0, 10, 10), class: counting.Person, score: 0.5}, {box: at(1, 0, 10, 10), class: counting.Car, score: 0.6}}, []float64{0.6, 0.5}},
		{"two side by side", []detection{{box: at(0, 0, 10, 10), class: counting.Person, score: 0.5}, {box: at(6, 0, 10, 10), class: counting.Person, score: 0.6}}, []float64{0.6, 0.5}},
		{"nothing", nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := suppress(c.in)
			if len(got) != len(c.want) {
				t.Fatalf("%+v", got)
			}
			for i := range got {
				if got[i].score != c.want[i] {
					t.Errorf("%+v; want scores %v", got, c.want)
				}
			}
		})
	}
}

func TestARiderIsNoPerson(t *testing.T) {
	bike := detection{box: box{10, 40, 50, 80}, class: counting.Bicycle, score: 0.6}
	rider := detection{box: box{18, 10, 42, 66}, class: counting.Person, score: 0.8}
	walker := detection{box: box{60, 10, 80, 80}, class: counting.Person, score: 0.7}
	got := mergeRiders([]detection{rider, walker, bike})
	if len(got) != 2 || got[0].class != counting.Person || got[1].class != counting.Bicycle {
		t.Fatalf("%+v", got)
	}
	if want := (box{10, 10, 50, 80}); got[1].box != want {
		t.Errorf("a bicycle with its rider is %v; want %v", got[1].box, want)
	}
	behind := walker
	behind.box = box{20, 5, 40, 50}
	behind.box.y1 = 30 // ends above the bicycle
	if got := mergeRiders([]detection{behind, bike}); len(got) != 2 {
		t.Errorf("who ends above a bicycle does not sit on it: %+v", got)
	}
}

func TestFitKeepsTheLongSideAndTheShape(t *testing.T) {
	for _, c := range [][5]int{
		{352, 288, 416, 416, 352},
		{480, 270, 416, 416, 256},
		{640, 480, 416, 416, 320},
		{270, 480, 416, 256, 416},
		{300, 300, 416, 416, 416},
		{4000, 16, 416, 416, 32},
	} {
		if w, h := FitInput(c[0], c[1], c[2]); w != c[3] || h != c[4] {
			t.Errorf("Fit(%d, %d, %d) = %d, %d; want %d, %d", c[0], c[1], c[2], w, h, c[3], c[4])
		}
	}
}

func TestKerbsOwnMapsAreDecoded(t *testing.T) {
	ln2 := float32(math.Ln2)
	k := kerbHead{64, 48}
	outs := func() [][]float32 { return [][]float32{make([]float32, 9*8*6), make([]float32, 9*4*3)} }
	say := func(out []float32, n, place int, values [9]float32) {
		for p, v := range values {
			out[p*n+place] = v
		}
	}
	t.Run("the fine map", func(t *testing.T) {
		o := outs()
		say(o[0], 48, 2*8+3, [9]float32{0.1, 0.7, 0.2, 0, 0, 0.25, -0.5, ln2, 2 * ln2})
		got := k.decode(nil, o, 0.05)
		want := box{30 - 8, 0, 30 + 8, 16 + 16}
		if len(got) != 1 || !boxesEqual(got[0].box, want) || got[0].class != counting.Bicycle || math.Abs(got[0].score-0.7) > 1e-6 {
			t.Errorf("got %+v; want a bicycle of 0.7 in %v", got, want)
		}
	})
	t.Run("the coarse map", func(t *testing.T) {
		o := outs()
		say(o[1], 12, 1*4+2, [9]float32{4: 0.5})
		got := k.decode(nil, o, 0.05)
		if want := (box{40 - 8, 24 - 8, 40 + 8, 24 + 8}); len(got) != 1 || !boxesEqual(got[0].box, want) || got[0].class != counting.Heavy {
			t.Errorf("got %+v; want something heavy in %v", got, want)
		}
	})
	t.Run("what is unsure or nonsense", func(t *testing.T) {
		o := outs()
		say(o[0], 48, 0, [9]float32{0: 0.04})
		say(o[0], 48, 1, [9]float32{0: 0.9, 5: float32(math.NaN())})
		say(o[0], 48, 2, [9]float32{0: 0.9, 7: float32(math.Inf(1))})
		got := k.decode(nil, o, 0.05)
		if len(got) != 1 || math.IsInf(got[0].box.w(), 0) {
			t.Errorf("got %+v; want one box, of a size", got)
		}
	})
	t.Run("is recognised by both shapes", func(t *testing.T) {
		if h, err := chooseHead([][]int{{1, 9, 6, 8}, {1, 9, 3, 4}}, 64, 48); err != nil || h.name() != "kerb" || h.cellCount() != 60 {
			t.Errorf("%v, %v", h, err)
		}
		for _, shapes := range [][][]int{{{1, 9, 6, 8}}, {{1, 9, 6, 8}, {1, 9, 3, 3}}, {{1, 8, 6, 8}, {1, 8, 3, 4}}} {
			if h, err := chooseHead(shapes, 64, 48); err == nil {
				t.Errorf("%v passes for %s", shapes, h.name())
			}
		}
	})
}
