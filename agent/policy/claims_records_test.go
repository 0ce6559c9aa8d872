package policy_test

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"kerb/agent/policy"
	"kerb/agent/store"
	"kerb/agent/uplink"
	"kerb/counting"
)

// drawn is the number of windows from which a probability or a mean is estimated.
const drawn = 400

// samples caches draws, by all that they depend on.
var samples = map[string][]policy.Cell{}

// draw clears n objects each way, again and again, and returns the first cell of each.
func (w *world) draw(k counting.Kind, n int, measured bool) []policy.Cell {
	d := w.p.DescribeClearing(k)
	qs := counting.QuantitySet(0)
	if measured {
		qs = w.p.AllowedQuantities(counting.QuantitiesOf(k))
	}
	key := fmt.Sprint(k, n, qs, d)
	if samples[key] == nil {
		t := w.tally(k, n, n)
		if measured {
			t = w.traffic(k, n)
		}
		for range drawn {
			samples[key] = append(samples[key], w.clear(t).Cells()[0])
		}
	}
	return samples[key]
}

// traffic is a window of a stream of a kind with n passages each way and all quantities.
func (w *world) traffic(k counting.Kind, n int) counting.Tally {
	t := w.tally(k, n, n)
	if w.p.AllowsClass(counting.Vehicle) {
		t.Counted = [counting.Classes]bool{}
		t.Counted[counting.Vehicle], t.Crossings[counting.Vehicle] = true, [counting.Directions]uint32{uint32(n), uint32(n)}
		t.Presence[counting.Vehicle], t.Peak[counting.Vehicle] = time.Duration(n)*w.p.Window(), uint32(n)
	}
	t.Measures = counting.QuantitiesOf(k)
	if k == counting.ZoneStream {
		t.Traffic.FollowedOver = w.p.Window()
		return t
	}
	if t.Traffic.SpeedCount = uint32(n); k == counting.LineStream {
		t.Traffic.SpeedSum = int64(n) * 400
		return t
	}
	t.LengthBins, t.Traffic.CoveredOver = 4, w.p.Window()
	t.Traffic.Covered = min(time.Duration(n)*500*time.Millisecond, w.p.Window())
	t.Traffic.SpeedCount, t.Traffic.SpeedSum = uint32(n), int64(n)*400
	return t
}

// deviation is the mean distance of the released numbers from the true number, and
// how many are given.
func deviation(cells []policy.Cell, from float64, of func(policy.Cell) float64) (mean float64, given int) {
	for _, c := range cells {
		if !c.Ranged {
			mean += math.Abs(of(c) - from)
			given++
		}
	}
	return mean / float64(max(given, 1)), given
}

func passages(c policy.Cell) float64 { return float64(c.N) }
func mean(c policy.Cell) float64     { return c.Mean }
func peak(c policy.Cell) float64     { return float64(c.Peak) }

// hidden is the part of the draws that is withheld.
func hidden(cells []policy.Cell) float64 {
	_, given := deviation(cells, 0, passages)
	return 1 - float64(given)/float64(len(cells))
}

// laplace are the mean and the deviation of |z| of discrete Laplace noise: P(z) ∝ e^(−ε|z|).
func laplace(epsilon float64) (mean, deviation float64) {
	q := math.Exp(-epsilon)
	mean = 2 * q / (1 - q*q)
	return mean, math.Sqrt(max(2*q/((1-q)*(1-q))-mean*mean, 0))
}

// isNoise reports whether the noise of the counts, or of the peak of a zone, is that of ε
// in so many parts.
func (w *world) isNoise(k counting.Kind, epsilon float64, parts int) bool {
	of, e := passages, epsilon/float64(parts)
	if k == counting.ZoneStream {
		of, e = peak, e/2
	}
	got, n := deviation(w.draw(k, 9_000, parts > 1), 9_000, of)
	want, sd := laplace(e)
	return w.p.Method() == policy.Noise && within(got, want, sd, n)
}

// message is the record of a window as it leaves.
func message(t interface{ Fatal(...any) }, r policy.Release) map[string]any {
	b := uplink.EncodeWindow(uplink.Address{Tenant: "t", Site: "s", Device: "d"}, store.Entry{Epoch: "e", Seq: 7, Boot: "b", Release: r})
	var m map[string]any
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// The keys of a record for which its sentence has words; those of quantities apart.
var (
	recordKeys  = []string{"schema", "tenant", "site", "device", "stream", "epoch", "seq", "start", "end", "observed_s", "observed_instants", "quality", "reason", "policy", "epsilon", "counts", "time"}
	trafficKeys = []string{"standing", "occ", "speed", "length", "headway", "gap", "congested"}
)

// holdsOnly reports whether a record has no other keys, and no text that is long.
func holdsOnly(m map[string]any, traffic bool) bool {
	for key, v := range m {
		if !slices.Contains(recordKeys, key) && !(traffic && slices.Contains(trafficKeys, key)) {
			return false
		}
		if s, ok := v.(string); ok && len(s) > 80 {
			return false
		}
	}
	return true
}

// steps are the numbers from lo to hi of one direction at which the released number changes.
func (w *world) steps(lo, hi int) (at []int) {
	k, last := w.counted(), ""
	for n := lo; n <= hi; n++ {
		is := fmt.Sprint(w.cells(k, n, 0))
		if last != "" && is != last {
			at = append(at, n)
		}
		last = is
	}
	return at
}

// given is the number of a cell: passages, or the mean in a zone.
func given(k counting.Kind, c policy.Cell) float64 {
	if k == counting.ZoneStream {
		return c.Mean
	}
	return float64(c.N)
}

func init() {
	judge("record", func(w *world, v values) bool {
		for k := counting.LineStream; k <= counting.LoopStream; k++ {
			r, err := w.p.Clear(w.tally(k, 1, 1))
			if (err == nil) != slices.Contains(v["kinds"].([]counting.Kind), k) {
				return false
			}
			if err == nil && (r.Kind() != k || r.EndTime().Sub(r.StartTime()) != v["window"]) {
				return false
			}
		}
		return true
	})
	judge("holds", func(w *world, v values) bool {
		r := w.clear(w.tally(w.counted(), 9_000, 9_000))
		dirs, totals, ranged := map[counting.Direction]bool{}, false, false
		for _, c := range r.Cells() {
			dirs[c.Dir], totals, ranged = true, totals || c.Dir == policy.Both, ranged || c.Ranged
		}
		more := false
		for k := counting.LineStream; k <= counting.LoopStream; k++ {
			if w.p.AllowsKind(k) {
				r := w.clear(w.traffic(k, 50))
				more = more || len(r.Figures()) > 0
				if !holdsOnly(message(w.t, r), v["more"].(bool)) {
					return false
				}
			}
		}
		return holdsOnly(message(w.t, r), false) && v["directions"] == (len(dirs) > 1) && v["totals"] == totals && v["bands"] == ranged && v["more"] == more
	})
	judge("everyTime", func(w *world, v values) bool {
		k := w.counted()
		nobody, many := w.cells(k, 0, 0), w.cells(k, 9_000, 9_000)
		for _, c := range many {
			if c.Ranged != v["bands"] {
				return false
			}
		}
		short := w.tally(k, 9_000, 9_000)
		short.Quality, short.Reason, short.Observed = counting.Partial, counting.ReasonStarting, w.p.Window()*49/100
		none := w.tally(k, 5, 5)
		none.Quality, none.Reason = counting.Gap, counting.ReasonSenseLost
		stops := false
		if w.p.AllowsKind(counting.ZoneStream) {
			part := w.tally(counting.ZoneStream, 9_000, 9_000)
			part.End = part.End.Add(-w.p.Window() / 10)
			part.Observed = part.End.Sub(part.Start)
			stops = len(w.clear(part).Cells()) == 0
		}
		return len(nobody) == len(many) && len(many) > 0 && len(w.clear(none).Cells()) == 0 &&
			v["half"] == (len(w.clear(short).Cells()) == 0) && v["zones"] == stops
	})
	judge("noise", func(w *world, v values) bool { return w.isNoise(w.counted(), v["epsilon"].(float64), 1) })
	judge("again", sentAgain)
	judge("below", func(w *world, v values) bool {
		k, n, hides := w.counted(), v["below"].(int), false
		for _, c := range append(slices.Clone(w.draw(k, n, false)), w.draw(k, 0, false)...) {
			if hides = hides || c.Ranged; c.Ranged && c.Below != int64(n) || !c.Ranged && given(k, c) < float64(n) {
				return false
			}
		}
		return hides && w.p.Method() == policy.Noise
	})
	judge("drawn", func(w *world, _ values) bool {
		k, negative := w.counted(), false
		for _, c := range w.draw(k, 0, false) {
			if negative = negative || given(k, c) < 0; c.Ranged {
				return false
			}
		}
		return negative
	})
	judge("zoneNoise", func(w *world, v values) bool {
		cells := w.draw(counting.ZoneStream, 9_000, false)
		m, n := deviation(cells, 9_000, mean)
		p, _ := deviation(cells, 9_000, peak)
		few := w.draw(counting.ZoneStream, 0, false)
		below := 0
		if i := slices.IndexFunc(few, func(c policy.Cell) bool { return c.Ranged }); i >= 0 {
			below = int(few[i].Below)
		}
		return within(m, v["mean"].(float64), v["mean"].(float64), n) && within(p, v["peak"].(float64), 1.1*v["peak"].(float64)+0.2, n) && below == v["below"]
	})
	judge("shares", func(w *world, v values) bool {
		most, kind := 1, w.counted()
		for k := counting.LineStream; k <= counting.LoopStream; k++ {
			qs := w.p.DescribeQuantities(counting.Stream{Kind: k, Measures: counting.QuantitiesOf(k), LengthBins: counting.UKLengths()})
			parts := len(qs)
			if k == counting.ZoneStream { // whose counts are two numbers
				parts--
			}
			if w.p.AllowsKind(k) && parts > most {
				most, kind = parts, k
			}
		}
		return most == v["parts"] && w.isNoise(kind, w.p.Epsilon(), most)
	})
	judge("withheld", func(w *world, v values) bool {
		k, n := w.counted(), v["below"].(int)
		under, at := w.cells(k, n-1, n-1)[0], w.cells(k, n, n)[0]
		totals := w.p.DescribeClearing(k).Totals
		return under.Ranged && (under.Below == int64(n) || totals && under.Below > int64(n)) && !at.Ranged &&
			slices.Equal(w.cells(k, n, n), w.cells(k, n, n)) && totals == v["totals"]
	})
	judge("rounded", func(w *world, v values) bool {
		k, step := w.counted(), v["step"].(int)
		for range 20 {
			n := 1000 + w.random.IntN(500)
			if c := w.cells(k, n, n)[0]; c.Ranged || given(k, c) != float64((n+step/2)/step*step) {
				return false
			}
		}
		return step > 1
	})
	judge("exact", func(w *world, _ values) bool {
		k := w.counted()
		for n := 1000; n < 1030; n++ {
			if c := w.cells(k, n, n)[0]; c.Ranged || given(k, c) != float64(n) {
				return false
			}
		}
		return true
	})
	judge("bothWithheld", func(w *world, _ values) bool {
		k, ok := w.passage()
		if !ok {
			return w.p.DescribeClearing(counting.LineStream).Totals
		}
		for _, c := range w.cells(k, 0, 9_000)[:counting.Directions] {
			if !c.Ranged {
				return false
			}
		}
		return true
	})
	judge("trafficWithheld", func(w *world, _ values) bool {
		k, ok := w.passage()
		if !ok || w.p.Method() != policy.Suppress {
			return false
		}
		few, many := w.clear(w.traffic(k, 1)).Figures(), w.clear(w.traffic(k, 500)).Figures()
		shown := 0
		for i, f := range few {
			for j := range f.Numbers {
				if f.Numbers[j] != nil {
					return false
				}
				if many[i].Numbers[j] != nil {
					shown++
				}
			}
		}
		return len(few) > 0 && shown > 0 == w.p.AllowsClass(counting.Vehicle) // speeds and covered times are of vehicles
	})
	judge("banded", func(w *world, v values) bool {
		bands := v["bands"].([]int)
		for n := range 130 {
			from, to := 0, 0
			for _, b := range bands {
				if n >= b {
					from = b
				} else if to == 0 {
					to = b
				}
			}
			if c := w.cells(counting.ZoneStream, n, n)[0]; !c.Ranged || c.Min != int64(from) || c.Below != int64(to) {
				return false
			}
		}
		return true
	})
	judge("exampleRange", func(w *world, v values) bool {
		k, low, high, in := w.counted(), v["low"].(int), v["high"].(int), 0
		cells := w.draw(k, 41, false)
		for _, c := range cells {
			if !c.Ranged && c.N >= int64(low) && c.N <= int64(high) {
				in++
			}
		}
		return float64(in)/drawn > 0.81 && w.isRange(low, high) && w.hides(v, k)
	})
	judge("exampleHidden", func(w *world, v values) bool { return w.hides(v, counting.LineStream, counting.LoopStream) })
	judge("exampleZoneHidden", func(w *world, v values) bool { return w.hides(v, counting.ZoneStream) })
	judge("exampleZone", func(w *world, v values) bool {
		low, high, in := v["low"].(float64), v["high"].(float64), 0
		for _, c := range w.draw(counting.ZoneStream, 41, false) {
			if !c.Ranged && c.Mean >= low-1e-9 && c.Mean <= high+1e-9 {
				in++
			}
		}
		q, h := math.Exp(-w.p.Epsilon()/20), int(math.Round(10*(high-41)))
		stays := func(h int) float64 { return 1 - 2*math.Pow(q, float64(h+1))/(1+q) }
		return float64(in)/drawn > 0.81 && math.Abs(41-low-(high-41)) < 1e-9 && stays(h) >= 0.9 && stays(h-1) < 0.9 && w.hides(v, counting.ZoneStream)
	})
	judge("exampleRounded", func(w *world, v values) bool {
		k := w.counted()
		c, few, step := w.cells(k, 41, 41)[0], w.cells(k, 3, 0)[0], w.p.Settings().Round
		_, ok := w.passage()
		return few.Ranged && few.Below == int64(v["below"].(int)) && v["given"] == (41+step/2)/step*step &&
			(c.Ranged && v["below"].(int) > 41 || !c.Ranged && given(k, c) == float64(v["given"].(int))) &&
			v["totals"] == (ok && w.p.DescribeClearing(k).Totals)
	})
	judge("exampleBand", func(w *world, v values) bool {
		c := w.cells(counting.ZoneStream, 7, 7)[0]
		return c.Min == int64(v["from"].(int)) && c.Below == int64(v["to"].(int))
	})
	judge("sums", func(w *world, v values) bool {
		r := w.clear(w.tally(w.counted(), 9_000, 9_000))
		b, err := r.MarshalBinary()
		if err != nil {
			w.t.Fatal(err)
		}
		back, err := policy.RestoreRelease(b)
		return err == nil && back == r && r.Cells()[0].Ranged == v["bands"]
	})
	judge("errors", func(w *world, v values) bool {
		k, _ := w.passage()
		for _, m := range []int{5, 50, 500} {
			hidden, off := v[fmt.Sprint("hidden", m)].(float64), v[fmt.Sprint("error", m)].(float64)
			cells, truth := w.drawPoisson(k, m)
			mean, squares, n := 0.0, 0.0, 0
			for i, c := range cells {
				if !c.Ranged {
					d := math.Abs(float64(c.N) - truth[i])
					mean, squares, n = mean+d, squares+d*d, n+1
				}
			}
			if !within(1-float64(n)/float64(len(cells)), hidden, 0.5, drawn) {
				return false
			}
			if mean /= float64(max(n, 1)); n >= drawn/8 && !within(mean, off, math.Sqrt(max(squares/float64(n)-mean*mean, 0.0001)), n) {
				return false
			}
			if want, wantOff := w.expect(m); math.Abs(want-hidden) > 0.002 || hidden < 0.9995 && math.Abs(wantOff-off) > 0.01*wantOff+0.001 || hidden >= 0.9995 && off != 0 {
				return false
			}
		}
		return w.p.DescribeClearing(k).Below == v["below"]
	})
}

// expected caches what expect returns.
var expected = map[string][2]float64{}

// expect are the part withheld and the mean error of the others, of a Poisson number of
// mean m each way, by the probabilities of the noise that isNoise has found, or by the
// rule that is deterministic.
func (w *world) expect(m int) (hidden, off float64) {
	s := w.p.Settings()
	key := fmt.Sprint(m, s.Method, s.Epsilon, s.Below, s.Round, s.Totals)
	if known, ok := expected[key]; ok {
		return known[0], known[1]
	}
	defer func() { expected[key] = [2]float64{hidden, off} }()
	q, shown := math.Exp(-s.Epsilon), 0.0
	chance := math.Exp(-float64(m))
	for n := range m + 20*int(math.Sqrt(float64(m))) + 20 {
		if s.Method == policy.Noise {
			for z, p := 0, (1-q)/(1+q)*chance; z <= int(20/s.Epsilon); z, p = z+1, p*q {
				for _, y := range []int{n + z, n - z}[:min(2, z+1)] {
					if s.Below == 0 || y >= s.Below {
						shown, off = shown+p, off+p*float64(z)
					}
				}
			}
		} else if n >= s.Below {
			shown, off = shown+chance, off+chance*math.Abs(float64((n+s.Round/2)/s.Round*s.Round-n))
		}
		chance *= float64(m) / float64(n+1)
	}
	if shown > 0 {
		off /= shown
	}
	if s.Totals {
		shown *= shown
	}
	return 1 - shown, off
}

// hides reports whether 41 and 3 are withheld as often as said, in a stream of one of the
// kinds. Without a threshold the sentence does not say how often.
func (w *world) hides(v values, kinds ...counting.Kind) bool {
	k := w.counted()
	below := w.p.DescribeClearing(k).Below
	if !slices.Contains(kinds, k) || below != v["below"] {
		return false
	}
	share, ok := v["hidden"].(float64)
	return within(hidden(w.draw(k, 3, false)), v["small"].(float64), 0.5, drawn) &&
		(!ok || within(hidden(w.draw(k, 41, false)), share, 0.5, drawn))
}

// isRange reports whether 41 stays within low and high in nine of ten, and in no narrower
// range, by the probabilities of the noise that isNoise has found.
func (w *world) isRange(low, high int) bool {
	q := math.Exp(-w.p.Epsilon())
	stays := func(h int) float64 { return 1 - 2*math.Pow(q, float64(h+1))/(1+q) }
	h := high - 41
	return h >= 0 && 41-low == h && stays(h) >= 0.9 && (h == 0 || stays(h-1) < 0.9)
}

// poissons caches the draws of drawPoisson.
var poissons = map[string]struct {
	cells []policy.Cell
	truth []float64
}{}

// drawPoisson clears windows with a random number of passages each way, of mean m.
func (w *world) drawPoisson(k counting.Kind, m int) ([]policy.Cell, []float64) {
	key := fmt.Sprint(k, m, w.p.DescribeClearing(k))
	d, ok := poissons[key]
	for i := 0; !ok && i < drawn; i++ {
		a, b := w.poisson(m), w.poisson(m)
		d.cells, d.truth = append(d.cells, w.cells(k, a, b)[0]), append(d.truth, float64(a))
	}
	poissons[key] = d
	return d.cells, d.truth
}

// poisson counts exponential waits in one unit of time.
func (w *world) poisson(m int) (n int) {
	for at := w.random.ExpFloat64(); at < float64(m); at += w.random.ExpFloat64() {
		n++
	}
	return n
}

// isText reports whether every listener can read a record.
func isText(b []byte) bool { return json.Valid(b) && strings.Contains(string(b), `"counts"`) }
