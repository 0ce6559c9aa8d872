package transparency_test

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"aead.dev/minisign"
	"github.com/pelletier/go-toml/v2"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"kerb/agent/transparency"
	"kerb/agent/transparency/recordtest"
)

func TestTheTemplateAsksEveryQuestionAndAnswersNone(t *testing.T) {
	text := transparency.Template()
	if _, err := transparency.ParseDeclared("declared.toml", []byte(text)); err != nil {
		t.Fatal(err)
	}
	r := recordtest.Make(t, recordtest.Options{Answers: text})
	for _, q := range transparency.Questions() {
		if a, ok := r.Answer(q.Key); ok {
			t.Errorf("the template answers %s: %q", q.Key, a)
		}
		_, name, _ := strings.Cut(q.Key, ".")
		if !strings.Contains(text, "\n# "+name+" = ") || q.Ask == "" || q.AskedBy == "" {
			t.Errorf("the template does not ask %s", q.Key)
		}
	}
	// With the # removed, each key is one that the reader knows.
	for line := range strings.Lines(text) {
		if key, is := strings.CutPrefix(line, "# "); is && strings.Contains(line, " = ") {
			text = strings.Replace(text, line, key, 1)
		}
	}
	if _, err := transparency.ParseDeclared("declared.toml", []byte(text)); err == nil || strings.Contains(err.Error(), "no such key") || strings.Contains(err.Error(), "hint: the file is TOML") {
		t.Errorf("a template with empty answers: %v", err)
	}
}

func TestWrongAnswersAreReportedTogetherWithTheirLines(t *testing.T) {
	_, err := transparency.ParseDeclared("declared.toml", []byte(`schema = "kerb.declared/1"
[controller]
name = ""
contact = "not provided"
emial = "x@example.org"
phone = "01234567890123456789"
[notice]
url = "http://example.org"
[purpose]
status = "running"
start = "November"
signals = "yes"
[law]
basis = "a`+"\u202e"+`b"
[nl]
themes = ["Traffic"]
`))
	want := []string{
		"declared.toml:3: controller.name", "declared.toml:4: controller.contact", "declared.toml:5: controller.emial: no such key", "did you mean email?",
		"declared.toml:6: controller.phone", "declared.toml:8: notice.url", "declared.toml:10: purpose.status", "declared.toml:11: purpose.start",
		"declared.toml:12: purpose.signals", "declared.toml:14: law.basis", "declared.toml:16: nl.themes",
	}
	for _, w := range want {
		if err == nil || !strings.Contains(err.Error(), w) {
			t.Errorf("lacks %q:\n%v", w, err)
		}
	}
	if _, err := transparency.ParseDeclared("declared.toml", []byte("[controller]\nname = \"x\"\n")); err == nil || !strings.Contains(err.Error(), "schema") {
		t.Errorf("a file without its form: %v", err)
	}
}

func TestTheShippedSchemasAreMadeFromTheCode(t *testing.T) {
	for name, made := range map[string][]byte{"declared": transparency.DeclaredSchema(), "record": transparency.RecordSchema()} {
		path := "../../configs/" + name + ".schema.json"
		got, err := os.ReadFile(path)
		if err == nil && bytes.Equal(got, made) {
			continue
		}
		if os.Getenv("KERB_UPDATE") == "" {
			t.Errorf("%s is not what the code makes: write it with KERB_UPDATE=1 go test ./agent/transparency", path)
		} else if err := os.WriteFile(path, made, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// compile compiles a schema of the code.
func compile(t *testing.T, text []byte) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestTheSchemaOfTheAnswersTakesWhatTheReaderTakes(t *testing.T) {
	s := compile(t, transparency.DeclaredSchema())
	for _, text := range []string{recordtest.Answers, transparency.Template()} {
		var v map[string]any
		if err := toml.Unmarshal([]byte(text), &v); err != nil {
			t.Fatal(err)
		}
		if err := s.Validate(v); err != nil {
			t.Error(err)
		}
	}
	for _, c := range [][2]string{
		{`status = "use"`, `status = "running"`},
		{`start = "2026-11"`, `start = "2026"`},
		{`themes = ["Verkeer"]`, `themes = ["Traffic"]`},
		{`personal_data = true`, `personal_data = "yes"`},
		{`privacy_url = "https`, `privacy_url = "http`},
		{`dpo = `, `dop = `},
	} {
		text := recordtest.Replace(t, recordtest.Answers, c[0], c[1])
		var v map[string]any
		if err := toml.Unmarshal([]byte(text), &v); err != nil {
			t.Fatal(err)
		}
		if s.Validate(v) == nil {
			t.Errorf("the schema takes %s", c[1])
		}
		if _, err := transparency.ParseDeclared("declared.toml", []byte(text)); err == nil {
			t.Errorf("the reader takes %s", c[1])
		}
	}
}

func TestTheSignatureOfTheAnswersIsChecked(t *testing.T) {
	public, key, err := minisign.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	stranger, _, err := minisign.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "declared.toml")
	write := func(path string, b []byte) {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(path, []byte(recordtest.Answers))
	keys := []minisign.PublicKey{public}
	if _, err := transparency.LoadDeclared(path, keys, true); err == nil || !strings.Contains(err.Error(), "not signed") {
		t.Errorf("unsigned, where a signature is wanted: %v", err)
	}
	if _, err := transparency.LoadDeclared(path, keys, false); err != nil {
		t.Errorf("unsigned, where none is wanted: %v", err)
	}
	write(path+".minisig", minisign.Sign(key, []byte(recordtest.Answers)))
	if _, err := transparency.LoadDeclared(path, keys, true); err != nil {
		t.Errorf("signed: %v", err)
	}
	if _, err := transparency.LoadDeclared(path, []minisign.PublicKey{stranger}, false); err == nil {
		t.Error("signed by a stranger: taken")
	}
	write(path, []byte(strings.Replace(recordtest.Answers, "City of Example", "City of Others", 1)))
	if _, err := transparency.LoadDeclared(path, keys, false); err == nil {
		t.Error("changed after it was signed: taken")
	}
}

func FuzzDeclared(f *testing.F) {
	f.Add([]byte(recordtest.Answers))
	f.Add([]byte(transparency.Template()))
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := transparency.ParseDeclared("f", data)
		if (d == nil) == (err == nil) {
			t.Errorf("%v, %v", d, err)
		}
	})
}

func FuzzRecord(f *testing.F) {
	b, err := recordtest.Make(f, recordtest.Options{Answers: recordtest.Answers}).JSON()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := transparency.Parse(data)
		if err != nil {
			return
		}
		again, err := r.JSON()
		if err != nil || !json.Valid(again) {
			t.Errorf("a record that was read cannot be written: %v", err)
		}
	})
}
