// Package head reads the heads of HTTP and RTSP messages as cameras send them:
// status lines that come twice or lack their reason, header lines without a colon,
// with blanks in the wrong place or with control characters, folded lines, and line
// ends of LF alone. A line that cannot be read is left out, as curl and ffmpeg do.
//
// It refuses heads of more than 64 KiB and answers that begin with no status line.
// No error holds a byte of the input: after a broken head a picture may follow
// at once. Bytes that were handed on are overwritten.
package head

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"
)

// Errors of ReadResponse and ReadMessage.
var (
	// ErrNoStatus is returned for an answer that does not begin with a status line.
	ErrNoStatus = errors.New("camera's answer does not begin with a status line")
	// ErrNoEnd is returned for a head of more than 64 KiB.
	ErrNoEnd = errors.New("camera's answer has a broken head: it does not end")
)

const (
	bufSize = 4 << 10  // bytes that are read ahead; chosen by hand
	maxLine = 8 << 10  // bytes of a line; of a longer one the rest is skipped. Chosen by hand
	maxHead = 64 << 10 // bytes of a head; chosen by hand
)

// jpegStart begins a JPEG: no line of a head begins so.
var jpegStart = []byte{0xff, 0xd8, 0xff}

// Field is one line of a head.
type Field struct{ Name, Value string }

// Message is the head of one message.
type Message struct {
	Start  string // the first line
	Status int    // of a response, 100–999; 0 for a request
	Fields []Field
}

// Values returns the values of all fields of that name, in any case.
func (m *Message) Values(name string) (all []string) {
	for _, f := range m.Fields {
		if strings.EqualFold(f.Name, name) {
			all = append(all, f.Value)
		}
	}
	return all
}

// Get returns the value of the first field of that name, and "" without one.
func (m *Message) Get(name string) string {
	for _, f := range m.Fields {
		if strings.EqualFold(f.Name, name) {
			return f.Value
		}
	}
	return ""
}

// Set replaces all fields of that name by one; an empty value removes them.
func (m *Message) Set(name, value string) {
	kept := m.Fields[:0:0]
	for _, f := range m.Fields {
		if !strings.EqualFold(f.Name, name) {
			kept = append(kept, f)
		}
	}
	if m.Fields = kept; value != "" {
		m.Fields = append(m.Fields, Field{name, value})
	}
}

// Append appends the head in its standard form to b, with the empty line.
func (m *Message) Append(b []byte) []byte {
	b = append(append(b, m.Start...), "\r\n"...)
	for _, f := range m.Fields {
		b = append(append(append(append(b, f.Name...), ": "...), f.Value...), "\r\n"...)
	}
	return append(b, "\r\n"...)
}

// Reader reads heads, and the bytes between them.
type Reader struct {
	src        io.Reader
	buf        [bufSize]byte
	start, end int // of the bytes that were read ahead
}

// NewReader makes a Reader of src.
func NewReader(src io.Reader) *Reader { return &Reader{src: src} }

// Peek returns the next n bytes, at most 64, without consuming them.
func (r *Reader) Peek(n int) ([]byte, error) {
	for r.end-r.start < n {
		if err := r.fill(); err != nil {
			return nil, err
		}
	}
	return r.buf[r.start : r.start+n], nil
}

// fill reads more bytes behind the unread ones.
func (r *Reader) fill() error {
	if r.start > 0 {
		n := copy(r.buf[:], r.buf[r.start:r.end])
		clear(r.buf[n:r.end])
		r.start, r.end = 0, n
	}
	n, err := r.src.Read(r.buf[r.end:])
	r.end += n
	if n > 0 {
		return nil
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return err
}

// Read hands on the bytes that were read ahead, then those of the source.
func (r *Reader) Read(p []byte) (int, error) {
	if r.start == r.end {
		return r.src.Read(p)
	}
	n := copy(p, r.buf[r.start:r.end])
	r.Discard(n)
	return n, nil
}

// Discard overwrites the next n of the bytes that were read ahead.
func (r *Reader) Discard(n int) {
	n = min(n, r.end-r.start)
	clear(r.buf[r.start : r.start+n])
	r.start += n
}

// readLine reads one line without its end. rest is the number of bytes that it may
// still cost. At a JPEG it returns no line and ok false.
func (r *Reader) readLine(rest *int) (line []byte, ok bool, err error) {
	for {
		if r.start == r.end {
			if err := r.fill(); err != nil {
				return nil, false, err
			}
		}
		have := r.buf[r.start:r.end]
		if len(line) == 0 && have[0] == jpegStart[0] {
			if have, err = r.Peek(len(jpegStart)); err != nil {
				return nil, false, err
			}
			if bytes.Equal(have, jpegStart) {
				return nil, false, nil
			}
			have = r.buf[r.start:r.end]
		}
		n := bytes.IndexByte(have, '\n') + 1
		if n == 0 {
			n = len(have)
		}
		whole := have[n-1] == '\n'
		line = append(line, have[:min(n, max(0, maxLine-len(line)))]...)
		r.Discard(n)
		if *rest -= n; *rest < 0 {
			return nil, false, ErrNoEnd
		}
		if whole {
			return bytes.TrimRight(line, "\r\n"), true, nil
		}
	}
}

// ReadResponse reads the head of a response and those of the interim ones (1xx)
// before it. A JPEG in the place of a head is a response 200 without fields.
func (r *Reader) ReadResponse() (*Message, error) {
	for {
		m, err := r.ReadMessage()
		switch {
		case err != nil:
			return nil, err
		case m.Status == 0:
			return nil, ErrNoStatus
		case m.Status >= 200 || m.Status == 101:
			return m, nil
		}
	}
}

// ReadMessage reads one head: empty lines, the first line, the fields, and an empty
// line. A JPEG that begins in the place of a line ends the head.
func (r *Reader) ReadMessage() (*Message, error) {
	m, rest, folds := &Message{}, maxHead, false
	for {
		line, ok, err := r.readLine(&rest)
		switch {
		case err == io.EOF && m.Start != "":
			return nil, io.ErrUnexpectedEOF
		case err != nil:
			return nil, err
		case !ok && m.Start == "":
			m.Status = 200
			return m, nil
		case !ok, len(line) == 0 && m.Start != "":
			return m, nil
		case len(line) == 0:
			continue
		case m.Start == "":
			if m.Start, m.Status = string(line), status(line); m.Status == 0 && !isText(line) {
				return nil, ErrNoStatus
			}
			continue
		}
		if line[0] == ' ' || line[0] == '\t' {
			if more := bytes.TrimSpace(line); folds && len(more) > 0 && isText(line) {
				f := &m.Fields[len(m.Fields)-1]
				f.Value = strings.TrimSpace(f.Value + " " + string(more))
			}
			continue
		}
		var f Field
		if f, folds = parseField(line); folds {
			m.Fields = append(m.Fields, f)
		}
	}
}

// status returns the number of a status line: the second word of three digits.
func status(line []byte) int {
	words := bytes.Fields(line)
	if len(words) < 2 || len(words[1]) != 3 || !isText(words[0]) {
		return 0
	}
	n, err := strconv.Atoi(string(words[1]))
	if err != nil || n < 100 {
		return 0
	}
	return n
}

// parseField parses one field; ok is false for a line that is none. A name consists
// of the characters of a token, RFC 9110 section 5.6.2; blanks around it are left
// out.
func parseField(line []byte) (f Field, ok bool) {
	name, value, ok := bytes.Cut(line, []byte{':'})
	name = bytes.TrimSpace(name)
	if !ok || len(name) == 0 || !isText(value) {
		return f, false
	}
	for _, c := range name {
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`()<>@,;:\"/[]?={}`, c) >= 0 {
			return f, false
		}
	}
	return Field{string(name), string(bytes.TrimSpace(value))}, true
}

// isText reports whether a line is without control characters other than tabs.
func isText(line []byte) bool {
	for _, c := range line {
		if c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}
