package camera

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// HTTPOpts says how to reach a camera by HTTP.
type HTTPOpts struct {
	// User and Password are sent as Digest or Basic authentication when the camera
	// asks for it. They take precedence over those in the address.
	User, Password string
	// RefuseBasic refuses a camera that wants the password in the clear, over http.
	RefuseBasic bool
	// TLS is the configuration for https; nil: the system's roots.
	TLS *tls.Config
	// Dial opens the connection; nil: net/http's own dialler.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	Live
}

// MJPEG reads a network camera that sends JPEGs in one endless HTTP response, as
// multipart/x-mixed-replace or concatenated. A picture's time is the arrival of its
// first byte.
type MJPEG struct {
	jpegStream
	name   string // the address without user, password and query
	stall  time.Duration
	timer  *time.Timer
	client *httpClient
}

// responseBody is a response's body whose Close also cancels the request.
type responseBody struct {
	io.Reader
	close  func() error
	cancel context.CancelFunc
}

// Read reads from the body, with errors in kerb's words.
func (b responseBody) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err != nil && err != io.EOF {
		err = explainHTTP(err)
	}
	return n, err
}

// Close cancels the request and closes the body.
func (b responseBody) Close() error {
	b.cancel()
	return b.close()
}

// OpenMJPEG connects to an http or https address and waits for the first picture,
// until ctx or o.Connect ends; ctx does not end the source later. It follows
// redirects on the same host only. Errors name the address without user, password
// and query; ErrRefused is a refused password.
func OpenMJPEG(ctx context.Context, address string, l Limits, o HTTPOpts) (*MJPEG, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("camera address: must be like http://camera/stream.mjpg")
	}
	if o.User == "" && u.User != nil {
		o.User = u.User.Username()
		o.Password, _ = u.User.Password()
	}
	u.User = nil
	m := &MJPEG{name: u.Scheme + "://" + u.Host + u.Path, stall: cmp.Or(o.Stall, defaultStall)}
	if err := m.openStream(ctx, u, l, o); err != nil {
		return nil, fmt.Errorf("%s: %w", m.name, err)
	}
	return m, nil
}

// openStream sends the request and waits for the first picture.
func (m *MJPEG) openStream(ctx context.Context, u *url.URL, l Limits, o HTTPOpts) error {
	ctx, done := context.WithTimeoutCause(ctx, cmp.Or(o.Connect, defaultConnect), errStall)
	defer done()
	life, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer context.AfterFunc(ctx, cancel)()
	m.client = newClient(o)
	res, err := m.client.getFinal(life, u, nil)
	if err == nil {
		err = m.readResponse(ctx, res, cancel, l)
	}
	if err == nil {
		m.timer = time.NewTimer(m.stall)
		if o.Newest {
			m.startLive(o.Live)
		}
		return nil
	}
	if m.splitter.chunks != nil {
		m.jpegStream.Close()
	}
	cancel()
	m.client.http.CloseIdleConnections()
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// readResponse starts to read the body, and takes the format from its first picture.
func (m *MJPEG) readResponse(ctx context.Context, res *http.Response, cancel func(), l Limits) error {
	if res.StatusCode != http.StatusOK {
		res.Body.Close()
		return fmt.Errorf("camera answers %d %s", res.StatusCode, http.StatusText(res.StatusCode))
	}
	err := m.startReading(responseBody{res.Body, res.Body.Close, cancel}, l)
	if err != nil {
		return err
	}
	full := res.Header.Get("Content-Type")
	if m.splitter.multipart, err = m.readsAsPictures(ctx, full); err != nil {
		return err
	}
	err = m.findFormat(ctx, nil)
	if err == nil && strings.HasPrefix(strings.ToLower(full), "image/jpeg") && m.isSinglePicture(ctx) {
		err = errors.New("camera sends a single picture: look for the address of its MJPEG stream, or count by instants with every")
	}
	return err
}

// isSinglePicture reports whether the stream ends with the picture at hand.
func (m *MJPEG) isSinglePicture(ctx context.Context) bool {
	for {
		switch err := m.splitter.readMore(ctx, nil); {
		case err == io.EOF:
			return true
		case err != nil || m.splitter.end-m.splitter.checked > len(jpegStart):
			return false
		}
	}
}

// readsAsPictures returns a scanner for a multipart body, and nil for a body of
// concatenated JPEGs. Where the type of the response says neither, the first bytes
// of the body decide, as they do for ffmpeg.
func (m *MJPEG) readsAsPictures(ctx context.Context, full string) (*multipartScanner, error) {
	t, _, _ := strings.Cut(strings.ToLower(full), ";")
	switch t = strings.TrimSpace(t); {
	case strings.HasPrefix(t, "multipart/"):
		return &multipartScanner{boundary: parseBoundary(full)}, nil
	case t == "application/octet-stream" || strings.HasPrefix(t, "video/"):
		return nil, nil
	}
	first, err := m.splitter.chunks.peekBytes(ctx, nil)
	switch {
	case err == io.EOF:
		return nil, errors.New("camera sends nothing")
	case err != nil:
		return nil, err
	case bytes.HasPrefix(bytes.TrimLeft(first, "\r\n"), boundaryDashes):
		return &multipartScanner{}, nil
	case bytes.HasPrefix(first, jpegStart[:min(len(first), len(jpegStart))]), t == "":
		return nil, nil
	}
	return nil, fmt.Errorf("camera sends %s: must be multipart/x-mixed-replace", namedType(t))
}

// namedTypes are the words for types that cameras send instead of pictures. Others
// are not quoted: no byte of an answer gets into an error.
var namedTypes = map[string]string{
	"text/html": "a web page (text/html)", "application/xhtml+xml": "a web page (application/xhtml+xml)", "text/plain": "text (text/plain)",
	"text/xml": "text (text/xml)", "application/xml": "text (application/xml)", "application/json": "text (application/json)",
	"image/png": "another kind of picture (image/png)", "image/gif": "another kind of picture (image/gif)", "image/webp": "another kind of picture (image/webp)",
	"video/x-h264": "H.264 (video/x-h264): use the camera's rtsp:// address", "video/h264": "H.264 (video/h264): use the camera's rtsp:// address",
	"image/bmp": "another kind of picture (image/bmp)", "image/jpeg": "no picture, though it says image/jpeg",
	"application/vnd.apple.mpegurl": "a playlist (HLS)", "application/x-mpegurl": "a playlist (HLS)", "audio/x-mpegurl": "a playlist (HLS)",
	"application/sdp": "a session description: use its rtsp:// address", "application/x-rtsp-tunnelled": "RTSP: use its rtsp:// address",
}

// namedType returns the words for a type of content.
func namedType(t string) string {
	if words := namedTypes[t]; words != "" {
		return words
	}
	return "another type of content"
}

// ReadInto fills dst, of width × height bytes, with the next picture and returns
// the arrival of its first byte. It fails after o.Stall without one.
func (m *MJPEG) ReadInto(ctx context.Context, dst []byte) (time.Time, error) {
	m.timer.Reset(m.stall)
	at, err := m.readInto(ctx, m.timer.C, dst)
	m.timer.Stop()
	if err == nil || isBadFrame(err) || err == io.EOF || err == ErrClosed || ctx.Err() != nil {
		return at, err
	}
	if err == errStall {
		err = fmt.Errorf("no picture for %v", m.stall)
	}
	return at, fmt.Errorf("%s: %w", m.name, err)
}

// Close ends the connection and a waiting ReadInto.
func (m *MJPEG) Close() error {
	err := m.jpegStream.Close()
	m.client.http.CloseIdleConnections()
	return err
}
