package fuse

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"kerb/agent/store"
	"kerb/agent/store/storetest"
)

// The file system is served by a process of its own: a page fault of the spool
// would otherwise wait for a runtime that waits for it.
const serveDir = "KERB_FUSE_SERVE"

func TestMain(m *testing.M) {
	if dir := os.Getenv(serveDir); dir != "" {
		if err := serveFaulty(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// mount gives a directory on the faulty file system, and the switch.
func mount(t *testing.T) (mnt, fault string) {
	t.Helper()
	if _, err := os.Stat("/dev/fuse"); err != nil || os.Geteuid() != 0 {
		t.Skip("needs /dev/fuse and root")
	}
	dir := t.TempDir()
	mnt = filepath.Join(dir, "mnt")
	if err := errors.Join(os.Mkdir(filepath.Join(dir, "data"), 0o700), os.Mkdir(mnt, 0o700)); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), serveDir+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "mounted\n" {
		t.Skipf("cannot mount: %q, %v", line, err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(mnt, 0); err != nil {
			t.Error(err)
			_ = syscall.Unmount(mnt, syscall.MNT_DETACH)
		}
		_ = cmd.Wait()
	})
	return mnt, filepath.Join(dir, faultSwitch)
}

func pendingIs(t *testing.T, s *store.Store, want []store.Entry) {
	t.Helper()
	got, err := s.PendingWindows(1 << 20)
	if err != nil {
		t.Fatal(err)
	}
	has := map[store.Entry]bool{}
	for _, e := range got {
		has[e] = true
	}
	for _, e := range want {
		if !has[e] {
			t.Fatalf("%s %s %d is lost", e.Epoch, e.Release.Stream(), e.Seq)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d windows pending, want %d", len(got), len(want))
	}
}

func TestAFailingFsyncStopsNothing(t *testing.T) {
	mnt, fault := mount(t)
	path := filepath.Join(mnt, "spool")
	s, err := store.Open(path, store.WallClock(storetest.FirstStart.UTC))
	if err != nil {
		t.Fatal(err)
	}
	var all []store.Entry
	next := 0
	fill := func(n int) {
		t.Helper()
		for range n {
			es, err := s.Append(storetest.MakeWindows(storetest.StreamNames(4), next))
			if err != nil {
				t.Fatal(err)
			}
			next++
			all = append(all, es...)
		}
	}
	rounds := 3
	if os.Getenv("KERB_LONG") != "" {
		rounds = 50
	}
	for range rounds {
		fill(20)
		if err := os.WriteFile(fault, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		fill(30)
		if !errors.Is(s.Stats().Fault, syscall.EIO) {
			t.Fatalf("no EIO: %v", s.Stats().Fault)
		}
		pendingIs(t, s, all)
		if err := os.Remove(fault); err != nil {
			t.Fatal(err)
		}
		for i := 0; s.Stats().Fault != nil; i++ {
			if s.RetryWrites(); i > 1200 {
				t.Fatalf("no recovery: %v", s.Stats().Fault)
			}
			time.Sleep(50 * time.Millisecond)
		}
		fill(1)
		pendingIs(t, s, all)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if s, err = store.Open(path, store.WallClock(storetest.FirstStart.UTC)); err != nil {
			t.Fatal(err)
		}
		pendingIs(t, s, all)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	t.Logf("%d rounds, %d windows, all accounted for", rounds, len(all))
}
