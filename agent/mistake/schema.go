package mistake

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
)

// A Key is one key of a file, as its documentation and its JSON Schema know
// it. The type of its value stands in the struct that DecodeTOML fills.
type Key struct {
	Name   string // dotted, with [] behind a list of tables: camera[].line[].id
	Doc    string // one line, with the unit; may be empty for a table
	Shape  string // members of its JSON Schema beyond its type: see JSONSchema
	Needed bool   // whether the table around it must hold it
}

// Required is a Key that its table must hold.
func Required(name, doc, shape string) Key { return Key{name, doc, shape, true} }

// Optional is a Key that a file may leave out.
func Optional(name, doc, shape string) Key { return Key{name, doc, shape, false} }

// JSONSchema is the JSON Schema (draft 2020-12) of the files that DecodeTOML
// reads into a struct of type file. Tables and the types of values follow from
// the struct and its toml tags, so they cannot differ from those that are
// read; the keys add the rest. A Shape such as
//
//	"minimum": 1, "maximum": 30
//
// is added to the type, and its members take the place of those with the same
// name. A Shape in braces stands for the type as well. Tables keep the order
// of the struct, one line for each value. A Shape that is not JSON panics:
// shapes are constants of the program.
func JSONSchema(title string, file reflect.Type, keys []Key) []byte {
	w := schemaWriter{}
	for _, k := range keys {
		w[k.Name] = k
	}
	head := []string{
		member("$schema", quoteJSON("https://json-schema.org/draft/2020-12/schema")),
		member("title", quoteJSON(title)),
	}
	return []byte(w.formatTable("", file, "", head) + "\n")
}

// schemaWriter holds the keys by their names.
type schemaWriter map[string]Key

// formatValue is the schema of the value at path. Its first line follows the
// name of the value, the others begin with indent.
func (w schemaWriter) formatValue(path string, t reflect.Type, indent string) string {
	k := w[path]
	var members []string
	if k.Doc != "" {
		members = append(members, member("description", quoteJSON(k.Doc)))
	}
	switch kind := t.Kind(); {
	case strings.HasPrefix(k.Shape, "{"):
		return "{" + strings.Join(append(members, k.Shape[1:]), ", ")
	case kind == reflect.Pointer:
		return w.formatValue(path, t.Elem(), indent)
	case kind == reflect.Struct && !isText(t):
		return w.formatTable(path, t, indent, members)
	}
	own := k.ownMembers()
	for _, m := range w.typeMembers(path, t, indent) {
		if _, replaced := own[m.name]; !replaced {
			members = append(members, member(m.name, m.value))
		}
	}
	if k.Shape != "" {
		members = append(members, k.Shape)
	}
	return "{" + strings.Join(members, ", ") + "}"
}

// formatTable is the schema of the table at path, one member on each line; the
// members of head come first.
func (w schemaWriter) formatTable(path string, t reflect.Type, indent string, head []string) string {
	in := indent + "  "
	var properties, required []string
	for i := range t.NumField() {
		name := t.Field(i).Tag.Get("toml")
		if name == "" {
			continue
		}
		sub := name
		if path != "" {
			sub = path + "." + name
		}
		properties = append(properties, member(name, w.formatValue(sub, t.Field(i).Type, in+"  ")))
		if w[sub].Needed {
			required = append(required, quoteJSON(name))
		}
	}
	members := append(head, member("type", `"object"`), member("additionalProperties", "false"))
	if len(required) > 0 {
		members = append(members, member("required", "["+strings.Join(required, ", ")+"]"))
	}
	if shape := w[path].Shape; shape != "" {
		members = append(members, shape)
	}
	members = append(members, member("properties", "{\n"+in+"  "+strings.Join(properties, ",\n"+in+"  ")+"\n"+in+"}"))
	return "{\n" + in + strings.Join(members, ",\n"+in) + "\n" + indent + "}"
}

// typeMember is one member of a schema that a Go type implies.
type typeMember struct{ name, value string }

func (w schemaWriter) typeMembers(path string, t reflect.Type, indent string) []typeMember {
	switch kind := t.Kind(); {
	case isText(t) || kind == reflect.String:
		return []typeMember{{"type", `"string"`}}
	case kind == reflect.Bool:
		return []typeMember{{"type", `"boolean"`}}
	case kind == reflect.Float64:
		return []typeMember{{"type", `"number"`}}
	case kind == reflect.Slice || kind == reflect.Array:
		list := []typeMember{{"type", `"array"`}, {"items", w.formatValue(path+"[]", t.Elem(), indent)}}
		if kind == reflect.Array {
			n := fmt.Sprint(t.Len())
			list = append(list, typeMember{"minItems", n}, typeMember{"maxItems", n})
		}
		return list
	}
	return []typeMember{{"type", `"integer"`}}
}

// ownMembers are the members of a Shape without braces.
func (k Key) ownMembers() map[string]json.RawMessage {
	var own map[string]json.RawMessage
	if err := json.Unmarshal([]byte("{"+k.Shape+"}"), &own); err != nil {
		panic(fmt.Sprintf("the shape of %s: %v", k.Name, err)) // a constant, and a test reads it
	}
	return own
}

// isText reports whether DecodeTOML fills t by its UnmarshalText.
func isText(t reflect.Type) bool {
	return reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

func member(name, value string) string { return quoteJSON(name) + ": " + value }

// quoteJSON is s as a string of JSON.
func quoteJSON(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // a string can always be written
	}
	return string(b)
}
