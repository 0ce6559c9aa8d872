package register

import (
	"io"
	"strings"

	"kerb/agent/transparency"
)

// dtprAI is the datachain of DTPR for AI systems, ai@2026-08-12-beta: an instance by
// Helpful-Places/dtpr, api/src/schema/datachain-instance.ts. Its ids have no category.
type dtprAI struct{}

// Name is dtpr-ai.
func (dtprAI) Name() string { return "dtpr-ai" }

// File is dtpr-ai.json.
func (dtprAI) File() string { return "dtpr-ai.json" }

type localText struct {
	Locale string `json:"locale"`
	Value  string `json:"value"`
}

type dtprInstance struct {
	ID          string                `json:"id"`
	Title       []localText           `json:"title"`
	Description []localText           `json:"description"`
	Schema      string                `json:"schema_version"`
	Created     string                `json:"created_at"`
	Version     string                `json:"instance_version"`
	Elements    []dtprInstanceElement `json:"elements"`
}

type dtprInstanceElement struct {
	ID        string         `json:"element_id"`
	Variables []dtprVariable `json:"variables,omitempty"`
}

type dtprVariable struct {
	ID    string      `json:"id"`
	Value []localText `json:"value"`
}

func inEnglish(text string) []localText { return []localText{{"en", text}} }

// Export writes one instance for each device.
func (dtprAI) Export(w io.Writer, groups []transparency.Group) ([]Missing, error) {
	return exportEach(w, eachDevice(groups), func(a *asker, g transparency.Group) dtprInstance {
		r := a.rec
		d := dtprInstance{
			ID: deviceNames(g)[0], Title: inEnglish(englishTitle(r)), Schema: "ai@2026-08-12-beta", Created: stamp(r.At), Version: r.Build.Version.Value,
			Description: inEnglish(detailedDescription(r, g) + " Policy " + r.Policy.Hash.Value + ".\n\n" + strings.Join(warningTexts(r), "\n")),
		}
		if name := a.answer("accountable", "controller.name"); name != "" {
			d.add("organization", "additional_description", name)
		}
		for _, from := range []struct{ field, key string }{{"purpose", "dtpr.purpose"}, {"access", "dtpr.access"}, {"storage", "dtpr.storage"}, {"rights", "dtpr.rights"}} {
			for _, id := range a.answers(from.field, from.key) {
				if _, bare, prefixed := strings.Cut(id, "__"); prefixed {
					id = bare
				}
				d.add(id, "", "")
			}
		}
		if r.HasCamera() {
			d.add("perceptive_mode", "", "")
			d.add("computer_vision", "additional_description", strings.Join(accuracyLines(r), " "))
			d.add("input_about_a_place", "additional_description", inputText(r))
		} else {
			d.add("analytical_mode", "", "")
			d.add("input_about_a_measurement", "additional_description", inputText(r))
		}
		d.add("privacy_transformation", "additional_description", clearingSentence(r))
		d.add("output_about_a_measurement", "additional_description", outputText(r))
		d.add("data_retained", "duration", span(r.Retention.Records.Value))
		return d
	})
}

// add appends an element, with a variable unless its id is empty.
func (d *dtprInstance) add(id, variable, value string) {
	e := dtprInstanceElement{ID: id}
	if variable != "" {
		e.Variables = []dtprVariable{{variable, inEnglish(value)}}
	}
	d.Elements = append(d.Elements, e)
}
