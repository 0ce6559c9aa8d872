package proof

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// writeProcess writes what /proc tells of a process.
func writeProcess(t *testing.T, proc string, pid, parent int, name, args, caps string, seccomp, filters, noNew int) {
	t.Helper()
	dir := filepath.Join(proc, fmt.Sprint(pid))
	status := fmt.Sprintf("Name:\t%s\nState:\tS (sleeping)\nPPid:\t%d\nCapEff:\t%s\nNoNewPrivs:\t%d\nSeccomp:\t%d\nSeccomp_filters:\t%d\n", name, parent, caps, noNew, seccomp, filters)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for file, text := range map[string]string{"status": status, "cmdline": strings.ReplaceAll(args, " ", "\x00") + "\x00"} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// Each missing wall of a running process fails the proof; an absent process is one that
// could not be looked at. test/e2e looks at a real kerb run.
func TestTheWallsOfRunningProcessesAreJudgedByTheKernelsWords(t *testing.T) {
	const none, root = "0000000000000000", "000001fffcffffff"
	whole := func(proc string) {
		writeProcess(t, proc, 10, 1, "kerb", "kerb run --site s", root, 2, 1, 1)
		writeProcess(t, proc, 11, 10, "exe", "kerb uplink --site s", none, 2, 2, 1)
		writeProcess(t, proc, 12, 10, "exe", "kerb sense north --site s", none, 2, 2, 1)
		writeProcess(t, proc, 13, 10, "exe", "kerb sense --site s", none, 2, 2, 1)
		writeProcess(t, proc, 14, 10, "ffmpeg", "/usr/bin/ffmpeg -f hevc -i pipe:0 x", none, 2, 2, 1)
		writeProcess(t, proc, 15, 10, "rpicam-vid", "/usr/bin/rpicam-vid -n -t", root, 2, 1, 1)
		writeProcess(t, proc, 16, 10, "exe", "kerb run --site s", root, 2, 1, 1) // a fork that has not begun
		writeProcess(t, proc, 20, 1, "other", "other kerb run", root, 0, 0, 0)
	}
	for name, c := range map[string]struct {
		change  func(proc string)
		verdict string
		fault   string
	}{
		"all hold":               {func(string) {}, VerdictOK, ""},
		"sense without a filter": {func(p string) { writeProcess(t, p, 12, 10, "exe", "kerb sense north --site s", none, 0, 0, 1) }, VerdictFailed, "sense north (process 12) lacks seccomp"},
		"sense with the supervisor's filter only": {func(p string) { writeProcess(t, p, 12, 10, "exe", "kerb sense north --site s", none, 2, 1, 1) }, VerdictFailed, "sense north (process 12) lacks seccomp"},
		"uplink may gain privileges":              {func(p string) { writeProcess(t, p, 11, 10, "exe", "kerb uplink --site s", none, 2, 2, 0) }, VerdictFailed, "uplink (process 11) lacks no_new_privs"},
		"the loops with root's rights":            {func(p string) { writeProcess(t, p, 13, 10, "exe", "kerb sense --site s", root, 2, 2, 1) }, VerdictFailed, "sense loops (process 13) lacks capabilities"},
		"a decoder with root's rights": {func(p string) {
			writeProcess(t, p, 14, 10, "ffmpeg", "/usr/bin/ffmpeg -f hevc -i pipe:0 x", root, 2, 2, 1)
		}, VerdictFailed, "decode (process 14) lacks capabilities"},
		"a program without a filter":          {func(p string) { writeProcess(t, p, 15, 10, "rpicam-vid", "rpicam-vid -n -t", root, 0, 0, 1) }, VerdictFailed, "rpicam-vid (process 15) lacks seccomp"},
		"a supervisor that may set the clock": {func(p string) { writeProcess(t, p, 10, 1, "kerb", "kerb run --site s", "000001fffeffffff", 2, 1, 1) }, VerdictFailed, "supervisor (process 10) lacks capabilities"},
		"uplink is away":                      {func(p string) { os.RemoveAll(filepath.Join(p, "11")) }, VerdictUnseen, ""},
		"no /proc":                            {func(p string) { os.RemoveAll(p) }, VerdictUnseen, ""},
	} {
		proc := t.TempDir()
		whole(proc)
		c.change(proc)
		r := lookOnce(proc, 10, []string{"uplink", "sense north", "sense loops"})
		b := Bundle{Running: r}
		b.Judge()
		if r.Verdict != c.verdict || b.Verdict != c.verdict {
			t.Errorf("%s: %q, bundle %q, want %q: %+v", name, r.Verdict, b.Verdict, c.verdict, r)
		}
		if c.fault != "" && (len(b.Faults) != 1 || b.Faults[0] != "running: "+c.fault) {
			t.Errorf("%s: %q, want %q", name, b.Faults, c.fault)
		}
		r.Reported = []ReportedWalls{{"uplink", 30, []string{"open a socket"}}}
		if all := r.listFaults(); all[len(all)-1] != "running: uplink reports that it can open a socket" {
			t.Errorf("%s: %q", name, all)
		}
		if c.verdict == VerdictOK && len(r.Processes) != 6 {
			t.Errorf("%s: %+v", name, r.Processes)
		}
	}
}
