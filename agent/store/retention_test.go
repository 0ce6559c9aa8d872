package store_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"kerb/agent/policy"
	"kerb/agent/store"
	"kerb/counting"
)

const keep = 24 * time.Hour

// device is a simulated device: its clocks, its spool and every window that it stored.
type device struct {
	t       *testing.T
	policy  *policy.Policy
	dir     string
	now     time.Time     // the true time
	boot    int           // number of the boot
	booted  time.Time     // true time of the boot
	clock   time.Duration // by which the wall clock is wrong
	trusted bool
	s       *store.Store
	stored  []storedWindow
}

// storedWindow is a window in the bytes of the file, and its true end.
type storedWindow struct {
	end   time.Time
	bytes []byte
}

func newDevice(t *testing.T, window time.Duration) *device {
	t.Helper()
	p, err := policy.Parse("policy.toml", fmt.Appendf(nil, `schema = "kerb.policy/1"
version = 1
title = "t"
purpose = "statistical"
count.streams = ["line"]
count.classes = ["person"]
camera.follow_max = "30s"
clear.window = %q
clear.method = "noise"
clear.epsilon = 1
clear.below = 0
clear.overlap = 1
keep.retention = "24h"
`, window))
	if err != nil {
		t.Fatal(err)
	}
	return &device{t: t, policy: p, dir: t.TempDir(), now: time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC), trusted: true}
}

func (d *device) path() string { return filepath.Join(d.dir, "spool.db") }

// start boots the device after it was off for a time.
func (d *device) start(off time.Duration) {
	d.t.Helper()
	d.now = d.now.Add(off)
	d.boot++
	d.booted = d.now
	d.open()
}

func (d *device) open() {
	d.t.Helper()
	boot := fmt.Sprintf("boot-%d", d.boot)
	s, err := store.Open(
		d.path(), store.KeepFor(keep), store.StampWith(func() (string, bool) { return boot, d.trusted }),
		store.UptimeClock(func() time.Duration { return d.now.Sub(d.booted) }),
		store.WallClock(func() time.Time {
			if !d.trusted {
				return time.Time{}
			}
			return d.now.Add(d.clock)
		}))
	if err != nil {
		d.t.Fatal(err)
	}
	d.s = s
}

// count lets windows end, with numbers that stand nowhere else.
func (d *device) count(n int) {
	d.t.Helper()
	length := d.policy.Window()
	for range n {
		d.now = d.now.Add(length)
		end := d.now.Add(d.clock).Truncate(length)
		tally := counting.Tally{
			Stream: fmt.Sprintf("door-%06d", len(d.stored)), Kind: counting.LineStream, Start: end.Add(-length), End: end,
			Observed: length, Mono: d.now.Sub(d.booted), Counted: [counting.Classes]bool{true},
		}
		r, err := d.policy.Clear(tally)
		if err != nil {
			d.t.Fatal(err)
		}
		b, err := r.MarshalBinary()
		if err != nil {
			d.t.Fatal(err)
		}
		d.stored = append(d.stored, storedWindow{d.now, b})
		if _, err := d.s.Append([]policy.Release{r}); err != nil {
			d.t.Fatal(err)
		}
		d.s.Expire()
		d.checkBytes()
	}
}

// checkBytes searches the bytes of all files for windows that are older than the
// retention and one window, and for one that must be there.
func (d *device) checkBytes() {
	d.t.Helper()
	files, err := filepath.Glob(filepath.Join(d.dir, "*"))
	if err != nil {
		d.t.Fatal(err)
	}
	var all []byte
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			d.t.Fatal(err)
		}
		all = append(all, b...)
	}
	found := 0
	for _, w := range d.stored[max(0, len(d.stored)-3*int(keep/d.policy.Window())):] {
		age := d.now.Sub(w.end)
		if !bytes.Contains(all, w.bytes) {
			continue
		}
		if found++; age >= keep+d.policy.Window() {
			d.t.Fatalf("%s: a window of %s is still in the bytes after %s", d.now, w.end, age)
		}
	}
	if found == 0 {
		d.t.Fatalf("%s: no window in the bytes: the search finds nothing", d.now)
	}
}

// long returns n where KERB_LONG is set, and short otherwise.
func long(n, short int) int {
	if os.Getenv("KERB_LONG") != "" {
		return n
	}
	return short
}

func TestWithoutABrokerNothingOutlivesTheRetention(t *testing.T) {
	for name, c := range map[string]struct {
		trusted bool
		clock   time.Duration
	}{
		"believed clock": {true, 0},
		"clock in 1970":  {false, time.Unix(0, 0).Sub(time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC))},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDevice(t, time.Hour)
			d.trusted, d.clock = c.trusted, c.clock
			d.start(0)
			d.count(long(60*24, 60))
			if st := d.s.Stats(); st.Pending != 23 && st.Pending != 24 || st.Pending+st.Evicted != uint64(len(d.stored)) {
				t.Errorf("%d pending and %d evicted of %d", st.Pending, st.Evicted, len(d.stored))
			}
			for _, n := range d.s.PendingNotes() {
				if n.Kind == "evicted" && n.Data["reason"] != "expired" {
					t.Errorf("%v", n)
				}
			}
		})
	}
}

// The device is off for a time within the retention, again and again; its clock is
// believed an hour after each boot.
func TestTimeOffCountsOnceTheClockIsBelieved(t *testing.T) {
	d := newDevice(t, time.Hour)
	d.start(0)
	d.count(3)
	for range long(40, 4) {
		if err := d.s.Close(); err != nil {
			t.Fatal(err)
		}
		before := d.now
		d.trusted = false
		d.start(5 * time.Hour)
		es, err := d.s.PendingWindows(1000)
		if err != nil || len(es) == 0 || es[len(es)-1].Release.EndTime() != before {
			t.Fatalf("%d windows, %v", len(es), err)
		}
		d.trusted = true
		d.s.Expire()
		d.count(6)
		if p := pending(t, d.s); p[len(p)-1].Release.EndTime() != d.now {
			t.Fatal("the windows of this boot have expired with the time before it")
		}
	}
}

// Without a believed clock the time off is not known, and the time on counts across boots.
func TestTimeOnCountsAcrossBootsWithoutAClock(t *testing.T) {
	d := newDevice(t, time.Hour)
	d.trusted = false
	d.start(0)
	for range 8 {
		d.count(7)
		if err := d.s.Close(); err != nil {
			t.Fatal(err)
		}
		d.start(0)
	}
	if n := countStored(t, d.s); n > 24 {
		t.Errorf("%d windows of an hour are stored", n)
	}
}

func TestExpiryNeedsNoWindow(t *testing.T) {
	d := newDevice(t, time.Hour)
	d.start(0)
	d.count(5)
	d.now = d.now.Add(keep + time.Hour)
	d.s.Expire()
	if n := countStored(t, d.s); n != 0 || d.s.Stats().Evicted != 5 {
		t.Errorf("%d windows stored, %d evicted", n, d.s.Stats().Evicted)
	}
	d.checkGone()
}

func TestExpiryAtTheStart(t *testing.T) {
	d := newDevice(t, time.Hour)
	d.start(0)
	d.count(5)
	if err := d.s.Close(); err != nil {
		t.Fatal(err)
	}
	d.start(keep + time.Hour)
	if n := countStored(t, d.s); n != 0 || d.s.Stats().Evicted != 5 {
		t.Errorf("%d windows stored, %d evicted", n, d.s.Stats().Evicted)
	}
	d.checkGone()
}

// checkGone searches the bytes of all files for any window.
func (d *device) checkGone() {
	d.t.Helper()
	files, _ := filepath.Glob(filepath.Join(d.dir, "*"))
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			d.t.Fatal(err)
		}
		for _, w := range d.stored {
			if bytes.Contains(b, w.bytes) {
				d.t.Fatalf("a window of %s is still in %s", w.end, f)
			}
		}
	}
}

func TestFilesPutAsideExpire(t *testing.T) {
	for _, why := range []string{"damaged", "foreign"} {
		t.Run(why, func(t *testing.T) {
			d := newDevice(t, time.Hour)
			d.start(0)
			d.count(20)
			if err := d.s.Close(); err != nil {
				t.Fatal(err)
			}
			aside := d.path() + "." + why + "-1"
			if err := os.Rename(d.path(), aside); err != nil {
				t.Fatal(err)
			}
			d.start(0)
			if _, err := os.Stat(aside); err != nil {
				t.Fatal("deleted before its time")
			}
			d.count(10)
			d.now = d.now.Add(keep)
			d.open2()
			if _, err := os.Stat(aside); err == nil {
				t.Error("the file is still there")
			}
			d.checkGone()
		})
	}
}

// open2 closes the spool and opens it again in the same boot.
func (d *device) open2() {
	d.t.Helper()
	if err := d.s.Close(); err != nil {
		d.t.Fatal(err)
	}
	d.open()
}

// A file whose windows cannot be dated keeps none of them.
func TestUndatedWindowsInFilesPutAsideGoAtOnce(t *testing.T) {
	d := newDevice(t, time.Hour)
	d.trusted = false
	d.start(0)
	d.count(5)
	if err := d.s.Close(); err != nil || os.Rename(d.path(), d.path()+".damaged-1") != nil {
		t.Fatal(err)
	}
	d.start(0) // another boot, without a believed clock
	d.checkGone()
}

func TestWindowsInMemoryExpire(t *testing.T) {
	d := newDevice(t, time.Hour)
	if err := os.Mkdir(d.path(), 0o700); err != nil { // a folder cannot be a spool
		t.Fatal(err)
	}
	d.start(0)
	if d.s.Fault() == nil {
		t.Fatal("stored in a directory")
	}
	for range 60 {
		d.now = d.now.Add(time.Hour)
		r, err := d.policy.Clear(counting.Tally{
			Stream: "door", Kind: counting.LineStream, Start: d.now.Add(-time.Hour), End: d.now, Observed: time.Hour,
			Mono: d.now.Sub(d.booted), Counted: [counting.Classes]bool{true},
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.s.Append([]policy.Release{r}); err != nil {
			t.Fatal(err)
		}
	}
	if st := d.s.Stats(); st.InMemory > 24 || st.Pending > 24 {
		t.Errorf("%d windows in memory, %d pending", st.InMemory, st.Pending)
	}
	if err := os.Remove(d.path()); err != nil {
		t.Fatal(err)
	}
	d.open2()
	if st := d.s.Stats(); st.Fault != nil || st.Pending == 0 || st.Pending > 24 {
		t.Errorf("after the repair: %+v", st)
	}
}
