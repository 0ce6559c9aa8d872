// Package register writes transparency records in the forms of public registers and
// checklists: one file for each, behind the interface Exporter.
//
// An exporter writes only what the record holds. A field that a person must answer and
// has not answered is left out of a form that machines check, so that the register's own
// check finds it, and is "not provided" in a text. Export names each such field with the
// question behind it. Every form carries the warnings of the record.
//
// The package refuses to fill such a field with a guess. It reads no file.
package register

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"kerb/agent/transparency"
)

// An Exporter writes the records of one or more devices as one file of a register.
type Exporter interface {
	// Name is the name of the form, such as nl.
	Name() string
	// File is the name of the file, such as nl.json.
	File() string
	// Export writes the groups to w and returns the fields of the form that need an answer
	// in declared.toml and have none.
	Export(w io.Writer, groups []transparency.Group) ([]Missing, error)
}

// Missing is a field of a form that only a person can answer.
type Missing struct {
	Field string // in the form's own words
	Key   string // of declared.toml, or of site.toml
	Ask   string // what the person is asked
}

// String is one line for people.
func (m Missing) String() string {
	return fmt.Sprintf("%s: %s is not provided: %s", m.Field, m.Key, m.Ask)
}

// Exporters returns all exporters, in the order of the documentation.
func Exporters() []Exporter {
	return []Exporter{
		dutch{},
		dutchAPI{},
		atrs{},
		dtpr{},
		dtprAI{},
		amsterdam{},
		amsterdamOwner{},
		vocabulary{},
		article30{},
		questions{},
		charter{},
		assessment{},
	}
}

// Find returns the exporter with that name.
func Find(name string) (Exporter, error) {
	var names []string
	for _, e := range Exporters() {
		if e.Name() == name {
			return e, nil
		}
		names = append(names, e.Name())
	}
	return nil, fmt.Errorf("form %q: must be one of %s", name, strings.Join(names, ", "))
}

// asker collects the fields without an answer while a form is filled.
type asker struct {
	rec     *transparency.Record
	missing []Missing
}

// answer is the declared answer to key for a field; "" and an entry in missing without one.
func (a *asker) answer(field, key string) string {
	v, ok := a.rec.Answer(key)
	if !ok {
		a.miss(field, key)
	}
	return v
}

// answers is the declared list of key for a field.
func (a *asker) answers(field, key string) []string {
	v := a.rec.Answers(key)
	if len(v) == 0 {
		a.miss(field, key)
	}
	return v
}

// text is the declared answer to key for a text, or "not provided".
func (a *asker) text(field, key string) string {
	if v := a.answer(field, key); v != "" {
		return v
	}
	return transparency.NotProvided
}

func (a *asker) miss(field, key string) {
	m := Missing{Field: field, Key: "declared.toml " + key, Ask: askFor(key)}
	if !slices.Contains(a.missing, m) {
		a.missing = append(a.missing, m)
	}
}

// askFor is the question of a key of declared.toml.
func askFor(key string) string {
	for _, q := range transparency.Questions() {
		if q.Key == key {
			return q.Ask
		}
	}
	return ""
}

// writeJSON writes one object for one group and an array for more.
func writeJSON[T any](w io.Writer, docs []T) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if len(docs) == 1 {
		return enc.Encode(docs[0])
	}
	return enc.Encode(docs)
}

// exportEach fills a document for each group, writes them and returns the missing facts,
// each field once.
func exportEach[T any](w io.Writer, groups []transparency.Group, fill func(*asker, transparency.Group) T) ([]Missing, error) {
	var docs []T
	var missing []Missing
	for _, g := range groups {
		a := &asker{rec: g.First()}
		docs = append(docs, fill(a, g))
		for _, m := range a.missing {
			if !slices.Contains(missing, m) {
				missing = append(missing, m)
			}
		}
	}
	return missing, writeJSON(w, docs)
}

// cutText cuts text to at most n characters, at the end of a sentence where there is one.
func cutText(text string, n int) string {
	r := []rune(text)
	if len(r) <= n {
		return text
	}
	cut := string(r[:n-1])
	if i := strings.LastIndex(cut, ". "); i > n/2 {
		return cut[:i+1]
	}
	return cut + "…"
}
