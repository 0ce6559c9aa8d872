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

	"kerb/drivers/camera/auth"
	"kerb/drivers/camera/rtsp"
)

// RTSP reads a network camera by RTSP. M-JPEG is decoded here; H.264 and H.265 go
// through a Decoder, whose output is read as by OpenPipe.
type RTSP struct {
	Pipe
	name    string
	session *rtsp.Session
	queue   *unitQueue
	once    sync.Once
	workers sync.WaitGroup
}

// Decoder starts a program that decodes an H.264 or H.265 byte stream, written to
// in, to YUV4MPEG2 or JPEGs, read from out.
type Decoder func(ctx context.Context, c rtsp.Codec) (in io.WriteCloser, out io.ReadCloser, err error)

// OpenRTSP connects to an rtsp or rtsps address and waits for the first picture,
// until ctx or live.Connect ends; ctx does not end the source later. decode may be
// nil for a camera with M-JPEG. Errors name the address without user, password and
// query; ErrRefused is a refused password.
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
		if errors.Is(err, ErrRefused) && o.User == "" {
			err = auth.ErrNoUser
		}
		return nil, fmt.Errorf("%s: %w", r.name, err)
	}
	if err := r.startPlaying(ctx, l, live, decode); err != nil {
		r.closeSession()
		return nil, fmt.Errorf("%s: %w", r.name, err)
	}
	return r, nil
}

// startPlaying connects session, queue, decoder and pipe, and sends PLAY.
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
	// The end of the session ends the queue; ReadInto returns the reason.
	r.workers.Go(func() { r.queue.setEnd(r.session.Wait()) })
	begun := time.Now()
	live.Connect = 2 * cmp.Or(live.Connect, defaultConnect) // so that ctx ends first
	if r.Pipe, err = OpenPipe(ctx, out, Layout{}, l, live); err == nil {
		return nil
	}
	// The session and the queue know more than the pipe about what did not come.
	if cause := context.Cause(ctx); cause == errStall {
		return r.session.WhyNone(time.Since(begun).Round(time.Second))
	}
	if why := r.queue.endReason(); why != nil {
		return why
	}
	return err
}

// openDecoder starts the decoder; M-JPEG goes through a plain pipe instead.
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

// ReadInto fills dst, of width × height bytes, with the next picture and returns
// the arrival of its first byte from the decoder.
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

// Dropped returns how many pictures were replaced by a newer one before they were
// read, and how many access units a slow decoder cost.
func (r *RTSP) Dropped() uint64 { return r.Pipe.Dropped() + r.queue.droppedUnits() }

// Close ends the session, the decoder and a waiting ReadInto.
func (r *RTSP) Close() error {
	r.closeSession()
	return r.Pipe.Close()
}

// closeSession ends the session and the queue, and waits for both.
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
