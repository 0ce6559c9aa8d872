// Package cameratest tests that a source of pictures keeps the contract of
// drivers/camera: bounds, order, numbering of bad pictures, end, cancellation,
// Close, goroutines and allocations. It also has cameras with the mistakes of real
// ones, for any client of HTTP, JPEG and RTSP: see Quirks. A new mistake is one more
// row, with its public report.
//
// Each property is one subtest that opens its own source. It tests the interface
// only: it does not check the content of a picture.
package cameratest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// Source is the interface of every camera, as drivers/camera documents it.
type Source interface {
	ReadInto(ctx context.Context, dst []byte) (time.Time, error)
	Size() (w, h int)
	Close() error
}

// Case describes a source under test.
type Case struct {
	// Open opens a new source, before its first picture.
	Open func() (Source, error)
	// Pictures is the number of pictures, bad ones included; 0: without end.
	Pictures int
	// BadPictures lists the numbers, from 0, of the pictures for which a BadFrame is
	// expected. The first picture must be good.
	BadPictures []int
	// OpenStalled opens a source that delivers at least one picture and then waits
	// for ever; nil: this source never waits.
	OpenStalled func() (Source, error)
	// Allocates is true if reading a picture may allocate memory.
	Allocates bool
}

// The limits of a test, chosen by hand.
const (
	endlessPictures = 50                    // pictures read of a source without end
	stopTimeout     = 20 * time.Second      // after which a read counts as stuck
	waitBefore      = 20 * time.Millisecond // for a read to begin its wait
	guardBytes      = 4096                  // marked before and after the buffer
	warmUp          = 3                     // pictures read until buffers have their size
	repeats         = 3                     // reads after the end, or with an ended context
)

// property is one rule of the contract, and its check.
type property struct {
	name string
	run  func(Case) error
}

var properties = []property{
	{"fills a buffer of its size and nothing around it", checkBounds},
	{"refuses a buffer of another size and leaves it alone", checkSizeRefused},
	{"names bad pictures and goes on after them", checkBadNamed},
	{"never goes back in time", checkOrder},
	{"ends with EOF for good", checkEOF},
	{"heeds a context that has ended, and goes on with another", checkEndedContext},
	{"can be closed twice, and is then over", checkClose},
	{"stops waiting when the context ends", checkCancelStops},
	{"stops waiting when it is closed", checkCloseStops},
	{"allocates nothing for a picture", checkAllocations},
}

// TestSource checks all properties of a source, and that each leaves no goroutine behind.
func TestSource(t *testing.T, c Case) {
	t.Helper()
	for _, p := range properties {
		t.Run(p.name, func(t *testing.T) {
			before := goleak.IgnoreCurrent()
			if err := p.run(c); err != nil {
				t.Error(err)
			}
			if err := goleak.Find(before); err != nil {
				t.Error(err)
			}
		})
	}
}

// withSource opens a source, calls use with a buffer of its size, and closes it.
func withSource(open func() (Source, error), use func(s Source, dst []byte) error) (err error) {
	s, err := open()
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	defer func() {
		if e := s.Close(); e != nil && err == nil {
			err = fmt.Errorf("close: %w", e)
		}
	}()
	w, h := s.Size()
	if w < 1 || h < 1 {
		return fmt.Errorf("size is %d×%d", w, h)
	}
	return use(s, make([]byte, w*h))
}

// badFrameNumber returns the number of the picture that an error is about; ok is
// false for all other errors.
func badFrameNumber(err error) (frame int, ok bool) {
	b, ok := errors.AsType[interface {
		error
		BadFrame() int
	}](err)
	if !ok {
		return 0, false
	}
	return b.BadFrame(), true
}

// readAll reads all pictures, and calls do for each, good or bad.
func (c Case) readAll(s Source, dst []byte, do func(n int, at time.Time, err error) error) error {
	for n := 0; c.Pictures > 0 || n < endlessPictures; n++ {
		at, err := s.ReadInto(context.Background(), dst)
		if err == io.EOF && n == c.Pictures {
			return nil
		}
		if _, ok := badFrameNumber(err); err != nil && !ok {
			return fmt.Errorf("picture %d of %d: %w", n, c.Pictures, err)
		}
		if c.Pictures > 0 && n == c.Pictures {
			return fmt.Errorf("more than %d pictures", c.Pictures)
		}
		if err := do(n, at, err); err != nil {
			return fmt.Errorf("picture %d: %w", n, err)
		}
	}
	return nil
}

// checkBounds checks that reads write to the buffer only, not to bytes beside it.
func checkBounds(c Case) error {
	return withSource(c.Open, func(s Source, dst []byte) error {
		marks := bytes.Repeat([]byte{0xa5, 0x5a}, guardBytes/2)
		around := append(append(append([]byte{}, marks...), dst...), marks...)
		inside := around[guardBytes : guardBytes+len(dst)] // with the rest as capacity
		return c.readAll(s, inside, func(int, time.Time, error) error {
			if !bytes.HasPrefix(around, marks) || !bytes.HasSuffix(around, marks) {
				return errors.New("bytes beside the buffer were written")
			}
			return nil
		})
	})
}

// checkSizeRefused checks that a buffer of another size is refused, not written,
// and costs no picture.
func checkSizeRefused(c Case) error {
	return withSource(c.Open, func(s Source, dst []byte) error {
		for _, n := range []int{0, len(dst) - 1, len(dst) + 1} {
			wrong := bytes.Repeat([]byte{0xa5}, n)
			if _, err := s.ReadInto(context.Background(), wrong); err == nil || err == io.EOF {
				return fmt.Errorf("buffer of %d bytes for pictures of %d: error %v", n, len(dst), err)
			}
			if bytes.Count(wrong, []byte{0xa5}) != n {
				return fmt.Errorf("buffer of %d bytes for pictures of %d was written", n, len(dst))
			}
		}
		if c.Pictures == 0 {
			return nil
		}
		return c.readAll(s, dst, func(int, time.Time, error) error { return nil })
	})
}

// checkBadNamed checks that just the expected pictures are BadFrames, by number.
func checkBadNamed(c Case) error {
	return withSource(c.Open, func(s Source, dst []byte) error {
		left := c.BadPictures
		err := c.readAll(s, dst, func(n int, _ time.Time, err error) error {
			want := len(left) > 0 && left[0] == n
			frame, is := badFrameNumber(err)
			switch {
			case want != is:
				return fmt.Errorf("bad: %v, must be %v (%w)", is, want, err)
			case is && frame != n:
				return fmt.Errorf("error names picture %d", frame)
			case is:
				left = left[1:]
			}
			return nil
		})
		if err == nil && len(left) > 0 {
			err = fmt.Errorf("pictures %v never came", left)
		}
		return err
	})
}

// checkOrder checks that good pictures have times, in order.
func checkOrder(c Case) error {
	return withSource(c.Open, func(s Source, dst []byte) error {
		var last time.Time
		return c.readAll(s, dst, func(n int, at time.Time, err error) error {
			if err != nil {
				return nil
			}
			if at.IsZero() || at.Before(last) {
				return fmt.Errorf("taken at %v, the one before at %v", at, last)
			}
			last = at
			return nil
		})
	})
}

// checkEOF checks that io.EOF is returned again after the end.
func checkEOF(c Case) error {
	if c.Pictures == 0 {
		return nil
	}
	return withSource(c.Open, func(s Source, dst []byte) error {
		if err := c.readAll(s, dst, func(int, time.Time, error) error { return nil }); err != nil {
			return err
		}
		for range repeats {
			if _, err := s.ReadInto(context.Background(), dst); err != io.EOF {
				return fmt.Errorf("after the end: %v", err)
			}
		}
		return nil
	})
}

// checkEndedContext checks that an ended context fails a read, and costs no picture.
func checkEndedContext(c Case) error {
	return withSource(c.Open, func(s Source, dst []byte) error {
		over, cancel := context.WithCancel(context.Background())
		cancel()
		for range repeats {
			if _, err := s.ReadInto(over, dst); !errors.Is(err, context.Canceled) {
				return fmt.Errorf("context has ended: error %v", err)
			}
		}
		if _, err := s.ReadInto(context.Background(), dst); err != nil {
			return fmt.Errorf("after a context that had ended: %w", err)
		}
		return nil
	})
}

// checkClose checks that Close can be called twice, and that reads then fail.
func checkClose(c Case) error {
	return withSource(c.Open, func(s Source, dst []byte) error {
		for range 2 {
			if err := s.Close(); err != nil {
				return err
			}
		}
		for range 2 {
			if _, err := s.ReadInto(context.Background(), dst); err == nil || err == io.EOF {
				return fmt.Errorf("read after close: error %v", err)
			}
		}
		return nil
	})
}

// checkStop reads from a stalled source until it waits, calls stop, and passes the
// error of the read to check. It fails if the read goes on waiting.
func checkStop(c Case, stop func(s Source, cancel func()), check func(error) error) error {
	if c.OpenStalled == nil {
		return nil
	}
	return withSource(c.OpenStalled, func(s Source, dst []byte) error {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		reads, over := make(chan struct{}), make(chan error, 1)
		go func() {
			close(reads)
			for {
				_, err := s.ReadInto(ctx, dst)
				if _, is := badFrameNumber(err); err != nil && !is {
					over <- err
					return
				}
			}
		}()
		<-reads
		time.Sleep(waitBefore) // most likely it waits by then; it must stop in any case
		stop(s, cancel)
		select {
		case err := <-over:
			return check(err)
		case <-time.After(stopTimeout):
			return errors.New("read goes on waiting")
		}
	})
}

// checkCancelStops checks that the end of the context ends a wait.
func checkCancelStops(c Case) error {
	return checkStop(c, func(_ Source, cancel func()) { cancel() }, func(err error) error {
		if !errors.Is(err, context.Canceled) {
			return fmt.Errorf("context has ended: error %w", err)
		}
		return nil
	})
}

// checkCloseStops checks that Close ends a wait.
func checkCloseStops(c Case) error {
	return checkStop(c, func(s Source, _ func()) { s.Close() }, func(err error) error {
		if err == io.EOF || errors.Is(err, context.Canceled) {
			return fmt.Errorf("closed: error %w", err)
		}
		return nil
	})
}

// checkAllocations checks that reads after the warm-up allocate no memory.
func checkAllocations(c Case) error {
	n := c.Pictures - len(c.BadPictures) - warmUp - 1 // AllocsPerRun makes one run more
	if c.Pictures == 0 {
		n = endlessPictures
	}
	if c.Allocates || n < 1 {
		return nil
	}
	return withSource(c.Open, func(s Source, dst []byte) error {
		defer debug.SetGCPercent(debug.SetGCPercent(-1))
		var failed error
		read := func() {
			for {
				_, err := s.ReadInto(context.Background(), dst)
				if _, is := badFrameNumber(err); is {
					continue
				}
				if err != nil && failed == nil {
					failed = err
				}
				return
			}
		}
		for range warmUp {
			read()
		}
		if allocs := testing.AllocsPerRun(n, read); allocs > 0 && len(c.BadPictures) == 0 {
			return fmt.Errorf("%v allocations for a picture", allocs)
		}
		return failed
	})
}
