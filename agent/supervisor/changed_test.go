package supervisor

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kerb/agent/clock"
	"kerb/agent/config"
	"kerb/agent/ipc"
	"kerb/agent/policy"
	"kerb/counting"
)

// declare returns a site with two cameras; y is the place of the line of the first one.
func declare(t *testing.T, dir string, y float64, change ...string) *config.Site {
	t.Helper()
	text := fmt.Sprintf(`[device]
name = "pi-1"
site = "s"
tenant = "t"
state = %q
[broker]
url = "mqtt://127.0.0.1:1883"
[[camera]]
name = "north"
source = "rtsp://10.0.0.9/stream1"
[[camera.line]]
id = "kerb"
from = [0.1, %g]
to = [0.9, %g]
classes = ["person"]
[[camera]]
name = "south"
source = "rtsp://10.0.0.8/stream1"
[[camera.line]]
id = "lane"
from = [0.1, 0.5]
to = [0.9, 0.5]
classes = ["person"]
`, dir, y, y)
	site, err := config.Parse(filepath.Join(dir, "site.toml"), []byte(strings.NewReplacer(change...).Replace(text)))
	if err != nil {
		t.Fatal(err)
	}
	return site
}

// countParts plays one window of an agent that is started anew at each of the sites, one after the
// other. One passage is over the line of each camera in each part. It returns how often each camera's
// passages stand in numbers that are told: what they cost in units of ε.
func countParts(t *testing.T, pol *policy.Policy, guarded bool, sites ...*config.Site) map[string]int {
	t.Helper()
	at := func(d time.Duration) clock.Reading {
		return clock.Reading{Wall: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC).Add(d), Mono: time.Hour + d, Awake: time.Hour + d, Synced: true}
	}
	told, piece := map[string]int{}, pol.Window()/time.Duration(len(sites))
	for i, site := range sites {
		s := &Supervisor{policy: pol, site: site, streams: site.Streams(), log: slog.New(slog.DiscardHandler), queue: newQueue(pol.Retention(), func() time.Duration { return 0 })}
		if guarded {
			s.holdChanged()
		}
		windows := clock.NewWindows(pol.Window(), at(time.Duration(i)*piece))
		parts, _ := windows.StopAt(at(time.Duration(i+1) * piece))
		for _, part := range parts {
			c := s.newCollection(&ipc.Window{Start: ipc.ToInstant(part.Start), End: ipc.ToInstant(part.End), Mono: part.Mono, Streams: uint16(len(s.streams))})
			c.window.N = c.n
			for j := range s.streams {
				c.tallies[j] = ipc.PackTally(c.n, j, counting.Tally{Observed: part.Observed(), Quality: counting.Partial, Reason: counting.ReasonStopped})
				c.tallies[j].Crossings[counting.Person][counting.AToB] = 1
			}
			for j, r := range s.clearCollection(c) {
				if r.Quality() != counting.Gap {
					told[s.streams[j].Sensor]++
				}
			}
			if err := s.changed.release(part.End, pol.Window()); guarded && err != nil {
				t.Fatal(err)
			}
		}
	}
	return told
}

// A passage over a line that is moved by reloads costs ε within a window, however often and
// however it is moved; a sensor that stays as it was is counted through all of them.
func TestAPassageIsChargedOnceInAWindowWhateverIsReloaded(t *testing.T) {
	pol, err := policy.Load("../../configs/policy-standard.toml")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change []string // of the second site, see declare
		y      float64
	}{
		"moved":                   {nil, 0.7},
		"under another id":        {[]string{`id = "kerb"`, `id = "kerb-2"`}, 0.7},
		"of a camera renamed":     {[]string{`"north"`, `"north-2"`}, 0.7},
		"by its second stream":    {[]string{"10.0.0.9/stream1", "10.0.0.9/stream2"}, 0.7},
		"found by another way":    {[]string{`source = "rtsp://10.0.0.9/stream1"`, "source = \"rtsp://10.0.0.9/stream1\"\ndetector = \"motion\""}, 0.5},
		"of a device renamed too": {[]string{`name = "pi-1"`, `name = "pi-2"`}, 0.7},
	} {
		for _, reloads := range []int{1, 2, 9} {
			dir, bare := t.TempDir(), t.TempDir()
			var sites, unguarded []*config.Site
			for i := range reloads + 1 {
				y, change := 0.3, []string(nil)
				if i%2 == 1 {
					y, change = c.y, c.change
				}
				sites, unguarded = append(sites, declare(t, dir, y, change...)), append(unguarded, declare(t, bare, y, change...))
			}
			sum := func(told map[string]int) int { return told["north"] + told["north-2"] }
			told := countParts(t, pol, true, sites...)
			// The parts under the first site count, and none under the second.
			if most := reloads/2 + 1; sum(told) != most || told["south"] != reloads+1 {
				t.Errorf("%s, %d reloads: told %v", name, reloads, told)
			}
			if n := sum(countParts(t, pol, false, unguarded...)); n != reloads+1 {
				t.Errorf("%s, %d reloads: the control is told %d times", name, reloads, n)
			}
		}
	}
}

// What is held back counts from the next whole window on, and not before: not after a
// restart, nor where the window was cut by a step of the clock.
func TestAChangedSensorCountsFromTheNextWindowOn(t *testing.T) {
	dir, pol := t.TempDir(), policy.Demo()
	start := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	load := func(y float64) *changedSensors {
		t.Helper()
		c, err := loadChanged(declare(t, dir, y))
		if err != nil {
			t.Fatal(err)
		}
		return &c
	}
	if c := load(0.3); len(c.held) > 0 {
		t.Errorf("a new device holds %v back", c.names())
	}
	for range 2 {
		c := load(0.7)
		if err := c.release(start.Add(time.Second), pol.Window()); err != nil || fmt.Sprint(c.names()) != "[north]" {
			t.Errorf("a step of the clock: %v, %v", c.names(), err)
		}
	}
	if c := load(0.3); len(c.held) > 0 {
		t.Errorf("a file that is put back holds %v back", c.names())
	}
	c := load(0.7)
	if err := c.release(start, pol.Window()); err != nil || len(c.held) > 0 {
		t.Errorf("after the window: %v, %v", c.names(), err)
	}
	if c := load(0.7); len(c.held) > 0 {
		t.Errorf("a restart afterwards holds %v back", c.names())
	}
	if c := load(0.3); fmt.Sprint(c.names()) != "[north]" {
		t.Errorf("the line where it was before is not held back: %v", c.names())
	}
	if c, err := loadChanged(declare(t, dir, 0.7, "[device]", "# a comment\n[device]", "url = ", "spread = \"0s\"\nurl = ")); err != nil || len(c.held) > 0 {
		t.Errorf("a comment and a key of the broker hold %v back: %v", c.names(), err)
	}
}

// A file that cannot be read or written holds every sensor back, window after window.
func TestWithoutAMemoryOfWhatCountedNothingCounts(t *testing.T) {
	dir, pol := t.TempDir(), policy.Demo()
	site := declare(t, dir, 0.3)
	if err := os.Mkdir(filepath.Join(dir, "counted"), 0o700); err != nil {
		t.Fatal(err)
	}
	c, err := loadChanged(site)
	if err == nil || len(c.held) != 2 {
		t.Errorf("%v, %v", c.names(), err)
	}
	if err := c.release(time.Unix(0, 0), pol.Window()); err == nil || len(c.held) != 2 {
		t.Errorf("after a window: %v, %v", c.names(), err)
	}
}

// Contacts may be moved from one lane to another: all loops are held back together.
func TestAChangedLoopHoldsEveryLaneBack(t *testing.T) {
	site := func(gpio string) *config.Site {
		return &config.Site{Loops: config.Loops{
			Lines: []config.LoopLine{{Name: "a", GPIO: gpio}, {Name: "b", GPIO: "GPIO6"}},
			Lanes: []config.LoopLane{{ID: "one", Loops: []string{"a"}}, {ID: "two", Loops: []string{"b"}}},
		}}
	}
	before, after := site("GPIO5").SensorSums(), site("GPIO7").SensorSums()
	if before["loop-one"] == after["loop-one"] || before["loop-two"] == after["loop-two"] || len(before) != 2 {
		t.Error(before, after)
	}
}
