package powercut

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"kerb/agent/store"
	"kerb/agent/store/storetest"

	bolt "go.etcd.io/bbolt"
)

// killDir, when set, makes this test program fill the spool there as fast as
// it can, from window killFrom on, until it is killed.
const (
	killDir  = "KERB_KILL_LOAD"
	killFrom = "KERB_KILL_FROM"
)

// keepAll is a retention in which no window of the test expires: each life begins six
// days after the one before.
var keepAll = store.KeepFor(100 * 365 * 24 * time.Hour)

// fillUntilKilled fills a spool and acknowledges a part of it. On stdout it
// reports each accepted window after its acceptance, and each window that may
// be released before its release.
func fillUntilKilled(dir, from string) error {
	window, err := strconv.Atoi(from)
	if err != nil {
		return err
	}
	now := storetest.FirstStart
	s, err := store.Open(filepath.Join(dir, "spool"), append(spoolOptions(&now), keepAll)...)
	if err != nil {
		return err
	}
	rnd := rand.New(rand.NewPCG(uint64(window), 1))
	for ; ; window++ {
		now = storetest.FirstStart.Add(time.Duration(window) * 5 * time.Second)
		es, err := s.Append(storetest.MakeWindows(storetest.StreamNames(4), window))
		if err != nil {
			return err
		}
		mark := ""
		for _, e := range es {
			mark += fmt.Sprintf("A %s %x\n", entryName(e), entryDigest(e))
		}
		if s.Stats().Pending > 400 {
			if es, err = s.PendingWindows(100 + rnd.IntN(200)); err != nil {
				return err
			}
			for _, e := range es {
				mark += fmt.Sprintf("S %s\n", entryName(e))
			}
		} else {
			es = nil
		}
		if _, err := os.Stdout.WriteString(mark); err != nil {
			return err
		}
		if err := s.AckWindows(es); err != nil {
			return err
		}
	}
}

func TestNoWindowIsLostHoweverOftenTheAgentIsKilled(t *testing.T) {
	kills := 20
	if os.Getenv("KERB_LONG") != "" {
		kills = 1000
	}
	dir, rnd, a := t.TempDir(), rand.New(rand.NewPCG(3, 3)), newWindowAccount()
	a.all = a.accepted
	taken := 0
	for i := range kills {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), killDir+"="+dir, killFrom+"="+strconv.Itoa(i*100_000))
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		kill := time.AfterFunc(time.Duration(10+rnd.IntN(120))*time.Millisecond, func() { cmd.Process.Kill() })
		marks, err := io.ReadAll(out)
		kill.Stop()
		if cmd.Wait(); err != nil || cmd.ProcessState.Success() || cmd.ProcessState.ExitCode() > 0 {
			t.Fatalf("the load ended by itself: %v, %v", cmd.ProcessState, err)
		}
		whole := strings.LastIndexByte(string(marks), '\n') + 1
		a.readMarks(marks[:whole])
		taken += strings.Count(string(marks), "A ")
		a.auditKilled(t, filepath.Join(dir, "spool"))
	}
	t.Logf("%d kills, %d windows taken, none lost, none doubled", kills, taken)
	if taken == 0 {
		t.Error("killed before it began, every time")
	}
}

// auditKilled has bbolt itself check the file, and looks for every window.
func (a *windowAccount) auditKilled(t *testing.T, path string) {
	t.Helper()
	if _, err := os.Stat(path); os.IsNotExist(err) {
		return
	}
	s, err := store.Open(path, store.WallClock(storetest.FirstStart.UTC), keepAll)
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	db, err := bolt.Open(path, 0o600, &bolt.Options{NoFreelistSync: true})
	if err != nil {
		t.Fatal(err)
	}
	err = db.View(func(tx *bolt.Tx) error {
		for err := range tx.Check() {
			t.Errorf("bbolt's check: %v", err)
		}
		return nil
	})
	if err != nil || db.Close() != nil {
		t.Fatal(err)
	}
	s, err = store.OpenReadOnly(path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	has := map[string]bool{}
	err = s.EachWindow(func(i store.Item) error {
		n := entryName(i.Entry)
		if has[n] {
			t.Errorf("%s twice", n)
		}
		has[n] = true
		if want := a.accepted[n]; want != "" && want != fmt.Sprintf("%x", entryDigest(i.Entry)) {
			t.Errorf("%s is another window", n)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for n := range a.accepted {
		if a.released[n] {
			delete(a.accepted, n) // it may be gone from now on
		} else if !has[n] {
			t.Errorf("%s is lost", n)
		}
	}
}
