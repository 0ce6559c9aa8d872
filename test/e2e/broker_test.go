// Package e2e runs spool and wire against a real broker, mosquitto, on
// loopback: stopped, killed, restarted, refusing, slow.
package e2e

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// mosquitto is a broker of one test, on a port of its own.
type mosquitto struct {
	t    *testing.T
	dir  string
	port int
	cmd  *exec.Cmd
}

// startMosquitto skips the test where there is no mosquitto. more are lines of
// its configuration; without any it takes everybody.
func startMosquitto(t *testing.T, more ...string) *mosquitto {
	t.Helper()
	if len(more) == 0 {
		more = []string{"allow_anonymous true"}
	}
	bin, err := exec.LookPath("mosquitto")
	if err != nil {
		bin = "/usr/sbin/mosquitto"
		if _, err := os.Stat(bin); err != nil {
			t.Skip("no mosquitto: install the package mosquitto")
		}
	}
	b := &mosquitto{t: t, dir: t.TempDir(), port: freePort(t)}
	conf := fmt.Sprintf("user root\nmax_queued_messages 0\nlistener %d 127.0.0.1\n", b.port)
	for _, l := range more {
		conf += l + "\n"
	}
	if err := os.WriteFile(filepath.Join(b.dir, "conf"), []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	b.cmd = exec.Command(bin, "-c", filepath.Join(b.dir, "conf"))
	b.start()
	t.Cleanup(b.kill)
	return b
}

func (b *mosquitto) url() string { return fmt.Sprintf("mqtt://127.0.0.1:%d", b.port) }

func (b *mosquitto) start() {
	b.t.Helper()
	b.cmd = exec.Command(b.cmd.Path, b.cmd.Args[1:]...)
	if err := b.cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	for range 500 {
		if c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", b.port)); err == nil {
			c.Close()
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	b.t.Fatal("mosquitto does not listen")
}

func (b *mosquitto) kill() {
	_ = b.cmd.Process.Kill()
	_ = b.cmd.Wait()
}

// stop is an orderly end: mosquitto saves what it has, if it is to persist.
func (b *mosquitto) stop() {
	_ = b.cmd.Process.Signal(syscall.SIGTERM)
	_ = b.cmd.Wait()
}

// persistent are the lines that make an orderly end lose nothing.
func persistent(t *testing.T) []string {
	return []string{"allow_anonymous true", "persistence true", "persistence_location " + t.TempDir() + "/"}
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
