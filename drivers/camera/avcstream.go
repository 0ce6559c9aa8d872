package camera

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"kerb/drivers/camera/h264"
)

// avcStream decodes a live H.264 stream. One goroutine writes access units to its
// input, another reads the pictures.
type avcStream struct {
	decoder avcDecoder
	latest  *latest
	live    Live
	opened  chan struct{} // closed with the first picture or the end
	open    sync.Once
	stop    chan struct{} // closed by the input's Close
	stopped sync.Once
	taken   chan struct{} // has an element when the mailbox is empty, for every picture in order
	keyOnly atomic.Bool
	unitAt  atomic.Int64 // arrival of the last unit, nanoseconds after begun
	begun   time.Time
	frame   int
	timer   *time.Timer
	closed  atomic.Bool
	mu      sync.Mutex // held by a read, because Close frees the memory
}

func newAVCStream(l Limits, o Live) *avcStream {
	l = l.withDefaults()
	o.Stall, o.Connect = cmp.Or(o.Stall, defaultStall), cmp.Or(o.Connect, defaultConnect)
	s := &avcStream{
		decoder: newAVCDecoder(l), latest: newLatest(o, l.Memory, 0), live: o,
		opened: make(chan struct{}), stop: make(chan struct{}), taken: make(chan struct{}, 1),
		begun: time.Now(), timer: time.NewTimer(o.Stall),
	}
	s.decoder.h264.SetLowDelay()
	s.taken <- struct{}{}
	return s
}

// waitOpen waits for the first picture or the end.
func (s *avcStream) waitOpen(ctx context.Context) error {
	select {
	case <-s.opened:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if s.decoder.w > 0 {
		return nil
	}
	for {
		if _, _, err, ok := s.latest.takeNewest(); !ok || !isDamage(err) {
			return err
		}
	}
}

// avcInput is the side of an avcStream to which access units are written.
type avcInput struct{ *avcStream }

// Write decodes one access unit in byte stream format, which ends with a delimiter.
func (s avcInput) Write(unit []byte) (int, error) {
	at := time.Now()
	s.unitAt.Store(int64(at.Sub(s.begun)))
	s.decoder.h264.SetSkip(s.chooseSkip(at))
	for nal, rest := h264.NextNAL(unit); nal != nil; nal, rest = h264.NextNAL(rest) {
		bad, err := s.decoder.decodeNAL(nal, 0)
		if bad != nil {
			s.latest.publishBad(bad)
		}
		for p, ok := s.decoder.h264.Next(); ok && err == nil; p, ok = s.decoder.h264.Next() {
			err = s.publish(&p, at)
		}
		if err != nil {
			s.setEnd(err)
			return 0, err
		}
	}
	return len(unit), nil
}

// chooseSkip skips pictures that no other needs where none is due.
func (s *avcStream) chooseSkip(at time.Time) h264.Skip {
	switch {
	case s.keyOnly.Load():
		return h264.SkipNonKey
	case s.live.Newest && !s.latest.pace.wouldBeDue(at):
		return h264.SkipNonReference
	}
	return h264.SkipNone
}

// publish hands a picture to the reader.
func (s *avcStream) publish(p *h264.Picture, at time.Time) error {
	if err := s.decoder.fit(p); err != nil {
		return err
	}
	size := s.decoder.w * s.decoder.h
	if s.live.Newest {
		if !s.latest.pace.isDue(at) {
			return nil
		}
	} else {
		select {
		case <-s.taken:
		case <-s.stop:
			return io.EOF
		}
	}
	s.latest.maxBytes = size
	dst, err := s.latest.reserveSpare(size)
	if err != nil {
		return err
	}
	s.decoder.copyPicture(dst, p)
	s.latest.publishSpare(at)
	s.open.Do(func() { close(s.opened) })
	return nil
}

// setEnd ends the stream; the first reason stays.
func (s *avcStream) setEnd(err error) {
	s.latest.setEnd(err)
	s.open.Do(func() { close(s.opened) })
}

// Close ends the stream: no unit follows.
func (s avcInput) Close() error {
	s.stopped.Do(func() { close(s.stop) })
	s.setEnd(io.EOF)
	return nil
}

// decodeKeysOnly decodes key pictures only from the next unit on.
func (s *avcStream) decodeKeysOnly() { s.keyOnly.Store(true) }

// ReadInto fills dst, of width × height bytes, with the next picture and returns
// the arrival of the access unit by which it was complete and due.
func (s *avcStream) ReadInto(ctx context.Context, dst []byte) (time.Time, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed.Load() {
		return time.Time{}, ErrClosed
	}
	if err := checkRead(ctx, dst, s.decoder.w, s.decoder.h); err != nil {
		return time.Time{}, err
	}
	src, at, err := s.waitPicture(ctx)
	switch {
	case err == nil:
		copy(dst, src)
		s.latest.clearTaken()
		if !s.live.Newest {
			s.taken <- struct{}{}
		}
		s.frame++
		return at, nil
	case isDamage(err):
		s.frame++
		return at, BadFrame{s.frame - 1, err}
	case s.closed.Load():
		err = ErrClosed
	case err == errStall:
		err = fmt.Errorf("no picture for %v", s.live.Stall)
	}
	return time.Time{}, err
}

// waitPicture waits for a picture. While only key pictures are decoded, the time
// limit is for the next unit instead.
func (s *avcStream) waitPicture(ctx context.Context) ([]byte, time.Time, error) {
	for {
		s.timer.Reset(s.live.Stall)
		src, at, err := s.latest.waitNewest(ctx, s.timer.C)
		s.timer.Stop()
		quiet := time.Since(s.begun) - time.Duration(s.unitAt.Load())
		if err != errStall || !s.keyOnly.Load() || quiet > s.live.Stall {
			return src, at, err
		}
	}
}

// Size returns the width and height of the delivered pictures.
func (s *avcStream) Size() (w, h int) { return s.decoder.w, s.decoder.h }

// Dropped returns how many pictures were replaced by a newer one before they were
// read.
func (s *avcStream) Dropped() uint64 { return s.latest.dropped.Load() }

// Close ends a waiting ReadInto and frees the memory. The writing goroutine must
// have ended.
func (s *avcStream) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	s.setEnd(ErrClosed)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.latest.freeBuffers()
	s.decoder.close()
	return nil
}
