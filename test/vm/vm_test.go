// Package vm runs kerb's loop driver in a virtual machine with Debian's kernel
// and simulated detector contacts. Run ./prepare DIR once, then
//
//	KERB_VM=DIR go test -count=1 ./test/vm
//
// With KERB_VM_PASSAGES=10000 it drives so many instead of 1,000.
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
	"strings"
	"testing"
	"time"
)

type quantiles struct{ P50, P99, Max float64 }

type result struct {
	Driven, Counted       map[string]int
	Directions            map[string]int
	Missed, Bounce, Short uint32
	Unsure                int
	SpeedError, Length    quantiles
	Latency, Late         quantiles
	PeakRSS               float64
	Events                []string
	Quality               map[string]string
	Windows               []string
}

func TestLoopsThroughTheRealKernel(t *testing.T) {
	dir := os.Getenv("KERB_VM")
	if dir == "" {
		t.Skip("KERB_VM does not name a folder made by test/vm/prepare: no virtual machine")
	}
	passages := "1000"
	if n := os.Getenv("KERB_VM_PASSAGES"); n != "" {
		passages = n
	}
	results := boot(t, dir, initramfs(t, dir), passages)
	into := func(t *testing.T, scenario string, v any) {
		t.Helper()
		raw, ok := results[scenario]
		if !ok {
			t.Fatalf("the guest did not get to %q", scenario)
		}
		if err := json.Unmarshal(raw, v); err != nil {
			t.Fatal(err)
		}
		t.Logf("%s", raw)
	}
	for _, scenario := range []string{"passages", "debounced", "coarse", "stalled"} {
		// Without the kernel's times speeds are what they are; only counts are promised.
		timed := scenario == "passages" || scenario == "stalled"
		t.Run(scenario+": every passage is counted once", func(t *testing.T) {
			var r result
			into(t, scenario, &r)
			for stream, driven := range r.Driven {
				if r.Counted[stream] != driven {
					t.Errorf("%s: %d driven, %d counted", stream, driven, r.Counted[stream])
				}
				if q := r.Quality[stream]; q != "ok" {
					t.Errorf("%s: quality %s", stream, q)
				}
			}
			if r.Missed+r.Short > 0 || len(r.Events) > 0 || r.Directions["b_to_a"] > 0 {
				t.Errorf("%d edges missed, %d presences too short, events %v, directions %v", r.Missed, r.Short, r.Events, r.Directions)
			}
			if timed && (r.SpeedError.Max > 0.01 || r.Length.Max > 0.05) {
				t.Errorf("worst speed wrong by %.2f %%, length by %.2f %%", 100*r.SpeedError.Max, 100*r.Length.Max)
			}
			if r.PeakRSS > 25 {
				t.Errorf("peak RSS %.1f MiB", r.PeakRSS)
			}
			if r.Unsure > r.Driven["pair"]/10 {
				t.Errorf("the times of %d of %d vehicles are not known well enough", r.Unsure, r.Driven["pair"])
			}
			if timed && r.Bounce == 0 {
				t.Error("the contacts did not bounce: this shows nothing")
			}
		})
	}
	t.Run("overrun: what was lost is known exactly", func(t *testing.T) {
		var r struct{ Moved, Read, Missed int }
		into(t, "overrun", &r)
		if r.Read+r.Missed != r.Moved || r.Missed == 0 {
			t.Errorf("%d moved, %d read, %d said to be missed", r.Moved, r.Read, r.Missed)
		}
	})
	t.Run("an unplugged line is an event and not a zero", func(t *testing.T) {
		var r result
		into(t, "unplugged", &r)
		for _, want := range []string{"GPIO27 loop_pair true", "GPIO22 loop_silent true"} {
			if !strings.Contains(strings.Join(r.Events, "\n"), want) {
				t.Errorf("no event %q in %q", want, r.Events)
			}
		}
		last := strings.Join(r.Windows[max(0, len(r.Windows)-3):], "\n")
		for _, want := range []string{"pair true partial loop_pair", "left false gap loop_silent", "right true ok"} {
			if !strings.Contains(last, want) {
				t.Errorf("no window %q among the last, %q", want, last)
			}
		}
	})
	t.Run("a chip that disappears is an error", func(t *testing.T) {
		var r struct{ Gone bool }
		into(t, "gone", &r)
		if !r.Gone {
			t.Error("not said to be gone")
		}
	})
}

// boot runs the machine until it powers off and gives the guest's results.
// Guest time is counted in instructions and skips idleness (-icount), so the
// test neither waits for the street nor depends on what else this machine does.
func boot(t *testing.T, dir, initrd, passages string) map[string]json.RawMessage {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	qemu := exec.CommandContext(ctx, "qemu-system-x86_64",
		"-accel", "tcg", "-icount", "shift=2,sleep=off", "-cpu", "max", "-machine", "q35", "-m", "384",
		"-nodefaults", "-no-user-config", "-display", "none", "-serial", "stdio", "-no-reboot",
		"-kernel", filepath.Join(dir, "vmlinuz"), "-initrd", initrd,
		"-append", "console=ttyS0 quiet loglevel=3 panic=-1 mitigations=off kerb.passages="+passages)
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
	for lines := bufio.NewScanner(out); lines.Scan(); {
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

// initramfs packs the guest and the kernel's modules into a cpio archive.
func initramfs(t *testing.T, dir string) string {
	guest := filepath.Join(t.TempDir(), "init")
	build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", guest, "./guest")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the guest: %v\n%s", err, out)
	}
	path := filepath.Join(t.TempDir(), "initrd")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	entry(t, f, "dev", 0o40755, nil)
	entry(t, f, "dev/console", 0o20600, nil)
	for name, from := range map[string]string{
		"init": guest, "configfs.ko": filepath.Join(dir, "configfs.ko"),
		"irq_sim.ko": filepath.Join(dir, "irq_sim.ko"), "gpio-sim.ko": filepath.Join(dir, "gpio-sim.ko"),
	} {
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
