package source

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"kerb/agent/config"
	"kerb/agent/policy"
	"kerb/drivers/camera"
	"kerb/drivers/camera/scene"
)

// Pictures is a source of pictures of one size, as every camera driver provides it.
type Pictures interface {
	// ReadInto reads the next picture into dst, one byte of luma a pixel, row by
	// row, and returns the time at which it was taken. dst has w*h bytes. After the
	// last picture the error is io.EOF; IsBadPicture tells an error of one picture.
	ReadInto(ctx context.Context, dst []byte) (time.Time, error)
	// Size returns the width and the height in pixels.
	Size() (w, h int)
	// Close closes the connection, device or file and frees the memory of pictures.
	Close() error
}

// maxPictureBytes is the largest compressed picture, bytes. Chosen by hand.
const maxPictureBytes = 8 << 20

// Limits returns the bounds of one picture: pixels as delivered, and 8 MiB
// compressed.
func Limits(pixels int) camera.Limits {
	return camera.Limits{MaxPixels: pixels, MaxBytes: maxPictureBytes}
}

// OpenClip opens the clip of a command line, scene:WORDS or the path of a
// recording. Its pictures come as fast as they are read.
func OpenClip(path string) (Pictures, error) {
	if words, ok := strings.CutPrefix(path, "scene:"); ok {
		return OpenScene(words, false)
	}
	return OpenFile(path, Limits(policy.ClipPixels))
}

// OpenFile opens a recording: an AVI file, H.264 in an MP4 file or as a byte stream,
// a file of JPEGs one after another, one still, a folder of stills, or - for JPEGs on standard input. The suffix decides,
// as in config.RecordingFormatOf.
func OpenFile(path string, l camera.Limits) (Pictures, error) {
	if path == "-" {
		return camera.OpenStream(os.Stdin, l, ClipRate)
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("open the clip: %w", err)
	}
	format := config.RecordingFormatOf(path)
	switch {
	case info.IsDir():
		paths, err := camera.ListStills(path)
		if err != nil {
			return nil, err
		}
		return camera.OpenStills(paths, l)
	case format == config.StillImage:
		return camera.OpenStills([]string{path}, l)
	case format == config.H264Recording:
		return camera.OpenVideo(path, l, ClipRate)
	case format == config.JPEGRecording:
		return openJPEGs(path, l)
	default:
		return camera.OpenAVI(path, l)
	}
}

// ClipRate is the rate, in pictures a second, of a recording that does not hold its
// rate: that of PAL video.
const ClipRate = 25

func openJPEGs(path string, l camera.Limits) (Pictures, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open the clip: %w", err)
	}
	s, err := camera.OpenStream(f, l, ClipRate)
	if err != nil {
		f.Close() // closed already where the stream had begun
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

// The scene of a clip that gives no rate and no end.
const (
	clipSceneRate    = 10 // pictures a second
	clipSceneSeconds = 30
)

// OpenScene opens the built-in street PRESET?seed=7&size=480x270&rate=15. paced
// plays it in real time; otherwise a scene without an end lasts half a minute.
func OpenScene(words string, paced bool) (*scene.Scene, error) {
	o, err := scene.ParseOpts(words)
	if err != nil {
		return nil, err
	}
	o.Realtime = paced
	if !paced && o.Frames == 0 {
		o.Rate = cmp.Or(o.Rate, clipSceneRate)
		o.Frames = int(clipSceneSeconds * o.Rate)
	}
	return scene.New(o)
}

// IsBadPicture reports whether an error concerns one picture only, so that the next
// one can be read.
func IsBadPicture(err error) bool {
	var bad interface{ BadFrame() int }
	return errors.As(err, &bad)
}
