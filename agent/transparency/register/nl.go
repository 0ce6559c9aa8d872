package register

import (
	"io"

	"kerb/agent/transparency"
)

// dutch is the Publicatiestandaard 1.0.0 of the Dutch Algoritmeregister, a JSON Schema of
// draft-07 (MinBZK/Algoritmeregister 4885a05, publicatiestandaard-1.0.0.schema.json). The
// free texts are Dutch, because the register takes no other language.
type dutch struct{}

// Name is nl.
func (dutch) Name() string { return "nl" }

// File is nl.json.
func (dutch) File() string { return "nl.json" }

// dutchEntry has the fields of the standard, in its order.
type dutchEntry struct {
	Name             string   `json:"name"`
	DescriptionShort string   `json:"description_short"`
	Organization     string   `json:"organization,omitempty"`
	Theme            []string `json:"theme,omitempty"`
	Status           string   `json:"status,omitempty"`
	StartDate        string   `json:"start_date,omitempty"`
	EndDate          string   `json:"end_date,omitempty"`
	Contact          string   `json:"contact,omitempty"`
	Link             string   `json:"link,omitempty"`
	Category         string   `json:"publication_category,omitempty"`
	Purpose          string   `json:"purpose_and_impact,omitempty"`
	Considerations   string   `json:"considerations,omitempty"`
	Human            string   `json:"human_intervention,omitempty"`
	Risks            string   `json:"risk_management,omitempty"`
	LegalBasis       string   `json:"legal_basis,omitempty"`
	LegalLink        string   `json:"legal_basis_link,omitempty"`
	LegalTitle       string   `json:"legal_basis_title,omitempty"`
	Assessments      string   `json:"impact_assessments,omitempty"`
	AssessmentLink   string   `json:"impact_assessment_link,omitempty"`
	AssessmentWhy    string   `json:"impact_assessment_explanation,omitempty"`
	Data             string   `json:"data"`
	Technical        string   `json:"technical_operation"`
	Supplier         string   `json:"supplier,omitempty"`
	SourceCode       string   `json:"source_code_link,omitempty"`
	Language         string   `json:"language"`
	Schema           string   `json:"schema"`
	SourceID         string   `json:"source_id"`
	SearchTerms      string   `json:"search_terms"`
}

// dutchStatus maps purpose.status to both Dutch files.
var dutchStatus = map[string]string{"development": "In ontwikkeling", "use": "In gebruik", "retired": "Buiten gebruik"}

// dutchCategory maps law.publication_category to the standard; the delivery API has the
// same words without the brackets.
var dutchCategory = map[string]string{
	"A": "Hoog-risico AI-systeem (Categorie A)", "B": "Impactvolle algoritmes (Categorie B)", "C": "Overige algoritmes (Categorie C)",
}

const dutchSearchTerms = "tellen, verkeer, voetgangers, fietsers, camera, detectielus, sensor, privacy"

// Export writes the entries.
func (dutch) Export(w io.Writer, groups []transparency.Group) ([]Missing, error) {
	return exportEach(w, groups, func(a *asker, g transparency.Group) dutchEntry {
		r := a.rec
		e := dutchEntry{
			Name: dutchName(r), DescriptionShort: dutchShort(r), Data: dutchData(r), Technical: dutchTechnical(r),
			Language: "nld", Schema: "1.0.0", SourceID: r.Policy.Hash.Value, SearchTerms: dutchSearchTerms,
			Organization: a.answer("organization", "controller.name"), Theme: a.answers("theme", "nl.themes"),
			Status: dutchStatus[a.answer("status", "purpose.status")], StartDate: a.answer("start_date", "purpose.start"),
			Contact: a.answer("contact", "controller.contact"), Category: dutchCategory[a.answer("publication_category", "law.publication_category")],
			Purpose: a.answer("purpose_and_impact", "purpose.objective"), Considerations: a.answer("considerations", "law.proportionality"),
			Human: a.answer("human_intervention", "oversight.human"), Risks: a.answer("risk_management", "assessment.risks"),
			Assessments: a.answer("impact_assessments", "assessment.names"), Supplier: a.answer("supplier", "supplier.name"),
		}
		for to, key := range map[*string]string{
			&e.EndDate: "purpose.end", &e.Link: "notice.url", &e.LegalBasis: "law.basis", &e.LegalLink: "law.link", &e.LegalTitle: "law.title",
			&e.AssessmentLink: "assessment.link", &e.AssessmentWhy: "assessment.explanation", &e.SourceCode: "supplier.source_code",
		} {
			*to, _ = r.Answer(key)
		}
		e.Link = r.PageURL()
		return e
	})
}
