package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const kernelWords = "console=tty1 root=PARTUUID=60c24cc1-f3f9-427a-8199-0a65fa0d0001/PARTNROFF=1 ro init=/gokrazy/init panic=10"

func TestStartFromNamesTheSlot(t *testing.T) {
	padded := kernelWords + strings.Repeat(" ", 64)
	if n := namedPartition(padded); n != slotA {
		t.Errorf("names partition %d", n)
	}
	trial := startFrom(padded, slotA, true)
	if namedPartition(trial) != slotA || !strings.HasSuffix(trial, tryWord) {
		t.Errorf("trial: %q", trial)
	}
	kept := startFrom(strings.Replace(trial, tryWord, triedWord, 1), slotB, false)
	if want := strings.Replace(kernelWords, "PARTNROFF=1", "PARTNROFF=2", 1); kept != want {
		t.Errorf("kept:\n%q, want\n%q", kept, want)
	}
}

func TestCmdlineIsEditedInPlace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "disk")
	text := kernelWords + strings.Repeat(" ", 64)
	if err := os.WriteFile(path, []byte("before"+text+"after"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	edit := func(line string) string { return startFrom(line, slotB, true) }
	if err := editAt(f, 6, int64(len(text)), edit); err != nil {
		t.Fatal(err)
	}
	b, _ := os.ReadFile(path)
	if s := string(b); len(s) != len(text)+11 || !strings.HasPrefix(s, "before") || !strings.HasSuffix(s, "after") || namedPartition(s) != slotB {
		t.Errorf("%q", s)
	}
	if err := editAt(f, 6, 40, edit); err == nil {
		t.Error("half a line was edited")
	}
	if err := editAt(f, 6, int64(len(text)), func(string) string { return strings.Repeat("x", len(text)+1) }); err == nil {
		t.Error("more was written than there is room for")
	}
}

func writeFiles(t *testing.T, dir string, files map[string]string) string {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestCopySetCopiesAllFilesAndHashesThem(t *testing.T) {
	from := writeFiles(t, t.TempDir(), map[string]string{"site.toml": "a", "policy.toml": "b", "keys/password": "c"})
	to := filepath.Join(t.TempDir(), "offered")
	one, err := copySet(from, to, os.Getgid())
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(to, "keys/password"))
	if err != nil || string(b) != "c" {
		t.Errorf("%q, %v", b, err)
	}
	if info, err := os.Stat(filepath.Join(to, "keys/password")); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("%v, %v: a password that everyone may read", info.Mode(), err)
	}
	writeFiles(t, from, map[string]string{"keys/password": "d"})
	if other, err := copySet(from, to, os.Getgid()); err != nil || other == one {
		t.Errorf("another content has the same name: %s, %v", other, err)
	}
	if _, err := copySet(t.TempDir(), to, os.Getgid()); err != fs.ErrNotExist {
		t.Errorf("an empty card: %v", err)
	}
	writeFiles(t, from, map[string]string{"large": strings.Repeat("x", maxCardBytes)})
	if _, err := copySet(from, to, os.Getgid()); err == nil {
		t.Error("a folder of any size was taken")
	}
}

func TestSettingsAreStrict(t *testing.T) {
	for want, files := range map[string]map[string]string{
		"":                                   {},
		"system.toml:2: update.ulr: no such": {"system.toml": "[update]\nulr = \"x\"\n"},
		"nothing unsigned is installed":      {"system.toml": "[update]\nurl = \"https://u.example\"\n"},
		"no minisign public key":             {"system.toml": "[update]\nkeys = [\"x\"]\n"},
		"must be http":                       {"system.toml": "[update]\nurl = \"ftp://u.example\"\n"},
		"psk: must be 8–63":                  {"wifi.toml": "ssid = \"a\"\npsk = \"short\"\n"},
		"ssid: must be 1–32":                 {"wifi.toml": "psk = \"shorter than it\"\n"},
		"psk: must be":                       {"wifi.toml": "ssid = \"a\"\n"},
		"as in ssid = \"north":               {"wifi.toml": "ssid = north\npsk = \"long enough\"\n"},
		"wifi.toml:2: ":                      {"wifi.toml": "ssid = \"a\"\npsk = \"shorter than it\n"},
		"country: no such key":               {"wifi.toml": "ssid = \"a\"\npsk = \"long enough\"\ncountry = \"GB\"\n"},
		"update.trial = \"1s\"":              {"system.toml": "[update]\ntrial = \"1s\"\n"},
	} {
		_, err := readSettings(writeFiles(t, t.TempDir(), files))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%v: %v, want %q", files, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "short") {
			t.Errorf("the password is told: %v", err)
		}
	}
}
