package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// The whole agent, as systemd would run it: a camera over HTTP, kerb run, and
// mosquitto; kerb and mosquitto are killed in turn. KERB_LONG gives it five
// minutes instead of the time for two windows.
func TestEverySequenceNumberArrivesWhileAgentAndBrokerAreKilledInTurn(t *testing.T) {
	if testing.Short() {
		t.Skip("short: its windows last a minute")
	}
	t.Parallel()
	m := startMosquitto(t)
	s := newSink(t, m.url())
	a := newAgent(t, m.url(), cameraServer(t))
	a.start()
	pause, end := 13*time.Second, time.Now().Add(95*time.Second)
	if os.Getenv("KERB_LONG") != "" {
		end = time.Now().Add(5 * time.Minute)
	}
	kills := 0
	for ; time.Now().Add(pause).Before(end); kills++ {
		time.Sleep(pause)
		if kills%2 == 0 {
			a.kill()
			a.start()
		} else {
			m.kill()
			time.Sleep(500 * time.Millisecond)
			m.start()
		}
	}
	time.Sleep(time.Until(end))
	a.stop()
	stored := a.stored()
	missing := 0
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		if missing = s.lacks(stored); missing == 0 || time.Now().After(end) {
			break
		}
	}
	if missing > 0 || len(stored) < 4 {
		t.Errorf("%d of %d stored windows did not arrive\n%s", missing, len(stored), a.log.String())
	}
	contiguous(t, stored)
	t.Logf("%d kills, %d windows stored, %s", kills, len(stored), s)
}

// A wrong password is found on the ladder, in one line.
func TestCheckSaysThatTheBrokerRefusesThePassword(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "users"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	m := startMosquitto(t, "allow_anonymous false", "password_file "+filepath.Join(dir, "users"))
	a := newAgent(t, m.url(), "scene:calm")
	out, err := exec.Command(a.bin, "check", "-connect", "-site", filepath.Join(a.dir, "site.toml"),
		"-policy", filepath.Join(a.dir, "policy.toml")).CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 || bytes.Count(out, []byte("\n")) != 1 || !bytes.Contains(out, []byte("refuses")) {
		t.Errorf("%v:\n%s", err, out)
	}
}

// agent is kerb run on a site of its own.
type agent struct {
	t   *testing.T
	dir string
	bin string
	env []string // beside the test's own
	cmd *exec.Cmd
	log logBuffer
}

const siteText = `
[device]
name = "pi-0a1b"
site = "high-street"
tenant = "camden"
state = "state"
clock_floor = "2020-01-01"
[broker]
url = %q
[[camera]]
name = "north"
source = %q
[[camera.line]]
id = "across"
from = [0.0, 0.5]
to = [1.0, 0.5]
classes = ["person", "vehicle"]
[[camera.line]]
id = "along"
from = [0.5, 0.0]
to = [0.5, 1.0]
classes = ["person", "vehicle"]
`

const policyText = `
schema = "kerb.policy/1"
version = 1
title = "test"
purpose = "statistical"
count.streams = ["line"]
count.classes = ["person", "vehicle"]
camera.follow_max = "60s"
clear.window = "1m"
clear.method = "noise"
clear.epsilon = 1
clear.below = 0
clear.overlap = 2
keep.retention = "24h"
`

// logBuffer collects the log of a process; it may be read while that runs.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *logBuffer) Reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.b.Reset()
}

func newAgent(t *testing.T, broker, camera string) *agent {
	t.Helper()
	a := &agent{t: t, dir: t.TempDir()}
	a.bin = filepath.Join(a.dir, "kerb")
	build := exec.Command("go", "build", "-o", a.bin, "kerb/agent")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build kerb: %v\n%s", err, out)
	}
	for name, text := range map[string]string{"site.toml": fmt.Sprintf(siteText, broker, camera), "policy.toml": policyText} {
		if err := os.WriteFile(filepath.Join(a.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(a.kill)
	return a
}

func (a *agent) start() {
	a.t.Helper()
	a.cmd = exec.Command(a.bin, "run", "-site", filepath.Join(a.dir, "site.toml"), "-policy", filepath.Join(a.dir, "policy.toml"))
	a.cmd.Stderr, a.cmd.Env = &a.log, append(os.Environ(), a.env...)
	if err := a.cmd.Start(); err != nil {
		a.t.Fatal(err)
	}
}

func (a *agent) kill() {
	if a.cmd != nil {
		_ = a.cmd.Process.Kill()
		_ = a.cmd.Wait()
		a.cmd = nil
	}
}

// stop ends it as systemd does. It must exit 0 within ten seconds.
func (a *agent) stop() {
	a.t.Helper()
	_ = a.cmd.Process.Signal(os.Interrupt)
	overdue := time.AfterFunc(10*time.Second, func() { _ = a.cmd.Process.Kill() })
	if err := a.cmd.Wait(); !overdue.Stop() || err != nil {
		a.t.Errorf("stopping: %v\n%s", err, a.log.String())
	}
	a.cmd = nil
}

// stored is what the spool holds, in its order.
func (a *agent) stored() (keys []window) {
	a.t.Helper()
	out, err := exec.Command(a.bin, "spool", "-json", filepath.Join(a.dir, "state", "spool.db")).Output()
	if err != nil {
		a.t.Fatalf("kerb spool: %v", err)
	}
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		var w struct{ Window window }
		if err := json.Unmarshal(lines.Bytes(), &w); err != nil {
			a.t.Fatalf("%s: %v", lines.Text(), err)
		}
		keys = append(keys, w.Window)
	}
	return keys
}

// lacks is how many of the windows have not arrived.
func (s *sink) lacks(keys []window) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range keys {
		if _, ok := s.seen[k]; !ok {
			n++
		}
	}
	return n
}

// contiguous checks that the numbers of every stream are 1, 2, 3….
func contiguous(t *testing.T, keys []window) {
	t.Helper()
	last := map[string]uint64{}
	for _, k := range keys {
		if k.Seq != last[k.Epoch+k.Stream]+1 {
			t.Errorf("stream %s: %d follows %d", k.Stream, k.Seq, last[k.Epoch+k.Stream])
		}
		last[k.Epoch+k.Stream] = k.Seq
	}
}

// cameraServer plays a real clip in a loop as multipart/x-mixed-replace, or,
// where there is no footage, a drawn box that moves.
func cameraServer(t *testing.T) string {
	t.Helper()
	srv := httptest.NewServer(player(t))
	t.Cleanup(func() {
		srv.CloseClientConnections()
		srv.Close()
	})
	return srv.URL + "/mjpeg"
}

func player(t *testing.T) http.Handler {
	t.Helper()
	pictures := clipPictures(t)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "multipart/x-mixed-replace; boundary=frame")
		for i := 0; ; i++ {
			p := pictures[i%len(pictures)]
			if _, err := fmt.Fprintf(w, "--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%s\r\n", len(p), p); err != nil {
				return
			}
			w.(http.Flusher).Flush()
			select {
			case <-time.After(100 * time.Millisecond):
			case <-r.Context().Done():
				return
			}
		}
	})
}

func clipPictures(t *testing.T) [][]byte {
	t.Helper()
	shared := os.Getenv("KERB_SHARED")
	if shared == "" {
		shared = "../../../shared"
	}
	avi, err := os.ReadFile(filepath.Join(shared, "footage", "pets_s2l1.avi"))
	if err != nil {
		t.Logf("no footage (%v): a drawn box stands in for it", err)
		return drawn(t)
	}
	var ps [][]byte
	for {
		i := bytes.Index(avi, []byte("\xff\xd8\xff"))
		if i < 0 {
			return ps
		}
		avi = avi[i:]
		j := bytes.Index(avi, []byte("\xff\xd9"))
		if j < 0 {
			return ps
		}
		ps, avi = append(ps, avi[:j+2]), avi[j+2:]
	}
}

func drawn(t *testing.T) (ps [][]byte) {
	t.Helper()
	for n := range 60 {
		m := image.NewGray(image.Rect(0, 0, 320, 240))
		for i := range m.Pix {
			x, y := i%320, i/320
			m.SetGray(x, y, color.Gray{Y: uint8(90 + (x*7+y*13)%11)})
			if x > 5*n && x < 5*n+50 && y > 100 && y < 140 {
				m.SetGray(x, y, color.Gray{Y: 220})
			}
		}
		var b strings.Builder
		if err := jpeg.Encode(&b, m, nil); err != nil {
			t.Fatal(err)
		}
		ps = append(ps, []byte(b.String()))
	}
	return ps
}
