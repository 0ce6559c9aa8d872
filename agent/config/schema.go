package config

import (
	"encoding/json"
	"reflect"

	"kerb/agent/mistake"
	"kerb/agent/week"
	"kerb/counting"
)

const (
	levelShape = `"pattern": "^[a-z0-9_-]{1,32}$"`
	lineShape  = `"pattern": "^[A-Za-z0-9_-]{1,32}$"`
	pointShape = `"items": {"type": "number", "minimum": 0, "maximum": 1}`
	areaShape  = `"minItems": 3, "maxItems": 32, "items": {"type": "array", "minItems": 2, "maxItems": 2, ` + pointShape + `}`
	fileDoc    = "; a file, relative to this one"
	secretDoc  = "; a file, relative to this one, or credential:NAME for one of systemd's LoadCredential="
)

// siteKeys are all keys of site.toml, in the order of the file.
func siteKeys() []mistake.Key {
	classShape := `"items": {"enum": ` + formatClasses(counting.AllClasses()) + `}`
	classDoc := "what is counted; " + listClasses(counting.CoarseClasses()) + " if left out"
	return []mistake.Key{
		mistake.Optional("version", "of this file, 1 or more, as you number it; sent with the birth message", `"minimum": 1`),
		mistake.Required("device", "which device this is", ""),
		mistake.Required("device.name", "its name: a level of its topics; \"serial\" is the serial number of the board", levelShape),
		mistake.Required("device.site", "the name of the place: a level of its topics", levelShape),
		mistake.Required("device.tenant", "whose it is: a level of its topics", levelShape),
		mistake.Optional("device.state", "the directory of the spool; /var/lib/kerb if left out", ""),
		mistake.Optional("device.clock_floor", "a day: a clock that shows it or later is believed without a time server", `"format": "date"`),
		mistake.Optional("device.strict", "true: kerb run ends where a wall around one of its processes does not hold; see kerb probe", ""),
		mistake.Optional("device.bench", "true: this device stands on a bench, and its made-up numbers (scene:, a recording, loops of the street) may go to a broker on another machine", ""),
		mistake.Optional("device.place", "where it hangs; sent with the birth message", ""),
		mistake.Optional("device.place.lat", "degrees, WGS 84", `"minimum": -90, "maximum": 90`),
		mistake.Optional("device.place.lon", "degrees, WGS 84", `"minimum": -180, "maximum": 180`),
		mistake.Optional("device.place.description", "in words", ""),
		mistake.Required("broker", "where the messages go", ""),
		mistake.Required("broker.url", "mqtt, mqtts, ws or wss; never with a password in it", `"pattern": "^(mqtt|mqtts|ws|wss)://[^@]+$"`),
		mistake.Optional("broker.user", "the user to log in as", ""),
		mistake.Optional("broker.password_file", "its password"+secretDoc, ""),
		mistake.Optional("broker.ca_file", "who may vouch for the broker, PEM; the system's if left out"+fileDoc, ""),
		mistake.Optional("broker.cert_file", "the device's certificate, PEM"+fileDoc, ""),
		mistake.Optional("broker.key_file", "the key of that certificate, PEM"+secretDoc, ""),
		mistake.Optional("broker.client_id", "the client id, where the broker must know it; kerb-NAME- and a part that belongs to this machine if left out. kerb check -connect then logs in under the same one, which ends the connection of a running kerb for a moment", `"minLength": 1, "maxLength": 128`),
		mistake.Optional("broker.alpn", "protocols to offer in the TLS handshake, such as x-amzn-mqtt-ca for AWS IoT on port 443", `"minItems": 1, "maxItems": 8`),
		mistake.Optional("broker.confirm", "1m–24h: keep windows until the consumer's command watermark, and send them again after this time without one; the policy must allow that command; left out, the broker's word is enough", ""),
		mistake.Optional("broker.newest", "true: late windows go newest first", ""),
		mistake.Optional("broker.pace", "least time between two messages of late windows, 0s–1h; 0s if left out", ""),
		mistake.Optional("broker.cap", "bytes a second for late windows, less what other messages use; no limit if left out", `"minimum": 64, "maximum": 104857600`),
		mistake.Optional("broker.spread", "windows go within this time after their end, each device at its own moment, and within a quarter of the window, 0s–15m; 30s if left out, 0s for a broker on this machine", ""),
		mistake.Optional("broker.retry_min", "longest wait before the first connection and after a lost one, 0s–1h; the wait is random, and doubles after each failure; 30s if left out, 0s for a broker on this machine", ""),
		mistake.Optional("broker.retry_max", "longest wait after many failures, 1s–1h; 5m if left out", ""),
		mistake.Optional("trust", "how much proof the device wants before it takes a policy", ""),
		mistake.Optional("trust.mode", "open takes any policy; signed wants one signature; two-person a second one for anything looser", `"enum": ["open", "signed", "two-person"]`),
		mistake.Optional("trust.keys", "who may sign: minisign public keys, or files that hold one, relative to this one", ""),
		mistake.Optional("enrol", "where the device gets its certificate for the broker, and renews it; left out: cert_file and key_file, if any", ""),
		mistake.Required("enrol.est", "the EST server (RFC 7030): https://, host, and the server's label where it has one", `"pattern": "^https://"`),
		mistake.Optional("enrol.user", "user with the secret; the device's name if left out", ""),
		mistake.Optional("enrol.ca_file", "PEM file with the only authorities that are trusted for that server", ""),
		mistake.Optional("enrol.secret_file", "file with the one-time secret of this device; kerb removes it after its use", ""),
		mistake.Optional("camera", "a camera, and what is counted in its picture", ""),
		mistake.Required("camera[].name", "its name, unique", levelShape),
		mistake.Optional("camera[].source", "rtsp(s)://…; http(s)://… for Motion-JPEG, or with every for one picture at a time; /dev/… for a camera of the kernel, best by its stable path in /dev/v4l/by-id; csi:N for a Raspberry Pi's own; the path of a recording; scene:NAME for the built-in street", ""),
		mistake.Optional("camera[].command", "a program that writes pictures to its standard output, instead of a source: its full path, then its words; never a password", `"minItems": 1`),
		mistake.Optional("camera[].format", "what the program writes; JPEGs and YUV4MPEG2 tell by themselves, raw pictures need gray:WxH or yuv420:WxH", `"pattern": "`+formatShape+`"`),
		mistake.Optional("camera[].user", "the user to log in as at the camera", ""),
		mistake.Optional("camera[].password_file", "its password"+secretDoc, ""),
		mistake.Optional("camera[].basic_auth", "true lets the camera have the password in the clear, where it knows neither Digest nor TLS", ""),
		mistake.Optional("camera[].ca_file", "who may vouch for the camera, PEM; the system's if left out"+fileDoc, ""),
		mistake.Optional("camera[].certificate", "the SHA-256 of the camera's own certificate, which is then the only one that is taken, and needs nobody to vouch for it", `"pattern": "^[0-9A-Fa-f:]{64,95}$"`),
		mistake.Optional("camera[].transport", "how RTSP carries pictures; tcp if left out", `"enum": ["tcp", "udp"]`),
		mistake.Optional("camera[].decoder", "the program that decodes H.265; H.265 is refused if left out, H.264 needs no program", `"enum": ["ffmpeg"]`),
		mistake.Optional("camera[].fps", "pictures a second that are looked at; every one if left out", `"minimum": 1, "maximum": 30`),
		mistake.Optional("camera[].every", "of an http(s):// address that gives one JPEG picture, or one short MP4 clip: how often it is asked for, 10s–1h; only zones can be counted in it", ""),
		mistake.Optional("camera[].hours", "days and hours in which the camera is open, in the time zone of the policy's hours; at others it is closed; always if left out", `"minItems": 1, "items": {"type": "string", "pattern": "`+week.SpanPattern+`"}`),
		mistake.Optional("camera[].detector", "how objects are found: auto lets a network do it at the rate that the device sustains, or motion alone where that is too slow", `"enum": ["auto", "neural", "motion"]`),
		mistake.Optional("camera[].model", "the network: an ONNX or .kerb file, its path against this file's directory; the sha256:… of a .kerb file in the folder models beside this file or in device.state; or street-large, street or street-small, which are part of kerb; left out, the best of these that the device sustains", ""),
		mistake.Optional("camera[].line", "a line, over which is counted; drawn from left to right, side a is above it", ""),
		mistake.Required("camera[].line[].id", "the name of its stream, unique on the device", levelShape),
		mistake.Required("camera[].line[].from", "one end: x and y from 0 (left, top) to 1 (right, bottom)", pointShape),
		mistake.Required("camera[].line[].to", "the other end", pointShape),
		mistake.Optional("camera[].line[].classes", classDoc, classShape),
		mistake.Optional("camera[].zone", "an area, in which is counted who is there", ""),
		mistake.Required("camera[].zone[].id", "the name of its stream, unique on the device", levelShape),
		mistake.Required("camera[].zone[].polygon", "its corners", areaShape),
		mistake.Optional("camera[].zone[].classes", classDoc, classShape),
		mistake.Optional("camera[].mask", "an area that no detector may ever see", ""),
		mistake.Required("camera[].mask[].polygon", "its corners", areaShape),
		mistake.Optional("camera[].height", "an upright thing of known height; two of them give the scale of the street", `"minItems": 2, "maxItems": 2`),
		mistake.Required("camera[].height[].foot", "where it stands", pointShape),
		mistake.Required("camera[].height[].top", "where it ends", pointShape),
		mistake.Required("camera[].height[].metres", "how high it is, m", `"minimum": 0.5, "maximum": 20`),
		mistake.Optional("camera[].distance", "a known distance on the ground along the road, near a line: gives the speeds of vehicles over it", ""),
		mistake.Required("camera[].distance.from", "one end, on the ground", pointShape),
		mistake.Required("camera[].distance.to", "the other end, in the direction of travel", pointShape),
		mistake.Required("camera[].distance.metres", "from one to the other, m", `"minimum": 1, "maximum": 100`),
		mistake.Optional("loop", "the inductive loops at this device", ""),
		mistake.Optional("loop.source", "where the contacts are: gpio, or street for made-up vehicles", `"enum": ["gpio", "street"]`),
		mistake.Optional("loop.debounce", "contact bounce that the kernel shall swallow, 0s–20ms; left out, kerb removes it", ""),
		mistake.Optional("loop.line", "one contact: a detector card's output, or its fault relay", ""),
		mistake.Required("loop.line[].name", "by which lanes and recordings call it", lineShape),
		mistake.Optional("loop.line[].gpio", "the line's name in the kernel, such as GPIO17", ""),
		mistake.Optional("loop.line[].chip", "the chip's label; the board's own if left out", ""),
		mistake.Optional("loop.line[].card", "whether the card gives presence or a pulse a vehicle", `"enum": ["presence", "pulse"]`),
		mistake.Optional("loop.line[].active_high", "whether the line is high when the contact says yes", ""),
		mistake.Optional("loop.line[].bias", "the pull of the line", `"enum": ["up", "down", "none"]`),
		mistake.Optional("loop.lane", "one lane: one loop, or two behind each other", ""),
		mistake.Required("loop.lane[].id", "the name of its stream, unique on the device", levelShape),
		mistake.Required("loop.lane[].loops", "the names of one or two lines, in the direction a to b", `"minItems": 1, "maxItems": 2`),
		mistake.Optional("loop.lane[].relays", "fault relays that speak for it", ""),
		mistake.Optional("loop.lane[].reverse", "whether the loops are named in the direction b to a", ""),
		mistake.Optional("loop.lane[].spacing", "from the leading edge of the first loop to that of the second, m", `"minimum": 1, "maximum": 50`),
		mistake.Optional("loop.lane[].loop_length", "along the road, m", `"minimum": 0.3, "maximum": 30`),
		mistake.Optional("loop.lane[].mean_length", "mean length of the vehicles here, m: makes a single loop's speed an estimate", `"minimum": 1, "maximum": 20`),
		mistake.Optional("loop.lane[].lengths", "whose length classes are used", `"enum": ["uk", "tls"]`),
		mistake.Optional("loop.lane[].length_bins", "own length classes in place of lengths: their upper bounds but the last, m, ascending", `"items": {"type": "number", "exclusiveMinimum": 0}, "minItems": 1, "maxItems": 15`),
		mistake.Optional("loop.lane[].split", "whether motorcycle, car and heavy are told apart; two loops only", ""),
		mistake.Optional("stream", "for the platform: what the numbers of one stream are about; sent with the birth message", ""),
		mistake.Required("stream[].id", "the id of a line, zone or lane of this file", levelShape),
		mistake.Optional("stream[].a", "the name of side a of a line, or of the end of a lane from which a_to_b comes", `"maxLength": 200`),
		mistake.Optional("stream[].b", "the name of side b, or of the end of a lane to which a_to_b goes", `"maxLength": 200`),
		mistake.Optional("stream[].bearing", "of the direction a_to_b: degrees clockwise from north", `"minimum": 0, "exclusiveMaximum": 360`),
		mistake.Optional("stream[].place", "where it is; the place of the device if left out", ""),
		mistake.Optional("stream[].place.lat", "degrees, WGS 84", `"minimum": -90, "maximum": 90`),
		mistake.Optional("stream[].place.lon", "degrees, WGS 84", `"minimum": -180, "maximum": 180`),
		mistake.Optional("stream[].place.description", "in words", `"maxLength": 200`),
		mistake.Optional("lamp", "a status lamp on a GPIO line", ""),
		mistake.Required("lamp.gpio", "the line's name in the kernel, such as GPIO26", ""),
		mistake.Optional("lamp.chip", "the chip's label; the board's own if left out", ""),
		mistake.Optional("lamp.active_low", "the lamp shines when the line is low", ""),
		mistake.Optional("access_point", "the Wi-Fi that a session of kerb aim opens where the device has no network that a telephone could join", ""),
		mistake.Optional("access_point.country", "the country in which the device stands, ISO 3166-1, such as FI: without it no access point is opened", `"pattern": "^[A-Z]{2}$"`),
		mistake.Optional("access_point.always", "true: open it for each session, also beside another network, such as the wire to a cabinet", ""),
		mistake.Optional("compare", "two streams that see the same road: an event tells when their ratio drifts", ""),
		mistake.Required("compare[].a", "one stream", levelShape),
		mistake.Required("compare[].b", "the other one", levelShape),
		mistake.Optional("compare[].expect", "a divided by b when both are well; 1 if left out", `"minimum": 0.01, "maximum": 100`),
		mistake.Optional("compare[].tolerance", "how far the ratio may be off, as a part of what is expected; 0.25 if left out", `"minimum": 0.01, "maximum": 0.9`),
	}
}

// Keys returns all keys of site.toml with their documentation, in the order of the file.
func Keys() []mistake.Key { return siteKeys() }

// JSONSchema is the JSON Schema of site.toml, for editors: members sorted by
// name, two spaces a level. It does not say what holds between keys; Parse
// checks that.
func JSONSchema() []byte {
	var tree map[string]any
	err := json.Unmarshal(mistake.JSONSchema("kerb site.toml", reflect.TypeFor[siteFile](), siteKeys()), &tree)
	if err != nil {
		panic(err) // made of constants, and a test reads it
	}
	b, err := json.MarshalIndent(tree, "", "  ")
	if err != nil {
		panic(err) // it was JSON a moment ago
	}
	return append(b, '\n')
}
