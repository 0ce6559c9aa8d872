package e2e

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"kerb/agent/config"
	"kerb/agent/proof"
	"kerb/agent/report"
	"kerb/configs/configstest"
)

// patience is how long a test waits for what comes at once on an idle machine.
const patience = 3 * time.Minute

// ask runs kerb WORD on the agent's files and returns the exit status.
func (a *agent) ask(words ...string) (out string, rc int) {
	a.t.Helper()
	cmd := exec.Command(a.bin, append(words, "-site", filepath.Join(a.dir, "site.toml"))...)
	var text, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &text, &said
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		return text.String() + said.String(), exit.ExitCode()
	case err != nil:
		a.t.Fatal(err)
	}
	return text.String(), 0
}

// await asks kerb status until it has a line with all words.
func (a *agent) await(words ...string) {
	a.t.Helper()
	out := ""
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		if out, _ = a.ask("status"); hasLine(out, words...) {
			return
		}
	}
	a.t.Fatalf("no line with %q in %s:\n%s\nlog:\n%s", words, patience, out, a.log.String())
}

// kerb status beside a running agent: well at first, then without its camera, then
// without its broker. kerb spool works all the while.
func TestStatusTellsWhatTheRunningAgentDoes(t *testing.T) {
	t.Parallel()
	m := startMosquitto(t)
	camera := newSwitchedCamera(t)
	a := newAgent(t, m.url(), camera.url)
	out, rc := a.ask("status", "-policy", filepath.Join(a.dir, "policy.toml"))
	if rc != 1 || !hasLine(out, "kerb", "does not run", "systemctl start kerb") {
		t.Errorf("before the start: rc %d\n%s", rc, out)
	}
	site := &config.Site{Device: config.Device{State: filepath.Join(a.dir, "state")}}
	if r := report.LookAtRunning(t.Context(), site); r.Verdict != proof.VerdictUnseen || r.Why == "" {
		t.Errorf("before the start: %+v", r)
	}
	a.start()
	a.await("broker", "delivery proven")
	a.await("camera  north", "pictures/s", "view well")
	a.await("device", "camden/high-street/pi-0a1b", "policy test, version 1")
	if out, rc := a.ask("status"); rc != 0 {
		t.Errorf("all is well: rc %d\n%s", rc, out)
	}
	if r := report.LookAtRunning(t.Context(), site); r.Verdict != proof.VerdictOK || len(r.Processes) != 3 || len(r.Reported) != 3 || r.Reported[2].Name != "sense north" || r.Reported[2].Hold < 20 {
		t.Errorf("the walls of the running processes: %+v", r)
	}
	text, _ := a.ask("status", "-json")
	if err := configstest.Validate(t, "status", []byte(text)); err != nil {
		t.Errorf("%v\n%s", err, text)
	}
	for end := time.Now().Add(patience); ; time.Sleep(time.Second) { // the window of a minute
		if out, _ := a.ask("status"); hasLine(out, "window", "across", "person a→b") {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("no window in %s\n%s", patience, a.log.String())
		}
	}
	if out, rc := a.ask("spool"); rc != 0 || !hasLine(out, "across", "person a→b") || !hasLine(out, "kerb runs", "0 not delivered") {
		t.Errorf("spool: rc %d\n%s", rc, out)
	}
	text, rc = a.ask("spool", "-csv")
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if rc != 0 || err != nil || len(rows) < 5 {
		t.Errorf("spool -csv: rc %d, %v\n%s", rc, err, text)
	}
	text, _ = a.ask("spool", "-json")
	var line struct{ Window json.RawMessage }
	if err := json.NewDecoder(strings.NewReader(text)).Decode(&line); err != nil {
		t.Errorf("spool -json: %v", err)
	} else if err := configstest.Validate(t, "count", line.Window); err != nil {
		t.Error(err)
	}
	if out, rc := a.ask("run", "-policy", filepath.Join(a.dir, "policy.toml")); rc != 1 || strings.Count(out, "\n") != 1 ||
		!hasLine(out, "another kerb run", fmt.Sprintf("process %d", a.cmd.Process.Pid), "systemctl stop kerb") {
		t.Errorf("a second kerb run: rc %d\n%s", rc, out)
	}
	if out, rc := a.ask("probe"); rc != 0 || !hasLine(out, "camera", "north", "kerb run has it", "pictures/s") {
		t.Errorf("probe beside it: rc %d\n%s", rc, out)
	}
	camera.cut()
	a.await("camera  north", "LOST", "connection refused", "→")
	m.kill()
	a.await("broker", "not connected", "→ is the broker running")
	if _, rc := a.ask("status"); rc != 1 {
		t.Errorf("without camera and broker: rc %d", rc)
	}
	if n := strings.Count(a.log.String(), "\n"); n > 40 {
		t.Errorf("%d log lines:\n%s", n, a.log.String())
	}
	if !strings.Contains(a.log.String(), "all processes run; waiting for camera north, broker") && !strings.Contains(a.log.String(), "all processes run") {
		t.Errorf("the start is not logged:\n%s", a.log.String())
	}
}

// A camera that refuses each connection is asked twenty-five times: the log tells it a
// few times. With KERB_LONG it is away for ten minutes.
func TestALostCameraDoesNotFillTheLog(t *testing.T) {
	t.Parallel()
	m := startMosquitto(t)
	camera := newSwitchedCamera(t)
	camera.breaking.Store(true)
	a := newAgent(t, m.url(), camera.url)
	a.start()
	begun := time.Now()
	long := os.Getenv("KERB_LONG") != ""
	for end := begun.Add(patience + 10*time.Minute); camera.asked.Load() < 25 || long && time.Since(begun) < 10*time.Minute; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the camera was asked %d times", camera.asked.Load())
		}
	}
	log := a.log.String()
	lost := 0
	for l := range strings.Lines(log) {
		if strings.Contains(l, "camera=north") {
			lost++
		}
	}
	if lost < 1 || lost > 12 {
		t.Errorf("%d lines about the camera in %s, asked %d times:\n%s", lost, time.Since(begun).Round(time.Second), camera.asked.Load(), log)
	}
	t.Logf("%d lines about the camera, %d in all, in %s, asked %d times", lost, strings.Count(log, "\n"), time.Since(begun).Round(time.Second), camera.asked.Load())
}

// A device on which everything is wrong: each is one line with what to do, and one
// warning in the log. It needs root, who may mount.
func TestEveryTroubleOfTheDeviceIsOneLine(t *testing.T) {
	t.Parallel()
	a := newAgent(t, "mqtt://127.0.0.1:1", "/dev/video-that-is-not-there")
	site := filepath.Join(a.dir, "site.toml")
	text, err := os.ReadFile(site)
	if err != nil {
		t.Fatal(err)
	}
	text = bytes.Replace(text, []byte("clock_floor = \"2020-01-01\"\n"), nil, 1)
	text = bytes.Replace(text, []byte("[[camera]]"), []byte("user = \"pole\"\npassword_file = \"word\"\n[[camera]]"), 1)
	stateDir := filepath.Join(a.dir, "state")
	word := filepath.Join(a.dir, "word")
	if err := errors.Join(os.WriteFile(site, text, 0o600), os.WriteFile(word, []byte("x"), 0o600), os.Chmod(word, 0o644), os.Mkdir(stateDir, 0o700)); err != nil {
		t.Fatal(err)
	}
	full := true
	if err := syscall.Mount("tmpfs", stateDir, "tmpfs", 0, "size=1m"); err != nil {
		t.Logf("the disk is not full: %v", err)
		full = false
	} else {
		t.Cleanup(func() { _ = syscall.Unmount(stateDir, syscall.MNT_DETACH) })
	}
	a.start()
	a.await("camera  north", "LOST", "no such file or directory", "→ plug it in")
	a.await("broker", "not connected", "connection refused", "→ is the broker running")
	want := []string{"every user of this machine may read a secret: chmod 0640 " + word}
	if full {
		a.await("disk", "FULL", "→ make room")
		want = append(want, "the disk is full")
	}
	if out, _ := a.ask("status"); !hasLine(out, "clock", "believed: ntp") {
		a.await("clock", "not believed", "→ let port 123 through")
		want = append(want, "the clock is not believed")
	}
	for _, w := range want {
		for end := time.Now().Add(patience); !strings.Contains(a.log.String(), w) && time.Now().Before(end); {
			time.Sleep(100 * time.Millisecond)
		}
		if n := strings.Count(a.log.String(), w); n != 1 {
			t.Errorf("logged %d times: %s\n%s", n, w, a.log.String())
		}
	}
}

// users starts an agent as root, in a mount namespace in which there is a group kerb,
// and asks it as others.
const users = `set -e
cp /etc/group group; echo "kerb:x:54321:" >>group; mount --bind group /etc/group
chmod 755 . kerb; chmod 644 site.toml policy.toml
./kerb run -quiet -site site.toml -policy policy.toml & pid=$!
for i in $(seq 900); do if ./kerb status -site site.toml >said; then break; fi; sleep 0.2; done
say() { echo "$1: $2"; }
as() { name=$1; shift; rc=0; setpriv "$@" ./kerb status -site site.toml >out 2>&1 || rc=$?; say "$name" "rc $rc $(tail -n 1 out)"; }
as root --reuid=0
as group --reuid=65534 --regid=54321 --clear-groups
as member --reuid=65534 --regid=65534 --groups=54321
as other --reuid=65534 --regid=65534 --clear-groups
rc=0; setpriv --reuid=65534 --regid=65534 --clear-groups ls state >out 2>&1 || rc=$?; say files "rc $rc"
rc=0; setpriv --reuid=65534 --regid=54321 --clear-groups cat state/spool.db >out 2>&1 || rc=$?; say spool "rc $rc"
kill $pid; wait $pid || true
`

// service starts an agent as kerb.service does: as the user kerb, with the state
// directory below /var/lib/private and the socket in the directory that systemd makes.
const service = `set -e
cp /etc/group group; echo "kerb:x:54321:" >>group; mount --bind group /etc/group
cp /etc/passwd passwd; echo "kerb:x:54321:54321::/:/bin/false" >>passwd; mount --bind passwd /etc/passwd
mount -t tmpfs tmpfs /var/lib; mount -t tmpfs tmpfs /run
mkdir -m 700 /var/lib/private /var/lib/private/kerb; ln -s private/kerb /var/lib/kerb; mkdir -m 750 /run/kerb
chown 54321:54321 /var/lib/private/kerb /run/kerb
chmod 755 . kerb; chmod 644 policy.toml; sed -i '/^state = /d' site.toml; chmod 644 site.toml
umask 077
# In the service's own mount namespace the way to its state directory is open.
RUNTIME_DIRECTORY=/run/kerb unshare --mount bash -c '
	mkdir /run/hold; mount --bind /var/lib/private/kerb /run/hold
	mount -t tmpfs -o mode=755 tmpfs /var/lib/private; mkdir /var/lib/private/kerb; mount --move /run/hold /var/lib/private/kerb
	exec setpriv --reuid=54321 --regid=54321 --clear-groups ./kerb run -quiet -site site.toml -policy policy.toml' & pid=$!
for i in $(seq 900); do if ./kerb status -site site.toml >said; then break; fi; sleep 0.2; done
as() { name=$1; shift; rc=0; setpriv "$@" ./kerb status -site site.toml >/run/out 2>&1 || rc=$?; echo "$name: rc $rc $(tail -n 1 /run/out)"; }
as root --reuid=0
as kerb --reuid=54321 --regid=54321 --clear-groups
as member --reuid=65534 --regid=65534 --groups=54321
as other --reuid=65534 --regid=65534 --clear-groups
rc=0; setpriv --reuid=65534 --regid=54321 --clear-groups ./kerb spool -site site.toml >/run/out 2>&1 || rc=$?; echo "spool: rc $rc $(tail -n 1 /run/out)"
kill $pid; wait $pid || true
as "stopped, root" --reuid=0
as "stopped, member" --reuid=65534 --regid=65534 --groups=54321
as "stopped, other" --reuid=65534 --regid=65534 --clear-groups
`

func TestRootTheGroupAndNobodyElseMayAsk(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		script string
		want   []string
	}{
		"by hand, as root": {users, []string{
			"root: rc 0", "group: rc 0", "member: rc 0", "other: rc 1 kerb: only root, the user kerb and the group kerb may ask", "usermod -aG kerb",
			"files: rc 2", "spool: rc 1",
		}},
		"as a service": {service, []string{
			"root: rc 0", "kerb: rc 0", "member: rc 0", "other: rc 1 kerb: only root, the user kerb and the group kerb may ask", "spool: rc 0 kerb runs",
			"stopped, root: rc 1", "stopped, member: rc 1", "stopped, other: rc 1 kerb: only root",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out := askAsUsers(t, c.script)
			for _, want := range c.want {
				if !strings.Contains(out, want) {
					t.Errorf("not so: %s\n%s", want, out)
				}
			}
		})
	}
}

// askAsUsers runs a script beside a binary and two files that every user may read.
func askAsUsers(t *testing.T, script string) string {
	t.Helper()
	if out, err := exec.Command("unshare", "--mount", "true").CombinedOutput(); err != nil {
		t.Skipf("no mount namespace of one's own here: %s", out)
	}
	m := startMosquitto(t)
	a := newAgent(t, m.url(), "scene:calm")
	dir, err := os.MkdirTemp("", "kerb-users-") // other users may not enter t.TempDir
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	for _, f := range []string{"kerb", "site.toml", "policy.toml"} {
		b, err := os.ReadFile(filepath.Join(a.dir, f))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, f), b, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("unshare", "--mount", "bash", "-c", script)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}

// secretWords are the passwords of the device whose report is searched.
const brokerWord, cameraWord = "swordfish-broker-99", "swordfish-camera-77"

// A report of a running agent that looks at marked pictures: it holds its log and its
// walls, and neither a password nor a byte of a picture.
func TestAReportHoldsNoSecretAndNoPicture(t *testing.T) {
	t.Parallel()
	m := startMosquitto(t)
	camera := newSwitchedCamera(t)
	camera.mark()
	a := newAgent(t, m.url(), strings.Replace(camera.url, "?", "?token=tok-31337&", 1))
	site := filepath.Join(a.dir, "site.toml")
	text, err := os.ReadFile(site)
	if err != nil {
		t.Fatal(err)
	}
	text = bytes.Replace(text, []byte("[[camera]]\n"), []byte("user = \"pole\"\npassword_file = \"broker-word\"\n[[camera]]\nuser = \"viewer\"\npassword_file = \"camera-word\"\n"), 1)
	for name, b := range map[string]string{"site.toml": string(text), "broker-word": brokerWord, "camera-word": cameraWord} {
		if err := os.WriteFile(filepath.Join(a.dir, name), []byte(b), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	a.start()
	a.await("camera  north", "pictures/s")
	bundle := filepath.Join(a.dir, "bundle.tar.gz")
	said, rc := a.ask("report", bundle, "-policy", filepath.Join(a.dir, "policy.toml"))
	if rc != 0 {
		t.Fatalf("rc %d\n%s", rc, said)
	}
	out, err := exec.Command("tar", "xzf", bundle, "-O").Output()
	if err != nil {
		t.Fatal(err)
	}
	list, err := exec.Command("tar", "tzf", bundle).Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []string{"README.txt", "version.txt", "status.json", "site.toml", "policy.toml", "check.txt", "device.json", "log.txt"} {
		if !hasLine(string(list), f) {
			t.Errorf("no %s in\n%s", f, list)
		}
	}
	for _, want := range []string{"all processes run", `"walls"`, "both files fit", `"pictures_per_s"`, "camera open", "name = \"pi-0a1b\""} {
		if !strings.Contains(string(out), want) {
			t.Errorf("not in it: %s\n%s", want, out)
		}
	}
	for _, secret := range []string{brokerWord, cameraWord, "tok-31337", "Y2FtZXJhLTc3"} {
		if strings.Contains(string(out), secret) {
			t.Errorf("in it: %s\n%s", secret, out)
		}
	}
	if forms := camera.marked.FindForms(out); len(forms) > 0 {
		t.Errorf("a picture is in it: %v", forms)
	}
	jpeg, err := camera.marked.EncodeJPEG(0)
	if err != nil {
		t.Fatal(err)
	}
	if forms := camera.marked.FindForms(append(bytes.Clone(out), fmt.Appendf(nil, "%x", jpeg)...)); len(forms) == 0 {
		t.Error("control: a planted picture is not found")
	}
}
