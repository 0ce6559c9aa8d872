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

// jpegSplitter finds the pictures in a stream of bytes by their own markers, and
// finds back into it after anything that is no picture. It keeps the bytes of
// the picture at hand and what came after it, nothing else.
type jpegSplitter struct {
	pump      *chunkReader
	memory    Memory
	maxBytes  int               // bytes of a picture
	multipart *multipartScanner // what lies between pictures, where that is known

	buf         []byte
	start       int       // the picture begins here
	checked     int       // it is checked up to here
	lastSegment int       // its last segment begins here; those before led to a marker
	end         int       // of what has come
	arrived     time.Time // when the last bytes came
	firstByte   time.Time // when the picture's first byte came
	inPicture   bool      // start is at a picture
	inScan      bool      // at is in entropy-coded data
	complete    bool      // the picture ends at at and has not been given
	skipped     int       // bytes since the last picture
}

// errPicture is what makes one picture unusable.
type errPicture struct{ error }

func (e errPicture) Unwrap() error { return e.error }

var jpegStart = []byte{0xff, 0xd8, 0xff}

// nextPicture is the next picture and when its first byte came. It is valid, and given
// again, until release. An errPicture is about one picture.
func (s *jpegSplitter) nextPicture(ctx context.Context, limit <-chan time.Time) ([]byte, time.Time, error) {
	for !s.complete {
		var err error
		switch {
		case s.inPicture:
			err = s.checkMarkers()
		case s.multipart != nil:
			err = s.multipart.scanLine(s)
		default:
			err = s.findStart()
		}
		if err == errMore {
			err = s.readMore(ctx, limit)
		}
		if err == io.EOF && s.inPicture {
			err = s.rejectPicture(luma.ErrTruncated)
		}
		if err != nil {
			s.skipped = 0
			return nil, s.firstByte, err
		}
	}
	return s.buf[s.start:s.checked], s.firstByte, nil
}

// releasePicture overwrites the picture that next gave and makes way for the next one.
func (s *jpegSplitter) releasePicture() {
	s.dropBefore(s.checked)
	s.complete, s.skipped = false, 0
}

// dropBefore forgets all before to.
func (s *jpegSplitter) dropBefore(to int) {
	clear(s.buf[s.start:to])
	s.start, s.checked, s.inPicture, s.inScan = to, to, false, false
}

// errMore asks for more bytes.
var errMore = errors.New("more")

// readMore waits for more bytes.
func (s *jpegSplitter) readMore(ctx context.Context, limit <-chan time.Time) error {
	if s.end == len(s.buf) {
		if err := s.makeRoom(); err != nil {
			return err
		}
	}
	n, at, err := s.pump.readBytes(ctx, limit, s.buf[s.end:])
	if err == nil {
		s.end, s.arrived = s.end+n, at
	}
	return err
}

// makeRoom moves what is kept to the front, and makes the buffer larger where that
// is not enough. A picture, a segment and a chunk always fit.
func (s *jpegSplitter) makeRoom() error {
	n := copy(s.buf, s.buf[s.start:s.end])
	clear(s.buf[n:s.end])
	s.checked, s.lastSegment = s.checked-s.start, s.lastSegment-s.start
	s.start, s.end = 0, n
	if len(s.buf)-n >= 4<<10 {
		return nil
	}
	larger, err := s.memory.Bytes(min(max(64<<10, 2*len(s.buf)), s.maxBytes+128<<10))
	if err != nil {
		return err
	}
	copy(larger, s.buf[:n])
	s.memory.Free(s.buf)
	s.buf = larger
	return nil
}

// findStart looks for the start of a picture.
func (s *jpegSplitter) findStart() error {
	if i := bytes.Index(s.buf[s.start:s.end], jpegStart); i >= 0 {
		s.beginPicture(s.start + i)
		return nil
	}
	return s.skipTo(max(s.start, s.end-2))
}

// beginPicture begins a picture.
func (s *jpegSplitter) beginPicture(at int) {
	s.dropBefore(at)
	s.checked, s.lastSegment, s.inPicture, s.firstByte = at+2, at, true, s.arrived
}

// skipTo passes over what is no picture, and asks for more.
func (s *jpegSplitter) skipTo(to int) error {
	s.skipped += to - s.start
	s.dropBefore(to)
	if s.skipped > 8*s.maxBytes {
		return fmt.Errorf("no JPEG picture in %d bytes", s.skipped)
	}
	return errMore
}

// rejectPicture gives the picture up. The next one is looked for in its last segment
// too, since a damaged length may have led over a start; but not before that,
// where there may be a thumbnail.
func (s *jpegSplitter) rejectPicture(why error) error {
	s.dropBefore(s.lastSegment + 2)
	return errPicture{why}
}

// checkMarkers goes on over the markers of the picture.
func (s *jpegSplitter) checkMarkers() error {
	for {
		inside := s.inScan && !s.skipScan()
		if s.checked-s.start > s.maxBytes {
			return s.rejectLarge()
		}
		if inside || s.checked == s.end {
			return errMore
		}
		if s.buf[s.checked] != 0xff {
			return s.rejectPicture(luma.FormatError("marker expected"))
		}
		i := s.checked + 1
		for i < s.end && s.buf[i] == 0xff {
			i++
		}
		s.checked = i - 1 // fill bytes are looked at once
		if i == s.end {
			return errMore
		}
		switch m := s.buf[i]; {
		case m == 0xd9:
			s.checked, s.complete = i+1, true
			if s.checked-s.start > s.maxBytes {
				return s.rejectLarge()
			}
			return nil
		case m == 0xd8:
			s.lastSegment = s.checked - 2 // which was no lie
			return s.rejectPicture(luma.ErrTruncated)
		case m == 0x01 || m >= 0xd0 && m <= 0xd7:
			s.checked = i + 1
		default:
			if s.end-i < 3 {
				return errMore
			}
			n := int(s.buf[i+1])<<8 | int(s.buf[i+2])
			if m == 0 || n < 2 {
				return s.rejectPicture(luma.FormatError("segment with bad length"))
			}
			if s.end-i-1 < n {
				return errMore
			}
			s.lastSegment, s.checked, s.inScan = i-1, i+1+n, m == 0xda
		}
	}
}

// skipScan moves over entropy-coded data; it reports whether at is now at the
// marker after it.
func (s *jpegSplitter) skipScan() bool {
	for {
		i := bytes.IndexByte(s.buf[s.checked:s.end], 0xff)
		if i < 0 {
			s.checked = s.end
			return false
		}
		s.checked += i
		if s.checked+1 == s.end {
			return false
		}
		switch m := s.buf[s.checked+1]; {
		case m == 0 || m >= 0xd0 && m <= 0xd7:
			s.checked += 2
		case m == 0xff:
			s.checked++
		default:
			s.inScan = false
			return true
		}
	}
}

// rejectLarge gives up a picture of too many bytes.
func (s *jpegSplitter) rejectLarge() error {
	s.dropBefore(s.checked)
	s.complete = false
	return errPicture{fmt.Errorf("has more than %d bytes", s.maxBytes)}
}

// freeBuffers gives back what is kept, and the pump's where that is no longer read
// into.
func (s *jpegSplitter) freeBuffers() {
	s.memory.Free(s.buf)
	s.buf, s.start, s.checked, s.end, s.inPicture, s.inScan, s.complete = nil, 0, 0, 0, false, false, false
	s.pump.freeChunks()
}
