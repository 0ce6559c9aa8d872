package vm

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// machine is a virtual one.
type machine struct {
	qemu    string
	args    []string
	kernel  string // its file's name
	console string
	limit   time.Duration
}

var (
	// Guest time is counted in instructions and skips idleness (-icount), so the
	// test neither waits for the street nor depends on what else this machine
	// does.
	loops = machine{
		qemu: "qemu-system-x86_64", args: []string{"-accel", "tcg", "-icount", "shift=2,sleep=off", "-cpu", "max", "-machine", "q35", "-m", "384"},
		kernel: "vmlinuz", console: "ttyS0", limit: 20 * time.Minute,
	}
	pc = machine{
		qemu: "qemu-system-x86_64", args: []string{"-accel", "tcg,thread=multi", "-smp", "2", "-cpu", "max", "-machine", "q35", "-m", "768"},
		kernel: "vmlinuz", console: "ttyS0", limit: 30 * time.Minute,
	}
	arm = machine{
		qemu: "qemu-system-aarch64", args: []string{"-accel", "tcg,thread=multi", "-smp", "2", "-cpu", "cortex-a72", "-machine", "virt", "-m", "768"},
		kernel: "vmlinuz-arm64", console: "ttyAMA0", limit: 30 * time.Minute,
	}
)

// with is the same machine with more in it.
func (m machine) with(args ...string) machine {
	m.args = append(slices.Clone(m.args), args...)
	return m
}

// boot runs the machine on these files until it powers off, and gives what the
// guest says.
func (m machine) boot(t *testing.T, dir, line string, files map[string]string) map[string]json.RawMessage {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), m.limit)
	defer cancel()
	qemu := exec.CommandContext(ctx, m.qemu, append(slices.Clone(m.args),
		"-nodefaults", "-no-user-config", "-display", "none", "-serial", "stdio", "-no-reboot",
		"-kernel", filepath.Join(dir, m.kernel), "-initrd", initramfs(t, files),
		"-append", "console="+m.console+" quiet loglevel=3 panic=-1 mitigations=off "+line)...)
	out, err := qemu.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	qemu.Stderr = &stderr
	if err := qemu.Start(); err != nil {
		t.Fatal(err)
	}
	results := map[string]json.RawMessage{}
	start := time.Now()
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 4<<20)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		raw, ok := strings.CutPrefix(line, "RESULT ")
		if !ok {
			if line != "" {
				t.Logf("guest: %s", line)
			}
			continue
		}
		var r struct {
			Scenario string
			Seconds  float64
			Result   json.RawMessage
		}
		if err := json.Unmarshal([]byte(raw), &r); err != nil {
			t.Errorf("guest said %q: %v", raw, err)
		}
		results[r.Scenario] = r.Result
		t.Logf("%s: %.1f s in the guest, %.1f s since the start", r.Scenario, r.Seconds, time.Since(start).Seconds())
	}
	if err := qemu.Wait(); err != nil {
		t.Fatalf("qemu: %v\n%s", err, stderr.String())
	}
	return results
}

// build compiles a program of this repository for the guest.
func build(t *testing.T, arch, path string) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "bin")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", bin, path)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", path, err, out)
	}
	return bin
}

// buildTests compiles the tests of a package for the guest, under that name.
func buildTests(t *testing.T, name, path string) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), name)
	cmd := exec.Command("go", "test", "-c", "-trimpath", "-ldflags=-s -w", "-o", bin, path)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build the tests of %s: %v\n%s", path, err, out)
	}
	return bin
}

// initramfs packs files into a cpio archive: name there → path here.
func initramfs(t *testing.T, files map[string]string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "initrd")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	entry(t, f, "dev", 0o40755, nil)
	entry(t, f, "dev/console", 0o20600, nil)
	for name, from := range files {
		content, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		entry(t, f, name, 0o100755, content)
	}
	entry(t, f, "TRAILER!!!", 0, nil)
	return path
}

// entry writes a file in cpio's newc format; dev/console is device 5:1.
func entry(t *testing.T, w io.Writer, name string, mode int, content []byte) {
	major, minor := 0, 0
	if name == "dev/console" {
		major, minor = 5, 1
	}
	head := fmt.Sprintf("070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%s\x00",
		0, mode, 0, 0, 1, 0, len(content), 0, 0, major, minor, len(name)+1, 0, name)
	pad := func(n int) string { return "\x00\x00\x00"[:(4-n%4)%4] }
	if _, err := io.WriteString(w, head+pad(len(head))+string(content)+pad(len(content))); err != nil {
		t.Fatal(err)
	}
}
