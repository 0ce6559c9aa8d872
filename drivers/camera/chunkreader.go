package camera

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"
)

// errStall says that nothing came for too long.
var errStall = errors.New("no picture within the time limit")

// chunkReader reads from a reader that may block, so that waiting for it can be
// interrupted. One goroutine reads; it holds two chunks at most.
type chunkReader struct {
	filled chan chunk
	empty  chan []byte
	stop   chan struct{} // closed by close
	ended  chan struct{} // closed when the goroutine has ended
	once   sync.Once
	r      io.Reader

	memory  Memory
	chunks  [2][]byte // all there are
	current chunk     // what the consumer is at
	left    []byte
}

// chunk is what one Read gave.
type chunk struct {
	buf []byte
	n   int
	at  time.Time // when it came
	err error
}

// newChunkReader closes r when it cannot begin.
func newChunkReader(r io.Reader, m Memory) (*chunkReader, error) {
	p := &chunkReader{
		filled: make(chan chunk), empty: make(chan []byte, 2),
		stop: make(chan struct{}), ended: make(chan struct{}), r: r, memory: m,
	}
	for i := range p.chunks {
		var err error
		if p.chunks[i], err = m.Bytes(32 << 10); err != nil {
			m.Free(p.chunks[0])
			if c, ok := r.(io.Closer); ok {
				err = errors.Join(err, c.Close())
			}
			return nil, err
		}
		p.empty <- p.chunks[i]
	}
	go p.readChunks()
	return p, nil
}

// freeChunks gives the chunks back, unless a reader that stays blocked may still
// write to one. No read may be under way.
func (p *chunkReader) freeChunks() {
	select {
	case <-p.ended:
	default:
		return
	}
	for i, b := range p.chunks {
		p.memory.Free(b)
		p.chunks[i] = nil
	}
	p.left, p.current = nil, chunk{}
}

// peekBytes waits for the first bytes and leaves them to be read.
func (p *chunkReader) peekBytes(ctx context.Context, limit <-chan time.Time) ([]byte, error) {
	_, _, err := p.readBytes(ctx, limit, nil)
	return p.left, err
}

func (p *chunkReader) readChunks() {
	defer close(p.ended)
	for idle := 0; ; {
		var c chunk
		select {
		case c.buf = <-p.empty:
		case <-p.stop:
			return
		}
		c.n, c.err = p.r.Read(c.buf)
		c.at = time.Now()
		if idle++; c.n > 0 {
			idle = 0
		}
		if idle > 100 && c.err == nil {
			c.err = io.ErrNoProgress
		}
		select {
		case p.filled <- c:
		case <-p.stop:
			clear(c.buf)
			return
		}
		if c.err != nil {
			return
		}
	}
}

// readBytes copies what has come to dst, at least one byte, and says when it came.
// The reader's error comes after its last byte, and again.
func (p *chunkReader) readBytes(ctx context.Context, limit <-chan time.Time, dst []byte) (n int, at time.Time, err error) {
	for len(p.left) == 0 {
		if p.current.buf != nil {
			p.empty <- p.current.buf
			p.current.buf = nil
		}
		if p.current.err != nil {
			return 0, p.current.at, p.current.err
		}
		select {
		case p.current = <-p.filled:
			p.left = p.current.buf[:p.current.n]
		case <-p.stop:
			return 0, time.Time{}, ErrClosed
		case <-ctx.Done():
			return 0, time.Time{}, ctx.Err()
		case <-limit:
			return 0, time.Time{}, errStall
		}
	}
	n = copy(dst, p.left)
	clear(p.left[:n])
	p.left = p.left[n:]
	return n, p.current.at, nil
}

func (p *chunkReader) isClosed() bool {
	select {
	case <-p.stop:
		return true
	default:
		return false
	}
}

// closeReader ends the reading, and the reader where that is an io.Closer. It waits
// for a read under way, but only for a moment: a terminal cannot be
// interrupted.
func (p *chunkReader) closeReader() (err error) {
	p.once.Do(func() {
		close(p.stop)
		if c, ok := p.r.(io.Closer); ok {
			err = c.Close()
		}
		moment := time.NewTimer(time.Second)
		defer moment.Stop()
		select {
		case <-p.ended:
		case <-moment.C:
		}
	})
	return err
}
