package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"kerb/agent/clock"
	"kerb/agent/config"
	"kerb/agent/demo"
	"kerb/agent/opener"
	"kerb/agent/policy"
	"kerb/agent/sensor"
)

// use is the amount of each resource that this process holds.
type use struct {
	goroutines, files, children int
	heap, resident              int // kB
}

func measureUse(t *testing.T) use {
	t.Helper()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	u := use{goroutines: runtime.NumGoroutine(), files: openFiles(t), heap: int(m.HeapAlloc >> 10)}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	u.resident, _ = strconv.Atoi(strings.Fields(rest)[0])
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		b, _ := os.ReadFile(path) // proc_pid_stat(5)
		_, rest, _ := bytes.Cut(b, []byte(") "))
		if words := strings.Fields(string(rest)); len(words) > 1 && words[1] == strconv.Itoa(os.Getpid()) {
			u.children++
		}
	}
	return u
}

func (u use) String() string {
	return fmt.Sprintf("%d goroutines, %d descriptors, %d children, heap %d kB, resident %d kB", u.goroutines, u.files, u.children, u.heap, u.resident)
}

// medianUse returns the median of each resource.
func medianUse(all []use) (m use) {
	of := func(get func(use) int) int {
		var v []int
		for _, u := range all {
			v = append(v, get(u))
		}
		slices.Sort(v)
		return v[len(v)/2]
	}
	return use{
		of(func(u use) int { return u.goroutines }), of(func(u use) int { return u.files }), of(func(u use) int { return u.children }),
		of(func(u use) int { return u.heap }), of(func(u use) int { return u.resident }),
	}
}

// grown names the resource that has grown by more than the reconnections of a dozen
// cameras explain. A leak with each of hundreds of faults is much larger.
func (u use) grown(was use) string {
	switch {
	case u.goroutines > was.goroutines+20:
		return "goroutines"
	case u.files > was.files+12:
		return "descriptors"
	case u.children > was.children+2:
		return "children"
	case u.heap > was.heap+was.heap/5+1024:
		return "heap"
	case u.resident > was.resident+was.resident/10+8192:
		return "resident memory"
	}
	return ""
}

// Sources of all kinds are cut, stalled, garbled and restarted for half an hour,
// independently, and no resource grows. It runs with KERB_LONG; KERB_SOAK is another
// duration.
func TestNothingGrowsInHalfAnHourOfFaults(t *testing.T) {
	if os.Getenv("KERB_LONG") == "" {
		t.Skip("half an hour: KERB_LONG=1, or make soak")
	}
	length, err := time.ParseDuration(cmp.Or(os.Getenv("KERB_SOAK"), "30m"))
	if err != nil {
		t.Fatal(err)
	}
	all := realSources(t)
	for _, s := range otherSources(t, cmp.Or(os.Getenv("KERB_SHARED"), "../../shared")+"/footage") {
		s.faults = programFaults
		if _, program := s.camera.Source.(config.CommandSource); !program {
			u, err := url.Parse(s.camera.Source.String())
			if err != nil {
				t.Fatal(err)
			}
			w := newWire(t, u.Host)
			moved := parseSource(t, "http://"+w.addr+u.Path).(config.MJPEGSource)
			if polled, ok := s.camera.Source.(config.SnapshotSource); ok {
				polled.Address = moved.Address
				s.camera.Source = polled
			} else {
				s.camera.Source = moved
			}
			s.faults = func(*opener.Opener) []fault { return w.faults(t) }
		}
		all = append(all, s)
	}
	ctx, cancel := context.WithTimeout(t.Context(), length)
	defer cancel()
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	var running sync.WaitGroup
	for _, s := range all {
		sensor, door := demo.NewLocalCamera(s.camera, policy.Demo(), (*exec.Cmd).Start, clock.SinceBoot, log)
		running.Go(func() { sensor.Run(ctx); door.Close() })
		running.Go(func() { causeRandomFaults(ctx, t, sensor, door, s) })
	}
	samples := sampleUse(ctx, t, length)
	running.Wait()
	third := len(samples) / 3
	was, is := medianUse(samples[third:2*third]), medianUse(samples[2*third:])
	t.Logf("in the second third: %s", was)
	t.Logf("in the last third:   %s", is)
	if what := is.grown(was); what != "" {
		t.Errorf("%s grew", what)
	}
}

func sampleUse(ctx context.Context, t *testing.T, length time.Duration) (samples []use) {
	for tick := time.NewTicker(max(length/120, time.Second)); ; {
		select {
		case <-tick.C:
			samples = append(samples, measureUse(t))
			if len(samples)%12 == 1 {
				t.Logf("%s", samples[len(samples)-1])
			}
		case <-ctx.Done():
			tick.Stop()
			return samples
		}
	}
}

// causeRandomFaults causes one random fault after another until the context ends.
// After each, pictures must come again.
func causeRandomFaults(ctx context.Context, t *testing.T, s *sensor.Camera, door *opener.Opener, of testSource) {
	faults, n, slowest := of.faults(door), 0, time.Duration(0)
	rest := func(d time.Duration) bool {
		select {
		case <-time.After(d):
			return true
		case <-ctx.Done():
			return false
		}
	}
	for rest(time.Duration(5000+rand.IntN(10000)) * time.Millisecond) {
		f := faults[rand.IntN(len(faults))]
		f.begin()
		going := rest(time.Duration(500+rand.IntN(6000)) * time.Millisecond)
		f.end()
		begun, had := time.Now(), s.Pictures.Load()
		for going && s.Pictures.Load() < had+2 {
			if going = rest(10 * time.Millisecond); time.Since(begun) > 3*time.Minute {
				t.Errorf("%s: nothing three minutes after a %s", of.camera.Name, f.name)
				return
			}
		}
		if n++; going {
			slowest = max(slowest, time.Since(begun))
		}
	}
	t.Logf("%-8s %d faults, back after %s at most, %d pictures", of.camera.Name, n, slowest.Round(time.Millisecond), s.Pictures.Load())
}

// The control: a leak of one goroutine or one descriptor with each fault is detected.
func TestALeakIsSeen(t *testing.T) {
	was := use{goroutines: 200, files: 100, children: 20, heap: 5000, resident: 90000}
	for want, is := range map[string]use{
		"goroutines":      {goroutines: 221, files: 100, children: 20, heap: 5000, resident: 90000},
		"descriptors":     {goroutines: 200, files: 113, children: 20, heap: 5000, resident: 90000},
		"children":        {goroutines: 200, files: 100, children: 23, heap: 5000, resident: 90000},
		"heap":            {goroutines: 200, files: 100, children: 20, heap: 7100, resident: 90000},
		"resident memory": {goroutines: 200, files: 100, children: 20, heap: 5000, resident: 108000},
		"":                {goroutines: 203, files: 102, children: 21, heap: 5500, resident: 91000},
	} {
		if got := is.grown(was); got != want {
			t.Errorf("%s: %q", want, got)
		}
	}
}
