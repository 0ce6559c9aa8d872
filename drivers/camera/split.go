package camera

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"kerb/drivers/camera/luma"
)

// splitter finds the pictures in a stream of bytes by their own markers, and
// finds back into it after anything that is no picture. It keeps the bytes of
// the picture at hand and what came after it, nothing else.
type splitter struct {
	pump   *pump
	memory Memory
	max    int    // bytes of a picture
	parts  *parts // what lies between pictures, where that is known

	buf     []byte
	start   int       // the picture begins here
	at      int       // it is checked up to here
	last    int       // its last segment begins here; those before led to a marker
	end     int       // of what has come
	stamp   time.Time // when the last bytes came
	first   time.Time // when the picture's first byte came
	open    bool      // start is at a picture
	scan    bool      // at is in entropy-coded data
	whole   bool      // the picture ends at at and has not been given
	skipped int       // bytes since the last picture
}

// errPicture is what makes one picture unusable.
type errPicture struct{ error }

func (e errPicture) Unwrap() error { return e.error }

var start = []byte{0xff, 0xd8, 0xff}

// next is the next picture and when its first byte came. It is valid, and given
// again, until release. An errPicture is about one picture.
func (s *splitter) next(ctx context.Context, limit <-chan time.Time) ([]byte, time.Time, error) {
	for !s.whole {
		var err error
		switch {
		case s.open:
			err = s.check()
		case s.parts != nil:
			err = s.parts.seek(s)
		default:
			err = s.seek()
		}
		if err == errMore {
			err = s.more(ctx, limit)
		}
		if err == io.EOF && s.open {
			err = s.broken(luma.ErrTruncated)
		}
		if err != nil {
			s.skipped = 0
			return nil, s.first, err
		}
	}
	return s.buf[s.start:s.at], s.first, nil
}

// release overwrites the picture that next gave and makes way for the next one.
func (s *splitter) release() {
	s.drop(s.at)
	s.whole, s.skipped = false, 0
}

// drop forgets all before to.
func (s *splitter) drop(to int) {
	clear(s.buf[s.start:to])
	s.start, s.at, s.open, s.scan = to, to, false, false
}

// errMore asks for more bytes.
var errMore = errors.New("more")

// more waits for more bytes.
func (s *splitter) more(ctx context.Context, limit <-chan time.Time) error {
	if s.end == len(s.buf) {
		if err := s.room(); err != nil {
			return err
		}
	}
	n, at, err := s.pump.read(ctx, limit, s.buf[s.end:])
	if err == nil {
		s.end, s.stamp = s.end+n, at
	}
	return err
}

// room moves what is kept to the front, and makes the buffer larger where that
// is not enough. A picture, a segment and a chunk always fit.
func (s *splitter) room() error {
	n := copy(s.buf, s.buf[s.start:s.end])
	clear(s.buf[n:s.end])
	s.at, s.last = s.at-s.start, s.last-s.start
	s.start, s.end = 0, n
	if len(s.buf)-n >= 4<<10 {
		return nil
	}
	larger, err := s.memory.Bytes(min(max(64<<10, 2*len(s.buf)), s.max+128<<10))
	if err != nil {
		return err
	}
	copy(larger, s.buf[:n])
	s.memory.Free(s.buf)
	s.buf = larger
	return nil
}

// seek looks for the start of a picture.
func (s *splitter) seek() error {
	if i := bytes.Index(s.buf[s.start:s.end], start); i >= 0 {
		s.found(s.start + i)
		return nil
	}
	return s.skip(max(s.start, s.end-2))
}

// found begins a picture.
func (s *splitter) found(at int) {
	s.drop(at)
	s.at, s.last, s.open, s.first = at+2, at, true, s.stamp
}

// skip passes over what is no picture, and asks for more.
func (s *splitter) skip(to int) error {
	s.skipped += to - s.start
	s.drop(to)
	if s.skipped > 8*s.max {
		return fmt.Errorf("no JPEG picture in %d bytes", s.skipped)
	}
	return errMore
}

// broken gives the picture up. The next one is looked for in its last segment
// too, since a damaged length may have led over a start; but not before that,
// where there may be a thumbnail.
func (s *splitter) broken(why error) error {
	s.drop(s.last + 2)
	return errPicture{why}
}

// check goes on over the markers of the picture.
func (s *splitter) check() error {
	for {
		inside := s.scan && !s.stuffing()
		if s.at-s.start > s.max {
			return s.large()
		}
		if inside || s.at == s.end {
			return errMore
		}
		if s.buf[s.at] != 0xff {
			return s.broken(luma.FormatError("marker expected"))
		}
		i := s.at + 1
		for i < s.end && s.buf[i] == 0xff {
			i++
		}
		s.at = i - 1 // fill bytes are looked at once
		if i == s.end {
			return errMore
		}
		switch m := s.buf[i]; {
		case m == 0xd9:
			s.at, s.whole = i+1, true
			if s.at-s.start > s.max {
				return s.large()
			}
			return nil
		case m == 0xd8:
			s.last = s.at - 2 // which was no lie
			return s.broken(luma.ErrTruncated)
		case m == 0x01 || m >= 0xd0 && m <= 0xd7:
			s.at = i + 1
		default:
			if s.end-i < 3 {
				return errMore
			}
			n := int(s.buf[i+1])<<8 | int(s.buf[i+2])
			if m == 0 || n < 2 {
				return s.broken(luma.FormatError("segment with bad length"))
			}
			if s.end-i-1 < n {
				return errMore
			}
			s.last, s.at, s.scan = i-1, i+1+n, m == 0xda
		}
	}
}

// stuffing moves over entropy-coded data; it reports whether at is now at the
// marker after it.
func (s *splitter) stuffing() bool {
	for {
		i := bytes.IndexByte(s.buf[s.at:s.end], 0xff)
		if i < 0 {
			s.at = s.end
			return false
		}
		s.at += i
		if s.at+1 == s.end {
			return false
		}
		switch m := s.buf[s.at+1]; {
		case m == 0 || m >= 0xd0 && m <= 0xd7:
			s.at += 2
		case m == 0xff:
			s.at++
		default:
			s.scan = false
			return true
		}
	}
}

// large gives up a picture of too many bytes.
func (s *splitter) large() error {
	s.drop(s.at)
	s.whole = false
	return errPicture{fmt.Errorf("has more than %d bytes", s.max)}
}

// free gives back what is kept, and the pump's where that is no longer read
// into.
func (s *splitter) free() {
	s.memory.Free(s.buf)
	s.buf, s.start, s.at, s.end, s.open, s.scan, s.whole = nil, 0, 0, 0, false, false, false
	s.pump.release()
}
