package loop_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"kerb/counting"
	"kerb/counting/loop"
)

// pass is one vehicle as the loops of a street see it: metres and m/s.
type pass struct {
	at, speed, length float64
}

// roads are 60 vehicles each: of one speed and length, and of many.
func roads() map[string][]pass {
	r := rand.New(rand.NewPCG(3, 5))
	alike, mixed := make([]pass, 60), make([]pass, 60)
	for i := range alike {
		alike[i] = pass{5 + 9*float64(i), 12, 4.4}
		mixed[i] = pass{5 + 9*float64(i) + 2*r.Float64(), 9 + 6*r.Float64(), 3.8 + 1.5*r.Float64()}
		if i%6 == 0 {
			mixed[i].length = 12 + 4*r.Float64()
		}
	}
	return map[string][]pass{"alike": alike, "mixed": mixed}
}

// cardOutput gives the times at which the output of a card is on, in seconds after the
// vehicle reached the loop, which it covers for on.
type cardOutput func(i int, on float64) [][2]float64

func follows(_ int, on float64) [][2]float64 { return [][2]float64{{0, on}} }

func pulses(length float64, atExit bool) cardOutput {
	return func(_ int, on float64) [][2]float64 {
		from := 0.0
		if atExit {
			from = on
		}
		return [][2]float64{{from, from + length}}
	}
}

// letsGo is a card that lets go for pause after share of the vehicle.
func letsGo(pause float64, shares ...float64) cardOutput {
	return func(_ int, on float64) (out [][2]float64) {
		from := 0.0
		for _, s := range shares {
			out = append(out, [2]float64{from, on * s})
			from = on*s + pause
		}
		return append(out, [2]float64{from, on})
	}
}

func extends(by float64) cardOutput {
	return func(_ int, on float64) [][2]float64 { return [][2]float64{{0, on + by}} }
}

// fault is something wrong with a card, a wire or site.toml.
type cardFault struct {
	name     string
	a, b     cardOutput // of the first and the second loop; b also of the single loop
	card     loop.Card  // as declared
	late     float64    // of the second loop's edges against the first's, in s; 0: as the vehicle moves
	inverted bool
	backs    int  // every so manieth vehicle leaves a pair backwards; 0: none
	right    bool // it is to be counted right, and not only told
}

func cardFaults() []cardFault {
	twice := func(_ int, on float64) [][2]float64 { return [][2]float64{{0, 0.125}, {on, on + 0.125}} }
	flicker := func(_ int, on float64) (out [][2]float64) {
		for at := 0.0; at+0.02 < on; at += 0.035 {
			out = append(out, [2]float64{at, at + 0.02})
		}
		return out
	}
	return []cardFault{
		{name: "nothing", a: follows, b: follows, right: true},
		{name: "pulse cards as they are declared", a: pulses(0.125, false), b: pulses(0.125, false), card: loop.Pulse, right: true},
		{name: "pulse of 125 ms declared as presence", a: pulses(0.125, false), b: pulses(0.125, false)},
		{name: "pulse of 250 ms at entry", a: pulses(0.25, false), b: pulses(0.25, false)},
		{name: "pulse of 250 ms at exit", a: pulses(0.25, true), b: pulses(0.25, true)},
		{name: "pulse of 100 ms", a: pulses(0.1, false), b: pulses(0.1, false)},
		{name: "one of the cards gives pulses", a: follows, b: pulses(0.125, false)},
		{name: "presence declared as pulse", a: follows, b: follows, card: loop.Pulse},
		{name: "pulses at entry and at exit, declared as presence", a: twice, b: twice},
		{name: "pulses at entry and at exit", a: twice, b: twice, card: loop.Pulse},
		{name: "lets go for 20 ms", a: letsGo(0.02, 0.5), b: letsGo(0.02, 0.5), right: true},
		{name: "lets go for 60 ms", a: letsGo(0.06, 0.4), b: letsGo(0.06, 0.4), right: true},
		{name: "lets go for 120 ms", a: letsGo(0.12, 0.4), b: letsGo(0.12, 0.4), right: true},
		{name: "lets go twice", a: letsGo(0.05, 0.3, 0.6), b: letsGo(0.05, 0.3, 0.6), right: true},
		{name: "only one loop lets go", a: follows, b: letsGo(0.08, 0.5), right: true},
		{name: "both inputs on one contact", a: follows, b: follows, late: 1e-9},
		{name: "the second wire picks up the first", a: follows, b: follows, late: 0.003},
		{name: "extends by 2 s", a: extends(2), b: extends(2)},
		{name: "extends by 5 s", a: extends(5), b: extends(5)},
		{name: "the contact is the wrong way round", a: follows, b: follows, inverted: true},
		{name: "every vehicle backs out", a: follows, b: follows, backs: 1},
		{name: "every fifth vehicle backs out", a: follows, b: follows, backs: 5, right: true},
		{name: "the contact flickers", a: flicker, b: flicker},
	}
}

// cardEdges are the edges of three lines: the loops a and b of a pair, 4 m apart and 2 m long, and
// a single loop.
func cardEdges(f cardFault, road []pass) (edges []loop.Edge, end time.Duration) {
	add := func(line int, s float64, on bool) {
		edges = append(edges, loop.Edge{Line: line, On: on != f.inverted, At: time.Duration((s + 1) * 1e9)})
	}
	for i, v := range road {
		on := (v.length + 2) / v.speed
		late := 4 / v.speed
		if f.late > 0 {
			late = f.late
		}
		for line, out := range []cardOutput{f.a, f.b, f.b} {
			from := v.at
			if line == 1 {
				from += late
			}
			for _, span := range out(i, on) {
				until := from + span[1]
				if f.backs > 0 && i%f.backs == 0 && line < 2 {
					until = v.at + 6 - 3*float64(line) // it goes back over the first loop
				}
				add(line, from+span[0], true)
				add(line, until, false)
			}
		}
	}
	slices.SortStableFunc(edges, func(a, b loop.Edge) int { return cmp.Compare(a.At, b.At) })
	levels := []loop.Edge{}
	for line := range 3 {
		levels = append(levels, loop.Edge{Line: line, On: f.inverted, At: 1e9, Level: true})
	}
	return append(levels, edges...), edges[len(edges)-1].At + 10*time.Second
}

// A fault of a card is counted right or told: no lane is wrong with quality ok.
func TestWhatACardGetsWrongIsCountedRightOrTold(t *testing.T) {
	for road, vehicles := range roads() {
		for _, f := range cardFaults() {
			if f.backs > 0 && road == "mixed" { // the same edges
				continue
			}
			t.Run(f.name+"/"+road, func(t *testing.T) {
				edges, end := cardEdges(f, vehicles)
				o := loop.Opts{
					Lines: []loop.Line{{Name: "A", Card: f.card}, {Name: "B", Card: f.card}, {Name: "S", Card: f.card}},
					Lanes: []loop.Lane{
						{Stream: "pair", Loops: []int{0, 1}, Spacing: 4, LoopLength: 2, Split: f.card == loop.Presence},
						{Stream: "single", Loops: []int{2}, LoopLength: 2},
					},
					Limits: loop.DefaultLimits(),
				}
				r := count(t, o, &tape{edges: edges, batch: 50, end: end}, end, time.Hour)
				for i := range r.Windows[:2] {
					w := &r.Windows[i]
					truth := uint32(len(vehicles))
					if f.backs > 0 && w.Stream == "pair" {
						truth -= truth / uint32(f.backs)
					}
					wrong := w.Flow() != truth || w.Stream == "pair" && f.card == loop.Presence && f.backs == 0 && wrongHeavy(w, vehicles)
					switch {
					case wrong && w.Quality == counting.OK:
						t.Errorf("%s: %d counted of %d, quality ok", w.Stream, w.Flow(), truth)
					case f.right && wrong:
						t.Errorf("%s: %d counted of %d, %s", w.Stream, w.Flow(), truth, w.Faults)
					case f.right && w.Quality != counting.OK:
						t.Errorf("%s: a fault where there is none: %s", w.Stream, w.Faults)
					}
				}
				for _, e := range r.Events {
					if e.Fault == loop.CardMode && e.On && !strings.Contains(loop.CardFinding(e.N).Advice(), " ") {
						t.Errorf("%+v does not say what to do", e)
					}
				}
				t.Log(fmt.Sprint(r.Windows[0].Flow(), r.Windows[0].Faults, r.Windows[1].Flow(), r.Windows[1].Faults))
			})
		}
	}
}

// wrongHeavy reports whether the lane's heavy vehicles are not those of the road.
func wrongHeavy(w *loop.Window, road []pass) bool {
	heavy := uint32(0)
	for _, v := range road {
		if v.length >= 6.6 {
			heavy++
		}
	}
	return w.Passages[counting.Heavy][counting.AToB] != heavy
}
