package policy

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"aead.dev/minisign"
)

// TestTheVectorsHold reads what test/vectors/policy/README.md describes. The
// signature there was made by minisign's own program.
func TestTheVectorsHold(t *testing.T) {
	read := func(name string) []byte {
		b, err := os.ReadFile(filepath.Join("../../test/vectors/policy", name))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	p, err := Parse("policy.toml", read("policy.toml"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(p.Canonical(), read("canonical.toml")) {
		t.Errorf("canonical form:\n%s", p.Canonical())
	}
	if got, want := p.Hash(), strings.TrimSpace(string(read("hash.txt"))); got != want {
		t.Errorf("hash %s, want %s", got, want)
	}
	var key minisign.PublicKey
	if err := key.UnmarshalText(read("reviewer.pub")); err != nil {
		t.Fatal(err)
	}
	trust := Trust{Mode: Signed, Keys: []minisign.PublicKey{key}}
	if err := trust.Admit(p, nil, read("canonical.toml.minisig")); err != nil {
		t.Error(err)
	}
}
