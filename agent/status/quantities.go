package status

import (
	"encoding/json"
	"strings"
)

// traffic is what a window of kerb.count/1 says besides its counts. A nil number is
// withheld.
type traffic struct {
	Occ       *struct{ Permille *json.Number }
	Speed     *speed
	Length    *histogram
	Headway   *histogram
	Gap       *histogram
	Congested *struct{ N *json.Number }
	Standing  []struct {
		Class            string
		Standing, Moving *json.Number
	}
}

type speed struct {
	N, Mean *json.Number
	Bins    []*json.Number
}

type histogram struct{ Bins []*json.Number }

// describeTraffic writes the quantities, each after a semicolon, such as "; covered 84 ‰;
// speed 47.5 km/h of 31"; "" for counts alone. A withheld number is "–".
func (t traffic) describeTraffic() string {
	var b strings.Builder
	add := func(words ...string) { b.WriteString("; " + strings.Join(words, " ")) }
	bins := func(name string, h *histogram) {
		if h != nil {
			add(append([]string{name}, numbersOf(h.Bins)...)...)
		}
	}
	if t.Occ != nil {
		add("covered", numberOf(t.Occ.Permille), "‰")
	}
	if s := t.Speed; s != nil {
		if s.Mean != nil || s.Bins == nil {
			add("speed", numberOf(s.Mean), "km/h of", numberOf(s.N))
		}
		if s.Bins != nil {
			bins("speeds", &histogram{s.Bins})
		}
	}
	bins("lengths", t.Length)
	bins("headways", t.Headway)
	bins("gaps", t.Gap)
	if t.Congested != nil {
		add("congested", numberOf(t.Congested.N))
	}
	for _, x := range t.Standing {
		add(x.Class, "standing", numberOf(x.Standing)+",", "moving", numberOf(x.Moving))
	}
	return b.String()
}

func numberOf(n *json.Number) string {
	if n == nil {
		return "–"
	}
	return n.String()
}

func numbersOf(ns []*json.Number) (out []string) {
	for _, n := range ns {
		out = append(out, numberOf(n))
	}
	return out
}
