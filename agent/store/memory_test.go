package store_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kerb/agent/store"
	"kerb/agent/store/storetest"
)

// residentKB returns how much of the file at path is resident in this process,
// in kB.
func residentKB(t *testing.T, path string) (kb int) {
	t.Helper()
	b, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		t.Skip(err)
	}
	within := false
	for l := range strings.Lines(string(b)) {
		if f := strings.Fields(l); len(f) > 4 && strings.Contains(f[0], "-") {
			within = f[len(f)-1] == path
		} else if within && f[0] == "Rss:" {
			n := 0
			fmt.Sscan(f[1], &n)
			kb += n
		}
	}
	return kb
}

func TestALargeSpoolTakesLittleMemory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "spool")
	s := openStore(t, path, store.WallClock(storetest.FirstStart.UTC))
	for i := range 20 {
		if _, err := s.Append(storetest.MakeSeries("a", 500*i, 500*i+500)); err != nil {
			t.Fatal(err)
		}
	}
	s = reopenStore(t, s, path, store.WallClock(storetest.FirstStart.UTC))
	if n := residentKB(t, path); n > 1000 {
		t.Errorf("%d kB resident after opening", n)
	}
	pending(t, s)
	if n := residentKB(t, path); n < 2000 {
		t.Errorf("%d kB resident after reading all: the test shows nothing", n)
	}
	appendWindows(t, s, storetest.StreamNames(1), 0, 1)
	if n := residentKB(t, path); n > 1000 {
		t.Errorf("%d kB resident after a window", n)
	}
}
