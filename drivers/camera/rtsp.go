package camera

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"sync"
	"time"

	"kerb/drivers/camera/rtsp"
)

// RTSP is a network camera that speaks RTSP. M-JPEG is read here; H.264 and
// H.265 go through a decoder, and its pictures are read here.
type RTSP struct {
	Pipe
	name    string
	session *rtsp.Session
	queue   *queue
	once    sync.Once
	gone    sync.WaitGroup
}

// Decoder gives a program that reads H.264 or H.265 and writes YUV4MPEG2 or
// JPEGs: what is written to in, and what it writes.
type Decoder func(ctx context.Context, c rtsp.Codec) (in io.WriteCloser, out io.ReadCloser, err error)

// OpenRTSP connects to a camera and waits for its first picture; ctx bounds that
// and nothing after it. Its errors name the camera by address, never by user,
// password or query.
func OpenRTSP(ctx context.Context, address string, l Limits, o rtsp.Opts, live Live, decode Decoder) (*RTSP, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "rtsp" && u.Scheme != "rtsps" {
		return nil, errors.New("camera address: must be like rtsp://camera/stream")
	}
	u.User = nil
	r := &RTSP{name: u.Scheme + "://" + u.Host + u.Path}
	o.Connect = cmp.Or(live.Connect, defaultConnect)
	ctx, done := context.WithTimeoutCause(ctx, o.Connect, errStall)
	defer done()
	if r.session, err = rtsp.Open(ctx, u, o); err != nil {
		if errors.Is(err, rtsp.ErrRefused) {
			err = ErrRefused
			if o.User == "" {
				err = errNoUser
			}
		}
		return nil, fmt.Errorf("%s: %w", r.name, err)
	}
	if err := r.begin(ctx, l, live, decode); err != nil {
		r.stop()
		return nil, fmt.Errorf("%s: %w", r.name, err)
	}
	return r, nil
}

func (r *RTSP) begin(ctx context.Context, l Limits, live Live, decode Decoder) error {
	in, out, err := r.through(ctx, decode)
	if err != nil {
		return err
	}
	r.queue = newQueue(in)
	r.gone.Go(r.queue.run)
	if err := r.session.Play(r.queue.add); err != nil {
		return errors.Join(err, out.Close())
	}
	// The session's end ends the pictures, and they tell why.
	r.gone.Go(func() { r.queue.end(r.session.Wait()) })
	r.Pipe, err = OpenPipe(ctx, out, Layout{}, l, live)
	return err
}

// through is what the pictures go through: the decoder, or nothing.
func (r *RTSP) through(ctx context.Context, decode Decoder) (io.WriteCloser, io.ReadCloser, error) {
	if r.session.Codec() == rtsp.MJPEG {
		out, in := io.Pipe()
		return in, out, nil
	}
	if decode == nil {
		return nil, nil, fmt.Errorf("camera sends %s, which needs a decoder", r.session.Codec())
	}
	in, out, err := decode(ctx, r.session.Codec())
	if err != nil {
		return nil, nil, fmt.Errorf("camera sends %s: %w", r.session.Codec(), err)
	}
	return in, out, nil
}

// ReadInto fills dst, of width × height bytes, with the next picture.
func (r *RTSP) ReadInto(ctx context.Context, dst []byte) (time.Time, error) {
	at, err := r.Pipe.ReadInto(ctx, dst)
	if err == nil || isBad(err) || err == ErrClosed || ctx.Err() != nil {
		return at, err
	}
	if why := r.queue.why(); why != nil && err == io.EOF {
		err = why
	}
	return at, fmt.Errorf("%s: %w", r.name, err)
}

// Dropped is how many pictures came and were overtaken by the next one before
// anyone looked at them.
func (r *RTSP) Dropped() uint64 { return r.Pipe.Dropped() + r.queue.dropped() }

// Close ends the session, and a ReadInto that waits.
func (r *RTSP) Close() error {
	r.stop()
	return r.Pipe.Close()
}

func (r *RTSP) stop() {
	r.once.Do(func() {
		r.session.Close()
		if r.queue != nil {
			r.queue.end(ErrClosed)
			r.queue.close()
			r.gone.Wait()
		}
	})
}
