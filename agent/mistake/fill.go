package mistake

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// fill sets the fields of the struct from the tree. It walks by itself,
// because a decoder that stops at the first wrong value would show an engineer
// on a ladder one mistake per attempt.
func (s *Sheet) fill(tree map[string]any, into any) {
	s.table("", tree, reflect.ValueOf(into).Elem())
}

func (s *Sheet) table(path string, tree map[string]any, v reflect.Value) {
	fields := map[string]reflect.Value{}
	for i := range v.NumField() {
		if tag := v.Type().Field(i).Tag.Get("toml"); tag != "" {
			fields[tag] = v.Field(i)
		}
	}
	for key, value := range tree {
		sub := key
		if path != "" {
			sub = path + "." + key
		}
		if f, ok := fields[key]; ok {
			s.value(sub, value, f)
		} else {
			s.unknown(sub, key, fields)
		}
	}
}

func (s *Sheet) unknown(path, key string, fields map[string]reflect.Value) {
	known := make([]string, 0, len(fields))
	for k := range fields {
		known = append(known, k)
	}
	slices.Sort(known)
	hint := "known here: " + strings.Join(known, ", ")
	if c := Closest(key, known); c != "" {
		hint = "did you mean " + c + "?"
	}
	p := s.find(path)
	if _, exact := s.keys[path]; !exact {
		p = s.find(path + "[0]")
	}
	s.add(Mistake{Line: p.line, Key: path, Want: "no such key", Hint: hint})
}

func (s *Sheet) value(path string, value any, v reflect.Value) {
	if u, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		text, isText := value.(string)
		if !isText {
			s.Wrong(path, "must be text in quotes", "")
		} else if err := u.UnmarshalText([]byte(text)); err != nil {
			s.Wrong(path, err.Error(), "")
		}
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		s.value(path, value, v.Elem())
	case reflect.Struct:
		if t, ok := value.(map[string]any); ok {
			s.table(path, t, v)
		} else {
			s.Wrong(path, "must be a table", "")
		}
	case reflect.Slice, reflect.Array:
		s.list(path, value, v)
	default:
		if want := scalar(value, v); want != "" {
			s.Wrong(path, want, "")
		}
	}
}

func (s *Sheet) list(path string, value any, v reflect.Value) {
	items, ok := value.([]any)
	switch {
	case !ok:
		s.Wrong(path, "must be a list", "")
		return
	case v.Kind() == reflect.Array && len(items) != v.Len():
		s.Wrong(path, fmt.Sprintf("must have %d members", v.Len()), "")
		return
	case v.Kind() == reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), len(items), len(items)))
	}
	for i, item := range items {
		s.value(fmt.Sprintf("%s[%d]", path, i), item, v.Index(i))
	}
}

// scalar sets v and returns "", or says what is allowed.
func scalar(value any, v reflect.Value) string {
	switch v.Kind() {
	case reflect.String:
		if x, ok := value.(string); ok {
			v.SetString(x)
			return ""
		}
		return "must be text in quotes"
	case reflect.Bool:
		if x, ok := value.(bool); ok {
			v.SetBool(x)
			return ""
		}
		return "must be true or false"
	case reflect.Int, reflect.Int64:
		if x, ok := value.(int64); ok {
			v.SetInt(x)
			return ""
		}
		return "must be a whole number"
	case reflect.Float64:
		switch x := value.(type) {
		case float64:
			v.SetFloat(x)
			return ""
		case int64:
			v.SetFloat(float64(x))
			return ""
		}
		return "must be a number"
	}
	return fmt.Sprintf("cannot be read into %s", v.Type())
}
