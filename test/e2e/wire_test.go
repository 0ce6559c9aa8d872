package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"kerb/configs/configstest"
)

// published is one message as check.mjs reads it.
type published struct {
	Topic    string          `json:"topic"`
	Payload  json.RawMessage `json:"payload"`
	retained bool            // it was published before the consumer connected
}

// isProof reports whether the message is no message of its topic, but one by which the
// device learns that the broker passes its messages on.
func (p published) isProof() bool {
	return bytes.HasPrefix(p.Payload, []byte(`{"schema":"kerb.proof/1"`))
}

// kind returns the name of the message's schema.
func (p published) kind() string {
	if p.isProof() {
		return "proof"
	}
	return strings.Split(p.Topic, "/")[5]
}

// wireSite has a stream of every kind, one of them with labels, and a camera that does
// not exist.
const wireSite = `version = 1
[device]
name = "pi-0a1b"
site = "high-street"
tenant = "camden"
state = "state"
clock_floor = "2020-01-01"
place = { lat = 51.539, lon = -0.1426, description = "lamp post 7" }
[broker]
url = %q
[[camera]]
name = "north"
source = "scene:busy?size=320x180&rate=8&seed=7"
fps = 8
[[camera.line]]
id = "across"
from = [0.0, 0.62]
to = [1.0, 0.62]
[[camera.zone]]
id = "plaza"
polygon = [[0, 0.5], [1, 0.5], [1, 1], [0, 1]]
[[camera]]
name = "gone"
source = "http://127.0.0.1:1/mjpeg"
[[camera.line]]
id = "nowhere"
from = [0.0, 0.5]
to = [1.0, 0.5]
[loop]
source = "street"
[[loop.line]]
name = "L1A"
[[loop.line]]
name = "L1B"
[[loop.line]]
name = "L2"
[[loop.lane]]
id = "lane-1"
loops = ["L1A", "L1B"]
spacing = 4.0
loop_length = 2.0
[[loop.lane]]
id = "lane-2"
loops = ["L2"]
[[stream]]
id = "across"
a = "shops"
b = "park"
bearing = 180
`

// wirePolicy allows every kind of stream and both commands.
var wirePolicy = strings.NewReplacer(`["line"]`, `["line", "zone", "loop"]`, `["person", "vehicle"]`, `["person", "bicycle", "vehicle"]`,
	"clear.below = 0", "clear.below = 5").Replace(policyText) + "broker.commands = [\"resend\", \"watermark\"]\n"

// Every message of a run in which kerb, one of its processes and the broker are killed
// in turn is valid: under the shipped schemas for ajv, the validator of the consumers,
// and under closed ones, so that no key is undocumented. meta is published once for each
// connection. KERB_LONG gives it ten minutes.
func TestEveryMessageOfARunWithKillsIsValidForOtherParsers(t *testing.T) {
	if testing.Short() {
		t.Skip("short: it runs for half a minute")
	}
	t.Parallel()
	m := startMosquitto(t)
	s := newSink(t, m.url())
	a := newAgent(t, m.url(), "")
	writeFile(t, filepath.Join(a.dir, "site.toml"), fmt.Sprintf(wireSite, m.url()))
	writeFile(t, filepath.Join(a.dir, "policy.toml"), wirePolicy)
	a.start()
	end := time.Now().Add(20 * time.Second)
	if os.Getenv("KERB_LONG") != "" {
		end = time.Now().Add(10 * time.Minute)
	}
	online := func() int { return strings.Count(strings.Join(s.messages("state"), "\n"), `"online":true`) }
	kills, seen := 0, 0
	for ; kills < 4 || time.Now().Before(end); kills++ {
		await(t, "a state", func() bool { return online() > seen })
		await(t, "a sensing process", func() bool { return a.processes()["sense north"] > 0 })
		s.askForEverything(fmt.Sprint("round-", kills))
		seen = online()
		switch kills % 4 {
		case 0:
			a.stop() // the open windows are sent as partial ones
			a.start()
		case 1:
			_ = syscall.Kill(a.processes()["sense north"], syscall.SIGKILL)
			await(t, "the event", func() bool { return strings.Contains(strings.Join(s.messages("event"), ""), "sense_lost") })
			seen-- // the connection stays
		case 2:
			m.kill()
			m.start()
		case 3:
			a.kill()
			a.start()
		}
	}
	await(t, "a state", func() bool { return online() > seen })
	s.askForEverything("last")
	await(t, "an answer", func() bool { return strings.Contains(strings.Join(s.messages("ack"), ""), `"last"`) })
	await(t, "late windows", func() bool { return s.kinds()["backfill"] > 0 })
	a.stop()
	all := s.everything()
	checkOneMetaPerConnection(t, all)
	closed := configstest.LoadClosed(t)
	for _, p := range all {
		if err := closed.Check(p.kind(), p.Payload); err != nil {
			t.Errorf("%s %s\n%v", p.Topic, p.Payload, err)
		}
	}
	found := checkWithNode(t, writeSchemas(t, a.bin), all)
	if len(found.Errors) > 0 {
		t.Errorf("%q", found.Errors)
	}
	for _, kind := range []string{"count", "backfill", "state", "meta", "event", "cmd", "ack"} {
		if found.Messages[kind] == 0 {
			t.Errorf("no %s among %v: the run shows nothing of it", kind, found.Messages)
		}
	}
	t.Logf("%d kills; messages %v, %d errors; AsyncAPI document of %d channels, %d warnings", kills, found.Messages, len(found.Errors), found.Document, found.Warnings)
}

// checkOneMetaPerConnection complains of more metas than connections, and of a meta with
// another content. A state tells the start of its connection.
func checkOneMetaPerConnection(t *testing.T, all []published) {
	t.Helper()
	metas, contents, connections := 0, map[string]bool{}, map[string]bool{}
	for _, p := range all {
		switch {
		case p.isProof():
		case strings.HasSuffix(p.Topic, "/meta"):
			contents[string(p.Payload)] = true
			if !p.retained {
				metas++
			}
		case strings.HasSuffix(p.Topic, "/state"):
			var state struct{ Since string }
			if err := json.Unmarshal(p.Payload, &state); err != nil {
				t.Error(err)
			}
			if state.Since != "" {
				connections[state.Since] = true
			}
		}
	}
	if metas > len(connections) || len(contents) != 1 {
		t.Errorf("%d metas of %d contents in %d connections", metas, len(contents), len(connections))
	}
}

// The control: a message with a wrong number and a document with a broken reference are
// found.
func TestTheOtherParsersFindWhatIsPlanted(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	shipped, err := filepath.Glob("../../configs/*.[jy]*")
	if err != nil || len(shipped) < 10 {
		t.Fatal(shipped, err)
	}
	for _, path := range shipped {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		writeFile(t, filepath.Join(dir, filepath.Base(path)), string(text))
	}
	good := published{Topic: "kerb/v1/camden/high-street/pi-0a1b/cmd", Payload: json.RawMessage(
		`{"schema":"kerb.cmd/1","id":"a","verb":"watermark","expires":"2026-11-23T14:00:00Z","epoch":"7b0c","stream":"s","to":1}`)}
	bad := published{good.Topic, bytes.Replace(good.Payload, []byte(`"to":1`), []byte(`"to":0`), 1), false}
	text, err := os.ReadFile(filepath.Join(dir, "asyncapi.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	channels := strings.Count(string(text), "\n    address: ")
	if found := checkWithNode(t, dir, []published{good, bad}); channels == 0 || found.Document != channels || found.Messages["cmd"] != 2 || len(found.Errors) != 1 || !strings.Contains(found.Errors[0], "/to must be >= 1") {
		t.Errorf("a good and a bad message: %+v", found)
	}
	path := filepath.Join(dir, "backfill.schema.json")
	if text, err = os.ReadFile(path); err != nil {
		t.Fatal(err)
	}
	writeFile(t, path, strings.Replace(string(text), "count.schema.json", "urn:kerb:count:1", 1))
	if found := checkWithNode(t, dir, nil); len(found.Errors) != 2 || !strings.Contains(strings.Join(found.Errors, " "), "asyncapi: invalid-ref") {
		t.Errorf("a broken reference, once in each parser: %+v", found)
	}
}

// nodeResult is the output of test/wire/check.mjs.
type nodeResult struct {
	Document, Warnings int
	Messages           map[string]int
	Errors             []string
}

// checkWithNode gives the schemas and the messages to test/wire/check.mjs.
func checkWithNode(t *testing.T, schemas string, all []published) (found nodeResult) {
	t.Helper()
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("no node: install the package nodejs")
	}
	if _, err := os.Stat("../wire/node_modules"); err != nil {
		t.Skip("no test/wire/node_modules: run npm ci in test/wire")
	}
	var lines bytes.Buffer
	for _, p := range all {
		if err := json.NewEncoder(&lines).Encode(p); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(t.TempDir(), "messages.ndjson")
	writeFile(t, file, lines.String())
	c := exec.Command(node, "../wire/check.mjs", schemas, file)
	c.Stderr = t.Output()
	out, _ := c.Output()
	if err := json.Unmarshal(out, &found); err != nil {
		t.Fatalf("check.mjs: %v: %s", err, out)
	}
	return found
}

// writeSchemas returns a folder with the output of kerb schema -dir.
func writeSchemas(t *testing.T, kerb string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "schemas")
	if out, err := exec.Command(kerb, "schema", "-dir", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return dir
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// askForEverything asks for all windows of every stream that the sink knows.
func (s *sink) askForEverything(id string) {
	s.t.Helper()
	s.mu.Lock()
	last := map[window]uint64{}
	for w := range s.seen {
		of := window{Device: w.Device, Stream: w.Stream, Epoch: w.Epoch}
		last[of] = max(last[of], w.Seq)
	}
	s.mu.Unlock()
	for i, of := range slices.SortedFunc(maps.Keys(last), func(a, b window) int { return strings.Compare(a.Epoch+a.Stream, b.Epoch+b.Stream) }) {
		b := fmt.Sprintf(`{"schema":"kerb.cmd/1","id":"%s-%d","verb":"resend","expires":%q,"epoch":%q,"stream":%q,"from":1,"to":%d}`,
			id, i, time.Now().Add(time.Minute).UTC().Format(time.RFC3339), of.Epoch, of.Stream, last[of])
		s.client.Publish("kerb/v1/camden/high-street/pi-0a1b/cmd", 1, false, b).WaitTimeout(5 * time.Second)
	}
}

// everything returns all messages that arrived, in their order.
func (s *sink) everything() []published {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.all)
}

// kinds counts the messages by the level of their topic.
func (s *sink) kinds() map[string]int {
	n := map[string]int{}
	for _, p := range s.everything() {
		n[p.kind()]++
	}
	return n
}
