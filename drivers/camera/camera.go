// Package camera reads pictures from files, pipes, kernel devices and network
// cameras (HTTP, RTSP, polled addresses) as 8-bit luma, into the caller's buffer.
//
// Each source has its own open function and the same three methods: ReadInto
// fills the buffer with the next picture and returns when it was taken, Size
// returns width and height, Close ends the source and a read that waits. A source
// overwrites the bytes of a picture before ReadInto returns, or when a newer one
// replaces it.
//
// ReadInto returns io.EOF after the last picture. A BadFrame error is about one
// picture; the next call goes on with the next one. Every other error ends the
// source and is returned again; the caller opens a new one. ErrUnchanged is the
// exception: the source goes on.
//
// It refuses colour, sound, buffers of another size than the picture, pictures
// beyond Limits even at an eighth of their size, pictures that change their size,
// and redirects to another host. H.264, also in MP4 files, is decoded by package
// h264; H.265 goes to a decoder that the caller hands in, or is refused. No error holds bytes of a picture, a user, a password or a
// query.
package camera

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"kerb/drivers/camera/auth"
	"kerb/drivers/camera/luma"
)

// ErrClosed is returned by ReadInto after Close.
var ErrClosed = errors.New("camera is closed")

// ErrRefused is returned when the camera refuses the user or the password. Retry
// late: cameras lock accounts after a few attempts.
var ErrRefused = auth.ErrRefused

// BadFrame is the error of one unusable picture of a source that goes on: it is
// truncated, damaged, too large, or not a picture.
type BadFrame struct {
	Frame int   // counted from 0, bad ones included
	Err   error // the reason
}

// Error names the picture and the reason.
func (b BadFrame) Error() string { return fmt.Sprintf("picture %d: %v", b.Frame, b.Err) }

// Unwrap returns the reason.
func (b BadFrame) Unwrap() error { return b.Err }

// BadFrame returns the number of the picture, for callers that know the method but
// not the type.
func (b BadFrame) BadFrame() int { return b.Frame }

// Limits bounds the pictures that a source accepts and delivers. A zero field has
// its default.
type Limits struct {
	// MaxPixels is the largest delivered picture. A larger one is reduced to 1/2,
	// 1/4 or 1/8 each way, a JPEG while it is decoded, so that its full size never
	// exists. One that is larger even then is refused. Default 2,097,152.
	MaxPixels int
	// MaxBytes is the largest compressed picture. Default 4 MiB.
	MaxBytes int
	// Memory allocates everything that a source keeps of a picture, from its
	// compressed bytes to a decoder's scratch; nil: Go's heap. Close gives all of
	// it back.
	Memory Memory
}

// Memory allocates buffers for pictures, for example locked memory. Bytes returns
// n zero bytes. Free overwrites and releases them.
type Memory interface {
	Bytes(n int) ([]byte, error)
	Free([]byte)
}

// heap is a Memory on Go's own heap.
type heap struct{}

// Bytes allocates n zero bytes.
func (heap) Bytes(n int) ([]byte, error) { return make([]byte, n), nil }

// Free overwrites b; the garbage collector frees it.
func (heap) Free(b []byte) { clear(b) }

// The defaults of Limits, chosen by hand.
const (
	defaultMaxPixels = 2 << 20
	defaultMaxBytes  = 4 << 20
)

func (l Limits) withDefaults() Limits {
	if l.MaxPixels == 0 {
		l.MaxPixels = defaultMaxPixels
	}
	if l.MaxBytes == 0 {
		l.MaxBytes = defaultMaxBytes
	}
	if l.Memory == nil {
		l.Memory = heap{}
	}
	return l
}

// format is the size that all JPEGs of a source share: as coded, and as
// delivered.
type format struct {
	cfg   luma.Config
	scale luma.Scale
	w, h  int // delivered
}

// newFormat reads the format from the header of the first picture.
func newFormat(src []byte, l Limits) (format, error) {
	c, err := luma.ReadConfig(src)
	if err != nil {
		return format{}, err
	}
	return fitFormat(c, l)
}

// fitFormat chooses the largest scale at which a picture is within the limits.
func fitFormat(c luma.Config, l Limits) (format, error) {
	s, ok := c.ScaleToFit(l.MaxPixels)
	if !ok {
		return format{}, fmt.Errorf("picture of %d×%d is too large: even an eighth of it has more than %d pixels",
			c.Width, c.Height, l.MaxPixels)
	}
	f := format{cfg: c, scale: s}
	f.w, f.h = c.Size(s)
	return f, nil
}

// errSizeChanged reports a picture of another size than the source's.
type errSizeChanged struct{ w, h, wantW, wantH int }

// Error names both sizes.
func (e errSizeChanged) Error() string {
	return fmt.Sprintf("is %d×%d, the ones before were %d×%d", e.w, e.h, e.wantW, e.wantH)
}

// decodeLuma decodes the JPEG in src to dst. Another size than the source's is
// an errSizeChanged.
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

// checkRead checks the arguments of ReadInto: ctx must not have ended, and dst
// must be of the picture's size.
func checkRead(ctx context.Context, dst []byte, w, h int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if len(dst) != w*h {
		return fmt.Errorf("buffer of %d bytes for pictures of %d×%d", len(dst), w, h)
	}
	return nil
}

// maxReduction is the largest number of pixels that become one, each way: the
// JPEG decoder's smallest scale is 1/8.
const maxReduction = 8

// fitReduction returns the smallest of 1, 2, 4 and 8 at which an uncompressed
// picture is within the limits, and the delivered size.
func fitReduction(width, height, maxPixels int) (k, w, h int, err error) {
	for k = 1; k <= maxReduction; k *= 2 {
		if w, h = width/k, height/k; w > 0 && h > 0 && w*h <= maxPixels {
			return k, w, h, nil
		}
	}
	return 0, 0, 0, fmt.Errorf("picture of %d×%d is too large: even an eighth of it has more than %d pixels", width, height, maxPixels)
}

// maxRate is the highest accepted rate of a recording, in pictures per second.
const maxRate = 1e4

// recordedTime returns the time of a recorded picture: picture 0 is at 1970, the
// others follow at the rate, in pictures per second.
func recordedTime(frame int, rate float64) time.Time {
	return time.Unix(0, 0).UTC().Add(time.Duration(math.Round(float64(frame) / rate * float64(time.Second))))
}

// longAgo is a deadline in the past: it ends a read or a write under way.
func longAgo() time.Time { return time.Unix(1, 0) }

// extraRoom is added to a new buffer beside half its size, so that pictures of
// slightly different length seldom need another one. In bytes, chosen by hand.
const extraRoom = 4096

// withSpareRoom returns the capacity of a new buffer for n bytes.
func withSpareRoom(n, most int) int { return max(n, min(n*3/2+extraRoom, most)) }

// growBuffer returns buf with length n, or a new buffer with spare room in which
// no bytes of the old one are kept.
func (l *Limits) growBuffer(buf []byte, n int) ([]byte, error) {
	if n <= cap(buf) {
		return buf[:n], nil
	}
	larger, err := l.Memory.Bytes(withSpareRoom(n, l.MaxBytes))
	if err != nil {
		return buf, err
	}
	l.Memory.Free(buf)
	return larger[:n], nil
}

// onceClose returns a function that closes c, however often it is called.
func onceClose(c chan struct{}) func() {
	var once sync.Once
	return func() { once.Do(func() { close(c) }) }
}
