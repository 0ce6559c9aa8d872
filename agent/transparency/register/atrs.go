package register

import (
	"fmt"
	"io"
	"strings"

	"kerb/agent/transparency"
)

// atrs is the UK Algorithmic Transparency Recording Standard 4.0. It has no official
// schema: the fields are those that its guidance numbers, and the JSON Schema is kerb's
// own (ATRSSchema).
type atrs struct{}

// Name is atrs.
func (atrs) Name() string { return "atrs" }

// File is atrs.json.
func (atrs) File() string { return "atrs.json" }

// atrsEntry has the fields of ATRS 4.0 by their numbers; the numbers without a key in the
// standard's text are those of its guidance.
type atrsEntry struct {
	Standard     string      `json:"standard"`
	Title        string      `json:"0.1_title"`
	Organisation string      `json:"0.2_organisation,omitempty"`
	Phase        string      `json:"0.3_phase,omitempty"`
	Region       string      `json:"0.4_region,omitempty"`
	Name         string      `json:"1.1_name"`
	Description  string      `json:"1.2_description"`
	URL          string      `json:"1.3_url,omitempty"`
	Contact      string      `json:"1.4_contact,omitempty"`
	Owner        string      `json:"2.1.1_organisation,omitempty"`
	Team         string      `json:"2.1.2_team,omitempty"`
	Responsible  string      `json:"2.1.3_senior_responsible_owner,omitempty"`
	ThirdParty   *thirdParty `json:"2.1.4_third_party,omitempty"`
	Detailed     string      `json:"2.2.1_detailed_description"`
	Benefit      string      `json:"2.2.2_benefits,omitempty"`
	Previous     string      `json:"2.2.3_previous_process,omitempty"`
	Alternatives string      `json:"2.2.4_alternatives_considered,omitempty"`
	Integration  string      `json:"2.3.1_integration,omitempty"`
	Human        string      `json:"2.3.2.1_human_review,omitempty"`
	Frequency    string      `json:"2.3.2.2_frequency_and_scale,omitempty"`
	Training     string      `json:"2.3.2.3_training,omitempty"`
	Appeals      string      `json:"2.3.2.4_appeals,omitempty"`
	Architecture string      `json:"2.4.1.1_system_architecture"`
	Input        string      `json:"2.4.1.2_system_input"`
	Output       string      `json:"2.4.1.3_system_output"`
	Maintenance  string      `json:"2.4.1.4_maintenance"`
	ModelNames   []string    `json:"2.4.1.5_models"`
	Models       []atrsModel `json:"2.4.2_models"`
	Development  string      `json:"2.4.3_development_data"`
	Operational  string      `json:"2.4.4_operational_data"`
	Assessments  string      `json:"2.5.1_impact_assessments,omitempty"`
	Risks        string      `json:"2.5.2_risks_and_mitigations,omitempty"`
	Warnings     []string    `json:"warnings"`
}

type thirdParty struct {
	Name        string `json:"name"`
	Number      string `json:"company_number,omitempty" optional:"true"`
	Role        string `json:"role,omitempty" optional:"true"`
	Procurement string `json:"procurement,omitempty" optional:"true"`
	Access      string `json:"data_access_terms,omitempty" optional:"true"`
}

// atrsModel has the eight fields of one model.
type atrsModel struct {
	Name         string `json:"2.4.2.1_name"`
	Version      string `json:"2.4.2.2_version"`
	Task         string `json:"2.4.2.3_task"`
	Input        string `json:"2.4.2.4_input"`
	Output       string `json:"2.4.2.5_output"`
	Architecture string `json:"2.4.2.6_architecture"`
	Performance  string `json:"2.4.2.7_performance"`
	Datasets     string `json:"2.4.2.8_datasets"`
}

var atrsPhase = map[string]string{"development": "Development", "use": "Production", "retired": "Retired"}

// ATRSSchema is kerb's own JSON Schema of the fields of ATRS 4.0.
func ATRSSchema() []byte {
	return formSchema[atrsEntry]("the fields of ATRS 4.0 as its guidance numbers them; made by kerb, because the standard has no schema")
}

// Export writes the entries.
func (atrs) Export(w io.Writer, groups []transparency.Group) ([]Missing, error) {
	return exportEach(w, groups, func(a *asker, g transparency.Group) atrsEntry {
		r := a.rec
		e := atrsEntry{
			Standard: "ATRS 4.0", Title: englishTitle(r), Name: englishTitle(r), Description: shortDescription(r),
			Organisation: a.answer("0.2 organisation", "controller.name"), Phase: atrsPhase[a.answer("0.3 phase", "purpose.status")],
			Region: a.answer("0.4 region", "controller.region"), Contact: a.answer("1.4 contact", "controller.contact"),
			URL: r.PageURL(), Owner: a.answer("2.1.1 organisation", "controller.name"), Team: a.answer("2.1.2 team", "controller.team"),
			Responsible: a.answer("2.1.3 senior responsible owner", "controller.responsible"), ThirdParty: supplierOf(a),
			Detailed: detailedDescription(r, g), Benefit: a.answer("2.2 benefits", "purpose.benefit"),
			Previous: a.answer("2.2 previous process", "purpose.previous"), Alternatives: a.answer("2.2 alternatives considered", "purpose.alternatives"),
			Integration: a.answer("2.3.1 integration", "purpose.integration"), Human: a.answer("2.3.2 human review", "oversight.human"),
			Frequency: a.answer("2.3.2 frequency and scale", "oversight.frequency"), Training: a.answer("2.3.2 training", "oversight.training"),
			Appeals: a.answer("2.3.2 appeals", "oversight.challenge"), Assessments: a.answer("2.5.1 impact assessments", "assessment.names"),
			Risks: a.answer("2.5.2 risks and mitigations", "assessment.risks"), Warnings: warningTexts(r),
		}
		if e.URL == "" {
			a.miss("1.3 URL", "notice.url")
		}
		fillTechnical(&e, r)
		return e
	})
}

func supplierOf(a *asker) *thirdParty {
	name := a.answer("2.1.4 third party", "supplier.name")
	if name == "" {
		return nil
	}
	r := a.rec
	return &thirdParty{name, r.AnswerOr("supplier.number", ""), r.AnswerOr("supplier.role", ""), r.AnswerOr("supplier.procurement", ""), r.AnswerOr("supplier.access", "")}
}

// fillTechnical fills 2.4 from enforced and measured values.
func fillTechnical(e *atrsEntry, r *transparency.Record) {
	e.Architecture = "Processes of one program on the device: one for each sensor sees pictures or loops and has no file and no network; one stores and sends cleared numbers and never gets a picture. " + strings.Join(wallLines(r), " ")
	e.Input, e.Output = inputText(r), outputText(r)+" "+clearingSentence(r)
	e.Maintenance = fmt.Sprintf("kerb %s, SHA-256 %s; policy version %d, %s. A looser or older policy is refused without the signatures that the device asks for (mode %s).",
		r.Build.Version.Value, r.Build.Binary.Value, r.Policy.Version.Value, r.Policy.Hash.Value, r.Policy.Trust.Value)
	e.ModelNames, e.Models = []string{}, []atrsModel{}
	for _, m := range r.Models.Value {
		e.ModelNames = append(e.ModelNames, m.Name)
		one := *r
		one.Models.Value = []transparency.Model{m}
		version := m.SHA256
		if version == "" {
			version = r.Build.Version.Value
		}
		performance := append(accuracyLines(&one), warningTexts(r)...)
		e.Models = append(e.Models, atrsModel{
			Name: m.Name, Version: version, Task: "finds people, bicycles and vehicles in one picture",
			Input: "brightness of one picture, at most " + r.Capture.Pixels.Value, Output: "boxes with a class and a score; none outlives the picture",
			Architecture: modelArchitecture(m), Performance: strings.Join(performance, " "), Datasets: "see 2.4.3",
		})
	}
	e.Development = developmentText(r)
	e.Operational = outputText(r) + " " + keptSentence(r) + " " + strings.Join(acceptanceLines(r), " ")
}

func modelArchitecture(m transparency.Model) string {
	if m.Note != "" {
		return m.Note
	}
	return "convolutional network, 1×1 convolutions in eight bits; see the model card (MODEL.md)"
}

func developmentText(r *transparency.Record) string {
	if !r.HasCamera() {
		return "none: loops need no trained model"
	}
	return "Pictures of streets, brightness only, from sources that state a permissive licence, labelled by people and by other published networks, and drawings; no picture of this device. The model card (MODEL.md) lists sources, licences and gaps. The device does not learn."
}

// englishTitle is the title of the counting.
func englishTitle(r *transparency.Record) string {
	return "Counting " + pluralsOf(r.Output.Classes.Value, plurals, "and") + " in public space (kerb)"
}

func shortDescription(r *transparency.Record) string {
	s := fmt.Sprintf("A device with %s counts %s and passes on nothing but numbers, one set every %s.", sensing(r), pluralsOf(r.Output.Classes.Value, plurals, "and"), span(r.Clearing.Window.Value))
	if r.HasCamera() {
		s += " Pictures stay in its memory, are overwritten at once and never leave it. Nobody is recognised."
	}
	return s
}

func detailedDescription(r *transparency.Record, g transparency.Group) string {
	return fmt.Sprintf("%s %s %s Hours of counting: %s. Purpose by the policy: %s. Devices: %s.", shortDescription(r), followSentence(r), clearingSentence(r), hoursText(r), r.Policy.Purpose.Value, strings.Join(deviceNames(g), ", "))
}

func inputText(r *transparency.Record) string {
	var parts []string
	if r.HasCamera() {
		parts = append(parts, fmt.Sprintf("Camera pictures: brightness only, no colour, no sound, at most %s pixels, in memory only. Masked areas are blackened first. Cameras: %s.", r.Capture.Pixels.Value, sensorNames(r)))
	}
	if r.HasLoops() {
		parts = append(parts, "Edges of induction loops.")
	}
	return strings.Join(parts, " ")
}

// detectors says in words how objects are found.
var detectors = map[string]string{
	"auto": "a network finds objects where the device is fast enough, else motion alone", "neural": "a network finds objects", "motion": "motion alone finds objects",
}

// sensorNames describes each camera.
func sensorNames(r *transparency.Record) string {
	var names []string
	for _, s := range r.Capture.Sensors.Value {
		if s.Kind == "camera" {
			names = append(names, fmt.Sprintf("%s (%s; %s; masked areas: %d)", s.Name, s.Feed, detectors[s.Detector], s.Masks))
		}
	}
	return strings.Join(names, ", ")
}

// outputText says what leaves, and where it goes; clearingSentence tells how it was cleared.
func outputText(r *transparency.Record) string {
	kinds := map[string]string{"line": "a line in the picture", "zone": "a zone in the picture", "loop": "a lane with loops"}
	var streams []string
	for _, s := range r.Output.Streams.Value {
		streams = append(streams, fmt.Sprintf("%s (%s: %s)", s.ID, kinds[s.Kind], pluralsOf(s.Classes, plurals, "and")))
	}
	return fmt.Sprintf("Every %s, numbers for %s leave.%s They go to %s; the connection is %s. The platform there may ask for %s.",
		span(r.Clearing.Window.Value), joinWords(streams, "and"), besidesText(r), r.Output.Recipient.Value, encryption(r), commandsText(r))
}

// commandsText says in words what the platform may ask for.
func commandsText(r *transparency.Record) string {
	said := map[string]string{"resend": "the same numbers again", "watermark": "the deletion of numbers that it has"}
	var list []string
	for _, c := range r.Output.Commands.Value {
		list = append(list, said[c]+" ("+c+")")
	}
	if len(list) == 0 {
		return "nothing"
	}
	return joinWords(list, "and")
}
