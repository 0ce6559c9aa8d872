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

// runFaults runs the agent's test that injects the faults of a device into
// kerb's sensor.
func runFaults() (any, error) {
	return runAgentTest("TestEveryFaultOfADevice", "KERB_VIDEO="+stablePath)
}

// runAgentTest runs one test of the agent and returns its output.
func runAgentTest(name string, env ...string) (string, error) {
	test := exec.Command("/agent.test", "-test.v", "-test.run", "^"+name+"$")
	test.Env = append(append(os.Environ(), "HOME=/", "PATH=/"), env...)
	if isLongRun() {
		test.Env = append(test.Env, "KERB_LONG=1")
	}
	out, err := test.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s", name, err, out)
	}
	return string(out), nil
}

// isLongRun reports whether each fault is to be repeated twenty times
// (kerb.long on the kernel's command line).
func isLongRun() bool {
	line, _ := os.ReadFile("/proc/cmdline")
	return strings.Contains(string(line), "kerb.long")
}

// restarted holds how long each restart took until the camera was open again
// and stayed open, s, and the resources of the remaining process before and
// after.
type restarted struct {
	Sense, All    []float64
	Before, After resources
}

// resources counts the resources that a process holds.
type resources struct{ Files, Threads, Children, Resident int } // Resident in KiB

// measureRestarts kills the sensing process several times, and then all of kerb
// run.
func measureRestarts() (any, error) {
	if err := useMotionDetector(); err != nil {
		return nil, err
	}
	a, err := startAgent()
	if err != nil {
		return nil, err
	}
	if _, err := a.waitStable(0); err != nil {
		return nil, err
	}
	again := func(kill func() error) (float64, error) {
		had, begun := a.countOpens(), time.Now()
		if err := kill(); err != nil {
			return 0, err
		}
		at, err := a.waitStable(had)
		return at.Sub(begun).Seconds(), err
	}
	var r restarted
	rounds := 2
	if isLongRun() {
		rounds = 20
	}
	for n := range rounds + 1 {
		took, err := again(func() error { return killSense(a.cmd.Process.Pid) })
		if err != nil {
			return nil, err
		}
		if n == 0 { // the first restart is not counted: it creates the state that the others start from
			r.Before = countResources(a.cmd.Process.Pid)
			continue
		}
		r.Sense = append(r.Sense, took)
	}
	r.After = countResources(a.cmd.Process.Pid)
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
	return r, a.stopAgent()
}

// killSense kills the sensing process of kerb run.
func killSense(parent int) error {
	pid, err := findSense(parent)
	if err != nil {
		return err
	}
	return unix.Kill(pid, unix.SIGKILL)
}

// findSense returns the sensing process of kerb run.
func findSense(parent int) (int, error) {
	for _, pid := range childPIDs(parent) {
		words, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if slices.Contains(strings.Split(string(words), "\x00"), "sense") {
			return pid, nil
		}
	}
	return 0, fmt.Errorf("no process below %d sees", parent)
}

// childPIDs returns the children of a process.
func childPIDs(parent int) (pids []int) {
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

// countResources reads a process's resources from /proc.
func countResources(pid int) (h resources) {
	files, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	h.Files, h.Children = len(files), len(childPIDs(pid))
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
