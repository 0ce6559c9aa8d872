package opener

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"kerb/agent/handover"
	"kerb/agent/process"
)

// The errors of a camera with H.265.
var (
	errNoDecoder    = errors.New("H.265 needs ffmpeg, which is not installed: apt install ffmpeg, or set the camera's second stream to H.264")
	errNoDecoderKey = errors.New(`camera sends H.265: set its second stream to H.264, or set decoder = "ffmpeg" in site.toml`)
)

// startDecoder starts kerb decode, which puts walls around itself and becomes ffmpeg
// (cage.ExecDecoder). It has pipes as its standard descriptors and no other, neither an
// address nor a password, and no environment. It delivers luma only, at the rate and in
// the size that the detector needs.
func (d *Opener) startDecoder() ([]*os.File, error) {
	path, err := exec.LookPath("ffmpeg")
	if err == nil {
		path, err = filepath.Abs(path)
	}
	if err != nil {
		return nil, errNoDecoder
	}
	if d.Strict {
		if err := checkDecoderWalls(); err != nil {
			return nil, err
		}
	}
	words := append([]string{"/proc/self/exe", "decode", "--", path}, decoderArgs(d.camera.FrameInterval(), d.maxPixels)...)
	in, out, err := d.startProgram(handover.RequestHEVC, "ffmpeg", words, true)
	if err != nil {
		return nil, err
	}
	return []*os.File{in, out}, nil
}

// checkDecoderWalls measures the walls of a decoder once in this process and returns an
// error that names those that do not hold.
var checkDecoderWalls = sync.OnceValue(func() error {
	reports, err := process.MeasureRoles("decode")
	if err != nil {
		return err
	}
	return reports[0].Strict()
})

// minSpacing is the least time between two pictures that ffmpeg delivers, as a
// share of the interval asked for; chosen by hand. Below 1, it keeps pictures
// that come a little early.
const minSpacing = 0.75

// decoderArgs returns the arguments of ffmpeg for H.265. A picture's time
// is its arrival, since a bare stream has no times. -probesize and the flags keep
// ffmpeg from collecting pictures before it delivers the first.
func decoderArgs(every time.Duration, pixels int) []string {
	filter := "null"
	if every > 0 {
		filter = fmt.Sprintf("select='isnan(prev_selected_t)+gte(t-prev_selected_t,%.3f)'", minSpacing*every.Seconds())
	}
	return []string{
		"-hide_banner", "-loglevel", "error", "-nostdin", "-threads", "1",
		"-fflags", "nobuffer", "-flags", "low_delay", "-probesize", "4096", "-analyzeduration", "0",
		"-use_wallclock_as_timestamps", "1", "-f", "hevc", "-i", "pipe:0",
		"-an", "-vf", filter + "," + lumaFilter(pixels), "-fps_mode", "passthrough", "-flush_packets", "1", "-strict", "-1", "-f", "yuv4mpegpipe", "pipe:1",
	}
}

// lumaFilter returns an ffmpeg filter that scales pictures of more than that many
// pixels down to fit, with even sides, and keeps their luma only. fast_bilinear would make
// code at run time, which the walls refuse.
func lumaFilter(pixels int) string {
	fit := fmt.Sprintf("sqrt(%d/(iw*ih))", pixels)
	return fmt.Sprintf("scale=w='if(gt(iw*ih,%[1]d),2*floor(iw*%[2]s/2),iw)':h='if(gt(iw*ih,%[1]d),2*floor(ih*%[2]s/2),ih)':flags=bilinear,format=gray", pixels, fit)
}
