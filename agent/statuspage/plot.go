package statuspage

import (
	"fmt"
	"html/template"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"kerb/agent/language"
	"kerb/agent/status"
)

// The plot in units of its view box. Chosen by hand: on a telephone of 360 points, the
// letters are eleven points high.
const (
	plotWidth   = 576
	plotHalf    = 60 // height of one direction
	plotLeft    = 60 // for the numbers
	plotFoot    = 24 // for the days
	letter      = 18 // height of the letters
	fewest      = 5  // the least upper end of a scale
	tenthsInOne = 10
)

// streamView is one stream on the page.
type streamView struct {
	Name, Kind string
	Panels     []panel
}

// panel is the plot of one class: both directions of a line or loop, one above the axis
// and one below, or the mean of a zone.
type panel struct {
	Class, Summary string
	Up, Down       string // directions above the axis and below it, such as a→b; "": none
	SVG            template.HTML
}

// drawing writes the plots of one history.
type drawing struct {
	h     *status.History
	zone  *time.Location
	slots int
	width int // of a slot
	words language.Words
}

// drawHistory returns the plots of all streams.
func drawHistory(h *status.History, w language.Words) (all []streamView) {
	d := &drawing{h: h, zone: time.UTC, slots: h.Slots(), words: w}
	if zone, err := time.LoadLocation(h.Zone); err == nil && h.Zone != "" {
		d.zone = zone
	}
	if d.slots == 0 {
		return nil
	}
	d.width = max(plotWidth/d.slots, 1)
	for i := range h.Streams {
		all = append(all, d.drawStream(i))
	}
	return all
}

// drawStream draws the panels of the i-th stream. Its gaps are drawn once, and used by
// each panel.
func (d *drawing) drawStream(i int) streamView {
	st := &d.h.Streams[i]
	v := streamView{Name: st.Name, Kind: st.Kind}
	var classes []string
	for _, s := range st.Series {
		if len(s.N) == d.slots && len(s.Least) == d.slots && len(s.Most) == d.slots && !slices.Contains(classes, s.Class) {
			classes = append(classes, s.Class)
		}
	}
	if len(classes) == 0 {
		classes = []string{""} // gaps alone
	}
	for n, class := range classes {
		v.Panels = append(v.Panels, d.drawPanel(st, class, "g"+strconv.Itoa(i), n == 0))
	}
	return v
}

// drawPanel draws one class of a stream. gaps is the id of the path of its gaps.
func (d *drawing) drawPanel(st *status.Stream, class, gaps string, first bool) panel {
	up, down := pickSeries(st, class)
	top := scaleOf(up, down)
	height := plotHalf
	if down != nil {
		height *= 2
	}
	p := panel{Class: class, Up: arrowOf(up), Down: arrowOf(down)}
	p.Summary = d.words.T("{}, {}: at most {} in {}", st.Name, class, formatTenths(top), status.FormatAge(d.h.Step))
	full := d.slots * d.width
	var b strings.Builder
	fmt.Fprintf(&b, `<svg viewBox="%d -10 %d %d" role="img" aria-label="%s">`, -plotLeft, full+plotLeft, height+plotFoot+10, template.HTMLEscapeString(p.Summary))
	fmt.Fprintf(&b, `<rect class="ground" width="%d" height="%d"/>`, full, height)
	if first {
		fmt.Fprintf(&b, `<defs><path id="%s" d="%s"/></defs>`, gaps, d.gapPath(st.Slots))
	}
	fmt.Fprintf(&b, `<use href="#%s" class="gap"/>`, gaps)
	d.writeDays(&b, height)
	d.writeSeries(&b, up, top, plotHalf, -1, "ab")
	d.writeSeries(&b, down, top, plotHalf, 1, "ba")
	fmt.Fprintf(&b, `<path class="axis" d="M0 %dh%d"/><text x="-6" y="%d" class="n">%s</text><text x="-6" y="%d" class="n">0</text>`, plotHalf, full, letter-8, formatTenths(top), plotHalf+letter/3)
	if down != nil {
		fmt.Fprintf(&b, `<text x="-6" y="%d" class="n">%s</text>`, height, formatTenths(top))
	}
	b.WriteString("</svg>")
	p.SVG = template.HTML(b.String()) // numbers, and texts that are escaped
	return p
}

// arrowOf returns the direction of a series; "" for a zone, and for none.
func arrowOf(s *status.Series) string {
	if s == nil {
		return ""
	}
	return status.Arrow(s.Dir)
}

// pickSeries returns the series of a class: that above the axis and that below it, nil
// where there is none. One direction alone is drawn above.
func pickSeries(st *status.Stream, class string) (up, down *status.Series) {
	for i := range st.Series {
		switch s := &st.Series[i]; {
		case s.Class != class:
		case up == nil:
			up = s
		default:
			down = s
		}
	}
	return up, down
}

// scaleOf returns the upper end of the scale in tenths: a round number, no smaller than any
// number and any bound, and less than twice the largest of them.
func scaleOf(all ...*status.Series) int32 {
	largest := int32(fewest * tenthsInOne)
	for _, s := range all {
		if s != nil {
			largest = max(largest, slices.Max(s.N), slices.Max(s.Most))
		}
	}
	step := math.Pow10(int(math.Log10(float64(largest))))
	for _, m := range []float64{1, 1.5, 2, 3, 4, 5, 6, 8, 10} {
		if m*step >= float64(largest) {
			return int32(m * step)
		}
	}
	return largest
}

// formatTenths writes a number of tenths.
func formatTenths(n int32) string { return strconv.FormatFloat(float64(n)/tenthsInOne, 'f', -1, 64) }

// gapPath returns the path of the gaps over the height of two directions; a plot of one
// cuts it off.
func (d *drawing) gapPath(states string) string {
	var b strings.Builder
	for i := 0; i < min(len(states), d.slots); {
		n := i
		for n < len(states) && states[n] == status.SlotGap {
			n++
		}
		if n > i {
			fmt.Fprintf(&b, "M%d 0h%dv%dh-%dz", i*d.width, (n-i)*d.width, 2*plotHalf, (n-i)*d.width)
		}
		i = max(n, i+1)
	}
	return b.String()
}

// weekdays are the days as the words of the page have them.
var weekdays = [7]string{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"}

// writeDays writes a line and a label at each midnight, and a line at each noon, of the
// policy's time zone.
func (d *drawing) writeDays(b *strings.Builder, height int) {
	start := time.Unix(d.h.Start, 0).In(d.zone)
	end := start.Add(status.HistorySpan * time.Second)
	at := func(t time.Time) int {
		return int(t.Sub(start) * time.Duration(d.width) / (time.Duration(d.h.Step) * time.Second))
	}
	var lines strings.Builder
	for day := range 5 {
		midnight := time.Date(start.Year(), start.Month(), start.Day()+day, 0, 0, 0, 0, d.zone)
		noon := time.Date(start.Year(), start.Month(), start.Day()+day, 12, 0, 0, 0, d.zone)
		for _, t := range []time.Time{midnight, noon} {
			if !t.Before(start) && t.Before(end) {
				fmt.Fprintf(&lines, "M%d 0v%d", at(t), height)
			}
		}
		if x := at(midnight); !midnight.Before(start) && midnight.Before(end.Add(-3*time.Hour)) {
			fmt.Fprintf(b, `<text x="%d" y="%d">%s %d</text>`, x+4, height+letter, d.words.T(weekdays[midnight.Weekday()]), midnight.Day())
		}
	}
	fmt.Fprintf(b, `<path class="day" d="%s"/>`, &lines)
}

// writeSeries writes the band and the line of a series. sign is -1 above the axis, which
// lies at y = axis, and 1 below it.
func (d *drawing) writeSeries(b *strings.Builder, s *status.Series, top int32, axis, sign int, class string) {
	if s == nil {
		return
	}
	y := func(v int32) int {
		if v == status.NoNumber {
			v = top // the upper end of a range that has none
		}
		return axis + sign*int(min(max(v, 0), top))*plotHalf/int(top)
	}
	var band, line strings.Builder
	for i := 0; i < d.slots; {
		n := i
		for n < d.slots && s.Least[n] != status.NoNumber {
			n++
		}
		if n > i {
			d.writeSteps(&band, s.Most, i, n, y, true)
			d.writeSteps(&band, s.Least, i, n, y, false)
			band.WriteByte('z')
		}
		i = max(n, i+1)
	}
	for i := 0; i < d.slots; {
		n := i
		for n < d.slots && s.N[n] != status.NoNumber {
			n++
		}
		if n > i {
			d.writeSteps(&line, s.N, i, n, y, true)
		}
		i = max(n, i+1)
	}
	fmt.Fprintf(b, `<path class="band %s" d="%s"/><path class="line %s" d="%s"/>`, class, &band, class, &line)
}

// writeSteps writes the steps of the values from slot i to before slot n: from left to
// right as the beginning of a path, or else back as its continuation.
func (d *drawing) writeSteps(b *strings.Builder, values []int32, i, n int, y func(int32) int, forward bool) {
	from, step, width := i, 1, d.width
	if !forward {
		from, step, width = n-1, -1, -d.width
	}
	at := y(values[from])
	if forward {
		fmt.Fprintf(b, "M%d %d", i*d.width, at)
	} else {
		fmt.Fprintf(b, "V%d", at)
	}
	run := 0
	for k := from; k >= i && k < n; k += step {
		if next := y(values[k]); next != at {
			b.WriteByte('h')
			b.WriteString(strconv.Itoa(run * width))
			b.WriteByte('v')
			b.WriteString(strconv.Itoa(next - at))
			at, run = next, 0
		}
		run++
	}
	b.WriteByte('h')
	b.WriteString(strconv.Itoa(run * width))
}
