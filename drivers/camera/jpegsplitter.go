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

// The markers that delimit a JPEG: ITU-T T.81, table B.1.
const (
	markerTEM   = 0x01 // no segment follows
	firstMarker = 0xc0 // SOF0: all below are reserved, but TEM
	markerRST0  = 0xd0 // restart markers: no segment follows
	markerRST7  = 0xd7
	markerSOI   = 0xd8 // start of image
	markerEOI   = 0xd9 // end of image
	markerSOS   = 0xda // start of scan: entropy-coded data follows its segment
)

// jpegStart begins every picture: SOI and the first byte of the next marker.
var jpegStart = []byte{0xff, markerSOI, 0xff}

// The sizes of the splitter's buffer, in bytes, chosen by hand.
const (
	minReadRoom   = 4 << 10  // a read gets at least this much room
	firstSplitBuf = 64 << 10 // the first allocation
	// splitBufExtra is the room beyond maxBytes: one segment (64 KiB) and one
	// chunk (32 KiB) fit.
	splitBufExtra = 128 << 10
)

// maxJunk is how many bytes of a picture may belong to no segment: some cameras pad
// segments. More, or a start within the last segment, are the signs of a damaged
// length. Chosen by hand.
const maxJunk = 64

// maxSkippedPictures bounds the bytes between two pictures, in units of maxBytes,
// before the source is given up as one without JPEGs. Chosen by hand.
const maxSkippedPictures = 8

// jpegSplitter splits a byte stream into JPEGs by their markers, never by a
// declared length, and resynchronises at the next SOI after damage or foreign
// bytes. It keeps the current picture and the bytes that came after it.
type jpegSplitter struct {
	chunks    *chunkReader
	memory    Memory
	maxBytes  int               // bytes of a picture
	multipart *multipartScanner // scans between pictures; nil: seek the next SOI

	buf         []byte
	start       int       // first byte of the picture
	checked     int       // the markers before it have been checked
	lastSegment int       // its last segment; the lengths before it led to a marker
	end         int       // of the received bytes
	arrived     time.Time // arrival of the last bytes
	firstByte   time.Time // arrival of the picture's first byte
	inPicture   bool      // start is at an SOI
	inScan      bool      // checked is in entropy-coded data
	hasScan     bool      // the picture has at least the start of a scan
	junk        int       // bytes of the picture that belong to no segment
	complete    bool      // the picture ends at checked and was not released
	skipped     int       // bytes since the last picture
}

// errPicture is the reason why one picture is unusable; the stream goes on.
type errPicture struct{ error }

// Unwrap returns the reason.
func (e errPicture) Unwrap() error { return e.error }

// nextPicture returns the next complete JPEG and the arrival of its first byte. It
// returns the same one until releasePicture. An errPicture is about one picture.
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
			err = s.endWithoutMarker(s.end)
		}
		if err != nil {
			s.skipped = 0
			return nil, s.firstByte, err
		}
	}
	return s.buf[s.start:s.checked], s.firstByte, nil
}

// releasePicture overwrites the complete picture and allows the next one.
func (s *jpegSplitter) releasePicture() {
	s.dropBefore(s.checked)
	s.complete, s.skipped = false, 0
}

// dropBefore overwrites the bytes before to and leaves the picture.
func (s *jpegSplitter) dropBefore(to int) {
	clear(s.buf[s.start:to])
	s.start, s.checked, s.inPicture, s.inScan, s.hasScan, s.junk = to, to, false, false, false, 0
}

// errMore is returned by a scanning step that needs more bytes.
var errMore = errors.New("more")

// readMore appends the bytes that arrive next.
func (s *jpegSplitter) readMore(ctx context.Context, limit <-chan time.Time) error {
	if s.end == len(s.buf) {
		if err := s.makeRoom(); err != nil {
			return err
		}
	}
	n, at, err := s.chunks.readBytes(ctx, limit, s.buf[s.end:])
	if err == nil {
		s.end, s.arrived = s.end+n, at
	}
	return err
}

// makeRoom moves the kept bytes to the front, and doubles the buffer where that is
// not enough. A picture, a segment and a chunk always fit.
func (s *jpegSplitter) makeRoom() error {
	n := copy(s.buf, s.buf[s.start:s.end])
	clear(s.buf[n:s.end])
	s.checked, s.lastSegment = s.checked-s.start, s.lastSegment-s.start
	s.start, s.end = 0, n
	if len(s.buf)-n >= minReadRoom {
		return nil
	}
	larger, err := s.memory.Bytes(min(max(firstSplitBuf, 2*len(s.buf)), s.maxBytes+splitBufExtra))
	if err != nil {
		return err
	}
	copy(larger, s.buf[:n])
	s.memory.Free(s.buf)
	s.buf = larger
	return nil
}

// findStart seeks the next SOI. The last two bytes may be its beginning and stay.
func (s *jpegSplitter) findStart() error {
	if i := bytes.Index(s.buf[s.start:s.end], jpegStart); i >= 0 {
		s.beginPicture(s.start + i)
		return nil
	}
	return s.skipTo(max(s.start, s.end-len(jpegStart)+1))
}

// beginPicture makes the SOI at this index the start of the picture.
func (s *jpegSplitter) beginPicture(at int) {
	s.dropBefore(at)
	s.checked, s.lastSegment, s.inPicture, s.firstByte = at+2, at, true, s.arrived
}

// skipTo drops bytes that belong to no picture, and returns errMore, or an error
// after too many of them.
func (s *jpegSplitter) skipTo(to int) error {
	s.skipped += to - s.start
	s.dropBefore(to)
	if s.skipped > maxSkippedPictures*s.maxBytes {
		return fmt.Errorf("no JPEG picture in %d bytes", s.skipped)
	}
	return errMore
}

// rejectPicture gives the picture up and seeks the next SOI from its last segment
// on: a damaged length may have led over an SOI. Earlier segments are left out,
// because they may hold a thumbnail.
func (s *jpegSplitter) rejectPicture(why error) error {
	s.dropBefore(s.lastSegment + 2)
	return errPicture{why}
}

// endWithoutMarker completes a picture without EOI at the next SOI or the end of
// the stream: the decoder sees whether all of it is there. One that has no scan is
// rejected.
func (s *jpegSplitter) endWithoutMarker(at int) error {
	if !s.hasScan {
		return s.rejectPicture(luma.ErrTruncated)
	}
	if s.multipart != nil {
		at = s.start + s.multipart.cutHead(s.buf[s.start:at])
	}
	s.checked, s.complete = at, true
	return nil
}

// checkMarkers follows the picture's markers and segment lengths up to EOI. It
// returns nil when the picture is complete, and an errPicture when it is damaged.
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
			s.junk++
			if s.junk > maxJunk || bytes.Contains(s.buf[s.lastSegment+2:s.checked], jpegStart) {
				return s.rejectPicture(luma.FormatError("marker expected"))
			}
			s.checked++
			continue
		}
		i := s.checked + 1
		for i < s.end && s.buf[i] == 0xff {
			i++
		}
		s.checked = i - 1 // so that fill bytes are read once
		if i == s.end {
			return errMore
		}
		switch m := s.buf[i]; {
		case m == markerEOI:
			s.checked, s.complete = i+1, true
			if s.checked-s.start > s.maxBytes {
				return s.rejectLarge()
			}
			return nil
		case m == markerSOI:
			if !s.hasScan {
				s.lastSegment = s.checked - 2 // so that this SOI is found again
			}
			return s.endWithoutMarker(s.checked)
		case m == markerTEM || m >= markerRST0 && m <= markerRST7:
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
			s.lastSegment, s.checked, s.inScan = i-1, i+1+n, m == markerSOS
			s.hasScan = s.hasScan || s.inScan
		}
	}
}

// skipScan moves checked over entropy-coded data, with its stuffed zeros and
// restart markers. It reports whether checked is now at the marker after it.
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
		case m < firstMarker || m >= markerRST0 && m <= markerRST7:
			s.checked += 2 // stuffing, a restart marker, or damage
		case m == 0xff:
			s.checked++
		default:
			s.inScan = false
			return true
		}
	}
}

// rejectLarge gives up a picture of more than maxBytes.
func (s *jpegSplitter) rejectLarge() error {
	s.dropBefore(s.checked)
	s.complete = false
	return errPicture{fmt.Errorf("has more than %d bytes", s.maxBytes)}
}

// freeBuffers frees the buffer, and the chunk reader's if no Read is under way.
func (s *jpegSplitter) freeBuffers() {
	s.memory.Free(s.buf)
	s.buf, s.start, s.checked, s.end, s.inPicture, s.inScan, s.hasScan, s.complete = nil, 0, 0, 0, false, false, false, false
	s.chunks.freeChunks()
}
