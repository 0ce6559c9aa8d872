package state

import (
	"os"
	"path/filepath"
	"testing"
)

func writeFile(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil { // past the umask
		t.Fatal(err)
	}
}

// wantFile fails unless path is a file of its own with this text and mode.
func wantFile(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(b) != text || info.Mode() != mode {
		t.Errorf("%s: %q with mode %v, want %q with %v", path, b, info.Mode(), text, mode)
	}
}

func TestAReplacedFileLooksLikeTheOther(t *testing.T) {
	dir := t.TempDir()
	site, link, old := filepath.Join(dir, "real.toml"), filepath.Join(dir, "site.toml"), filepath.Join(dir, "site.toml.old")
	writeFile(t, site, "one", 0o640)
	if err := os.Symlink("real.toml", link); err != nil {
		t.Fatal(err)
	}
	for _, r := range []struct{ path, text string }{{old, "one"}, {link, "two"}} {
		if err := Replace(r.path, []byte(r.text), link); err != nil {
			t.Fatal(err)
		}
	}
	wantFile(t, old, "one", 0o640)
	wantFile(t, site, "two", 0o640)
	if to, err := os.Readlink(link); err != nil || to != "real.toml" {
		t.Errorf("the link leads to %q: %v", to, err)
	}
}

func TestWithoutAnotherTheFileIsPrivateAndALinkGoes(t *testing.T) {
	dir := t.TempDir()
	path, other := filepath.Join(dir, AdmittedFile), filepath.Join(dir, "other")
	writeFile(t, other, "not kerb's", 0o644)
	if err := os.Symlink("other", path); err != nil {
		t.Fatal(err)
	}
	if err := Replace(path, []byte("new"), ""); err != nil {
		t.Fatal(err)
	}
	wantFile(t, path, "new", privateMode)
	wantFile(t, other, "not kerb's", 0o644)
	fresh := filepath.Join(dir, AcceptanceFile)
	if err := Replace(fresh, []byte("first"), fresh); err != nil {
		t.Fatal(err)
	}
	wantFile(t, fresh, "first", privateMode)
}

func TestAFailedReplaceLeavesNoTrace(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "taken")
	if err := os.Mkdir(path, 0o700); err != nil { // a directory cannot be replaced by a file
		t.Fatal(err)
	}
	if err := Replace(path, []byte("new"), ""); err == nil {
		t.Error("a directory was replaced")
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
