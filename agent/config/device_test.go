package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// A command that looks at a device needs its table alone, however wrong the rest is.
func TestTheDeviceIsReadFromAnyFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "site.toml")
	for text, want := range map[string]Device{
		"[device]\nname = \"pole\"\nsite = \"a\"\ntenant = \"b\"\nstate = \"here\"\n[broker]\nurl = \"mqtt://b\"\nretry_max = \"x\"\n": {Name: "pole", Site: "a", Tenant: "b", State: filepath.Join(dir, "here")},
		"[device]\nname = \"pole\"\n[broker]\npassword: 'x'\n":                                                                         {Name: "pole", State: DefaultState},
		"":                       {State: DefaultState},
		"[device]\nname = 7\nno": {State: DefaultState},
		"\xff\xfe":               {State: DefaultState},
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := LoadDevice(path); err != nil || got != want {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
	if d, err := LoadDevice(filepath.Join(dir, "gone")); !errors.Is(err, fs.ErrNotExist) || d.State != DefaultState {
		t.Errorf("no file: %+v, %v", d, err)
	}
}
