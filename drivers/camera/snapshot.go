package camera

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"kerb/drivers/camera/luma"
)

// ErrSame is about one asking: the camera shows what it showed before. The next
// call waits for the next asking.
var ErrSame = errors.New("camera shows the same picture as before")

// Snapshot is a network camera of which an address gives one picture, or one
// short clip, that is another one every few minutes. Of a clip, one picture a
// second is delivered.
type Snapshot struct {
	address *url.URL
	name    string // the address without user, password and query
	limits  Limits
	opts    SnapshotOpts
	client  *httpClient
	poll    *Asked

	buf        []byte // what came, compressed
	length     int    // bytes of it
	fetched    time.Time
	unchanged  bool // an opening found nothing new
	format     format
	dec        luma.Decoder
	clip       *clipDecoder // nil: a picture
	w, h       int
	frame      int
	err        error
	life       context.Context // ends with Close
	cancelLife context.CancelFunc
	mu         sync.Mutex // held by a read, since Close takes its memory away
}

// SnapshotOpts says how to reach such a camera. Connect is the longest that one
// asking may take; Stall is of a clip's decoder; the rest of Live is not used.
type SnapshotOpts struct {
	HTTP
	// Every is the usual time between two askings, MinPollEvery to MaxPollEvery.
	Every time.Duration
	// Clip gives a program that reads MP4 and writes one picture a second as
	// YUV4MPEG2: what is written to in, and what it writes. nil: clips are refused.
	Clip func(ctx context.Context) (in io.WriteCloser, out io.ReadCloser, err error)
}

// OpenSnapshot waits until the camera may be asked, and asks; ctx bounds both,
// and nothing after it. It follows redirects on the same host only. Its errors
// name the camera by address, never by user, password or query. What was asked
// before, by another Snapshot of the same address, is not asked again too soon
// and not delivered again.
func OpenSnapshot(ctx context.Context, address string, l Limits, o SnapshotOpts, asked *Asked) (*Snapshot, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("camera address: must be like https://camera/picture.jpg")
	}
	u.User = nil
	s := &Snapshot{
		address: u, name: u.Scheme + "://" + u.Host + u.Path, limits: l.withDefaults(), opts: o, poll: asked,
		client: newClient(o.HTTP),
	}
	s.life, s.cancelLife = context.WithCancel(context.Background())
	s.opts.Every = min(max(o.Every, MinPollEvery), MaxPollEvery)
	s.opts.Connect, s.opts.Stall = cmp.Or(o.Connect, defaultConnect), cmp.Or(o.Stall, defaultStall)
	s.dec.Memory = s.limits.Memory
	err = s.waitAndPoll(ctx)
	if err == ErrSame && asked.w > 0 {
		s.w, s.h, s.format, s.unchanged, err = asked.w, asked.h, asked.format, true, nil
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// waitAndPoll waits until it may ask, and asks.
func (s *Snapshot) waitAndPoll(ctx context.Context) error {
	wait := time.NewTimer(time.Until(s.poll.nextPoll))
	defer wait.Stop()
	select {
	case <-wait.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	begun := time.Now()
	err := s.fetchBody(ctx)
	if err == nil {
		err = s.openBody(ctx)
	}
	if err == nil || err == ErrSame {
		s.poll.scheduleNext(begun, s.opts.Every)
		return err
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	s.poll.scheduleRetry(begun, s.opts.Every)
	return fmt.Errorf("%s: %w", s.name, err)
}

// fetchBody loads what the address gives now, unless it is what it gave before.
func (s *Snapshot) fetchBody(ctx context.Context) error {
	ctx, done := context.WithTimeoutCause(ctx, s.opts.Connect, fmt.Errorf("no picture in %v", s.opts.Connect))
	defer done()
	defer s.client.http.CloseIdleConnections()
	res, err := s.client.getFinal(ctx, s.address, s.poll.conditionalHeader())
	if err == nil {
		defer res.Body.Close()
		s.fetched = time.Now()
		s.poll.readMinWait(res, s.fetched)
		if err = s.readBody(res); err == nil && s.poll.noteResponse(res, sha256.Sum256(s.buf[:s.length])) {
			s.wipeBody()
			return ErrSame
		}
	}
	if cause := context.Cause(ctx); err != nil && err != ErrSame && cause != nil {
		return cause
	}
	return err
}

// readBody takes the body, whole.
func (s *Snapshot) readBody(res *http.Response) error {
	t, _, _ := strings.Cut(strings.ToLower(res.Header.Get("Content-Type")), ";")
	switch {
	case res.StatusCode == http.StatusNotModified && s.poll.hasValidator():
		return ErrSame
	case res.StatusCode != http.StatusOK:
		return fmt.Errorf("camera answers %d %s", res.StatusCode, http.StatusText(res.StatusCode))
	case strings.HasPrefix(t, "multipart/"):
		return errors.New("camera sends a stream without end: leave out every")
	case res.ContentLength > int64(s.limits.MaxBytes):
		return fmt.Errorf("camera sends %d bytes: more than %d", res.ContentLength, s.limits.MaxBytes)
	}
	for s.length = 0; ; {
		if s.length == len(s.buf) {
			if err := s.growBody(int(max(res.ContentLength, 0))); err != nil {
				return err
			}
		}
		n, err := res.Body.Read(s.buf[s.length:])
		s.length += n
		switch {
		case err == io.EOF && s.length > 0:
			return nil
		case err == io.EOF:
			return errors.New("camera sends nothing")
		case err != nil:
			return stripURL(err)
		case s.length > s.limits.MaxBytes:
			return fmt.Errorf("camera sends more than %d bytes", s.limits.MaxBytes)
		}
	}
}

// growBody makes room, for a body whose length is told for the whole of it and one
// byte more, by which its end is seen.
func (s *Snapshot) growBody(told int) error {
	larger, err := s.limits.Memory.Bytes(max(told+1, 2*len(s.buf), 64<<10))
	if err != nil {
		return err
	}
	copy(larger, s.buf[:s.length])
	s.freeBuffer()
	s.buf = larger
	return nil
}

// openBody finds what came: its size is that of all before it.
func (s *Snapshot) openBody(ctx context.Context) (err error) {
	w, h := 0, 0
	switch came := s.buf[:s.length]; {
	case bytes.HasPrefix(came, jpegStart):
		var f format
		if f, err = newFormat(came, s.limits); err == nil {
			s.format, w, h = f, f.w, f.h
		}
	case isMP4(came):
		if s.clip, err = s.startClip(ctx); err == nil {
			w, h = s.clip.out.Size()
		}
	default:
		err = errors.New("camera sends neither a JPEG picture nor an MP4 clip")
	}
	if err == nil && s.w > 0 && (w != s.w || h != s.h) {
		err = fmt.Errorf("pictures have changed: the new one %w: open the camera again", errSizeChanged{w, h, s.w, s.h})
		s.poll.forgetPicture()
	}
	if err != nil {
		s.wipeBody()
		return err
	}
	s.w, s.h = w, h
	s.poll.w, s.poll.h, s.poll.format = w, h, s.format
	return nil
}

// ReadInto waits for a picture that was not there before and fills dst, of
// width × height bytes, with it. It returns ErrSame after each asking that
// brought none.
func (s *Snapshot) ReadInto(ctx context.Context, dst []byte) (time.Time, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.life.Err() != nil:
		return time.Time{}, ErrClosed
	case s.err != nil:
		return time.Time{}, s.err
	}
	if err := checkRead(ctx, dst, s.w, s.h); err != nil {
		return time.Time{}, err
	}
	ctx, done := context.WithCancel(ctx)
	defer done()
	defer context.AfterFunc(s.life, done)()
	for {
		if s.unchanged {
			s.unchanged = false
			return time.Now(), ErrSame
		}
		at, err := s.decodeNext(ctx, dst)
		if err != io.EOF {
			return at, s.closedError(err)
		}
		switch err := s.waitAndPoll(ctx); {
		case err == ErrSame:
			return time.Now(), ErrSame
		case err != nil:
			if ctx.Err() == nil {
				s.err = err
			}
			return time.Time{}, s.closedError(err)
		}
	}
}

// decodeNext gives the next picture of what came; io.EOF where nothing is left.
func (s *Snapshot) decodeNext(ctx context.Context, dst []byte) (at time.Time, err error) {
	switch {
	case s.clip != nil:
		var n int
		if n, err = s.clip.readPicture(ctx, dst); err == io.EOF || ctx.Err() != nil {
			if s.wipeBody(); ctx.Err() != nil {
				return at, ctx.Err()
			}
			return at, io.EOF
		}
		if at = s.fetched.Add(time.Duration(n) * time.Second); err != nil {
			s.wipeBody() // a clip that cannot be read to its end is at its end
		}
	case s.length > 0:
		at, err = s.fetched, s.format.decodeLuma(&s.dec, dst, s.buf[:s.length])
		s.wipeBody()
	default:
		return at, io.EOF
	}
	s.frame++
	if err != nil {
		return at, BadFrame{s.frame - 1, err}
	}
	return at, nil
}

// wipeBody forgets what came.
func (s *Snapshot) wipeBody() {
	if s.clip != nil {
		s.clip.stopDecoder()
		s.clip = nil
	}
	clear(s.buf[:s.length])
	s.length = 0
}

func (s *Snapshot) freeBuffer() {
	if s.buf != nil {
		s.limits.Memory.Free(s.buf)
		s.buf = nil
	}
}

func (s *Snapshot) closedError(err error) error {
	if err != nil && s.life.Err() != nil {
		return ErrClosed
	}
	return err
}

// Size is the width and height of the pictures that ReadInto delivers.
func (s *Snapshot) Size() (w, h int) { return s.w, s.h }

// Close ends the source, and a ReadInto that waits.
func (s *Snapshot) Close() error {
	s.cancelLife()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wipeBody()
	s.freeBuffer()
	s.dec.Close()
	return nil
}
