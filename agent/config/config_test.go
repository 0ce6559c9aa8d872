package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kerb/counting"
)

const sound = `
[device]
name = "pi-0a1b"
site = "high-st"
tenant = "camden"
place = { lat = 51.53, lon = -0.14, description = "lamp post 7" }

[broker]
url = "mqtt://127.0.0.1:1883"

[[camera]]
name = "north"
source = "scene:calm"
fps = 10

[[camera.line]]
id = "north-kerb"
from = [0.1, 0.5]
to = [0.9, 0.5]
classes = ["person", "vehicle"]

[[camera.zone]]
id = "plaza"
polygon = [[0, 0.5], [1, 0.5], [1, 1]]

[[camera.height]]
foot = [0.5, 0.9]
top = [0.5, 0.4]
metres = 1.75

[[camera.height]]
foot = [0.5, 0.4]
top = [0.5, 0.2]
metres = 1.75
`

func TestASoundFileBecomesValues(t *testing.T) {
	s, err := Parse("/etc/kerb/site.toml", []byte(sound))
	if err != nil {
		t.Fatal(err)
	}
	if s.Device.State != DefaultState || s.Device.Place.Lat != 51.53 || s.Cameras[0].Detector != "auto" {
		t.Errorf("%+v", s)
	}
	streams := s.Streams()
	if len(streams) != 2 || streams[0].ID != "north-kerb" || streams[1].Kind != counting.ZoneStream || len(streams[1].Classes) != 3 {
		t.Errorf("streams %+v", streams)
	}
	if len(s.Cameras[0].Heights) != 2 || s.LocateKey("camera[0].line[0].classes") != "/etc/kerb/site.toml:20" {
		t.Errorf("place: %s", s.LocateKey("camera[0].line[0].classes"))
	}
}

func TestEachMistakeIsNamed(t *testing.T) {
	for _, c := range []struct{ name, old, new, want string }{
		{"an unknown key", "fps = 10", "fsp = 10", "camera[0].fsp: no such key\nhint: did you mean fps?"},
		{"a key of another program", "fps = 10", "interval = 10", "camera[0].interval: no such key\nhint: every = \"10s\" is for a camera that gives single pictures"},
		{"an address under another key", "source = ", "rtsp_url = ", "camera[0].rtsp_url: no such key\nhint: the address belongs into url of the broker, source of a camera"},
		{"a line outside the picture", "to = [0.9, 0.5]", "to = [352, 144]", "camera[0].line[0].to = [352, 144]: must lie in the picture"},
		{"a rate of nought", "fps = 10", "fps = 0", "camera[0].fps = 0: must be 1–30\nhint: leave it out"},
		{"a name with a slash", `"pi-0a1b"`, `"Pi/0A1B"`, `try pi-0a1b`},
		{"a label of no stream", sound[len(sound)-1:], "\n[[stream]]\nid = \"nosuch\"\n", "must be the id of a line, zone or lane of this file"},
		{"a label with one side", sound[len(sound)-1:], "\n[[stream]]\nid = \"north-kerb\"\na = \"shops\"\n", "must come together with b"},
		{"a zone with a bearing", sound[len(sound)-1:], "\n[[stream]]\nid = \"plaza\"\nbearing = 90\n", "a zone has no direction"},
		{"a bearing of more than a circle", sound[len(sound)-1:], "\n[[stream]]\nid = \"north-kerb\"\nbearing = 360\n", "must be 0–359.9 degrees"},
		{"half a place", "lat = 51.53, ", "", "must come together with lon"},
		{"a password in the source", `"scene:calm"`, `"http://bob:hun%ter2@cam/mjpeg"`, "camera[0].source: must not hold a user or password"},
		{"a source of another kind", `"scene:calm"`, `"ftp://cam/1"`, "must be rtsp(s)://, http(s)://, csi:N, a device, a file, or scene:NAME"},
		{"a password in a command", `source = "scene:calm"`, `command = ["/bin/sh", "rtsp://bob:hun%ter2@cam/1"]`, "must not hold a password: every user of this device could see it in ps"},
		{"a command that is none", `source = "scene:calm"`, `command = ["rpicam-vid"]`, "must begin with the full path of a program"},
		{"a CSI camera of a width with padding", `"scene:calm"`, `"csi:0?size=600x400"`, "must have a width that is a multiple of 64"},
		{"UDP without RTSP", `source = "scene:calm"`, "source = \"http://cam/1\"\ntransport = \"udp\"", "must go with an rtsp:// source"},
		{"a decoder without RTSP", `source = "scene:calm"`, "source = \"http://cam/1\"\ndecoder = \"ffmpeg\"", "must go with an rtsp:// source"},
		{"another decoder", `source = "scene:calm"`, "source = \"rtsp://cam/1\"\ndecoder = \"vlc\"", "must be ffmpeg"},
		{"a line over stills", `source = "scene:calm"`, "source = \"https://cam/1.jpg\"\nevery = \"2m\"", "camera[0].line[0]: must not lie in a picture that is seen at instants: what passes in between is not seen\nhint: count who is there, in a [[camera.zone]]"},
		{"stills that come at a rate", `source = "scene:calm"`, "source = \"https://cam/1.jpg\"\nevery = \"2m\"", "camera[0].fps = 10: must be left out beside every"},
		{"stills too often", `source = "scene:calm"`, "source = \"https://cam/1.jpg\"\nevery = \"1s\"", "camera[0].every = \"1s\": must be \"10s\"–\"1h\""},
		{"stills of a stream", "fps = 10", `every = "2m"`, "must go with an http(s):// source"},
		{"motion in stills", `source = "scene:calm"`, "source = \"https://cam/1.jpg\"\nevery = \"2m\"\ndetector = \"motion\"", "in one picture nothing moves"},
		{"hours of no day", "fps = 10", `hours = ["Mo-Fr 7-19"]`, "camera[0].hours[0]"},
		{"hours that never are", "fps = 10", `hours = []`, "must name when the camera is open"},
		{"a recording that is not there", `"scene:calm"`, `"nosuch.avi"`, "looked for /etc/kerb/nosuch.avi"},
		{"a port beyond ports", ":1883", ":99999", "must have a port of 1–65535"},
		{"a rate that is no number", "fps = 10", "fps = nan", "must be 1–30"},
		{"a place that is no number", "lat = 51.53", "lat = nan", "must be -90–90"},
		{"a password to a host that only looks local", `"mqtt://127.0.0.1:1883"`, "\"mqtt://127.evil.example\"\npassword_file = \"/etc/hostname\"", "would send it in the clear"},
		{"a password in the URL", "mqtt://", "mqtt://a:b@", "broker.url: must not hold a user or password"},
		{"a wrong scheme", "mqtt://", "http://", "must start with mqtt://"},
		{"a missing password file", "[[camera]]", "password_file = \"none\"\n[[camera]]", "looked in /etc/kerb"},
		{"a doubled stream", `id = "plaza"`, `id = "north-kerb"`, "it is also at /etc/kerb/site.toml:17"},
		{"an unknown class", `["person", "vehicle"]`, `["dog"]`, "must be one of person, bicycle"},
		{"vehicle beside its parts", `["person", "vehicle"]`, `["car", "vehicle"]`, "one car would count twice"},
		{"a line without length", "to = [0.9, 0.5]", "to = [0.1, 0.5]", "must differ from from"},
		{"a line without an end", "to = [0.9, 0.5]", "", "camera[0].line[0].to: is missing"},
		{"a polygon of two corners", "[[0, 0.5], [1, 0.5], [1, 1]]", "[[0, 0.5], [1, 0.5]]", "3–32 corners"},
		{"one height", "metres = 1.75\n\n[[camera.height]]\nfoot = [0.5, 0.4]\ntop = [0.5, 0.2]\nmetres = 1.75", "metres = 1.75", "must be two, or none"},
		{"a height upside down", "top = [0.5, 0.2]", "top = [0.5, 0.8]", "must be above foot"},
		{"a distance of nothing", "fps = 10", "fps = 10\ndistance = {from = [0.4, 0.9], to = [0.4, 0.9], metres = 8}", "must differ from from"},
		{"a distance beyond reason", "fps = 10", "fps = 10\ndistance = {from = [0.4, 0.9], to = [0.4, 0.6], metres = 800}", "must be 1–100"},
		{"a distance that the heights contradict", "fps = 10", "fps = 10\ndistance = {from = [0.4, 0.9], to = [0.4, 0.89], metres = 90}", "does not fit the picture"},
		{"another detector", "fps = 10", "detector = \"magic\"", "must be auto, neural or motion"},
		{"a network for motion", "fps = 10", "detector = \"motion\"\nmodel = \"street\"", "motion needs no model"},
		{"a network that is not there", "fps = 10", "detector = \"neural\"\nmodel = \"eye.onnx\"", "looked for /etc/kerb/eye.onnx"},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := strings.Replace(sound, c.old, c.new, 1)
			if text == sound {
				t.Fatal("the case changes nothing")
			}
			_, err := Parse("/etc/kerb/site.toml", []byte(text))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v\nwant … %s …", err, c.want)
			}
		})
	}
}

func TestANetworkIsFoundBesideTheFile(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "eye.onnx"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(sound, "fps = 10", "detector = \"neural\"\nmodel = \"eye.onnx\"", 1)
	s, err := Parse(filepath.Join(dir, "site.toml"), []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if c := s.Cameras[0]; c.Detector != "neural" || c.Model != filepath.Join(dir, "eye.onnx") {
		t.Errorf("%+v", c)
	}
	err = s.RejectKey("camera[0].model", "must be a network", "")
	if err == nil || !strings.Contains(err.Error(), `site.toml:15: camera[0].model = "eye.onnx": must be a network`) {
		t.Errorf("Wrong = %v", err)
	}
}

func TestAnEmptyFileNamesWhatItNeeds(t *testing.T) {
	_, err := Parse("site.toml", nil)
	for _, want := range []string{"device.name", "broker.url", "camera: is missing"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v lacks %s", err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(sound))
	f.Fuzz(func(t *testing.T, data []byte) {
		if s, err := Parse("/nowhere/site.toml", data); err == nil {
			for _, st := range s.Streams() {
				if !namePattern.MatchString(st.ID) {
					t.Errorf("stream %q passed", st.ID)
				}
			}
		}
	})
}
