package store_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	bolt "go.etcd.io/bbolt"
	"go.uber.org/goleak"

	"kerb/agent/policy"
	"kerb/agent/store"
	"kerb/agent/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// openStore opens a spool whose wall clock stands at the first window, unless an
// option says otherwise: by the clock of the machine, acknowledged windows would
// expire seven days after storetest.FirstStart.
func openStore(t *testing.T, path string, opts ...store.Option) *store.Store {
	t.Helper()
	s, err := store.Open(path, append([]store.Option{store.WallClock(storetest.FirstStart.UTC)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func reopenStore(t *testing.T, s *store.Store, path string, opts ...store.Option) *store.Store {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return openStore(t, path, opts...)
}

func appendWindows(t *testing.T, s *store.Store, streams []string, from, to int) []store.Entry {
	t.Helper()
	var all []store.Entry
	for i := from; i < to; i++ {
		es, err := s.Append(storetest.MakeWindows(streams, i))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, es...)
	}
	return all
}

func pending(t *testing.T, s *store.Store) []store.Entry {
	t.Helper()
	es, err := s.PendingWindows(1 << 20)
	if err != nil {
		t.Fatal(err)
	}
	return es
}

func checkEqual(t *testing.T, got, want []store.Entry) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d windows, want %d", len(got), len(want))
	}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("window %d is\n%+v, want\n%+v", i, got[i], want[i])
		}
	}
}

func TestWindowsComeBackAsTheyWereNumberedFromOneEach(t *testing.T) {
	path := filepath.Join(t.TempDir(), "spool")
	stamp := store.StampWith(func() (string, bool) { return "b194", true })
	s := openStore(t, path, stamp)
	want := appendWindows(t, s, storetest.StreamNames(3), 0, 20)
	for i, e := range want {
		if e.Seq != uint64(i/3+1) || e.Epoch != want[0].Epoch || e.Boot != "b194" || !e.Synced {
			t.Fatalf("window %d is %+v", i, e)
		}
	}
	s = reopenStore(t, s, path, stamp)
	checkEqual(t, pending(t, s), want)
	more := appendWindows(t, s, storetest.StreamNames(3), 20, 21)
	if more[0].Seq != 21 || more[0].Epoch != want[0].Epoch {
		t.Errorf("after reopening: %+v", more[0])
	}
}

func TestAcknowledgedWindowsAreNotPendingButCanBeHadAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "spool")
	s := openStore(t, path, store.WallClock(storetest.FirstStart.Local))
	all := appendWindows(t, s, storetest.StreamNames(2), 0, 10)
	if err := s.AckWindows(all[:8]); err != nil {
		t.Fatal(err)
	}
	s = reopenStore(t, s, path, store.WallClock(storetest.FirstStart.Local))
	checkEqual(t, pending(t, s), all[8:])
	a, err := s.Resend(all[0].Epoch, "stream-1", 2, 5)
	if err != nil || a.Resend != 4 || a.Last != 10 || a.Gone != nil {
		t.Errorf("account %+v, %v", a, err)
	}
	again := pending(t, s)
	if len(again) != 12+3 || again[0] != all[3] || again[1] != all[5] {
		t.Errorf("pending after resend: %d, %+v", len(again), again[0])
	}
}

func TestTheZeroReleaseIsRefusedAndNothingOfTheBatchStored(t *testing.T) {
	s := openStore(t, filepath.Join(t.TempDir(), "spool"))
	if _, err := s.Append([]policy.Release{storetest.MakeWindow("a", 0), {}}); !errors.Is(err, store.ErrZeroRelease) {
		t.Errorf("got %v", err)
	}
	if n := s.Stats().Pending; n != 0 {
		t.Errorf("%d windows stored", n)
	}
}

func TestAFileOfSomethingElseIsLeftAlone(t *testing.T) {
	dir := t.TempDir()
	other := filepath.Join(dir, "other.db")
	db, err := bolt.Open(other, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Update(func(tx *bolt.Tx) error { _, err := tx.CreateBucket([]byte("users")); return err }); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	text := filepath.Join(dir, "site.toml")
	if err := os.WriteFile(text, []byte("[site]\nname = \"kerb\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{other, text, dir} {
		for what, f := range map[string]func() error{
			"opened": func() error {
				s, err := store.Open(path, store.WallClock(storetest.FirstStart.UTC))
				if err != nil {
					return err
				}
				fault := s.Fault()
				if _, err := s.Append(storetest.MakeWindows(storetest.StreamNames(1), 0)); err != nil || s.Stats().InMemory != 1 {
					t.Errorf("%v, %d windows in memory", err, s.Stats().InMemory)
				}
				_ = s.Close() // the file is still in the way
				return fault
			},
			"read": func() error { _, err := store.OpenReadOnly(path); return err },
		} {
			if err := f(); !errors.Is(err, store.ErrForeign) {
				t.Errorf("%s %s: %v", what, filepath.Base(path), err)
			}
		}
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*.damaged*")); left != nil {
		t.Errorf("quarantined %v", left)
	}
}

func TestASpoolThatIsOpenIsInUse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "spool")
	openStore(t, path)
	if _, err := store.OpenReadOnly(path); !errors.Is(err, store.ErrInUse) {
		t.Errorf("got %v", err)
	}
}
