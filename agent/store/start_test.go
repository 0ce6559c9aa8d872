package store_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"kerb/agent/store"
	"kerb/agent/store/storetest"
)

// place is a state directory on one machine in one boot.
type place struct {
	dir, boot, machine, device string
}

func (p place) spool() string { return filepath.Join(p.dir, "spool.db") }

func (p place) opts() []store.Option {
	return []store.Option{
		store.WallClock(storetest.FirstStart.UTC), store.MachineIs(p.machine), store.DeviceIs(p.device),
		store.StampWith(func() (string, bool) { return p.boot, true }),
	}
}

// memoryDir returns a directory in memory, where an fsync costs nothing.
func memoryDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "kerb-store-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// copyFile copies a file as cp does: into the file that is there, if there is one.
func copyFile(t testing.TB, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// copyDir copies spool and witness.
func copyDir(t testing.TB, from, to string) {
	t.Helper()
	for _, name := range []string{"spool.db", "spool.db.witness"} {
		if _, err := os.Stat(filepath.Join(from, name)); err == nil {
			copyFile(t, filepath.Join(from, name), filepath.Join(to, name))
		} else if err := os.RemoveAll(filepath.Join(to, name)); err != nil {
			t.Fatal(err)
		}
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

// Each case has a spool with the numbers 1–3 of two streams at an early copy, and
// 1–5 at its end.
func TestAStartContinuesTheNumbersOnlyOfTheSpoolThatEndedLast(t *testing.T) {
	type world struct {
		place
		early, other string // a copy of the directory at number 3; the directory of another device
	}
	for name, c := range map[string]struct {
		kill   bool // the end is no orderly one
		do     func(*testing.T, *world)
		reason string
		lost   string // of stream-1
	}{
		"nothing happened":          {reason: ""},
		"the witness is gone":       {do: func(t *testing.T, w *world) { remove(t, w.spool()+".witness") }, reason: "unknown_end"},
		"another boot":              {do: func(_ *testing.T, w *world) { w.boot = "boot-2" }, reason: "boot"},
		"another machine":           {do: func(_ *testing.T, w *world) { w.machine = "m2" }, reason: "machine_changed"},
		"another name":              {do: func(_ *testing.T, w *world) { w.device = "pi-2" }, reason: "renamed"},
		"kill -9":                   {kill: true, reason: "unclean_end"},
		"kill -9 and another boot":  {kill: true, do: func(_ *testing.T, w *world) { w.boot = "boot-2" }, reason: "unclean_end"},
		"deleted":                   {do: func(t *testing.T, w *world) { remove(t, w.spool()) }, reason: "deleted", lost: "1–5 deleted"},
		"emptied":                   {do: func(t *testing.T, w *world) { _ = os.Truncate(w.spool(), 0) }, reason: "deleted", lost: "1–5 deleted"},
		"deleted with its witness":  {do: func(t *testing.T, w *world) { remove(t, w.spool()); remove(t, w.spool()+".witness") }, reason: ""},
		"killed and deleted":        {kill: true, do: func(t *testing.T, w *world) { remove(t, w.spool()) }, reason: "deleted", lost: "1–4 deleted"}, // known when the witness was written
		"damaged":                   {do: func(t *testing.T, w *world) { _ = os.Truncate(w.spool(), 5000) }, reason: "damaged", lost: "1–5 damaged"},
		"restored":                  {do: func(t *testing.T, w *world) { copyFile(t, filepath.Join(w.early, "spool.db"), w.spool()) }, reason: "restored", lost: "4–5 restored"},
		"restored with its witness": {do: func(t *testing.T, w *world) { copyDir(t, w.early, w.dir) }, reason: "touched"},
		"restored card":             {do: func(t *testing.T, w *world) { copyDir(t, w.early, w.dir); w.boot = "boot-2" }, reason: "boot"},
		"restored and another machine": {do: func(t *testing.T, w *world) {
			copyFile(t, filepath.Join(w.early, "spool.db"), w.spool())
			w.machine = "m2"
		}, reason: "machine_changed", lost: "4–5 restored"},
		"copied over itself":                 {do: func(t *testing.T, w *world) { copyFile(t, w.spool(), w.spool()) }, reason: "touched"},
		"of another device":                  {do: func(t *testing.T, w *world) { copyFile(t, filepath.Join(w.other, "spool.db"), w.spool()) }, reason: "foreign", lost: "1–5 foreign"},
		"of another device, and its witness": {do: func(t *testing.T, w *world) { copyDir(t, w.other, w.dir) }, reason: "foreign"},
	} {
		t.Run(name, func(t *testing.T) {
			w := &world{place{memoryDir(t), "boot-1", "m1", "pi-1"}, t.TempDir(), memoryDir(t)}
			fill := func(p place, from, to int) []store.Entry {
				t.Helper()
				s := openStore(t, p.spool(), p.opts()...)
				es := appendWindows(t, s, storetest.StreamNames(2), from, to)
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				return es
			}
			fill(place{w.other, "boot-9", "m9", "pi-9"}, 0, 7)
			first := fill(w.place, 0, 3)
			copyDir(t, w.dir, w.early)
			s := openStore(t, w.spool(), w.opts()...)
			if got := s.Start(); got.Reason != "" {
				t.Fatalf("an ordinary start: %+v", got)
			}
			appendWindows(t, s, storetest.StreamNames(2), 3, 5)
			end := s.Close
			if c.kill {
				end = s.Kill
			}
			if err := end(); err != nil {
				t.Fatal(err)
			}
			if c.do != nil {
				c.do(t, w)
			}
			s = openStore(t, w.spool(), w.opts()...)
			got := s.Start()
			lost := ""
			for _, b := range got.Lost {
				if b.Stream == "stream-1" {
					lost += fmt.Sprintf("%d–%d %s", b.From, b.To, b.Reason)
				}
			}
			if got.Reason != c.reason || lost != c.lost {
				t.Errorf("%+v, want %q, lost %q", got, c.reason, c.lost)
			}
			e := appendWindows(t, s, storetest.StreamNames(2), 9, 10)[1]
			if goesOn := e.Epoch == first[0].Epoch; goesOn != (c.reason == "" && name == "nothing happened") || !goesOn && e.Seq != 1 {
				t.Errorf("goes on with %s %d", e.Epoch, e.Seq)
			}
			checkStartIsTold(t, s, got)
			if c.lost != "" {
				a, err := s.Resend(first[0].Epoch, "stream-1", 1, 99)
				if err != nil || len(a.Gone) != 1 || a.Gone[0].To != a.Last {
					t.Errorf("asked for what is lost: %+v, %v", a, err)
				}
			}
		})
	}
}

// checkStartIsTold checks that the events tell a new epoch and what is lost.
func checkStartIsTold(t *testing.T, s *store.Store, got store.Start) {
	t.Helper()
	epochs, evicted := 0, 0
	for _, n := range s.PendingNotes() {
		if n.Epoch != s.Stats().Epoch { // the epoch before may have had this number
			t.Errorf("of another epoch: %+v", n)
		}
		switch n.Kind {
		case "epoch":
			epochs++
			if n.Data["reason"] != got.Reason || n.Data["epoch"] != s.Stats().Epoch || n.Epoch != s.Stats().Epoch || n.Data["last"] == nil {
				t.Errorf("%+v", n)
			}
		case "evicted":
			evicted++
		}
	}
	if told := epochs == 1; told != (got.Reason != "") || evicted != len(got.Lost) {
		t.Errorf("%d epochs and %d evictions told of %+v", epochs, evicted, got)
	}
}
