package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Two public keys as minisign writes them.
const (
	keyA = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3"
	keyB = "RWQBAAAAAAAAAFxdXV5fYGFiY2RlZmdoaWprbG1ub3BxcnN0dXZ3eHl6"
)

func TestTheDeviceSaysWhomItTrusts(t *testing.T) {
	dir := t.TempDir()
	file := "untrusted comment: minisign public key\n" + keyB + "\n"
	if err := os.WriteFile(filepath.Join(dir, "b.pub"), []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := Parse(filepath.Join(dir, "site.toml"), []byte(sound+"\n[trust]\nmode = \"two-person\"\nkeys = [\""+keyA+"\", \"b.pub\"]\n"))
	if err != nil {
		t.Fatal(err)
	}
	if s.Trust.Mode != "two-person" || len(s.Trust.Keys) != 2 || s.Trust.Keys[0].String() != keyA || s.Trust.Keys[1].String() != keyB {
		t.Errorf("%+v", s.Trust)
	}
	if s, err := Parse("site.toml", []byte(sound)); err != nil || s.Trust.Mode != "" || s.Trust.Keys != nil {
		t.Errorf("without a word: %+v %v", s, err)
	}
}

func TestWrongTrustIsNamed(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"another mode", `mode = "secret"`, "must be one of open, signed, two-person"},
		{"no key", `mode = "signed"`, "must name 1 or more"},
		{"one key for two people", `mode = "two-person"` + "\nkeys = [\"" + keyA + "\"]", "must name 2 or more"},
		{"a stump of a key", `keys = ["RWQ"]`, "member 1 must be a minisign public key"},
		{"a file that is not there", `keys = ["` + keyA + `", "nobody.pub"]`, "looked for /nowhere/nobody.pub"},
		{"a secret key", `secret = "x"`, "trust.secret: no such key"},
	} {
		_, err := Parse("/nowhere/site.toml", []byte(sound+"\n[trust]\n"+c.text+"\n"))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
