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

// hybridgroup/mjpeg has one buffer for all viewers, twice as large as the
// largest picture and sent whole, and writes to it while it is read. Here each
// viewer has a Stream of its own; both its ends take one lock; exactly one
// picture's bytes go on; and what still waits for a picture when its viewer is
// gone is given one last.

const (
	sending  = 5 * time.Second       // a viewer who takes no byte for so long is gone
	repeated = 2 * time.Second       // after which the last picture is sent again, to see who is still there
	leaving  = 10 * time.Millisecond // between two last pictures for one who leaves
	warmUp   = 20 * time.Millisecond // between two first pictures for one who comes
)

// A viewer is one who watches the sketches over one connection.
type viewer struct {
	stream *mjpeg.Stream
	out    http.ResponseWriter
	ctl    *http.ResponseController
	ctx    context.Context

	mu    sync.Mutex // of the stream's buffer: whoever fills it, and whoever reads it
	begun bool       // a picture was taken
	own   []byte     // what is being sent
}

// watch sends what comes on pictures until the viewer is gone, or the channel
// is closed. No picture from before the call is ever sent.
func watch(w http.ResponseWriter, r *http.Request, pictures <-chan []byte) {
	ctx, end := context.WithCancel(r.Context())
	defer end()
	v := &viewer{stream: mjpeg.NewStream(), out: w, ctl: http.NewResponseController(w), ctx: ctx}
	v.stream.FrameInterval = 0
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer end()
		v.stream.ServeHTTP(v, r)
	}()
	var last []byte
	for ctx.Err() == nil {
		wait := repeated
		if last != nil && !v.taken() {
			wait = warmUp // it was not yet waiting when the first one came
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
			v.show(last)
		}
	}
	for {
		select {
		case <-done:
			return
		case <-time.After(leaving):
			v.show([]byte{0}) // is refused by Write, which ends the stream
		}
	}
}

func (v *viewer) show(picture []byte) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.stream.UpdateJPEG(picture)
}

func (v *viewer) taken() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.begun
}

// Header is the response's own.
func (v *viewer) Header() http.Header { return v.out.Header() }

// WriteHeader is the response's own.
func (v *viewer) WriteHeader(code int) { v.out.WriteHeader(code) }

// errGone ends a stream whose viewer is gone.
var errGone = errors.New("the viewer is gone")

// Write passes on one picture with its header, and nothing of what lies behind
// it in the buffer.
func (v *viewer) Write(b []byte) (int, error) {
	v.mu.Lock()
	v.begun = true
	n := exact(b)
	v.own = append(v.own[:0], b[:n]...)
	v.mu.Unlock()
	if v.ctx.Err() != nil || n == 0 {
		return 0, errGone
	}
	if err := v.ctl.SetWriteDeadline(time.Now().Add(sending)); err != nil {
		return 0, err
	}
	if _, err := v.out.Write(v.own); err != nil {
		return 0, err
	}
	return len(b), v.ctl.Flush()
}

// exact is how long the one picture in b is, with its header; 0 if there is none.
func exact(b []byte) int {
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
