package powercut

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"kerb/agent/store"
	"kerb/agent/store/storetest"
)

// mountExt4 gives a small ext4 file system of its own.
func mountExt4(t *testing.T, size int64, options string) (dir, image string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("mounting needs root")
	}
	dir, image = filepath.Join(t.TempDir(), "mnt"), filepath.Join(t.TempDir(), "ext4")
	if err := errors.Join(os.Mkdir(dir, 0o700), os.WriteFile(image, nil, 0o600), os.Truncate(image, size)); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("mkfs.ext4", "-q", "-m", "0", image).CombinedOutput(); err != nil {
		t.Skipf("mkfs.ext4: %v\n%s", err, out)
	}
	if out, err := exec.Command("mount", "-o", "loop,"+options, image, dir).CombinedOutput(); err != nil {
		t.Skipf("mount: %v\n%s", err, out)
	}
	t.Cleanup(func() {
		if err := runCommand("umount", dir); err != nil {
			t.Errorf("umount: %v", err)
		}
	})
	return dir, image
}

func runCommand(args ...string) error {
	out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
	if err != nil {
		return errors.New(strings.Join(args, " ") + ": " + string(out))
	}
	return nil
}

// windowLedger records the windows given to a spool, all of which must be
// accounted for.
type windowLedger struct {
	t    *testing.T
	s    *store.Store
	next int
	all  []store.Entry
	keys map[string]bool
}

func newWindowLedger(t *testing.T, s *store.Store) *windowLedger {
	return &windowLedger{t: t, s: s, keys: map[string]bool{}}
}

// appendWindows appends that many windows of each stream to the spool and
// records them.
func (l *windowLedger) appendWindows(windows int) {
	l.t.Helper()
	for range windows {
		es, err := l.s.Append(storetest.MakeWindows(storetest.StreamNames(4), l.next))
		if err != nil {
			l.t.Fatal(err)
		}
		l.next++
		for _, e := range es {
			if l.keys[entryName(e)] {
				l.t.Fatalf("%s was given twice", entryName(e))
			}
			l.keys[entryName(e)] = true
		}
		l.all = append(l.all, es...)
	}
}

// checkPending checks that every window is pending, unchanged.
func (l *windowLedger) checkPending() {
	l.t.Helper()
	es, err := l.s.PendingWindows(1 << 20)
	if err != nil {
		l.t.Fatal(err)
	}
	has := map[store.Entry]bool{}
	for _, e := range es {
		has[e] = true
	}
	for _, e := range l.all {
		if !has[e] {
			l.t.Fatalf("%s is lost", entryName(e))
		}
	}
	if len(es) != len(l.all) {
		l.t.Errorf("%d windows pending, %d given", len(es), len(l.all))
	}
}

func TestAFullDiskStopsNothing(t *testing.T) {
	dir, _ := mountExt4(t, 8<<20, "rw")
	s, err := store.Open(filepath.Join(dir, "spool"), store.WallClock(storetest.FirstStart.UTC))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	l := newWindowLedger(t, s)
	l.appendWindows(20)
	ballast := filepath.Join(dir, "ballast")
	fillDisk(t, ballast)
	for i := 0; s.Stats().Fault == nil && i < 2000; i++ {
		l.appendWindows(1)
	}
	if !errors.Is(s.Stats().Fault, syscall.ENOSPC) {
		t.Fatalf("no ENOSPC: %v", s.Stats().Fault)
	}
	l.appendWindows(50)
	l.checkPending()
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	waitRecovered(t, s)
	l.appendWindows(5)
	l.checkPending()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if l.s, err = store.Open(filepath.Join(dir, "spool"), store.WallClock(storetest.FirstStart.UTC)); err != nil {
		t.Fatal(err)
	}
	defer l.s.Close()
	l.checkPending()
	t.Logf("%d windows, all accounted for", len(l.all))
}

// fillDisk writes zeros until the disk is full.
func fillDisk(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, size := range []int{1 << 20, 4096} {
		for err = nil; err == nil; {
			_, err = f.Write(make([]byte, size))
		}
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	_ = f.Sync()
}

// waitRecovered waits until the spool notices by itself that its disk works
// again.
func waitRecovered(t *testing.T, s *store.Store) {
	t.Helper()
	for range 1200 {
		if s.RetryWrites(); s.Stats().Fault == nil {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("no recovery: %v", s.Stats().Fault)
}

func TestADiskThatTurnsReadOnlyStopsNothing(t *testing.T) {
	dir, image := mountExt4(t, 8<<20, "errors=remount-ro")
	path := filepath.Join(dir, "spool")
	s, err := store.Open(path, store.WallClock(storetest.FirstStart.UTC))
	if err != nil {
		t.Fatal(err)
	}
	l := newWindowLedger(t, s)
	l.appendWindows(20)
	breakExt4(t, dir)
	l.appendWindows(30)
	if s.Stats().Fault == nil {
		t.Fatal("the disk goes on being written")
	}
	l.checkPending() // the file can still be read, and memory holds the rest
	t.Logf("live: %v", s.Stats().Fault)
	s.Close()

	// After a restart on a disk that is still read-only: the backlog of the
	// file leaves, new windows are held, and all go in once it can be written.
	if err := runCommand("umount", dir); err != nil {
		t.Fatal(err)
	}
	// A process with a mount namespace of its own that began meanwhile still holds the old
	// file system, and a second mount of the same file would be that one: mount a copy.
	disk, err := os.ReadFile(image)
	image += "-copy"
	if err := errors.Join(err, os.WriteFile(image, disk, 0o600)); err != nil {
		t.Fatal(err)
	}
	_ = runCommand("e2fsck", "-fy", image) // says 1 when it mended something
	if err := errors.Join(runCommand("mount", "-o", "loop", image, dir), runCommand("mount", "-o", "remount,ro", dir)); err != nil {
		t.Fatal(err)
	}
	if s, err = store.Open(path, store.WallClock(storetest.FirstStart.UTC)); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	held, err := s.PendingWindows(1 << 20)
	if err != nil || len(held) != 80 {
		t.Fatalf("%d windows of the file, %v", len(held), err)
	}
	l2 := newWindowLedger(t, s)
	l2.all, l2.next = held, 1000
	for _, e := range held {
		l2.keys[entryName(e)] = true
	}
	l2.appendWindows(10)
	if !errors.Is(s.Stats().Fault, syscall.EROFS) {
		t.Errorf("fault %v", s.Stats().Fault)
	}
	l2.checkPending()
	if err := runCommand("mount", "-o", "remount,rw", dir); err != nil {
		t.Fatal(err)
	}
	waitRecovered(t, s)
	l2.appendWindows(10)
	l2.checkPending()
}

// breakExt4 makes the kernel find an error in the file system.
func breakExt4(t *testing.T, dir string) {
	t.Helper()
	out, err := exec.Command("findmnt", "-no", "SOURCE", dir).Output()
	if err != nil {
		t.Skip("findmnt: ", err)
	}
	trigger := "/sys/fs/ext4/" + filepath.Base(strings.TrimSpace(string(out))) + "/trigger_fs_error"
	if err := os.WriteFile(trigger, []byte("1"), 0o200); err != nil {
		t.Skip(err)
	}
}
