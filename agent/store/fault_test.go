package store_test

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"kerb/agent/store"
	"kerb/agent/store/storetest"
)

// breakDisk revokes the right to write of the open spool at path until the
// returned function is called. Reading continues.
func breakDisk(t interface{ Fatal(...any) }, path string) (mend func()) {
	swap := func(mode int) {
		fd := openAs(t, path) // another one, if the file was written anew
		f, err := syscall.Open(path, mode|syscall.O_CLOEXEC, 0)
		if err == nil {
			err = errors.Join(syscall.Dup3(f, fd, syscall.O_CLOEXEC), syscall.Close(f))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	swap(syscall.O_RDONLY)
	return func() { swap(syscall.O_RDWR) }
}

// openAs returns the descriptor under which this process has path open.
func openAs(t interface{ Fatal(...any) }, path string) int {
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range fds {
		if to, _ := os.Readlink("/proc/self/fd/" + e.Name()); to == path {
			fd, _ := strconv.Atoi(e.Name())
			return fd
		}
	}
	t.Fatal(path + " is not open")
	return 0
}

// waitRecovered waits until the spool writes its file again. Its retry delay
// doubles with each attempt that a slow test makes while the disk is broken.
func waitRecovered(t *testing.T, s *store.Store) {
	t.Helper()
	for range 6000 {
		if s.RetryWrites(); s.Fault() == nil {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal(s.Fault())
}

func TestAFileThatCannotBeWrittenStopsNothingAndComesBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "spool")
	s := openStore(t, path)
	before := appendWindows(t, s, storetest.StreamNames(2), 0, 5)
	mend := breakDisk(t, path)
	during := appendWindows(t, s, storetest.StreamNames(2), 5, 10)
	if st := s.Stats(); st.Fault == nil || st.InMemory != 10 {
		t.Fatalf("%+v", st)
	}
	if e := during[0]; e.Epoch == before[0].Epoch || e.Seq != 1 {
		t.Errorf("numbers that may never reach the file: %+v", e)
	}
	checkEqual(t, pending(t, s), append(before, during...))
	if err := s.AckWindows(during[:2]); err != nil {
		t.Fatal(err)
	}
	mend()
	waitRecovered(t, s)
	after := appendWindows(t, s, storetest.StreamNames(2), 10, 12)
	if st := s.Stats(); st.Fault != nil || st.InMemory != 0 {
		t.Fatalf("%+v", st)
	}
	if e := after[0]; e.Epoch != during[0].Epoch || e.Seq != 6 {
		t.Errorf("after recovery: %+v", e)
	}
	s = reopenStore(t, s, path)
	want := append(append(before, during[2:]...), after...)
	checkEqual(t, pending(t, s), want)
	if n := countStored(t, s); n != 24 {
		t.Errorf("%d windows stored", n)
	}
	var kinds []string
	for _, n := range s.PendingNotes() {
		kinds = append(kinds, n.Kind)
	}
	if len(kinds) != 3 || kinds[0] != "epoch" || kinds[1] != "store_failed" || kinds[2] != "store_recovered" {
		t.Errorf("notes %v", kinds)
	}
}

func TestTheRingIsBoundedAndWhatFallsOutHasATombstone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "spool")
	s := openStore(t, path, store.MaxInMemory(10))
	defer breakDisk(t, path)()
	all := appendWindows(t, s, storetest.StreamNames(1), 0, 15)
	checkEqual(t, pending(t, s), all[5:])
	st := s.Stats()
	if len(st.Tombstones) != 1 || st.Tombstones[0].To != 5 || st.Tombstones[0].Reason != "memory" || st.Evicted != 5 {
		t.Errorf("tombstones %v, %d evicted", st.Tombstones, st.Evicted)
	}
}
