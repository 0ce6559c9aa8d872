package policy

import (
	"bytes"
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// canonical writes every key of the terms as one line of TOML, but for those
// that its method does not know. It walks the struct itself, so that a key
// which is added later cannot be forgotten here. (Such a key is to be left out
// while it has its default, or every signature given before it would break.)
func canonical(t *terms) []byte {
	var b bytes.Buffer
	each("", reflect.ValueOf(t).Elem(), func(path string, v reflect.Value) {
		if belongs(path, t.Clear.Method) {
			fmt.Fprintf(&b, "%s = %s\n", path, literal(v))
		}
	})
	return b.Bytes()
}

// each calls f for every key below the struct v.
func each(path string, v reflect.Value, f func(path string, v reflect.Value)) {
	for i := range v.NumField() {
		sub := path + v.Type().Field(i).Tag.Get("toml")
		if field := v.Field(i); field.Kind() == reflect.Struct && !isText(field) {
			each(sub+".", field, f)
		} else {
			f(sub, field)
		}
	}
}

func isText(v reflect.Value) bool {
	_, ok := v.Interface().(fmt.Stringer)
	return ok
}

// literal is a value in TOML.
func literal(v reflect.Value) string {
	if s, ok := v.Interface().(fmt.Stringer); ok {
		return quote(s.String())
	}
	switch v.Kind() {
	case reflect.String:
		return quote(v.String())
	case reflect.Slice, reflect.Array:
		items := make([]string, v.Len())
		for i := range items {
			items[i] = literal(v.Index(i))
		}
		return "[" + strings.Join(items, ", ") + "]"
	case reflect.Struct:
		var items []string
		each("", v, func(path string, v reflect.Value) { items = append(items, path+" = "+literal(v)) })
		return "{" + strings.Join(items, ", ") + "}"
	case reflect.Float64:
		return strconv.FormatFloat(v.Float(), 'f', -1, 64)
	default:
		return fmt.Sprint(v.Interface())
	}
}

// quote is s as a basic string of TOML.
func quote(s string) string {
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
