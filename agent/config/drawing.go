package config

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"kerb/counting"
)

// Drawing holds the geometry that a person draws over one camera's picture.
type Drawing struct {
	Lines   []Line
	Zones   []Zone
	Masks   []counting.Polygon
	Heights []counting.Height // none or two
}

// Drawing returns the lines, zones, masks and heights of the camera.
func (c Camera) Drawing() Drawing { return Drawing{c.Lines, c.Zones, c.Masks, c.Heights} }

// ReplaceDrawing replaces the drawing of one camera in the text of a site file; camera
// is its index in the file. Tables and keys with an unchanged value stay as
// they are written, comments included. The new text is parsed again and
// compared: it must give d for this camera and the old values for everything
// else; otherwise the result is an error. The tables [[stream]] of lines and zones
// that d no longer has are removed. Mistakes in d are returned as a
// mistake.List.
func ReplaceDrawing(name string, data []byte, camera int, d Drawing) ([]byte, error) {
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
	removed := removedStreams(was, d)
	e.removeLabels(before.labelOrder, removed)
	if e.err != nil {
		return nil, e.err
	}
	for _, id := range removed {
		delete(before.Labels, id)
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

// removedStreams returns the ids of the lines and zones that was has and now has not.
func removedStreams(was, now Drawing) (ids []string) {
	kept := map[string]bool{}
	for _, l := range now.Lines {
		kept[l.ID] = true
	}
	for _, z := range now.Zones {
		kept[z.ID] = true
	}
	for _, l := range was.Lines {
		if !kept[l.ID] {
			ids = append(ids, l.ID)
		}
	}
	for _, z := range was.Zones {
		if !kept[z.ID] {
			ids = append(ids, z.ID)
		}
	}
	return ids
}

// onlyDrawingDiffers reports whether after has the drawing d for that camera
// and is equal to before in everything else.
func onlyDrawingDiffers(before, after *Site, camera int, d Drawing) bool {
	if len(after.Cameras) != len(before.Cameras) {
		return false
	}
	got := after.Cameras[camera].Drawing()
	plain := func(s *Site) Site {
		c := *s
		c.file, c.sheet, c.Hash, c.labelOrder = "", nil, "", nil
		if len(c.Labels) == 0 {
			c.Labels = nil
		}
		c.Cameras = slices.Clone(c.Cameras)
		at := &c.Cameras[camera]
		at.Lines, at.Zones, at.Masks, at.Heights = nil, nil, nil, nil
		return c
	}
	return fmt.Sprint(got) == fmt.Sprint(d) && reflect.DeepEqual(plain(before), plain(after))
}

// decimals is the precision of a written coordinate: 10⁻⁴ of the picture is
// less than a tenth of a pixel at 640 × 480.
const decimals = 4

// roundPlaces rounds all coordinates and heights to decimals, in copies of the
// slices.
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

// item is one table of the drawing as text: its id, and keys with values in
// their order.
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
