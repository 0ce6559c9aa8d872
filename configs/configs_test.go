package configs_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
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
