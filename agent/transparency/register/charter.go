package register

import (
	"io"
	"strings"

	"kerb/agent/transparency"
)

// charter is the Emerging Technology Charter for London: its four principles as
// checklists, each line with its evidence or "not provided". The text is Markdown.
type charter struct{}

// Name is charter.
func (charter) Name() string { return "charter" }

// File is charter.md.
func (charter) File() string { return "charter.md" }

// Export writes the checklists of each group.
func (charter) Export(w io.Writer, groups []transparency.Group) (missing []Missing, err error) {
	for _, g := range groups {
		a := &asker{rec: g.First()}
		if err := writeSections(w, "Emerging Technology Charter for London: evidence", g, charterTopics(a)); err != nil {
			return nil, err
		}
		missing = append(missing, a.missing...)
	}
	return uniqueMissing(missing), nil
}

func charterTopics(a *asker) []topic {
	r := a.rec
	declared := func(field, key string) string { return field + ": " + a.text(field, key) }
	t := []topic{
		{"Be open", "", []string{
			"What it does, in plain words: " + shortDescription(r) + besidesText(r),
			declared("Why", "purpose.objective"), declared("Who answers for it", "controller.name"),
			declared("Published impact assessment", "assessment.link"), declared("Where this record is published", "charter.publication"),
			declared("How people were told and heard", "charter.engagement"), declared("Source code", "supplier.source_code"),
		}},
		{"Respect diversity", "", append([]string{
			declared("Equality duty and effects on groups", "assessment.equality"), declared("For people without a telephone", "charter.non_digital"),
			"Errors by class and light: " + strings.Join(accuracyLines(r), " "),
		}, warningTexts(r)...)},
		{"Be trustworthy with people's data", "", append([]string{
			"Privacy by design: " + clearingSentence(r), "No biometrics: no appearance is described; " + followSentence(r),
			declared("Legal basis", "law.basis"), "Retention: " + keptSentence(r),
			"Security: " + strings.Join(wallLines(r), " "), proofLine(r), auditLine(r),
		}, "Connection: "+encryption(r)+".")},
		{"Be sustainable", "", []string{
			declared("Energy, measured", "charter.energy"),
			"Pictures are processed on the device; what leaves is one set of numbers every " + span(r.Clearing.Window.Value) + ".",
			"Build again and compare: kerb " + r.Build.Version.Value + ", SHA-256 " + r.Build.Binary.Value + ".",
		}},
	}
	return t
}
