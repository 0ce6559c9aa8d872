package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"kerb/agent/canary"
)

// switchedCamera is a Motion-JPEG camera that can be switched off, that can break off
// each connection, and that can show marked pictures.
type switchedCamera struct {
	url      string
	asked    atomic.Int64
	breaking atomic.Bool // each request is answered with 503
	marked   *canary.Mark
	server   *httptest.Server
	pictures [][]byte
	t        *testing.T
}

func newSwitchedCamera(t *testing.T) *switchedCamera {
	t.Helper()
	c := &switchedCamera{t: t, pictures: clipPictures(t)}
	c.server = httptest.NewServer(http.HandlerFunc(c.serve))
	c.url = c.server.URL + "/mjpeg?x=1"
	t.Cleanup(c.cut)
	return c
}

// mark replaces the pictures by marked ones.
func (c *switchedCamera) mark() {
	c.t.Helper()
	c.marked, c.pictures = canary.New(), nil
	for i := range 20 {
		p, err := c.marked.EncodeJPEG(i)
		if err != nil {
			c.t.Fatal(err)
		}
		c.pictures = append(c.pictures, p)
	}
}

// cut switches the camera off.
func (c *switchedCamera) cut() {
	c.server.CloseClientConnections()
	c.server.Close()
}

func (c *switchedCamera) serve(w http.ResponseWriter, r *http.Request) {
	c.asked.Add(1)
	if c.breaking.Load() {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "multipart/x-mixed-replace; boundary=frame")
	for i := 0; ; i++ {
		p := c.pictures[i%len(c.pictures)]
		if _, err := fmt.Fprintf(w, "--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%s\r\n", len(p), p); err != nil {
			return
		}
		w.(http.Flusher).Flush()
		select {
		case <-time.After(100 * time.Millisecond):
		case <-r.Context().Done():
			return
		}
	}
}
