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

// RTSP reads a network camera by RTSP. M-JPEG and H.264 are decoded here; H.265
// goes through a Decoder, whose output is read as by OpenPipe.
type RTSP struct {
	Pipe
	avc     *avcStream // of a camera with H.264
	name    string
	session *rtsp.Session
	queue   *unitQueue
	once    sync.Once
	workers sync.WaitGroup
}

// Decoder starts a program that decodes an H.265 byte stream, written to in, to
// YUV4MPEG2 or JPEGs, read from out.
type Decoder func(ctx context.Context) (in io.WriteCloser, out io.ReadCloser, err error)

// OpenRTSP connects to an rtsp or rtsps address and waits for the first picture,
// until ctx or live.Connect ends; ctx does not end the source later. decode may be
// nil: H.265 is refused then. Errors name the address without user, password and
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
		if r.avc != nil {
			r.avc.Close()
		}
		return nil, fmt.Errorf("%s: %w", r.name, err)
	}
	return r, nil
}

// startPlaying connects session, queue, decoder and pipe, and sends PLAY.
func (r *RTSP) startPlaying(ctx context.Context, l Limits, live Live, decode Decoder) error {
	var out io.ReadCloser
	var in io.WriteCloser
	var err error
	if r.session.Codec() == rtsp.H264 {
		r.avc = newAVCStream(l, live)
		r.Pipe, in = r.avc, avcInput{r.avc}
	} else if in, out, err = r.openDecoder(ctx, decode); err != nil {
		return err
	}
	r.queue = newUnitQueue(in)
	if r.avc != nil {
		r.queue.onOverload = r.avc.decodeKeysOnly
	}
	r.workers.Go(r.queue.writeUnits)
	if err := r.session.Play(r.queue.addUnit); err != nil {
		if out != nil {
			err = errors.Join(err, out.Close())
		}
		return err
	}
	// The end of the session ends the queue; ReadInto returns the reason.
	r.workers.Go(func() { r.queue.setEnd(r.session.Wait()) })
	begun := time.Now()
	if r.avc != nil {
		err = r.avc.waitOpen(ctx)
	} else {
		live.Connect = 2 * cmp.Or(live.Connect, defaultConnect) // so that ctx ends first
		r.Pipe, err = OpenPipe(ctx, out, Layout{}, l, live)
	}
	if err == nil {
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

// KeyFramesOnly reports whether this device cannot keep up with the camera's H.264,
// so that only key pictures are decoded.
func (r *RTSP) KeyFramesOnly() bool { return r.avc != nil && r.avc.keyOnly.Load() }

// openDecoder starts the decoder; M-JPEG goes through a plain pipe instead.
func (r *RTSP) openDecoder(ctx context.Context, decode Decoder) (io.WriteCloser, io.ReadCloser, error) {
	if r.session.Codec() == rtsp.MJPEG {
		out, in := io.Pipe()
		return in, out, nil
	}
	if decode == nil {
		return nil, nil, fmt.Errorf("camera sends %s: set its second stream to H.264", r.session.Codec())
	}
	in, out, err := decode(ctx)
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
