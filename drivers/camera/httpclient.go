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

// httpClient requests a stream or a picture from a camera. It authenticates when
// the camera asks for it, and follows redirects on the same host.
type httpClient struct {
	http           http.Client
	user, password string
}

const (
	// maxReadAhead is the size of net/http's own read buffer, in bytes, which is
	// never overwritten: it holds the length line of an HTTP chunk and little more.
	maxReadAhead = 64
	maxRespHead  = 64 << 10 // bytes of a response's head; chosen by hand
	maxRequests  = 6        // challenges and redirects of one get; chosen by hand
	maxDrained   = 4 << 10  // bytes of a 401's body that are read to reuse the connection
)

func newClient(o HTTPOpts) *httpClient {
	return &httpClient{
		user: o.User, password: o.Password,
		http: http.Client{
			Transport: &http.Transport{
				DialContext:            o.Dial,
				TLSClientConfig:        o.TLS,
				DisableCompression:     true,
				MaxResponseHeaderBytes: maxRespHead,
				ReadBufferSize:         maxReadAhead,
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// getFinal requests u and returns the first response that is neither a redirect
// nor a challenge for a password. conditions are added to every request.
func (c *httpClient) getFinal(ctx context.Context, u *url.URL, conditions http.Header) (*http.Response, error) {
	auth := ""
	for range maxRequests {
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
			io.CopyN(io.Discard, res.Body, maxDrained) // so that the connection can be used again
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

// redirectTarget returns the address of a redirect. It refuses another host, and
// http after https.
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

// stripURL removes the address, which may hold a password, from an error.
func stripURL(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}
