// Package vm runs kerb in virtual machines with Debian's kernels: its loop
// driver with simulated detector contacts, its camera driver with the kernel's
// made-up camera, and its walls where the kernel has no Landlock and on another
// processor. Run ./prepare DIR once, then
//
//	KERB_VM=DIR go test -count=1 ./test/vm
//
// With KERB_VM_PASSAGES=10000 it drives so many instead of 1,000.
package vm

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kerb/drivers/button"
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
	Traffic               []struct {
		Vehicles         int
		Speed, Occupancy float64
	}
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
	results := loops.boot(t, dir, "kerb.passages="+passages, map[string]string{
		"init": build(t, "amd64", "./guest"), "kerb": build(t, "amd64", "../../agent"), "configfs.ko": filepath.Join(dir, "configfs.ko"),
		"irq_sim.ko": filepath.Join(dir, "irq_sim.ko"), "gpio-sim.ko": filepath.Join(dir, "gpio-sim.ko"),
	})
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
			for i, w := range r.Traffic {
				if timed && (w.Vehicles == 0 || math.Abs(w.Speed) > 0.01 || math.Abs(w.Occupancy) > 0.5) {
					t.Errorf("window %d, %d vehicles: mean speed off by %.2f %%, occupancy by %.2f ‰", i, w.Vehicles, 100*w.Speed, w.Occupancy)
				}
			}
			if scenario == "passages" && len(r.Traffic) == 0 {
				t.Error("no whole window of the pair")
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
		for _, want := range []string{"pair true partial loop_pair", "left false ok", "right true ok"} {
			if !strings.Contains(last, want) {
				t.Errorf("no window %q among the last, %q", want, last)
			}
		}
	})
	t.Run("a button counts when it is held", func(t *testing.T) {
		var r struct{ Held float64 }
		into(t, "button", &r)
		if r.Held < button.Hold.Seconds() {
			t.Errorf("held for %.2f s, and it was to be %v", r.Held, button.Hold)
		}
	})
	t.Run("kerb run counts them inside its walls", func(t *testing.T) {
		var r struct {
			Driven, Counted int
			Words           string
		}
		into(t, "caged", &r)
		// Counts are released with noise, of a few windows and at ε = 1: 15 off
		// happens less than once in a million.
		if d := r.Counted - r.Driven; r.Driven == 0 || d < -15 || d > 15 {
			t.Errorf("%d driven, %d released\n%s", r.Driven, r.Counted, r.Words)
		}
		for line := range strings.Lines(r.Words) {
			if strings.Contains(line, `from="sense loops"`) && strings.Contains(line, "walls are missing") {
				t.Error(line)
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
