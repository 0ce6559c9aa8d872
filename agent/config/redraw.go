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
	d.roundPlaces()
	was := before.Cameras[camera].Drawing()
	e.editTables("line", toItems(was.Lines, lineToItem), toItems(d.Lines, lineToItem))
	e.editTables("zone", toItems(was.Zones, zoneToItem), toItems(d.Zones, zoneToItem))
	e.editTables("mask", toItems(was.Masks, maskToItem), toItems(d.Masks, maskToItem))
	e.editTables("height", toItems(was.Heights, heightToItem), toItems(d.Heights, heightToItem))
	if e.err != nil {
		return nil, e.err
	}
	text := e.applyEdits()
	after, err := Parse(name, text)
	if err != nil {
		return nil, err
	}
	if !onlyDrawingDiffers(before, after, camera, d) {
		return nil, fmt.Errorf("%s: what was drawn cannot be written into this file without changing more of it: write [[camera]] and its tables one after another", name)
	}
	return text, nil
}

// onlyDrawingDiffers reports whether after is before with the drawing d for that camera.
func onlyDrawingDiffers(before, after *Site, camera int, d Drawing) bool {
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

func (d *Drawing) roundPlaces() {
	at := func(p counting.Point) counting.Point {
		return counting.Point{X: roundDecimals(p.X), Y: roundDecimals(p.Y)}
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
		h.Foot, h.Top, h.Metres = at(h.Foot), at(h.Top), roundDecimals(h.Metres)
	}
}

func roundDecimals(v float64) float64 {
	scale := math.Pow(10, decimals)
	return math.Round(v*scale) / scale
}

// item is one table as keys and values, in their order.
type item struct {
	id   string
	keys []pair
}

type pair struct{ key, value string }

func toItems[T any](vs []T, of func(T) item) (is []item) {
	for _, v := range vs {
		is = append(is, of(v))
	}
	return is
}

func lineToItem(l Line) item {
	return item{l.ID, []pair{{"id", strconv.Quote(l.ID)}, {"from", formatPoint(l.From)}, {"to", formatPoint(l.To)}, {"classes", formatClasses(l.Classes)}}}
}

func zoneToItem(z Zone) item {
	return item{z.ID, []pair{{"id", strconv.Quote(z.ID)}, {"polygon", formatPolygon(z.Polygon)}, {"classes", formatClasses(z.Classes)}}}
}

func maskToItem(g counting.Polygon) item { return item{"", []pair{{"polygon", formatPolygon(g)}}} }

func heightToItem(h counting.Height) item {
	return item{"", []pair{{"foot", formatPoint(h.Foot)}, {"top", formatPoint(h.Top)}, {"metres", formatNumber(h.Metres)}}}
}

func formatNumber(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

func formatPoint(p counting.Point) string {
	return "[" + formatNumber(p.X) + ", " + formatNumber(p.Y) + "]"
}

func formatPolygon(g counting.Polygon) string {
	ps := make([]string, len(g))
	for i, p := range g {
		ps[i] = formatPoint(p)
	}
	return "[" + strings.Join(ps, ", ") + "]"
}

func formatClasses(cs []counting.Class) string {
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
	newTable bool // a new one: it comes after new keys in the same place
}

// editTables brings the tables of one kind from was to now.
func (e *editor) editTables(kind string, was, now []item) {
	if len(was) > 0 && e.sheet.KeyLine(e.tablePath(kind, 0)) == 0 {
		if !reflect.DeepEqual(was, now) {
			e.err = fmt.Errorf("%s: %s.%s is written within one value: write each as a table, [[camera.%s]]", e.sheet.Locate(e.camera+"."+kind), e.camera, kind, kind)
		}
		return
	}
	old := matchItems(was, now)
	kept := map[int]bool{}
	for i, n := range now {
		if old[i] >= 0 {
			kept[old[i]] = true
			e.changeValues(e.tablePath(kind, old[i]), was[old[i]], n)
		}
	}
	for i := range was {
		if !kept[i] {
			e.removeTable(e.tablePath(kind, i))
		}
	}
	at := e.insertionLine(kind)
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

func (e *editor) tablePath(kind string, i int) string {
	return fmt.Sprintf("%s.%s[%d]", e.camera, kind, i)
}

// matchItems says of each new item which old one it was: the one of its name, or,
// if that is gone, the one in its place.
func matchItems(was, now []item) []int {
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

// tableLines is a table's lines, from its header to behind its last key.
func (e *editor) tableLines(path string) (from, to int) {
	from = e.sheet.KeyLine(path) - 1
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

// insertionLine is the line before which another table of the kind goes: behind the last
// one of its kind, or of its camera.
func (e *editor) insertionLine(kind string) int {
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
	_, to := e.tableLines(last)
	return to
}

func (e *editor) changeValues(path string, was, now item) {
	for i, p := range now.keys {
		if was.keys[i].value == p.value {
			continue
		}
		line := e.sheet.KeyLine(path+"."+p.key) - 1
		if line < 0 {
			_, to := e.tableLines(path)
			e.edits = append(e.edits, edit{from: to, to: to, text: p.key + " = " + p.value + "\n"})
			continue
		}
		to, rest := e.valueEnd(line)
		indent := e.lines[line][:len(e.lines[line])-len(strings.TrimLeft(e.lines[line], " \t"))]
		e.edits = append(e.edits, edit{from: line, to: to, text: indent + p.key + " = " + p.value + rest + "\n"})
	}
}

// valueEnd finds the end of the value that begins in a line: the line behind it,
// and the comment after it.
func (e *editor) valueEnd(line int) (to int, comment string) {
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

// removeTable takes a table out, with the comment right above it unless that may be
// about all that follow.
func (e *editor) removeTable(path string) {
	from, to := e.tableLines(path)
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

// applyEdits is the file with all edits.
func (e *editor) applyEdits() []byte {
	slices.SortStableFunc(e.edits, func(a, b edit) int {
		if a.from != b.from || a.newTable == b.newTable {
			return a.from - b.from
		}
		if a.newTable {
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
