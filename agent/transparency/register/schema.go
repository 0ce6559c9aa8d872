package register

import (
	"encoding/json"
	"reflect"
	"strings"
)

// formSchema is the JSON Schema (draft 2020-12) of a form of kerb's own: every field is
// required, but for those with the tag optional.
func formSchema[T any](title string) []byte {
	s := fieldSchema(reflect.TypeFor[T]())
	s["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	s["title"] = title
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		panic(err) // maps of plain values
	}
	return append(b, '\n')
}

func fieldSchema(t reflect.Type) map[string]any {
	switch t.Kind() {
	case reflect.Pointer:
		return fieldSchema(t.Elem())
	case reflect.Slice:
		return map[string]any{"type": "array", "items": fieldSchema(t.Elem())}
	case reflect.Struct:
		properties, required := map[string]any{}, []string{}
		for i := range t.NumField() {
			f := t.Field(i)
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			properties[name] = fieldSchema(f.Type)
			if f.Tag.Get("optional") == "" {
				required = append(required, name)
			}
		}
		return map[string]any{"type": "object", "additionalProperties": false, "properties": properties, "required": required}
	}
	return map[string]any{"type": "string", "minLength": 1}
}
