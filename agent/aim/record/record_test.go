package record

import (
	"bytes"
	"testing"

	"kerb/counting"
)

func encoded(t testing.TB, record any) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := NewWriter(&b).WriteRecord(record); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// report returns a valid report whose grey levels depend on n.
func report(n int) *Report {
	r := &Report{Watching: true, Pictures: uint64(n)}
	s := &r.Sketch
	s.Width, s.Height, s.Block, s.Cell = 128, 72, 2, 1
	for i := range s.BlockColumns() * s.BlockRows() {
		s.Blocks[i] = 1 + uint8((i+n)%counting.SketchGreys)
	}
	return r
}

func TestRecordsComeBackAsTheyWere(t *testing.T) {
	r := report(7)
	r.NCrossings, r.Crossings[0] = 1, Crossing{1, 2, 1}
	got, err := ReadReport(bytes.NewReader(encoded(t, r)))
	if err != nil || *got != *r {
		t.Errorf("%v: %+v", err, got)
	}
	l := &Layout{Number: 3, NLines: 1, NZones: 1}
	l.Lines[0] = [4]float32{0, 0.5, 1, 0.5}
	l.Zones[0] = Area{N: 3, At: [MaxCorners][2]float32{{0, 0}, {1, 0}, {1, 1}}}
	back, err := ReadLayout(bytes.NewReader(encoded(t, l)))
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
		"an unknown fault":     func(r *Report) { r.Fault = counting.ViewFaults },
		"a crossing of no one": func(r *Report) { r.NCrossings = 1; r.Crossings[0].Class = counting.Classes },
	} {
		r := report(1)
		spoil(r)
		if _, err := ReadReport(bytes.NewReader(encoded(t, r))); err == nil {
			t.Errorf("%s: taken", what)
		}
	}
	b := encoded(t, report(1))
	b[100] ^= 1
	if _, err := ReadReport(bytes.NewReader(b)); err == nil {
		t.Error("a flipped bit: taken")
	}
}

func FuzzLayout(f *testing.F) {
	f.Add(encoded(f, &Layout{Number: 1}))
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
