package cage

import (
	"strings"
	"testing"
)

func TestWhatAVaultGivesIsLockedZeroAndTakenBack(t *testing.T) {
	var v Vault
	b, err := v.Bytes(10_000)
	if err != nil {
		t.Fatal(err)
	}
	f, err := v.Floats(5000)
	if err != nil {
		t.Fatal(err)
	}
	i, err := v.Int8s(3)
	if err != nil || len(b) != 10_000 || len(f) != 5000 || len(i) != 3 {
		t.Fatalf("%d bytes, %d and %d numbers, %v", len(b), len(f), len(i), err)
	}
	for k := range f {
		if f[k] != 0 {
			t.Fatal("not zero")
		}
		f[k] = 1.5
	}
	if flags := flagsOf(t, b); !strings.Contains(flags, " dd") || v.LockError() == nil && !strings.Contains(flags, " lo") {
		t.Errorf("flags:%s", flags)
	}
	v.Free(b[:5])
	v.Free(make([]byte, 5)) // of another owner
	v.Free(nil)
	if n := len(v.blocks); n != 2 {
		t.Errorf("%d blocks are out, want 2", n)
	}
	if err := v.Close(); err != nil || len(v.blocks) != 0 {
		t.Errorf("%d blocks are out, %v", len(v.blocks), err)
	}
	if _, err := v.Bytes(0); err == nil {
		t.Error("a block of nothing")
	}
	if _, err := v.Bytes(1); err != nil || v.Close() != nil {
		t.Errorf("not used again: %v", err)
	}
}
