package register_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"

	"kerb/agent/transparency"
	"kerb/agent/transparency/recordtest"
	"kerb/agent/transparency/register"
)

// shared returns the path of a file of other people's formats, or skips the test.
func shared(t *testing.T, name string) string {
	t.Helper()
	dir := os.Getenv("KERB_SHARED")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "..", "shared")
	}
	path := filepath.Join(dir, "schemas", name)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("SKIPPED: no %s: KERB_SHARED names the folder that has schemas/", path)
	}
	return path
}

// export writes records in a form.
func export(t *testing.T, name string, records ...*transparency.Record) (string, []register.Missing) {
	t.Helper()
	e, err := register.Find(name)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	missing, err := e.Export(&b, transparency.Fleet(records))
	if err != nil {
		t.Fatal(err)
	}
	return b.String(), missing
}

func emptyAndFull(t *testing.T) (empty, full *transparency.Record) {
	return recordtest.Make(t, recordtest.Options{}), recordtest.Make(t, recordtest.Options{Answers: recordtest.Answers})
}

// missingProperties are the required properties that a validation misses, as paths; other
// faults are test errors.
func missingProperties(t *testing.T, s *jsonschema.Schema, text string) (paths []string) {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	err = s.Validate(doc)
	if err == nil {
		return nil
	}
	var walk func(e *jsonschema.ValidationError)
	walk = func(e *jsonschema.ValidationError) {
		if len(e.Causes) == 0 {
			required, ok := e.ErrorKind.(*kind.Required)
			if !ok {
				t.Errorf("not only missing: %v", e)
				return
			}
			for _, name := range required.Missing {
				paths = append(paths, strings.Join(append(slices.Clone(e.InstanceLocation), name), "."))
			}
		}
		for _, c := range e.Causes {
			walk(c)
		}
	}
	var v *jsonschema.ValidationError
	if !errors.As(err, &v) {
		t.Fatal(err)
	}
	walk(v)
	slices.Sort(paths)
	return slices.Compact(paths)
}

func compileFile(t *testing.T, path string) *jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	s, err := c.Compile(path)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// fieldsOf are the fields of missing answers, as the schema names them.
func fieldsOf(missing []register.Missing) (fields []string) {
	for _, m := range missing {
		fields = append(fields, m.Field)
	}
	slices.Sort(fields)
	return slices.Compact(fields)
}

func TestTheDutchStandardTakesTheExport(t *testing.T) {
	s := compileFile(t, shared(t, "nl-register/publicatiestandaard-1.0.0.schema.json"))
	empty, full := emptyAndFull(t)
	text, missing := export(t, "nl", empty)
	if lacks := missingProperties(t, s, text); len(lacks) != 12 || !slices.Equal(lacks, fieldsOf(missing)) {
		t.Errorf("the schema misses %v, the export names %v", lacks, fieldsOf(missing))
	}
	for _, m := range missing {
		if len(m.Ask) < 10 || !strings.HasPrefix(m.Key, "declared.toml ") {
			t.Errorf("not in a person's words: %s", m)
		}
	}
	text, missing = export(t, "nl", full)
	if lacks := missingProperties(t, s, text); len(lacks)+len(missing) != 0 {
		t.Errorf("with all answers: %v, %v", lacks, missing)
	}
}

// The answers to the longest question must still fit.
func TestTheLongestAnswersFitTheDutchStandard(t *testing.T) {
	s := compileFile(t, shared(t, "nl-register/publicatiestandaard-1.0.0.schema.json"))
	long := recordtest.Replace(t, recordtest.Answers, `objective = "To know how busy the pavement is."`, `objective = "`+strings.Repeat("ä", 2400)+`"`)
	long = recordtest.Replace(t, long, `name = "City of Example"`, `name = "`+strings.Repeat("ä", 99)+`"`)
	site := recordtest.Replace(t, recordtest.Site, `http://camera.example.org/video`, `rtsp://camera.example.org/video`)
	text, _ := export(t, "nl", recordtest.Make(t, recordtest.Options{Answers: long, Site: site}))
	if lacks := missingProperties(t, s, text); len(lacks) != 0 {
		t.Error(lacks)
	}
}

// apiField is a field in the delivery API's own description.
type apiField struct {
	Type      string              `json:"type"`
	Max       int                 `json:"max_length"`
	Required  any                 `json:"required"`
	Permitted []string            `json:"permitted_values"`
	Items     map[string]apiField `json:"items"`
}

// check returns the faults of a value.
func (f apiField) check(name string, v any) (faults []string) {
	switch x := v.(type) {
	case nil:
		if f.Required == true {
			faults = append(faults, name)
		}
	case string:
		if f.Type != "string" && f.Type != "enum" || f.Max > 0 && len([]rune(x)) > f.Max || f.Permitted != nil && !slices.Contains(f.Permitted, x) {
			faults = append(faults, name+": "+x)
		}
	case []any:
		for _, item := range x {
			if object, ok := item.(map[string]any); ok {
				for sub, g := range f.Items {
					faults = append(faults, g.check(name+"."+sub, object[sub])...)
				}
			} else if text, ok := item.(string); !ok || !slices.Contains(f.Permitted, text) {
				faults = append(faults, name)
			}
		}
	default:
		faults = append(faults, name+": of another type")
	}
	return faults
}

func TestTheDutchDeliveryAPITakesTheExport(t *testing.T) {
	var description struct {
		Properties map[string]apiField `json:"properties"`
	}
	data, err := os.ReadFile(shared(t, "nl-register/delivery-api-v1_0.json"))
	if err != nil || json.Unmarshal(data, &description) != nil {
		t.Fatal(err)
	}
	validate := func(text string) (faults []string) {
		var doc map[string]any
		if err := json.Unmarshal([]byte(text), &doc); err != nil {
			t.Fatal(err)
		}
		for name := range doc {
			if _, known := description.Properties[name]; !known {
				faults = append(faults, name+": no such field")
			}
		}
		for name, f := range description.Properties {
			faults = append(faults, f.check(name, doc[name])...)
		}
		slices.Sort(faults)
		return faults
	}
	empty, full := emptyAndFull(t)
	text, missing := export(t, "nl-api", empty)
	if got := validate(text); len(got) != 4 || !slices.Equal(got, fieldsOf(missing)) {
		t.Errorf("the description misses %v, the export names %v", got, fieldsOf(missing))
	}
	text, missing = export(t, "nl-api", full)
	if got := validate(text); len(got)+len(missing) != 0 {
		t.Errorf("with all answers: %v %v", got, missing)
	}
	// The control: the standard's words are not the API's.
	if got := validate(strings.Replace(text, "Overige algoritmes", "Overige algoritmes (Categorie C)", 1)); len(got) != 1 {
		t.Errorf("the other file's word: %v", got)
	}
}

// lines reads a list of ids.
func lines(t *testing.T, path string) []string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(string(data))
}

func TestEveryDTPRIDIsInTheList(t *testing.T) {
	elements := lines(t, shared(t, "dtpr/dtpr-v1-element-ids.txt"))
	categories := lines(t, shared(t, "dtpr/dtpr-v1-category-ids.txt"))
	strict := recordtest.Replace(t, recordtest.Policy, `clear.method = "noise"
clear.epsilon = 1.0
clear.below = 5`, `clear.method = "suppress"
clear.below = 10
clear.round = 10`)
	motion := recordtest.Replace(t, recordtest.Site, "name = \"north\"", "name = \"north\"\ndetector = \"motion\"")
	for _, o := range []recordtest.Options{{}, {Answers: recordtest.Answers}, {Policy: strict, Site: motion}} {
		text, _ := export(t, "dtpr", recordtest.Make(t, o))
		var chain struct {
			Elements []struct{ ID, Category string }
		}
		if err := json.Unmarshal([]byte(text), &chain); err != nil {
			t.Fatal(err)
		}
		for _, e := range chain.Elements {
			if !slices.Contains(elements, e.ID) || !slices.Contains(categories, e.Category) {
				t.Errorf("no such id: %s of %s", e.ID, e.Category)
			}
		}
		if len(chain.Elements) < 7 || strings.Contains(text, "de_identified") || strings.Contains(text, "k_anonymity") {
			t.Errorf("%d elements: %s", len(chain.Elements), text)
		}
		if noise := strings.Contains(text, "differential_privacy"); noise != (o.Policy == "") {
			t.Errorf("differential privacy: %t", noise)
		}
	}
	// The answers may name only ids of the list.
	for _, q := range transparency.Questions() {
		for _, id := range q.Choices() {
			if strings.HasPrefix(q.Key, "dtpr.") && q.Key != "dtpr.rights" && !slices.Contains(elements, id) {
				t.Errorf("%s offers %s, which is no id", q.Key, id)
			}
		}
	}
	_, missing := export(t, "dtpr", recordtest.Make(t, recordtest.Options{}))
	if got := fieldsOf(missing); !slices.Equal(got, []string{"access", "accountable", "purpose", "storage"}) {
		t.Errorf("missing: %v", got)
	}
}

// dtprAISchema is the structure of a datachain instance by Helpful-Places/dtpr,
// api/src/schema/datachain-instance.ts of August 2026, and the elements of
// ai@2026-08-12-beta that kerb names by itself.
const dtprAISchema = `{"type": "object", "required": ["id", "schema_version", "created_at", "elements"], "additionalProperties": false, "properties": {
"id": {"type": "string", "minLength": 1}, "title": {"$ref": "#/$defs/text"}, "description": {"$ref": "#/$defs/text"},
"schema_version": {"const": "ai@2026-08-12-beta"}, "created_at": {"type": "string", "format": "date-time"}, "instance_version": {"type": "string", "minLength": 1},
"elements": {"type": "array", "minItems": 1, "items": {"type": "object", "required": ["element_id"], "additionalProperties": false, "properties": {
  "element_id": {"enum": ["organization", "mobility", "available_to_the_accountable_organization", "stored_primarily_locally", "right_contest", "perceptive_mode", "computer_vision",
    "input_about_a_place", "analytical_mode", "input_about_a_measurement", "privacy_transformation", "output_about_a_measurement", "data_retained"]},
  "variables": {"type": "array", "items": {"type": "object", "required": ["id", "value"], "properties": {"id": {"enum": ["additional_description", "duration"]}, "value": {"$ref": "#/$defs/text"}}}}}}}},
"$defs": {"text": {"type": "array", "minItems": 1, "items": {"type": "object", "required": ["locale", "value"], "properties": {"locale": {"enum": ["en", "fr"]}, "value": {"type": "string", "minLength": 1}}}}}}`

func compileText(t *testing.T, text string) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("s.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("s.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestTheInstanceOfDTPRForAIHasItsStructure(t *testing.T) {
	s := compileText(t, dtprAISchema)
	empty, full := emptyAndFull(t)
	for _, r := range []*transparency.Record{empty, full} {
		text, _ := export(t, "dtpr-ai", r)
		if lacks := missingProperties(t, s, text); len(lacks) > 0 {
			t.Error(lacks)
		}
	}
}

func TestEveryDPVTermIsDefinedAndInUse(t *testing.T) {
	data, err := os.ReadFile(shared(t, "dpv/dpv-2.3-terms.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	labels := map[string]string{}
	for line := range strings.Lines(string(data)) {
		iri, label, _ := strings.Cut(strings.TrimSpace(line), "\t")
		labels[iri] = label
	}
	prefixes := map[string]string{"dpv": "https://w3id.org/dpv#", "eu-gdpr": "https://w3id.org/dpv/legal/eu/gdpr#", "tech": "https://w3id.org/dpv/tech#"}
	term := regexp.MustCompile(`"(dpv|eu-gdpr|tech):([A-Za-z0-9-]+)"`)
	faults := func(text string) (faults []string, n int) {
		for _, m := range term.FindAllStringSubmatch(text, -1) {
			label, ok := labels[prefixes[m[1]]+m[2]]
			if n++; !ok || strings.Contains(label, "deprecated") || strings.Contains(label, "sunset") {
				faults = append(faults, m[0]+" "+label)
			}
		}
		return faults, n
	}
	empty, full := emptyAndFull(t)
	for _, r := range []*transparency.Record{empty, full} {
		text, _ := export(t, "dpv", r)
		if got, n := faults(text); len(got) > 0 || n < 15 {
			t.Errorf("%d terms, %v", n, got)
		}
	}
	text, missing := export(t, "dpv", empty)
	if got := fieldsOf(missing); len(got) != 5 || strings.Contains(text, "eu-gdpr:A6") || strings.Contains(text, "dpv:DPIA") {
		t.Errorf("without answers: %v", got)
	}
	if text, _ := export(t, "dpv", full); !strings.Contains(text, "eu-gdpr:A6-1-e") || !strings.Contains(text, "dpv:DPIA") {
		t.Error("the answers are not in it")
	}
	// The control: a term that is no longer used, and one that never was.
	if got, _ := faults(`"dpv:WithinDevice" "dpv:Kerb"`); len(got) != 2 {
		t.Errorf("planted: %v", got)
	}
}

func TestAmsterdamsSheetHasItsHeadings(t *testing.T) {
	example, err := os.Open(shared(t, "amsterdam/Sensorregistratie-example.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer example.Close()
	read := func(c *csv.Reader) [][]string {
		c.Comma, c.FieldsPerRecord = ';', -1 // the example's last row lacks a cell
		rows, err := c.ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		return rows
	}
	want := read(csv.NewReader(example))
	empty, full := emptyAndFull(t)
	text, missing := export(t, "amsterdam", empty)
	got := read(csv.NewReader(strings.NewReader(text)))
	if !slices.Equal(got[0], want[0]) || len(got) != 3 {
		t.Errorf("%d rows, headings %q", len(got), got[0])
	}
	if len(missing) != 7 {
		t.Errorf("missing: %v", missing)
	}
	for _, i := range []int{6, 7, 15, 16, 17, 18, 20} { // what only a person can say
		if got[1][i] != "" {
			t.Errorf("kerb filled %q: %q", got[0][i], got[1][i])
		}
	}
	text, missing = export(t, "amsterdam", full)
	got = read(csv.NewReader(strings.NewReader(text)))
	if len(missing) != 0 || got[1][15] != "Ja" || got[1][18] != "31-12-2028" || got[1][2] != "60.17" || got[2][1] != "Aanwezigheid of nabijheidsensor" {
		t.Errorf("%v, %q", missing, got)
	}
	// The second sheet: 13 fields of the owner, of which four are not obligatory.
	text, missing = export(t, "amsterdam-owner", empty)
	if rows := read(csv.NewReader(strings.NewReader(text))); len(rows) != 13 || len(missing) != 9 {
		t.Errorf("%d fields, %d missing", len(rows), len(missing))
	}
	if _, missing = export(t, "amsterdam-owner", full); len(missing) != 0 {
		t.Errorf("with all answers: %v", missing)
	}
}

func TestKerbsOwnSchemasTakeTheExports(t *testing.T) {
	for name, made := range map[string][]byte{"atrs": register.ATRSSchema(), "art30": register.Article30Schema()} {
		path := "../../../configs/" + name + ".schema.json"
		if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, made) {
			if os.Getenv("KERB_UPDATE") == "" {
				t.Errorf("%s is not what the code makes: write it with KERB_UPDATE=1 go test ./agent/transparency/register", path)
			} else if err := os.WriteFile(path, made, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		s := compileText(t, string(made))
		empty, full := emptyAndFull(t)
		text, missing := export(t, name, empty)
		if lacks := missingProperties(t, s, text); len(lacks) != len(missing) || len(lacks) < 6 {
			t.Errorf("%s: the schema misses %v, the export names %v", name, lacks, fieldsOf(missing))
		}
		text, missing = export(t, name, full)
		if lacks := missingProperties(t, s, text); len(lacks)+len(missing) != 0 {
			t.Errorf("%s, with all answers: %v, %v", name, lacks, missing)
		}
	}
	// Art. 30(1) has seven letters.
	text, _ := export(t, "art30", recordtest.Make(t, recordtest.Options{Answers: recordtest.Answers}))
	var doc map[string]any
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		t.Fatal(err)
	}
	letters := ""
	for key := range doc {
		if len(key) > 2 && key[1] == '_' {
			letters += key[:1]
		}
	}
	if len(letters) != 7 {
		t.Errorf("letters: %s", letters)
	}
}

// The texts say "not provided" wherever a person must answer, and never where kerb does.
func TestTheTextsShowEveryBlank(t *testing.T) {
	empty, full := emptyAndFull(t)
	for name, blanks := range map[string]int{"questions": 6, "charter": 10, "dpia": 17} {
		text, missing := export(t, name, empty)
		if n := strings.Count(text, transparency.NotProvided); n != blanks || len(missing) != blanks {
			t.Errorf("%s: %d blanks, %d missing", name, n, len(missing))
		}
		if text, missing := export(t, name, full); strings.Contains(text, transparency.NotProvided) || len(missing) > 0 {
			t.Errorf("%s, with all answers: %v", name, missing)
		}
	}
	text, _ := export(t, "questions", full)
	if n := strings.Count(text, "\n## "); n != 11 {
		t.Errorf("%d questions", n)
	}
}

func TestEveryFormCarriesTheWarningOfBicycles(t *testing.T) {
	words := regexp.MustCompile(`(?i)bicycles: most are missed|fietsen worden slecht gevonden`)
	r := recordtest.Make(t, recordtest.Options{})
	for _, e := range register.Exporters() {
		text, _ := export(t, e.Name(), r)
		if e.Name() != "amsterdam-owner" && !words.MatchString(text) { // that sheet names people alone
			t.Errorf("%s carries no warning", e.Name())
		}
	}
	// The control: where no bicycle is counted, there is none.
	site := recordtest.Replace(t, recordtest.Site, `classes = ["person", "bicycle"]`, `classes = ["person"]`)
	text, _ := export(t, "nl", recordtest.Make(t, recordtest.Options{Site: site}))
	if words.MatchString(text) {
		t.Error("a warning of what is not counted")
	}
}

func TestAFleetIsOneFileForEachRegister(t *testing.T) {
	a := recordtest.Make(t, recordtest.Options{Answers: recordtest.Answers})
	b := recordtest.Make(t, recordtest.Options{Answers: recordtest.Answers, Site: recordtest.Replace(t, recordtest.Site, "pi-0a1b", "pi-0a1c")})
	strict := recordtest.Replace(t, recordtest.Policy, "clear.epsilon = 1.0", "clear.epsilon = 0.5")
	c := recordtest.Make(t, recordtest.Options{Answers: recordtest.Answers, Policy: strict, Site: recordtest.Replace(t, recordtest.Site, "pi-0a1b", "pi-0a1d")})
	for name, want := range map[string]int{"nl": 2, "nl-api": 2, "atrs": 2, "art30": 2, "dpv": 2, "dtpr": 3, "dtpr-ai": 3} {
		text, _ := export(t, name, a, b, c)
		var docs []any
		if err := json.Unmarshal([]byte(text), &docs); err != nil || len(docs) != want {
			t.Errorf("%s: %d entries, %v", name, len(docs), err)
		}
	}
	for name, want := range map[string]string{"amsterdam": "pi-0a1d-north", "dpia": "helsinki/mannerheimintie</th><td>person</td><td>3</td><td>3</td><td>2.5", "questions": "pi-0a1c"} {
		if text, _ := export(t, name, a, b, c); !strings.Contains(text, want) {
			t.Errorf("%s lacks %s", name, want)
		}
	}
}

// A threat of the DPIA pack names tests; each must be one of the program's.
func TestEveryThreatNamesTestsThatExist(t *testing.T) {
	known := map[string]bool{}
	name := regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	err := filepath.WalkDir(filepath.Join("..", "..", ".."), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		data, err := os.ReadFile(path)
		for _, m := range name.FindAllSubmatch(data, -1) {
			known[string(m[1])] = true
		}
		return err
	})
	if err != nil || len(known) < 300 {
		t.Fatalf("%d tests, %v", len(known), err)
	}
	names := register.ThreatTests()
	if len(names) < 15 {
		t.Errorf("%d tests", len(names))
	}
	for _, n := range names {
		if !known[n] {
			t.Errorf("the DPIA pack names %s, which is no test", n)
		}
	}
}
