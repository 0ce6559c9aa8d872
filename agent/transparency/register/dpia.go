package register

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"

	"kerb/agent/policy"
	"kerb/agent/transparency"
)

// assessment is the pack for a data protection impact assessment: one HTML page without
// script with the evidence of the devices, and blanks for what only people can weigh. The
// headings follow the joint template of ICO and Surveillance Camera Commissioner.
type assessment struct{}

//go:embed dpia.html
var dpiaPage string // set by the compiler, read only

// Name is dpia.
func (assessment) Name() string { return "dpia" }

// File is dpia.html.
func (assessment) File() string { return "dpia.html" }

// dpiaValues are the values of the page.
type dpiaValues struct {
	Groups  []dpiaGroup
	Sites   []transparency.SiteLoss
	Threats []threat
	Made    string
}

type dpiaGroup struct {
	R           *transparency.Record
	Title       string
	Devices     []string
	Entries     []transparency.Entry
	Explanation string
	Sentences   map[string]string
	Lines       map[string][]string
	Blanks      []blank
	Classes     []string
}

// blank is a question with its answer, or with room for one.
type blank struct{ Head, Ask, Answer string }

// Export writes the page. Each group has a part; the ledger adds up all devices by site.
func (assessment) Export(w io.Writer, groups []transparency.Group) (missing []Missing, err error) {
	t, err := template.New("dpia").Funcs(template.FuncMap{
		"percent": func(v float64) string { return fmt.Sprintf("%.0f %%", 100*v) },
		"two":     func(v float64) string { return fmt.Sprintf("%.2f", v) },
		"join":    func(s []string) string { return strings.Join(s, ", ") },
		"short":   func(s string) string { return cutText(s, 400) },
	}).Parse(dpiaPage)
	if err != nil {
		return nil, err
	}
	v := dpiaValues{Threats: threats(), Made: stamp(groups[0].First().At)}
	var all []*transparency.Record
	for _, g := range groups {
		a := &asker{rec: g.First()}
		d, err := fillAssessment(a, g)
		if err != nil {
			return nil, err
		}
		v.Groups = append(v.Groups, d)
		missing = append(missing, a.missing...)
		all = append(all, g...)
	}
	v.Sites = transparency.SiteLedger(all)
	return uniqueMissing(missing), t.Execute(w, v)
}

// fillAssessment fills the part of one group.
func fillAssessment(a *asker, g transparency.Group) (dpiaGroup, error) {
	r := a.rec
	d := dpiaGroup{
		R: r, Title: englishTitle(r), Devices: deviceNames(g),
		Sentences: map[string]string{
			"input": inputText(r), "follow": followSentence(r), "clear": clearingSentence(r), "output": outputText(r),
			"kept": keptSentence(r), "proof": proofLine(r), "audit": auditLine(r), "signed": signersText(r),
		},
		Lines: map[string][]string{"walls": wallLines(r), "acceptance": acceptanceLines(r), "warnings": warningTexts(r)},
	}
	for _, e := range r.Entries() {
		if e.Origin == transparency.Enforced && !slices.Contains([]string{"models", "warnings", "policy.canonical", "acceptance"}, e.Path) {
			d.Entries = append(d.Entries, e)
		}
	}
	p, err := policy.Parse("policy.toml", []byte(r.Policy.Canonical.Value))
	if err != nil {
		return d, fmt.Errorf("the record's policy: %w", err)
	}
	var text strings.Builder
	if err := p.Explain(&text, policy.English); err != nil {
		return d, err
	}
	d.Explanation = text.String()
	for _, m := range r.Models.Value {
		for _, c := range []string{"person", "bicycle", "motorcycle", "car", "heavy", "vehicle"} {
			for _, acc := range m.Precision {
				if _, ok := acc.Classes[c]; ok && !slices.Contains(d.Classes, c) {
					d.Classes = append(d.Classes, c)
				}
			}
		}
	}
	for _, b := range []struct{ head, key string }{
		{"Controller", "controller.name"},
		{"Data protection officer", "controller.dpo"},
		{"Purpose", "purpose.objective"},
		{"Use of the numbers", "purpose.use"},
		{"Legal basis", "law.basis"},
		{"Necessity", "law.necessity"},
		{"Proportionality", "law.proportionality"},
		{"Alternatives", "purpose.alternatives"},
		{"Consultation", "assessment.consultation"},
		{"Effects on groups of people", "assessment.equality"},
		{"Recipients behind the platform", "law.recipients"},
		{"Transfers", "law.transfers"},
		{"Class under the EU AI Act", "law.ai_act"},
		{"Reasons for that class", "law.ai_act_reasons"},
		{"Risks and measures", "assessment.risks"},
		{"Residual risk", "assessment.residual_risk"},
		{"Sign-off", "assessment.signed_off"},
	} {
		d.Blanks = append(d.Blanks, blank{b.head, askFor(b.key), a.answer(b.head, b.key)})
	}
	return d, nil
}
