package notice

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"
	"time"

	"kerb/agent/transparency"
	"kerb/agent/transparency/register"
	"kerb/counting"
)

//go:embed page.html
var pageTemplate string // set by the compiler, read only

// WritePage writes the controller's static page about a device, and returns the answers
// that it lacks. windows are count messages (schema kerb.count/1) as everybody gets them;
// those of other devices are left out.
func WritePage(w io.Writer, r *transparency.Record, l Language, windows []json.RawMessage) ([]register.Missing, error) {
	s := speaker{wordsOf(l), r}
	rows, err := s.windowRows(windows)
	if err != nil {
		return nil, err
	}
	t, err := template.New("page").Parse(pageTemplate)
	if err != nil {
		return nil, err
	}
	v := pageValues{
		Lang: l, R: r, W: s.words, P: &s.page, Anchor: anchor(r), Head: s.headline(),
		Title: fmt.Sprintf(s.page.title, s.classList(r.Output.Classes.Value, &s.names), s.place()),
		Place: s.place(), Sensing: s.sensing(), Never: s.neverLeaves(), Cleared: s.cleared(), Keeping: s.keeping(),
		Hours: s.hoursOpen(), Weak: s.oftenMissed(), Protects: s.protects(), Held: s.heldNow(), Since: s.inForce(),
		Signed: s.signers(), Walls: s.wallRows(), Errors: s.errorTables(), Windows: rows, Warnings: r.Warnings.Value,
		Made: fmt.Sprintf(s.page.made, moment(r.At.UTC().Format(time.RFC3339))),
		Answers: []answered{
			{s.who, s.answer("controller.name")}, {s.contact, s.answer("controller.contact")}, {s.why, s.answer("notice.why")}, {s.basis, s.answer("law.basis")},
		},
		Object: s.answer("notice.objection"), Audit: r.Audit.Value,
		Version: fmt.Sprintf(s.page.version, r.Policy.Version.Value), Entry: fmt.Sprintf(s.page.entry, r.Audit.Value.Seq),
	}
	missing := missingAnswers(r, "page", "controller.name", "controller.contact", "notice.why", "law.basis", "notice.objection", "notice.url")
	return missing, t.Execute(w, v)
}

// pageValues are the values of page.html.
type pageValues struct {
	Lang                                                                                             Language
	R                                                                                                *transparency.Record
	W                                                                                                *words
	P                                                                                                *pageWords
	Anchor, Head, Title, Place, Sensing, Never, Cleared, Keeping, Hours, Weak, Protects, Held, Since string
	Signed, Made, Object, Version, Entry                                                             string
	Walls                                                                                            []wallRow
	Errors                                                                                           []errorTable
	Windows                                                                                          []windowRow
	Warnings                                                                                         []transparency.Warning
	Answers                                                                                          []answered
	Audit                                                                                            transparency.AuditHead
}

type answered struct{ Label, Text string }

// The words that page.html uses, by exported names: a template sees no others.

// Texts returns the words of the page by name.
func (v pageValues) Texts() map[string]string {
	return map[string]string{
		"counted": v.P.whatCounted, "leaves": v.P.whatLeaves, "howLong": v.P.howLong, "meaning": v.P.meaning, "object": v.P.object,
		"technical": v.P.technical, "signMatches": v.P.signMatches, "signOther": v.P.signOther, "walls": v.P.walls, "process": v.P.process,
		"refused": v.P.refused, "open": v.P.open, "errors": v.P.errors, "condition": v.P.condition, "windows": v.P.windows, "stream": v.P.stream,
		"from": v.P.from, "to": v.P.to, "numbers": v.P.numbers, "noWindows": v.P.noWindows, "policy": v.P.policy, "audit": v.P.audit,
		"build": v.P.build, "hours": v.W.hours, "code": v.W.code, "undelivered": v.W.undelivered, "place": v.P.place,
	}
}

// place is where the device is, in words.
func (s speaker) place() string {
	if p := s.rec.Device.Place.Value.Description; p != "" {
		return p
	}
	return s.rec.Device.Site.Value
}

// heldNow describes the content of the spool.
func (s speaker) heldNow() string {
	h := s.rec.Held.Value
	switch {
	case h.Unread != "":
		return s.page.heldUnread
	case h.Windows == 0:
		return s.page.heldNone
	}
	return fmt.Sprintf(s.page.held, h.Windows, moment(h.Oldest), h.Pending)
}

// inForce says since when the policy is in force, "" where the audit log does not say.
func (s speaker) inForce() string {
	if at := s.rec.Policy.Since.Value; at != "" {
		return fmt.Sprintf(s.page.since, moment(at))
	}
	return ""
}

func (s speaker) signers() string {
	if ids := s.rec.Policy.Signers.Value; len(ids) > 0 {
		return fmt.Sprintf(s.page.signed, s.joinList(ids))
	}
	return s.page.unsigned
}

// moment is an RFC 3339 time for people: 2026-11-30 14:15 UTC.
func moment(at string) string {
	t, err := time.Parse(time.RFC3339, at)
	if err != nil {
		return at
	}
	return t.UTC().Format("2006-01-02 15:04") + " UTC"
}

// wallRow is one process and its walls.
type wallRow struct {
	Process string
	Refused int
	Open    string
}

func (s speaker) wallRows() (rows []wallRow) {
	for _, w := range s.rec.Walls.Value {
		name := w.Role
		if what := s.page.roles[w.Role]; what != "" {
			name += " (" + what + ")"
		}
		rows = append(rows, wallRow{name, w.Hold, strings.Join(w.Open, ", ")})
	}
	return rows
}

// errorTable is the precision of one network by class and condition.
type errorTable struct {
	Name, Note string
	Classes    []string
	Rows       []errorRow
}

type errorRow struct {
	Condition string
	Cells     []string
}

// errorTables makes a table for each network. Conditions stay in English: they are those
// of the model card.
func (s speaker) errorTables() (tables []errorTable) {
	for _, m := range s.rec.Models.Value {
		t := errorTable{Name: m.Name, Note: m.Note}
		var classes []string
		for c := range counting.Class(counting.Classes) {
			if slices.ContainsFunc(m.Precision, func(a transparency.Accuracy) bool { _, ok := a.Classes[c.String()]; return ok }) {
				classes = append(classes, c.String())
				t.Classes = append(t.Classes, s.names[c])
			}
		}
		for _, a := range m.Precision {
			row := errorRow{Condition: a.Condition}
			for _, c := range classes {
				cell := "–"
				if v, ok := a.Classes[c]; ok {
					cell = fmt.Sprintf("%.2f", v)
				}
				row.Cells = append(row.Cells, cell)
			}
			t.Rows = append(t.Rows, row)
		}
		tables = append(tables, t)
	}
	return tables
}
