package camera

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"
)

// clipDecoder is a short recording on its way through a decoder.
type clipDecoder struct {
	in        io.WriteCloser
	out       Pipe
	delivered int // pictures that came out
	feeding   sync.WaitGroup
	once      sync.Once
}

// startClip hands what came to a decoder and waits for the first picture.
func (s *Snapshot) startClip(ctx context.Context) (*clipDecoder, error) {
	if s.opts.Clip == nil {
		return nil, errors.New("camera sends a clip, which needs a decoder")
	}
	parts, err := moveIndexFirst(s.buf[:s.length])
	if err != nil {
		return nil, err
	}
	in, out, err := s.opts.Clip(ctx)
	if err != nil {
		return nil, err
	}
	c := &clipDecoder{in: in}
	c.feeding.Go(func() {
		defer in.Close()
		for _, p := range parts {
			if _, err := in.Write(p); err != nil {
				return // its pictures tell
			}
		}
	})
	if c.out, err = OpenPipe(ctx, out, Layout{}, s.limits, Live{Connect: s.opts.Connect, Stall: s.opts.Stall}); err != nil {
		c.stopDecoder()
		return nil, err
	}
	return c, nil
}

// readPicture is the number of the next picture, which is written to dst.
func (c *clipDecoder) readPicture(ctx context.Context, dst []byte) (int, error) {
	_, err := c.out.ReadInto(ctx, dst)
	c.delivered++
	return c.delivered - 1, err
}

// stopDecoder ends the decoder by taking both its ends away. What it is fed lies in
// memory that is wiped next.
func (c *clipDecoder) stopDecoder() {
	c.once.Do(func() {
		if c.out != nil {
			_ = c.out.Close()
		}
		if d, ok := c.in.(interface{ SetWriteDeadline(time.Time) error }); !ok || d.SetWriteDeadline(time.Unix(1, 0)) != nil {
			_ = c.in.Close()
		}
		c.feeding.Wait()
	})
}
