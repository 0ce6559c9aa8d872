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
	queue   *unitQueue
	once    sync.Once
	workers sync.WaitGroup
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
	if err := r.startPlaying(ctx, l, live, decode); err != nil {
		r.closeSession()
		return nil, fmt.Errorf("%s: %w", r.name, err)
	}
	return r, nil
}

func (r *RTSP) startPlaying(ctx context.Context, l Limits, live Live, decode Decoder) error {
	in, out, err := r.openDecoder(ctx, decode)
	if err != nil {
		return err
	}
	r.queue = newUnitQueue(in)
	r.workers.Go(r.queue.writeUnits)
	if err := r.session.Play(r.queue.addUnit); err != nil {
		return errors.Join(err, out.Close())
	}
	// The session's end ends the pictures, and they tell why.
	r.workers.Go(func() { r.queue.setEnd(r.session.Wait()) })
	r.Pipe, err = OpenPipe(ctx, out, Layout{}, l, live)
	return err
}

// openDecoder is what the pictures go through: the decoder, or nothing.
func (r *RTSP) openDecoder(ctx context.Context, decode Decoder) (io.WriteCloser, io.ReadCloser, error) {
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
	if err == nil || isBadFrame(err) || err == ErrClosed || ctx.Err() != nil {
		return at, err
	}
	if why := r.queue.endReason(); why != nil && err == io.EOF {
		err = why
	}
	return at, fmt.Errorf("%s: %w", r.name, err)
}

// Dropped is how many pictures came and were overtaken by the next one before
// anyone looked at them.
func (r *RTSP) Dropped() uint64 { return r.Pipe.Dropped() + r.queue.droppedUnits() }

// Close ends the session, and a ReadInto that waits.
func (r *RTSP) Close() error {
	r.closeSession()
	return r.Pipe.Close()
}

func (r *RTSP) closeSession() {
	r.once.Do(func() {
		r.session.Close()
		if r.queue != nil {
			r.queue.setEnd(ErrClosed)
			r.queue.interruptWrite()
			r.workers.Wait()
		}
	})
}
