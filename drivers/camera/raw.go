package camera

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"kerb/drivers/camera/luma"
)

// Raw is a source of uncompressed pictures: width × height bytes of luma each,
// one after another.
type Raw struct {
	pump  *pump
	w, h  int
	rate  float64
	frame int
	rest  int // bytes of a picture that was given up
	err   error
	mu    sync.Mutex // held by a read, since Close takes its memory away
}

// OpenRaw takes pictures of w×h bytes from r; of the limits only Memory
// matters. Times and Close are as with OpenStream.
func OpenRaw(r io.Reader, w, h int, l Limits, rate float64) (*Raw, error) {
	if w < 1 || h < 1 || w > 65535 || h > 65535 {
		return nil, fmt.Errorf("raw pictures of %d×%d: must be 1×1 to 65535×65535", w, h)
	}
	if err := checkRate(rate); err != nil {
		return nil, err
	}
	p, err := newPump(r, l.orDefault().Memory)
	if err != nil {
		return nil, err
	}
	return &Raw{pump: p, w: w, h: h, rate: rate}, nil
}

// ReadInto fills dst, of width × height bytes, with the next picture. A
// picture during which ctx ends is lost.
func (r *Raw) ReadInto(ctx context.Context, dst []byte) (time.Time, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.pump.closed() {
		return time.Time{}, ErrClosed
	}
	if r.err != nil {
		return time.Time{}, r.err
	}
	if err := admit(ctx, dst, r.w, r.h); err != nil {
		return time.Time{}, err
	}
	if err := r.forget(ctx, dst); err != nil {
		return time.Time{}, r.ended(ctx, err)
	}
	var first time.Time
	for have := 0; have < len(dst); {
		n, at, err := r.pump.read(ctx, nil, dst[have:])
		if have == 0 {
			first = at
		}
		if err == io.EOF && have > 0 {
			r.err = io.EOF
			r.frame++
			return r.time(first), BadFrame{r.frame - 1, luma.ErrTruncated}
		}
		if err != nil {
			if have > 0 {
				r.rest = len(dst) - have
				r.frame++
			}
			return time.Time{}, r.ended(ctx, err)
		}
		have += n
	}
	r.frame++
	return r.time(first), nil
}

// forget passes over the rest of a picture that was given up, by way of dst.
func (r *Raw) forget(ctx context.Context, dst []byte) error {
	for r.rest > 0 {
		n, _, err := r.pump.read(ctx, nil, dst[:min(r.rest, len(dst))])
		if err != nil {
			return err
		}
		r.rest -= n
	}
	return nil
}

// ended remembers an error that is for good.
func (r *Raw) ended(ctx context.Context, err error) error {
	if r.pump.closed() {
		err = ErrClosed
	}
	if ctx.Err() == nil {
		r.err = err
	}
	return err
}

// time is that of the picture just read.
func (r *Raw) time(arrived time.Time) time.Time {
	if r.rate > 0 {
		return clock(r.frame-1, r.rate)
	}
	return arrived
}

// Size is the width and height of the pictures.
func (r *Raw) Size() (w, h int) { return r.w, r.h }

// Close ends the source, and a ReadInto that waits.
func (r *Raw) Close() error {
	err := r.pump.close()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pump.release()
	return err
}
