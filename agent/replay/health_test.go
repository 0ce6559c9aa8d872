package replay

import (
	"bytes"
	"image"
	"image/jpeg"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"kerb/agent/config"
	"kerb/agent/source"
	"kerb/agent/terminal"
	"kerb/drivers/camera/scene"
)

// kerb replay says what kerb run would have found wrong, and leaves out what it
// would have left out.
func TestReplayTellsOfASpoiltView(t *testing.T) {
	if testing.Short() {
		t.Skip("short: three thousand pictures")
	}
	street, err := scene.New(scene.Opts{Seed: 1, Width: 320, Height: 240, Rate: source.ClipRate})
	if err != nil {
		t.Fatal(err)
	}
	defer street.Close()
	path := filepath.Join(t.TempDir(), "stuck.mjpeg")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	picture := image.NewGray(image.Rect(0, 0, 320, 240))
	for n := range 105 * source.ClipRate {
		if n < 65*source.ClipRate { // long enough to know its noise; then the same again and again
			if _, err := street.ReadInto(t.Context(), picture.Pix); err != nil {
				t.Fatal(err)
			}
		}
		if err := jpeg.Encode(f, picture, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	res, err := (&Command{Detector: config.MotionDetector, Follow: time.Minute}).replayClip(t.Context(), path, terminal.Terminal{Out: io.Discard, Err: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	if len(res.Health) != 1 || res.Health[0].Fault != "camera_frozen" || res.Health[0].From < 94 || res.Health[0].From > 97 || res.Health[0].To < 104 {
		t.Errorf("%+v", res.Health)
	}
	var text bytes.Buffer
	if res.printText(&text); !bytes.Contains(text.Bytes(), []byte("camera_frozen from 9")) {
		t.Errorf("a person reads %s", text.String())
	}
}
