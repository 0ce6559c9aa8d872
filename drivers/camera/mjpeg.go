package camera

import (
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

// HTTP says how to reach a network camera.
type HTTP struct {
	// User and Password are sent as Digest or Basic authentication, but only
	// when the camera asks for it. They go before what the address holds.
	User, Password string
	// TLS is for https; nil trusts what the system trusts.
	TLS *tls.Config
	// Dial makes the connection; nil dials.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	Live
}

// MJPEG is a network camera that sends pictures in one endless HTTP response,
// as multipart/x-mixed-replace or one after another. A picture's time is when
// its first byte came.
type MJPEG struct {
	jpegStream
	name   string // the address without user, password and query
	stall  time.Duration
	timer  *time.Timer
	client *httpClient
}

// responseBody is a response's body that ends with its request.
type responseBody struct {
	io.Reader
	close  func() error
	cancel context.CancelFunc
}

func (b responseBody) Close() error {
	b.cancel()
	return b.close()
}

// OpenMJPEG connects to a camera and waits for its first picture; ctx bounds
// that and nothing after it. It follows redirects on the same host only. Its
// errors name the camera by address, never by user, password or query.
func OpenMJPEG(ctx context.Context, address string, l Limits, o HTTP) (*MJPEG, error) {
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

// openStream makes the request and waits for the first picture.
func (m *MJPEG) openStream(ctx context.Context, u *url.URL, l Limits, o HTTP) error {
	ctx, done := context.WithTimeoutCause(ctx, cmp.Or(o.Connect, defaultConnect), errStall)
	defer done()
	life, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer context.AfterFunc(ctx, cancel)()
	m.client = newClient(o)
	res, err := m.client.getFinal(life, u, nil)
	if err == nil {
		m.splitter.multipart, err = bodyScanner(res)
		if err != nil {
			res.Body.Close()
		}
	}
	if err == nil {
		if err = m.startReading(responseBody{res.Body, res.Body.Close, cancel}, l); err == nil {
			err = m.findFormat(ctx, nil)
		}
	}
	if err == nil {
		m.timer = time.NewTimer(m.stall)
		if o.Newest {
			m.startLive(o.Live)
		}
		return nil
	}
	if m.splitter.pump != nil {
		m.jpegStream.Close()
	}
	cancel()
	m.client.http.CloseIdleConnections()
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// bodyScanner tells by the response's head what the body is: parts, or JPEGs alone.
func bodyScanner(res *http.Response) (*multipartScanner, error) {
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("camera answers %d %s", res.StatusCode, http.StatusText(res.StatusCode))
	}
	full := res.Header.Get("Content-Type")
	t, _, _ := strings.Cut(strings.ToLower(full), ";")
	t = strings.TrimSpace(t)
	switch {
	case strings.HasPrefix(t, "multipart/"):
		return &multipartScanner{boundary: parseBoundary(full)}, nil
	case t == "" || t == "application/octet-stream" || strings.HasPrefix(t, "video/"):
		return nil, nil
	case t == "image/jpeg":
		return nil, errors.New("camera sends a single picture: look for the address of its MJPEG stream, or count by instants with every")
	}
	return nil, fmt.Errorf("camera sends %q: must be multipart/x-mixed-replace", t[:min(len(t), 80)])
}

// ReadInto fills dst, of width × height bytes, with the next picture.
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

// Close ends the connection, and a ReadInto that waits.
func (m *MJPEG) Close() error {
	err := m.jpegStream.Close()
	m.client.http.CloseIdleConnections()
	return err
}
