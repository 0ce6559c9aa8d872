package notice

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"

	"kerb/agent/qrcode"
	"kerb/agent/transparency"
	"kerb/agent/transparency/register"
)

// A Paper is a size of paper. A4 is A5 scaled by the square root of two, so that one layout
// serves both.
type Paper string

// The sizes.
const (
	A4 Paper = "a4"
	A5 Paper = "a5"
)

// The sheet in millimetres of A5, and the sizes of its letters. The smallest letter is 9.07
// points: 9 are asked for, and 1 point is 0.3528 mm.
const (
	sheetWidth  = 148.0
	sheetHeight = 210.0
	margin      = 9.0
	textWidth   = sheetWidth - 2*margin
	headSize    = 8.0
	largest     = 5.4 // of the body, where there is room
	bodySize    = 4.1
	smallSize   = 3.2
	leading     = 1.28 // distance of lines, of the size
	codeSide    = 42.0 // of the QR code with its quiet zone
	bodyEnd     = sheetHeight - codeSide - 2*margin
)

// sizes maps a paper to its width and height in millimetres.
func (p Paper) sizes() (w, h string) {
	if p == A4 {
		return "210mm", "297mm"
	}
	return "148mm", "210mm"
}

// WriteSVG writes the sign as an SVG, and returns the answers that it lacks.
func WriteSVG(w io.Writer, r *transparency.Record, l Language, p Paper) ([]register.Missing, error) {
	svg, missing, err := drawSign(r, l, p)
	if err != nil {
		return nil, err
	}
	_, err = io.WriteString(w, `<?xml version="1.0" encoding="UTF-8"?>`+"\n"+svg)
	return missing, err
}

// WriteSign writes the sign as an HTML page that prints on exactly one sheet of paper, for
// a browser's "Save as PDF", and returns the answers that it lacks.
func WriteSign(w io.Writer, r *transparency.Record, l Language, p Paper) ([]register.Missing, error) {
	svg, missing, err := drawSign(r, l, p)
	if err != nil {
		return nil, err
	}
	width, height := p.sizes()
	head := escape(speaker{wordsOf(l), r}.headline()) // for screen readers
	_, err = fmt.Fprintf(w, `<!DOCTYPE html>
<html lang="%s"><head><meta charset="utf-8"><title>%s</title>
<style>@page { size: %s %s; margin: 0 } html, body { margin: 0; background: #fff } svg { display: block }
h1 { position: absolute; width: 1px; height: 1px; margin: -1px; overflow: hidden; clip-path: inset(50%%) } @media print { h1 { display: none } }</style></head>
<body><main><h1>%s</h1>
%s</main></body></html>
`, l, head, width, height, head, svg)
	return missing, err
}

// drawSign draws the sign.
func drawSign(r *transparency.Record, l Language, p Paper) (string, []register.Missing, error) {
	s := speaker{wordsOf(l), r}
	d := drawing{}
	d.rect(0, 0, sheetWidth, sheetHeight, "#ffffff", 0)
	head := wrapText(s.headline(), headSize, textWidth, true)
	band := margin + float64(len(head))*headSize*leading + 2
	d.rect(0, 0, sheetWidth, band, "#00515a", 0)
	y := margin + headSize*0.8
	for _, line := range head {
		d.text(margin, y, headSize, "#ffffff", true, line)
		y += headSize * leading
	}
	d.body(s, band+2)
	if err := d.foot(s); err != nil {
		return "", nil, err
	}
	width, height := p.sizes()
	svg := fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" width="%s" height="%s" viewBox="0 0 %g %g" font-family="Arial, Helvetica, 'Liberation Sans', 'DejaVu Sans', sans-serif" xml:lang="%s">`+"\n%s</svg>\n",
		width, height, sheetWidth, sheetHeight, l, d.b.String())
	return svg, missingAnswers(r, "sign", "controller.name", "controller.contact", "notice.url", "notice.why", "law.basis"), nil
}

// paragraph is a text of the sign with its label.
type paragraph struct{ label, text string }

// The longest declared texts on the sign, in characters; the page has the whole.
const (
	longestName = 99
	longestText = 150
)

// paragraphs are the texts of the sign, in their order.
func (s speaker) paragraphs() []paragraph {
	said := s.sensing() + " " + s.cleared()
	if weak := s.oftenMissed(); weak != "" {
		said += " " + weak
	}
	all := []paragraph{
		{"", said},
		{"", s.neverLeaves() + " " + s.keeping()},
		{s.who, cut(s.answer("controller.name"), longestName)},
		{s.contact, cut(s.answer("controller.contact"), longestName)},
		{s.why, cut(s.answer("notice.why"), longestText)},
		{s.basis, cut(s.answer("law.basis"), longestText)},
	}
	if h := s.rec.Capture.Hours.Value; len(h) != 1 || h[0] != "Mon-Sun 00:00-24:00" {
		all = append(all, paragraph{s.hours, s.hoursOpen()})
	}
	return all
}

// cut cuts a declared text to n characters.
func cut(text string, n int) string {
	text = strings.Join(strings.Fields(text), " ")
	if r := []rune(text); len(r) > n {
		return strings.TrimSpace(string(r[:n-1])) + "…"
	}
	return text
}

// body writes the paragraphs and the boxes from top on, in the largest letters that fit.
func (d *drawing) body(s speaker, top float64) {
	for size := largest; ; size -= 0.1 {
		trial := drawing{}
		end := trial.paragraphs(s, top, size)
		end = trial.boxes(s.iconWords(), end+size)
		if end <= bodyEnd || size <= smallSize {
			d.b.WriteString(trial.b.String())
			return
		}
	}
}

// paragraphs writes the paragraphs in letters of that size and returns where they end.
func (d *drawing) paragraphs(s speaker, y, size float64) float64 {
	step := size * leading
	for _, p := range s.paragraphs() {
		text := p.text
		if p.label != "" {
			text = p.label + ": " + text
		}
		y += step * 0.45
		bolder := textLength(p.label, size, true) - textLength(p.label, size, false)
		for i, line := range wrapText(text, size, textWidth-bolder, false) {
			y += step
			if i == 0 && p.label != "" {
				d.labelled(margin, y, size, p.label+":", strings.TrimPrefix(line, p.label+":"))
				continue
			}
			d.text(margin, y, size, "#1a1a1a", false, line)
		}
	}
	return y
}

// boxes writes the words of the DTPR elements in boxes, from left to right, and returns
// where they end.
func (d *drawing) boxes(list []string, y float64) float64 {
	const pad, gap = 1.6, 1.6
	height := smallSize + 2*pad
	x := margin
	for _, word := range list {
		w := textLength(word, smallSize, false) + 2*pad
		if x+w > sheetWidth-margin && x > margin {
			x, y = margin, y+height+gap
		}
		d.rect(x, y, w, height, "#e3f0f1", 1)
		d.text(x+pad, y+pad+smallSize*0.8, smallSize, "#003238", false, word)
		x += w + gap
	}
	return y + height
}

// foot writes the QR code, the code of the device and the address of the page.
func (d *drawing) foot(s speaker) error {
	top := sheetHeight - margin - codeSide
	url := s.rec.PageURL()
	width := textWidth
	if url != "" {
		if err := d.qr(url+"#"+anchor(s.rec), sheetWidth-margin-codeSide, top); err != nil {
			return fmt.Errorf("draw the QR code: %w", err)
		}
		width -= codeSide + 4
	}
	d.rect(margin, top-2, textWidth, 0.4, "#00515a", 0)
	y := top
	write := func(text string, size float64, bold bool) {
		for _, line := range wrapText(text, size, width, bold) {
			y += size * leading
			d.text(margin, y, size, "#1a1a1a", bold, line)
		}
	}
	write(s.scan, bodySize, true)
	shown := url
	if url == "" {
		shown = s.missing
	}
	write(shown, smallSize, false)
	y += bodySize
	write(s.code, bodySize, true)
	write(s.rec.Device.Code.Value, headSize*0.9, true)
	return nil
}

// drawing collects the elements of an SVG.
type drawing struct{ b strings.Builder }

func (d *drawing) rect(x, y, w, h float64, fill string, round float64) {
	fmt.Fprintf(&d.b, `<rect x="%.2f" y="%.2f" width="%.2f" height="%.2f" rx="%g" fill="%s"/>`+"\n", x, y, w, h, round, fill)
}

func (d *drawing) text(x, y, size float64, fill string, bold bool, text string) {
	weight := ""
	if bold {
		weight = ` font-weight="bold"`
	}
	fmt.Fprintf(&d.b, `<text x="%.2f" y="%.2f" font-size="%.2f" fill="%s"%s>%s</text>`+"\n", x, y, size, fill, weight, escape(text))
}

// labelled writes a bold label and the rest of its line.
func (d *drawing) labelled(x, y, size float64, label, rest string) {
	fmt.Fprintf(&d.b, `<text x="%.2f" y="%.2f" font-size="%.2f" fill="#1a1a1a"><tspan font-weight="bold">%s</tspan>%s</text>`+"\n", x, y, size, escape(label), escape(rest))
}

// qr draws a QR code with its quiet zone into a square of codeSide.
func (d *drawing) qr(text string, x, y float64) error {
	path, side, err := qrcode.DrawPath(text)
	if err != nil {
		return err
	}
	fmt.Fprintf(&d.b, `<g transform="translate(%.3f %.3f) scale(%.5f)" role="img" aria-label="QR"><path fill="#000000" shape-rendering="crispEdges" d="%s"/></g>`+"\n", x, y, codeSide/float64(side), path)
	return nil
}

func escape(text string) string {
	var b strings.Builder
	if err := xml.EscapeText(&b, []byte(text)); err != nil {
		panic(err) // a strings.Builder takes everything
	}
	return b.String()
}
