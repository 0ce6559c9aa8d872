// Package configstest checks messages of tests against the shipped schemas.
package configstest

import (
	"bytes"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"kerb/configs"
)

// Validate checks a message against the schema of that name (see
// configs.Schema) and returns what is wrong with it.
func Validate(t testing.TB, name string, message []byte) error {
	t.Helper()
	text, err := configs.ReadSchema(name)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource(name+".json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile(name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(message))
	if err != nil {
		return err
	}
	return s.Validate(v)
}
