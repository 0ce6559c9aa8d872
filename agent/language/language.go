// Package language chooses the language of a page on the device, and holds its words.
//
// The words of a page are one JSON file: language, key, text. It refuses a page of two
// languages: every language of the file must have the same keys (see Book.Check).
package language

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Default is the language of a page whose reader asked for none of the book's.
const Default = "en"

// A Book holds the words of a page by language (ISO 639-1, two letters) and key.
type Book map[string]map[string]string

// Parse parses the words of a page. Text that is not a JSON object of objects of texts
// is an error.
func Parse(text []byte) (b Book, err error) {
	if err := json.Unmarshal(text, &b); err != nil {
		return nil, fmt.Errorf("words of the page: %w", err)
	}
	return b, nil
}

// Languages returns the languages of the book, sorted.
func (b Book) Languages() []string { return slices.Sorted(maps.Keys(b)) }

// Name is a language with its own name.
type Name struct{ Code, Name string }

// names are the languages of all pages, English first, the others by name.
var names = []Name{{Default, "English"}, {"de", "Deutsch"}, {"fr", "Français"}, {"nl", "Nederlands"}, {"fi", "Suomi"}, {"sv", "Svenska"}}

// Names returns English and the languages of the book, for a reader to choose from.
func (b Book) Names() (all []Name) {
	for _, n := range names {
		if _, ok := b[n.Code]; ok || n.Code == Default {
			all = append(all, n)
		}
	}
	return all
}

// Choose returns the first language of the book, or Default, that is asked for, and else
// Default. Each of
// asked is a list in the form of Accept-Language (RFC 9110, 12.5.4): the one that comes
// first counts more, and weights are ignored, because browsers list by weight.
func (b Book) Choose(asked ...string) string {
	for word := range strings.SplitSeq(strings.Join(asked, ","), ",") {
		word, _, _ = strings.Cut(word, ";")
		word, _, _ = strings.Cut(strings.ToLower(strings.TrimSpace(word)), "-")
		if _, ok := b[word]; ok || word == Default {
			return word
		}
	}
	return Default
}

// Check returns an error for each key that a language lacks and another has, and for
// each empty text.
func (b Book) Check() (faults []error) {
	all := map[string]bool{}
	for _, words := range b {
		for key := range words {
			all[key] = true
		}
	}
	for _, lang := range b.Languages() {
		for _, key := range slices.Sorted(maps.Keys(all)) {
			if strings.TrimSpace(b[lang][key]) == "" {
				faults = append(faults, fmt.Errorf("%s: %q has no text", lang, key))
			}
		}
	}
	return faults
}
