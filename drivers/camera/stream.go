package camera

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"sync"
	"time"

	"kerb/drivers/camera/luma"
)

// Stream is a source of JPEG pictures one after another in a stream of bytes,
// such as a program writes to a pipe. What lies between pictures is passed
// over, and a damaged picture does not disturb those after it.
type Stream struct {
	flow
	rate float64
}

// OpenStream takes pictures from r and waits for the first. Where rate, in
// pictures per second, is 0, a picture's time is when its first byte came;
// otherwise picture n is at n/rate seconds after 1970. Close closes r if it is
// an io.Closer; a reader that stays blocked even then keeps one goroutine.
func OpenStream(r io.Reader, l Limits, rate float64) (*Stream, error) {
	if err := checkRate(rate); err != nil {
		return nil, err
	}
	s := &Stream{rate: rate}
	if err := s.begin(r, l); err != nil {
		return nil, err
	}
	if err := s.settle(context.Background(), nil); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func checkRate(rate float64) error {
	if rate < 0 || rate > 1e4 || math.IsNaN(rate) {
		return fmt.Errorf("%g pictures a second: must be 0 to 10000", rate)
	}
	return nil
}

// ReadInto fills dst, of width × height bytes, with the next picture.
func (s *Stream) ReadInto(ctx context.Context, dst []byte) (time.Time, error) {
	n := s.frame
	at, err := s.readInto(ctx, nil, dst)
	if s.rate > 0 && !at.IsZero() {
		at = clock(n, s.rate)
	}
	return at, err
}

// flow is what sources of JPEG pictures in a stream of bytes share.
type flow struct {
	split  splitter
	limits Limits
	format format
	frame  int
	dec    luma.Decoder
	err    error      // why it ended
	mu     sync.Mutex // held by a read, since Close takes its memory away

	box *box          // the newest picture; nil: every one, in order
	fed chan struct{} // closed when nothing fills the box any more
}

func (f *flow) begin(r io.Reader, l Limits) error {
	l = l.orDefault()
	p, err := newPump(r, l.Memory)
	f.take(p, l)
	return err
}

func (f *flow) take(p *pump, l Limits) {
	f.limits = l.orDefault()
	f.dec.Memory, f.split.memory = f.limits.Memory, f.limits.Memory
	f.split.pump = p
	f.split.max = f.limits.MaxBytes
}

// settle waits for the first picture with a readable header, which gives the
// size, and leaves it for the first read. A few others may come before it.
func (f *flow) settle(ctx context.Context, limit <-chan time.Time) error {
	var first error
	for range 10 {
		src, _, err := f.split.next(ctx, limit)
		if err == nil {
			if f.format, err = newFormat(src, f.limits); err == nil {
				return nil
			}
			f.split.release()
		} else if _, ok := errors.AsType[errPicture](err); !ok {
			if err == io.EOF && first == nil {
				return errors.New("no JPEG picture came")
			}
			if err != io.EOF {
				return err
			}
			break
		}
		if first == nil {
			first = err
		}
	}
	return fmt.Errorf("no picture that can be read: %w", first)
}

// live makes the source give its newest picture only.
func (f *flow) live(l Live) {
	f.box, f.fed = newBox(l, f.limits.Memory, f.limits.MaxBytes), make(chan struct{})
	go f.feed()
}

func (f *flow) feed() {
	defer close(f.fed)
	for {
		src, at, err := f.split.next(context.Background(), nil)
		if err == nil {
			f.box.copy(src, at)
			f.split.release()
			continue
		}
		if _, ok := errors.AsType[errPicture](err); !ok {
			f.box.end(err)
			return
		}
		f.box.spoil(err)
	}
}

func (f *flow) next(ctx context.Context, limit <-chan time.Time) ([]byte, time.Time, error) {
	if f.box != nil {
		return f.box.take(ctx, limit)
	}
	return f.split.next(ctx, limit)
}

func (f *flow) release() {
	if f.box != nil {
		f.box.release()
	} else {
		f.split.release()
	}
}

// readInto is ReadInto with a limit to the wait and the times of arrival.
func (f *flow) readInto(ctx context.Context, limit <-chan time.Time, dst []byte) (time.Time, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.split.pump.closed() {
		return time.Time{}, ErrClosed
	}
	if f.err != nil {
		return time.Time{}, f.err
	}
	if err := admit(ctx, dst, f.format.w, f.format.h); err != nil {
		return time.Time{}, err
	}
	src, at, err := f.next(ctx, limit)
	if err == nil {
		err = f.format.decode(&f.dec, dst, src)
		f.release()
		if changed, ok := errors.AsType[errSize](err); ok {
			f.err = fmt.Errorf("pictures have changed: the new one %w: open the camera again", changed)
			return time.Time{}, f.err
		}
		if err != nil {
			err = errPicture{err}
		}
	}
	if bad, ok := errors.AsType[errPicture](err); ok {
		f.frame++
		return at, BadFrame{f.frame - 1, bad.error}
	}
	if err == nil {
		f.frame++
		return at, nil
	}
	if f.split.pump.closed() {
		err = ErrClosed
	}
	if ctx.Err() == nil {
		f.err = err
	}
	return time.Time{}, err
}

// Size is the width and height of the pictures that ReadInto delivers.
func (f *flow) Size() (w, h int) { return f.format.w, f.format.h }

// Dropped is how many pictures came and were overtaken by the next one before
// anyone looked at them.
func (f *flow) Dropped() uint64 {
	if f.box == nil {
		return 0
	}
	return f.box.missed.Load()
}

// Close ends the source, and a ReadInto that waits.
func (f *flow) Close() error {
	err := f.split.pump.close()
	if f.box != nil {
		<-f.fed
		f.box.end(ErrClosed)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.box != nil {
		f.box.free()
	}
	f.dec.Close()
	f.split.free()
	return err
}
