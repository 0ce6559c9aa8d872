package main

import (
	"os"
	"path/filepath"
	"testing"

	"aead.dev/minisign"

	"kerb/agent/cage"
)

func TestABundleIsCheckedByItsSignature(t *testing.T) {
	p := prove{Out: t.TempDir()}
	path, err := p.sign(proof{Schema: "kerb.proof/1"})
	if err != nil {
		t.Fatal(err)
	}
	bundle, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	signature, err := os.ReadFile(path + ".minisig")
	if err != nil {
		t.Fatal(err)
	}
	key, err := minisign.PublicKeyFromFile(filepath.Join(p.Out, "kerb-proof.pub"))
	if err != nil {
		t.Fatal(err)
	}
	if !minisign.Verify(key, bundle, signature) {
		t.Error("the signature does not fit")
	}
	if minisign.Verify(key, append(bundle, ' '), signature) {
		t.Error("a changed bundle fits")
	}
}

func TestAWallThatDoesNotHoldIsAFault(t *testing.T) {
	through := cage.Report{Role: "free", Walls: []cage.Wall{{Name: "listen"}}}
	for name, c := range map[string]struct {
		walls []cage.Report
		want  int
	}{
		"all hold":                            {[]cage.Report{through, {Role: "sense", Walls: []cage.Wall{{Name: "listen", Holds: true}}}}, 0},
		"one may":                             {[]cage.Report{through, {Role: "uplink", Walls: []cage.Wall{{Name: "listen", May: "why"}}}}, 0},
		"one does not hold":                   {[]cage.Report{through, {Role: "sense", Walls: []cage.Wall{{Name: "listen"}}}}, 1},
		"the attempts themselves do not work": {[]cage.Report{{Walls: []cage.Wall{{Name: "listen", Holds: true}}}}, 1},
	} {
		p := proof{Walls: c.walls}
		if p.judgeWalls(); len(p.Faults) != c.want {
			t.Errorf("%s: %q", name, p.Faults)
		}
	}
}
