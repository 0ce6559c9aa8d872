package camera

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"strings"

	"kerb/drivers/camera/auth"
	"kerb/drivers/camera/head"
)

// httpClient requests a stream or a picture from a camera. It answers challenges
// and follows redirects on the same host. Each request has a connection of its own:
// on one that is used again, net/http takes what a camera sends beyond its declared
// length for the next answer, and prints it.
type httpClient struct {
	http http.Client
	auth auth.Answerer
}

const (
	// maxReadAhead is the size of net/http's own read buffer, in bytes, which is
	// never overwritten: it holds the length line of an HTTP chunk and little more.
	maxReadAhead = 64
	maxRespHead  = 64 << 10 // bytes of a response's head; chosen by hand
	maxRequests  = 6        // challenges and redirects of one get; chosen by hand
)

func newClient(o HTTPOpts) *httpClient {
	dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dialCamera(ctx, o, network, addr)
		if err != nil {
			return nil, err
		}
		return newHeadConn(conn), nil
	}
	dialTLS := func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dialCamera(ctx, o, network, addr)
		if err != nil {
			return nil, err
		}
		if conn, err = startTLS(ctx, conn, o.TLS, addr); err != nil {
			return nil, errDial{err}
		}
		return newHeadConn(conn), nil
	}
	return &httpClient{
		auth: auth.Answerer{User: o.User, Password: o.Password, RefuseBasic: o.RefuseBasic},
		http: http.Client{
			Transport: &http.Transport{
				DialContext:            dial,
				DialTLSContext:         dialTLS,
				DisableCompression:     true,
				DisableKeepAlives:      true,
				MaxResponseHeaderBytes: maxRespHead,
				ReadBufferSize:         maxReadAhead,
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// dialCamera opens the TCP connection.
func dialCamera(ctx context.Context, o HTTPOpts, network, addr string) (net.Conn, error) {
	dial := o.Dial
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	conn, err := dial(ctx, network, addr)
	if err != nil {
		return nil, errDial{err}
	}
	return conn, nil
}

// startTLS makes the handshake. It closes conn where that fails.
func startTLS(ctx context.Context, conn net.Conn, config *tls.Config, addr string) (net.Conn, error) {
	if config == nil {
		config = &tls.Config{}
	}
	if config = config.Clone(); config.ServerName == "" {
		config.ServerName, _, _ = net.SplitHostPort(addr)
	}
	secure := tls.Client(conn, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, auth.ExplainTLS(err)
	}
	return secure, nil
}

// errDial is an error of the dialler or of TLS: its text is not the camera's.
type errDial struct{ error }

// Unwrap returns the reason.
func (e errDial) Unwrap() error { return e.error }

// getFinal requests u and returns the first response that is neither a redirect
// nor a challenge for a password. conditions are added to every request.
func (c *httpClient) getFinal(ctx context.Context, u *url.URL, conditions http.Header) (*http.Response, error) {
	for range maxRequests {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
		if err != nil {
			return nil, explainHTTP(err)
		}
		maps.Copy(req.Header, conditions)
		req.Header.Set("User-Agent", "kerb")
		req.Header.Set("Accept-Encoding", "identity")
		answer := c.auth.Header(req.Method, u.RequestURI())
		if answer != "" {
			req.Header.Set("Authorization", answer)
		}
		res, err := c.http.Do(req)
		if err != nil {
			return nil, explainHTTP(err)
		}
		switch res.StatusCode {
		case http.StatusUnauthorized:
			res.Body.Close()
			if err := c.auth.Challenge(res.Header.Values("WWW-Authenticate"), answer != ""); err != nil {
				return nil, err
			}
		case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
			http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
			res.Body.Close()
			from := u.Host
			if u, err = redirectTarget(res, u); err != nil {
				return nil, err
			}
			if u.Host != from { // another port: it challenges anew
				c.auth = auth.Answerer{User: c.auth.User, Password: c.auth.Password, RefuseBasic: c.auth.RefuseBasic}
			}
		default:
			if res.StatusCode < http.StatusBadRequest {
				c.auth.Accepted()
			}
			return res, checkEncoding(res)
		}
	}
	return nil, errors.New("camera redirects in circles")
}

// redirectTarget returns the address of a redirect. It refuses another host, and
// http after https.
func redirectTarget(res *http.Response, from *url.URL) (*url.URL, error) {
	to, err := res.Location()
	switch {
	case err != nil:
		return nil, errors.New("camera redirects to nowhere")
	case to.Hostname() != from.Hostname():
		return nil, errors.New("camera redirects to another host: not followed")
	case from.Scheme == "https" && to.Scheme != "https":
		return nil, errors.New("camera redirects from https to http: not followed")
	}
	to.User = nil
	return to, nil
}

// checkEncoding refuses a compressed body. It closes it then.
func checkEncoding(res *http.Response) error {
	for _, name := range []string{"gzip", "deflate", "compress", "br", "zstd"} {
		if strings.Contains(strings.ToLower(res.Header.Get("Content-Encoding")), name) {
			res.Body.Close()
			return fmt.Errorf("camera compresses its answer with %s, unasked: switch compression off in the camera", name)
		}
	}
	return nil
}

// errBrokenHTTP is returned for an answer that net/http cannot read.
var errBrokenHTTP = errors.New("camera's answer breaks the rules of HTTP")

// explainHTTP replaces an error of net/http, whose text may hold the address with a
// password or quote the camera, by its reason or by fixed words. An error that is not
// known is errBrokenHTTP, so that a new text of the library quotes nothing either.
func explainHTTP(err error) error {
	for _, own := range []error{head.ErrNoEnd, head.ErrNoStatus} {
		if errors.Is(err, own) {
			return own
		}
	}
	if e, ok := errors.AsType[errDial](err); ok {
		return e.error
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("camera has closed the connection")
	}
	for _, plain := range []error{context.Canceled, context.DeadlineExceeded, net.ErrClosed} {
		if errors.Is(err, plain) {
			return plain
		}
	}
	if e, ok := errors.AsType[*net.OpError](err); ok {
		return e
	}
	return errBrokenHTTP
}

// headConn is a connection of one request on which net/http reads the response with
// its head in standard form: see package head. It begins to read after the request
// was written, so that an answer without a request is not printed by net/http.
type headConn struct {
	net.Conn
	in     *head.Reader
	asked  chan struct{} // closed when the request is being written
	closed chan struct{}
	ask    func()
	shut   func()
	out    []byte // of the head, and not yet read
	read   bool   // the head was read
}

func newHeadConn(conn net.Conn) *headConn {
	c := &headConn{Conn: conn, in: head.NewReader(conn), asked: make(chan struct{}), closed: make(chan struct{})}
	c.ask, c.shut = onceClose(c.asked), onceClose(c.closed)
	return c
}

// Write writes a part of the request.
func (c *headConn) Write(b []byte) (int, error) {
	c.ask()
	return c.Conn.Write(b)
}

// Close closes the connection and ends a Read that waits for a request.
func (c *headConn) Close() error {
	c.shut()
	return c.Conn.Close()
}

// Read reads the head, then the body.
func (c *headConn) Read(b []byte) (int, error) {
	if !c.read {
		select {
		case <-c.asked:
		case <-c.closed:
			return 0, net.ErrClosed
		}
		m, err := c.in.ReadResponse()
		if err != nil {
			return 0, err
		}
		c.out, c.read = standardHead(m), true
	}
	if len(c.out) > 0 {
		n := copy(b, c.out)
		c.out = c.out[n:]
		return n, nil
	}
	return c.in.Read(b)
}

// usedFields are the fields of a response that kerb or net/http look at.
var usedFields = []string{
	"Age", "Cache-Control", "Content-Encoding", "Content-Type", "Date", "ETag", "Expires",
	"Last-Modified", "Location", "Retry-After", "WWW-Authenticate",
}

// standardHead returns a head that net/http takes, with the fields that are used. A
// length is left out where it is no number, comes twice with two values, or belongs
// to a stream: then the body ends with the connection.
func standardHead(m *head.Message) []byte {
	out := head.Message{Start: fmt.Sprintf("HTTP/1.1 %03d Status", m.Status)}
	for _, name := range usedFields {
		for _, v := range m.Values(name) {
			out.Fields = append(out.Fields, head.Field{Name: name, Value: v})
		}
	}
	coding := strings.ToLower(strings.Join(m.Values("Transfer-Encoding"), ","))
	if strings.Contains(coding, "chunked") {
		out.Set("Transfer-Encoding", "chunked")
	} else if n := contentLength(m); n != "" {
		out.Set("Content-Length", n)
	}
	if rest := strings.ReplaceAll(coding, "chunked", ""); strings.Trim(rest, " ,") != "" && out.Get("Content-Encoding") == "" {
		out.Set("Content-Encoding", rest)
	}
	return out.Append(nil)
}

// contentLength returns the length of a body that is no stream, and "" where there
// is none to be trusted.
func contentLength(m *head.Message) (length string) {
	kind := strings.ToLower(m.Get("Content-Type"))
	if strings.HasPrefix(kind, "multipart/") || strings.HasPrefix(kind, "video/x-motion") {
		return ""
	}
	for _, v := range m.Values("Content-Length") {
		if length != "" && v != length || v == "" || len(v) > 18 || strings.Trim(v, "0123456789") != "" {
			return ""
		}
		length = v
	}
	return length
}
