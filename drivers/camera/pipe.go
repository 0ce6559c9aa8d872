package camera

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// Pipe is a live source that reads a byte stream, such as the output of a program.
// Dropped counts the pictures that a newer one replaced before they were read.
type Pipe interface {
	ReadInto(ctx context.Context, dst []byte) (time.Time, error)
	Size() (w, h int)
	Dropped() uint64
	Close() error
}

// OpenPipe reads the pictures that a program writes to r. With the zero Layout it
// tells concatenated JPEGs and YUV4MPEG2 apart by the first bytes; any other
// Layout means raw pictures. A picture's time is the arrival of its first byte. It
// waits at most o.Connect for the first JPEG or header. Close closes r if it is an
// io.Closer, and so does an error.
func OpenPipe(ctx context.Context, r io.Reader, y Layout, l Limits, o Live) (Pipe, error) {
	o.Stall, o.Connect = cmp.Or(o.Stall, defaultStall), cmp.Or(o.Connect, defaultConnect)
	l = l.withDefaults()
	p, err := newChunkReader(r, l.Memory)
	if err != nil {
		return nil, err
	}
	first := time.NewTimer(o.Connect)
	defer first.Stop()
	src, err := detectPipe(ctx, first.C, p, y, l, o)
	if err == nil {
		return src, nil
	}
	if err == errStall {
		err = fmt.Errorf("no picture in the first %v", o.Connect)
	}
	err = errors.Join(err, p.closeReader())
	p.freeChunks()
	return nil, err
}

// detectPipe opens the source for the layout, or for the first bytes.
func detectPipe(ctx context.Context, limit <-chan time.Time, p *chunkReader, y Layout, l Limits, o Live) (Pipe, error) {
	if y != (Layout{}) {
		return openRaw(p, y, l, o)
	}
	mark, err := p.peekBytes(ctx, limit)
	switch {
	case err == io.EOF:
		return nil, errors.New("no picture came")
	case err != nil:
		return nil, err
	case bytes.HasPrefix(mark, []byte(y4mMark)[:min(len(mark), len(y4mMark))]):
		if y, err = readY4MHeader(ctx, limit, p); err != nil {
			return nil, err
		}
		return openRaw(p, y, l, o)
	}
	s := &timedStream{stall: o.Stall, timer: time.NewTimer(o.Stall)}
	s.attachReader(p, l)
	if err := s.findFormat(ctx, limit); err != nil {
		p.closeReader()
		s.splitter.freeBuffers()
		return nil, err
	}
	if o.Newest {
		s.startLive(o)
	}
	return s, nil
}

func openRaw(p *chunkReader, y Layout, l Limits, o Live) (Pipe, error) {
	r, err := newRaw(p, y, l)
	if err != nil {
		return nil, err
	}
	r.startLive(o)
	return r, nil
}

// timedStream is a jpegStream whose reads end with an error after the stall time.
type timedStream struct {
	jpegStream
	stall time.Duration
	timer *time.Timer
}

// ReadInto fills dst, of width × height bytes, with the next picture.
func (s *timedStream) ReadInto(ctx context.Context, dst []byte) (time.Time, error) {
	s.timer.Reset(s.stall)
	at, err := s.readInto(ctx, s.timer.C, dst)
	s.timer.Stop()
	if err == errStall {
		err = fmt.Errorf("no picture for %v", s.stall)
	}
	return at, err
}

// ParseLayout parses the layout of a program's output: gray:WxH or yuv420:WxH.
// "mjpeg", "yuv4mpeg" and "" return the zero Layout, for which OpenPipe reads the
// first bytes. Any other text is an error.
func ParseLayout(s string) (Layout, error) {
	if s == "" || s == "mjpeg" || s == "yuv4mpeg" {
		return Layout{}, nil
	}
	kind, size, _ := strings.Cut(s, ":")
	var w, h int
	if n, err := fmt.Sscanf(size, "%dx%d", &w, &h); n != 2 || err != nil || fmt.Sprintf("%dx%d", w, h) != size {
		return Layout{}, errors.New("must be mjpeg, yuv4mpeg, gray:WxH or yuv420:WxH")
	}
	y := Layout{Width: w, Height: h}
	switch kind {
	case "gray":
	case "yuv420":
		y = YUV420(w, h)
	default:
		return Layout{}, errors.New("must be mjpeg, yuv4mpeg, gray:WxH or yuv420:WxH")
	}
	return y, y.checkSize()
}
