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

// Stream reads concatenated JPEGs from a byte stream, such as a program writes to
// a pipe. Bytes between pictures are skipped, and a damaged picture does not
// disturb those after it.
type Stream struct {
	jpegStream
	rate float64 // pictures per second; 0: live
}

// OpenStream reads pictures from r and waits for the first. With rate 0 a
// picture's time is the arrival of its first byte; with a rate of up to 10,000
// pictures per second picture n is at n/rate seconds after 1970. Close closes r if
// it is an io.Closer; a reader that stays blocked even then keeps one goroutine.
func OpenStream(r io.Reader, l Limits, rate float64) (*Stream, error) {
	if err := checkRate(rate); err != nil {
		return nil, err
	}
	s := &Stream{rate: rate}
	if err := s.startReading(r, l); err != nil {
		return nil, err
	}
	if err := s.findFormat(context.Background(), nil); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func checkRate(rate float64) error {
	if rate < 0 || rate > maxRate || math.IsNaN(rate) {
		return fmt.Errorf("%g pictures a second: must be 0 to 10000", rate)
	}
	return nil
}

// ReadInto fills dst, of width × height bytes, with the next picture and returns
// its time.
func (s *Stream) ReadInto(ctx context.Context, dst []byte) (time.Time, error) {
	n := s.frame
	at, err := s.readInto(ctx, nil, dst)
	if s.rate > 0 && !at.IsZero() {
		at = recordedTime(n, s.rate)
	}
	return at, err
}

// jpegStream is shared by all sources of JPEGs in a byte stream: the splitter, the
// decoder, and for live sources the mailbox of the newest picture.
type jpegStream struct {
	splitter jpegSplitter
	limits   Limits
	format   format
	frame    int
	dec      luma.Decoder
	err      error      // of the end
	mu       sync.Mutex // held by a read, because Close frees the memory

	latest      *latest       // nil: every picture is delivered, in order
	fillerEnded chan struct{} // closed when fillLatest has returned
}

// startReading starts to read r; findFormat comes next.
func (f *jpegStream) startReading(r io.Reader, l Limits) error {
	l = l.withDefaults()
	p, err := newChunkReader(r, l.Memory)
	f.attachReader(p, l)
	return err
}

// attachReader makes p the source of bytes.
func (f *jpegStream) attachReader(p *chunkReader, l Limits) {
	f.limits = l.withDefaults()
	f.dec.Memory, f.splitter.memory = f.limits.Memory, f.limits.Memory
	f.splitter.chunks = p
	f.splitter.maxBytes = f.limits.MaxBytes
}

// maxTriedAtStart is how many pictures are tried before a stream is refused as
// unreadable. Chosen by hand.
const maxTriedAtStart = 10

// findFormat waits for the first picture with a readable header, takes the size
// from it, and leaves it for the first read.
func (f *jpegStream) findFormat(ctx context.Context, limit <-chan time.Time) error {
	var first error
	for range maxTriedAtStart {
		src, _, err := f.splitter.nextPicture(ctx, limit)
		if err == nil {
			if f.format, err = newFormat(src, f.limits); err == nil {
				// Later pictures may lack tables, and a live source may drop this one.
				_ = f.dec.LoadTables(src) // its decoding reports the fault
				return nil
			}
			f.splitter.releasePicture()
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

// startLive starts the goroutine that fills the mailbox.
func (f *jpegStream) startLive(l Live) {
	f.latest, f.fillerEnded = newLatest(l, f.limits.Memory, f.limits.MaxBytes), make(chan struct{})
	go f.fillLatest()
}

// fillLatest reads pictures into the mailbox until the source ends.
func (f *jpegStream) fillLatest() {
	defer close(f.fillerEnded)
	for {
		src, at, err := f.splitter.nextPicture(context.Background(), nil)
		if err == nil {
			f.latest.publishCopy(src, at)
			f.splitter.releasePicture()
			continue
		}
		if _, ok := errors.AsType[errPicture](err); !ok {
			f.latest.setEnd(err)
			return
		}
		f.latest.publishBad(err)
	}
}

func (f *jpegStream) nextPicture(ctx context.Context, limit <-chan time.Time) ([]byte, time.Time, error) {
	if f.latest != nil {
		return f.latest.waitNewest(ctx, limit)
	}
	return f.splitter.nextPicture(ctx, limit)
}

func (f *jpegStream) releasePicture() {
	if f.latest != nil {
		f.latest.clearTaken()
	} else {
		f.splitter.releasePicture()
	}
}

// readInto fills dst with the next picture and returns its arrival. limit ends
// the wait with errStall; nil: it does not end.
func (f *jpegStream) readInto(ctx context.Context, limit <-chan time.Time, dst []byte) (time.Time, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.splitter.chunks.isClosed() {
		return time.Time{}, ErrClosed
	}
	if f.err != nil {
		return time.Time{}, f.err
	}
	if err := checkRead(ctx, dst, f.format.w, f.format.h); err != nil {
		return time.Time{}, err
	}
	src, at, err := f.nextPicture(ctx, limit)
	if err == nil {
		err = f.format.decodeLuma(&f.dec, dst, src)
		f.releasePicture()
		if changed, ok := errors.AsType[errSizeChanged](err); ok {
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
	if f.splitter.chunks.isClosed() {
		err = ErrClosed
	}
	if ctx.Err() == nil {
		f.err = err
	}
	return time.Time{}, err
}

// Size returns the width and height of the delivered pictures.
func (f *jpegStream) Size() (w, h int) { return f.format.w, f.format.h }

// Dropped returns how many pictures were replaced by a newer one before they were
// read.
func (f *jpegStream) Dropped() uint64 {
	if f.latest == nil {
		return 0
	}
	return f.latest.dropped.Load()
}

// Close ends the source and a waiting ReadInto, and frees the memory.
func (f *jpegStream) Close() error {
	err := f.splitter.chunks.closeReader()
	if f.latest != nil {
		<-f.fillerEnded
		f.latest.setEnd(ErrClosed)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.latest != nil {
		f.latest.freeBuffers()
	}
	f.dec.Close()
	f.splitter.freeBuffers()
	return err
}
