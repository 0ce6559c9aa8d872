package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const cagedSite = `
[device]
name = "cab"
site = "vm"
tenant = "test"
state = "/state"
clock_floor = "2020-01-01"
[broker]
url = "mqtt://127.0.0.1:1883"
[loop]
source = "gpio"
[[loop.line]]
name = "L1"
gpio = "GPIO22"
[[loop.lane]]
id = "left"
loops = ["L1"]
`

const cagedPolicy = `
schema = "kerb.policy/1"
version = 1
title = "test"
purpose = "statistical"
count.streams = ["loop"]
count.classes = ["vehicle"]
clear.window = "1m"
clear.method = "noise"
clear.epsilon = 1
clear.below = 0
keep.retention = "24h"
`

// cagedResult holds the log and the counts of kerb run.
type cagedResult struct {
	Driven, Counted int
	Words           string
}

// runCaged runs all of kerb run on the simulated contacts, its sensing process
// inside its walls. No broker answers at its address, so the counts are read
// from the spool.
func runCaged(s *simChip) (any, error) {
	for path, text := range map[string]string{"/site.toml": cagedSite, "/policy.toml": cagedPolicy} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	words, err := os.Create("/words")
	if err != nil {
		return nil, err
	}
	defer words.Close()
	kerb := exec.Command("/kerb", "run", "-site", "/site.toml", "-policy", "/policy.toml")
	kerb.Stderr = words
	if err := kerb.Start(); err != nil {
		return nil, err
	}
	r := cagedResult{Driven: 60}
	said := func() string { b, _ := os.ReadFile("/words"); return string(b) }
	for end := time.Now().Add(2 * time.Minute); !strings.Contains(said(), "msg=counting"); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			_ = kerb.Process.Kill()
			return nil, fmt.Errorf("kerb run does not count:\n%s", said())
		}
	}
	time.Sleep(time.Second)
	for i := range r.Driven {
		// Vehicles of many lengths: equal on-times would be those of a pulse card.
		if err := errors.Join(s.setContact(2, true), sleepMS(200+40*(i%6)), s.setContact(2, false), sleepMS(300)); err != nil {
			return nil, err
		}
	}
	time.Sleep(65 * time.Second)
	if err := kerb.Process.Signal(unix.SIGTERM); err != nil {
		return nil, err
	}
	err = kerb.Wait()
	r.Words = said()
	if err != nil {
		return nil, fmt.Errorf("kerb run: %w\n%s", err, r.Words)
	}
	out, err := exec.Command("/kerb", "spool", "-json", "/state/spool.db").Output()
	if err != nil {
		return nil, fmt.Errorf("kerb spool: %w", err)
	}
	for line := range bytes.Lines(out) {
		var w struct {
			Window struct {
				Counts []struct{ N int }
			}
		}
		if err := json.Unmarshal(line, &w); err != nil {
			return nil, err
		}
		for _, c := range w.Window.Counts {
			r.Counted += c.N
		}
	}
	return r, nil
}

// sleepMS sleeps and returns nil, for use in a list of steps.
func sleepMS(ms int) error {
	time.Sleep(time.Duration(ms) * time.Millisecond)
	return nil
}
