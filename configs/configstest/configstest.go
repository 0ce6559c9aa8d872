// Package configstest checks messages of tests against the shipped schemas.
package configstest

import (
	"bytes"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"kerb/configs"
)

// Schemas are the shipped schemas of all messages and files.
type Schemas struct{ compiler *jsonschema.Compiler }

// Load returns the schemas as they are shipped: they let unknown keys pass, so that
// a consumer with an old schema reads the messages of a newer kerb.
func Load(t testing.TB) Schemas { return load(t, func(map[string]any) {}) }

// LoadClosed returns the schemas with every object closed to keys that they do not
// list. A key that kerb writes and no schema describes is found with them alone.
func LoadClosed(t testing.TB) Schemas {
	return load(t, func(doc map[string]any) { closeObjects(doc, true) })
}

func load(t testing.TB, change func(map[string]any)) Schemas {
	t.Helper()
	names, err := configs.SchemaNames()
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	for _, name := range names {
		text, err := configs.ReadSchema(name)
		if err != nil {
			t.Fatal(err)
		}
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		tree := doc.(map[string]any)
		delete(tree, "$id") // it is the name of the file, as below
		change(tree)
		if err := c.AddResource(name+".schema.json", tree); err != nil {
			t.Fatal(err)
		}
	}
	return Schemas{c}
}

// closeObjects adds additionalProperties: false to every object that lists its
// properties and does not say what others are. The branches of a condition list
// only a part of the properties of their object, so they themselves stay open.
func closeObjects(node map[string]any, whole bool) {
	properties, listed := node["properties"].(map[string]any)
	if _, said := node["additionalProperties"]; whole && listed && !said {
		node["additionalProperties"] = false
	}
	for _, p := range properties {
		closeTree(p, true)
	}
	for _, key := range []string{"items", "additionalProperties"} {
		closeTree(node[key], true)
	}
	for _, key := range []string{"then", "else"} {
		closeTree(node[key], false)
	}
	branches, _ := node["allOf"].([]any)
	for _, b := range branches {
		closeTree(b, false)
	}
}

func closeTree(node any, whole bool) {
	if m, ok := node.(map[string]any); ok {
		closeObjects(m, whole)
	}
}

// Check returns the faults of a message under the schema of that name, such as
// "count" (see configs.SchemaNames).
func (s Schemas) Check(name string, message []byte) error {
	schema, err := s.compiler.Compile(name + ".schema.json")
	if err != nil {
		return err
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(message))
	if err != nil {
		return err
	}
	return schema.Validate(v)
}

// Validate is Check with closed schemas.
func Validate(t testing.TB, name string, message []byte) error {
	t.Helper()
	return LoadClosed(t).Check(name, message)
}
