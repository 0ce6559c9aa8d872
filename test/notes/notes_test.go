// Package notes runs what the firmware notes tell people to type: each line
// that begins with `$ ` in a console block, in the order of the note, on a
// device of its own (another /etc/kerb and /var/lib/kerb, in a mount namespace)
// on which kerb runs, and is well, beside a broker. Lines that begin with `# ` are
// root's, and run where packages are installed: test/package.
package notes

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const site = `[device]
name = "pole"
site = "bench"
tenant = "kerb"
clock_floor = "2020-01-01"
[broker]
url = "mqtt://127.0.0.1:%d"
[[camera]]
name = "street"
source = "scene:calm"
[[camera.line]]
id = "across"
from = [0.1, 0.6]
to = [0.9, 0.6]
classes = ["person", "vehicle"]
`

// setUp makes the device: kerb counts, and goes on while the note's lines run.
const setUp = `set -e
mkdir -p "$D/etc" "$D/var" "$D/work" "$D/work2"
mount -t overlay overlay -o "lowerdir=/etc,upperdir=$D/etc,workdir=$D/work" /etc
mount -t overlay overlay -o "lowerdir=/var/lib,upperdir=$D/var,workdir=$D/work2" /var/lib
mkdir -p /etc/kerb && cp site.toml policy.toml /etc/kerb
kerb run -quiet & pid=$!
trap 'kill $pid; wait $pid || true' EXIT
for i in $(seq 1800); do if kerb status >said; then break; fi; sleep 0.1; done
[ $i -lt 1800 ] || cat said
cp -r /var/lib/kerb/audit .
`

func TestEachCommandInTheNotesRuns(t *testing.T) {
	if out, err := exec.Command("unshare", "--mount", "true").CombinedOutput(); err != nil {
		t.Skipf("no mount namespace of one's own here: %s", out)
	}
	dir := t.TempDir()
	build := exec.Command("go", "build", "-o", filepath.Join(dir, "bin", "kerb"), "kerb/agent")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build kerb: %v\n%s", err, out)
	}
	policy, err := os.ReadFile("../../configs/policy-standard.toml")
	if err != nil {
		t.Fatal(err)
	}
	template, err := os.ReadFile("../../configs/fleet.tmpl")
	if err != nil {
		t.Fatal(err)
	}
	table, err := os.ReadFile("../../configs/fleet.csv")
	if err != nil {
		t.Fatal(err)
	}
	port := broker(t, dir)
	notes, err := filepath.Glob("../../firmware-notes/*.md")
	if err != nil {
		t.Fatal(err)
	}
	ran := 0
	for _, note := range notes {
		lines := commands(t, note)
		if len(lines) == 0 {
			continue
		}
		ran += len(lines)
		t.Run(filepath.Base(note), func(t *testing.T) {
			work := filepath.Join(dir, filepath.Base(note))
			for name, text := range map[string][]byte{"site.toml": fmt.Appendf(nil, site, port), "policy.toml": policy, "fleet.tmpl": template, "fleet.csv": table} {
				if err := os.MkdirAll(work, 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(work, name), text, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			script := setUp
			for _, l := range lines {
				script += fmt.Sprintf("echo '+ %s'\n%s\n", strings.ReplaceAll(l, "'", `'\''`), l)
			}
			c := exec.Command("unshare", "--mount", "bash", "-c", script)
			c.Dir = work
			c.Stdin = strings.NewReader(strings.Repeat("\n", 8)) // keys without a password
			c.Env = append(os.Environ(), "D="+t.TempDir(), "PATH="+filepath.Join(dir, "bin")+":"+os.Getenv("PATH")+":/usr/sbin")
			out, err := c.CombinedOutput()
			if err != nil {
				t.Errorf("%v\n%s", err, out)
			}
			if bytes.Count(out, []byte("\n+ ")) < len(lines)-1 {
				t.Errorf("not all ran:\n%s", out)
			}
		})
	}
	if ran < 8 {
		t.Errorf("only %d commands found in the notes", ran)
	}
}

// The control: a command that is not there is found out.
func TestACommandThatIsNotThereFails(t *testing.T) {
	if err := exec.Command("bash", "-c", "set -e\nkerb-is-not-called-this probe").Run(); err == nil {
		t.Error("bash does not mind")
	}
}

// commands are the lines of a note that a user types. Those that ask a person
// for a password at a terminal are left to a person.
func commands(t *testing.T, note string) (lines []string) {
	t.Helper()
	text, err := os.ReadFile(note)
	if err != nil {
		t.Fatal(err)
	}
	inside := false
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(line, "\n")
		switch {
		case strings.HasPrefix(line, "```"):
			inside = line == "```console"
		case inside && strings.HasPrefix(line, "$ "):
			if command := line[2:]; strings.HasPrefix(command, "minisign ") {
				t.Logf("%s: left to a person: %s", filepath.Base(note), command)
			} else {
				lines = append(lines, command)
			}
		}
	}
	return lines
}

// broker is mosquitto on a free port of loopback.
func broker(t *testing.T, dir string) int {
	t.Helper()
	bin, err := exec.LookPath("mosquitto")
	if err != nil {
		bin = "/usr/sbin/mosquitto"
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	conf := filepath.Join(dir, "mosquitto.conf")
	if err := os.WriteFile(conf, fmt.Appendf(nil, "user root\nlistener %d 127.0.0.1\nallow_anonymous true\n", port), 0o600); err != nil {
		t.Fatal(err)
	}
	c := exec.Command(bin, "-c", conf)
	if err := c.Start(); err != nil {
		t.Skipf("no mosquitto: %v", err)
	}
	t.Cleanup(func() { _ = c.Process.Kill(); _ = c.Wait() })
	return port
}
