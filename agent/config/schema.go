package config

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"

	"kerb/agent/week"
)

// A Key is one key of site.toml: what its documentation and the JSON Schema
// know about it beyond the type of its value.
type Key struct {
	Name   string // such as camera[].line[].id
	Doc    string // what it is, in one line, with its unit
	Shape  string // members of its JSON Schema, or empty
	Needed bool   // within its table
}

const (
	levelShape = `"pattern": "^[a-z0-9_-]{1,32}$"`
	lineShape  = `"pattern": "^[A-Za-z0-9_-]{1,32}$"`
	pointShape = `"items": {"type": "number", "minimum": 0, "maximum": 1}`
	areaShape  = `"minItems": 3, "maxItems": 32, "items": {"type": "array", "minItems": 2, "maxItems": 2, ` + pointShape + `}`
	classShape = `"items": {"enum": ["person", "bicycle", "vehicle", "motorcycle", "car", "heavy"]}`
	fileDoc    = "; a file, relative to this one"
	secretDoc  = "; a file, relative to this one, or credential:NAME for one of systemd's LoadCredential="
)

// siteKeys are all keys of site.toml, in the order of the file.
func siteKeys() []Key {
	return []Key{
		{"device", "which device this is", "", true},
		{"device.name", "its name: a level of its topics", levelShape, true},
		{"device.site", "the name of the place: a level of its topics", levelShape, true},
		{"device.tenant", "whose it is: a level of its topics", levelShape, true},
		{"device.state", "the directory of the spool; /var/lib/kerb if left out", "", false},
		{"device.clock_floor", "a day: a clock that shows it or later is believed without a time server", `"format": "date"`, false},
		{"device.strict", "true: kerb run ends where a wall around one of its processes does not hold; see kerb probe", "", false},
		{"device.place", "where it hangs; sent with the birth message", "", false},
		{"device.place.lat", "degrees, WGS 84", `"minimum": -90, "maximum": 90`, false},
		{"device.place.lon", "degrees, WGS 84", `"minimum": -180, "maximum": 180`, false},
		{"device.place.description", "in words", "", false},
		{"broker", "where the messages go", "", true},
		{"broker.url", "mqtt, mqtts, ws or wss; never with a password in it", `"pattern": "^(mqtt|mqtts|ws|wss)://[^@]+$"`, true},
		{"broker.user", "the user to log in as", "", false},
		{"broker.password_file", "its password" + secretDoc, "", false},
		{"broker.ca_file", "who may vouch for the broker, PEM; the system's if left out" + fileDoc, "", false},
		{"broker.cert_file", "the device's certificate, PEM" + fileDoc, "", false},
		{"broker.key_file", "the key of that certificate, PEM" + secretDoc, "", false},
		{"trust", "how much proof the device wants before it takes a policy", "", false},
		{"trust.mode", "open takes any policy; signed wants one signature; two-person a second one for anything looser", `"enum": ["open", "signed", "two-person"]`, false},
		{"trust.keys", "who may sign: minisign public keys, or files that hold one, relative to this one", "", false},
		{"camera", "a camera, and what is counted in its picture", "", false},
		{"camera[].name", "its name, unique", levelShape, true},
		{"camera[].source", "rtsp(s)://…; http(s)://… for Motion-JPEG, or with every for one picture at a time; /dev/… for a camera of the kernel, best by its stable path in /dev/v4l/by-id; csi:N for a Raspberry Pi's own; the path of a recording; scene:NAME for the built-in street", "", false},
		{"camera[].command", "a program that writes pictures to its standard output, instead of a source: its full path, then its words; never a password", `"minItems": 1`, false},
		{"camera[].format", "what the program writes; JPEGs and YUV4MPEG2 tell by themselves, raw pictures need gray:WxH or yuv420:WxH", `"pattern": "` + formatShape + `"`, false},
		{"camera[].user", "the user to log in as at the camera", "", false},
		{"camera[].password_file", "its password" + secretDoc, "", false},
		{"camera[].ca_file", "who may vouch for the camera, PEM; the system's if left out" + fileDoc, "", false},
		{"camera[].certificate", "the SHA-256 of the camera's own certificate, which is then the only one that is taken, and needs nobody to vouch for it", `"pattern": "^[0-9A-Fa-f:]{64,95}$"`, false},
		{"camera[].transport", "how RTSP carries pictures; tcp if left out", `"enum": ["tcp", "udp"]`, false},
		{"camera[].fps", "pictures a second that are looked at; every one if left out", `"minimum": 1, "maximum": 30`, false},
		{"camera[].every", "of an http(s):// address that gives one JPEG picture, or one short MP4 clip: how often it is asked for, 10s–1h; only zones can be counted in it", "", false},
		{"camera[].hours", "days and hours in which the camera is open, in the time zone of the policy's hours; at others it is closed; always if left out", `"minItems": 1, "items": {"type": "string", "pattern": "` + week.SpanPattern + `"}`, false},
		{"camera[].detector", "how objects are found: auto lets a network do it at the rate that the device sustains, or motion alone where that is too slow", `"enum": ["auto", "neural", "motion"]`, false},
		{"camera[].model", "the network: an ONNX or .kerb file, its path against this file's directory; the sha256:… of a .kerb file in the folder models beside this file or in device.state; or street or street-small, which are part of kerb; left out, the best of these two that the device sustains", "", false},
		{"camera[].line", "a line, over which is counted; drawn from left to right, side a is above it", "", false},
		{"camera[].line[].id", "the name of its stream, unique on the device", levelShape, true},
		{"camera[].line[].from", "one end: x and y from 0 (left, top) to 1 (right, bottom)", pointShape, true},
		{"camera[].line[].to", "the other end", pointShape, true},
		{"camera[].line[].classes", "what is counted; person, bicycle and vehicle if left out", classShape, false},
		{"camera[].zone", "an area, in which is counted who is there", "", false},
		{"camera[].zone[].id", "the name of its stream, unique on the device", levelShape, true},
		{"camera[].zone[].polygon", "its corners", areaShape, true},
		{"camera[].zone[].classes", "what is counted; person, bicycle and vehicle if left out", classShape, false},
		{"camera[].mask", "an area that no detector may ever see", "", false},
		{"camera[].mask[].polygon", "its corners", areaShape, true},
		{"camera[].height", "an upright thing of known height; two of them give the scale of the street", `"minItems": 2, "maxItems": 2`, false},
		{"camera[].height[].foot", "where it stands", pointShape, true},
		{"camera[].height[].top", "where it ends", pointShape, true},
		{"camera[].height[].metres", "how high it is, m", `"minimum": 0.5, "maximum": 20`, true},
		{"loop", "the inductive loops at this device", "", false},
		{"loop.source", "where the contacts are: gpio, or street for made-up vehicles", `"enum": ["gpio", "street"]`, false},
		{"loop.debounce", "contact bounce that the kernel shall swallow, 0s–20ms; left out, kerb removes it", "", false},
		{"loop.line", "one contact: a detector card's output, or its fault relay", "", false},
		{"loop.line[].name", "by which lanes and recordings call it", lineShape, true},
		{"loop.line[].gpio", "the line's name in the kernel, such as GPIO17", "", false},
		{"loop.line[].chip", "the chip's label; the board's own if left out", "", false},
		{"loop.line[].card", "whether the card gives presence or a pulse a vehicle", `"enum": ["presence", "pulse"]`, false},
		{"loop.line[].active_high", "whether the line is high when the contact says yes", "", false},
		{"loop.line[].bias", "the pull of the line", `"enum": ["up", "down", "none"]`, false},
		{"loop.lane", "one lane: one loop, or two behind each other", "", false},
		{"loop.lane[].id", "the name of its stream, unique on the device", levelShape, true},
		{"loop.lane[].loops", "the names of one or two lines, in the direction a to b", `"minItems": 1, "maxItems": 2`, true},
		{"loop.lane[].relays", "fault relays that speak for it", "", false},
		{"loop.lane[].reverse", "whether the loops are named in the direction b to a", "", false},
		{"loop.lane[].spacing", "from the leading edge of the first loop to that of the second, m", `"minimum": 1, "maximum": 50`, false},
		{"loop.lane[].loop_length", "along the road, m", `"minimum": 0.3, "maximum": 30`, false},
		{"loop.lane[].mean_length", "mean length of the vehicles here, m: makes a single loop's speed an estimate", `"minimum": 1, "maximum": 20`, false},
		{"loop.lane[].lengths", "whose length classes are used", `"enum": ["uk", "tls"]`, false},
		{"loop.lane[].split", "whether motorcycle, car and heavy are told apart; two loops only", "", false},
		{"lamp", "a status lamp on a GPIO line", "", false},
		{"lamp.gpio", "the line's name in the kernel, such as GPIO18", "", true},
		{"lamp.chip", "the chip's label; the board's own if left out", "", false},
		{"lamp.active_low", "the lamp shines when the line is low", "", false},
		{"compare", "two streams that see the same road: an event tells when their ratio drifts", "", false},
		{"compare[].a", "one stream", levelShape, true},
		{"compare[].b", "the other one", levelShape, true},
		{"compare[].expect", "a divided by b when both are well; 1 if left out", `"minimum": 0.01, "maximum": 100`, false},
		{"compare[].tolerance", "how far the ratio may be off, as a part of what is expected; 0.25 if left out", `"minimum": 0.01, "maximum": 0.9`, false},
	}
}

// JSONSchema is the JSON Schema of site.toml, for editors. Its tables and types
// are those that the file is read into; Keys adds the rest. What holds between
// keys is Parse's affair.
func JSONSchema() []byte {
	keys := map[string]Key{}
	for _, k := range siteKeys() {
		keys[k.Name] = k
	}
	root := shapeOf("", reflect.TypeFor[siteFile](), keys)
	root["$schema"], root["title"] = "https://json-schema.org/draft/2020-12/schema", "kerb site.toml"
	b, err := json.MarshalIndent(root, "", "  ")
	if err != nil {
		panic(err) // maps of constants
	}
	return append(b, '\n')
}

func shapeOf(path string, t reflect.Type, keys map[string]Key) map[string]any {
	s := map[string]any{}
	switch {
	case reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()) || t.Kind() == reflect.String:
		s["type"] = "string"
	case t.Kind() == reflect.Struct:
		table(s, path, t, keys)
	case t.Kind() == reflect.Slice || t.Kind() == reflect.Array:
		s["type"] = "array"
		s["items"] = shapeOf(path+"[]", t.Elem(), keys)
		if t.Kind() == reflect.Array {
			s["minItems"], s["maxItems"] = t.Len(), t.Len()
		}
	case t.Kind() == reflect.Bool:
		s["type"] = "boolean"
	case t.Kind() == reflect.Float64:
		s["type"] = "number"
	case t.Kind() == reflect.Pointer:
		return shapeOf(path, t.Elem(), keys)
	default:
		s["type"] = "integer"
	}
	if k := keys[path]; k.Name != "" {
		s["description"] = k.Doc
		if err := json.Unmarshal([]byte("{"+k.Shape+"}"), &s); err != nil {
			panic(fmt.Sprintf("the shape of %s: %v", path, err)) // a constant, and a test reads it
		}
	}
	return s
}

func table(s map[string]any, path string, t reflect.Type, keys map[string]Key) {
	properties, required := map[string]any{}, []string{}
	for i := range t.NumField() {
		tag := t.Field(i).Tag.Get("toml")
		if tag == "" {
			continue
		}
		sub := tag
		if path != "" {
			sub = path + "." + tag
		}
		properties[tag] = shapeOf(sub, t.Field(i).Type, keys)
		if keys[sub].Needed {
			required = append(required, tag)
		}
	}
	s["type"], s["additionalProperties"], s["properties"] = "object", false, properties
	if len(required) > 0 {
		s["required"] = required
	}
}
