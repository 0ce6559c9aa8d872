package audit

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// A device notices at its next start that its log was cut or deleted.
func TestALogThatWasCutIsNoticedAtTheNextStart(t *testing.T) {
	now := func() (time.Time, bool) { return time.Unix(1_800_000_000, 0), true }
	for name, c := range map[string]struct {
		harm func(dir string) error
		cut  bool
	}{
		"left as it was": {func(string) error { return nil }, false},
		"two entries cut off": {func(dir string) error {
			path := filepath.Join(dir, "0000000001.log")
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			lines := bytes.SplitAfter(b, []byte("\n"))
			return os.WriteFile(path, bytes.Join(lines[:2], nil), 0o600)
		}, true},
		"deleted":             {os.RemoveAll, true},
		"the head is no head": {func(dir string) error { return os.WriteFile(dir+HeadSuffix, []byte("x"), 0o600) }, true},
	} {
		dir := filepath.Join(t.TempDir(), "audit")
		write := func(kinds ...string) {
			l, err := Open(dir, now)
			if err != nil {
				t.Fatal(err)
			}
			for _, k := range kinds {
				if err := l.Append(k, nil); err != nil {
					t.Fatal(err)
				}
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
		}
		write("one", "two", "three", "four")
		if err := c.harm(dir); err != nil {
			t.Fatal(err)
		}
		write("start")
		cut := false
		_, _ = VerifyLog(dir, func(e Entry) error {
			cut = cut || e.Kind == "cut"
			return nil
		})
		if cut != c.cut {
			t.Errorf("%s: the log tells of a cut: %t, want %t", name, cut, c.cut)
		}
	}
}

// An empty log and one that cannot be read are not whole.
func TestAnEmptyLogIsNotWhole(t *testing.T) {
	if _, err := VerifyHead(t.TempDir(), Head{}); err == nil {
		t.Error("an empty log is whole")
	}
	if _, err := VerifyHead(filepath.Join(t.TempDir(), "none"), Head{}); err == nil {
		t.Error("no log is whole")
	}
}
