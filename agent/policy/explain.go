package policy

import (
	"fmt"
	"io"
	"strings"
	"text/template"
	"unicode/utf8"
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

// The layout of an explanation and the bounds of its examples, chosen by hand.
const (
	pageWidth    = 78     // characters in a line
	numberWidth  = 9      // characters of a column in a table
	exampleShare = 0.9    // part of the windows for which the example's range holds
	neverShown   = 0.9995 // from this part of withheld windows on, no error is given
)

// language has the headings of the sections, and the sentences of the claims.
type language struct{ headings, sentences map[string]string }

// Explain writes about one page for readers who do not know kerb: which numbers
// leave the device under this policy, which uses of it are impossible, and the
// meaning for the people who pass. It is made of Claims, and of nothing else.
func (p *Policy) Explain(w io.Writer, l Language) error {
	text, say := english, englishWords
	if l == Finnish {
		text, say = finnish, finnishWords
	}
	var b strings.Builder
	for _, s := range p.Claims() {
		if s.Name != "" {
			b.WriteString("\n" + text.headings[s.Name] + "\n")
		}
		for _, g := range s.Paragraphs {
			for i, c := range g.Claims {
				switch {
				case i > 0:
					b.WriteByte(' ')
				case g.Point:
					b.WriteString("- ")
				}
				if err := text.write(&b, say, c); err != nil {
					return err
				}
			}
			b.WriteByte('\n')
		}
	}
	_, err := io.WriteString(w, wrapText(b.String(), pageWidth))
	return err
}

// write writes the sentence of a claim.
func (t language) write(w io.Writer, say words, c Claim) error {
	text, ok := t.sentences[c.Kind]
	if !ok {
		return fmt.Errorf("no sentence for a claim of kind %q", c.Kind)
	}
	s, err := template.New(c.Kind).Option("missingkey=error").Funcs(say.templateFuncs()).Parse(text)
	if err != nil {
		return err
	}
	return s.Execute(w, c.Params)
}

// errorTable is the table of expected errors at 5, 50 and 500 passages a window.
func (s words) errorTable(v map[string]any, mean, hidden, wrong string) string {
	rows := [][]string{{mean}, {hidden}, {wrong}}
	for _, m := range []string{"5", "50", "500"} {
		w, wrong := v["hidden"+m].(float64), "–"
		if w < neverShown {
			wrong = s.formatNumber(v["error"+m].(float64), 1)
		}
		rows[0], rows[1], rows[2] = append(rows[0], m), append(rows[1], s.formatPercent(w)), append(rows[2], wrong)
	}
	if v["below"] == 0 {
		rows = append(rows[:1], rows[2])
	}
	return formatTable(rows)
}

// exposureTable is the table of the privacy loss of 1, 2, 4 and 10 passages together.
func (s words) exposureTable(v map[string]any, passages, loss, sure string) string {
	rows := [][]string{{passages}, {loss}, {sure}}
	for _, n := range []string{"1", "2", "4", "10"} {
		rows[0] = append(rows[0], n)
		rows[1] = append(rows[1], s.formatShort(v["epsilon"+n].(float64)))
		rows[2] = append(rows[2], s.formatPercent(v["belief"+n].(float64)))
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
