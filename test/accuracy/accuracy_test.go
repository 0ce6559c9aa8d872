// Package accuracy measures the cost of each shipped policy in accuracy: the
// true counts beside the released ones, for the clips that people counted and for a
// simulated week of a street. go test -v prints the tables.
package accuracy

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"kerb/agent/policy"
	"kerb/configs"
	"kerb/counting"
)

// profiles are the shipped policies that count passages. busyness does not:
// see TestBandsKeepTheBand.
var profiles = []string{"standard", "strict", "suppress", "traffic"}

// counted are the classes of the street, in the order in which they are drawn.
var counted = []counting.Class{counting.Person, counting.Bicycle, counting.Vehicle}

// monday is when every week here begins.
var monday = time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)

func profile(t *testing.T, name string) *policy.Policy {
	t.Helper()
	text, err := configs.ReadPolicy(name)
	if err != nil {
		t.Fatal(err)
	}
	p, err := policy.Parse(name, text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// passages are the exact counts of one window.
type passages [counting.Classes][counting.Directions]uint32

// clear is what the policy lets be known of one window of the classes that it
// allows; over a loop where it knows no lines.
func clear(t *testing.T, p *policy.Policy, at time.Time, n passages) []policy.Cell {
	t.Helper()
	y := counting.Tally{
		Stream: "street", Kind: counting.LineStream, Start: at, End: at.Add(p.Window()),
		Mono: time.Hour, Observed: p.Window(), Crossings: n,
	}
	if !p.AllowsKind(y.Kind) {
		y.Kind = counting.LoopStream
	}
	for _, c := range counted {
		y.Counted[c] = p.AllowsClass(c)
	}
	r, err := p.Clear(y)
	if err != nil {
		t.Fatal(err)
	}
	return r.Cells()
}

// told is a cell in words: its number, or that there are fewer than so many.
func told(c policy.Cell) string {
	if c.Ranged {
		return fmt.Sprintf("<%d", c.Below)
	}
	return fmt.Sprint(c.N)
}

// A reading is what a platform makes of a cell that is withheld.
type reading struct {
	name  string
	value func(c policy.Cell) float64
}

var readings = []reading{
	{"0", func(policy.Cell) float64 { return 0 }},
	{"half", func(c policy.Cell) float64 { return float64(c.Below-1) / 2 }},
}

func (r reading) of(c policy.Cell) float64 {
	if c.Ranged {
		return r.value(c)
	}
	return float64(c.N)
}

// mean adds up and divides.
type mean struct{ sum, n float64 }

func (m *mean) add(v float64) { m.sum, m.n = m.sum+v, m.n+1 }

func (m *mean) value() float64 { return m.sum / math.Max(m.n, 1) }

// share is what one more case adds to a mean of how often something is so.
func share(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

// laplace is the mean size of the exact noise: E|X| = 2α/(1-α²), α = exp(-ε).
func laplace(epsilon float64) float64 {
	a := math.Exp(-epsilon)
	return 2 * a / (1 - a*a)
}

// A table is printed with the log of a test.
type table struct {
	text strings.Builder
	w    *tabwriter.Writer
}

func newTable(heads ...string) *table {
	var b table
	b.w = tabwriter.NewWriter(&b.text, 0, 0, 2, ' ', tabwriter.AlignRight)
	b.row(heads)
	return &b
}

func (b *table) row(cells []string) {
	for _, c := range cells {
		fmt.Fprintf(b.w, "%s\t", c)
	}
	fmt.Fprintln(b.w)
}

func (b *table) log(t *testing.T, title string) {
	t.Helper()
	if err := b.w.Flush(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%s\n%s", title, b.text.String())
}
