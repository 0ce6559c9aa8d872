package source

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"kerb/agent/config"
	"kerb/agent/policy"
	"kerb/drivers/camera"
	"kerb/drivers/camera/scene"
)

// A source is what every camera driver is to the wiring.
type Pictures interface {
	// ReadInto reads the next picture into dst, one byte of luma a pixel, row by
	// row, and returns the time at which it was taken.
	ReadInto(ctx context.Context, dst []byte) (time.Time, error)
	Size() (w, h int)
	Close() error
}

// limits is what any single picture may cost. The policy's cap on delivered
// pixels comes on top of it.
func Limits(pixels int) camera.Limits {
	return camera.Limits{MaxPixels: pixels, MaxBytes: 8 << 20}
}

// openClip opens what a command line names: a scene or a recording, as fast as
// it can be read.
func OpenClip(path string) (Pictures, error) {
	if words, ok := strings.CutPrefix(path, "scene:"); ok {
		return OpenScene(words, false)
	}
	return OpenFile(path, Limits(policy.ClipPixels))
}

// openFile opens a recording: an AVI, a folder of stills, one still, or - for
// concatenated JPEGs on standard input.
func OpenFile(path string, l camera.Limits) (Pictures, error) {
	if path == "-" {
		return camera.OpenStream(os.Stdin, l, 25)
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
	case format == config.JPEGRecording:
		return openJPEGs(path, l)
	default:
		return camera.OpenAVI(path, l)
	}
}

// clipRate is assumed where a recording does not tell how fast it was made.
const ClipRate = 25

// jpegFile is a stream of JPEGs that owns its file.
type jpegFile struct {
	*camera.Stream
	file *os.File
}

func (j jpegFile) Close() error { return errors.Join(j.Stream.Close(), j.file.Close()) }

func openJPEGs(path string, l camera.Limits) (Pictures, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open the clip: %w", err)
	}
	s, err := camera.OpenStream(f, l, ClipRate)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), f.Close())
	}
	return jpegFile{s, f}, nil
}

// openScene reads scene:PRESET?seed=7&size=480x270&rate=15. Played as a clip, a
// scene without an end is half a minute long.
func OpenScene(words string, paced bool) (*scene.Scene, error) {
	o, err := scene.ParseOpts(words)
	if err != nil {
		return nil, err
	}
	o.Realtime = paced
	if !paced && o.Frames == 0 {
		o.Rate = cmp.Or(o.Rate, 10)
		o.Frames = int(30 * o.Rate)
	}
	return scene.New(o)
}

// realtime plays a recording at the speed at which it was made, over and
// over, and stamps its pictures with the present: it stands in for a camera.
type realtime struct {
	Pictures
	reopen func() (Pictures, error) // opens it anew at its end
	begun  time.Time                // when the first picture was played
	first  time.Time                // its time in the recording
}

func (p *realtime) ReadInto(ctx context.Context, dst []byte) (time.Time, error) {
	at, err := p.Pictures.ReadInto(ctx, dst)
	if errors.Is(err, io.EOF) && !p.begun.IsZero() {
		if err := p.rewind(); err != nil {
			return at, err
		}
		at, err = p.Pictures.ReadInto(ctx, dst)
	}
	if err != nil {
		return at, err
	}
	if p.begun.IsZero() {
		p.begun, p.first = time.Now(), at
	}
	due := p.begun.Add(at.Sub(p.first))
	select {
	case <-time.After(time.Until(due)):
		return due, nil
	case <-ctx.Done():
		return due, ctx.Err()
	}
}

func (p *realtime) rewind() error {
	fresh, err := p.reopen()
	if err != nil {
		return err
	}
	err = p.Pictures.Close()
	p.Pictures, p.begun = fresh, time.Time{}
	return err
}

// thinner passes on one picture per interval: a Pi that cannot look at 30
// pictures a second looks at 10 and follows as well.
type RateLimiter struct {
	Pictures
	Interval time.Duration
	next     time.Time
}

func (t *RateLimiter) ReadInto(ctx context.Context, dst []byte) (time.Time, error) {
	for {
		at, err := t.Pictures.ReadInto(ctx, dst)
		if err != nil {
			return at, err
		}
		// A picture that comes a little early is the one that was due: jitter
		// must not drop every second one.
		if early := t.next.Sub(at); early <= t.Interval/4 {
			t.next = t.next.Add(t.Interval)
			if late := at.Add(-t.Interval / 4); t.next.Before(late) {
				t.next = at.Add(t.Interval)
			}
			return at, nil
		}
	}
}

// IsBadPicture reports whether an error is about one picture only: the next one
// can be read.
func IsBadPicture(err error) bool {
	var bad interface{ BadFrame() int }
	return errors.As(err, &bad)
}
