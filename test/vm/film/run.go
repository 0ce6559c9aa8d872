package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// agent is all of kerb run with the site.toml that kerb probe wrote.
type agent struct {
	cmd   *exec.Cmd
	words string // the file of what it says
}

func startAgent() (*agent, error) {
	a := &agent{exec.Command("/kerb", "run", "-site", "/site.toml", "-policy", "/policy.toml"), "/words"}
	words, err := os.OpenFile(a.words, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer words.Close()
	a.cmd.Stderr = words
	return a, a.cmd.Start()
}

// byMotion leaves the network out, which this machine of 250 million instructions
// a second plans for longer than all else takes.
func byMotion() error { return change("/site.toml", "fps = 10\n", "fps = 10\ndetector = \"motion\"\n") }

func (a *agent) said() string { b, _ := os.ReadFile(a.words); return string(b) }

// opened is how often the camera was opened.
func (a *agent) opened() int { return strings.Count(a.said(), "camera open") }

// open waits until the camera was opened so many times.
func (a *agent) open(times int, patience time.Duration) error {
	for end := time.Now().Add(patience); a.opened() < times; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			return fmt.Errorf("kerb run opens no camera:\n%s", a.said())
		}
	}
	return nil
}

// stays waits until the camera was opened once more than had times, and stays
// open for longer than kerb waits for a picture. It says when it was opened.
func (a *agent) stays(had int) (at time.Time, err error) {
	if err := a.open(had+1, time.Minute); err != nil {
		return at, err
	}
	at, n := time.Now(), a.opened()
	for time.Since(at) < 5*time.Second {
		time.Sleep(10 * time.Millisecond)
		if now := a.opened(); now > n {
			at, n = time.Now(), now
		}
	}
	return at, nil
}

// stop ends it as systemd does.
func (a *agent) stop() error {
	if err := a.cmd.Process.Signal(unix.SIGTERM); err != nil {
		return err
	}
	if err := a.cmd.Wait(); err != nil {
		return fmt.Errorf("kerb run: %w\n%s", err, a.said())
	}
	return nil
}

// ran is what was seen, and said.
type ran struct {
	Observed int
	Streams  []string
	Words    string
}

// spooled is what lies in the spool.
func (a *agent) spooled() (r ran, err error) {
	out, err := exec.Command("/kerb", "spool", "-json", "/var/lib/kerb/spool.db").Output()
	if err != nil {
		return r, fmt.Errorf("kerb spool: %w\n%s", err, a.said())
	}
	for line := range bytes.Lines(out) {
		var w struct {
			Window struct {
				Stream   string
				Observed int `json:"observed_s"`
			}
		}
		if err := json.Unmarshal(line, &w); err != nil {
			return r, err
		}
		r.Observed += w.Window.Observed
		r.Streams = append(r.Streams, w.Window.Stream)
	}
	r.Words = a.said()
	return r, nil
}

// counted runs for ten seconds. Nobody listens at the broker's address; what was
// seen is in the spool.
func counted() (any, error) {
	a, err := startAgent()
	if err != nil {
		return nil, err
	}
	if err := a.open(1, 2*time.Minute); err != nil {
		return nil, err
	}
	time.Sleep(10 * time.Second)
	if err := a.stop(); err != nil {
		return nil, err
	}
	return a.spooled()
}
