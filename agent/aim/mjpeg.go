package aim

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/hybridgroup/mjpeg"
)

// hybridgroup/mjpeg has one buffer for all viewers, which is twice as large as
// the largest picture, is sent whole, and is written while it is read.
// Therefore each viewer gets a Stream of its own, reader and writer share a
// lock, and mjpegWriter passes on the bytes of one picture alone. A Stream that
// waits for a picture when its viewer is gone gets a last, empty one, so that
// its goroutine ends.

// The times of a stream, chosen by hand.
const (
	sendTimeout   = 5 * time.Second       // a viewer that accepts no byte for so long is gone
	repeatAfter   = 2 * time.Second       // the last picture is sent again after it, which detects closed connections
	lastInterval  = 10 * time.Millisecond // between two last pictures, until the stream ends
	firstInterval = 20 * time.Millisecond // between two first pictures, until the stream takes one
)

// mjpegWriter is the ResponseWriter of one stream of sketches.
type mjpegWriter struct {
	stream *mjpeg.Stream
	out    http.ResponseWriter
	ctl    *http.ResponseController
	ctx    context.Context

	mu      sync.Mutex // guards the stream's buffer against writing while it is read
	started bool       // the stream has taken a picture
	own     []byte     // copy of the picture that is being sent
}

// streamMJPEG sends the pictures from the channel until the viewer disconnects
// or the channel is closed. It never sends a picture from before the call.
func streamMJPEG(w http.ResponseWriter, r *http.Request, pictures <-chan []byte) {
	ctx, end := context.WithCancel(r.Context())
	defer end()
	v := &mjpegWriter{stream: mjpeg.NewStream(), out: w, ctl: http.NewResponseController(w), ctx: ctx}
	v.stream.FrameInterval = 0
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer end()
		v.stream.ServeHTTP(v, r)
	}()
	var last []byte
	for ctx.Err() == nil {
		wait := repeatAfter
		if last != nil && !v.hasStarted() {
			wait = firstInterval // the stream was not waiting yet when the first one came
		}
		select {
		case p, ok := <-pictures:
			if !ok {
				end()
				break
			}
			last = p
		case <-time.After(wait):
		case <-ctx.Done():
		}
		if last != nil && ctx.Err() == nil {
			v.updatePicture(last)
		}
	}
	for {
		select {
		case <-done:
			return
		case <-time.After(lastInterval):
			v.updatePicture([]byte{0}) // Write refuses it, which ends the stream
		}
	}
}

// updatePicture hands a picture to the stream.
func (v *mjpegWriter) updatePicture(picture []byte) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.stream.UpdateJPEG(picture)
}

// hasStarted reports whether the stream has taken a picture.
func (v *mjpegWriter) hasStarted() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.started
}

// Header returns the header of the response.
func (v *mjpegWriter) Header() http.Header { return v.out.Header() }

// WriteHeader writes the header of the response.
func (v *mjpegWriter) WriteHeader(code int) { v.out.WriteHeader(code) }

// errGone ends a stream whose viewer has disconnected.
var errGone = errors.New("the viewer is gone")

// Write sends one picture with its part header, and none of the bytes behind it
// in the buffer. It claims to have written all of b, as io.Writer demands.
func (v *mjpegWriter) Write(b []byte) (int, error) {
	v.mu.Lock()
	v.started = true
	n := pictureLength(b)
	v.own = append(v.own[:0], b[:n]...)
	v.mu.Unlock()
	if v.ctx.Err() != nil || n == 0 {
		return 0, errGone
	}
	if err := v.ctl.SetWriteDeadline(time.Now().Add(sendTimeout)); err != nil {
		return 0, err
	}
	if _, err := v.out.Write(v.own); err != nil {
		return 0, err
	}
	return len(b), v.ctl.Flush()
}

// pictureLength returns the length of the one picture in b with its part
// header; 0 if there is none.
func pictureLength(b []byte) int {
	const length = "Content-Length: "
	head := bytes.Index(b, []byte("\r\n\r\n"))
	at := bytes.Index(b, []byte(length))
	if at < 0 || head < at {
		return 0
	}
	text, _, _ := bytes.Cut(b[at+len(length):], []byte("\r\n"))
	n, err := strconv.Atoi(string(text))
	if err != nil || n < 0 || n > len(b)-head-4 {
		return 0
	}
	return head + 4 + n
}
