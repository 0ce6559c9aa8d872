package camera

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
)

// httpClient asks a camera for its stream, or its picture: authentication when asked for, and
// redirects on the same host.
type httpClient struct {
	http           http.Client
	user, password string
}

// maxReadAhead bounds what the HTTP client keeps of a stream in a buffer of its
// own, which is nowhere wiped: a chunk's size and little more.
const maxReadAhead = 64

func newClient(o HTTP) *httpClient {
	return &httpClient{
		user: o.User, password: o.Password,
		http: http.Client{
			Transport: &http.Transport{
				DialContext:            o.Dial,
				TLSClientConfig:        o.TLS,
				DisableCompression:     true,
				MaxResponseHeaderBytes: 64 << 10,
				ReadBufferSize:         maxReadAhead,
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// getFinal returns the response that is neither a redirect nor a question for a
// password. The conditions are headers that go with every request.
func (c *httpClient) getFinal(ctx context.Context, u *url.URL, conditions http.Header) (*http.Response, error) {
	auth := ""
	for range 6 {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
		if err != nil {
			return nil, stripURL(err)
		}
		maps.Copy(req.Header, conditions)
		req.Header.Set("User-Agent", "kerb")
		if auth != "" {
			req.Header.Set("Authorization", auth)
		}
		res, err := c.http.Do(req)
		if err != nil {
			return nil, stripURL(err)
		}
		switch res.StatusCode {
		case http.StatusUnauthorized:
			io.CopyN(io.Discard, res.Body, 4<<10) // so that the connection can be used again
			res.Body.Close()
			if auth != "" {
				return nil, ErrRefused
			}
			if auth, err = c.answerChallenge(res, u); err != nil {
				return nil, err
			}
		case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
			http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
			res.Body.Close()
			if u, err = redirectTarget(res, u); err != nil {
				return nil, err
			}
			auth = ""
		default:
			return res, nil
		}
	}
	return nil, errors.New("camera redirects in circles")
}

// redirectTarget is where a response points, if it is the same host.
func redirectTarget(res *http.Response, from *url.URL) (*url.URL, error) {
	to, err := res.Location()
	if err != nil {
		return nil, errors.New("camera redirects to nowhere")
	}
	if to.Hostname() != from.Hostname() || from.Scheme == "https" && to.Scheme != "https" {
		return nil, fmt.Errorf("camera redirects to another host, %s://%s: not followed", to.Scheme, to.Host)
	}
	to.User = nil
	return to, nil
}

// stripURL takes the address, which may hold a password, out of an error.
func stripURL(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}
