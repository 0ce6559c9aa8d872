package h264_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// openH264Options are options of GStreamer's openh264enc: one slice and several, rates and
// fixed quantisers, screen content without deblocking.
var openH264Options = []string{
	"complexity=low rate-control=off qp-min=20 qp-max=30",
	"complexity=high multi-thread=1 slice-mode=n-slices num-slices=3 bitrate=400000",
	"usage-type=screen deblocking=off gop-size=8 bitrate=200000",
}

// TestBitExactOnOpenH264 compares streams of another encoder, Cisco's OpenH264, with
// ffmpeg: 2 of them, or with KERB_LONG 36.
func TestBitExactOnOpenH264(t *testing.T) {
	findFFmpeg(t)
	if exec.Command("gst-inspect-1.0", "openh264enc").Run() != nil {
		t.Skip("no openh264enc: install gstreamer1.0-tools and gstreamer1.0-plugins-bad")
	}
	from, to := rangeOf(t, 2, 36)
	patterns, sizes := []string{"smpte", "ball", "snow", "zone-plate"}, [][2]int{{176, 144}, {322, 242}, {640, 360}}
	for i := from; i < to; i++ {
		size := sizes[i/3%3]
		path := filepath.Join(t.TempDir(), "stream.264")
		args := strings.Fields(fmt.Sprintf("-q videotestsrc pattern=%s num-buffers=25 ! video/x-raw,format=I420,width=%d,height=%d,framerate=15/1 ! openh264enc %s ! h264parse ! video/x-h264,stream-format=byte-stream ! filesink location=%s",
			patterns[i/9%4], size[0], size[1], openH264Options[i%3], path))
		_, _ = exec.Command("gst-launch-1.0", args...).CombinedOutput() // fails at the end of some streams, after writing them
		if info, err := os.Stat(path); err != nil || info.Size() == 0 {
			t.Errorf("stream %d: nothing was encoded: gst-launch-1.0 %s", i, strings.Join(args, " "))
			continue
		}
		got, want := decodeStream(byteStream(t, path)), referencePictures(t, path)
		if at := firstDifference(got.pictures, want); at >= 0 || got.refused != nil || len(got.damage) > 0 || len(want) == 0 {
			t.Errorf("stream %d, %v: %d pictures, ffmpeg has %d; picture %d differs; %v %v", i, args, len(got.pictures), len(want), at, got.refused, got.damage)
		}
	}
}
