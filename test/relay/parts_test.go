package relay

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"kerb/agent/relay"
)

// patience is the longest wait for an event, on a machine that is loaded.
const patience = 3 * time.Minute

// The roles of this test binary, by the environment: a process of devices, and a relay.
const (
	fleetRole = "KERB_TEST_FLEET"
	relayRole = "KERB_TEST_RELAY"
)

func TestMain(m *testing.M) {
	if os.Getenv(fleetRole) == "" && os.Getenv(relayRole) == "" {
		os.Exit(m.Run()) // SIGTERM ends it; its processes end with it (PR_SET_PDEATHSIG)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	var err error
	switch {
	case os.Getenv(fleetRole) != "":
		var o fleetOpts
		if err = json.Unmarshal([]byte(os.Getenv(fleetRole)), &o); err == nil {
			err = runFleet(ctx, o)
		}
	case os.Getenv(relayRole) != "":
		var o relay.Opts
		if err = json.Unmarshal([]byte(os.Getenv(relayRole)), &o); err == nil {
			o.Keep = 100 * 365 * 24 * time.Hour // the virtual day gets old
			o.Log = slog.New(slog.NewTextHandler(os.Stderr, nil))
			err = relay.Run(ctx, o)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// process is a part of the test that is killed and started again.
type process struct {
	t    *testing.T
	make func() *exec.Cmd
	cmd  *exec.Cmd
	said bytes.Buffer
}

// startProcess starts a program, and kills it at the end of the test.
func startProcess(t *testing.T, make func() *exec.Cmd) *process {
	t.Helper()
	p := &process{t: t, make: make}
	p.start()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("%s said:\n%s", filepath.Base(p.cmd.Path), p.said.String())
		}
	})
	return p
}

func (p *process) start() {
	p.t.Helper()
	p.cmd = p.make()
	p.cmd.Stderr = &p.said
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
}

// kill ends the process by SIGKILL.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}

// stop ends the process by SIGTERM.
func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	if err := p.cmd.Wait(); err != nil {
		p.t.Errorf("%v\n%s", err, p.said.String())
	}
}

// role makes a process of this binary.
func role(name string, opts any) func() *exec.Cmd {
	b, err := json.Marshal(opts)
	if err != nil {
		panic(err)
	}
	return func() *exec.Cmd {
		c := exec.Command(os.Args[0])
		c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		c.Env = append(os.Environ(), name+"="+string(b))
		return c
	}
}

// broker is a mosquitto on loopback. A killed one forgets its sessions: it keeps nothing
// on disk.
type broker struct {
	*process
	url string
}

func startBroker(t *testing.T) *broker {
	t.Helper()
	bin, err := exec.LookPath("mosquitto")
	if err != nil {
		bin = "/usr/sbin/mosquitto"
	}
	if _, err := os.Stat(bin); err != nil {
		t.Skip("no mosquitto: install the package mosquitto")
	}
	port := freePort(t)
	conf := filepath.Join(t.TempDir(), "conf")
	if err := os.WriteFile(conf, fmt.Appendf(nil, "user root\nlistener %d 127.0.0.1\nallow_anonymous true\nmax_queued_messages 100000\n", port), 0o600); err != nil {
		t.Fatal(err)
	}
	b := &broker{startProcess(t, func() *exec.Cmd { return exec.Command(bin, "-c", conf) }), fmt.Sprintf("mqtt://127.0.0.1:%d", port)}
	waitFor(t, "mosquitto", func() bool { return canConnect(port) })
	return b
}

func canConnect(port int) bool {
	c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err == nil {
		c.Close()
	}
	return err == nil
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// waitFor waits until ok, and fails the test after patience.
func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not after %s", what, patience)
		}
	}
}

// released is a window as its device released it.
type released struct {
	Tenant, Site, Device, Stream, Epoch string
	Seq                                 uint64
	Start                               time.Time
	Quality, Reason                     string
	Counts                              []struct {
		Class, Dir string
		N          *int64
	}
}

// key is the key of a window, as the database has it.
func (w released) key() string {
	return fmt.Sprintf("%s/%s/%s|%s|%s|%d", w.Tenant, w.Site, w.Device, w.Stream, w.Epoch, w.Seq)
}

// readReleases returns the windows that the devices below dir released, by key.
func readReleases(t *testing.T, dir string) map[string]released {
	t.Helper()
	all := map[string]released{}
	files, _ := filepath.Glob(filepath.Join(dir, "*", "truth"))
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for l := range strings.Lines(string(b)) {
			var w released
			if json.Unmarshal([]byte(l), &w) == nil && w.Seq > 0 {
				all[w.key()] = w
			}
		}
	}
	return all
}

// countReleases returns how many windows the devices below dir released so far.
func countReleases(dir string) (n int) {
	files, _ := filepath.Glob(filepath.Join(dir, "*", "truth"))
	for _, f := range files {
		b, _ := os.ReadFile(f)
		n += bytes.Count(b, []byte("\n"))
	}
	return n
}

// readCSV returns the rows of all files of the plain CSV below dir, by column.
func readCSV(t *testing.T, pattern string) (rows []map[string]string) {
	t.Helper()
	files, _ := filepath.Glob(pattern)
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		lines, err := csv.NewReader(bytes.NewReader(b)).ReadAll()
		if err != nil {
			t.Fatalf("%s: %v", f, err)
		}
		for _, l := range lines[1:] {
			r := map[string]string{}
			for i, v := range l {
				r[lines[0][i]] = v
			}
			rows = append(rows, r)
		}
	}
	return rows
}
