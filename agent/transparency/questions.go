package transparency

import (
	"strconv"
	"strings"

	"kerb/agent/mistake"
)

// SchemaDeclared is the value of the key schema of declared.toml.
const SchemaDeclared = "kerb.declared/1"

// declaredFile mirrors declared.toml, key by key. All keys but schema may be left out.
type declaredFile struct {
	Schema     string `toml:"schema"`
	Controller struct {
		Name        string `toml:"name"`
		Contact     string `toml:"contact"`
		Email       string `toml:"email"`
		Phone       string `toml:"phone"`
		Number      string `toml:"number"`
		Team        string `toml:"team"`
		Responsible string `toml:"responsible"`
		DPO         string `toml:"dpo"`
		Region      string `toml:"region"`
	} `toml:"controller"`
	Notice struct {
		URL       string `toml:"url"`
		Privacy   string `toml:"privacy_url"`
		Why       string `toml:"why"`
		Objection string `toml:"objection"`
	} `toml:"notice"`
	Purpose struct {
		Objective    string `toml:"objective"`
		Use          string `toml:"use"`
		Impacts      string `toml:"impacts"`
		Benefit      string `toml:"benefit"`
		Previous     string `toml:"previous"`
		Alternatives string `toml:"alternatives"`
		Integration  string `toml:"integration"`
		Status       string `toml:"status"`
		Start        string `toml:"start"`
		End          string `toml:"end"`
		Removal      string `toml:"removal"`
		Signals      *bool  `toml:"signals"`
	} `toml:"purpose"`
	Law struct {
		Basis           string `toml:"basis"`
		Article         string `toml:"article"`
		Title           string `toml:"title"`
		Link            string `toml:"link"`
		PersonalData    *bool  `toml:"personal_data"`
		Necessity       string `toml:"necessity"`
		Proportionality string `toml:"proportionality"`
		Recipients      string `toml:"recipients"`
		Transfers       string `toml:"transfers"`
		AIAct           string `toml:"ai_act"`
		AIActReasons    string `toml:"ai_act_reasons"`
		Category        string `toml:"publication_category"`
	} `toml:"law"`
	Assessment struct {
		Names        []string `toml:"names"`
		Link         string   `toml:"link"`
		Explanation  string   `toml:"explanation"`
		Consultation string   `toml:"consultation"`
		Equality     string   `toml:"equality"`
		Risks        string   `toml:"risks"`
		ResidualRisk string   `toml:"residual_risk"`
		SignedOff    string   `toml:"signed_off"`
	} `toml:"assessment"`
	Oversight struct {
		Human     string `toml:"human"`
		Frequency string `toml:"frequency"`
		Training  string `toml:"training"`
		Challenge string `toml:"challenge"`
		Ethics    string `toml:"ethics"`
	} `toml:"oversight"`
	Supplier struct {
		Name        string `toml:"name"`
		Number      string `toml:"number"`
		Role        string `toml:"role"`
		Procurement string `toml:"procurement"`
		Access      string `toml:"access"`
		SourceCode  string `toml:"source_code"`
	} `toml:"supplier"`
	Charter struct {
		Publication string `toml:"publication"`
		Engagement  string `toml:"engagement"`
		NonDigital  string `toml:"non_digital"`
		Energy      string `toml:"energy"`
	} `toml:"charter"`
	DTPR struct {
		Purpose []string `toml:"purpose"`
		Access  []string `toml:"access"`
		Storage []string `toml:"storage"`
		Rights  []string `toml:"rights"`
	} `toml:"dtpr"`
	NL struct {
		Themes []string `toml:"themes"`
	} `toml:"nl"`
	Amsterdam struct {
		Themes      []string `toml:"themes"`
		LegalGround string   `toml:"legal_ground"`
		Project     string   `toml:"project"`
		FirstName   string   `toml:"first_name"`
		LastName    string   `toml:"last_name"`
		Street      string   `toml:"street"`
		HouseNumber string   `toml:"house_number"`
		Postcode    string   `toml:"postcode"`
		Town        string   `toml:"town"`
	} `toml:"amsterdam"`
}

// A form is the shape of an answer.
type form uint8

// The forms.
const (
	lineForm   form = iota // one line
	proseForm              // lines
	choiceForm             // one of choices
	listForm               // some of choices; without choices, lines
	flagForm               // true or false
	monthForm              // YYYY-MM
	dayForm                // YYYY-MM-DD
	urlForm                // https://…
	mailForm               // name@host
)

// The longest answers, in characters: the shortest limits of the registers that ask for
// them (Algoritmeregister Publicatiestandaard 1.0.0: 99, 199 and 2,499).
const (
	maxName   = 99
	maxLine   = 199
	maxProse  = 2400
	maxPhone  = 15 // Amsterdam/iot-api, validators.py
	maxPerson = 84 // the same
	maxThemes = 8  // columns of Amsterdam's bulk sheet
)

// A Question is one key of declared.toml: the question, and the registers that ask it.
type Question struct {
	Key     string // such as controller.name
	Ask     string // what a person is asked, in plain words
	AskedBy string // registers and their fields, for the template

	form    form
	max     int // characters of text, or members of a list
	choices []string
}

// Questions returns every key of declared.toml but schema, in the order of the file.
func Questions() []Question {
	line := func(key, ask, by string) Question { return Question{key, ask, by, lineForm, maxLine, nil} }
	prose := func(key, ask, by string) Question { return Question{key, ask, by, proseForm, maxProse, nil} }
	web := func(key, ask, by string) Question { return Question{key, ask, by, urlForm, maxLine, nil} }
	choice := func(key, ask, by string, of ...string) Question {
		return Question{key, ask, by, choiceForm, maxLine, of}
	}
	list := func(key, ask, by string, of ...string) Question {
		return Question{key, ask, by, listForm, 16, of}
	}
	flag := func(key, ask, by string) Question { return Question{key, ask, by, flagForm, 0, nil} }
	upTo := func(q Question, n int) Question { q.max = n; return q }
	as := func(q Question, f form) Question { q.form = f; return q }
	return []Question{
		upTo(line("controller.name", "the full, official name of the organisation that answers for the counting", "sign; NL organization; ATRS 0.2; GDPR Art. 30(1)(a); DTPR accountable; Amsterdam"), maxName),
		line("controller.contact", "a public address for questions: an e-mail address of a department, or a page; no person's", "sign; NL contact; ATRS 1.4; GDPR Art. 30(1)(a)"),
		as(line("controller.email", "the e-mail address for the register's own mail", "Amsterdam"), mailForm),
		upTo(line("controller.phone", "a telephone number for questions", "Amsterdam"), maxPhone),
		line("controller.number", "its number in the register of companies", "ATRS 2.1.4; Amsterdam KVK-nummer"),
		line("controller.team", "the team that runs the counting", "ATRS 2.1.2"),
		line("controller.responsible", "the senior responsible owner: a role, not a name", "ATRS 2.1.3"),
		line("controller.dpo", "how to reach the data protection officer", "GDPR Art. 30(1)(a)"),
		line("controller.region", "the region where it is used", "ATRS 0.4"),

		web("notice.url", "the page about this counting, to which the sign's QR code leads; {code} becomes the code of the device", "sign; page"),
		web("notice.privacy_url", "the privacy statement", "Amsterdam; DPV"),
		line("notice.why", "the reason for counting, in one short sentence", "sign; page"),
		prose("notice.objection", "how to object, and who decides", "page"),

		prose("purpose.objective", "the aim of the counting, and how people meet it", "ten questions 1; NL purpose_and_impact; ATRS 2.2; GDPR Art. 30(1)(b)"),
		prose("purpose.use", "what the numbers are used for: which decisions, by whom", "ten questions 2; Amsterdam; ATRS 2.3.1"),
		prose("purpose.impacts", "who is affected by these decisions, and how", "ten questions 3"),
		prose("purpose.benefit", "the benefit, and who has it", "ATRS 2.2"),
		prose("purpose.previous", "how this was done before", "ATRS 2.2"),
		prose("purpose.alternatives", "which other ways were looked at, and why not they", "ATRS 2.2; NL considerations"),
		prose("purpose.integration", "how the numbers enter your processes", "ATRS 2.3.1"),
		choice("purpose.status", "how far it is", "NL status; ATRS 0.3", "development", "use", "retired"),
		as(line("purpose.start", "the month in which it began", "NL start_date"), monthForm),
		as(line("purpose.end", "the month in which it ended", "NL end_date"), monthForm),
		as(line("purpose.removal", "the day on which the sensor is removed", "Amsterdam"), dayForm),
		flag("purpose.signals", "whether the numbers steer traffic signals", "EU AI Act, Annex III(2)"),

		prose("law.basis", "the legal basis, in words for people who are no lawyers", "sign; page; NL legal_basis"),
		choice("law.article", "the legal basis by its letter in GDPR Art. 6(1)", "DPV", "a", "b", "c", "d", "e", "f"),
		upTo(line("law.title", "the title of the law", "NL legal_basis_title"), maxName),
		web("law.link", "a link to the law", "NL legal_basis_link"),
		flag("law.personal_data", "whether personal data are processed; with a camera, true is the safe answer", "Amsterdam"),
		prose("law.necessity", "why the aim cannot be reached with less", "DPIA"),
		prose("law.proportionality", "advantages against disadvantages, and why this is fair", "DPIA; NL considerations"),
		prose("law.recipients", "who gets the numbers from your platform", "GDPR Art. 30(1)(d)"),
		prose("law.transfers", "transfers to other countries, or that there are none", "GDPR Art. 30(1)(e)"),
		choice("law.ai_act", "its class under the EU AI Act", "DPIA", "not high-risk", "high-risk", "no AI system"),
		prose("law.ai_act_reasons", "the reasons for that class", "DPIA"),
		choice("law.publication_category", "the publication category of the Dutch register", "NL publication_category", "A", "B", "C"),

		list("assessment.names", "the impact assessments that were made, such as Data Protection Impact Assessment (DPIA)", "NL impact_assessments; ATRS 2.5.1; charter"),
		web("assessment.link", "a link to their results", "NL; ATRS 2.5.1; charter"),
		prose("assessment.explanation", "why some were not made", "NL impact_assessment_explanation"),
		prose("assessment.consultation", "who was asked, and what came of it", "DPIA; charter"),
		prose("assessment.equality", "effects on groups of people, and the equality duty", "charter"),
		prose("assessment.risks", "which risks you see, and what you do about them", "NL risk_management; ATRS 2.5.2"),
		prose("assessment.residual_risk", "which risk remains, and who accepts it", "DPIA"),
		line("assessment.signed_off", "who signed the assessment off, by role, and when", "DPIA"),

		prose("oversight.human", "how people use, check and correct the results", "ten questions 9; NL human_intervention; ATRS 2.3.2"),
		line("oversight.frequency", "how often people look at it", "ATRS 2.3.2"),
		prose("oversight.training", "what these people learn before", "ATRS 2.3.2"),
		prose("oversight.challenge", "how somebody can challenge a number, or a decision made with it", "ten questions 11; ATRS 2.3.2"),
		prose("oversight.ethics", "which questions of fairness and ethics were weighed", "ten questions 8; NL considerations"),

		line("supplier.name", "who supplied it; \"Intern ontwikkeld\" in the Dutch register if you made it yourself", "NL supplier; ATRS 2.1.4"),
		line("supplier.number", "the supplier's number in the register of companies", "ATRS 2.1.4"),
		prose("supplier.role", "what the supplier does", "ATRS 2.1.4"),
		prose("supplier.procurement", "how it was bought", "ATRS 2.1.4"),
		prose("supplier.access", "which data the supplier can reach, and on what terms", "ATRS 2.1.4"),
		web("supplier.source_code", "where the program's source can be read", "NL source_code_link; charter"),

		prose("charter.publication", "where this record and the assessments are published", "London charter: be open"),
		prose("charter.engagement", "how people were told and heard", "London charter: be open"),
		prose("charter.non_digital", "how people without a telephone learn the same", "London charter: respect diversity"),
		prose("charter.energy", "the energy that it uses, measured", "London charter: be sustainable"),

		list("dtpr.purpose", "purposes by their DTPR id", "DTPR", dtprPurposes()...),
		list("dtpr.access", "who can get at the numbers, by DTPR id", "DTPR", dtprAccess()...),
		list("dtpr.storage", "where the platform stores them, by DTPR id", "DTPR", dtprStorage()...),
		list("dtpr.rights", "rights that people have, by the id of DTPR for AI", "DTPR for AI", dtprRights()...),

		list("nl.themes", "policy areas, in the words of the Dutch register", "NL theme", dutchThemes()...),

		upTo(list("amsterdam.themes", "themes, in the words of Amsterdam's register", "Amsterdam"), maxThemes),
		line("amsterdam.legal_ground", "the legal ground, in the words of Amsterdam's register", "Amsterdam"),
		line("amsterdam.project", "the project, and behind a semicolon the organisation", "Amsterdam"),
		upTo(line("amsterdam.first_name", "the first name of the contact", "Amsterdam"), maxPerson),
		upTo(line("amsterdam.last_name", "the last name of the contact", "Amsterdam"), maxPerson),
		line("amsterdam.street", "the street of the organisation", "Amsterdam"),
		line("amsterdam.house_number", "the number of the house", "Amsterdam"),
		line("amsterdam.postcode", "the postcode", "Amsterdam"),
		line("amsterdam.town", "the town", "Amsterdam"),
	}
}

// shape is the JSON Schema of the answer.
func (q Question) shape() string {
	text := `"type": "string", "minLength": 1, "maxLength": ` + strconv.Itoa(q.max)
	switch q.form {
	case choiceForm:
		return `{"enum": [` + quoteAll(q.choices) + `]}`
	case listForm:
		items := `{` + `"type": "string", "minLength": 1, "maxLength": ` + strconv.Itoa(maxLine) + `}`
		if len(q.choices) > 0 {
			items = `{"enum": [` + quoteAll(q.choices) + `]}`
		}
		return `{"type": "array", "minItems": 1, "maxItems": ` + strconv.Itoa(q.max) + `, "uniqueItems": true, "items": ` + items + `}`
	case flagForm:
		return `{"type": "boolean"}`
	case monthForm:
		return `{"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}$"}`
	case dayForm:
		return `{"type": "string", "format": "date"}`
	case urlForm:
		return `{` + text + `, "pattern": "^https://"}`
	case mailForm:
		return `{` + text + `, "format": "email"}`
	}
	return `{` + text + `}`
}

// schemaKey is the key as the schema of declared.toml knows it.
func (q Question) schemaKey() mistake.Key {
	return mistake.Optional(q.Key, q.Ask+" ("+q.AskedBy+")", q.shape())
}

func quoteAll(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = strconv.Quote(w)
	}
	return strings.Join(quoted, ", ")
}

// Choices returns the values that the answer may have, or nil.
func (q Question) Choices() []string { return q.choices }
