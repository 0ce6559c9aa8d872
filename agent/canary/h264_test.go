package canary

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"

	"kerb/drivers/camera"
)

// The pictures of the file are decoded to the pixels that LumaPixels returns, and the
// search finds the mark in the file.
func TestMarkedMP4IsDecodedToItsPixels(t *testing.T) {
	m := New()
	clip := m.EncodeMP4(3)
	if len(m.FindForms(clip)) == 0 {
		t.Error("the mark is not found in the file")
	}
	if New().FindForms(clip) != nil {
		t.Error("another mark is found in the file")
	}
	path := filepath.Join(t.TempDir(), "clip.mp4")
	if err := os.WriteFile(path, clip, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	v, err := camera.NewVideo(f, camera.Limits{}, 10)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	if w, h := v.Size(); w != Width || h != Height {
		t.Fatalf("%d×%d", w, h)
	}
	dst := make([]byte, Width*Height)
	for n := range 3 {
		if _, err := v.ReadInto(t.Context(), dst); err != nil || !bytes.Equal(dst, m.LumaPixels(n)) {
			t.Fatalf("picture %d differs: %v", n, err)
		}
	}
	if _, err := v.ReadInto(t.Context(), dst); err != io.EOF {
		t.Errorf("after the last: %v", err)
	}
}
