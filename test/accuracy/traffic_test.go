package accuracy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"kerb/agent/policy"
	"kerb/counting"
	"kerb/counting/loop"
	driven "kerb/drivers/loop/street"
)

// pairStream is what a pair of loops measures.
var pairStream = counting.Stream{
	ID: "pair", Kind: counting.LoopStream, Classes: []counting.Class{counting.Vehicle},
	Measures: counting.QuantitiesOf(counting.LoopStream), LengthBins: counting.UKLengths(),
}

// tallyOf is a window of the pair as the sensor hands it over.
func tallyOf(w *loop.Window, start time.Time, long time.Duration) counting.Tally {
	t := w.ToTally()
	t.Start, t.End, t.Mono, t.Observed = start, start.Add(long), time.Hour, long
	t.Quality, t.Reason = counting.OK, counting.NoReason
	t.Measures, t.LengthBins = pairStream.Measures, pairStream.LengthBins.Len()
	t.Traffic.CoveredOver = long
	return t
}

// countEdges runs edges over a pair, 4 m apart and 2 m long, through one window.
func countEdges(t *testing.T, src loop.Source, long time.Duration) []loop.Window {
	t.Helper()
	c, err := loop.New(src, loop.Opts{
		Lines:  []loop.Line{{Name: "L1A"}, {Name: "L1B"}},
		Lanes:  []loop.Lane{{Stream: "pair", Loops: []int{0, 1}, Spacing: driven.Spacing, LoopLength: driven.LoopLength}},
		Limits: loop.Limits{Settle: 5 * time.Millisecond, MinOn: 30 * time.Millisecond},
	})
	if err != nil {
		t.Fatal(err)
	}
	c.SetWindowEnd(long)
	var ws []loop.Window
	for {
		step, err := c.CountBatch(context.Background())
		for _, w := range step.Windows {
			ws = append(ws, w)
			c.SetWindowEnd(w.End + long)
		}
		if errors.Is(err, io.EOF) {
			return append(ws, c.CloseWindows()...)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// trafficPolicy is a policy that releases the quantities.
func trafficPolicy(t *testing.T, text string, qs []counting.Quantity) *policy.Policy {
	t.Helper()
	var names []string
	for _, q := range qs {
		names = append(names, `"`+q.String()+`"`)
	}
	list := "quantities = [" + strings.Join(names, ", ") + "]\n"
	if with := strings.Replace(text, "[count]\n", "[count]\n"+list, 1); with != text {
		text = with
	} else {
		text = "count." + list + text
	}
	p, err := policy.Parse("policy.toml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func noisePolicy(epsilon float64, below int) string {
	return fmt.Sprintf(`schema = "kerb.policy/1"
version = 1
purpose = "statistical"
count.streams = ["loop"]
count.classes = ["vehicle"]
keep.retention = "72h"
clear = {window = "15m", method = "noise", epsilon = %g, below = %d}
`, epsilon, below)
}

// quantityError is the mean absolute error of one quantity.
type quantityError struct{ wrong, withheld mean }

// clearErrors clears a window many times and adds the errors to out, by name.
func clearErrors(t *testing.T, p *policy.Policy, y counting.Tally, draws int, out map[string]*quantityError) {
	t.Helper()
	add := func(name string, got *int64, truth, unit float64) {
		if out[name] == nil {
			out[name] = new(quantityError)
		}
		out[name].withheld.add(share(got == nil))
		if got != nil {
			out[name].wrong.add(math.Abs(float64(*got)/unit - truth))
		}
	}
	for range draws {
		r, err := p.Clear(y)
		if err != nil {
			t.Fatal(err)
		}
		c := r.Cells()[0]
		var n *int64
		if !c.Ranged {
			n = &c.N
		}
		add("counts", n, float64(y.Crossings[counting.Vehicle][counting.AToB]), 1)
		for _, f := range r.Figures() {
			truth, unit := exactFigures(f.Quantity, &y), 1.0
			for i, v := range f.Numbers {
				name := f.Quantity.String()
				if f.Quantity == counting.MeanSpeed {
					name, unit = []string{"speed n", "speed km/h"}[i], []float64{1, counting.SpeedUnitsKMH}[i]
				}
				add(name, v, truth[i], unit)
			}
		}
	}
}

// exactFigures are the numbers of a quantity as they were counted.
func exactFigures(q counting.Quantity, y *counting.Tally) []float64 {
	bins := func(ns []uint32) (out []float64) {
		for _, n := range ns {
			out = append(out, float64(n))
		}
		return out
	}
	tr := &y.Traffic
	switch q {
	case counting.Occupancy:
		o, _ := tr.Occupancy()
		return []float64{1000 * o}
	case counting.MeanSpeed:
		v, _ := tr.MeanSpeed()
		return []float64{float64(tr.SpeedCount), v}
	case counting.Speeds:
		return bins(tr.Speeds[:])
	case counting.Lengths:
		return bins(tr.Lengths[:y.LengthBins])
	case counting.Headways:
		return bins(tr.Headways[:])
	case counting.Gaps:
		return bins(tr.Gaps[:])
	}
	return []float64{float64(tr.Congested)}
}

// quantityNames are the rows of the tables.
var quantityNames = []string{"counts", "occupancy", "speed n", "speed km/h", "speeds", "lengths", "headways", "gaps", "congested"}

// streetWindow is a window of a simulated street over which about n vehicles pass; more
// than one lane carries are those of several.
func streetWindow(t *testing.T, n int, long time.Duration) counting.Tally {
	t.Helper()
	const most = 250 // vehicles of one simulated street in 15 min
	y := counting.Tally{}
	for seed := uint64(1); n > 0; seed, n = seed+1, n-most {
		perHour := float64(min(n, most)) * float64(time.Hour/long)
		perHour /= 1 - perHour*1.5/3600 // a vehicle does not come in the time of another
		s, err := driven.New(driven.Opts{Seed: seed, Pairs: 1, PerHour: perHour, Lasts: long})
		if err != nil {
			t.Fatal(err)
		}
		ws := countEdges(t, s, long+time.Minute)
		one := tallyOf(&ws[0], monday, long)
		one.Crossings[counting.Vehicle][counting.AToB] += y.Crossings[counting.Vehicle][counting.AToB]
		one.Traffic.AddTraffic(&y.Traffic)
		one.Traffic.CoveredOver = long
		y = one
	}
	return y
}

// ofLoops are the quantities that a pair of loops measures.
var ofLoops = slices.DeleteFunc(counting.AllQuantities(), func(q counting.Quantity) bool { return !pairStream.Measures.Has(q) })

// sets are the quantities that a policy may name.
var sets = map[string][]counting.Quantity{
	"occupancy and speed": {counting.Occupancy, counting.MeanSpeed},
	"everything":          ofLoops,
}

func TestHowMuchNoiseCostsTheQuantities(t *testing.T) {
	const draws = 400
	for _, set := range []string{"occupancy and speed", "everything"} {
		for _, n := range []int{5, 50, 500} {
			y := streetWindow(t, n, 15*time.Minute)
			b := newTable("quantity", "ε = 0.5", "ε = 1", "ε = 2")
			rows := map[string][]string{}
			last := map[string]float64{}
			for _, epsilon := range []float64{0.5, 1, 2} {
				p := trafficPolicy(t, noisePolicy(epsilon, 0), sets[set])
				found := map[string]*quantityError{}
				clearErrors(t, p, y, draws, found)
				for name, e := range found {
					rows[name] = append(rows[name], fmt.Sprintf("%.1f", e.wrong.value()))
					// The mean speed of few vehicles is bounded, so its error need not fall.
					if was := last[name]; was > 0 && e.wrong.value() > was && (name != "speed km/h" || n > 5) {
						t.Errorf("%s, %d passages: %s is wrong by %.2f at ε = %g, by %.2f with more noise", set, n, name, e.wrong.value(), epsilon, was)
					}
					last[name] = e.wrong.value()
				}
			}
			for _, name := range quantityNames {
				if rows[name] != nil {
					b.row(append([]string{name}, rows[name]...))
				}
			}
			b.log(t, fmt.Sprintf("%s: mean error of one number, %d passages in 15 min (occupancy in ‰, histograms per bin), below = 0", set, y.Traffic.SpeedCount))
		}
	}
}

// Each shipped profile that counts loops, with the quantities that its method can clear.
func TestWhatTheProfilesReleaseOfTraffic(t *testing.T) {
	for _, name := range []string{"standard", "strict", "traffic"} {
		text, err := os.ReadFile("../../configs/policy-" + name + ".toml")
		if err != nil {
			t.Fatal(err)
		}
		set := sets["everything"]
		plain := profile(t, name)
		if plain.Method() != policy.Noise {
			set = sets["occupancy and speed"]
		}
		body := string(text)
		body = strings.Join(slices.DeleteFunc(strings.Split(body, "\n"), func(l string) bool { return strings.HasPrefix(l, "quantities") }), "\n")
		p := trafficPolicy(t, body, set)
		b := newTable("quantity", "true", "released, one draw", "mean error", "withheld")
		y := streetWindow(t, int(400*p.Window()/time.Hour), p.Window())
		found := map[string]*quantityError{}
		clearErrors(t, p, y, 200, found)
		r, err := p.Clear(y)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range r.Figures() {
			name := f.Quantity.String()
			if f.Quantity == counting.MeanSpeed {
				name = "speed km/h"
			}
			e := found[name]
			b.row([]string{name, tellExact(exactFigures(f.Quantity, &y)), tellFigures(f), fmt.Sprintf("%.1f", e.wrong.value()), percent(e.withheld.value())})
		}
		b.log(t, fmt.Sprintf("%s: %d passages in %s, counts wrong by %.1f", name, y.Traffic.SpeedCount, p.Window(), found["counts"].wrong.value()))
		if e := found["speed km/h"]; e.withheld.value() > 0.1 || p.Method() == policy.Suppress && e.wrong.value() > 0.5 {
			t.Errorf("%s: mean speed wrong by %.2f, withheld in %s", name, e.wrong.value(), percent(e.withheld.value()))
		}
	}
}

func tellExact(v []float64) string {
	var out []string
	for _, x := range v {
		out = append(out, fmt.Sprintf("%.0f", x))
	}
	return strings.Join(out, " ")
}

func tellFigures(f policy.Figures) string {
	var out []string
	for i, v := range f.Numbers {
		switch {
		case v == nil:
			out = append(out, "–")
		case f.Quantity == counting.MeanSpeed && i == 1:
			out = append(out, fmt.Sprintf("%.0f", float64(*v)/counting.SpeedUnitsKMH))
		default:
			out = append(out, fmt.Sprint(*v))
		}
	}
	return strings.Join(out, " ")
}

// vehicleOver is one vehicle over the pair, in ms.
type vehicleOver struct{ at, late, on int }

// edgesOf are its edges.
type edgeTape struct {
	edges []loop.Edge
	end   time.Duration
}

// ReadEdges delivers all edges at once.
func (s *edgeTape) ReadEdges(_ context.Context, dst []loop.Edge) (int, time.Duration, error) {
	if s.edges == nil {
		return 0, s.end, io.EOF
	}
	n := copy(dst, s.edges)
	s.edges = nil
	return n, s.end, nil
}

func newEdgeTape(vs []vehicleOver, end time.Duration) *edgeTape {
	s := &edgeTape{edges: []loop.Edge{{Line: 0, Level: true}, {Line: 1, Level: true}}, end: end}
	for _, v := range vs {
		for line := range 2 {
			at := time.Duration(v.at+line*v.late) * time.Millisecond
			s.edges = append(s.edges, loop.Edge{Line: line, On: true, At: at}, loop.Edge{Line: line, At: at + time.Duration(v.on)*time.Millisecond})
		}
	}
	slices.SortStableFunc(s.edges, func(a, b loop.Edge) int { return int(a.At - b.At) })
	return s
}

// loss is the privacy loss by which windows a and b can be told apart: Σ |a − b| of
// every number, over its declared scale. For Laplace noise it is the exact bound.
func loss(p *policy.Policy, a, b []counting.Tally, clipped bool) float64 {
	sum := 0.0
	for i := range a {
		sum += windowLoss(p, &a[i], &b[i], clipped)
	}
	return sum
}

func windowLoss(p *policy.Policy, a, b *counting.Tally, clipped bool) (sum float64) {
	for _, d := range p.DescribeQuantities(pairStream) {
		scale := d.Noise.Scale
		if d.Name == "counts" {
			for dir := range a.Crossings[counting.Vehicle] {
				sum += math.Abs(float64(a.Crossings[counting.Vehicle][dir])-float64(b.Crossings[counting.Vehicle][dir])) / scale
			}
			continue
		}
		q, err := counting.ParseQuantity(d.Name)
		if err != nil {
			panic(err)
		}
		switch q {
		case counting.MeanSpeed:
			off := func(t *counting.Tally) float64 {
				return float64(t.Traffic.SpeedSum)/counting.SpeedUnitsKMH - float64(t.Traffic.SpeedCount)*counting.MaxSpeed/2
			}
			sum += math.Abs(float64(a.Traffic.SpeedCount)-float64(b.Traffic.SpeedCount))/scale + math.Abs(off(a)-off(b))/d.SumNoise.Scale
		case counting.Occupancy:
			sum += math.Abs((a.Traffic.Covered - b.Traffic.Covered).Seconds()) / p.Window().Seconds() * 1000 / scale
		default:
			x, y := exactFigures(q, a), exactFigures(q, b)
			for i := range x {
				if !clipped { // the control: as if one headway were one bin
					sum += math.Abs(x[i]-y[i]) * 3 / scale
					continue
				}
				sum += math.Abs(x[i]-y[i]) / scale
			}
		}
	}
	return sum
}

// The attacker knows every vehicle but one, and has every number of every window. All
// streets of up to four vehicles, near and far, slow and fast, over the border of two
// windows, are counted with and without each of their vehicles: he learns at most ε.
func TestOnePassageCostsAtMostEpsilonOverAllQuantities(t *testing.T) {
	p := trafficPolicy(t, noisePolicy(1, 0), ofLoops)
	most, control, worlds := 0.0, 0.0, 0
	tallies := func(vs []vehicleOver) []counting.Tally {
		const border = 15 * time.Minute
		ws := countEdges(t, newEdgeTape(vs, 30*time.Minute+time.Second), border)
		var out []counting.Tally
		for i := range ws[:2] {
			out = append(out, tallyOf(&ws[i], monday, border))
		}
		return out
	}
	// Time to the next vehicle, delay to the second loop and on-time, in ms; 900 s is
	// the border.
	kinds := []vehicleOver{{1200, 333, 500}, {700, 95, 160}, {7000, 2000, 6000}, {65_000, 1200, 2600}}
	var vary func(vs []vehicleOver, at int)
	vary = func(vs []vehicleOver, at int) {
		if len(vs) > 0 {
			worlds++
			whole := tallies(vs)
			for i := range vs {
				without := tallies(slices.Delete(slices.Clone(vs), i, i+1))
				most = max(most, loss(p, whole, without, true))
				control = max(control, loss(p, whole, without, false))
			}
		}
		if len(vs) == 4 {
			return
		}
		for _, k := range kinds {
			next := at + k.at // vehicles do not touch, on the second loop neither
			vary(append(slices.Clone(vs), vehicleOver{next, k.late, k.on}), next+k.late+k.on)
		}
	}
	for _, from := range []int{1000, 895_000} {
		vary(nil, from)
	}
	t.Logf("%d streets, each without one vehicle: loss at most %.3f of ε = 1; with Δ = 1 for headways %.3f", worlds, most, control)
	if most > p.Epsilon()+1e-3 {
		t.Errorf("one passage costs %.4f", most)
	}
	if control <= p.Epsilon() {
		t.Error("a third of the noise passed: the attack sees nothing")
	}
}
