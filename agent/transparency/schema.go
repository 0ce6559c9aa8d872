package transparency

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"time"
)

// RecordSchema is the JSON Schema (draft 2020-12) of record.json, made from the types of
// this package, so that it cannot differ from the output.
func RecordSchema() []byte {
	s := typeSchema(reflect.TypeFor[Record]())
	s["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	s["title"] = "kerb record.json: the transparency record of a device"
	s["properties"].(map[string]any)["schema"] = map[string]any{"const": SchemaRecord}
	answers := map[string]any{}
	for _, q := range Questions() {
		f := factSchema(map[string]any{"type": []string{"string", "boolean", "array"}}, string(Stated))
		f["description"] = q.Ask
		answers[q.Key] = f
	}
	keys := make([]string, 0, len(answers))
	for k := range answers {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	s["properties"].(map[string]any)["declared"] = map[string]any{
		"description": "the controller's answers by key of declared.toml; \"" + NotProvided + "\" without one",
		"type":        "object", "additionalProperties": false, "properties": answers, "required": keys,
	}
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		panic(err) // maps of plain values
	}
	return append(b, '\n')
}

// factSchema is the schema of a fact.
func factSchema(value map[string]any, origin string) map[string]any {
	return map[string]any{
		"type": "object", "additionalProperties": false, "required": []string{"value", "origin", "source"},
		"properties": map[string]any{"value": value, "origin": map[string]any{"const": origin}, "source": map[string]any{"type": "string", "minLength": 1}},
	}
}

// typeSchema is the schema of a Go type by its json tags; members without omitempty are
// required, and slices may be null.
func typeSchema(t reflect.Type) map[string]any {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return map[string]any{"type": "string", "format": "date-time"}
	case isFact(t):
		value, _ := t.FieldByName("Value")
		return factSchema(typeSchema(value.Type), string(Enforced))
	}
	switch t.Kind() {
	case reflect.Pointer:
		return typeSchema(t.Elem())
	case reflect.Struct:
		return structSchema(t)
	case reflect.Slice:
		return map[string]any{"type": []string{"array", "null"}, "items": typeSchema(t.Elem())}
	case reflect.Map:
		return map[string]any{"type": "object", "additionalProperties": typeSchema(t.Elem())}
	case reflect.String:
		return map[string]any{"type": "string"}
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.Float64:
		return map[string]any{"type": "number"}
	case reflect.Interface:
		return map[string]any{}
	}
	return map[string]any{"type": "integer"}
}

func structSchema(t reflect.Type) map[string]any {
	properties, required := map[string]any{}, []string{}
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		s := typeSchema(f.Type)
		if label := f.Tag.Get("label"); label != "" {
			s["description"] = label
		}
		properties[name] = s
		if !strings.Contains(options, "omitempty") {
			required = append(required, name)
		}
	}
	return map[string]any{"type": "object", "additionalProperties": false, "properties": properties, "required": required}
}
