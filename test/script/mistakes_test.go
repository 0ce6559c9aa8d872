package script

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A slip is one mistake that an engineer or a reviewer makes, and what kerb check must
// say of it: where, what is wrong, and what to do.
type slip struct {
	name     string
	file     string // of slipFiles, that is edited
	old, new string // the edit; an empty old appends
	where    string // file and line
	what, do string
	lines    int // of the whole answer, without hints; 0: one
}

// slipFiles are files without a mistake. policy.toml and traffic.toml are shipped ones.
var slipFiles = map[string]string{
	"site.toml": `[device]
name = "pole-7"
site = "high-street"
tenant = "camden"
state = "state"
[broker]
url = "mqtt://127.0.0.1:1883"
[[camera]]
name = "north"
source = "http://127.0.0.1:8081/mjpeg"
fps = 10
[[camera.line]]
id = "path"
from = [0.1, 0.6]
to = [0.9, 0.6]
classes = ["person"]
`,
	"loops.toml": `[device]
name = "cab-7"
site = "a40"
tenant = "london"
state = "state"
[broker]
url = "mqtt://127.0.0.1:1883"
[loop]
source = "gpio"
[[loop.line]]
name = "L1"
gpio = "GPIO17"
[[loop.line]]
name = "L2"
gpio = "GPIO27"
[[loop.lane]]
id = "lane-1"
loops = ["L1", "L2"]
spacing = 4.0
loop_length = 2.0
[lamp]
gpio = "GPIO26"
`,
}

// slips is the table. Those of a running machine, such as a camera that refuses the
// password, are in test/e2e (look_test.go), and in reload.txtar.
var slips = []slip{
	{name: "a wrong key", old: "fps = 10", new: "fsp = 10", where: "site.toml:11: camera[0].fsp", what: "no such key", do: "did you mean fps?"},
	{name: "a unit behind a number", old: "fps = 10", new: `fps = "10 Hz"`, where: "site.toml:11: camera[0].fps", what: "must be a number", do: "must be a number"},
	{name: "a value out of range", old: "fps = 10", new: "fps = 1000", where: "site.toml:11", what: "must be 1–30", do: "leave it out to look at every picture"},
	{name: "a line in pixels", old: "[0.9, 0.6]", new: "[352, 144]", where: "site.toml:15", what: "must lie in the picture", do: "divide x by the width"},
	{name: "a password in the camera's address", old: "http://127", new: "http://anna:hunter2@127", where: "site.toml:10", what: "must not hold a user or password", do: "use user and password_file"},
	{name: "a password in the broker's address", old: "mqtt://127", new: "mqtt://anna:hunter2@127", where: "site.toml:7", what: "must not hold a user or password", do: "use broker.user and broker.password_file"},
	{name: "a broker without a scheme", old: "mqtt://127.0.0.1:1883", new: "broker.camden.uk", where: "site.toml:7", what: "must be a URL with a host", do: `for example "mqtts://`},
	{name: "a name with blanks and umlauts", old: `"pole-7"`, new: `"Pole 7 Müllerstraße"`, where: "site.toml:2", what: "must be 1–32 of a–z", do: "try pole-7-muellerstrasse"},
	{name: "a stream with an umlaut", old: `"path"`, new: `"Gehweg Süd"`, where: "site.toml:13", what: "must be 1–32 of a–z", do: "try gehweg-sued"},
	{name: "another word for a class", old: `["person"]`, new: `["people"]`, where: "site.toml:16", what: "must be one of person, bicycle", do: "did you mean person?"},
	{name: "a class that the policy forbids", old: `["person"]`, new: `["heavy"]`, where: "site.toml:13", what: "the policy allows person, bicycle, vehicle (policy.toml:", do: "the policy decides; ask for less"},
	{name: "two streams of one name", old: "", new: "[[camera.line]]\nid = \"path\"\nfrom = [0.1, 0.5]\nto = [0.9, 0.5]\n", where: "site.toml:18", what: "must be unique on the device", do: "it is also at site.toml:13"},
	{name: "Notepad's byte order mark", old: "[device]", new: "\ufeff[device]", where: "site.toml:1", what: "", do: "save it as UTF-8 without one"},
	{name: "text without quotes", old: `"north"`, new: "north", where: "site.toml:9", what: "must have its text in quotes", do: `for example name = "north"`},
	{name: "typographic quotes", old: `"north"`, new: "“north”", where: "site.toml:9", what: "typographic quotes", do: "write straight ones"},
	{name: "a site file with a policy's text", old: "*", new: "policy.toml", where: "site.toml", what: "is a policy, not a site file", do: "are the two files swapped?"},
	{name: "a mistake and a conflict together", old: "fps = 10", new: "fps = 1000\n[[camera.line]]\nid = \"b\"\nfrom = [0.1, 0.5]\nto = [0.9, 0.5]\nclasses = [\"heavy\"]", where: "site.toml:11", what: "stream b counts heavy", do: "ask for less", lines: 2},
	{name: "a password file that is not there", old: "fps = 10", new: "password_file = \"/etc/nope\"", where: "site.toml:11", what: "must be a file that can be read", do: "looked for /etc/nope"},
	{name: "a password in the place of its file", old: "fps = 10", new: "password_file = \"hunter2\"", where: "site.toml:11", what: "must be a file that can be read", do: "a file that holds the password; looked in "},
	{name: "an empty password file", old: "fps = 10", new: "password_file = \"empty\"", where: "site.toml:11", what: "must hold a password", do: "the file is empty"},
	{name: "a window below the floor", file: "policy.toml", old: `window = "15m"`, new: `window = "10s"`, where: "policy.toml:", what: "must be at least 1m", do: "15m for camera counts without noise"},

	{name: "a decimal comma", old: "fps = 10", new: "fps = 0,5", where: "site.toml:11", what: "decimal comma", do: "write a point: 0.5"},
	{name: "decimal commas in a point", old: "[0.1, 0.6]", new: "[0,1 0,6]", where: "site.toml:14", what: "decimal comma", do: "[0.1, 0.6]"},
	{name: "one bracket for a camera", old: "[[camera]]", new: "[camera]", where: "site.toml:8", what: "must be a list", do: "write [[camera]], with two brackets"},
	{name: "a quote that does not end", old: `"north"`, new: `"north`, where: "site.toml:9", what: "does not end on its line", do: "close it"},
	{name: "a bracket that does not end", old: "[0.1, 0.6]", new: "[0.1, 0.6", where: "site.toml:14", what: "not closed", do: "for example from = [0.1, 0.6]"},
	{name: "a Windows path", old: "fps = 10", new: `password_file = "C:\kerb\pw"`, where: "site.toml:11", what: `has a \`, do: "single quotes"},
	{name: "a key twice", old: "fps = 10", new: "fps = 10\nfps = 12", where: "site.toml:12", what: "has already", do: "keep one of the two lines"},
	{name: "a table twice", old: "[[camera]]", new: "[device]\n[[camera]]", where: "site.toml:8", what: "is there twice", do: "put the keys of both under one"},
	{name: "a name left out", old: "name = \"north\"\n", new: "", where: "site.toml:8: camera[0].name", what: "is missing", do: `such as "pole-7"`},
	{name: "a source left out", old: "source = \"http://127.0.0.1:8081/mjpeg\"\n", new: "", where: "site.toml:8: camera[0].source", what: "is missing", do: "rtsp://camera.example/stream"},
	{name: "a point with three numbers", old: "[0.1, 0.6]", new: "[0.1, 0.6, 0.3]", where: "site.toml:14", what: "must have 2 members", do: "must have 2 members"},
	{name: "a zone with two corners", old: "", new: "[[camera.zone]]\nid = \"z\"\npolygon = [[0.1, 0.5], [0.9, 0.5]]\n", where: "site.toml:19", what: "must have 3–32 corners", do: "for example [[0, 0.5]"},
	{name: "a scheme with two letters changed", old: "http://127", new: "rstp://127", where: "site.toml:10", what: "must be rtsp(s)://, http(s)://", do: "for example"},
	{name: "hours in another form", old: "fps = 10", new: `hours = ["Mo-Fr 8-17"]`, where: "site.toml:11", what: "must be days and hours", do: "Mon-Fri 07:00-19:00"},
	{name: "a line without a length", old: "to = [0.9, 0.6]", new: "to = [0.1, 0.6]", where: "site.toml:15", what: "must differ from from", do: "a line has a length"},
	{name: "a detector that is none", old: "fps = 10", new: `detector = "yolo"`, where: "site.toml:11", what: "must be auto, neural or motion", do: "leave it out for auto"},
	{name: "true in quotes", old: `state = "state"`, new: `strict = "true"`, where: "site.toml:5", what: "must be true or false", do: "without quotes"},
	{name: "a colon as in YAML", old: "name = \"north\"", new: "name: \"north\"", where: "site.toml:9", what: "must be key = value", do: `for example name = "north"`},
	{name: "two equals signs", old: "name = \"north\"", new: "name == \"north\"", where: "site.toml:9", what: "==", do: `for example name = "north"`},
	{name: "a comment of another language", old: "name = \"north\"", new: "// north\nname = \"north\"", where: "site.toml:9", what: "is no comment", do: "begins with #"},
	{name: "one loop for two lanes", file: "loops.toml", old: "[lamp]", new: "[[loop.lane]]\nid = \"lane-2\"\nloops = [\"L2\"]\n[lamp]", where: "loops.toml:23", what: "other lines than those of lane-1", do: "one lane", lines: 2},
	{name: "a duration without a unit", file: "policy.toml", old: `"15m"`, new: `15`, where: "policy.toml:", what: "must be whole seconds", do: `such as "90s"`},
	{name: "a decimal comma in a place", old: "[broker]", new: "place = { lat = 51,5, lon = 0.1 }\n[broker]", where: "site.toml:6", what: "decimal comma", do: "write a point"},
	{name: "a latitude of 95", old: "[broker]", new: "place = { lat = 95, lon = 0.1 }\n[broker]", where: "site.toml:6: device.place.lat = 95:", what: "must be -90–90", do: "degrees"},
	{name: "corners in one list", old: "", new: "[[camera.mask]]\npolygon = [0, 0, 1, 0, 1, 1]\n", where: "site.toml:18", what: "must be a list", do: "[0.1, 0.6]"},
	{name: "a network that is none", old: "fps = 10", new: `model = "street-big"`, where: "site.toml:11", what: "part of kerb", do: "street-large, street, street-small"},
	{name: "a lane of a loop that is not there", file: "loops.toml", old: `"L1", "L2"`, new: `"L1", "L3"`, where: "loops.toml:18", what: "there is no line L3", do: "add a [[loop.line]] of that name"},
	{name: "one pin for two loops", file: "loops.toml", old: "GPIO27", new: "GPIO17", where: "loops.toml:15", what: "must be another line than loop.line[0].gpio", do: "one contact is one line"},
	{name: "the lamp on a loop's pin", file: "loops.toml", old: "GPIO26", new: "GPIO17", where: "loops.toml:22", what: "must be another line than loop.line[0].gpio", do: "loops.md has a drawing of the pins"},
	{name: "centimetres for metres", file: "loops.toml", old: "spacing = 4.0", new: "spacing = 400", where: "loops.toml:19", what: "must be 1–50 m", do: "from the leading edge"},
	{name: "a class that the policy has not", file: "policy.toml", old: `"person"`, new: `"pedestrian"`, where: "policy.toml:", what: "must be one of person", do: "did you mean person?"},
	{name: "an epsilon of nothing", file: "policy.toml", old: "epsilon = 1", new: "epsilon = 0", where: "policy.toml:", what: "must be 0.01–2", do: "1 is usual"},
	{name: "a method that is none", file: "policy.toml", old: `"noise"`, new: `"noize"`, where: "policy.toml:", what: "must be one of noise, suppress, bands", do: "must be one of"},

	{name: "two cameras on one device", old: `source = "http://127.0.0.1:8081/mjpeg"`, new: "source = \"/dev/video0\"\n[[camera.line]]\nid = \"a\"\nfrom = [0.1, 0.2]\nto = [0.9, 0.2]\n[[camera]]\nname = \"south\"\nsource = \"/dev/video0\"", where: "site.toml:17: camera[1].source", what: "must be another device than camera[0].source", do: "put all lines and zones under one [[camera]]"},
	{name: "a crossed zone", old: "", new: "[[camera.zone]]\nid = \"z\"\npolygon = [[0.1, 0.1], [0.9, 0.9], [0.9, 0.1], [0.1, 0.9]]\n", where: "site.toml:19", what: "sides that do not cross", do: "the corners in their order around it"},
	{name: "a zone without an area", old: "", new: "[[camera.zone]]\nid = \"z\"\npolygon = [[0.1, 0.1], [0.5, 0.5], [0.9, 0.9]]\n", where: "site.toml:19", what: "and an area", do: "the corners in their order around it"},
	{name: "a camera's port too high", old: "127.0.0.1:8081", new: "127.0.0.1:80810", where: "site.toml:10", what: "must have a port of 1–65535", do: "for example"},
	{name: "a broker's port too high", old: ":1883", new: ":99999", where: "site.toml:7", what: "must have a port of 1–65535", do: "leave it out for the usual one"},
	{name: "a port as a key", old: "[broker]\n", new: "[broker]\nport = \"1883\"\n", where: "site.toml:7: broker.port", what: "no such key", do: "belongs into the address"},
	{name: "a password in the file", old: "[[camera]]\n", new: "[[camera]]\npassword = \"hunter2\"\n", where: "site.toml:9: camera[0].password", what: "no such key", do: "password_file names a file"},
	{name: "line ends of an old Mac", old: "[device]\nname", new: "[device]\rname", where: "site.toml:1", what: "line ends of one character", do: "LF or CRLF"},
	{name: "letters of Windows-1252", old: `"high-street"`, new: "\"M\xfcller\"", where: "site.toml:3", what: "not in UTF-8", do: "save the file as UTF-8"},
	{name: "letters of Windows-1252 in a comment", old: "fps = 10", new: "# Stra\xdfe", where: "site.toml:11", what: "not in UTF-8", do: "save the file as UTF-8"},
	{name: "a file of zero bytes", old: "[device]", new: "\x00\x00[device]", where: "site.toml:1", what: "zero bytes", do: "copy it again"},
	{name: "a blank as copied from a page", old: "fps = 10", new: "fps\u00a0= 10", where: "site.toml:11", what: "a blank that is none of TOML", do: "type them again"},
	{name: "a dash for a minus", old: "fps = 10", new: "fps = −10", where: "site.toml:11", what: "a dash where a minus belongs", do: "type -"},
	{name: "JSON", old: "", new: "{\"fps\": 10}\n", where: "site.toml:17", what: "is JSON", do: "key = value, one a line"},
	{name: "a comma left out of a list", old: `["person"]`, new: `["person" "bicycle"]`, where: "site.toml:16", what: "without a comma", do: `["person", "bicycle"]`},
	{name: "true as Python writes it", old: `state = "state"`, new: "strict = True", where: "site.toml:5", what: "true or false belongs", do: "in small letters"},
	{name: "a semicolon", old: "fps = 10", new: "fps = 10;", where: "site.toml:11", what: "ends with ;", do: "nothing behind it"},
	{name: "a key of three words", old: "fps = 10", new: "frames per second = 10", where: "site.toml:11", what: "a key with a blank", do: "with _ for a blank"},
	{name: "a key in capitals", old: "fps = 10", new: "FPS = 10", where: "site.toml:11: camera[0].FPS", what: "no such key", do: "did you mean fps?"},
	{name: "two values on one line", old: "fps = 10", new: "fps = 10 user = \"anna\"", where: "site.toml:11", what: "something behind its value", do: "one key = value a line"},
	{name: "a document of a word processor", old: "[device]", new: "{\\rtf1\\ansi\n[device]", where: "site.toml:1", what: "word processor", do: "plain text"},
	{name: "a web page", old: "[device]", new: "<!DOCTYPE html>\n[device]", where: "site.toml:1", what: "web page", do: "download the file itself"},
	{name: "two brackets for the device", old: "[device]", new: "[[device]]", where: "site.toml:1: device", what: "must be a table", do: "write [device]"},
	{name: "a line outside its camera", old: "classes = [\"person\"]", new: "classes = [\"person\"]\n[[line]]\nid = \"b\"", where: "site.toml:17: line", what: "no such key", do: "[[camera.line]]"},
	{name: "per cent", old: "[0.1, 0.6]", new: "[10%, 60%]", where: "site.toml:14", what: "percent sign", do: "0.05 for 5 %"},
	{name: "numbers in quotes", old: "[0.1, 0.6]", new: `["0.1", 0.6]`, where: "site.toml:14", what: "must be a number", do: "without quotes"},
	{name: "a unit without quotes", old: "fps = 10", new: "fps = 10fps", where: "site.toml:11", what: "a unit behind its number", do: "the number alone"},
	{name: "a list as one text", old: `["person"]`, new: `"person, vehicle"`, where: "site.toml:16", what: "must be a list", do: "each member in quotes"},
	{name: "all as a class", old: `["person"]`, new: `["all"]`, where: "site.toml:16", what: "must be one of person", do: "leave it out"},
	{name: "one slash", old: "http://127", new: "http:/127", where: "site.toml:10", what: "two slashes", do: "rtsp://camera.example"},
	{name: "a number above 255", old: "http://127.0.0.1", new: "http://192.168.1.300", where: "site.toml:10", what: "an IP address", do: "four numbers of 0–255"},
	{name: "x for a number", old: "http://127.0.0.1", new: "http://192.168.1.x", where: "site.toml:10", what: "an IP address", do: "four numbers of 0–255"},
	{name: "a gap of the example that was not filled in", old: "mqtt://127.0.0.1", new: "mqtt://<broker>", where: "site.toml:7", what: "must have a host name", do: "a name letters"},
	{name: "a USB camera by its number", old: "http://127.0.0.1:8081/mjpeg", new: "usb:0", where: "site.toml:10", what: "path of the device", do: "kerb probe lists"},
	{name: "a broker as its port", old: "mqtt://127.0.0.1:1883", new: "broker.camden.uk:1883", where: "site.toml:7", what: "must begin with a scheme", do: "mqtt://broker.camden.uk:1883"},
	{name: "a broker as other programs write it", old: "mqtt://", new: "tcp://", where: "site.toml:7", what: "must start with mqtt://", do: "tcp:// is mqtt://"},
	{name: "a file in the place of a folder", old: `state = "state"`, new: `state = "empty"`, where: "site.toml:5", what: "must be a directory", do: "/var/lib/kerb"},
	{name: "a key of another program", old: "fps = 10", new: "interval = 10", where: "site.toml:11", what: "no such key", do: `every = "10s"`},
	{name: "a time zone that is none", file: "policy.toml", old: `"UTC"`, new: `"Europe/Londn"`, where: "policy.toml:", what: "must be UTC or a name such as Europe/Helsinki", do: "must not depend on the device"},
	{name: "a title that reads backwards", file: "policy.toml", old: `title = "`, new: "title = \"\u202e", where: `policy.toml:14: title = "\u202e`, what: "that a screen shows", do: "turn the direction"},
	{name: "a policy of another form", file: "policy.toml", old: "kerb.policy/1", new: "kerb.policy/2", where: "policy.toml:", what: `must be "kerb.policy/1"`, do: "which form of file this is"},
	{name: "a site file in the place of the policy", file: "policy.toml", old: "*", new: "site.toml", where: "policy.toml", what: "is a site file, not a policy", do: "are the two files swapped?"},
	{name: "a flag that is none", file: "-stie", where: "unknown flag", what: "-stie", do: `did you mean "-site"?`},
	{name: "a broker that is down", file: "-connect", old: ":1883", new: ":1", where: "127.0.0.1:1", what: "connection refused", do: "is the broker running, and is the port right", lines: 2},
}

func TestEveryMistakeIsToldWithItsPlaceAndWhatToDo(t *testing.T) {
	if len(slips) < 70 {
		t.Errorf("only %d mistakes", len(slips))
	}
	for _, s := range slips {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			out := checkSlip(t, s)
			for _, want := range []string{s.where, s.what, s.do} {
				if !strings.Contains(out, want) {
					t.Errorf("not told: %s\n%s", want, out)
				}
			}
			told := 0
			for line := range strings.Lines(out) {
				if !strings.Contains(line, "hint: ") {
					told++
				}
			}
			if told != max(s.lines, 1) {
				t.Errorf("%d lines:\n%s", told, out)
			}
			if strings.Contains(out, "hunter2") {
				t.Errorf("a password is told:\n%s", out)
			}
		})
	}
	// The control: without a mistake, nothing is told.
	for file, policy := range map[string]string{"site.toml": "policy.toml", "loops.toml": "traffic.toml"} {
		cmd := exec.Command(filepath.Join(bin, "kerb"), "check", "-site", file, "-policy", policy)
		cmd.Dir = slipDir(t)
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "fit.") {
			t.Errorf("%s: %v\n%s", file, err, out)
		}
	}
}

// In place of a file: a folder, a device, another file that is huge, a pipe that nothing
// writes to, and none. Each is told, and none of them keeps the command waiting. A folder of
// site files is checked as those of a fleet; here it has none.
func TestWhatIsNoFileIsTold(t *testing.T) {
	dir := slipDir(t)
	if err := errors.Join(os.Mkdir(filepath.Join(dir, "folder"), 0o700), os.Truncate(filepath.Join(dir, "empty"), 2<<20),
		syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600)); err != nil {
		t.Fatal(err)
	}
	for file, what := range map[string]string{
		"folder": "folder ", "/dev/zero": "/dev/zero is a device: name a file", "nowhere": "nowhere: no such file",
		"empty": "empty is larger than 1 MiB: is it another file?", "pipe": "pipe: ",
	} {
		for _, flags := range [][]string{{"-site", file, "-policy", "policy.toml"}, {"-site", "site.toml", "-policy", file}} {
			cmd := exec.Command(filepath.Join(bin, "kerb"), append([]string{"check"}, flags...)...)
			cmd.Dir = dir
			if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), what) {
				t.Errorf("%v: %v\n%s", flags, err, out)
			}
		}
	}
}

// slipDir is a folder with the files.
func slipDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	texts := map[string]string{"empty": ""}
	for name, text := range slipFiles {
		texts[name] = text
	}
	for name, from := range map[string]string{"policy.toml": "policy-standard.toml", "traffic.toml": "policy-traffic.toml"} {
		b, err := os.ReadFile(filepath.Join("../../configs", from))
		if err != nil {
			t.Fatal(err)
		}
		texts[name] = string(b)
	}
	for name, text := range texts {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// checkSlip makes the edit and returns what kerb check says on standard error.
func checkSlip(t *testing.T, s slip) string {
	t.Helper()
	dir := slipDir(t)
	file, args := s.file, []string{"check"}
	if strings.HasPrefix(file, "-") {
		args, file = append(args, file), ""
	}
	if file == "" {
		file = "site.toml"
	}
	path := filepath.Join(dir, file)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	switch {
	case s.old == "*":
		b, err := os.ReadFile(filepath.Join(dir, s.new))
		if err != nil {
			t.Fatal(err)
		}
		text = string(b)
	case s.old == "":
		text += s.new
	case !strings.Contains(text, s.old):
		t.Fatalf("%s has no %s", file, s.old)
	default:
		text = strings.Replace(text, s.old, s.new, 1)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	site, policy := "site.toml", "policy.toml"
	if file == "loops.toml" {
		site, policy = file, "traffic.toml"
	}
	cmd := exec.Command(filepath.Join(bin, "kerb"), append(args, "-site", site, "-policy", policy)...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err == nil {
		t.Errorf("it passes:\n%s", out)
	}
	return string(out)
}
