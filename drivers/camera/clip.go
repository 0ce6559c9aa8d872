package camera

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"
)

// clip is a short recording on its way through a decoder.
type clip struct {
	in   io.WriteCloser
	out  Pipe
	n    int // pictures that came out
	fed  sync.WaitGroup
	once sync.Once
}

// play hands what came to a decoder and waits for the first picture.
func (s *Snapshot) play(ctx context.Context) (*clip, error) {
	if s.o.Clip == nil {
		return nil, errors.New("camera sends a clip, which needs a decoder")
	}
	parts, err := streamable(s.buf[:s.have])
	if err != nil {
		return nil, err
	}
	in, out, err := s.o.Clip(ctx)
	if err != nil {
		return nil, err
	}
	c := &clip{in: in}
	c.fed.Go(func() {
		defer in.Close()
		for _, p := range parts {
			if _, err := in.Write(p); err != nil {
				return // its pictures tell
			}
		}
	})
	if c.out, err = OpenPipe(ctx, out, Layout{}, s.limits, Live{Connect: s.o.Connect, Stall: s.o.Stall}); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

// read is the number of the next picture, which is written to dst.
func (c *clip) read(ctx context.Context, dst []byte) (int, error) {
	_, err := c.out.ReadInto(ctx, dst)
	c.n++
	return c.n - 1, err
}

// close ends the decoder by taking both its ends away. What it is fed lies in
// memory that is wiped next.
func (c *clip) close() {
	c.once.Do(func() {
		if c.out != nil {
			_ = c.out.Close()
		}
		if d, ok := c.in.(interface{ SetWriteDeadline(time.Time) error }); !ok || d.SetWriteDeadline(time.Unix(1, 0)) != nil {
			_ = c.in.Close()
		}
		c.fed.Wait()
	})
}
