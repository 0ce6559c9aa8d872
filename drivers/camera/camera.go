// Package camera reads pictures from files, pipes and network cameras, as
// brightness only, straight into the caller's bytes.
//
// Every source is opened by its own function and has the same three methods:
// ReadInto fills the caller's buffer with the next picture and says when it
// was taken, Size gives its width and height, Close ends it and a read that
// waits. A source keeps no picture: what it needed to decode one is
// overwritten before ReadInto returns.
//
// ReadInto returns io.EOF when there are no more pictures. An error that is a
// BadFrame is about one picture, and the next call goes on with the next one.
// Every other error ends the source: it is returned again, and the caller
// opens a fresh one.
package camera

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"kerb/drivers/camera/luma"
)

// ErrClosed is returned by ReadInto after Close.
var ErrClosed = errors.New("camera is closed")

// ErrRefused is a wrong user or password. Who asks again soon may be locked out.
var ErrRefused = errors.New("camera refuses the user or the password")

// BadFrame is an error about one picture of a source that goes on: truncated,
// too large, of another size, or no picture at all.
type BadFrame struct {
	Frame int // counted from 0, bad ones included
	Err   error
}

func (b BadFrame) Error() string { return fmt.Sprintf("picture %d: %v", b.Frame, b.Err) }

// Unwrap gives the reason.
func (b BadFrame) Unwrap() error { return b.Err }

// BadFrame is the number of the picture.
func (b BadFrame) BadFrame() int { return b.Frame }

// Limits bound what a source accepts and delivers. A zero field has the
// default.
type Limits struct {
	// MaxPixels of a delivered picture. A larger JPEG is scaled down to 1/2,
	// 1/4 or 1/8 while it is decoded, so its full size never exists; one that
	// is larger even then is refused. Default 2,097,152.
	MaxPixels int
	// MaxBytes of one compressed picture. Default 4 MiB.
	MaxBytes int
	// Memory is where everything lies that a source keeps of a picture, from
	// its compressed bytes to a decoder's scratch; nil: Go's heap. A source
	// gives back what it took when it is closed.
	Memory Memory
}

// Memory gives n zero bytes, until Free wipes them and takes them back.
type Memory interface {
	Bytes(n int) ([]byte, error)
	Free([]byte)
}

// heap is Go's own memory.
type heap struct{}

func (heap) Bytes(n int) ([]byte, error) { return make([]byte, n), nil }
func (heap) Free(b []byte)               { clear(b) }

func (l Limits) withDefaults() Limits {
	if l.MaxPixels == 0 {
		l.MaxPixels = 2 << 20
	}
	if l.MaxBytes == 0 {
		l.MaxBytes = 4 << 20
	}
	if l.Memory == nil {
		l.Memory = heap{}
	}
	return l
}

// format is what all pictures of a source have in common: the size in the
// file, and the size delivered.
type format struct {
	cfg   luma.Config
	scale luma.Scale
	w, h  int
}

// newFormat settles the format by the first picture.
func newFormat(src []byte, l Limits) (format, error) {
	c, err := luma.ReadConfig(src)
	if err != nil {
		return format{}, err
	}
	return fitFormat(c, l)
}

// fitFormat finds the scale at which a picture is within the limits.
func fitFormat(c luma.Config, l Limits) (format, error) {
	s, ok := c.Fit(l.MaxPixels)
	if !ok {
		return format{}, fmt.Errorf("picture of %d×%d is too large: even an eighth of it has more than %d pixels",
			c.Width, c.Height, l.MaxPixels)
	}
	f := format{cfg: c, scale: s}
	f.w, f.h = c.Size(s)
	return f, nil
}

// errSizeChanged says that a picture is not of the source's size.
type errSizeChanged struct{ w, h, wantW, wantH int }

func (e errSizeChanged) Error() string {
	return fmt.Sprintf("is %d×%d, the ones before were %d×%d", e.w, e.h, e.wantW, e.wantH)
}

// decodeLuma writes the picture in src to dst.
func (f *format) decodeLuma(d *luma.Decoder, dst, src []byte) error {
	c, err := luma.ReadConfig(src)
	if err != nil {
		return err
	}
	if c.Width != f.cfg.Width || c.Height != f.cfg.Height {
		return errSizeChanged{c.Width, c.Height, f.cfg.Width, f.cfg.Height}
	}
	return d.Decode(dst, src, f.scale)
}

// checkRead checks what every ReadInto checks first.
func checkRead(ctx context.Context, dst []byte, w, h int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if len(dst) != w*h {
		return fmt.Errorf("buffer of %d bytes for pictures of %d×%d", len(dst), w, h)
	}
	return nil
}

// recordedTime gives recorded pictures their times: they start at 1970 and follow at
// the rate, in pictures per second.
func recordedTime(frame int, rate float64) time.Time {
	return time.Unix(0, 0).UTC().Add(time.Duration(math.Round(float64(frame) / rate * float64(time.Second))))
}

// growBuffer is buf with n bytes, with room to spare when it is a new one: nothing of
// the old one is kept.
func (l *Limits) growBuffer(buf []byte, n int) ([]byte, error) {
	if n <= cap(buf) {
		return buf[:n], nil
	}
	larger, err := l.Memory.Bytes(max(n, min(n*3/2+4096, l.MaxBytes)))
	if err != nil {
		return buf, err
	}
	l.Memory.Free(buf)
	return larger[:n], nil
}
