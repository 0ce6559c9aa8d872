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

// A Language is a language in which a policy can be explained.
type Language string

// The languages.
const (
	English Language = "en"
	Finnish Language = "fi"
)

// ParseLanguage accepts en and fi.
func ParseLanguage(s string) (Language, error) {
	var l Language
	if err := parseOneOf(&l, []byte(s), English, Finnish); err != nil {
		return "", fmt.Errorf("language %q: %w", s, err)
	}
	return l, nil
}

// The layout and the examples of an explanation, chosen by hand.
const (
	pageWidth    = 78     // characters in a line
	numberWidth  = 9      // characters of a column in a table
	exampleCount = 41     // the true number in the text's example
	exampleShare = 0.9    // part of the windows for which the example's range holds
	neverShown   = 0.9995 // from this part of withheld windows on, no error is given
)

// Explain writes about one page for readers who do not know kerb: which numbers
// leave the device under this policy, which uses of it are impossible, and the
// meaning for the people who pass. Every sentence follows from a value in
// force.
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
	_, err = io.WriteString(w, wrapText(b.String(), pageWidth))
	return err
}

// page holds the values that the text of an explanation uses. Its methods are
// exported for text/template.
type page struct {
	*terms
	p   *Policy
	say words
}

// Hash is the hash of the policy.
func (g page) Hash() string { return g.p.Hash() }

// UsesNoise reports whether the method is noise.
func (g page) UsesNoise() bool { return g.Clear.Method == Noise }

// UsesSuppression reports whether the method is suppression.
func (g page) UsesSuppression() bool { return g.Clear.Method == Suppress }

// IsDemo reports whether this is the policy of the demonstration.
func (g page) IsDemo() bool { return g.Purpose == demonstration }

// CountsLines reports whether lines may be counted.
func (g page) CountsLines() bool { return g.p.AllowsKind(counting.LineStream) }

// CountsZones reports whether zones may be counted.
func (g page) CountsZones() bool { return g.p.AllowsKind(counting.ZoneStream) }

// CountsLoops reports whether loops may be counted.
func (g page) CountsLoops() bool { return g.p.AllowsKind(counting.LoopStream) }

// QuantitySentences says of each quantity beside the counts what it is, and how much
// one passage changes it.
func (g page) QuantitySentences() []string {
	var out []string
	for _, q := range g.Count.Quantities {
		out = append(out, g.say.quantities[q])
	}
	return out
}

// QuantityParts is the largest number of parts in which a stream divides ε: with the
// quantities that its kind can have.
func (g page) QuantityParts() (most uint64) {
	for _, k := range []counting.Kind{counting.LineStream, counting.ZoneStream, counting.LoopStream} {
		if g.p.AllowsKind(k) {
			most = max(most, countParts(g.p.AllowedQuantities(counting.QuantitiesOf(k))))
		}
	}
	return most
}

// UsesCamera reports whether lines or zones may be counted.
func (g page) UsesCamera() bool { return g.usesCamera() }

// OpenAllHours reports whether no minute of the week is closed.
func (g page) OpenAllHours() bool { return g.openMinutes() == wholeWeek() }

// CountsPassages reports whether lines or loops may be counted.
func (g page) CountsPassages() bool { return g.CountsLines() || g.CountsLoops() }

// IsOperational reports whether the purpose is operational.
func (g page) IsOperational() bool { return g.Purpose == Operational }

// ShowsSilhouettes reports whether the commissioning page shows silhouettes.
func (g page) ShowsSilhouettes() bool { return g.Aim.Show == ShowSilhouettes }

// SensorLoss is the privacy loss of an object that every allowed stream of a
// sensor counts.
func (g page) SensorLoss() float64 { return g.Clear.Epsilon * float64(g.Clear.Overlap) }

// PassageBelief is the largest belief after one passage, from 50 %.
func (g page) PassageBelief() float64 { return posteriorBelief(g.Clear.Epsilon) }

// SensorBelief is the largest belief after SensorLoss, from 50 %.
func (g page) SensorBelief() float64 { return posteriorBelief(g.SensorLoss()) }

// LongestRetention is the longest retention that Parse accepts.
func (g page) LongestRetention() duration { return duration(maxRetention) }

// ExampleLow is the lower end of the range that 41 stays in with 90 %
// probability.
func (g page) ExampleLow() int { return exampleCount - noiseQuantile(g.Clear.Epsilon, exampleShare) }

// ExampleHigh is the upper end of that range.
func (g page) ExampleHigh() int { return exampleCount + noiseQuantile(g.Clear.Epsilon, exampleShare) }

// ExampleHidden is the part of the windows in which 41 is withheld.
func (g page) ExampleHidden() float64 {
	shown, _ := g.p.newRule().errorAt(exampleCount)
	return 1 - shown
}

// ExampleIsHidden reports whether 41 is withheld in more windows than lie below the
// range that holds for nine of ten.
func (g page) ExampleIsHidden() bool { return g.Clear.Below > g.ExampleLow() }

// PassageKinds names the streams over which a passage is counted.
func (g page) PassageKinds() string {
	switch {
	case !g.CountsLoops():
		return "line"
	case !g.CountsLines():
		return "loop"
	}
	return "line or loop"
}

// ShortestWindow is the shortest window that Parse accepts in a file like this.
func (g page) ShortestWindow() duration { return duration(g.leastWindow()) }

// ZoneMeanError is the mean absolute error of the average in a zone.
func (g page) ZoneMeanError() float64 { return meanAbsNoise(g.Clear.Epsilon/(2*10)) / 10 }

// ZonePeakError is the mean absolute error of the peak in a zone.
func (g page) ZonePeakError() float64 { return meanAbsNoise(g.Clear.Epsilon / 2) }

// StreamKinds names the kinds of streams: "line, zone or loop".
func (g page) StreamKinds() string {
	var names []string
	for _, k := range g.Count.Streams {
		names = append(names, g.say.streamKinds[k])
	}
	return strings.Replace(g.say.joinList(names), " "+g.say.and+" ", " "+g.say.or+" ", 1)
}

// ExampleRounded is the rounded value of 41.
func (g page) ExampleRounded() int64 {
	return roundToStep(exampleCount, int64(g.Clear.Round), maxCount)
}

// ExampleWithheld is the part of the windows in which 3 is withheld.
func (g page) ExampleWithheld() float64 {
	shown, _ := g.p.newRule().errorAt(3)
	return 1 - shown
}

// BandNames are the occupancy bands, such as 0–4.
func (g page) BandNames() []string {
	from, names := 0, []string{}
	for _, b := range g.Clear.Bands {
		names = append(names, fmt.Sprintf("%d–%d", from, b-1))
		from = b
	}
	return append(names, strconv.Itoa(from)+" "+g.say.more)
}

// ExampleBand is the band that contains 7.
func (g page) ExampleBand() string {
	i := 0
	for i < len(g.Clear.Bands) && g.Clear.Bands[i] <= 7 {
		i++
	}
	return g.BandNames()[i]
}

// CommandNames are the commands that the broker may send.
func (g page) CommandNames() (names []string) {
	for _, c := range g.Broker.Commands {
		names = append(names, string(c))
	}
	return names
}

// AllowsWant reports whether the broker may pass on other files.
func (g page) AllowsWant() bool { return slices.Contains(g.Broker.Commands, Want) }

// MaskNames are the cameras for which the policy has masks.
func (g page) MaskNames() (names []string) {
	for _, m := range g.Mask {
		if !slices.Contains(names, m.Camera) {
			names = append(names, m.Camera)
		}
	}
	return names
}

// ErrorTable is the table of expected errors at 5, 50 and 500 passages a
// window.
func (g page) ErrorTable(mean, hidden, wrong string) string {
	rows := [][]string{{mean}, {hidden}, {wrong}}
	for _, m := range []float64{5, 50, 500} {
		w, e := g.p.newRule().expectError(m)
		wrong := "–"
		if w < neverShown {
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

// ExposureTable is the table of the privacy loss of 1, 2, 4 and 10 passages
// together.
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

// formatTable aligns rows of a heading and numbers. Each row begins with a bar,
// so that wrapText leaves it as it is.
func formatTable(rows [][]string) string {
	wide := 0
	for _, r := range rows {
		wide = max(wide, utf8.RuneCountInString(r[0]))
	}
	var b strings.Builder
	for _, r := range rows {
		b.WriteString("|" + r[0] + strings.Repeat(" ", wide-utf8.RuneCountInString(r[0])))
		for _, v := range r[1:] {
			b.WriteString(strings.Repeat(" ", max(1, numberWidth-utf8.RuneCountInString(v))) + v)
		}
		b.WriteByte('\n')
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// wrapText breaks paragraphs at width. A line that begins with a dash keeps its
// indent; a line that begins with a bar is not broken. Blank lines never
// double.
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

// ExplainDiff writes the keys that are looser, stricter or otherwise changed in
// the new policy, looser ones first.
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
