package audit

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"
)

func TestASecondWriterIsToldWhoHasTheLog(t *testing.T) {
	dir := t.TempDir()
	now := func() (time.Time, bool) { return time.Now(), true }
	l, err := Open(dir, now)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, err = Open(dir, now)
	var inUse InUseError
	if !errors.Is(err, ErrInUse) || !errors.As(err, &inUse) || strings.Contains(err.Error(), "\n") {
		t.Fatalf("%v", err)
	}
	if inUse.PID != os.Getpid() && inUse.PID != 0 { // 0 where /proc/locks tells nothing
		t.Errorf("process %d, want %d", inUse.PID, os.Getpid())
	}
}

func TestTheHolderOfALockIsReadFromTheTable(t *testing.T) {
	const table = "1: POSIX  ADVISORY  WRITE 10 fd:01:77 0 EOF\n2: FLOCK  ADVISORY  WRITE 30092 fd:01:177 0 EOF\n2: -> FLOCK  ADVISORY  WRITE 5 fd:01:77 0 EOF\n3: FLOCK  ADVISORY  WRITE 30093 00:21:77 0 EOF\nx\n"
	for inode, want := range map[string]int{":77": 30093, ":177": 30092, ":7": 0} {
		if got := parseLockHolder(table, inode); got != want {
			t.Errorf("inode %s: %d, want %d", inode, got, want)
		}
	}
	if got := (InUseError{7}).Error(); got != "in use by process 7" {
		t.Error(got)
	}
}
