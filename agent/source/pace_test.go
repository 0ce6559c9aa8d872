package source

import (
	"bytes"
	"context"
	"image"
	"image/jpeg"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"kerb/agent/config"
	"kerb/agent/policy"
)

// fileRequester opens one file for each request.
type fileRequester string

func (f fileRequester) Request(context.Context, byte) ([]int, error) {
	fd, err := unix.Open(string(f), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	return []int{fd}, err
}

// A recording is played in a loop: its end is not an error.
func TestARecordingOfJPEGsIsPlayedInALoop(t *testing.T) {
	var text bytes.Buffer
	for range 3 {
		if err := jpeg.Encode(&text, image.NewGray(image.Rect(0, 0, 32, 16)), nil); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(t.TempDir(), "three.mjpeg")
	if err := os.WriteFile(path, text.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	src, err := OpenCamera(t.Context(), CameraOpts{
		Camera: config.Camera{Source: config.RecordingSource{Path: path, Format: config.JPEGRecording}},
		Limits: Limits(policy.ClipPixels), Requester: fileRequester(path),
	})
	if err != nil {
		t.Fatal(err)
	}
	for n := range 10 {
		if _, err := src.ReadInto(t.Context(), make([]byte, 32*16)); err != nil {
			t.Fatalf("picture %d: %v", n, err)
		}
	}
	if err := src.Close(); err != nil {
		t.Error(err)
	}
}
