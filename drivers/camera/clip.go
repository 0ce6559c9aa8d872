package camera

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"
)

// clipDecoder runs one MP4 clip through a decoder that the caller hands in.
type clipDecoder struct {
	in        io.WriteCloser
	out       Pipe
	delivered int // pictures read
	feeding   sync.WaitGroup
	once      sync.Once
}

// startClip writes the fetched clip to a new decoder, moov first, and waits for
// the first picture.
func (s *Snapshot) startClip(ctx context.Context) (*clipDecoder, error) {
	if s.opts.OpenClipDecoder == nil {
		return nil, errors.New("camera sends a clip, which needs a decoder")
	}
	parts, err := moveIndexFirst(s.buf[:s.length])
	if err != nil {
		return nil, err
	}
	in, out, err := s.opts.OpenClipDecoder(ctx)
	if err != nil {
		return nil, err
	}
	c := &clipDecoder{in: in}
	c.feeding.Go(func() {
		defer in.Close()
		for _, p := range parts {
			if _, err := in.Write(p); err != nil {
				return // the missing pictures report it
			}
		}
	})
	if c.out, err = OpenPipe(ctx, out, Layout{}, s.limits, Live{Connect: s.opts.Connect, Stall: s.opts.Stall}); err != nil {
		c.stopDecoder()
		return nil, err
	}
	return c, nil
}

// readPicture writes the next picture to dst and returns its number, from 0.
func (c *clipDecoder) readPicture(ctx context.Context, dst []byte) (int, error) {
	_, err := c.out.ReadInto(ctx, dst)
	c.delivered++
	return c.delivered - 1, err
}

// stopDecoder ends the decoder by closing both its ends, and waits until no more
// bytes of the clip are read: the caller overwrites them next.
func (c *clipDecoder) stopDecoder() {
	c.once.Do(func() {
		if c.out != nil {
			_ = c.out.Close()
		}
		if d, ok := c.in.(interface{ SetWriteDeadline(time.Time) error }); !ok || d.SetWriteDeadline(longAgo()) != nil {
			_ = c.in.Close()
		}
		c.feeding.Wait()
	})
}
