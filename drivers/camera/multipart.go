package camera

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
)

const (
	maxLine = 4 << 10 // bytes of a line between pictures; chosen by hand
	maxHead = 8 << 10 // bytes of the head of a part; chosen by hand
)

var (
	boundaryDashes = []byte("--")
	contentTypeKey = []byte("Content-Type:")
)

// multipartScanner parses the boundaries and part heads of
// multipart/x-mixed-replace, RFC 2046 section 5.1, between two pictures. It serves
// to name a part that is not a JPEG; the end of a picture is found by its own
// markers, never by Content-Length.
//
// It is written by hand because cameras deviate: boundaries have more or fewer
// dashes than announced, lines end without CR, heads and lengths are missing or
// false. mime/multipart trusts the announced boundary, and keeps picture bytes in a
// buffer that is never overwritten.
type multipartScanner struct {
	boundary     []byte // without leading dashes; empty: any line that begins with --
	inHead       bool
	headBytes    int    // read of the head
	partType     string // Content-Type of the part, if it is one of namedTypes
	wantsPicture bool   // the head is complete, a picture must follow
	inLongLine   bool   // the rest of a line beyond maxLine is skipped
}

// parseBoundary returns the boundary parameter of a Content-Type, without leading
// dashes.
func parseBoundary(header string) []byte {
	i := strings.Index(strings.ToLower(header), "boundary=")
	if i < 0 {
		return nil
	}
	b, _, _ := strings.Cut(header[i+len("boundary="):], ";")
	return []byte(strings.TrimLeft(strings.Trim(b, " \t\""), "-"))
}

// scanLine consumes one line, or the bytes before an SOI anywhere in it: the head
// or the boundary before a picture may be missing.
func (p *multipartScanner) scanLine(s *jpegSplitter) error {
	have := s.buf[s.start:s.end]
	n := bytes.IndexByte(have, '\n')
	if n >= 0 {
		have = have[:n]
	}
	picture := bytes.Index(have, jpegStart)
	if picture >= 0 {
		have = have[:picture]
	}
	cut := n < 0 && picture < 0 // the line goes on
	if cut && len(have) <= maxLine && !p.inLongLine {
		return errMore
	}
	var err error
	switch {
	case p.inLongLine:
	case len(have) > maxLine:
		err = p.endLongLine()
	case picture < 0:
		err = p.parseLine(bytes.TrimSpace(have))
	}
	p.inLongLine = cut
	switch {
	case picture >= 0 && err == nil:
		p.inHead, p.wantsPicture = false, false
		s.beginPicture(s.start + picture)
		return nil
	case picture >= 0:
		n = picture
	case cut:
		n = max(0, len(have)-len(jpegStart)+1) // the last two bytes may begin an SOI
	default:
		n++
	}
	if skip := s.skipTo(s.start + n); skip != errMore {
		return skip
	}
	if cut && err == nil {
		return errMore
	}
	return err
}

// endLongLine leaves the head or the part in which a line is too long, and returns
// its error.
func (p *multipartScanner) endLongLine() error {
	inHead, body := p.inHead, p.wantsPicture
	p.inHead, p.wantsPicture = false, false
	switch {
	case inHead:
		return errPicture{fmt.Errorf("a line of its head has more than %d bytes", maxLine)}
	case body:
		return p.notJPEG()
	}
	return nil
}

// cutHead returns the length of a picture without the boundary and the head of the
// next part, where they follow it at the end of b.
func (p *multipartScanner) cutHead(b []byte) int {
	tail := b[max(0, len(b)-maxHead):]
	mark := append(boundaryDashes[:len(boundaryDashes):len(boundaryDashes)], p.boundary...)
	i := bytes.LastIndex(tail, mark)
	if i < 0 {
		return len(b)
	}
	return len(b) - len(tail) + len(bytes.TrimRight(tail[:i], "-\r\n"))
}

// notJPEG returns the error of a part without a picture.
func (p *multipartScanner) notJPEG() error {
	if words := namedTypes[p.partType]; words != "" {
		return errPicture{fmt.Errorf("part is no JPEG picture but %s", words)}
	}
	return errPicture{errors.New("part is no JPEG picture")}
}

// parseLine parses one line between pictures. An error is about the current part.
func (p *multipartScanner) parseLine(line []byte) error {
	if p.isBoundary(line) {
		none := p.wantsPicture
		p.inHead, p.headBytes, p.partType, p.wantsPicture = true, 0, "", false
		if none {
			return errPicture{fmt.Errorf("part is empty")}
		}
		return nil
	}
	switch {
	case p.wantsPicture && len(line) > 0:
		p.wantsPicture = false
		return p.notJPEG()
	case !p.inHead:
		return nil
	case len(line) == 0:
		p.inHead, p.wantsPicture = false, true
		return nil
	}
	if p.headBytes += len(line); p.headBytes > maxHead {
		p.inHead = false
		return errPicture{fmt.Errorf("its head has more than %d bytes", maxHead)}
	}
	if n := len(contentTypeKey); len(line) > n && bytes.EqualFold(line[:n], contentTypeKey) {
		p.partType = knownType(line[n:])
	}
	return nil
}

// knownType returns a Content-Type that has words in an error, and "" for another
// one. The usual one has none, and allocates no memory.
func knownType(val []byte) string {
	val, _, _ = bytes.Cut(val, []byte{';'})
	val = bytes.TrimSpace(val)
	if string(val) == "image/jpeg" || namedTypes[string(val)] == "" {
		return ""
	}
	return string(val)
}

// isBoundary reports whether a line separates parts.
func (p *multipartScanner) isBoundary(line []byte) bool {
	return bytes.HasPrefix(line, boundaryDashes) && bytes.HasPrefix(bytes.TrimLeft(line, "-"), p.boundary)
}
