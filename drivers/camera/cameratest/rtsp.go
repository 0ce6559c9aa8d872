package cameratest

import (
	"bufio"
	"cmp"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"strings"
	"sync"
	"time"
)

// rtspCamera is an RTSP camera with M-JPEG over TCP, RFC 2326 and RFC 2435, and
// with the deviations that its fields bring in. The zero value has none.
type rtspCamera struct {
	// answer changes an answer before it is sent.
	answer func(c *rtspConn, r rtspRequest, a *rtspAnswer)
	// description replaces the session description.
	description string
	// payloads returns the RTP payloads of picture n; nil: JPEG by RFC 2435.
	payloads func(n int) [][]byte
	// format is the RTP payload type; 0: 26, of JPEG.
	format byte
	// frame returns the bytes sent for one RTP packet; nil: an interleaved frame.
	frame func(packet []byte) []byte
	// head changes the main header of JPEG and its tables.
	head func(n int, h *jpegHead)
}

// rtspRequest is one request, with its fields by lower-case names.
type rtspRequest struct {
	method, uri string
	fields      map[string]string
}

// rtspAnswer is one answer: a status, fields as they are written, and a body.
type rtspAnswer struct {
	status string
	fields []string
	body   string
	before []byte // bytes that are sent before it
	none   bool   // no answer is sent
}

// jpegHead is the header of a picture in RTP.
type jpegHead struct {
	kind, q       byte
	width, height byte // in units of 8 pixels
	precision     byte
	tables        []byte
	restart       []byte // the restart header
	scan          []byte
}

// rtspConn is one connection.
type rtspConn struct {
	net.Conn
	mu    sync.Mutex
	begun time.Time
	calls map[string]int // requests by method
	seq   uint16
	ended chan struct{} // closed when no more requests come
}

// plainSDP describes one stream of M-JPEG.
const plainSDP = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=cam\r\nt=0 0\r\nm=video 0 RTP/AVP 26\r\na=control:track1\r\n"

// pictureInterval is the time between two pictures of the cameras in the kit.
const pictureInterval = time.Second / 25

// serve answers the requests of one connection until it ends.
func (s *rtspCamera) serve(conn net.Conn, pictures [][]byte) {
	c := &rtspConn{Conn: conn, begun: time.Now(), calls: map[string]int{}, ended: make(chan struct{})}
	var playing sync.WaitGroup
	defer playing.Wait()
	defer close(c.ended)
	defer conn.Close()
	in := bufio.NewReader(conn)
	for {
		r, err := readRequest(in)
		if err != nil {
			return
		}
		c.calls[r.method]++
		a := s.answerByTheBook(r)
		if s.answer != nil {
			s.answer(c, r, &a)
		}
		if c.send(r, a) != nil || r.method == "TEARDOWN" {
			return
		}
		if r.method == "PLAY" && strings.HasPrefix(a.status, "200") {
			playing.Go(func() { s.play(c, pictures) })
		}
	}
}

// readRequest reads one request. Interleaved frames of the client are skipped.
func readRequest(in *bufio.Reader) (r rtspRequest, err error) {
	for {
		b, err := in.Peek(4)
		if err != nil {
			return r, err
		}
		if b[0] != '$' {
			break
		}
		if _, err := in.Discard(4 + int(binary.BigEndian.Uint16(b[2:]))); err != nil {
			return r, err
		}
	}
	t := textproto.NewReader(in)
	line, err := t.ReadLine()
	if err != nil {
		return r, err
	}
	head, err := t.ReadMIMEHeader()
	if err != nil {
		return r, err
	}
	words := strings.Fields(line)
	if len(words) < 2 {
		return r, io.ErrUnexpectedEOF
	}
	r = rtspRequest{words[0], words[1], map[string]string{}}
	for k, v := range head {
		r.fields[strings.ToLower(k)] = v[0]
	}
	return r, nil
}

// answerByTheBook returns the answer of a camera without deviations.
func (s *rtspCamera) answerByTheBook(r rtspRequest) rtspAnswer {
	a := rtspAnswer{status: "200 OK"}
	switch r.method {
	case "OPTIONS":
		a.fields = []string{"Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER"}
	case "DESCRIBE":
		a.fields = []string{"Content-Base: " + r.uri + "/", "Content-Type: application/sdp"}
		if a.body = plainSDP; s.description != "" {
			a.body = s.description
		}
	case "SETUP":
		a.fields = []string{"Transport: RTP/AVP/TCP;unicast;interleaved=0-1", "Session: 1234;timeout=60"}
	case "PLAY":
		a.fields = []string{"Session: 1234"}
	}
	return a
}

// send sends an answer.
func (c *rtspConn) send(r rtspRequest, a rtspAnswer) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	text := string(a.before)
	if !a.none {
		text += "RTSP/1.0 " + a.status + "\r\n"
		if !strings.Contains(strings.Join(a.fields, "\n"), "CSeq:") {
			text += "CSeq: " + r.fields["cseq"] + "\r\n"
		}
		for _, f := range a.fields {
			text += f + "\r\n"
		}
		if a.body != "" {
			text += fmt.Sprintf("Content-Length: %d\r\n", len(a.body))
		}
		text += "\r\n" + a.body
	}
	_, err := io.WriteString(c.Conn, text)
	return err
}

// play sends pictures until the connection ends.
func (s *rtspCamera) play(c *rtspConn, pictures [][]byte) {
	for n := 0; ; n++ {
		var payloads [][]byte
		if s.payloads != nil {
			payloads = s.payloads(n)
		} else {
			h := newJPEGHead(pictures[n%len(pictures)])
			if s.head != nil {
				s.head(n, &h)
			}
			payloads = h.packets()
		}
		for i, p := range payloads {
			f := c.packet(cmp.Or(s.format, jpegFormat), p, i == len(payloads)-1, n)
			if s.frame != nil {
				f = s.frame(f)
			} else {
				f = append([]byte{'$', 0, byte(len(f) >> 8), byte(len(f))}, f...)
			}
			c.mu.Lock()
			_, err := c.Write(f)
			c.mu.Unlock()
			if err != nil {
				return
			}
		}
		select {
		case <-c.ended:
			return
		case <-time.After(pictureInterval):
		}
	}
}

// jpegFormat is the payload type of JPEG, RFC 3551, table 5.
const jpegFormat = 26

// packet is one RTP packet, RFC 3550.
func (c *rtspConn) packet(kind byte, payload []byte, last bool, n int) []byte {
	c.seq++
	if last {
		kind |= 0x80
	}
	p := []byte{0x80, kind}
	p = binary.BigEndian.AppendUint16(p, c.seq)
	p = binary.BigEndian.AppendUint32(p, uint32(n)*3600)
	p = binary.BigEndian.AppendUint32(p, 7)
	return append(p, payload...)
}

// newJPEGHead splits a JPEG of one scan with chroma as 4:2:0.
func newJPEGHead(j []byte) jpegHead {
	h := jpegHead{kind: 1, q: 255}
	for i := 2; ; {
		n := int(binary.BigEndian.Uint16(j[i+2:]))
		marker, body := j[i+1], j[i+4:i+2+n]
		i += 2 + n
		switch marker {
		case 0xdb:
			for ; len(body) > 64; body = body[65:] {
				h.tables = append(h.tables, body[1:65]...)
			}
		case 0xc0:
			h.height, h.width = byte(binary.BigEndian.Uint16(body[1:])/8), byte(binary.BigEndian.Uint16(body[3:])/8)
		case 0xda:
			h.scan = j[i : len(j)-2]
			return h
		}
	}
}

// maxPayload is the longest part of a scan in one packet, in bytes.
const maxPayload = 1300

// packets returns the payloads of a picture.
func (h jpegHead) packets() (all [][]byte) {
	for at := 0; at < len(h.scan); at += maxPayload {
		part := h.scan[at:min(at+maxPayload, len(h.scan))]
		p := []byte{0, byte(at >> 16), byte(at >> 8), byte(at), h.kind, h.q, h.width, h.height}
		p = append(p, h.restart...)
		if at == 0 && h.q >= 128 {
			p = append(p, 0, h.precision, byte(len(h.tables)>>8), byte(len(h.tables)))
			p = append(p, h.tables...)
		}
		all = append(all, append(p, part...))
	}
	return all
}
