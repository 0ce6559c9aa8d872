package camera

import (
	"bytes"
	"fmt"
	"strings"
)

const (
	lineMax = 4 << 10 // bytes of a line between pictures
	headMax = 8 << 10 // bytes of the head of a part
)

var (
	dashes      = []byte("--")
	contentType = []byte("Content-Type:")
)

// parts reads what a camera sends between pictures: the boundaries and heads
// of multipart/x-mixed-replace, RFC 2046 section 5.1, as cameras get them
// wrong. Boundaries come with more or fewer dashes than announced, lines end
// without CR, heads and lengths are missing or false. So a picture's end is
// found by its own markers, never by a length, and what is read here serves to
// tell a part that is no picture.
type parts struct {
	boundary []byte // without its leading dashes; none takes any
	inHead   bool
	head     int    // bytes of the head so far
	kind     string // the part's Content-Type
	body     bool   // the head has ended: the picture must follow
	rest     bool   // of a line that was too long to keep
}

// boundaryOf takes the boundary out of a Content-Type.
func boundaryOf(header string) []byte {
	i := strings.Index(strings.ToLower(header), "boundary=")
	if i < 0 {
		return nil
	}
	b, _, _ := strings.Cut(header[i+len("boundary="):], ";")
	return []byte(strings.TrimLeft(strings.Trim(b, " \t\""), "-"))
}

// seek takes one line, or the start of a picture wherever it is: the head or
// the boundary before it may be missing.
func (p *parts) seek(s *splitter) error {
	have := s.buf[s.start:s.end]
	n := bytes.IndexByte(have, '\n')
	if n >= 0 {
		have = have[:n]
	}
	picture := bytes.Index(have, start)
	if picture >= 0 {
		have = have[:picture]
	}
	cut := n < 0 && picture < 0 // the line goes on
	if cut && len(have) <= lineMax && !p.rest {
		return errMore
	}
	var err error
	switch {
	case p.rest:
	case len(have) > lineMax:
		err = p.long()
	case picture < 0:
		err = p.line(bytes.TrimSpace(have))
	}
	p.rest = cut
	switch {
	case picture >= 0 && err == nil:
		p.inHead, p.body = false, false
		s.found(s.start + picture)
		return nil
	case picture >= 0:
		n = picture
	case cut:
		n = max(0, len(have)-len(start)+1) // what is left may begin a picture
	default:
		n++
	}
	if skip := s.skip(s.start + n); skip != errMore {
		return skip
	}
	if cut && err == nil {
		return errMore
	}
	return err
}

// long takes what is too long to be a line.
func (p *parts) long() error {
	inHead, body := p.inHead, p.body
	p.inHead, p.body = false, false
	switch {
	case inHead:
		return errPicture{fmt.Errorf("a line of its head has more than %d bytes", lineMax)}
	case body:
		return p.foreign()
	}
	return nil
}

func (p *parts) foreign() error {
	return errPicture{fmt.Errorf("part is no JPEG picture but %q", p.kind)}
}

// line takes one line. The error is about the part that it belongs to.
func (p *parts) line(line []byte) error {
	if p.isBoundary(line) {
		none := p.body
		p.inHead, p.head, p.kind, p.body = true, 0, "", false
		if none {
			return errPicture{fmt.Errorf("part is empty")}
		}
		return nil
	}
	switch {
	case p.body && len(line) > 0:
		p.body = false
		return p.foreign()
	case !p.inHead:
		return nil
	case len(line) == 0:
		p.inHead, p.body = false, true
		return nil
	}
	if p.head += len(line); p.head > headMax {
		p.inHead = false
		return errPicture{fmt.Errorf("its head has more than %d bytes", headMax)}
	}
	if n := len(contentType); len(line) > n && bytes.EqualFold(line[:n], contentType) {
		p.kind = kindOf(line[n:])
	}
	return nil
}

// kindOf is a Content-Type fit to print; the usual one costs no memory.
func kindOf(val []byte) string {
	val = bytes.TrimSpace(val)
	if string(val) == "image/jpeg" {
		return "image/jpeg"
	}
	return string(val[:min(len(val), 80)])
}

// isBoundary tells a line that separates parts.
func (p *parts) isBoundary(line []byte) bool {
	return bytes.HasPrefix(line, dashes) && bytes.HasPrefix(bytes.TrimLeft(line, "-"), p.boundary)
}
