package camera

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"
)

// errStall reports that no picture came within the time limit.
var errStall = errors.New("no picture within the time limit")

const (
	chunkSize     = 32 << 10    // bytes of one Read; chosen by hand
	maxEmptyReads = 100         // in a row, as in bufio; then io.ErrNoProgress
	closeWait     = time.Second // for a Read that Close does not interrupt; chosen by hand
)

// chunkReader reads a blocking io.Reader in a goroutine of its own, so that the
// caller's wait can end with a context or a time limit. It holds two chunks, and
// overwrites each byte when it has been handed on.
type chunkReader struct {
	filled chan chunk
	empty  chan []byte
	stop   chan struct{} // closed by closeReader
	ended  chan struct{} // closed when the goroutine has ended
	once   sync.Once
	r      io.Reader

	memory  Memory
	chunks  [2][]byte // all that were allocated
	current chunk     // being consumed
	left    []byte    // of current
}

// chunk is the result of one Read.
type chunk struct {
	buf []byte
	n   int
	at  time.Time // of arrival
	err error
}

// newChunkReader starts the goroutine. It closes r when memory is refused.
func newChunkReader(r io.Reader, m Memory) (*chunkReader, error) {
	c := &chunkReader{
		filled: make(chan chunk), empty: make(chan []byte, 2),
		stop: make(chan struct{}), ended: make(chan struct{}), r: r, memory: m,
	}
	for i := range c.chunks {
		var err error
		if c.chunks[i], err = m.Bytes(chunkSize); err != nil {
			m.Free(c.chunks[0])
			if c, ok := r.(io.Closer); ok {
				err = errors.Join(err, c.Close())
			}
			return nil, err
		}
		c.empty <- c.chunks[i]
	}
	go c.readChunks()
	return c, nil
}

// freeChunks gives the chunks back, unless the goroutine is still blocked in Read
// and may write to one. No readBytes may be under way.
func (c *chunkReader) freeChunks() {
	select {
	case <-c.ended:
	default:
		return
	}
	for i, b := range c.chunks {
		c.memory.Free(b)
		c.chunks[i] = nil
	}
	c.left, c.current = nil, chunk{}
}

// peekBytes waits for the first bytes and returns them without consuming them.
func (c *chunkReader) peekBytes(ctx context.Context, limit <-chan time.Time) ([]byte, error) {
	_, _, err := c.readBytes(ctx, limit, nil)
	return c.left, err
}

// readChunks fills empty chunks until an error or closeReader.
func (c *chunkReader) readChunks() {
	defer close(c.ended)
	for idle := 0; ; {
		var next chunk
		select {
		case next.buf = <-c.empty:
		case <-c.stop:
			return
		}
		next.n, next.err = c.r.Read(next.buf)
		next.at = time.Now()
		if idle++; next.n > 0 {
			idle = 0
		}
		if idle > maxEmptyReads && next.err == nil {
			next.err = io.ErrNoProgress
		}
		select {
		case c.filled <- next:
		case <-c.stop:
			clear(next.buf)
			return
		}
		if next.err != nil {
			return
		}
	}
}

// readBytes copies at least one byte to dst and returns the time of its arrival.
// The reader's error is returned after its last byte, and again on later calls.
func (c *chunkReader) readBytes(ctx context.Context, limit <-chan time.Time, dst []byte) (n int, at time.Time, err error) {
	for len(c.left) == 0 {
		if c.current.buf != nil {
			c.empty <- c.current.buf
			c.current.buf = nil
		}
		if c.current.err != nil {
			return 0, c.current.at, c.current.err
		}
		select {
		case c.current = <-c.filled:
			c.left = c.current.buf[:c.current.n]
		case <-c.stop:
			return 0, time.Time{}, ErrClosed
		case <-ctx.Done():
			return 0, time.Time{}, ctx.Err()
		case <-limit:
			return 0, time.Time{}, errStall
		}
	}
	n = copy(dst, c.left)
	clear(c.left[:n])
	c.left = c.left[n:]
	return n, c.current.at, nil
}

func (c *chunkReader) isClosed() bool {
	select {
	case <-c.stop:
		return true
	default:
		return false
	}
}

// closeReader stops the goroutine and closes the reader if it is an io.Closer. It
// waits at most closeWait for a Read under way: a read of a terminal cannot be
// interrupted.
func (c *chunkReader) closeReader() (err error) {
	c.once.Do(func() {
		close(c.stop)
		if closer, ok := c.r.(io.Closer); ok {
			err = closer.Close()
		}
		timeout := time.NewTimer(closeWait)
		defer timeout.Stop()
		select {
		case <-c.ended:
		case <-timeout.C:
		}
	})
	return err
}
