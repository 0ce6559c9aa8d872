package policy

import (
	"math"
	"strconv"
	"strings"
	"text/template"
	"time"

	"kerb/agent/week"
	"kerb/counting"
)

// words is what differs between languages below the sentence.
type words struct {
	and, or     string
	point, more string
	things      [3]string                // line, zone, loop, after "for each"
	classes     [counting.Classes]string // several of them
	units       [4]unit                  // second, minute, hour, day
	week        [7]string
	ways        [3]string
}

func (s words) functions() template.FuncMap {
	return template.FuncMap{
		"list": s.list, "classes": s.names, "span": s.span, "of": s.of, "every": s.every,
		"percent": s.percent, "short": s.short, "number": s.number, "shifts": s.shifts,
	}
}

func (s words) list(v []string) string {
	if len(v) < 2 {
		return strings.Join(v, "")
	}
	return strings.Join(v[:len(v)-1], ", ") + " " + s.and + " " + v[len(v)-1]
}

func (s words) names(cs []class) string {
	var names []string
	for _, c := range cs {
		names = append(names, s.classes[c])
	}
	return s.list(names)
}

func (s words) shifts(hs week.Shifts) string {
	var out []string
	for _, h := range hs {
		d := s.week[h.First]
		if h.Last != h.First {
			d += "–" + s.week[h.Last]
		}
		out = append(out, d+" "+week.Clock(h.From)+"–"+week.Clock(h.To))
	}
	return s.list(out)
}

// unit is a unit of time: one, several, "of" several, and "every" one.
type unit struct{ one, several, of, every string }

// in is a length in the largest unit that it has whole ones of; a single day
// is 24 hours.
func (s words) in(l length) (int64, unit) {
	n, u := int64(time.Duration(l)/time.Second), 0
	for i, per := range []int64{60, 60, 24} {
		if n == 0 || n%per != 0 || n == per && i == 2 {
			break
		}
		n, u = n/per, i+1
	}
	return n, s.units[u]
}

// span is a length such as "15 minutes".
func (s words) span(l length) string {
	n, u := s.in(l)
	if n == 1 {
		return "1 " + u.one
	}
	return strconv.FormatInt(n, 10) + " " + u.several
}

// of is a length that something has: in Finnish its genitive.
func (s words) of(l length) string {
	n, u := s.in(l)
	return strconv.FormatInt(n, 10) + " " + u.of
}

// every is how often something is: "15 minutes", or "hour".
func (s words) every(l length) string {
	if n, u := s.in(l); n == 1 {
		return u.every
	}
	return s.of(l)
}

func (s words) number(v float64, decimals int) string {
	return strings.Replace(strconv.FormatFloat(v, 'f', decimals, 64), ".", s.point, 1)
}

// short is v with as few decimals as it takes, up to three.
func (s words) short(v float64) string {
	return s.number(math.Round(v*1000)/1000, -1)
}

// percent never rounds to a certainty that is not there.
func (s words) percent(v float64) string {
	switch {
	case v > 0 && v < 0.001:
		return "<" + s.number(0.1, 1) + " %"
	case v < 1 && v > 0.999:
		return ">" + s.number(99.9, 1) + " %"
	case v < 0.1 || v > 0.9:
		return s.number(100*v, 1) + " %"
	}
	return s.number(100*v, 0) + " %"
}
