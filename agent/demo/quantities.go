package demo

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strings"
	"text/tabwriter"

	"kerb/agent/policy"
	"kerb/counting"
)

// A quantityRow is what the demonstration tells of one quantity of one loop stream.
type quantityRow struct {
	Stream   string    `json:"stream"`
	Quantity string    `json:"quantity"`
	Unit     string    `json:"unit"`
	Counted  []float64 `json:"counted"`  // of occupancy the mean of the windows, of histograms the sum of each bin
	Released []float64 `json:"released"` // the same of the numbers that the broker received
	Noise    float64   `json:"noise"`    // 95 % of such numbers are this close to Counted
}

// quantitySum adds up one quantity of one stream.
type quantitySum struct {
	counted, released []float64
	windows           int // that the broker received
	tallies           int
}

// addNumbers adds v to sum, number by number.
func addNumbers(sum []float64, v []float64) []float64 {
	if sum == nil {
		sum = make([]float64, len(v))
	}
	for i := range min(len(sum), len(v)) {
		sum[i] += v[i]
	}
	return sum
}

// sumOf returns the sum of a quantity of a stream, which it makes. The lock must be held.
func (l *ledger) sumOf(stream string, q counting.Quantity) *quantitySum {
	k := quantityKey{stream, q}
	if l.quantities[k] == nil {
		l.quantities[k] = new(quantitySum)
	}
	return l.quantities[k]
}

// quantityKey names a quantity of a stream.
type quantityKey struct {
	stream   string
	quantity counting.Quantity
}

// addTraffic adds the exact quantities of one window.
func (l *ledger) addTraffic(t *counting.Tally) {
	add := func(q counting.Quantity, v ...float64) {
		if t.Measures.Has(q) {
			s := l.sumOf(t.Stream, q)
			s.counted = addNumbers(s.counted, v)
			s.tallies++
		}
	}
	if share, ok := t.Traffic.Occupancy(); ok {
		add(counting.Occupancy, 1000*share)
	}
	add(counting.Speeds, toFloats(t.Traffic.Speeds[:])...)
	add(counting.Lengths, toFloats(t.Traffic.Lengths[:t.LengthBins])...)
}

func toFloats(ns []uint32) (out []float64) {
	for _, n := range ns {
		out = append(out, float64(n))
	}
	return out
}

// addQuantities adds the released quantities of a message of kerb.count/1.
func (l *ledger) addQuantities(stream string, payload []byte) {
	var m struct {
		Occ    *struct{ Permille float64 }
		Speed  *struct{ Bins []float64 }
		Length *struct{ Bins []float64 }
	}
	if json.Unmarshal(payload, &m) != nil {
		return
	}
	add := func(q counting.Quantity, v []float64) {
		s := l.sumOf(stream, q)
		s.released = addNumbers(s.released, v)
		s.windows++
	}
	if m.Occ != nil {
		add(counting.Occupancy, []float64{m.Occ.Permille})
	}
	if m.Speed != nil {
		add(counting.Speeds, m.Speed.Bins)
	}
	if m.Length != nil {
		add(counting.Lengths, m.Length.Bins)
	}
}

// quantityRows returns the table of the quantities.
func (l *ledger) quantityRows(p *policy.Policy) (rows []quantityRow) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.streams {
		for _, d := range p.DescribeQuantities(s) {
			q, err := counting.ParseQuantity(d.Name)
			sum := l.quantities[quantityKey{s.ID, q}]
			if err != nil || sum == nil || d.Noise == nil {
				continue
			}
			r := quantityRow{Stream: s.ID, Quantity: d.Name, Unit: d.Unit, Counted: sum.counted, Released: sum.released}
			r.Noise = sumQuantile * d.Noise.Deviation * math.Sqrt(float64(sum.windows))
			if q == counting.Occupancy {
				r.Counted, r.Released = scaled(r.Counted, sum.tallies), scaled(r.Released, sum.windows)
				r.Noise /= float64(max(sum.windows, 1))
			}
			r.Noise = math.Round(r.Noise*10) / 10
			rows = append(rows, r)
		}
	}
	return rows
}

// scaled is v divided by n, rounded.
func scaled(v []float64, n int) (out []float64) {
	for _, x := range v {
		out = append(out, math.Round(x/float64(max(n, 1))))
	}
	return out
}

// writeQuantities writes the rows for people.
func writeQuantities(w io.Writer, rows []quantityRow) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "\nstream\tquantity\tunit\tcounted\treleased\tnoise")
	for _, r := range rows {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t±%.0f\n", r.Stream, r.Quantity, r.Unit, joinNumbers(r.Counted), joinNumbers(r.Released), r.Noise)
	}
	fmt.Fprintln(t)
	_, err := fmt.Fprintln(t, `occupancy: mean of all windows. speeds: vehicles per 10 km/h, from 0. lengths: vehicles per class, the
shortest first. Counts and quantities share ε, so that each has more noise than counts alone. Windows of 5 s hold about
one vehicle each: the noise hides it, as it shall.`)
	if err != nil {
		return err
	}
	return t.Flush()
}

func joinNumbers(v []float64) string {
	var words []string
	for _, x := range v {
		words = append(words, fmt.Sprintf("%.0f", x))
	}
	return strings.Join(words, " ")
}
