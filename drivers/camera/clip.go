package camera

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"time"

	"kerb/drivers/camera/h264"
)

// clipPlayer decodes one MP4 clip in memory and delivers one picture a second of its
// first minute.
type clipPlayer struct {
	video     *Video
	delivered int
}

// maxClipPictures is a minute of pictures, one a second.
const maxClipPictures = 60

// startClip opens the fetched clip.
func (s *Snapshot) startClip() (*clipPlayer, error) {
	v, err := openVideoReader(bytes.NewReader(s.buf[:s.length]), int64(s.length), s.name, s.limits, 1)
	if err != nil {
		return nil, fmt.Errorf("camera sends a clip: %w", err)
	}
	return &clipPlayer{video: v}, nil
}

// readPicture writes the next picture to dst and returns its number, from 0: the
// first one at or behind that second of the clip.
func (c *clipPlayer) readPicture(ctx context.Context, dst []byte) (n int, err error) {
	n = c.delivered
	if n == maxClipPictures {
		return n, io.EOF
	}
	for ctx.Err() == nil {
		var p h264.Picture
		if p, err = c.video.takePicture(); err == nil {
			if time.Duration(p.Tag)-c.video.first < time.Duration(n)*time.Second {
				continue
			}
			if err = c.video.decoder.fit(&p); err == nil {
				c.video.decoder.copyPicture(dst, &p)
			}
		}
		c.delivered++
		return n, err
	}
	return n, ctx.Err()
}

// stop frees the memory.
func (c *clipPlayer) stop() { c.video.freeMemory() }
