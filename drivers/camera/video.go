package camera

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"kerb/drivers/camera/h264"
)

// Video reads recorded H.264: an MP4 file, or a byte stream (ITU-T H.264, Annex B).
// A picture of an MP4 file is at its presentation time after 1970, picture n of a
// byte stream at n/rate seconds.
type Video struct {
	name    string
	file    io.Closer
	units   unitReader
	decoder avcDecoder
	buf     []byte
	rate    float64 // of a byte stream
	index   int
	first   time.Duration // presentation time of the first picture
	last    time.Duration // of the last one, after the first
	held    *h264.Picture // the picture by which the size was found
	holding h264.Picture
	flushed bool
	err     error // of the end
	closed  atomic.Bool
	mu      sync.Mutex // held by a read, because Close frees the memory
}

// unitReader reads a file.
type unitReader interface {
	// decodeNext reads the next NAL units into v.buf and decodes them; io.EOF behind
	// the last.
	decodeNext(v *Video) (bad, err error)
	// timed reports whether a picture's tag is its time.
	timed() bool
}

// OpenVideo opens an MP4 file or a byte stream of H.264. rate, in pictures a second,
// is for the byte stream. It refuses files without H.264, and what package h264
// refuses.
func OpenVideo(path string, l Limits, rate float64) (*Video, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	v, err := NewVideo(f, l, rate)
	if err != nil {
		f.Close()
	}
	return v, err
}

// NewVideo is OpenVideo for an open regular file. Close closes it; an error does not.
func NewVideo(f *os.File, l Limits, rate float64) (*Video, error) {
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("is not a file")
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Name(), err)
	}
	v, err := openVideoReader(f, info.Size(), f.Name(), l, rate)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Name(), err)
	}
	v.file = f
	return v, nil
}

// openVideoReader reads up to the first picture, which sets the size.
func openVideoReader(r io.ReaderAt, length int64, name string, l Limits, rate float64) (*Video, error) {
	l = l.withDefaults()
	v := &Video{name: name, decoder: newAVCDecoder(l), rate: rate}
	var magic [boxHeadLen]byte
	_, _ = r.ReadAt(magic[:], 0)
	if isMP4(magic[:]) {
		m, err := newMP4Reader(r, length)
		if err != nil {
			return nil, describeMP4(err)
		}
		v.units = &mp4Units{mp4Reader: m}
	} else {
		v.units = &streamUnits{r: r, length: length}
	}
	for v.held == nil {
		p, err := v.nextPicture()
		switch {
		case err == io.EOF:
			err = errors.New("has no picture of H.264")
		case err == nil:
			v.holding, v.held = p, &v.holding
			v.first = time.Duration(p.Tag)
			err = v.decoder.fit(&p)
		case isBadFrame(err):
			err = nil
		}
		if err != nil {
			v.freeMemory()
			return nil, err
		}
	}
	return v, nil
}

// describeMP4 completes the errors of newMP4Reader.
func describeMP4(err error) error {
	if err == io.EOF {
		return errors.New("is an MP4 file without an index (moov): it is not complete")
	}
	return fmt.Errorf("MP4 file: %w", err)
}

// nextPicture decodes up to the next picture.
func (v *Video) nextPicture() (p h264.Picture, err error) {
	for {
		if p, ok := v.decoder.h264.Next(); ok {
			return p, nil
		}
		if v.flushed {
			return p, io.EOF
		}
		bad, err := v.units.decodeNext(v)
		if err == io.EOF {
			v.flushed = true
			bad, err = v.decoder.sortError(v.decoder.h264.Flush())
		}
		if err != nil {
			return p, err
		}
		if bad != nil {
			v.index++
			return p, BadFrame{v.index - 1, bad}
		}
	}
}

// ReadInto fills dst, of width × height bytes, with the next picture and returns
// its time.
func (v *Video) ReadInto(ctx context.Context, dst []byte) (time.Time, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case v.closed.Load():
		return time.Time{}, ErrClosed
	case v.err != nil:
		return time.Time{}, v.err
	}
	if err := checkRead(ctx, dst, v.decoder.w, v.decoder.h); err != nil {
		return time.Time{}, err
	}
	n := v.index
	p, err := v.takePicture()
	if err != nil && isBadFrame(err) {
		return recordedTime(n, v.rate), err
	}
	if err == nil {
		err = v.decoder.fit(&p)
	}
	if err != nil {
		if v.closed.Load() {
			return time.Time{}, ErrClosed
		}
		if err != io.EOF {
			err = fmt.Errorf("%s: %w", v.name, err)
		}
		v.err = err
		return time.Time{}, err
	}
	v.decoder.copyPicture(dst, &p)
	v.index++
	if v.units.timed() {
		v.last = max(v.last, time.Duration(p.Tag)-v.first) // files with wrong times exist
		return time.Unix(0, 0).UTC().Add(v.last), nil
	}
	return recordedTime(n, v.rate), nil
}

// takePicture returns the picture that is held, or the next one.
func (v *Video) takePicture() (h264.Picture, error) {
	if v.held != nil {
		v.held = nil
		return v.holding, nil
	}
	return v.nextPicture()
}

// Size returns the width and height of the delivered pictures.
func (v *Video) Size() (w, h int) { return v.decoder.w, v.decoder.h }

// freeMemory wipes and frees what bears a picture.
func (v *Video) freeMemory() {
	v.decoder.close()
	v.held, v.holding = nil, h264.Picture{}
	if v.buf != nil {
		v.decoder.limits.Memory.Free(v.buf[:cap(v.buf)])
		v.buf = nil
	}
}

// Close closes the file and frees the memory.
func (v *Video) Close() error {
	if v.closed.Swap(true) {
		return nil
	}
	var err error
	if v.file != nil {
		err = v.file.Close()
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.freeMemory()
	return err
}

// mp4Units decodes the samples of an MP4 file.
type mp4Units struct {
	*mp4Reader
	begun bool
}

func (*mp4Units) timed() bool { return true }

// decodeNext decodes the next sample, which is a whole access unit.
func (u *mp4Units) decodeNext(v *Video) (bad, err error) {
	s, err := u.next()
	if err != nil {
		return nil, err
	}
	if v.buf, err = u.readSample(s, v.buf, &v.decoder.limits); err != nil {
		return nil, err
	}
	defer clear(v.buf)
	note := func(b, e error) {
		if bad == nil {
			bad = b
		}
		if err == nil {
			err = e
		}
	}
	if !u.begun {
		u.begun = true
		for _, nal := range u.track.params {
			note(v.decoder.decodeNAL(nal, int64(s.time)))
		}
	}
	if damaged := u.track.eachNAL(v.buf, func(nal []byte) error {
		note(v.decoder.decodeNAL(nal, int64(s.time)))
		return nil
	}); damaged != nil {
		note(damaged, nil)
	}
	note(v.decoder.sortError(v.decoder.h264.EndPicture()))
	return bad, err
}

// streamUnits decodes the NAL units of a byte stream.
type streamUnits struct {
	r      io.ReaderAt
	length int64
	at     int64 // of the next byte to read
	begin  int   // of the rest in v.buf
	end    int
}

func (*streamUnits) timed() bool { return false }

// minStreamBuf is the smallest buffer for a byte stream, in bytes; chosen by hand.
const minStreamBuf = 64 << 10

// decodeNext decodes the next NAL unit.
func (u *streamUnits) decodeNext(v *Video) (bad, err error) {
	for {
		nal, rest := h264.NextNAL(v.buf[u.begin:u.end])
		if nal != nil && (len(rest) > 0 || u.at == u.length) {
			begin := u.begin
			u.begin = u.end - len(rest)
			bad, err = v.decoder.decodeNAL(nal, 0)
			clear(v.buf[begin:u.begin])
			return bad, err
		}
		if u.at == u.length {
			return nil, io.EOF
		}
		if err := u.readMore(v); err != nil {
			return nil, err
		}
	}
}

// readMore reads more of the file behind the rest.
func (u *streamUnits) readMore(v *Video) error {
	l := &v.decoder.limits
	left := copy(v.buf, v.buf[u.begin:u.end])
	if len(v.buf) > 0 {
		clear(v.buf[left:u.end])
	}
	u.begin, u.end = 0, left
	if left == len(v.buf) {
		if left >= l.MaxBytes {
			return fmt.Errorf("has no start code of H.264 within %d bytes", left)
		}
		larger, err := l.Memory.Bytes(max(2*left, minStreamBuf))
		if err != nil {
			return err
		}
		copy(larger, v.buf)
		if v.buf != nil {
			l.Memory.Free(v.buf)
		}
		v.buf = larger
	}
	n, err := u.r.ReadAt(v.buf[left:min(int64(len(v.buf)), int64(left)+u.length-u.at)], u.at)
	u.at += int64(n)
	u.end = left + n
	if n == 0 {
		return errors.Join(io.ErrUnexpectedEOF, err)
	}
	return nil
}
