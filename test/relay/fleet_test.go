// Package relay runs kerb relay as cities would: devices with real spools and uplinks,
// mosquitto, and a database behind the relay, each a process of its own that is killed.
package relay

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"kerb/agent/clock"
	"kerb/agent/config"
	"kerb/agent/policy"
	"kerb/agent/publisher"
	"kerb/agent/store"
	"kerb/agent/uplink"
	"kerb/configs"
	"kerb/counting"
)

// The virtual day: every window starts on it.
var day = time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)

const (
	windowLength = 15 * time.Minute
	slots        = int(24 * time.Hour / windowLength)
)

// fleetOpts configures a process of devices.
type fleetOpts struct {
	Broker      string
	Dir         string // of spools and truth
	First, N    int    // devices
	Pace        time.Duration
	ExpireAfter time.Duration // retention of device 0; 0: as its policy says
	Confirm     bool          // devices keep windows until the relay confirms them
}

// kinds are the policies and the sensors of the five kinds of devices: noise, suppression,
// loops with quantities, bands, and noise without a threshold, so that numbers are negative.
var kinds = []struct{ policy, site string }{
	{"standard", "[[camera]]\nname = \"north\"\nsource = \"http://192.0.2.10/mjpeg\"\n" +
		line("kerb", 0.4, "person", "bicycle") + line("road", 0.7, "bicycle", "vehicle") +
		"[[camera.zone]]\nid = \"wait\"\npolygon = [[0.3, 0.6], [0.45, 0.6], [0.45, 0.8], [0.3, 0.8]]\nclasses = [\"person\"]\n" +
		"[[stream]]\nid = \"road\"\na = \"north kerb\"\nb = \"south kerb\"\nbearing = 180\n"},
	{"suppress", "[[camera]]\nname = \"north\"\nsource = \"http://192.0.2.10/mjpeg\"\n" + line("road", 0.7, "person", "vehicle")},
	{"traffic", "[loop]\nsource = \"gpio\"\n[[loop.line]]\nname = \"L1A\"\ngpio = \"GPIO17\"\n[[loop.line]]\nname = \"L1B\"\ngpio = \"GPIO27\"\n" +
		"[[loop.lane]]\nid = \"east-1\"\nloops = [\"L1A\", \"L1B\"]\nspacing = 4.0\nloop_length = 2.0\n[[stream]]\nid = \"east-1\"\na = \"Park Royal\"\nb = \"Hanger Lane\"\nbearing = 75\n"},
	{"busyness", "[[camera]]\nname = \"square\"\nsource = \"http://192.0.2.10/mjpeg\"\n" +
		"[[camera.zone]]\nid = \"plaza\"\npolygon = [[0.3, 0.6], [0.45, 0.6], [0.45, 0.8], [0.3, 0.8]]\nclasses = [\"person\"]\n"},
	{"standard", "[[camera]]\nname = \"north\"\nsource = \"http://192.0.2.10/mjpeg\"\n" + line("kerb", 0.4, "person") + line("road", 0.7, "bicycle", "vehicle")},
}

func line(id string, y float64, classes ...string) string {
	return fmt.Sprintf("[[camera.line]]\nid = %q\nfrom = [0.05, %v]\nto = [0.95, %v]\nclasses = [\"%s\"]\n", id, y, y, strings.Join(classes, `", "`))
}

// device is one device of the fleet: its files, spool and uplink.
type device struct {
	index  int
	site   *config.Site
	policy *policy.Policy
	store  *store.Store
	uplink *uplink.Uplink
	truth  *os.File // every window that was released, one a line
	slot   atomic.Int64
}

// now is the virtual wall clock of the device: the end of its last window.
func (d *device) now() time.Time { return day.Add(time.Duration(d.slot.Load()) * windowLength) }

// parseFiles makes the two files of a device.
func (d *device) parseFiles(o fleetOpts) error {
	k := kinds[d.index%len(kinds)]
	head := fmt.Sprintf("[device]\nname = \"pi-%04d\"\nsite = \"s%d\"\ntenant = \"camden\"\nstate = %q\nplace = { lat = %v, lon = -0.1426, description = \"Mast %d\" }\n[broker]\nurl = %q\nspread = \"0s\"\nretry_min = \"1s\"\nretry_max = \"2s\"\n",
		d.index, d.index%7, filepath.Join(o.Dir, fmt.Sprint(d.index)), 51.5+float64(d.index)/1000, d.index, o.Broker)
	if o.Confirm {
		head += "confirm = \"1m\"\n"
	}
	var err error
	if d.site, err = config.Parse("site.toml", []byte(head+k.site)); err != nil {
		return err
	}
	text, err := configs.ReadPolicy(k.policy)
	if err != nil {
		return err
	}
	p := strings.NewReplacer(`window = "5m"`, `window = "15m"`, `window = "1m"`, `window = "15m"`, `commands = []`, `commands = ["resend", "watermark"]`, "name = \"\"", "name = \"Camden\"").Replace(string(text))
	if o.ExpireAfter > 0 && d.index == 0 {
		p = strings.Replace(p, `retention = "72h"`, fmt.Sprintf("retention = %q", o.ExpireAfter), 1)
	}
	if d.index%len(kinds) == 4 {
		p = strings.Replace(p, "below = 5\n", "below = 0\n", 1)
	}
	d.policy, err = policy.Parse("policy.toml", []byte(p))
	return err
}

// open opens the spool. Windows that a killed process released and did not note are
// noted: the last ones of a spool are never deleted before the next.
func (d *device) open(o fleetOpts) error {
	if err := d.parseFiles(o); err != nil {
		return err
	}
	dir := d.site.Device.State
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	noted, last, err := readTruth(filepath.Join(dir, "truth"))
	if err != nil {
		return err
	}
	d.slot.Store(int64(last + 1))
	opts := append(publisher.StoreOpts(d.site), store.KeepFor(d.policy.Retention()), store.WallClock(d.now), store.StampWith(func() (string, bool) { return clock.BootID(), true }))
	if d.store, err = store.Open(filepath.Join(dir, "spool.db"), opts...); err != nil {
		return err
	}
	if d.truth, err = os.OpenFile(filepath.Join(dir, "truth"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600); err != nil {
		return err
	}
	items, err := d.store.LastWindows(len(d.site.Streams()))
	if err != nil {
		return err
	}
	for _, i := range items {
		if w := uplink.EncodeWindow(publisher.Address(d.site.Device), i.Entry); !noted[string(w)] {
			d.note(w)
			d.slot.Store(int64(i.Release.EndTime().Sub(day) / windowLength))
		}
	}
	u := publisher.UplinkOpts(d.site, d.policy, "test", d.store, clock.Clock{Floor: time.Unix(0, 0)}, slog.New(slog.DiscardHandler))
	u.StateInterval = time.Minute
	d.uplink, err = uplink.New(u)
	return err
}

func (d *device) note(w []byte) {
	if _, err := d.truth.Write(append(w, '\n')); err != nil {
		panic(err)
	}
}

// readTruth returns the windows that were noted, and the last slot of them; −1: none.
func readTruth(path string) (noted map[string]bool, last int, err error) {
	noted, last = map[string]bool{}, -1
	b, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return noted, last, nil
	}
	lines := bufio.NewScanner(strings.NewReader(string(b)))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var w struct{ End time.Time }
		if json.Unmarshal(lines.Bytes(), &w) != nil {
			continue // the process was killed in the line: the spool has the window
		}
		noted[lines.Text()] = true
		last = max(last, int(w.End.Sub(day)/windowLength)-1)
	}
	return noted, last, err
}

// release clears and stores the windows of one slot. After a kill the first slot is a
// gap "down", as kerb run writes it.
func (d *device) release(slot int, down bool) error {
	var rs []policy.Release
	for i, s := range d.site.Streams() {
		r, err := d.policy.Clear(makeTally(s, d.index*10+i, slot, down))
		if err != nil {
			return err
		}
		rs = append(rs, r)
	}
	d.slot.Store(int64(slot + 1))
	entries, err := d.store.Append(rs)
	if err != nil {
		return err
	}
	for _, e := range entries {
		d.note(uplink.EncodeWindow(publisher.Address(d.site.Device), e))
	}
	d.uplink.Wake()
	return nil
}

// makeTally returns the tally of a slot: every eleventh is a gap, every seventeenth was
// observed in part, and at night nobody passes.
func makeTally(s counting.Stream, seed, slot int, down bool) counting.Tally {
	r := rand.New(rand.NewPCG(uint64(seed), uint64(slot)))
	t := counting.Tally{
		Stream: s.ID, Kind: s.Kind, OneWay: s.OneWay, Measures: s.Measures, LengthBins: s.LengthBins.Len(),
		Start: day.Add(time.Duration(slot) * windowLength), Mono: time.Hour + time.Duration(slot+1)*windowLength, Observed: windowLength,
	}
	t.End = t.Start.Add(windowLength)
	switch {
	case down:
		t.Quality, t.Reason, t.Observed = counting.Gap, counting.ReasonDown, 0
	case (slot+seed)%11 == 10:
		t.Quality, t.Reason, t.Observed = counting.Gap, counting.ReasonCameraLost, 0
	case (slot+seed)%17 == 16:
		t.Quality, t.Reason, t.Observed = counting.Partial, counting.ReasonStarting, windowLength*6/10
	}
	busy := uint32(40)
	if slot < slots/4 {
		busy = 2
	}
	for _, c := range s.Classes {
		t.Counted[c] = true
		for dir := range counting.Direction(counting.Directions) {
			if s.Kind != counting.ZoneStream && s.OneWay.Sees(dir) {
				t.Crossings[c][dir] = r.Uint32N(busy)
			}
		}
		if s.Kind == counting.ZoneStream && t.Observed > 0 {
			t.Peak[c] = r.Uint32N(busy)
			t.Presence[c] = time.Duration(t.Peak[c]) * t.Observed / 2
		}
	}
	if s.Measures != 0 && t.Observed > 0 {
		t.Traffic.Covered, t.Traffic.CoveredOver = t.Observed/10, t.Observed
		for range t.Crossings[counting.Vehicle][counting.AToB] {
			t.Traffic.AddSpeed(30 + 20*r.Float64())
		}
	}
	if t.Quality == counting.Gap {
		t.Crossings, t.Traffic = [counting.Classes][counting.Directions]uint32{}, counting.Traffic{}
	}
	return t
}

// runFleet runs devices until their day is over and ctx ends.
func runFleet(ctx context.Context, o fleetOpts) error {
	var ds []*device
	for i := range o.N {
		d := &device{index: o.First + i}
		if err := d.open(o); err != nil {
			return fmt.Errorf("device %d: %w", d.index, err)
		}
		ds = append(ds, d)
	}
	var running sync.WaitGroup
	for _, d := range ds {
		running.Go(func() {
			// Where device 0 forgets early, it finds the broker at noon only.
			for o.ExpireAfter > 0 && d.index == 0 && d.slot.Load() < int64(slots/2) && ctx.Err() == nil {
				time.Sleep(10 * time.Millisecond)
			}
			_ = d.uplink.Run(ctx)
		})
	}
	first := map[int]int{}
	for _, d := range ds {
		first[d.index] = int(d.slot.Load())
	}
	for slot := range slots {
		for _, d := range ds {
			if slot < first[d.index] || ctx.Err() != nil {
				continue
			}
			if err := d.release(slot, slot > 0 && slot == first[d.index]); err != nil {
				return fmt.Errorf("device %d: %w", d.index, err)
			}
		}
		time.Sleep(o.Pace)
	}
	for ctx.Err() == nil {
		pending := uint64(0)
		for _, d := range ds {
			pending += d.store.Stats().Pending
		}
		if err := os.WriteFile(filepath.Join(o.Dir, fmt.Sprintf("pending-%d", o.First)), fmt.Append(nil, pending), 0o600); err != nil {
			return err
		}
		time.Sleep(200 * time.Millisecond)
	}
	running.Wait()
	for _, d := range ds {
		_ = d.store.Close()
	}
	return nil
}
