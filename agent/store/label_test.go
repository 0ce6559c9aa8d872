package store_test

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"kerb/agent/store"
	"kerb/agent/store/storetest"
)

// stamped is a clock that the test sets.
type stamped struct {
	boot   string
	synced bool
}

func (s *stamped) option() store.Option {
	return store.StampWith(func() (string, bool) { return s.boot, s.synced })
}

func TestWindowsOfOneLabelAreNumberedAsItsParts(t *testing.T) {
	path, c := filepath.Join(t.TempDir(), "spool"), &stamped{"boot-1", true}
	s := openStore(t, path, c.option())
	check := func(what string, window int, want uint32) {
		t.Helper()
		for _, e := range appendWindows(t, s, storetest.StreamNames(2), window, window+1) {
			if e.Part != want {
				t.Errorf("%s: part %d of window %d, want %d", what, e.Part, window, want)
			}
		}
	}
	check("the first", 3, 0)
	check("the next", 4, 0)
	check("the same label", 4, 2)
	c.boot = "boot-2"
	s = reopenStore(t, s, path, c.option())
	check("after another boot", 4, 3)
	check("after a step back", 3, 2)
	check("between", 2, 0)
	c.synced = false
	check("a label that cannot be trusted", 4, 0)
	check("twice in one boot", 4, 2)
	c.boot = "boot-3"
	check("in another boot", 4, 0)
	es, err := s.Append(storetest.MakeWindows([]string{"x", "x", "x"}, 9))
	if err != nil || es[0].Part != 0 || es[1].Part != 2 || es[2].Part != 3 {
		t.Errorf("in one transaction: %+v, %v", es, err)
	}
	want := pending(t, s)
	s = reopenStore(t, s, path, c.option())
	checkEqual(t, pending(t, s), want)
}

func TestWindowsOfAWrongClockAreHeldUntilTheirLabelsAreTrue(t *testing.T) {
	path, c := filepath.Join(t.TempDir(), "spool"), &stamped{"boot-1", false}
	s := openStore(t, path, c.option(), store.HoldUnsynced())
	held := appendWindows(t, s, storetest.StreamNames(2), 0, 3)
	if p := pending(t, s); len(p) != 0 || s.Stats().Pending != 6 || s.TakeReleased() {
		t.Fatalf("%d windows are sent with a label that is not true", len(p))
	}
	// The last window ended at 70 minutes after the boot by its own account.
	wall := storetest.FirstStart.AddDate(3, 0, 0)
	last := held[5].Release
	n, err := s.Relabel(wall.Add(time.Minute), last.Mono()+time.Minute)
	if err != nil || n != 6 || !s.TakeReleased() || s.TakeReleased() {
		t.Fatalf("%d windows relabelled, %v", n, err)
	}
	got := pending(t, s)
	for i, e := range got {
		end := wall.Add(e.Release.Mono() - last.Mono())
		if !e.Synced || !e.Relabelled || e.Seq != held[i].Seq || e.Epoch != held[i].Epoch || e.Part != 0 ||
			e.Release.EndTime().Before(end) || !e.Release.StartTime().Before(end) {
			t.Errorf("window %d ended %s and is %+v", i, end, e)
		}
	}
	c.synced = true
	if n, err := s.Relabel(wall, time.Hour); n != 0 || err != nil {
		t.Errorf("relabelled twice: %d, %v", n, err)
	}
	s = reopenStore(t, s, path, c.option(), store.HoldUnsynced())
	checkEqual(t, pending(t, s), got)
	if err := s.CheckFile(); err != nil {
		t.Error(err)
	}
}

func TestAWindowThatWasSentKeepsItsLabel(t *testing.T) {
	c := &stamped{"boot-1", false}
	s := openStore(t, filepath.Join(t.TempDir(), "spool"), c.option(), store.HoldUnsynced())
	appendWindows(t, s, storetest.StreamNames(1), 0, 2)
	if s.ReleaseHeld(); !s.TakeReleased() {
		t.Error("nothing to release")
	}
	sent := pending(t, s)
	if n, err := s.Relabel(storetest.FirstStart.AddDate(3, 0, 0), 2*time.Hour); n != 0 || err != nil || len(sent) != 2 {
		t.Errorf("%d of %d windows relabelled, %v", n, len(sent), err)
	}
	checkEqual(t, pending(t, s), sent)
}

// A clock that was set back labels an hour twice. Its windows are not trusted, though
// the clock is.
func TestALabelThatWasGivenBeforeIsNotTrustedLater(t *testing.T) {
	c := &stamped{"boot-1", true}
	s := openStore(t, filepath.Join(t.TempDir(), "spool"), c.option(), store.HoldUnsynced())
	appendWindows(t, s, storetest.StreamNames(1), 0, 1)
	c.synced = false
	again := appendWindows(t, s, storetest.StreamNames(1), 0, 2)
	if n, err := s.Relabel(again[1].Release.EndTime(), again[1].Release.Mono()); n != 1 || err != nil {
		t.Errorf("%d windows relabelled, %v", n, err)
	}
	if p := pending(t, s); len(p) != 3 || p[1] != again[0] || !p[2].Synced || p[2].Release != again[1].Release {
		t.Errorf("%+v", p)
	}
}

func TestWindowsInMemoryAreRelabelledAsWell(t *testing.T) {
	path, c := filepath.Join(t.TempDir(), "spool"), &stamped{"boot-1", false}
	s := openStore(t, path, c.option(), store.HoldUnsynced())
	appendWindows(t, s, storetest.StreamNames(1), 0, 2)
	mend := breakDisk(t, path)
	es := appendWindows(t, s, storetest.StreamNames(1), 2, 4)
	if s.Fault() == nil {
		t.Fatal("the disk works")
	}
	n, err := s.Relabel(storetest.FirstStart.AddDate(3, 0, 0), es[1].Release.Mono())
	mend()
	if n != 2 || err != nil && !errors.Is(err, store.ErrDamaged) {
		t.Errorf("%d windows relabelled, %v", n, err)
	}
	waitRecovered(t, s)
	for i, e := range pending(t, s) {
		if e.Synced != (i >= 2) { // those of the file could not be written, and keep their labels
			t.Errorf("window %d: %+v", i, e)
		}
	}
}
