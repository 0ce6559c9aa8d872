package main

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"kerb/agent/admission"
	"kerb/agent/child"
	"kerb/agent/clock"
	"kerb/agent/demo"
)

// The cost of the walls: kerb run in its processes beside the same work in one process,
// with the same street, loops and broker at the same time. make walls-cost prints the
// table.
func TestWhatTheWallsCost(t *testing.T) {
	if os.Getenv("KERB_LONG") == "" {
		t.Skip("six minutes: KERB_LONG=1")
	}
	broker := startBrokerBeside(t)
	// Each has its own binary, because pages shared with this test would count half.
	dir := t.TempDir()
	kerb, self := filepath.Join(dir, "kerb"), filepath.Join(dir, "whole")
	for _, args := range [][]string{{"build", "-o", kerb}, {"test", "-c", "-o", self}} {
		cmd := exec.Command("go", append(args, "-trimpath", "-ldflags", "-s -w", ".")...)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("go %v: %v\n%s", args, err, out)
		}
	}
	for _, c := range []struct {
		name, site string
		processes  int
	}{{"a camera", costCamera, 3}, {"a camera and loops", costCamera + costLoops, 4}} {
		t.Run(c.name, func(t *testing.T) {
			apart := startTree(t, kerb, "run", costFiles(t, broker, "apart", c.site))
			whole := startTree(t, self, "whole", costFiles(t, broker, "whole", c.site))
			compareCost(t, apart, whole)
			if n := len(apart.processes(t)); n != c.processes {
				t.Errorf("kerb run is %d processes, not %d", n, c.processes)
			}
		})
	}
}

// compareCost prints processor time and memory of two process trees with the same work.
func compareCost(t *testing.T, apart, whole tree) {
	const settle, span, looks = 30 * time.Second, 150 * time.Second, 30
	time.Sleep(settle)
	first := [2]time.Duration{apart.processorTime(t), whole.processorTime(t)}
	var memory [2]int
	for range looks {
		time.Sleep(span / looks)
		memory[0], memory[1] = max(memory[0], apart.memory(t)), max(memory[1], whole.memory(t))
	}
	cpu := [2]time.Duration{apart.processorTime(t) - first[0], whole.processorTime(t) - first[1]}
	t.Logf("%-24s %10s %10s", "", "one", fmt.Sprintf("walls (%d)", len(apart.processes(t))))
	t.Logf("%-24s %7d kB %7d kB  %+.1f MB", "memory (PSS), highest", memory[1], memory[0], float64(memory[0]-memory[1])/1000)
	t.Logf("%-24s %10s %10s  %+.1f %%", "processor", cpu[1].Round(10*time.Millisecond), cpu[0].Round(10*time.Millisecond), 100*(float64(cpu[0])/float64(cpu[1])-1))
	for _, p := range slices.Concat(whole.processes(t), apart.processes(t)) {
		t.Logf("  %5d kB PSS, %5d kB of it its own  %5d kB RSS  %s", kilobytes(t, p, "smaps_rollup", "Pss:"),
			kilobytes(t, p, "smaps_rollup", "Pss_Anon:"), kilobytes(t, p, "status", "VmRSS:"), command(p))
	}
}

// runWhole runs an agent in one process, as kerb demo does, with the files of kerb run.
// TestWhatTheWallsCost compares kerb run with it.
func runWhole(args []string) error {
	f := admission.Files{Site: args[1], Policy: args[3]}
	site, v, err := loadOwn(f)
	if err != nil {
		return err
	}
	a, err := demo.NewAgent(site, v.Policy, "test", clock.Clock{Floor: time.Unix(0, 0)}, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	child.ShrinkHeap() // as the processes of kerb run are
	debug.FreeOSMemory()
	return a.Run(context.Background())
}

func costFiles(t *testing.T, broker, name, sensors string) []string {
	dir := t.TempDir()
	site, pol := filepath.Join(dir, "site.toml"), filepath.Join(dir, "policy.toml")
	device := fmt.Sprintf("[device]\ntenant = \"bench\"\nsite = \"walls\"\nname = %q\nstate = %q\n[broker]\nurl = %q\n", name, filepath.Join(dir, "state"), broker)
	for path, s := range map[string]string{site: device + sensors, pol: costPolicy} {
		if err := os.WriteFile(path, []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return []string{"-site", site, "-policy", pol}
}

const (
	costCamera = `
[[camera]]
name = "north"
source = "scene:busy?size=480x270&rate=15&seed=3"
[[camera.line]]
id = "kerb"
from = [0.05, 0.6]
to = [0.95, 0.6]
classes = ["person", "vehicle"]
`
	costLoops = `
[loop]
source = "street"
[[loop.line]]
name = "L1A"
[[loop.line]]
name = "L1B"
[[loop.lane]]
id = "pair"
loops = ["L1A", "L1B"]
spacing = 2.5
loop_length = 2.0
`
)

const costPolicy = `schema = "kerb.policy/1"
version = 1
title = "what walls cost"
purpose = "statistical"
count.streams = ["line", "loop"]
count.classes = ["person", "vehicle"]
camera.follow_max = "30s"
clear.window = "1m"
clear.method = "noise"
clear.epsilon = 1
clear.below = 0
clear.overlap = 1
keep.retention = "24h"
`

// A tree is a process and its descendants.
type tree struct{ root int }

func startTree(t *testing.T, program, command string, args []string) tree {
	t.Helper()
	cmd := exec.Command(program, append([]string{command}, args...)...)
	cmd.Env = append(os.Environ(), "KERB_COST=1")
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		time.AfterFunc(20*time.Second, func() { _ = cmd.Process.Kill() })
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("%s said:\n%s", command, said.String())
		}
	})
	return tree{cmd.Process.Pid}
}

// processes lists the process and its children; kerb has no grandchildren here.
func (r tree) processes(t *testing.T) []int {
	t.Helper()
	all := []int{r.root}
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", r.root))
	if err != nil || len(tasks) == 0 {
		t.Fatalf("process %d is gone: %v", r.root, err)
	}
	for _, f := range tasks {
		b, _ := os.ReadFile(f)
		for _, s := range strings.Fields(string(b)) {
			if p, err := strconv.Atoi(s); err == nil {
				all = append(all, p)
			}
		}
	}
	return all
}

// processorTime adds up the user and kernel time of all (proc_pid_stat(5), fields 14
// and 15).
func (r tree) processorTime(t *testing.T) (d time.Duration) {
	t.Helper()
	for _, p := range r.processes(t) {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p))
		if err != nil {
			t.Fatal(err)
		}
		f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
		for _, s := range f[11:13] {
			n, err := strconv.Atoi(s)
			if err != nil {
				t.Fatal(err)
			}
			d += time.Duration(n) * 10 * time.Millisecond // USER_HZ is 100
		}
	}
	return d
}

func (r tree) memory(t *testing.T) (kB int) {
	t.Helper()
	for _, p := range r.processes(t) {
		kB += kilobytes(t, p, "smaps_rollup", "Pss:")
	}
	return kB
}

func kilobytes(t *testing.T, pid int, file, key string) int {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, file))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == key {
			n, err := strconv.Atoi(f[1])
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatalf("/proc/%d/%s has no %s", pid, file, key)
	return 0
}

func command(pid int) string {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	words := strings.Split(string(b), "\x00")
	return filepath.Base(words[0]) + " " + strings.Join(words[1:min(3, len(words))], " ")
}

// startBrokerBeside starts mosquitto in a process of its own.
func startBrokerBeside(t *testing.T) string {
	t.Helper()
	bin, err := exec.LookPath("mosquitto")
	if err != nil {
		if bin, err = exec.LookPath("/usr/sbin/mosquitto"); err != nil {
			t.Skip("no mosquitto: install the package mosquitto")
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := l.Addr().String()
	_ = l.Close()
	cmd := exec.Command(bin, "-p", at[strings.LastIndexByte(at, ':')+1:])
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return "mqtt://" + at
}
