package relay

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"kerb/agent/relay"
)

// A server is away, then busy, then refuses one window for its content: the others come,
// each once, that one is put aside, is not confirmed, and comes after a start of the relay.
func TestWhatTheSinkRefusesIsNotLost(t *testing.T) {
	b, dir := startBroker(t), t.TempDir()
	const poison = "2026-11-23T05:00:00Z,2026-11-23T05:15:00Z"
	var mu sync.Mutex
	seen, tries, accepts := map[string]int{}, 0, false
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		body, _ := io.ReadAll(r.Body)
		switch tries++; {
		case tries < 3:
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		case !accepts && strings.Contains(string(body), ",plaza,") && strings.Contains(string(body), ","+poison+","):
			w.WriteHeader(http.StatusUnprocessableEntity)
			return
		}
		lines, err := csv.NewReader(strings.NewReader(string(body))).ReadAll()
		if err != nil {
			t.Error(err)
			return
		}
		for _, l := range lines[1:] {
			seen[strings.Join(l[2:6], " ")+l[13]+l[14]]++
		}
		w.WriteHeader(http.StatusNoContent)
	}))
	defer server.Close()
	state := filepath.Join(dir, "state")
	r := startProcess(t, role(relayRole, relay.Opts{Broker: b.url, Format: "csv", Out: server.URL, Dir: state, Gather: 100 * time.Millisecond, Ask: time.Second, Confirm: time.Second}))
	devices := startProcess(t, role(fleetRole, fleetOpts{Broker: b.url, Dir: dir, First: 3, N: 1, Confirm: true}))
	pending := func() string {
		b, _ := os.ReadFile(filepath.Join(dir, "pending-3"))
		return string(b)
	}
	waitFor(t, "one window put aside", func() bool {
		l, err := relay.ReadLedger(state, "2026-11-23")
		return err == nil && len(l.Rows) == 1 && l.Rows[0].Received == slots && l.Rows[0].Refused == 1 && l.Rows[0].Waiting == 0
	})
	if n := pending(); n == "0" {
		t.Error("the device was told that the sink has everything")
	}
	mu.Lock()
	accepts = true
	mu.Unlock()
	r.kill()
	r.start()
	waitFor(t, "the device knows that the sink has everything", func() bool { return pending() == "0" })
	devices.stop()
	r.stop()
	mu.Lock()
	defer mu.Unlock()
	if len(seen) != slots {
		t.Errorf("%d windows at the sink, want %d", len(seen), slots)
	}
	for k, n := range seen {
		if n != 1 {
			t.Errorf("%s came %d times, though nothing was killed in a request", k, n)
		}
	}
}

// A server that has a thing already answers 409: the windows come nevertheless.
func TestARefusedDeclarationHoldsUpNoWindow(t *testing.T) {
	b, dir := startBroker(t), t.TempDir()
	var mu sync.Mutex
	refused := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/Things") {
			mu.Lock()
			refused++
			mu.Unlock()
			w.WriteHeader(http.StatusConflict)
		}
	}))
	defer server.Close()
	state := filepath.Join(dir, "state")
	r := startProcess(t, role(relayRole, relay.Opts{Broker: b.url, Format: "sensorthings", Out: server.URL, Dir: state, Gather: 100 * time.Millisecond, Ask: time.Second}))
	devices := startProcess(t, role(fleetRole, fleetOpts{Broker: b.url, Dir: dir, N: 2}))
	waitComplete(t, state, 2)
	devices.stop()
	r.stop()
	mu.Lock()
	defer mu.Unlock()
	if refused < 2 {
		t.Errorf("control: %d things of 2 were refused", refused)
	}
}

// Files have each window once, however often the relay is killed: bytes written and not
// committed is written again in its place.
func TestAKilledRelayWritesEachWindowOnceIntoFiles(t *testing.T) {
	b, dir := startBroker(t), t.TempDir()
	out, state := filepath.Join(dir, "out"), filepath.Join(dir, "state")
	r := startProcess(t, role(relayRole, relay.Opts{Broker: b.url, Format: "csv", Out: out, Dir: state, Batch: 7, Ask: time.Second}))
	var devices []*process
	const kills = 3
	for n := range kills + 1 {
		// A device that begins now has windows that are not written, after each kill.
		text, _ := os.ReadFile(filepath.Join(out, "windows-2026-11-23.csv"))
		had := bytes.Count(text, []byte("\n"))
		devices = append(devices, startProcess(t, role(fleetRole, fleetOpts{Broker: b.url, Dir: filepath.Join(dir, "devices"), First: n, N: 1})))
		waitFor(t, "more rows", func() bool {
			text, _ := os.ReadFile(filepath.Join(out, "windows-2026-11-23.csv"))
			return !strings.Contains(string(text), "half a li") && bytes.Count(text, []byte("\n")) > had+8
		})
		if n == kills {
			break
		}
		r.kill()
		// A kill between writing and committing leaves such a rest.
		f, err := os.OpenFile(filepath.Join(out, "windows-2026-11-23.csv"), os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = f.WriteString("camden,half a li")
		f.Close()
		r.start()
	}
	waitComplete(t, state, len(devices))
	for _, d := range devices {
		d.stop()
	}
	r.stop()
	checkPlainCSV(t, out, readReleases(t, filepath.Join(dir, "devices")))
}

// Home Assistant's templates, rendered by Jinja2 over the messages that the devices sent,
// give the released numbers, and unknown for gaps and withheld ones. Without the option the
// retained messages are removed.
func TestHomeAssistantReadsTheNumbers(t *testing.T) {
	if out, err := exec.Command("python3", "-c", "import jinja2").CombinedOutput(); err != nil {
		t.Skipf("no Jinja2 (python3-jinja2): %s", out)
	}
	b, dir := startBroker(t), t.TempDir()
	o := relay.Opts{Broker: b.url, Format: "csv", Out: filepath.Join(dir, "out"), Dir: filepath.Join(dir, "state"), HomeAssistant: true}
	r := startProcess(t, role(relayRole, o))
	devices := startProcess(t, role(fleetRole, fleetOpts{Broker: b.url, Dir: filepath.Join(dir, "devices"), N: len(kinds)}))
	waitFor(t, "discovery of each device", func() bool { return len(readRetained(t, b, "homeassistant/device/+/config")) == len(kinds) })
	waitComplete(t, o.Dir, len(kinds))
	devices.stop()
	told := readRetained(t, b, "homeassistant/device/+/config")
	file := filepath.Join(dir, "discovery")
	var all []string
	for topic, body := range told {
		all = append(all, topic+"\t"+body)
	}
	slices.Sort(all)
	if err := os.WriteFile(file, []byte(strings.Join(all, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob(filepath.Join(dir, "devices", "*", "truth"))
	out, err := exec.Command("python3", append([]string{"homeassistant.py", file}, files...)...).CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
	r.stop()
	o.HomeAssistant = false
	off := startProcess(t, role(relayRole, o))
	waitFor(t, "removal", func() bool { return len(readRetained(t, b, "homeassistant/device/+/config")) == 0 })
	off.stop()
}

// readRetained returns what the broker retains on topics of a filter.
func readRetained(t *testing.T, b *broker, filter string) map[string]string {
	t.Helper()
	c := mqtt.NewClient(mqtt.NewClientOptions().AddBroker(b.url).SetClientID(fmt.Sprintf("retained-%d", time.Now().UnixNano())))
	if tok := c.Connect(); !tok.WaitTimeout(time.Minute) || tok.Error() != nil {
		t.Fatal("not connected")
	}
	defer c.Disconnect(0)
	var mu sync.Mutex
	all, end := map[string]string{}, make(chan struct{})
	// The own message comes after the retained ones: the broker keeps the order of one client.
	for _, f := range []string{filter, "test/end"} {
		if tok := c.Subscribe(f, 1, func(_ mqtt.Client, m mqtt.Message) {
			mu.Lock()
			defer mu.Unlock()
			if m.Topic() == "test/end" {
				close(end)
			} else if m.Retained() && len(m.Payload()) > 0 {
				all[m.Topic()] = string(m.Payload())
			}
		}); !tok.WaitTimeout(time.Minute) || tok.Error() != nil {
			t.Fatal("not subscribed")
		}
	}
	c.Publish("test/end", 1, false, "")
	select {
	case <-end:
	case <-time.After(time.Minute):
		t.Fatal("the broker does not answer")
	}
	mu.Lock()
	defer mu.Unlock()
	return all
}
