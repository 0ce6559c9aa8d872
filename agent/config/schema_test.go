package config

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pelletier/go-toml/v2"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

const schemaFile = "../../configs/site.schema.json"

func TestTheShippedSchemaIsMadeFromTheStructAndTheKeys(t *testing.T) {
	got, err := os.ReadFile(schemaFile)
	if err == nil && bytes.Equal(got, JSONSchema()) {
		return
	}
	if os.Getenv("KERB_UPDATE") == "" {
		t.Fatal("configs/site.schema.json is not JSONSchema: write it with KERB_UPDATE=1 go test ./agent/config")
	}
	if err := os.WriteFile(schemaFile, JSONSchema(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// Every key of the file is documented, and every documented key is of the file.
func TestEveryKeyIsDocumentedOnce(t *testing.T) {
	var root map[string]any
	if err := json.Unmarshal(JSONSchema(), &root); err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	walk(t, "", root, found)
	for _, k := range siteKeys() {
		if !found[k.Name] {
			t.Errorf("%s is documented, but there is no such key, or it is documented twice", k.Name)
		}
		delete(found, k.Name)
	}
	for k := range found {
		t.Errorf("%s has no line in Keys: what is it, in what unit?", k)
	}
}

func walk(t *testing.T, path string, node map[string]any, found map[string]bool) {
	if items, ok := node["items"].(map[string]any); ok {
		walk(t, path+"[]", items, found)
	}
	properties, _ := node["properties"].(map[string]any)
	for name, p := range properties {
		sub := strings.TrimPrefix(path+"."+name, ".")
		found[sub] = true
		walk(t, sub, p.(map[string]any), found)
	}
}

func TestTheSchemaTakesWhatParseTakesAndRefusesSlips(t *testing.T) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(JSONSchema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("site.schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("site.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	valid := func(text string) error {
		var v map[string]any
		if err := toml.Unmarshal([]byte(text), &v); err != nil {
			t.Fatal(err)
		}
		return s.Validate(v)
	}
	paths, err := filepath.Glob("../../configs/site-*.toml")
	if err != nil || len(paths) < 2 {
		t.Fatal(paths, err)
	}
	for _, p := range paths {
		text, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		if err := valid(string(text)); err != nil {
			t.Errorf("%s: %v", p, err)
		}
		if !strings.HasPrefix(string(text), "#:schema site.schema.json\n") {
			t.Errorf("%s does not tell an editor its schema", p)
		}
	}
	if err := valid(sound); err != nil {
		t.Error(err)
	}
	for _, c := range [][2]string{
		{"fps = 10", "fsp = 10"},
		{"fps = 10", "fps = 0"},
		{"to = [0.9, 0.5]", "to = [352, 144]"},
		{"to = [0.9, 0.5]", ""},
		{`"pi-0a1b"`, `"Pi/0A1B"`},
		{"mqtt://", "http://"},
		{`["person", "vehicle"]`, `["dog"]`},
		{"[[0, 0.5], [1, 0.5], [1, 1]]", "[[0, 0.5], [1, 0.5]]"},
		{"[broker]", "[trust]\nmode = \"none\"\n[broker]"},
	} {
		if valid(strings.Replace(sound, c[0], c[1], 1)) == nil {
			t.Errorf("the schema takes %s", c[1])
		}
	}
}
