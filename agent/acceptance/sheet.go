// Package acceptance writes the acceptance sheet of a site: one HTML file to print, with
// the lines as they are drawn, and what tallies by hand have shown of each.
//
// It refuses a picture of the street: the sketch is an empty frame with lines, zones and
// masks of site.toml. It has no exact count: a tally is the coarse record that the device
// publishes in its birth message.
package acceptance

import (
	"embed"
	"fmt"
	"html/template"
	"io"
	"math"
	"strings"
	"time"

	"kerb/agent/config"
	"kerb/agent/language"
	"kerb/agent/uplink"
	"kerb/counting"
)

//go:embed sheet.html words.json
var files embed.FS

// Sheet is what an acceptance sheet tells.
type Sheet struct {
	Site    *config.Site
	Policy  string              // hash of the policy in force
	Version string              // of the program
	Results []uplink.Acceptance // of lines of Site; those of others are left out
	Printed time.Time           // zero where the clock is not synced
}

// sheetView is the data of the template.
type sheetView struct {
	language.Words
	Sheet
	Cameras []camera
}

// camera is one camera on the sheet.
type camera struct {
	Name   string
	Sketch template.HTML
	Rows   []row
}

// row is one line in one light; Result is nil where no tally was kept.
type row struct {
	Line    string
	Classes []string
	Result  *uplink.Acceptance
}

// Write writes the sheet as an HTML file in a language of Languages, or in English. It
// holds its own style, so that it can be saved and printed elsewhere.
func (s Sheet) Write(w io.Writer, lang string) error {
	book, err := loadBook()
	if err != nil {
		return err
	}
	layout, err := template.New("sheet.html").Funcs(template.FuncMap{"percent": formatPercent}).ParseFS(files, "sheet.html")
	if err != nil {
		return fmt.Errorf("acceptance sheet: %w", err)
	}
	v := sheetView{Words: book.Words(book.Choose(lang)), Sheet: s}
	for _, c := range s.Site.Cameras {
		v.Cameras = append(v.Cameras, camera{Name: c.Name, Sketch: drawSketch(c.Drawing()), Rows: s.listRows(c)})
	}
	return layout.Execute(w, v)
}

// loadBook returns the words of the sheet.
func loadBook() (language.Book, error) {
	b, err := files.ReadFile("words.json")
	if err != nil {
		return nil, err
	}
	return language.Parse(b)
}

// listRows returns the results of the lines of a camera, and a row without one for each
// line that has none.
func (s Sheet) listRows(c config.Camera) (rows []row) {
	for _, l := range c.Lines {
		var names []string
		for _, class := range l.Classes {
			names = append(names, class.String())
		}
		r, found := row{Line: l.ID, Classes: names}, false
		for i := range s.Results {
			if s.Results[i].Stream == l.ID {
				r.Result, found = &s.Results[i], true
				rows = append(rows, r)
			}
		}
		if !found {
			rows = append(rows, r)
		}
	}
	return rows
}

// formatPercent writes a share as whole percents with a sign, such as +4 %.
func formatPercent(v float64) string {
	const inAll = 100
	n := int(math.Round(inAll * v))
	if n < 0 {
		return fmt.Sprintf("−%d %%", -n)
	}
	return fmt.Sprintf("+%d %%", n)
}

// The sketch in units of its view box. The frame is 16 to 9: what shape the picture has
// is not known without one.
const (
	sketchWidth, sketchHeight = 640, 360
	arrowLength               = 36.0
	labelGap                  = 8.0
)

// drawSketch draws lines with the arrow of a→b, zones and masks in an empty frame.
func drawSketch(d config.Drawing) template.HTML {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg viewBox="0 0 %d %d" role="img"><rect class="frame" width="%d" height="%d"/>`, sketchWidth, sketchHeight, sketchWidth, sketchHeight)
	for _, m := range d.Masks {
		fmt.Fprintf(&b, `<polygon class="mask" points="%s"/>`, joinPoints(m))
	}
	for _, z := range d.Zones {
		fmt.Fprintf(&b, `<polygon class="zone" points="%s"/>`, joinPoints(z.Polygon))
		if len(z.Polygon) > 0 {
			writeLabel(&b, scalePoint(z.Polygon[0]), z.ID)
		}
	}
	for _, l := range d.Lines {
		drawLine(&b, l.Line)
	}
	b.WriteString("</svg>")
	return template.HTML(b.String()) // numbers, and texts that are escaped
}

// scalePoint takes a point of the picture, 0–1, to the sketch.
func scalePoint(p counting.Point) counting.Point {
	return counting.Point{X: p.X * sketchWidth, Y: p.Y * sketchHeight}
}

func joinPoints(polygon counting.Polygon) string {
	var points []string
	for _, p := range polygon {
		p = scalePoint(p)
		points = append(points, fmt.Sprintf("%.0f,%.0f", p.X, p.Y))
	}
	return strings.Join(points, " ")
}

// writeLabel writes a text at a point, inside the frame.
func writeLabel(b *strings.Builder, at counting.Point, text string) {
	const letter = 14
	anchor := "start"
	if at.X > sketchWidth/2 {
		anchor = "end"
	}
	fmt.Fprintf(b, `<text x="%.0f" y="%.0f" text-anchor="%s">%s</text>`, at.X, min(max(at.Y-labelGap, letter), sketchHeight-labelGap), anchor, template.HTMLEscapeString(text))
}

// drawLine draws a line with its name, and an arrow from side a to side b: b is where
// (x2−x1)(py−y1) − (y2−y1)(px−x1) is positive, as counting has it.
func drawLine(b *strings.Builder, l counting.Line) {
	from, to := scalePoint(l.From), scalePoint(l.To)
	fmt.Fprintf(b, `<path class="line" d="M%.0f %.0fL%.0f %.0f"/>`, from.X, from.Y, to.X, to.Y)
	writeLabel(b, from, l.ID)
	dx, dy := to.X-from.X, to.Y-from.Y
	long := math.Hypot(dx, dy)
	if long == 0 {
		return
	}
	nx, ny := -dy/long, dx/long // towards b
	x, y := (from.X+to.X)/2, (from.Y+to.Y)/2
	tipX, tipY := x+nx*arrowLength/2, y+ny*arrowLength/2
	const wing = 8.0
	fmt.Fprintf(b, `<path class="arrow" d="M%.0f %.0fL%.0f %.0fM%.0f %.0fL%.0f %.0fL%.0f %.0f"/>`,
		x-nx*arrowLength/2, y-ny*arrowLength/2, tipX, tipY,
		tipX-wing*nx-wing*ny, tipY-wing*ny+wing*nx, tipX, tipY, tipX-wing*nx+wing*ny, tipY-wing*ny-wing*nx)
	fmt.Fprintf(b, `<text class="side" x="%.0f" y="%.0f">a</text><text class="side" x="%.0f" y="%.0f">b</text>`,
		x-nx*arrowLength, y-ny*arrowLength+labelGap/2, x+nx*arrowLength, y+ny*arrowLength+labelGap/2)
}
