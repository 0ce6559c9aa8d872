package policy

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/pelletier/go-toml/v2"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"pgregory.net/rapid"
)

const schemaFile = "../../configs/policy.schema.json"

func schema(t testing.TB) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(JSONSchema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("policy.schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("policy.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func tree(t testing.TB, text []byte) map[string]any {
	t.Helper()
	var v map[string]any
	if err := toml.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestTheShippedSchemaIsMadeFromTheKeys(t *testing.T) {
	got, err := os.ReadFile(schemaFile)
	if err == nil && bytes.Equal(got, JSONSchema()) {
		return
	}
	if os.Getenv("KERB_UPDATE") == "" {
		t.Fatal("configs/policy.schema.json is not JSONSchema: write it with KERB_UPDATE=1 go test ./agent/policy")
	}
	if err := os.WriteFile(schemaFile, JSONSchema(), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestEveryShippedPolicyIsOfTheSchema(t *testing.T) {
	s := schema(t)
	for name := range shipped(t) {
		text, err := os.ReadFile(filepath.Join("../../configs", "policy-"+name+".toml"))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Validate(tree(t, text)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if !bytes.HasPrefix(text, []byte("#:schema policy.schema.json\n")) {
			t.Errorf("%s does not tell an editor its schema", name)
		}
	}
}

func TestWhateverParsesIsOfTheSchema(t *testing.T) {
	s := schema(t)
	refused := 0
	rapid.Check(t, func(t *rapid.T) {
		text := anyPolicy().Draw(t, "policy")
		var v map[string]any
		if err := toml.Unmarshal([]byte(text), &v); err != nil {
			t.Fatal(err)
		}
		wrong := s.Validate(v)
		if wrong != nil {
			refused++
		}
		if p, err := Parse("policy.toml", []byte(text)); err == nil {
			if wrong != nil {
				t.Fatalf("%v\n%s", wrong, text)
			}
			var v map[string]any
			if err := toml.Unmarshal(p.Canonical(), &v); err != nil {
				t.Fatal(err)
			}
			if err := s.Validate(v); err != nil {
				t.Fatalf("canonical: %v", err)
			}
		}
	})
	if refused == 0 {
		t.Error("the schema refuses nothing")
	}
}
