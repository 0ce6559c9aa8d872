package replay

import (
	"bytes"
	"context"
	"io"
	"os/exec"
	"path/filepath"
	"reflect"
	"strconv"
	"testing"
	"time"

	"kerb/agent/config"
	"kerb/agent/source"
	"kerb/agent/terminal"
	"kerb/counting/vision"
	"kerb/counting/vision/health"
	"kerb/drivers/camera/scene"
)

// rawPictures plays luma in memory.
type rawPictures struct {
	luma []byte
	rate int
	n    int
}

func (p *rawPictures) ReadInto(_ context.Context, dst []byte) (time.Time, error) {
	if len(p.luma) < len(dst) {
		return time.Time{}, io.EOF
	}
	p.luma = p.luma[copy(dst, p.luma):]
	p.n++
	return time.Unix(0, 0).Add(time.Duration(p.n-1) * time.Second / time.Duration(p.rate)), nil
}

// encodeScene encodes the pictures of a street with libx264, which reorders them.
func encodeScene(t *testing.T, path string, w, h, pictures int) {
	street, err := scene.New(scene.Opts{Seed: 3, Width: w, Height: h, Rate: source.ClipRate})
	if err != nil {
		t.Fatal(err)
	}
	defer street.Close()
	luma := make([]byte, w*h*pictures)
	for i := range pictures {
		if _, err := street.ReadInto(t.Context(), luma[i*w*h:][:w*h]); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("ffmpeg", "-v", "error", "-f", "rawvideo", "-pix_fmt", "gray", "-video_size", strconv.Itoa(w)+"x"+strconv.Itoa(h),
		"-framerate", strconv.Itoa(source.ClipRate), "-i", "-", "-c:v", "libx264", "-preset", "veryfast", "-bf", "2", "-pix_fmt", "yuv420p", "-y", path)
	cmd.Stdin = bytes.NewReader(luma)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("ffmpeg: %v: %s", err, out)
	}
}

// kerb replay counts an MP4 file as it counts the pictures that ffmpeg decodes from it: the
// same crossings at the same pictures.
func TestAnMP4CountsAsItsPicturesDo(t *testing.T) {
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		t.Skip("ffmpeg is not installed")
	}
	const w, h, pictures = 320, 240, 20 * source.ClipRate
	path := filepath.Join(t.TempDir(), "street.mp4")
	encodeScene(t, path, w, h, pictures)
	luma, err := exec.Command("ffmpeg", "-v", "error", "-i", path, "-fps_mode", "passthrough", "-vf", "extractplanes=y", "-f", "rawvideo", "-").Output()
	if err != nil {
		t.Fatal(err)
	}
	quiet := terminal.Terminal{Out: io.Discard, Err: io.Discard}
	r := &Command{Detector: config.MotionDetector, Follow: time.Minute}
	got, err := r.replayClip(t.Context(), path, quiet)
	if err != nil {
		t.Fatal(err)
	}
	place, err := r.findLayout(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, spoil := range []bool{false, true} {
		o := place.visionOpts(w, h)
		o.FollowMax, o.Health = r.Follow, new(health.Monitor)
		raw := bytes.Clone(luma)
		if spoil { // the control: other pictures count otherwise
			clear(raw[len(raw)/2:])
		}
		c, err := vision.New(&rawPictures{luma: raw, rate: source.ClipRate}, o)
		if err != nil {
			t.Fatal(err)
		}
		want, err := r.countClip(t.Context(), &result{}, c, place, quiet)
		c.Close()
		if err != nil {
			t.Fatal(err)
		}
		same := got.Frames == want.Frames && reflect.DeepEqual(got.Counted, want.Counted) && reflect.DeepEqual(got.Report, want.Report)
		if same == spoil || got.Frames != pictures || len(got.Crossings) == 0 {
			t.Errorf("spoilt %v: %d pictures, %v; of the pictures: %d, %v", spoil, got.Frames, got.Counted, want.Frames, want.Counted)
		}
	}
}
