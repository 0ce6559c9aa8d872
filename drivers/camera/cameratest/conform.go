// Package cameratest holds the conformance kit that every source of pictures
// passes, and what tests of sources need.
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

// Source is what every camera has.
type Source interface {
	ReadInto(ctx context.Context, dst []byte) (time.Time, error)
	Size() (w, h int)
	Close() error
}

// Case is a source under test.
type Case struct {
	// Open gives a fresh source that stands before its first picture.
	Open func() (Source, error)
	// Pictures is how many there are, bad ones included; 0: without end.
	Pictures int
	// Bad are the numbers, from 0, of the pictures that are BadFrames. Not the
	// first.
	Bad []int
	// Stalled, where a source can wait, gives one that delivers a picture or
	// more and then waits for ever.
	Stalled func() (Source, error)
	// Allocates says that reading a picture may allocate memory.
	Allocates bool
}

// enough is how many pictures of an endless source are looked at, and how long
// anything may take before it is called stuck.
const (
	endlessPictures = 50
	stopTimeout     = 20 * time.Second
)

// property is one thing that every source must do.
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

// Conform runs the kit over a source.
func Conform(t *testing.T, c Case) {
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

// withSource opens a source and closes it after use.
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

// badFrameNumber is the number of a picture in an error that is about one.
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

// readAll reads all pictures, good and bad.
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

func checkBounds(c Case) error {
	return withSource(c.Open, func(s Source, dst []byte) error {
		const guard = 4096
		marks := bytes.Repeat([]byte{0xa5, 0x5a}, guard/2)
		around := append(append(append([]byte{}, marks...), dst...), marks...)
		inside := around[guard : guard+len(dst)] // with the rest as capacity
		return c.readAll(s, inside, func(int, time.Time, error) error {
			if !bytes.HasPrefix(around, marks) || !bytes.HasSuffix(around, marks) {
				return errors.New("bytes beside the buffer were written")
			}
			return nil
		})
	})
}

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

func checkBadNamed(c Case) error {
	return withSource(c.Open, func(s Source, dst []byte) error {
		left := c.Bad
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

func checkEOF(c Case) error {
	if c.Pictures == 0 {
		return nil
	}
	return withSource(c.Open, func(s Source, dst []byte) error {
		if err := c.readAll(s, dst, func(int, time.Time, error) error { return nil }); err != nil {
			return err
		}
		for range 3 {
			if _, err := s.ReadInto(context.Background(), dst); err != io.EOF {
				return fmt.Errorf("after the end: %v", err)
			}
		}
		return nil
	})
}

func checkEndedContext(c Case) error {
	return withSource(c.Open, func(s Source, dst []byte) error {
		over, cancel := context.WithCancel(context.Background())
		cancel()
		for range 3 {
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

// checkStop reads from a source that stalls, has stop end that, and gives what
// the read said.
func checkStop(c Case, stop func(s Source, cancel func()), check func(error) error) error {
	if c.Stalled == nil {
		return nil
	}
	return withSource(c.Stalled, func(s Source, dst []byte) error {
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
		time.Sleep(20 * time.Millisecond) // so that it most likely waits; either way it must stop
		stop(s, cancel)
		select {
		case err := <-over:
			return check(err)
		case <-time.After(stopTimeout):
			return errors.New("read goes on waiting")
		}
	})
}

func checkCancelStops(c Case) error {
	return checkStop(c, func(_ Source, cancel func()) { cancel() }, func(err error) error {
		if !errors.Is(err, context.Canceled) {
			return fmt.Errorf("context has ended: error %w", err)
		}
		return nil
	})
}

func checkCloseStops(c Case) error {
	return checkStop(c, func(s Source, _ func()) { s.Close() }, func(err error) error {
		if err == io.EOF || errors.Is(err, context.Canceled) {
			return fmt.Errorf("closed: error %w", err)
		}
		return nil
	})
}

// checkAllocations counts over pictures that come after the first three, so that
// buffers have their size.
func checkAllocations(c Case) error {
	const first = 3
	n := c.Pictures - len(c.Bad) - first - 1 // AllocsPerRun makes one run more
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
		for range first {
			read()
		}
		if allocs := testing.AllocsPerRun(n, read); allocs > 0 && len(c.Bad) == 0 {
			return fmt.Errorf("%v allocations for a picture", allocs)
		}
		return failed
	})
}
