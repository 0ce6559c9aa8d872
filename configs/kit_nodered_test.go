package configs_test

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// freePort returns a free TCP port of the loopback.
func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// until waits until ok, for three minutes.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(3 * time.Minute); !ok(); time.Sleep(200 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not after three minutes", what)
		}
	}
}

// start starts a program, and kills it at the end of the test.
func start(t *testing.T, name string, args ...string) {
	t.Helper()
	c := exec.Command(name, args...)
	c.Stdout, c.Stderr = t.Output(), t.Output()
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Process.Kill(); _ = c.Wait() })
}

// startMosquitto starts a broker and returns its port.
func startMosquitto(t *testing.T) int {
	t.Helper()
	bin, err := exec.LookPath("mosquitto")
	if err != nil {
		bin = "/usr/sbin/mosquitto"
	}
	if _, err := os.Stat(bin); err != nil {
		t.Skip("no mosquitto: install the package mosquitto")
	}
	port := freePort(t)
	start(t, bin, "-c", writeTemp(t, "conf", fmt.Sprintf("user root\nlistener %d 127.0.0.1\nallow_anonymous true\n", port)))
	until(t, "mosquitto", func() bool {
		c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	return port
}

// writeTemp writes a file in a folder of the test, and returns its path.
func writeTemp(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// kitFile returns a file of the kit with its broker's port replaced.
func kitFile(t *testing.T, name string, port int) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("kit", name))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(b), "1883") {
		t.Fatalf("%s has no port 1883", name)
	}
	return strings.ReplaceAll(string(b), "1883", fmt.Sprint(port))
}

// publish publishes one line of mosquitto_sub -v.
func publish(t *testing.T, port int, line string) {
	t.Helper()
	topic, payload, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
	if out, err := exec.Command("mosquitto_pub", "-p", fmt.Sprint(port), "-q", "1", "-t", topic, "-m", payload).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// get decodes the JSON of a URL of loopback, and reports whether it came.
func get(port int, path string, into any) bool {
	r, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d%s", port, path))
	if err != nil {
		return false
	}
	defer r.Body.Close()
	return r.StatusCode == http.StatusOK && json.NewDecoder(r.Body).Decode(into) == nil
}

// Node-RED adds up the recorded messages as the test does, although half of the windows
// come late, as lists, and the others twice.
func TestTheFlowOfNodeREDAddsUpByTheHour(t *testing.T) {
	red, err := filepath.Abs("../test/nodered/node_modules/node-red/red.js")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(red); err != nil {
		t.Skip("no test/nodered/node_modules: run make nodered")
	}
	broker, port := startMosquitto(t), freePort(t)
	dir := filepath.Dir(writeTemp(t, "flows.json", kitFile(t, "node-red.json", broker)))
	settings := fmt.Sprintf("module.exports = {uiHost: '127.0.0.1', uiPort: %d, flowFile: 'flows.json', httpAdminRoot: false, logging: {console: {level: 'warn'}}}\n", port)
	if err := os.WriteFile(filepath.Join(dir, "settings.js"), []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	start(t, "node", red, "--userDir", dir, "--settings", filepath.Join(dir, "settings.js"))
	lines, windows := readRecorded(t)
	var rows []struct {
		Device, Stream, Hour, Class, Dir string
		Low, High                        float64
		Windows                          int
	}
	var busy map[string]struct {
		On      bool
		Changes []string
	}
	// A device that only the marker has, until Node-RED has subscribed.
	marker := strings.NewReplacer("/demo/demo/", "/demo/marker/", `"device":"demo"`, `"device":"marker"`).Replace(
		lines[slices.IndexFunc(lines, func(l string) bool { return strings.Contains(l, "/count/single ") && strings.Contains(l, `"seq":2,`) })])
	until(t, "Node-RED to listen", func() bool {
		publish(t, broker, marker)
		return get(port, "/kerb/hours", &rows) && len(rows) > 0
	})
	if len(rows) != 1 || rows[0].Windows != 1 {
		t.Errorf("a window that came again: %+v", rows)
	}
	for _, l := range append(withoutHalf(lines), backfills(t, lines)...) {
		if strings.Contains(l, "/count/") || strings.Contains(l, "/backfill/") || strings.Contains(l, "/event ") {
			publish(t, broker, l)
		}
	}
	var got, want []string
	for _, row := range sums(windows) { // without the third column from the end: n alone
		if f := strings.Split(row, "|"); len(f) == 8 {
			row = strings.Join(slices.Delete(f, 5, 6), "|")
		}
		want = append(want, row)
	}
	slices.Sort(want)
	until(t, "all rows", func() bool {
		rows, got = nil, nil
		get(port, "/kerb/hours", &rows)
		for _, r := range rows {
			if r.Device == "kerb/demo/marker" {
				continue
			}
			key := strings.Join([]string{r.Device, r.Stream, r.Hour, r.Class, r.Dir}, "|")
			if r.Dir == "" {
				got = append(got, fmt.Sprintf("%s%.3f|%.3f", key, r.Low, r.High))
			} else {
				got = append(got, fmt.Sprintf("%s|%.0f|%.0f", key, r.Low, r.High))
			}
		}
		slices.Sort(got)
		return slices.Equal(got, want)
	})
	get(port, "/kerb/busy", &busy)
	if b := busy["kerb/demo/demo|pavement|person"]; b.On || len(b.Changes) != 2 {
		t.Errorf("busy: %+v, want a beginning and an end", busy)
	}
}
