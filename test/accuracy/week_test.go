package accuracy

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"kerb/agent/policy"
	"kerb/counting"
)

// A street is made up: how many pass in an hour, by class, at each hour of a
// working day, both directions together. On Saturday and Sunday its weekend is
// multiplied in.
type street struct {
	name    string
	scale   float64
	weekend [counting.Classes]float64
}

// hourly has the shape that counters in inner cities show: two rush hours for
// wheels, a long midday for feet, almost nobody at night.
var hourly = map[counting.Class][24]float64{
	counting.Person:  {14, 8, 5, 3, 4, 9, 35, 120, 260, 190, 180, 230, 360, 380, 300, 290, 330, 420, 380, 260, 170, 110, 70, 35},
	counting.Bicycle: {3, 1, 1, 1, 1, 4, 16, 70, 110, 45, 28, 26, 30, 32, 30, 36, 62, 105, 80, 42, 22, 14, 9, 5},
	counting.Vehicle: {60, 38, 28, 24, 40, 95, 260, 480, 560, 470, 430, 430, 450, 450, 460, 500, 560, 600, 520, 400, 300, 220, 160, 100},
}

// streets are a high street, and a lane with a thirtieth of it.
var streets = []street{
	{"high street", 1, [counting.Classes]float64{1.2, 0.6, 0.8}},
	{"quiet lane", 1.0 / 30, [counting.Classes]float64{1.1, 0.7, 0.8}},
}

// weeks are drawn and averaged over, so that the table is of the street and
// not of one week's luck.
const weeks = 8

// minutes are the passages of every minute of a week, both directions.
func (s street) minutes(rnd *rand.Rand) []passages {
	out := make([]passages, 7*24*60)
	for i := range out {
		day, hour := i/(24*60), i/60%24
		for _, c := range counted {
			rate := hourly[c][hour] / 60 / float64(counting.Directions) * s.scale
			if day >= 5 {
				rate *= s.weekend[c]
			}
			for d := range out[i][c] {
				out[i][c][d] = poisson(rnd, rate)
			}
		}
	}
	return out
}

// poisson draws by multiplication (Knuth, The Art of Computer Programming,
// volume 2, 3.4.1): the rates here are small.
func poisson(rnd *rand.Rand, rate float64) (n uint32) {
	limit := math.Exp(-rate)
	for p := rnd.Float64(); p > limit; p *= rnd.Float64() {
		n++
	}
	return n
}

// spans are the lengths over which released windows are summed.
var spans = []struct {
	name string
	long time.Duration
}{{"window", 0}, {"hour", time.Hour}, {"day", 24 * time.Hour}}

// A cost is what one class loses to one policy on one street, in both
// directions apart.
type cost struct {
	withheld mean       // 1 for a cell that is withheld
	wrong    [2][3]mean // absolute error, by reading and span
	truth    [3]mean    // true counts, by span
	bias     [2]mean    // error over a week, as a part of the truth
	plain    mean       // absolute error of windows far above any threshold
}

// costs lets a policy clear weeks of a street.
func costs(t *testing.T, p *policy.Policy, s street) map[counting.Class]*cost {
	t.Helper()
	out := map[counting.Class]*cost{}
	rnd := rand.New(rand.NewPCG(2026, 11))
	for range weeks {
		week(t, p, s.minutes(rnd), out)
	}
	return out
}

// A key is one cell over one span of time.
type key struct {
	class counting.Class
	dir   counting.Direction
	span  int
	start time.Duration
}

// sums are the true counts over a span, and each reading's estimate of them.
type sums struct {
	truth float64
	read  [2]float64
}

func week(t *testing.T, p *policy.Policy, minutes []passages, out map[counting.Class]*cost) {
	t.Helper()
	all := map[key]*sums{}
	width := int(p.Window() / time.Minute)
	for i := 0; i < len(minutes); i += width {
		n := together(minutes[i : i+width])
		from := time.Duration(i) * time.Minute
		for _, cell := range clear(t, p, monday.Add(from), n) {
			if cell.Dir == policy.Both {
				continue
			}
			if out[cell.Class] == nil {
				out[cell.Class] = new(cost)
			}
			truth := float64(n[cell.Class][cell.Dir])
			out[cell.Class].window(cell, truth)
			for i, span := range spans {
				k := key{cell.Class, cell.Dir, i, from.Truncate(max(span.long, p.Window()))}
				if all[k] == nil {
					all[k] = new(sums)
				}
				all[k].truth += truth
				for j, r := range readings {
					all[k].read[j] += r.of(cell)
				}
			}
		}
	}
	for k, s := range all {
		out[k.class].span(k.span, *s)
	}
}

func together(minutes []passages) (n passages) {
	for _, m := range minutes {
		for c := range n {
			for d := range n[c] {
				n[c][d] += m[c][d]
			}
		}
	}
	return n
}

func (c *cost) window(cell policy.Cell, truth float64) {
	c.withheld.add(share(cell.Ranged))
	if truth >= 40 {
		c.plain.add(math.Abs(readings[0].of(cell) - truth))
	}
}

func (c *cost) span(i int, s sums) {
	c.truth[i].add(s.truth)
	for j := range readings {
		c.wrong[j][i].add(math.Abs(s.read[j] - s.truth))
		if spans[i].name == "day" && s.truth > 0 {
			c.bias[j].add((s.read[j] - s.truth) / s.truth)
		}
	}
}

// Each policy has a cost over a week, in each direction: the mean absolute
// error per window, per hour and per day, when a platform sums what it gets.
func TestWhatAWeekOfAStreetCosts(t *testing.T) {
	for _, s := range streets {
		b := newTable("policy", "window", "class", "withheld", "per window", "error", "per hour", "error", "per day", "error", "error, withheld read as half", "day bias", "… as half")
		found := map[string]map[counting.Class]*cost{}
		for _, name := range profiles {
			p := profile(t, name)
			found[name] = costs(t, p, s)
			for _, class := range counted {
				c := found[name][class]
				if c == nil {
					continue
				}
				row := []string{name, p.Window().String(), class.String(), percent(c.withheld.value())}
				for i := range spans {
					row = append(row, fmt.Sprintf("%.1f", c.truth[i].value()), fmt.Sprintf("%.2f", c.wrong[0][i].value()))
				}
				row = append(row, fmt.Sprintf("%.2f", c.wrong[1][2].value()), signed(c.bias[0].value()), signed(c.bias[1].value()))
				b.row(row)
				if p.Method() == policy.Noise && c.plain.n > 500 {
					if want := laplace(p.Epsilon()); math.Abs(c.plain.value()-want) > 0.15*want {
						t.Errorf("%s, %s: busy windows are wrong by %.3f, the noise is %.3f", s.name, name, c.plain.value(), want)
					}
				}
			}
		}
		b.log(t, fmt.Sprintf("A week of a %s, one direction, mean of %d weeks. What is withheld is read as 0, or as half its bound.", s.name, weeks))
		sane(t, s, found)
	}
}

// sane is what must hold of any street, or the table is of something else.
func sane(t *testing.T, s street, found map[string]map[counting.Class]*cost) {
	t.Helper()
	for name, classes := range found {
		for class, c := range classes {
			if c.wrong[0][0].value() > c.wrong[0][2].value() {
				t.Errorf("%s, %s, %s: a day is wrong by less than a window", s.name, name, class)
			}
			if s.scale == 1 && class != counting.Bicycle && math.Abs(c.bias[0].value()) > 0.35 {
				t.Errorf("%s, %s, %s: a day is off by %s", s.name, name, class, signed(c.bias[0].value()))
			}
		}
	}
	if a, b := found["standard"][counting.Person], found["suppress"][counting.Person]; a.withheld.value() >= b.withheld.value() {
		t.Errorf("%s: below 5 withholds more than below 10", s.name)
	}
}

func percent(v float64) string { return fmt.Sprintf("%.0f %%", 100*v) }

func signed(v float64) string { return fmt.Sprintf("%+.1f %%", 100*v) }

// Bands are exact: a busy minute loses nothing but what lies within its band.
func TestBandsKeepTheBand(t *testing.T) {
	p := profile(t, "busyness")
	rnd := rand.New(rand.NewPCG(2026, 11))
	shares := map[string]*mean{}
	var wrong mean
	for i := range 7 * 24 * 60 {
		// People stay for half a minute: on average as many are there as come in it.
		load := hourly[counting.Person][i/60%24] / 60 * 0.5 * 4
		present := poisson(rnd, load)
		y := counting.Tally{
			Stream: "plaza", Kind: counting.ZoneStream, Start: monday.Add(time.Duration(i) * time.Minute), Mono: time.Hour, Observed: time.Minute,
		}
		y.End = y.Start.Add(time.Minute)
		y.Counted[counting.Person] = true
		y.Presence[counting.Person], y.Peak[counting.Person] = time.Duration(present)*time.Minute, present
		r, err := p.Clear(y)
		if err != nil {
			t.Fatal(err)
		}
		c := r.Cells()[0]
		if !c.Ranged || int64(present) < c.Min || c.Below > 0 && int64(present) >= c.Below {
			t.Fatalf("%d people: released %+v", present, c)
		}
		name, middle := fmt.Sprintf("%d–%d", c.Min, c.Below-1), float64(c.Min+c.Below-1)/2
		if c.Below == 0 {
			name, middle = fmt.Sprintf("%d+", c.Min), float64(c.Min)
		}
		if shares[name] == nil {
			shares[name] = new(mean)
		}
		shares[name].add(float64(present))
		wrong.add(math.Abs(middle - float64(present)))
	}
	b := newTable("band", "share of minutes", "people, mean")
	for _, name := range []string{"0–4", "5–9", "10–19", "20+"} {
		if m := shares[name]; m != nil {
			b.row([]string{name, percent(m.n / wrong.n), fmt.Sprintf("%.1f", m.value())})
		}
	}
	b.log(t, fmt.Sprintf("A week of a plaza under busyness: every minute in its band; %.2f people off when a band is read as its middle.", wrong.value()))
}
