package configs_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"kerb/agent/config"
	"kerb/agent/policy"
	"kerb/configs"
	"kerb/configs/configstest"
	"kerb/counting"
)

func TestEveryShippedFileLoads(t *testing.T) {
	paths, err := filepath.Glob("*.*")
	if err != nil || len(paths) < 8 {
		t.Fatalf("%d files, %v", len(paths), err)
	}
	for _, p := range paths {
		t.Run(p, func(t *testing.T) {
			data, err := os.ReadFile(p)
			if err != nil {
				t.Fatal(err)
			}
			switch {
			case strings.HasPrefix(p, "site-"):
				_, err = config.Parse(p, data)
			case strings.HasPrefix(p, "policy-"):
				_, err = policy.Parse(p, data)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
}

func TestTheBinaryHoldsTheSchemas(t *testing.T) {
	names, err := configs.SchemaNames()
	if err != nil || len(names) < 3 {
		t.Fatalf("%v, %v", names, err)
	}
	for _, n := range names {
		if b, err := configs.ReadSchema(n); err != nil || !json.Valid(b) {
			t.Errorf("%s: %v", n, err)
		}
	}
	for _, n := range names {
		if err := configstest.Load(t).Check(n, []byte("0")); err == nil {
			t.Errorf("%s accepts a number", n)
		}
	}
	if _, err := configs.ReadPolicy("standard"); err != nil {
		t.Error(err)
	}
}

// The schemas of the messages are written by hand; their list of classes is that
// of package counting.
func TestTheSchemasListEveryClass(t *testing.T) {
	var words []string
	for _, c := range counting.AllClasses() {
		words = append(words, `"`+c.String()+`"`)
	}
	want := `"enum":[` + strings.Join(words, ",") + `]`
	for _, name := range []string{"count", "meta", "site", "policy"} {
		text, err := configs.ReadSchema(name)
		if err != nil {
			t.Fatal(err)
		}
		var compact bytes.Buffer
		if err := json.Compact(&compact, text); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(compact.String(), want) {
			t.Errorf("%s.schema.json does not list %s", name, want)
		}
	}
}

// The schemas of messages let unknown keys pass, so that a consumer with an old schema
// reads a newer kerb (the rule is in firmware-notes/platforms.md), and explain every key.
// A command alone is closed: the device refuses a key that it does not know.
func TestTheSchemasOfMessagesAreOpenAndExplainEveryKey(t *testing.T) {
	for _, name := range []string{"count", "backfill", "now", "state", "meta", "event", "ack", "proof", "cmd"} {
		text, err := configs.ReadSchema(name)
		if err != nil {
			t.Fatal(err)
		}
		var root map[string]any
		if err := json.Unmarshal(text, &root); err != nil {
			t.Fatal(err)
		}
		if root["$id"] != name+".schema.json" {
			t.Errorf("%s: $id %v is not the name of the file, by which others refer to it", name, root["$id"])
		}
		found := walkSchema(name, root)
		if closed := slices.DeleteFunc(slices.Clone(found), func(s string) bool { return !strings.HasSuffix(s, "is closed") }); (len(closed) > 0) != (name == "cmd") {
			t.Errorf("%v", closed)
		}
		for _, s := range found {
			if !strings.HasSuffix(s, "is closed") {
				t.Error(s)
			}
		}
	}
	// The control.
	bad := map[string]any{"additionalProperties": false, "properties": map[string]any{"n": map[string]any{"type": "integer"}}}
	if found := walkSchema("bad", bad); len(found) != 2 {
		t.Errorf("a closed schema with a key without a word: %v", found)
	}
}

// walkSchema returns the objects that are closed, and the keys without a description,
// below node. Conditions that repeat a key to narrow it do not explain it again.
func walkSchema(at string, node map[string]any) (found []string) {
	if node["additionalProperties"] == false {
		found = append(found, at+" is closed")
	}
	properties, _ := node["properties"].(map[string]any)
	for key, p := range properties {
		sub, ok := p.(map[string]any)
		if !ok {
			continue // false: the key must be absent
		}
		if sub["description"] == nil {
			found = append(found, at+"."+key+" is not explained")
		}
		found = append(found, walkSchema(at+"."+key, sub)...)
	}
	for _, key := range []string{"items", "additionalProperties"} {
		if sub, ok := node[key].(map[string]any); ok {
			found = append(found, walkSchema(at+"[]", sub)...)
		}
	}
	branches, _ := node["allOf"].([]any)
	for _, b := range branches {
		then, _ := b.(map[string]any)["then"].(map[string]any)
		found = append(found, walkSchema(at, then)...)
	}
	return found
}
