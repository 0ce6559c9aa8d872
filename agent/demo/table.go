package demo

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strings"
	"sync"
	"text/tabwriter"

	"kerb/agent/policy"
	"kerb/counting"
	"kerb/drivers/camera/scene"
)

// A row is what the demonstration tells of one class on one stream.
type row struct {
	Stream   string  `json:"stream"`
	Class    string  `json:"class"`
	Real     *int    `json:"real,omitempty"`   // crossings that the street made; absent for a clip and for loops
	Counted  int     `json:"counted"`          // by the detector, before clearing; kerb run never tells it
	Missed   *int    `json:"missed,omitempty"` // directions with too few, at least
	Extra    *int    `json:"extra,omitempty"`  // directions with too many, at least
	Released int     `json:"released"`         // the sum of the numbers that the broker received
	Numbers  int     `json:"numbers"`          // how many these are
	Noise    float64 `json:"noise"`            // 95 % of such sums are this close to Counted
	Says     string  `json:"says"`
}

// key names a class on a stream.
type key struct {
	stream string
	class  counting.Class
}

// A ledger adds up what was real, counted and released. Its methods may be called from
// several goroutines.
type ledger struct {
	mu       sync.Mutex
	keys     []key // in the order in which the streams have them
	real     map[key][counting.Directions]int
	counted  map[key][counting.Directions]int
	released map[key]int
	numbers  map[key]int

	streams    []counting.Stream
	quantities map[quantityKey]*quantitySum
}

// newLedger returns an empty ledger for the crossings of streams.
func newLedger(streams []counting.Stream) *ledger {
	l := &ledger{
		real: map[key][counting.Directions]int{}, counted: map[key][counting.Directions]int{},
		released: map[key]int{}, numbers: map[key]int{}, streams: streams, quantities: map[quantityKey]*quantitySum{},
	}
	for _, s := range streams {
		if s.Kind == counting.ZoneStream {
			continue
		}
		for _, c := range s.Classes {
			l.keys = append(l.keys, key{s.ID, c})
		}
	}
	return l
}

// addTallies adds the exact counts of one window.
func (l *ledger) addTallies(ts []counting.Tally) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, t := range ts {
		for c, dirs := range t.Crossings {
			k := key{t.Stream, counting.Class(c)}
			sum := l.counted[k]
			for d, n := range dirs {
				sum[d] += int(n)
			}
			l.counted[k] = sum
		}
		l.addTraffic(&t)
	}
}

// addMessage adds the released numbers of a message of kerb.count/1; others are
// ignored.
func (l *ledger) addMessage(topic string, payload []byte) {
	var m struct {
		Stream string
		Counts []struct {
			Class string
			N     *int
		}
	}
	if !strings.Contains(topic, "/count/") || json.Unmarshal(payload, &m) != nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.addQuantities(m.Stream, payload)
	for _, x := range m.Counts {
		if c, err := counting.ParseClass(x.Class); err == nil && x.N != nil {
			l.released[key{m.Stream, c}] += *x.N
			l.numbers[key{m.Stream, c}]++
		}
	}
}

// addTruth adds the true crossings of the street.
func (l *ledger) addTruth(events []scene.Event) {
	for _, e := range events {
		for _, k := range l.keys {
			if k.stream == e.Stream && (k.class == e.Class || k.class == e.Class.WithoutSplit()) {
				sum := l.real[k]
				sum[e.Dir]++
				l.real[k] = sum
			}
		}
	}
}

// rows returns the table. Without truth its column "real" is empty.
func (l *ledger) rows(p *policy.Policy, truth bool) (rows []row) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, k := range l.keys {
		r := row{Stream: k.stream, Class: k.class.String(), Released: l.released[k], Numbers: l.numbers[k]}
		existing, missed, extra := 0, 0, 0
		for d, n := range l.counted[k] {
			r.Counted += n
			existing += l.real[k][d]
			missed += max(l.real[k][d]-n, 0)
			extra += max(n-l.real[k][d], 0)
		}
		r.Noise = math.Round(l.noiseBand(p, k.stream, r.Numbers)*10) / 10
		if truth {
			r.Real, r.Missed, r.Extra = &existing, &missed, &extra
		}
		r.Says = r.sentence()
		rows = append(rows, r)
	}
	return rows
}

// sumQuantile is the quantile of the normal distribution within which 95 % lie.
const sumQuantile = 1.96

// noiseBand returns how far the sum of n released counts of a stream is from the exact
// sum, with 95 % probability; the sum is about normal.
func (l *ledger) noiseBand(p *policy.Policy, stream string, n int) float64 {
	noise := p.DescribeClearing(counting.LineStream).Noise["n"]
	for _, s := range l.streams {
		if qs := p.DescribeQuantities(s); s.ID == stream && qs != nil && qs[0].Noise != nil {
			noise = *qs[0].Noise
		}
	}
	return sumQuantile * noise.Deviation * math.Sqrt(float64(n))
}

// sentence says what the row means.
func (r *row) sentence() string {
	var b strings.Builder
	switch {
	case r.Real == nil:
		fmt.Fprintf(&b, "%d counted", r.Counted)
	case *r.Real == 0 && *r.Extra == 0:
		b.WriteString("nothing crossed")
	case *r.Missed == 0 && *r.Extra == 0:
		fmt.Fprintf(&b, "all %d crossings found", *r.Real)
	default:
		fmt.Fprintf(&b, "of %d crossings %d missed", *r.Real, *r.Missed)
		if *r.Extra > 0 {
			fmt.Fprintf(&b, ", %d too many", *r.Extra)
		}
	}
	fmt.Fprintf(&b, "; the broker got %d, noise ±%.0f", r.Released, r.Noise)
	return b.String()
}

// writeTable writes the rows for people.
func writeTable(w io.Writer, rows []row) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "stream\tclass\treal\tcounted\treleased\tnoise\t")
	for _, r := range rows {
		existing := "?"
		if r.Real != nil {
			existing = fmt.Sprint(*r.Real)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%d\t±%.0f\t%s\n", r.Stream, r.Class, existing, r.Counted, r.Released, r.Noise, r.Says)
	}
	fmt.Fprintln(t)
	_, err := fmt.Fprintln(t, `real: drawn by the street. counted: by the detector; kerb run tells it to nobody. released: the sum of
the numbers that a subscriber received, each with noise of its own, so one can be below 0. noise: 95 % of
such sums are this close to counted. What was missed or too many is the detector's error, not the noise's.`)
	if err != nil {
		return err
	}
	return t.Flush()
}
