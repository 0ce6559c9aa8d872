package policy

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"text/template"
	"time"

	"kerb/agent/week"
	"kerb/counting"
)

// words holds the words of one language that the sentences of the explanation
// are filled with.
type words struct {
	and, or     string
	point, more string
	streamKinds [3]string                // line, zone, loop, after "for each"
	classes     [counting.Classes]string // several of them
	units       [4]unit                  // second, minute, hour, day
	week        [7]string
	effects     [3]string
}

func (s words) templateFuncs() template.FuncMap {
	return template.FuncMap{
		"list": s.joinList, "classes": s.joinClasses, "span": s.formatSpan, "of": s.formatGenitive, "every": s.formatInterval,
		"kinds": s.joinKinds, "class": func(c counting.Class) string { return s.classes[c] },
		"bands": s.joinBands, "band": s.formatBand, "bandFrom": s.bandFrom, "passages": s.passageKinds,
		"zones":      func(ks []counting.Kind) bool { return slices.Contains(ks, counting.ZoneStream) },
		"errorTable": s.errorTable, "exposureTable": s.exposureTable,
		"percent": s.formatPercent, "short": s.formatShort, "number": s.formatNumber, "shifts": s.formatHours,
	}
}

func (s words) joinList(v []string) string {
	if len(v) < 2 {
		return strings.Join(v, "")
	}
	return strings.Join(v[:len(v)-1], ", ") + " " + s.and + " " + v[len(v)-1]
}

// joinKinds is a list such as "line, zone or loop".
func (s words) joinKinds(ks []counting.Kind) string {
	var names []string
	for _, k := range ks {
		names = append(names, s.streamKinds[k])
	}
	return strings.Replace(s.joinList(names), " "+s.and+" ", " "+s.or+" ", 1)
}

// passageKinds are those of the kinds over which a passage is counted; empty: none.
func (s words) passageKinds(ks []counting.Kind) string {
	return s.joinKinds(slices.DeleteFunc(slices.Clone(ks), func(k counting.Kind) bool { return k == counting.ZoneStream }))
}

// formatBand is a band such as 0–4, from its lower end to the next one's; 0: it has no
// upper end.
func (s words) formatBand(from, next int) string {
	if next == 0 {
		return strconv.Itoa(from) + " " + s.more
	}
	return strconv.Itoa(from) + "–" + strconv.Itoa(next-1)
}

// bandFrom is the band that begins at n.
func (s words) bandFrom(bands []int, n int) string {
	i := slices.Index(bands, n)
	if i < 0 || i == len(bands)-1 {
		return s.formatBand(n, 0)
	}
	return s.formatBand(n, bands[i+1])
}

// joinBands are all bands.
func (s words) joinBands(bands []int) string {
	names, from := []string{}, 0
	for _, b := range bands {
		names, from = append(names, s.formatBand(from, b)), b
	}
	return s.joinList(append(names, s.formatBand(from, 0)))
}

func (s words) joinClasses(cs []counting.Class) string {
	var names []string
	for _, c := range cs {
		names = append(names, s.classes[c])
	}
	return s.joinList(names)
}

func (s words) formatHours(hs week.Spans) string {
	var out []string
	for _, h := range hs {
		d := s.week[h.First]
		if h.Last != h.First {
			d += "–" + s.week[h.Last]
		}
		out = append(out, d+" "+week.FormatClock(h.From)+"–"+week.FormatClock(h.To))
	}
	return s.joinList(out)
}

// unit is a unit of time in four forms: singular, plural, the form after "of",
// and the form after "every".
type unit struct{ one, several, of, every string }

// largestUnit is a duration as a whole number of the largest unit that divides
// it; a single day stays 24 hours.
func (s words) largestUnit(l time.Duration) (int64, unit) {
	n, u := int64(l/time.Second), 0
	for i, per := range []int64{60, 60, 24} {
		if n == 0 || n%per != 0 || n == per && i == 2 {
			break
		}
		n, u = n/per, i+1
	}
	return n, s.units[u]
}

// formatSpan is a duration such as "15 minutes".
func (s words) formatSpan(l time.Duration) string {
	n, u := s.largestUnit(l)
	if n == 1 {
		return "1 " + u.one
	}
	return strconv.FormatInt(n, 10) + " " + u.several
}

// formatGenitive is a duration as an attribute of something: in Finnish the
// genitive.
func (s words) formatGenitive(l time.Duration) string {
	n, u := s.largestUnit(l)
	return strconv.FormatInt(n, 10) + " " + u.of
}

// formatInterval is a duration after "every": "15 minutes", or "hour".
func (s words) formatInterval(l time.Duration) string {
	if n, u := s.largestUnit(l); n == 1 {
		return u.every
	}
	return s.formatGenitive(l)
}

func (s words) formatNumber(v float64, decimals int) string {
	return strings.Replace(strconv.FormatFloat(v, 'f', decimals, 64), ".", s.point, 1)
}

// formatShort is v with as few decimals as possible, up to three.
func (s words) formatShort(v float64) string {
	return s.formatNumber(math.Round(v*1000)/1000, -1)
}

// formatPercent is v as a percentage. It does not round to 0 % or to 100 % if v
// is neither: it writes <0.1 % or >99.9 %.
func (s words) formatPercent(v float64) string {
	switch {
	case v > 0 && v < 0.001:
		return "<" + s.formatNumber(0.1, 1) + " %"
	case v < 1 && v > 0.999:
		return ">" + s.formatNumber(99.9, 1) + " %"
	case v < 0.1 || v > 0.9:
		return s.formatNumber(100*v, 1) + " %"
	}
	return s.formatNumber(100*v, 0) + " %"
}
