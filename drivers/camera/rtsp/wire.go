package rtsp

import (
	"bytes"
	"errors"
	"net"
	"net/url"
	"strconv"
	"strings"
	"sync"

	"kerb/drivers/camera/auth"
	"kerb/drivers/camera/head"
)

// Errors of a wire.
var (
	errOtherHost   = errors.New("camera redirects to another host: not followed")
	errTeardown    = errors.New("camera has ended the session")
	errLargeAnswer = errors.New("camera's answer has a body of more than 256 KiB")
)

const (
	frameMark   = '$'       // begins an interleaved frame, RFC 2326 section 10.12
	frameHead   = 4         // bytes: mark, channel, length
	maxBody     = 256 << 10 // bytes of an answer's body; chosen by hand
	maxPending  = 8         // requests that wait for an answer: cameras do not answer every keepalive
	maxAttempts = 3         // of one request, with new answers to the camera's challenges
	minPeek     = 8         // bytes by which a message is told from junk: "TEARDOWN"
)

// serverMethods are the requests that a camera may send.
var serverMethods = []string{"ANNOUNCE", "DESCRIBE", "GET_PARA", "OPTIONS ", "PAUSE rt", "PLAY rts", "PLAY_NOT", "RECORD r", "REDIRECT", "SET_PARA", "SETUP rt", "TEARDOWN"}

// keepaliveMethods are tried in turn when the camera refuses one.
var keepaliveMethods = []string{"GET_PARAMETER", "OPTIONS", "SET_PARAMETER"}

// wire is the connection to a camera, below the library. It answers the camera's
// challenges and brings the answers of cameras into the form of RFC 2326, which is
// the only one that the library takes: see answer.go. Interleaved frames pass as
// they are.
type wire struct {
	net.Conn
	asked *url.URL // without user and password
	in    *head.Reader
	out   []byte // for the library, and not yet read
	head  [frameHead]byte
	frame int  // bytes of an interleaved frame that are still to come
	drop  bool // that frame is dropped: it came before PLAY

	mu        sync.Mutex
	auth      auth.Answerer
	seq       int       // the last CSeq sent
	pending   []request // not yet answered
	playing   bool      // PLAY was sent
	keepalive string    // the method of keepalives, where the camera has refused one

	noAnswer error    // why the last challenge was not answered; nil: it was, or the camera refuses
	codecs   []string // of the streams that cannot be read
}

// request is one request of the library.
type request struct {
	head.Message
	method, uri string
	seq         string // CSeq as it was sent
	librarySeq  string // CSeq as the library has numbered it
	attempts    int
	answers     bool // it bore an answer to a challenge
	keepsAlive  bool
}

func newWire(conn net.Conn, asked *url.URL, user, password string) *wire {
	return &wire{Conn: conn, in: head.NewReader(conn), asked: asked, auth: auth.Answerer{User: user, Password: password}}
}

// Write sends what the library writes, in one piece each time: a request or a frame.
func (c *wire) Write(b []byte) (int, error) {
	if len(b) > 0 && b[0] == frameMark {
		return c.Conn.Write(b)
	}
	m, err := head.NewReader(bytes.NewReader(b)).ReadMessage()
	if err != nil {
		return 0, err
	}
	words := strings.Fields(m.Start)
	if len(words) < 2 || m.Status != 0 {
		return c.Conn.Write(b)
	}
	r := request{Message: *m, method: words[0], uri: words[1], librarySeq: m.Get("CSeq")}
	c.mu.Lock()
	defer c.mu.Unlock()
	if r.method == "PLAY" {
		c.playing = true
	}
	if r.keepsAlive = c.playing && (r.method == "GET_PARAMETER" || r.method == "OPTIONS"); r.keepsAlive && c.keepalive != "" {
		r.method = c.keepalive
	}
	return len(b), c.send(r)
}

// send numbers, signs and sends a request. c.mu is held.
func (c *wire) send(r request) error {
	c.seq++
	r.seq = strconv.Itoa(c.seq)
	r.attempts++
	r.Start = r.method + " " + r.uri + " RTSP/1.0"
	r.Set("CSeq", r.seq)
	answer := c.auth.Header(r.method, r.uri)
	r.answers = answer != ""
	r.Set("Authorization", answer)
	if len(c.pending) == maxPending {
		c.pending = c.pending[1:]
	}
	c.pending = append(c.pending, r)
	_, err := c.Conn.Write(r.Append(nil))
	return err
}

// Read hands the library what the camera sends, in standard form.
func (c *wire) Read(p []byte) (int, error) {
	for {
		switch {
		case len(p) == 0:
			return 0, nil
		case len(c.out) > 0:
			n := copy(p, c.out)
			c.out = c.out[n:]
			return n, nil
		case c.frame > 0:
			n, err := c.in.Read(p[:min(len(p), c.frame)])
			if c.frame -= n; c.drop && err == nil {
				clear(p[:n])
				continue
			}
			return n, err
		}
		if err := c.readNext(); err != nil {
			return 0, err
		}
	}
}

// readNext reads the head of a frame, or a whole message. Other bytes are skipped.
func (c *wire) readNext() error {
	b, err := c.in.Peek(1)
	if err != nil {
		return err
	}
	if b[0] == frameMark {
		if b, err = c.in.Peek(frameHead); err != nil {
			return err
		}
		c.mu.Lock()
		c.drop = !c.playing
		c.mu.Unlock()
		if c.frame = int(b[2])<<8 | int(b[3]); !c.drop {
			c.out = append(c.head[:0], b...)
		}
		c.in.Discard(frameHead)
		return nil
	}
	if b[0] < 'A' || b[0] > 'Z' {
		c.in.Discard(1)
		return nil
	}
	if b, err = c.in.Peek(minPeek); err != nil {
		return err
	}
	answer := bytes.HasPrefix(b, []byte("RTSP/"))
	asks := false
	for _, method := range serverMethods {
		asks = asks || string(b) == method
	}
	if !answer && !asks {
		c.in.Discard(1)
		return nil
	}
	return c.readMessage(answer)
}

// readMessage reads one answer, or one request of the camera, with its body.
func (c *wire) readMessage(answer bool) error {
	m, err := c.in.ReadMessage()
	if err != nil {
		return err
	}
	body, err := c.readBody(m)
	if err != nil {
		return err
	}
	if !answer {
		return c.serve(m)
	}
	if m.Status >= 100 && m.Status < 200 {
		return nil
	}
	return c.takeAnswer(m, body)
}

// readBody reads the body of a message. Without a usable Content-Length there is
// none.
func (c *wire) readBody(m *head.Message) ([]byte, error) {
	n, err := strconv.ParseUint(m.Get("Content-Length"), 10, 31)
	if err != nil {
		return nil, nil
	}
	if n > maxBody {
		return nil, errLargeAnswer
	}
	body := make([]byte, n)
	for have := 0; have < len(body); {
		k, err := c.in.Read(body[have:])
		if have += k; err != nil {
			return nil, err
		}
	}
	return body, nil
}

// serve answers a request of the camera. The library ends the session at every
// request but OPTIONS.
func (c *wire) serve(m *head.Message) error {
	method, _, _ := strings.Cut(m.Start, " ")
	res := head.Message{Start: "RTSP/1.0 501 Not Implemented"}
	switch method {
	case "TEARDOWN", "REDIRECT":
		return errTeardown
	case "OPTIONS", "GET_PARAMETER", "SET_PARAMETER", "ANNOUNCE":
		res.Start = "RTSP/1.0 200 OK"
	}
	res.Set("CSeq", m.Get("CSeq"))
	_, err := c.Conn.Write(res.Append(nil))
	return err
}

// takeAnswer finds the request of an answer. It sends the request again where the
// camera challenges, and hands the answer to the library otherwise.
func (c *wire) takeAnswer(m *head.Message, body []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	r, ok := c.findRequest(m.Get("CSeq"))
	if !ok {
		return nil // an answer that was not asked for
	}
	if m.Status == 401 && r.attempts < maxAttempts {
		err := c.auth.Challenge(m.Values("WWW-Authenticate"), r.answers)
		if err == nil {
			return c.send(r)
		}
		if c.noAnswer = nil; errors.Is(err, auth.ErrUnknown) || errors.Is(err, auth.ErrBasic) {
			c.noAnswer = err
		}
	}
	switch {
	case m.Status < 400 && r.answers:
		c.auth.Accepted()
	case r.keepsAlive && m.Status >= 400:
		c.keepalive = nextKeepalive(r.method)
	}
	if r.keepsAlive {
		return nil
	}
	out, err := c.standardAnswer(&r, m, body)
	c.out = append(c.out, out...)
	return err
}

// findRequest removes and returns the request with that CSeq; where there is none,
// the oldest that is no keepalive: some cameras leave CSeq out or count themselves.
func (c *wire) findRequest(seq string) (request, bool) {
	at := -1
	for i := range c.pending {
		if c.pending[i].seq == seq {
			at = i
			break
		}
		if at < 0 && !c.pending[i].keepsAlive {
			at = i
		}
	}
	if at < 0 && len(c.pending) > 0 {
		at = 0
	}
	if at < 0 {
		return request{}, false
	}
	r := c.pending[at]
	c.pending = append(c.pending[:at], c.pending[at+1:]...)
	return r, true
}

// nextKeepalive returns the method that follows a refused one.
func nextKeepalive(refused string) string {
	for i, method := range keepaliveMethods {
		if method == refused {
			return keepaliveMethods[(i+1)%len(keepaliveMethods)]
		}
	}
	return keepaliveMethods[0]
}
