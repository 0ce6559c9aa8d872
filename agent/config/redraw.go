package config

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"kerb/agent/mistake"
	"kerb/counting"
)

// Drawing is what is drawn over one camera's picture.
type Drawing struct {
	Lines   []Line
	Zones   []Zone
	Masks   []counting.Polygon
	Heights []counting.Height // none or two
}

// Drawing is what is drawn over the camera's picture.
func (c Camera) Drawing() Drawing { return Drawing{c.Lines, c.Zones, c.Masks, c.Heights} }

// Redraw is the text of a site file with another drawing for one camera, by its
// place in the file. What was not drawn anew stays as it is written, comments
// included. The result was read back: it says what was drawn, and of all else
// the same as before. What is wrong with the drawing comes back as a
// mistake.List.
func Redraw(name string, data []byte, camera int, d Drawing) ([]byte, error) {
	before, err := Parse(name, data)
	if err != nil {
		return nil, err
	}
	e := editor{sheet: before.sheet, lines: strings.SplitAfter(string(data), "\n"), camera: fmt.Sprintf("camera[%d]", camera)}
	if last := len(e.lines) - 1; e.lines[last] == "" {
		e.lines = e.lines[:last]
	} else {
		e.lines[last] += "\n"
	}
	d.round()
	was := before.Cameras[camera].Drawing()
	e.section("line", items(was.Lines, lineItem), items(d.Lines, lineItem))
	e.section("zone", items(was.Zones, zoneItem), items(d.Zones, zoneItem))
	e.section("mask", items(was.Masks, maskItem), items(d.Masks, maskItem))
	e.section("height", items(was.Heights, heightItem), items(d.Heights, heightItem))
	if e.err != nil {
		return nil, e.err
	}
	text := e.text()
	after, err := Parse(name, text)
	if err != nil {
		return nil, err
	}
	if !same(before, after, camera, d) {
		return nil, fmt.Errorf("%s: what was drawn cannot be written into this file without changing more of it: write [[camera]] and its tables one after another", name)
	}
	return text, nil
}

// same reports whether after is before with the drawing d for that camera.
func same(before, after *Site, camera int, d Drawing) bool {
	if len(after.Cameras) != len(before.Cameras) {
		return false
	}
	got := after.Cameras[camera].Drawing()
	plain := func(s *Site) Site {
		c := *s
		c.file, c.sheet = "", nil
		c.Cameras = slices.Clone(c.Cameras)
		at := &c.Cameras[camera]
		at.Lines, at.Zones, at.Masks, at.Heights = nil, nil, nil, nil
		return c
	}
	return fmt.Sprint(got) == fmt.Sprint(d) && reflect.DeepEqual(plain(before), plain(after))
}

// decimals is how finely a place is written: a tenth of a pixel.
const decimals = 4

func (d *Drawing) round() {
	at := func(p counting.Point) counting.Point {
		return counting.Point{X: rounded(p.X), Y: rounded(p.Y)}
	}
	area := func(g counting.Polygon) (out counting.Polygon) {
		for _, p := range g {
			out = append(out, at(p))
		}
		return out
	}
	d.Lines, d.Zones, d.Masks, d.Heights = slices.Clone(d.Lines), slices.Clone(d.Zones), slices.Clone(d.Masks), slices.Clone(d.Heights)
	for i := range d.Lines {
		d.Lines[i].From, d.Lines[i].To = at(d.Lines[i].From), at(d.Lines[i].To)
	}
	for i := range d.Zones {
		d.Zones[i].Polygon = area(d.Zones[i].Polygon)
	}
	for i := range d.Masks {
		d.Masks[i] = area(d.Masks[i])
	}
	for i := range d.Heights {
		h := &d.Heights[i]
		h.Foot, h.Top, h.Metres = at(h.Foot), at(h.Top), rounded(h.Metres)
	}
}

func rounded(v float64) float64 {
	scale := math.Pow(10, decimals)
	return math.Round(v*scale) / scale
}

// item is one table as keys and values, in their order.
type item struct {
	id   string
	keys []pair
}

type pair struct{ key, value string }

func items[T any](vs []T, of func(T) item) (is []item) {
	for _, v := range vs {
		is = append(is, of(v))
	}
	return is
}

func lineItem(l Line) item {
	return item{l.ID, []pair{{"id", strconv.Quote(l.ID)}, {"from", pointText(l.From)}, {"to", pointText(l.To)}, {"classes", classText(l.Classes)}}}
}

func zoneItem(z Zone) item {
	return item{z.ID, []pair{{"id", strconv.Quote(z.ID)}, {"polygon", areaText(z.Polygon)}, {"classes", classText(z.Classes)}}}
}

func maskItem(g counting.Polygon) item { return item{"", []pair{{"polygon", areaText(g)}}} }

func heightItem(h counting.Height) item {
	return item{"", []pair{{"foot", pointText(h.Foot)}, {"top", pointText(h.Top)}, {"metres", number(h.Metres)}}}
}

func number(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

func pointText(p counting.Point) string { return "[" + number(p.X) + ", " + number(p.Y) + "]" }

func areaText(g counting.Polygon) string {
	ps := make([]string, len(g))
	for i, p := range g {
		ps[i] = pointText(p)
	}
	return "[" + strings.Join(ps, ", ") + "]"
}

func classText(cs []counting.Class) string {
	names := make([]string, len(cs))
	for i, c := range cs {
		names[i] = strconv.Quote(c.String())
	}
	return "[" + strings.Join(names, ", ") + "]"
}

// editor changes a file line by line, by what the sheet knows of its places.
type editor struct {
	sheet  *mistake.Sheet
	lines  []string // with their ends
	camera string
	edits  []edit
	err    error
}

// edit puts other text in the place of lines [from, to), counted from 0.
type edit struct {
	from, to int
	text     string
	table    bool // a new one: it comes after new keys in the same place
}

// section brings the tables of one kind from was to now.
func (e *editor) section(kind string, was, now []item) {
	if len(was) > 0 && e.sheet.Line(e.path(kind, 0)) == 0 {
		if !reflect.DeepEqual(was, now) {
			e.err = fmt.Errorf("%s: %s.%s is written within one value: write each as a table, [[camera.%s]]", e.sheet.At(e.camera+"."+kind), e.camera, kind, kind)
		}
		return
	}
	old := pairUp(was, now)
	kept := map[int]bool{}
	for i, n := range now {
		if old[i] >= 0 {
			kept[old[i]] = true
			e.change(e.path(kind, old[i]), was[old[i]], n)
		}
	}
	for i := range was {
		if !kept[i] {
			e.remove(e.path(kind, i))
		}
	}
	at := e.end(kind)
	for i, n := range now {
		if old[i] >= 0 {
			continue
		}
		text := "\n[[camera." + kind + "]]\n"
		for _, p := range n.keys {
			text += p.key + " = " + p.value + "\n"
		}
		e.edits = append(e.edits, edit{at, at, text, true})
	}
}

func (e *editor) path(kind string, i int) string { return fmt.Sprintf("%s.%s[%d]", e.camera, kind, i) }

// pairUp says of each new item which old one it was: the one of its name, or,
// if that is gone, the one in its place.
func pairUp(was, now []item) []int {
	old := make([]int, len(now))
	taken := map[int]bool{}
	for i, n := range now {
		old[i] = -1
		if j := slices.IndexFunc(was, func(w item) bool { return w.id == n.id && n.id != "" }); j >= 0 && !taken[j] {
			old[i], taken[j] = j, true
		}
	}
	for i := range now {
		if old[i] < 0 && i < len(was) && !taken[i] {
			old[i], taken[i] = i, true
		}
	}
	return old
}

// span is a table's lines, from its header to behind its last key.
func (e *editor) span(path string) (from, to int) {
	from = e.sheet.Line(path) - 1
	to = len(e.lines)
	for _, t := range e.sheet.Tables() {
		if t.Line-1 > from {
			to = t.Line - 1
			break
		}
	}
	for to > from+1 {
		if text := strings.TrimSpace(e.lines[to-1]); text != "" && text[0] != '#' {
			break
		}
		to--
	}
	return from, to
}

// end is the line before which another table of the kind goes: behind the last
// one of its kind, or of its camera.
func (e *editor) end(kind string) int {
	last := e.camera
	for _, t := range e.sheet.Tables() {
		if strings.HasPrefix(t.Path, e.camera+"."+kind+"[") {
			last = t.Path
		}
	}
	if last == e.camera {
		for _, t := range e.sheet.Tables() {
			if strings.HasPrefix(t.Path, e.camera+".") {
				last = t.Path
			}
		}
	}
	_, to := e.span(last)
	return to
}

func (e *editor) change(path string, was, now item) {
	for i, p := range now.keys {
		if was.keys[i].value == p.value {
			continue
		}
		line := e.sheet.Line(path+"."+p.key) - 1
		if line < 0 {
			_, to := e.span(path)
			e.edits = append(e.edits, edit{from: to, to: to, text: p.key + " = " + p.value + "\n"})
			continue
		}
		to, rest := e.value(line)
		indent := e.lines[line][:len(e.lines[line])-len(strings.TrimLeft(e.lines[line], " \t"))]
		e.edits = append(e.edits, edit{from: line, to: to, text: indent + p.key + " = " + p.value + rest + "\n"})
	}
}

// value finds the end of the value that begins in a line: the line behind it,
// and the comment after it.
func (e *editor) value(line int) (to int, comment string) {
	depth, quote := 0, byte(0)
	for to = line; to < len(e.lines); to++ {
		text := strings.TrimRight(e.lines[to], "\r\n")
		for i := 0; i < len(text); i++ {
			switch c := text[i]; {
			case quote != 0:
				if c == '\\' && quote == '"' {
					i++
				} else if c == quote {
					quote = 0
				}
			case c == '"' || c == '\'':
				quote = c
			case c == '[' || c == '{':
				depth++
			case c == ']' || c == '}':
				depth--
			case c == '#':
				if depth == 0 {
					comment = " " + text[i:]
				}
				i = len(text)
			}
		}
		if depth <= 0 {
			return to + 1, comment
		}
	}
	return to, ""
}

// remove takes a table out, with the comment right above it unless that may be
// about all that follow.
func (e *editor) remove(path string) {
	from, to := e.span(path)
	if !strings.HasSuffix(path, "[0]") {
		for from > 0 && strings.HasPrefix(strings.TrimSpace(e.lines[from-1]), "#") {
			from--
		}
	}
	if from > 0 && strings.TrimSpace(e.lines[from-1]) == "" {
		from--
	}
	e.edits = append(e.edits, edit{from: from, to: to})
}

// text is the file with all edits.
func (e *editor) text() []byte {
	slices.SortStableFunc(e.edits, func(a, b edit) int {
		if a.from != b.from || a.table == b.table {
			return a.from - b.from
		}
		if a.table {
			return 1
		}
		return -1
	})
	var b strings.Builder
	at := 0
	for _, d := range e.edits {
		for at < d.from {
			b.WriteString(e.lines[at])
			at++
		}
		b.WriteString(d.text)
		at = max(at, d.to)
	}
	for ; at < len(e.lines); at++ {
		b.WriteString(e.lines[at])
	}
	return []byte(b.String())
}
