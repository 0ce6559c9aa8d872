package main

import (
	"os"
	"path/filepath"
	"testing"

	"aead.dev/minisign"

	"kerb/agent/proof"
)

func TestABundleIsCheckedByItsSignature(t *testing.T) {
	p := proveCmd{Out: t.TempDir()}
	path, err := p.writeSigned(proof.Bundle{Schema: "kerb.proof/1"})
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
