package camera

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"kerb/drivers/camera/cameratest"
	"kerb/drivers/camera/rtsp"
)

// quirkPictures are the pictures of the kit's cameras.
func quirkPictures(tb testing.TB) (all [][]byte) {
	for n := range 3 {
		all = append(all, picture(tb, 96, 64, n))
	}
	return all
}

// picturesWanted is how many pictures of a camera must be read.
const picturesWanted = 3

// openQuirk opens the camera of a row as kerb does.
func openQuirk(ctx context.Context, q cameratest.Quirk, address string) (cameratest.Source, error) {
	o := HTTPOpts{User: cameratest.User, Password: cameratest.Password, Live: Live{Connect: 5 * time.Second, Stall: 5 * time.Second}}
	if strings.HasPrefix(address, "rtsp") {
		r := rtsp.Opts{User: o.User, Password: o.Password}
		return opened(OpenRTSP(ctx, address, Limits{}, r, o.Live, nil))
	}
	if q.Still() {
		return opened(OpenSnapshot(ctx, address, Limits{}, SnapshotOpts{HTTPOpts: o, PollEvery: MinPollEvery}, new(PollState)))
	}
	return opened(OpenMJPEG(ctx, address, Limits{}, o))
}

// readQuirk reads pictures from the camera of a row.
func readQuirk(ctx context.Context, q cameratest.Quirk, address string) error {
	s, err := openQuirk(ctx, q, address)
	if err != nil {
		return err
	}
	defer s.Close()
	w, h := s.Size()
	dst := make([]byte, w*h)
	wanted := picturesWanted
	if q.Still() {
		wanted = 1
	}
	for good, tried := 0, 0; good < wanted; tried++ {
		switch _, err := s.ReadInto(ctx, dst); {
		case err == nil:
			good++
		case !isBadFrame(err) || tried == 3*picturesWanted || q.Still():
			return err
		}
	}
	return nil
}

func TestKerbReadsWhatCamerasGetWrong(t *testing.T) {
	all := quirkPictures(t)
	for _, q := range cameratest.Quirks() {
		t.Run(q.Name, func(t *testing.T) {
			t.Parallel()
			address := q.Serve(t, all)
			err := readQuirk(t.Context(), q, address)
			switch {
			case q.Kerb == cameratest.Reads && err != nil:
				t.Errorf("does not read it: %v", err)
			case q.Kerb != cameratest.Reads && (err == nil || !strings.Contains(err.Error(), string(q.Kerb))):
				t.Errorf("error %v, must hold %q", err, q.Kerb)
			}
		})
	}
}

// TestTheKitTellsWhatFFmpegAndCurlDo measures the columns of ffmpeg and curl. It takes minutes.
func TestTheKitTellsWhatFFmpegAndCurlDo(t *testing.T) {
	if os.Getenv("KERB_LONG") == "" {
		t.Skip("takes minutes: set KERB_LONG=1")
	}
	all := quirkPictures(t)
	for _, q := range cameratest.Quirks() {
		t.Run(q.Name, func(t *testing.T) {
			address := q.Serve(t, all)
			for _, c := range []struct {
				program string
				want    cameratest.Result
				run     func(context.Context, string) (bool, error)
			}{{"ffmpeg", q.FFmpeg, ffmpegReads}, {"curl", q.Curl, curlReceives}} {
				if c.want == "" {
					continue
				}
				ctx, done := context.WithTimeout(t.Context(), 20*time.Second)
				reads, err := c.run(ctx, address)
				done()
				if err != nil {
					t.Skip(err)
				}
				if reads != (c.want == cameratest.Reads) {
					t.Errorf("%s reads it: %v; the kit says that it %s it", c.program, reads, c.want)
				}
			}
		})
	}
}

// ffmpegReads reports whether ffmpeg decodes two pictures of the camera.
func ffmpegReads(ctx context.Context, address string) (bool, error) {
	path, err := exec.LookPath("ffmpeg")
	if err != nil {
		return false, err
	}
	if i := strings.Index(address, "://"); i > 0 {
		address = address[:i+3] + "user:p%22a%3As%20s%5Cword@" + address[i+3:]
	}
	words := []string{"-hide_banner", "-loglevel", "error", "-nostdin"}
	if strings.HasPrefix(address, "rtsp") {
		words = append(words, "-rtsp_transport", "tcp")
	}
	out, _ := exec.CommandContext(ctx, path, append(words, "-i", address, "-frames:v", "2", "-pix_fmt", "gray", "-f", "rawvideo", "pipe:1")...).Output()
	return len(out) >= 96*64, nil
}

// curlReceives reports whether curl receives the bytes of a picture.
func curlReceives(ctx context.Context, address string) (bool, error) {
	path, err := exec.LookPath("curl")
	if err != nil {
		return false, err
	}
	out, _ := exec.CommandContext(ctx, path, "-s", "-m", "3", "--anyauth", "-u", fmt.Sprintf("%s:%s", cameratest.User, cameratest.Password), address).Output()
	return bytes.Contains(out, jpegStart), nil
}
