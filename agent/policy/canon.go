package policy

import (
	"bytes"
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// formatCanonical writes every key of the terms as one line of TOML, except
// those that have no meaning for the method. It walks the struct by reflection,
// so that a key that is added later cannot be forgotten here. Such a key must
// be left out while it has its default value, or every signature given before
// it would become invalid: see isLeftOut.
func formatCanonical(t *terms) []byte {
	var b bytes.Buffer
	walkKeys("", reflect.ValueOf(t).Elem(), func(path string, v reflect.Value) {
		if keyBelongs(path, t.Clear.Method) && !isLeftOut(path, v) {
			fmt.Fprintf(&b, "%s = %s\n", path, formatLiteral(v))
		}
	})
	return b.Bytes()
}

// isLeftOut reports whether a key that came after the first release has its default
// value. The canonical form leaves it out, so that older signatures stay valid.
func isLeftOut(path string, v reflect.Value) bool {
	switch path {
	case "alert", "count.quantities":
		return v.Len() == 0
	case "status.page":
		return v.Bool()
	}
	return false
}

// walkKeys calls f for every key below the struct v, with its dotted path.
func walkKeys(path string, v reflect.Value, f func(path string, v reflect.Value)) {
	for i := range v.NumField() {
		sub := path + v.Type().Field(i).Tag.Get("toml")
		if field := v.Field(i); field.Kind() == reflect.Struct && !isTextual(field) {
			walkKeys(sub+".", field, f)
		} else {
			f(sub, field)
		}
	}
}

// isTextual reports whether v is written as text, by its String method.
func isTextual(v reflect.Value) bool {
	_, ok := v.Interface().(fmt.Stringer)
	return ok
}

// formatLiteral is a value in TOML.
func formatLiteral(v reflect.Value) string {
	if s, ok := v.Interface().(fmt.Stringer); ok {
		return quoteTOML(s.String())
	}
	switch v.Kind() {
	case reflect.String:
		return quoteTOML(v.String())
	case reflect.Slice, reflect.Array:
		items := make([]string, v.Len())
		for i := range items {
			items[i] = formatLiteral(v.Index(i))
		}
		return "[" + strings.Join(items, ", ") + "]"
	case reflect.Struct:
		var items []string
		walkKeys("", v, func(path string, v reflect.Value) { items = append(items, path+" = "+formatLiteral(v)) })
		return "{" + strings.Join(items, ", ") + "}"
	case reflect.Float64:
		return strconv.FormatFloat(v.Float(), 'f', -1, 64)
	default:
		return fmt.Sprint(v.Interface())
	}
}

// quoteTOML is s as a basic string of TOML.
func quoteTOML(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
