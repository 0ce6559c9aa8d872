package configs_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// tool returns the path of a program that make kit downloads, or skips the test.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if path, err = filepath.Abs("../out/kit/usr/bin/" + name); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(path); err != nil {
		t.Skipf("no %s: run make kit", name)
	}
	return path
}

// A state of kerb run, and one of the same device with faults.
func states(t *testing.T) (well, bad string) {
	t.Helper()
	b, err := os.ReadFile("kit/testdata/state.txt")
	if err != nil {
		t.Fatal(err)
	}
	well = string(b)
	bad = strings.NewReplacer("/std/", "/bad/", `"device":"std"`, `"device":"bad"`, `"windows":0`, `"windows":97`,
		`"evicted":0`, `"evicted":3,"denied":["count/a","event"],"certificate":{"ends":"2026-12-05T00:00:00Z"},"twin":{"epoch":"c9d24a5b-e975-4047-95f2-9247c24cc0c4"}`,
		`"watching":true`, `"watching":true,"fault":"camera_dark"`, `"open":[]`, `"open":["read /etc/passwd","fork"]`,
		`"disk_errors":0`, `"disk_errors":2,"temperature_c":84.5,"throttled":["under_voltage","throttled"]`).Replace(well)
	return well, bad
}

func TestTheExporterReadsTheStates(t *testing.T) {
	exporter := tool(t, "prometheus-mqtt-exporter")
	broker, port := startMosquitto(t), freePort(t)
	start(t, exporter, "-config", writeTemp(t, "config.yaml", kitFile(t, "mqtt-exporter.yaml", broker)), "-listen-address", "127.0.0.1", "-listen-port", fmt.Sprint(port))
	well, bad := states(t)
	will := `kerb/v1/kerb/bench/off/state {"schema":"kerb.state/1","tenant":"kerb","site":"bench","device":"off","online":false,"why":"lost"}`
	var text string
	has := func(metric, device, value string) bool {
		return strings.Contains(text, fmt.Sprintf(`kerb_state_%s{sensor="kerb/bench/%s",topic="kerb/v1/kerb/bench/%[2]s/state"} %s`, metric, device, value)+"\n")
	}
	until(t, "the metrics", func() bool {
		for _, m := range []string{well, bad, will} {
			publish(t, broker, m)
		}
		r, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/metrics", port))
		if err != nil {
			return false
		}
		defer r.Body.Close()
		b, _ := io.ReadAll(r.Body)
		text = string(b)
		return has("online", "off", "0") && has("online", "std", "1") && has("online", "bad", "1") // it subscribes between two of them
	})
	for _, m := range [][3]string{
		{"online", "std", "1"},
		{"backlog_windows", "std", "0"},
		{"evicted", "std", "0"},
		{"store_memory", "std", "0"},
		{"clock_synced", "std", "0"},
		{"online", "bad", "1"},
		{"backlog_windows", "bad", "97"},
		{"evicted", "bad", "3"},
		{"twin", "bad", "1"},
		{"audit_seq", "bad", "11"},
		{"temperature_c", "bad", "84.5"},
		{"disk_errors", "bad", "2"},
	} {
		if !has(m[0], m[1], m[2]) {
			t.Errorf("no %s of %s that is %s", m[0], m[1], m[2])
		}
	}
	if has("twin", "std", "1") {
		t.Error("a twin of a device that has none")
	}
}

// Telegraf makes a row of each window and number, at the window's own time, and the
// metrics that the rules read.
func TestTelegrafReadsWindowsAndStates(t *testing.T) {
	telegraf := tool(t, "telegraf")
	broker := startMosquitto(t)
	out := filepath.Join(t.TempDir(), "rows")
	text := strings.NewReplacer(`files = ["stdout"]`, fmt.Sprintf("files = [%q]", out), `"10s"`, `"1s"`).Replace(kitFile(t, "telegraf.conf", broker))
	start(t, telegraf, "--config", writeTemp(t, "telegraf.conf", text))
	well, bad := states(t)
	will := `kerb/v1/kerb/bench/off/state {"schema":"kerb.state/1","tenant":"kerb","site":"bench","device":"off","online":false,"why":"lost"}`
	rows := func() string { b, _ := os.ReadFile(out); return string(b) }
	until(t, "Telegraf to listen", func() bool {
		publish(t, broker, will)
		return strings.Contains(rows(), "bench/off/state")
	})
	lines, windows := readRecorded(t)
	cells := 0
	for _, w := range windows {
		cells += len(w.Counts)
	}
	// Every second window comes late, in a list.
	live := withoutHalf(lines)
	late := slices.DeleteFunc(slices.Clone(lines), func(l string) bool { return slices.Contains(live, l) })
	for _, l := range slices.Concat(live, backfills(t, late), []string{bad, well}) {
		if strings.Contains(l, "/count/") || strings.Contains(l, "/backfill/") || strings.Contains(l, "/state ") || strings.Contains(l, "/event ") {
			publish(t, broker, l)
		}
	}
	until(t, "all rows", func() bool {
		return strings.Count(rows(), "kerb_window,") == len(windows) && strings.Count("\n"+rows(), "\nkerb,") == cells && strings.Contains(rows(), "bench/std/state")
	})
	for _, want := range []string{
		"device=off|kerb_state,topic=kerb/v1/kerb/bench/off/state |online=0", "bad|bench/bad/state |twin=1", "bad|bench/bad/state |denied=2", "bad|bench/bad/state |backlog_windows=97",
		"bad|bench/bad/state |certificate_ends=1796428800", "bad|kerb_sensor,source=street,topic=kerb/v1/kerb/bench/bad/state |fault=1",
		"bad|bench/bad/state |walls_open=6", "bad|bench/bad/state |throttled=2", "bad|bench/bad/state |temperature_c=84.5", "std|bench/std/state |walls_open=0",
		"std|kerb_event,device=std,kind=epoch,reason=unclean_end|n=1", "demo|kerb_event,device=demo,kind=busy|n=2",
		"std|bench/std/state |twin=0", "std|source=street,topic=kerb/v1/kerb/bench/std/state |fault=0", "gap|quality=gap|seq=1i", "part|part=2|epoch=", "time| n=-3 |1796078745000000000",
	} {
		f := strings.Split(want, "|")
		if !slices.ContainsFunc(strings.Split(rows(), "\n"), func(r string) bool { return strings.Contains(r, f[1]) && strings.Contains(r, f[2]) }) {
			t.Errorf("no row of %s with %q and %q", f[0], f[1], f[2])
		}
	}
	t.Run("dashboards and rules", func(t *testing.T) { checkPanels(t, rows()) })
	if t.Failed() {
		t.Log(rows())
	}
}
