package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// faults are those of a device, done to kerb's sensor by the tests of the agent.
func faults() (any, error) {
	return tested("TestEveryFaultOfADevice", "KERB_VIDEO="+stable)
}

// tested runs one test of the agent and gives what it says.
func tested(name string, env ...string) (string, error) {
	test := exec.Command("/agent.test", "-test.v", "-test.run", "^"+name+"$")
	test.Env = append(append(os.Environ(), "HOME=/", "PATH=/"), env...)
	if long() {
		test.Env = append(test.Env, "KERB_LONG=1")
	}
	out, err := test.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s", name, err, out)
	}
	return string(out), nil
}

// long says that each fault is to happen twenty times.
func long() bool {
	line, _ := os.ReadFile("/proc/cmdline")
	return strings.Contains(string(line), "kerb.long")
}

// restarted is how long each restart took until the camera was open again and
// stayed so, s, and what the process that stays held before and after.
type restarted struct {
	Sense, All    []float64
	Before, After holding
}

// holding is what a process holds.
type holding struct{ Files, Threads, Children, Resident int } // Resident in kB

// restarts kills the process that sees, and then all of kerb run.
func restarts() (any, error) {
	if err := byMotion(); err != nil {
		return nil, err
	}
	a, err := startAgent()
	if err != nil {
		return nil, err
	}
	if _, err := a.stays(0); err != nil {
		return nil, err
	}
	again := func(kill func() error) (float64, error) {
		had, begun := a.opened(), time.Now()
		if err := kill(); err != nil {
			return 0, err
		}
		at, err := a.stays(had)
		return at.Sub(begun).Seconds(), err
	}
	var r restarted
	rounds := 2
	if long() {
		rounds = 20
	}
	for n := range rounds + 1 {
		took, err := again(func() error { return killSense(a.cmd.Process.Pid) })
		if err != nil {
			return nil, err
		}
		if n == 0 { // the first is not counted: it makes what the others find
			r.Before = held(a.cmd.Process.Pid)
			continue
		}
		r.Sense = append(r.Sense, took)
	}
	r.After = held(a.cmd.Process.Pid)
	for range rounds {
		took, err := again(func() error {
			_ = a.cmd.Process.Kill()
			_ = a.cmd.Wait()
			a, err = startAgent()
			return err
		})
		if err != nil {
			return nil, err
		}
		r.All = append(r.All, took)
	}
	return r, a.stop()
}

func killSense(parent int) error {
	pid, err := seeing(parent)
	if err != nil {
		return err
	}
	return unix.Kill(pid, unix.SIGKILL)
}

// seeing is the process of kerb run that sees.
func seeing(parent int) (int, error) {
	for _, pid := range children(parent) {
		words, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if slices.Contains(strings.Split(string(words), "\x00"), "sense") {
			return pid, nil
		}
	}
	return 0, fmt.Errorf("no process below %d sees", parent)
}

func children(parent int) (pids []int) {
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", parent))
	for _, path := range tasks {
		b, _ := os.ReadFile(path)
		for _, word := range strings.Fields(string(b)) {
			if pid, err := strconv.Atoi(word); err == nil {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

func held(pid int) (h holding) {
	files, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	h.Files, h.Children = len(files), len(children(pid))
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	for line := range strings.Lines(string(status)) {
		switch f := strings.Fields(line); f[0] {
		case "Threads:":
			h.Threads, _ = strconv.Atoi(f[1])
		case "VmRSS:":
			h.Resident, _ = strconv.Atoi(f[1])
		}
	}
	return h
}
