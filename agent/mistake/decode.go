package mistake

import (
	"cmp"
	"encoding"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// decodeTree sets the fields of the struct that into points to from the tree of
// a TOML file, by reflection. go-toml's own decoder stops at the first wrong
// value; an engineer would then see one mistake per attempt.
func (s *Sheet) decodeTree(tree map[string]any, into any) {
	s.decodeTable("", tree, reflect.ValueOf(into).Elem())
}

// decodeTable sets the fields of v from the table at path. A key without a
// field of that toml tag is a mistake.
func (s *Sheet) decodeTable(path string, tree map[string]any, v reflect.Value) {
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
			s.decodeValue(sub, value, f)
		} else {
			s.reportUnknown(sub, key, fields)
		}
	}
}

// otherKeys are keys that many programs have and kerb's files have not, with what stands for
// them.
var otherKeys = map[string]string{
	"password":   passwordFile,
	"pass":       passwordFile,
	"username":   loginKeys,
	"login":      loginKeys,
	"port":       "the port belongs into the address: mqtts://broker.example:8883, rtsp://192.168.1.20:554/stream",
	"host":       addressKeys,
	"ip":         addressKeys,
	"url":        addressKeys,
	"uri":        addressKeys,
	"address":    addressKeys,
	"stream_url": addressKeys,
	"rtsp_url":   addressKeys,
	"rtsp":       addressKeys,
	"poll":       everyKey,
	"interval":   everyKey,
	"framerate":  "fps is the most pictures a second",
	"line":       "a line belongs to its camera, [[camera.line]], or to the loops, [[loop.line]]",
	"zone":       "a zone belongs to its camera: [[camera.zone]]",
	"mask":       "a mask belongs to its camera: [[camera.mask]]",
	"lane":       "a lane belongs to the loops: [[loop.lane]]",
	"topic":      "the topic is made of tenant, site and name of the device",
	"polygon":    cornerKeys,
	"points":     cornerKeys,
	"rect":       cornerKeys,
	"area":       cornerKeys,
	"corners":    cornerKeys,
	"labels":     classesKey,
	"objects":    classesKey,
}

// Hints that several of otherKeys have.
const (
	passwordFile = "a password is never written here: password_file names a file that holds it"
	loginKeys    = "user is the name, and password_file names a file that holds the password"
	addressKeys  = "the address belongs into url of the broker, source of a camera"
	everyKey     = `every = "10s" is for a camera that gives single pictures; the policy has clear.window`
	cornerKeys   = "a line has from and to, a zone and a mask have polygon"
	classesKey   = `classes = ["person", "vehicle"] names those that are counted`
)

// reportUnknown adds the mistake for a key without a field. The hint is the
// known key with the closest spelling, or the list of all known keys.
func (s *Sheet) reportUnknown(path, key string, fields map[string]reflect.Value) {
	known := make([]string, 0, len(fields))
	for k := range fields {
		known = append(known, k)
	}
	slices.Sort(known)
	hint := cmp.Or(otherKeys[key], "known here: "+strings.Join(known, ", "))
	if c := closestName(key, known); c != "" && otherKeys[key] == "" {
		hint = "did you mean " + c + "?"
	}
	p := s.nearestPlace(path)
	if _, exact := s.keys[path]; !exact {
		p = s.nearestPlace(path + "[0]")
	}
	s.addMistake(Mistake{Line: p.line, Key: path, Want: "no such key", Hint: hint})
}

// decodeValue sets v from the value at path: by UnmarshalText if v has it, else
// by its kind.
func (s *Sheet) decodeValue(path string, value any, v reflect.Value) {
	if u, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		text, isText := value.(string)
		if !isText {
			text = fmt.Sprint(value)
		}
		switch err := u.UnmarshalText([]byte(text)); {
		case err != nil:
			s.rejectType(path, err.Error(), "")
		case !isText:
			s.rejectType(path, "must be text in quotes", "")
		}
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		s.decodeValue(path, value, v.Elem())
	case reflect.Struct:
		if t, ok := value.(map[string]any); ok {
			s.decodeTable(path, t, v)
		} else {
			s.rejectType(path, "must be a table", "write ["+withoutNumbers(path)+"], with one bracket on each side")
		}
	case reflect.Slice, reflect.Array:
		s.decodeList(path, value, v)
	default:
		if want := decodeScalar(value, v); want != "" {
			s.rejectType(path, want, hintForScalar(value, v.Kind()))
		}
	}
}

// hintForScalar tells how to write a value of the right kind: numbers and true or false
// stand without quotes.
func hintForScalar(value any, kind reflect.Kind) string {
	text, quoted := value.(string)
	switch kind {
	case reflect.Bool:
		return "without quotes"
	case reflect.Int, reflect.Int64, reflect.Float64:
		if _, err := strconv.ParseFloat(text, 64); quoted && err == nil {
			return "without quotes"
		}
	}
	return ""
}

// withoutNumbers returns the path of a table as a file writes it.
func withoutNumbers(path string) string { return numberPattern.ReplaceAllString(path, "") }

var numberPattern = regexp.MustCompile(`\[[0-9]+\]`)

// decodeList sets a slice, or an array of exactly as many members.
func (s *Sheet) decodeList(path string, value any, v reflect.Value) {
	items, ok := value.([]any)
	switch {
	case !ok:
		hint := "for example [0.1, 0.6]"
		switch v.Type().Elem().Kind() {
		case reflect.Struct:
			hint = "write [[" + withoutNumbers(path) + "]], with two brackets: there may be several"
		case reflect.String:
			hint = `each member in quotes, for example ["north", "south"]`
		}
		s.rejectType(path, "must be a list", hint)
		return
	case v.Kind() == reflect.Array && len(items) != v.Len():
		s.rejectType(path, fmt.Sprintf("must have %d members", v.Len()), "")
		return
	case v.Kind() == reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), len(items), len(items)))
	}
	for i, item := range items {
		s.decodeValue(fmt.Sprintf("%s[%d]", path, i), item, v.Index(i))
	}
}

// decodeScalar sets v and returns "", or returns the values that are allowed. A
// whole number is accepted for a float.
func decodeScalar(value any, v reflect.Value) string {
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
