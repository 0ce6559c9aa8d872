package aim

import (
	"bytes"
	"encoding/json"
	"testing"

	"kerb/counting"
)

func written(t testing.TB, record any) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := NewPen(&b).Write(record); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestRecordsComeBackAsTheyWere(t *testing.T) {
	r := report(7)
	r.N, r.Passes[0] = 1, Pass{1, 2, 1}
	got, err := ReadReport(bytes.NewReader(written(t, r)))
	if err != nil || *got != *r {
		t.Errorf("%v: %+v", err, got)
	}
	p := Plan{Lines: []Line{{From: Point{0, 0.5}, To: Point{1, 0.5}}}, Zones: []Zone{{Polygon: []Point{{0, 0}, {1, 0}, {1, 1}}}}}
	l := p.layout(3)
	back, err := ReadLayout(bytes.NewReader(written(t, l)))
	if err != nil || *back != *l {
		t.Errorf("%v: %+v", err, back)
	}
}

func TestWhatNoSketchCanBeIsRefused(t *testing.T) {
	for what, spoil := range map[string]func(*Report){
		"finer blocks":         func(r *Report) { r.Sketch.Block = 1 },
		"no block at all":      func(r *Report) { r.Sketch.Block = 0 },
		"more shades":          func(r *Report) { r.Sketch.Blocks[5] = counting.SketchGreys + 1 },
		"something inside":     func(r *Report) { r.Sketch.Cells[5] = counting.CellNothing + 1 },
		"too many objects":     func(r *Report) { r.Sketch.N = counting.SketchObjects + 1 },
		"an object outside":    func(r *Report) { r.Sketch.N = 1; r.Sketch.Objects[0] = counting.Outline{X1: 999, Value: 1} },
		"an unknown fault":     func(r *Report) { r.Fault = uint8(len(Faults())) },
		"a crossing of no one": func(r *Report) { r.N = 1; r.Passes[0].Class = counting.Classes },
	} {
		r := report(1)
		spoil(r)
		if _, err := ReadReport(bytes.NewReader(written(t, r))); err == nil {
			t.Errorf("%s: taken", what)
		}
	}
	b := written(t, report(1))
	b[100] ^= 1
	if _, err := ReadReport(bytes.NewReader(b)); err == nil {
		t.Error("a flipped bit: taken")
	}
}

func FuzzLayout(f *testing.F) {
	f.Add(written(f, Plan{}.layout(1)))
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := ReadLayout(bytes.NewReader(b))
		if err != nil {
			return
		}
		for _, z := range l.Zones[:l.NZones] {
			if len(z.Polygon()) < 3 {
				t.Error("a zone without corners")
			}
		}
	})
}

func FuzzPlan(f *testing.F) {
	f.Add([]byte(`{"lines":[{"id":"a","from":[0,0],"to":[1,1]}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := parsePlan(b)
		if err != nil {
			return
		}
		if _, err := ReadLayout(bytes.NewReader(written(t, p.layout(1)))); err != nil {
			t.Errorf("a plan makes a layout that is refused: %v", err)
		}
	})
}

// A word that one language lacks would show as its key.
func TestBothLanguagesHaveAllWords(t *testing.T) {
	all := words()
	for key := range all["en"] {
		if all["fi"][key] == "" {
			t.Errorf("Finnish lacks %s", key)
		}
	}
	if len(all["en"]) < 100 || len(all["en"]) != len(all["fi"]) {
		t.Errorf("%d and %d words", len(all["en"]), len(all["fi"]))
	}
	for _, name := range Faults()[1:] {
		if all["en"]["fault_"+name] == "" {
			t.Errorf("no words for a view that is %s", name)
		}
	}
	b, err := pages.ReadFile("page/words.json")
	if err != nil || !json.Valid(b) {
		t.Error(err)
	}
}

func TestAdvice(t *testing.T) {
	line := func(y float64, classes ...string) Line {
		return Line{ID: "l", From: Point{0.2, y}, To: Point{0.8, y}, Classes: classes}
	}
	good := counting.View{Horizon: -0.3, ScaleSlope: 80, ScaleMeasured: true, LooksPerSecond: 10, Mean: 120, Noise: 1}
	for what, c := range map[string]struct {
		view counting.View
		line Line
		want string
	}{
		"all well":        {good, line(0.6, "person"), "enough"},
		"people too far":  {good, line(0.3, "person"), "people"},
		"cars are larger": {good, line(0.3, "vehicle"), "enough"},
		"cars too far":    {good, line(0.07, "vehicle"), "cars"},
		"at the edge":     {good, line(0.97, "vehicle"), "edge"},
		"slow":            {with(good, func(v *counting.View) { v.LooksPerSecond = 5 }), line(0.6, "person"), "looks"},
		"backlight":       {with(good, func(v *counting.View) { v.Bright, v.Dark = 20, 40 }), line(0.6, "person"), "backlight"},
		"night":           {with(good, func(v *counting.View) { v.Mean = 30 }), line(0.6, "person"), "dark"},
		"flat":            {with(good, func(v *counting.View) { v.Horizon = 0.3 }), line(0.9, "vehicle"), "flat"},
		"no scale":        {with(good, func(v *counting.View) { v.ScaleMeasured = false }), line(0.6, "person"), "scale"},
	} {
		s := &counting.Sketch{Width: 240, Height: 135, View: c.view}
		found := false
		for _, a := range advise(Plan{Lines: []Line{c.line}}, s) {
			found = found || a.Key == c.want
		}
		if !found {
			t.Errorf("%s: %v", what, advise(Plan{Lines: []Line{c.line}}, s))
		}
	}
}

func with(v counting.View, change func(*counting.View)) counting.View {
	change(&v)
	return v
}
