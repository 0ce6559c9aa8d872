package register

import (
	"io"
	"strings"

	"kerb/agent/transparency"
)

// dutchAPI is the delivery API 1.0 of the Dutch Algoritmeregister, with a description of
// fields of its own (MinBZK/Algoritmeregister 4885a05, schemas/config/v1_0.json). Its
// names and words differ from the Publicatiestandaard's.
type dutchAPI struct{}

// Name is nl-api.
func (dutchAPI) Name() string { return "nl-api" }

// File is nl-api.json.
func (dutchAPI) File() string { return "nl-api.json" }

// linked is a title with its address.
type linked struct {
	Title string `json:"title"`
	Link  string `json:"link,omitempty"`
}

// dutchDelivery has the fields of the delivery API, in its order.
type dutchDelivery struct {
	Name             string   `json:"name"`
	DescriptionShort string   `json:"description_short"`
	Organization     string   `json:"organization,omitempty"`
	Category         []string `json:"category,omitempty"`
	Status           string   `json:"status,omitempty"`
	BeginDate        string   `json:"begin_date,omitempty"`
	EndDate          string   `json:"end_date,omitempty"`
	Contact          string   `json:"contact_email,omitempty"`
	Website          string   `json:"website,omitempty"`
	Publication      string   `json:"publication_category,omitempty"`
	Goal             string   `json:"goal,omitempty"`
	Proportionality  string   `json:"proportionality,omitempty"`
	Human            string   `json:"human_intervention,omitempty"`
	Risks            string   `json:"risks,omitempty"`
	Basis            string   `json:"lawful_basis,omitempty"`
	BasisLinks       []linked `json:"lawful_basis_grouping,omitempty"`
	Assessments      []linked `json:"impacttoetsen_grouping,omitempty"`
	AssessmentWhy    string   `json:"impacttoetsen,omitempty"`
	SourceData       string   `json:"source_data"`
	Methods          string   `json:"methods_and_models"`
	Provider         string   `json:"provider,omitempty"`
	Code             string   `json:"publiccode,omitempty"`
	Lang             string   `json:"lang"`
	Standard         string   `json:"standard_version"`
	SourceID         string   `json:"source_id"`
	Tags             string   `json:"tags"`
}

// Export writes the entries.
func (dutchAPI) Export(w io.Writer, groups []transparency.Group) ([]Missing, error) {
	return exportEach(w, groups, func(a *asker, g transparency.Group) dutchDelivery {
		r := a.rec
		e := dutchDelivery{
			Name: dutchName(r), DescriptionShort: dutchShort(r), SourceData: dutchData(r), Methods: dutchTechnical(r),
			Lang: "nld", Standard: "1.0", SourceID: r.Policy.Hash.Value, Tags: dutchSearchTerms,
			Organization: a.answer("organization", "controller.name"), Status: dutchStatus[a.answer("status", "purpose.status")],
			Contact:  a.answer("contact_email", "controller.contact"),
			Category: r.Answers("nl.themes"), Website: r.PageURL(),
		}
		category, _, _ := strings.Cut(dutchCategory[a.answer("publication_category", "law.publication_category")], " (")
		e.Publication = category
		for to, key := range map[*string]string{
			&e.BeginDate: "purpose.start", &e.EndDate: "purpose.end", &e.Goal: "purpose.objective", &e.Proportionality: "law.proportionality",
			&e.Human: "oversight.human", &e.Risks: "assessment.risks", &e.Basis: "law.basis", &e.AssessmentWhy: "assessment.explanation",
			&e.Provider: "supplier.name", &e.Code: "supplier.source_code",
		} {
			*to, _ = r.Answer(key)
		}
		if title, ok := r.Answer("law.title"); ok {
			if link, ok := r.Answer("law.link"); ok {
				e.BasisLinks = []linked{{title, link}}
			}
		}
		for _, name := range r.Answers("assessment.names") {
			e.Assessments = append(e.Assessments, linked{name, r.AnswerOr("assessment.link", "")})
		}
		return e
	})
}
