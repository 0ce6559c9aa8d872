package policy

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/template"
	"unicode/utf8"

	"kerb/counting"
)

// A Language is one that a policy can be explained in.
type Language string

// The languages.
const (
	English Language = "en"
	Finnish Language = "fi"
)

// ParseLanguage accepts the languages there are.
func ParseLanguage(s string) (Language, error) {
	var l Language
	if err := parseOneOf(&l, []byte(s), English, Finnish); err != nil {
		return "", fmt.Errorf("language %q: %w", s, err)
	}
	return l, nil
}

// Explain writes on about a page, for somebody who knows nothing of kerb, what
// the policy lets be known, what it makes impossible, and what that means for
// those who pass. Every sentence is there because of a value in force.
func (p *Policy) Explain(w io.Writer, l Language) error {
	text, say := english, englishWords
	if l == Finnish {
		text, say = finnish, finnishWords
	}
	t, err := template.New(string(l)).Funcs(say.templateFuncs()).Parse(text)
	if err != nil {
		return err
	}
	var b strings.Builder
	if err := t.Execute(&b, page{terms: &p.terms, p: p, say: say}); err != nil {
		return err
	}
	_, err = io.WriteString(w, wrapText(b.String(), 78))
	return err
}

// page is what the text of an explanation may ask for.
type page struct {
	*terms
	p   *Policy
	say words
}

func (g page) Hash() string               { return g.p.Hash() }
func (g page) UsesNoise() bool            { return g.Clear.Method == Noise }
func (g page) UsesSuppression() bool      { return g.Clear.Method == Suppress }
func (g page) IsDemo() bool               { return g.Purpose == demonstration }
func (g page) CountsLines() bool          { return g.p.AllowsKind(counting.LineStream) }
func (g page) CountsZones() bool          { return g.p.AllowsKind(counting.ZoneStream) }
func (g page) CountsLoops() bool          { return g.p.AllowsKind(counting.LoopStream) }
func (g page) UsesCamera() bool           { return g.usesCamera() }
func (g page) OpenAllHours() bool         { return g.openMinutes() == wholeWeek() }
func (g page) CountsPassages() bool       { return g.CountsLines() || g.CountsLoops() }
func (g page) IsOperational() bool        { return g.Purpose == Operational }
func (g page) ShowsSilhouettes() bool     { return g.Aim.Show == ShowSilhouettes }
func (g page) SensorLoss() float64        { return g.Clear.Epsilon * float64(g.Clear.Overlap) }
func (g page) PassageBelief() float64     { return posteriorBelief(g.Clear.Epsilon) }
func (g page) SensorBelief() float64      { return posteriorBelief(g.SensorLoss()) }
func (g page) LongestRetention() duration { return duration(maxRetention) }
func (g page) ExampleLow() int            { return 41 - noiseQuantile(g.Clear.Epsilon, 0.9) }
func (g page) ExampleHigh() int           { return 41 + noiseQuantile(g.Clear.Epsilon, 0.9) }

// ShortestWindow is the least window that the program takes in a file like this.
func (g page) ShortestWindow() duration { return duration(g.leastWindow()) }

// ZoneMeanError is the mean error of the average in a zone.
func (g page) ZoneMeanError() float64 { return meanAbsNoise(g.Clear.Epsilon/(2*10)) / 10 }

// ZonePeakError is the mean error of the most objects at once.
func (g page) ZonePeakError() float64 { return meanAbsNoise(g.Clear.Epsilon / 2) }

// StreamKinds are what records are made for.
func (g page) StreamKinds() string {
	var names []string
	for _, k := range g.Count.Streams {
		names = append(names, g.say.streamKinds[k])
	}
	return strings.Replace(g.say.joinList(names), " "+g.say.and+" ", " "+g.say.or+" ", 1)
}

// ExampleRounded is what 41 is rounded to.
func (g page) ExampleRounded() int64 { return roundToStep(41, int64(g.Clear.Round), maxCount) }

// ExampleWithheld is the part of the windows in which 3 is withheld.
func (g page) ExampleWithheld() float64 {
	shown, _ := g.p.newRule().errorAt(3)
	return 1 - shown
}

// BandNames are the occupancy bands, as 0–4.
func (g page) BandNames() []string {
	from, names := 0, []string{}
	for _, b := range g.Clear.Bands {
		names = append(names, fmt.Sprintf("%d–%d", from, b-1))
		from = b
	}
	return append(names, strconv.Itoa(from)+" "+g.say.more)
}

// ExampleBand is the band that 7 is in.
func (g page) ExampleBand() string {
	i := 0
	for i < len(g.Clear.Bands) && g.Clear.Bands[i] <= 7 {
		i++
	}
	return g.BandNames()[i]
}

// CommandNames are the commands that the broker may give.
func (g page) CommandNames() (names []string) {
	for _, c := range g.Broker.Commands {
		names = append(names, string(c))
	}
	return names
}

// MaskNames are the cameras that the policy has masks for.
func (g page) MaskNames() (names []string) {
	for _, m := range g.Mask {
		if !slices.Contains(names, m.Camera) {
			names = append(names, m.Camera)
		}
	}
	return names
}

// ErrorTable is the table of what to expect at 5, 50 and 500 a window.
func (g page) ErrorTable(mean, hidden, wrong string) string {
	rows := [][]string{{mean}, {hidden}, {wrong}}
	for _, m := range []float64{5, 50, 500} {
		w, e := g.p.newRule().expectError(m)
		wrong := "–"
		if w < 0.9995 {
			wrong = g.say.formatNumber(e, 1)
		}
		rows[0] = append(rows[0], g.say.formatNumber(m, 0))
		rows[1] = append(rows[1], g.say.formatPercent(w))
		rows[2] = append(rows[2], wrong)
	}
	if g.Clear.Below == 0 {
		rows = append(rows[:1], rows[2])
	}
	return formatTable(rows)
}

// ExposureTable is the table of what 1, 2, 4 and 10 passages cost together.
func (g page) ExposureTable(passages, loss, sure string) string {
	rows := [][]string{{passages}, {loss}, {sure}}
	for _, n := range []int{1, 2, 4, 10} {
		eps := float64(n) * g.Clear.Epsilon
		rows[0] = append(rows[0], strconv.Itoa(n))
		rows[1] = append(rows[1], g.say.formatShort(eps))
		rows[2] = append(rows[2], g.say.formatPercent(posteriorBelief(eps)))
	}
	return formatTable(rows)
}

// formatTable sets rows of a heading and numbers; the bar keeps wrap away from them.
func formatTable(rows [][]string) string {
	wide := 0
	for _, r := range rows {
		wide = max(wide, utf8.RuneCountInString(r[0]))
	}
	var b strings.Builder
	for _, r := range rows {
		b.WriteString("|" + r[0] + strings.Repeat(" ", wide-utf8.RuneCountInString(r[0])))
		for _, v := range r[1:] {
			b.WriteString(strings.Repeat(" ", max(1, 9-utf8.RuneCountInString(v))) + v)
		}
		b.WriteByte('\n')
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// wrapText breaks paragraphs at width; a line that begins with a dash keeps its
// indent, one that begins with a bar is left alone. Blank lines never double.
func wrapText(text string, width int) string {
	var b strings.Builder
	blank := true
	for _, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" {
			blank = true
			continue
		}
		if blank && b.Len() > 0 {
			b.WriteByte('\n')
		}
		blank = false
		if bar, ok := strings.CutPrefix(line, "|"); ok {
			b.WriteString("  " + bar + "\n")
			continue
		}
		indent := ""
		if strings.HasPrefix(line, "- ") {
			indent = "  "
		}
		column := 0
		for i, word := range strings.Fields(line) {
			n := utf8.RuneCountInString(word)
			switch {
			case i == 0:
			case column+1+n > width:
				b.WriteString("\n" + indent)
				column = len(indent)
			default:
				b.WriteByte(' ')
				column++
			}
			b.WriteString(word)
			column += n
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// ExplainDiff writes what is looser, stricter or otherwise changed in the new
// policy, looser first.
func ExplainDiff(w io.Writer, old, new *Policy, l Language) error {
	say, none := englishWords, "The two policies say the same."
	if l == Finnish {
		say, none = finnishWords, "Molemmat säännöt sanovat saman."
	}
	var b strings.Builder
	changes := Diff(old, new)
	for _, way := range []Effect{Looser, Stricter, Neutral} {
		head := say.effects[way] + "\n"
		for _, c := range changes {
			if c.Effect == way {
				fmt.Fprintf(&b, "%s  %s: %s → %s\n", head, c.Key, c.Old, c.New)
				head = ""
			}
		}
	}
	if len(changes) == 0 {
		b.WriteString(none + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}
