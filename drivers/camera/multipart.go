package camera

import (
	"bytes"
	"fmt"
	"strings"
)

const (
	maxLine = 4 << 10 // bytes of a line between pictures
	maxHead = 8 << 10 // bytes of the head of a part
)

var (
	boundaryDashes = []byte("--")
	contentTypeKey = []byte("Content-Type:")
)

// multipartScanner reads what a camera sends between pictures: the boundaries and heads
// of multipart/x-mixed-replace, RFC 2046 section 5.1, as cameras get them
// wrong. Boundaries come with more or fewer dashes than announced, lines end
// without CR, heads and lengths are missing or false. So a picture's end is
// found by its own markers, never by a length, and what is read here serves to
// tell a part that is no picture.
type multipartScanner struct {
	boundary     []byte // without its leading dashes; none takes any
	inHead       bool
	headBytes    int    // bytes of the head so far
	partType     string // the part's Content-Type
	wantsPicture bool   // the head has ended: the picture must follow
	inLongLine   bool   // of a line that was too long to keep
}

// parseBoundary takes the boundary out of a Content-Type.
func parseBoundary(header string) []byte {
	i := strings.Index(strings.ToLower(header), "boundary=")
	if i < 0 {
		return nil
	}
	b, _, _ := strings.Cut(header[i+len("boundary="):], ";")
	return []byte(strings.TrimLeft(strings.Trim(b, " \t\""), "-"))
}

// scanLine takes one line, or the start of a picture wherever it is: the head or
// the boundary before it may be missing.
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
		n = max(0, len(have)-len(jpegStart)+1) // what is left may begin a picture
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

// endLongLine takes what is too long to be a line.
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

func (p *multipartScanner) notJPEG() error {
	return errPicture{fmt.Errorf("part is no JPEG picture but %q", p.partType)}
}

// parseLine takes one line. The error is about the part that it belongs to.
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
		p.partType = printableType(line[n:])
	}
	return nil
}

// printableType is a Content-Type fit to print; the usual one costs no memory.
func printableType(val []byte) string {
	val = bytes.TrimSpace(val)
	if string(val) == "image/jpeg" {
		return "image/jpeg"
	}
	return string(val[:min(len(val), 80)])
}

// isBoundary tells a line that separates parts.
func (p *multipartScanner) isBoundary(line []byte) bool {
	return bytes.HasPrefix(line, boundaryDashes) && bytes.HasPrefix(bytes.TrimLeft(line, "-"), p.boundary)
}
