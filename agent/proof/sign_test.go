package proof

import (
	"os"
	"path/filepath"
	"testing"

	"aead.dev/minisign"
)

func TestABundleIsCheckedByItsSignature(t *testing.T) {
	dir := t.TempDir()
	path, err := WriteSigned(dir, Bundle{Schema: "kerb.proof/1"}, "", "", filepath.Join(dir, "none"))
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
	key, err := minisign.PublicKeyFromFile(filepath.Join(dir, "kerb-proof.pub"))
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
