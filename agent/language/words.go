package language

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Words translates for one reader. The keys of its book are the English texts.
type Words struct {
	Lang     string
	texts    map[string]string
	patterns []pattern
}

// pattern is a text with gaps.
type pattern struct {
	match *regexp.Regexp
	text  string // with {} for each gap
}

// Words returns the words of one language. A text with {} stands for every text with
// something else in its place.
func (b Book) Words(lang string) Words {
	w := Words{Lang: lang, texts: b[lang]}
	for key, text := range w.texts {
		if strings.Contains(key, "{}") {
			expression := "^" + strings.ReplaceAll(regexp.QuoteMeta(key), `\{\}`, "(.*)") + "$"
			w.patterns = append(w.patterns, pattern{regexp.MustCompile(expression), text})
		}
	}
	// The longest first: "{}, {}" fits more than "{} pictures/s, view {}".
	slices.SortFunc(w.patterns, func(a, b pattern) int {
		return cmp.Or(cmp.Compare(len(b.match.String()), len(a.match.String())), cmp.Compare(a.match.String(), b.match.String()))
	})
	return w
}

// T returns a text in the reader's language. Of a text that the book lacks, the parts
// before and after its first ": " are translated alone, because the reason of a loss is a
// chain of errors; a part that the book lacks stays as it is. Further arguments fill the
// gaps, {}, of the text.
func (w Words) T(text string, fill ...any) string {
	if len(fill) > 0 {
		if own, ok := w.texts[text]; ok {
			text = own
		}
		for _, f := range fill {
			text = strings.Replace(text, "{}", w.T(fmt.Sprint(f)), 1)
		}
		return text
	}
	if own, ok := w.texts[text]; ok {
		return own
	}
	for _, p := range w.patterns {
		gaps := p.match.FindStringSubmatch(text)
		if gaps == nil {
			continue
		}
		own := p.text
		for _, gap := range gaps[1:] {
			own = strings.Replace(own, "{}", w.T(gap), 1)
		}
		return own
	}
	if head, tail, ok := strings.Cut(text, ": "); ok {
		return w.T(head) + ": " + w.T(tail)
	}
	return text
}
