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

// pump reads from a reader that may block, so that waiting for it can be
// interrupted. One goroutine reads; it holds two chunks at most.
type pump struct {
	full chan piece
	free chan []byte
	stop chan struct{} // closed by close
	gone chan struct{} // closed when the goroutine has ended
	once sync.Once
	r    io.Reader

	memory Memory
	chunks [2][]byte // all there are
	cur    piece     // what the consumer is at
	left   []byte
}

// piece is what one Read gave.
type piece struct {
	buf []byte
	n   int
	at  time.Time // when it came
	err error
}

// newPump closes r when it cannot begin.
func newPump(r io.Reader, m Memory) (*pump, error) {
	p := &pump{
		full: make(chan piece), free: make(chan []byte, 2),
		stop: make(chan struct{}), gone: make(chan struct{}), r: r, memory: m,
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
		p.free <- p.chunks[i]
	}
	go p.run()
	return p, nil
}

// release gives the chunks back, unless a reader that stays blocked may still
// write to one. No read may be under way.
func (p *pump) release() {
	select {
	case <-p.gone:
	default:
		return
	}
	for i, b := range p.chunks {
		p.memory.Free(b)
		p.chunks[i] = nil
	}
	p.left, p.cur = nil, piece{}
}

// peek waits for the first bytes and leaves them to be read.
func (p *pump) peek(ctx context.Context, limit <-chan time.Time) ([]byte, error) {
	_, _, err := p.read(ctx, limit, nil)
	return p.left, err
}

func (p *pump) run() {
	defer close(p.gone)
	for idle := 0; ; {
		var c piece
		select {
		case c.buf = <-p.free:
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
		case p.full <- c:
		case <-p.stop:
			clear(c.buf)
			return
		}
		if c.err != nil {
			return
		}
	}
}

// read copies what has come to dst, at least one byte, and says when it came.
// The reader's error comes after its last byte, and again.
func (p *pump) read(ctx context.Context, limit <-chan time.Time, dst []byte) (n int, at time.Time, err error) {
	for len(p.left) == 0 {
		if p.cur.buf != nil {
			p.free <- p.cur.buf
			p.cur.buf = nil
		}
		if p.cur.err != nil {
			return 0, p.cur.at, p.cur.err
		}
		select {
		case p.cur = <-p.full:
			p.left = p.cur.buf[:p.cur.n]
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
	return n, p.cur.at, nil
}

func (p *pump) closed() bool {
	select {
	case <-p.stop:
		return true
	default:
		return false
	}
}

// close ends the reading, and the reader where that is an io.Closer. It waits
// for a read under way, but only for a moment: a terminal cannot be
// interrupted.
func (p *pump) close() (err error) {
	p.once.Do(func() {
		close(p.stop)
		if c, ok := p.r.(io.Closer); ok {
			err = c.Close()
		}
		moment := time.NewTimer(time.Second)
		defer moment.Stop()
		select {
		case <-p.gone:
		case <-moment.C:
		}
	})
	return err
}
