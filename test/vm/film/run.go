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

// agentRun is all of kerb run with the site.toml that kerb probe wrote.
type agentRun struct {
	cmd     *exec.Cmd
	logPath string // file of its stderr
}

// startAgent starts kerb run, with its log in a file.
func startAgent() (*agentRun, error) {
	a := &agentRun{exec.Command("/kerb", "run", "-site", "/site.toml", "-policy", "/policy.toml"), "/words"}
	words, err := os.OpenFile(a.logPath, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer words.Close()
	a.cmd.Stderr = words
	return a, a.cmd.Start()
}

// useMotionDetector selects the motion detector. Each multiply-add of the neural
// network is computed in software by this machine and takes a hundred times its
// share of the machine's clock: one picture takes minutes of real time.
func useMotionDetector() error {
	return replaceText("/site.toml", "fps = 10\n", "fps = 10\ndetector = \"motion\"\n")
}

// logText returns the log so far.
func (a *agentRun) logText() string { b, _ := os.ReadFile(a.logPath); return string(b) }

// countOpens returns how often the camera was opened.
func (a *agentRun) countOpens() int { return strings.Count(a.logText(), "camera open") }

// waitOpens waits until the camera was opened so many times.
func (a *agentRun) waitOpens(times int, patience time.Duration) error {
	for end := time.Now().Add(patience); a.countOpens() < times; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			return fmt.Errorf("kerb run opens no camera:\n%s", a.logText())
		}
	}
	return nil
}

// waitStable waits until the camera was opened once more than had times and
// stays open for 5 s, longer than kerb waits for a picture. It returns the time
// of that opening.
func (a *agentRun) waitStable(had int) (at time.Time, err error) {
	if err := a.waitOpens(had+1, time.Minute); err != nil {
		return at, err
	}
	at, n := time.Now(), a.countOpens()
	for time.Since(at) < 5*time.Second {
		time.Sleep(10 * time.Millisecond)
		if now := a.countOpens(); now > n {
			at, n = time.Now(), now
		}
	}
	return at, nil
}

// stopAgent stops kerb run with SIGTERM, as systemd does.
func (a *agentRun) stopAgent() error {
	if err := a.cmd.Process.Signal(unix.SIGTERM); err != nil {
		return err
	}
	if err := a.cmd.Wait(); err != nil {
		return fmt.Errorf("kerb run: %w\n%s", err, a.logText())
	}
	return nil
}

// runResult holds the spool and the log of one run.
type runResult struct {
	Observed int
	Streams  []string
	Words    string
}

// readSpool sums up the windows in the spool.
func (a *agentRun) readSpool() (r runResult, err error) {
	out, err := exec.Command("/kerb", "spool", "-json", "/var/lib/kerb/spool.db").Output()
	if err != nil {
		return r, fmt.Errorf("kerb spool: %w\n%s", err, a.logText())
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
	r.Words = a.logText()
	return r, nil
}

// runCounted runs kerb for ten seconds. No broker answers at its address, so
// the windows stay in the spool.
func runCounted() (any, error) {
	if err := useMotionDetector(); err != nil {
		return nil, err
	}
	a, err := startAgent()
	if err != nil {
		return nil, err
	}
	if err := a.waitOpens(1, 2*time.Minute); err != nil {
		return nil, err
	}
	time.Sleep(10 * time.Second)
	if err := a.stopAgent(); err != nil {
		return nil, err
	}
	return a.readSpool()
}
