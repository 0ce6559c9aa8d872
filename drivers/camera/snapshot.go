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

// ErrUnchanged is returned for one request that brought the same picture as the one
// before, or one in which less than half of the cells differ: see cellSums. The source
// goes on: the next call waits for the next request.
var ErrUnchanged = errors.New("camera shows the same picture as before")

// Snapshot polls a network camera: its address returns one JPEG, or one short MP4
// clip of H.264, that changes every few minutes. A clip is delivered as one picture
// a second.
type Snapshot struct {
	address *url.URL
	name    string // the address without user, password and query
	limits  Limits
	opts    SnapshotOpts
	client  *httpClient
	poll    *PollState

	buf        []byte     // the body of the last response
	length     int        // of the body; 0: none
	kind       string     // of the body: its Content-Type
	seen       validators // of the body
	fetched    time.Time
	begun      time.Time // of the last request
	unchanged  bool      // the request of OpenSnapshot brought no new picture
	format     format
	dec        luma.Decoder
	clip       *clipPlayer // nil: the body is a picture
	w, h       int
	frame      int
	err        error
	life       context.Context // ends with Close
	cancelLife context.CancelFunc
	mu         sync.Mutex // held by a read, because Close frees the memory
}

// SnapshotOpts says how to poll a camera. Connect is the time limit of one request.
// Nothing else of Live is used.
type SnapshotOpts struct {
	HTTPOpts
	// PollEvery is the usual time between two requests, MinPollEvery to MaxPollEvery; a
	// value outside is set to the nearer bound.
	PollEvery time.Duration
}

// OpenSnapshot waits until a request is due and sends it; ctx ends both, and
// does not end the source later. It follows redirects on the same host only. Errors
// name the address without user, password and query; ErrRefused is a refused
// password. poll must be the state of this address: with it, a source that is
// opened again does not poll too soon, nor deliver the same picture again.
func OpenSnapshot(ctx context.Context, address string, l Limits, o SnapshotOpts, poll *PollState) (*Snapshot, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("camera address: must be like https://camera/picture.jpg")
	}
	u.User = nil
	s := &Snapshot{
		address: u, name: u.Scheme + "://" + u.Host + u.Path, limits: l.withDefaults(), opts: o, poll: poll,
		client: newClient(o.HTTPOpts),
	}
	s.life, s.cancelLife = context.WithCancel(context.Background())
	s.opts.PollEvery = min(max(o.PollEvery, MinPollEvery), MaxPollEvery)
	s.opts.Connect, s.opts.Stall = cmp.Or(o.Connect, defaultConnect), cmp.Or(o.Stall, defaultStall)
	s.dec.Memory = s.limits.Memory
	err = s.waitAndPoll(ctx)
	if err == ErrUnchanged && poll.w > 0 {
		s.w, s.h, s.format, s.unchanged, err = poll.w, poll.h, poll.format, true, nil
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// waitAndPoll waits until a request is due, sends it, and schedules the next.
func (s *Snapshot) waitAndPoll(ctx context.Context) error {
	wait := time.NewTimer(time.Until(s.poll.nextPoll))
	defer wait.Stop()
	select {
	case <-wait.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	s.begun = time.Now()
	err := s.fetchBody(ctx)
	if err == nil {
		err = s.openBody()
	}
	switch {
	case err == nil: // whether the picture can be decoded is not yet known
		s.poll.setNextPoll(s.begun, s.opts.PollEvery)
		return nil
	case err == ErrUnchanged:
		s.poll.scheduleNext(s.begun, s.opts.PollEvery)
		return err
	}
	s.wipeBody() // half a body is no picture
	if ctx.Err() != nil {
		s.poll.setNextPoll(s.begun, MinPollEvery)
		return ctx.Err()
	}
	s.poll.scheduleRetry(s.begun, s.opts.PollEvery)
	return fmt.Errorf("%s: %w", s.name, err)
}

// fetchBody reads the body of one response, or returns ErrUnchanged if it is the last
// one.
func (s *Snapshot) fetchBody(ctx context.Context) error {
	ctx, done := context.WithTimeoutCause(ctx, s.opts.Connect, fmt.Errorf("no picture in %v", s.opts.Connect))
	defer done()
	defer s.client.http.CloseIdleConnections()
	res, err := s.client.getFinal(ctx, s.address, s.poll.conditionalHeader())
	if err == nil {
		defer res.Body.Close()
		s.fetched = time.Now()
		s.poll.readMinWait(res, s.fetched)
		if err = s.readBody(res); err == nil {
			s.seen = validators{res.Header.Get("ETag"), res.Header.Get("Last-Modified"), sha256.Sum256(s.buf[:s.length])}
			if s.poll.w > 0 && s.seen.sum == s.poll.seen.sum {
				s.poll.seen = s.seen
				s.wipeBody()
				return ErrUnchanged
			}
		}
	}
	if cause := context.Cause(ctx); err != nil && err != ErrUnchanged && cause != nil {
		return cause
	}
	return err
}

// readBody reads the whole body into the buffer, at most MaxBytes.
func (s *Snapshot) readBody(res *http.Response) error {
	t, _, _ := strings.Cut(strings.ToLower(res.Header.Get("Content-Type")), ";")
	s.kind = strings.TrimSpace(t)
	switch {
	case res.StatusCode == http.StatusNotModified && s.poll.hasValidator():
		return ErrUnchanged
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
		case errors.Is(err, io.ErrUnexpectedEOF) && s.length > 0:
			return nil // the declared length may be wrong: the decoder sees whether all is there
		case err != nil:
			return explainHTTP(err)
		case s.length > s.limits.MaxBytes:
			return fmt.Errorf("camera sends more than %d bytes", s.limits.MaxBytes)
		}
	}
}

// minBodyBuf is the smallest buffer for a body, in bytes. Chosen by hand.
const minBodyBuf = 64 << 10

// growBody enlarges the buffer: at least to the declared length and one byte more,
// by which the end is detected, and to twice its size.
func (s *Snapshot) growBody(declared int) error {
	larger, err := s.limits.Memory.Bytes(max(declared+1, 2*len(s.buf), minBodyBuf))
	if err != nil {
		return err
	}
	copy(larger, s.buf[:s.length])
	s.freeBuffer()
	s.buf = larger
	return nil
}

// openBody tells a JPEG from an MP4 clip by the first bytes, and prepares to
// deliver it. Its size must be that of the pictures before.
func (s *Snapshot) openBody() (err error) {
	w, h := 0, 0
	switch came := s.buf[:s.length]; {
	case bytes.HasPrefix(came, jpegStart):
		var f format
		if f, err = newFormat(came, s.limits); err == nil {
			s.format, w, h = f, f.w, f.h
		}
	case isMP4(came):
		if s.clip, err = s.startClip(); err == nil {
			w, h = s.clip.video.Size()
		}
	default:
		err = errors.New("camera sends neither a JPEG picture nor an MP4 clip")
		if words := namedTypes[s.kind]; words != "" && s.kind != "image/jpeg" {
			err = fmt.Errorf("camera sends %s: must be a JPEG picture or an MP4 clip", words)
		}
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

// ReadInto waits for a new picture, fills dst, of width × height bytes, with it,
// and returns when it was fetched; of a clip, that and its place in the clip. It
// returns ErrUnchanged after each request that brought no new picture; dst may hold
// a picture then, too.
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
			return time.Now(), ErrUnchanged
		}
		at, err := s.decodeNext(ctx, dst)
		if err != io.EOF {
			return at, s.closedError(err)
		}
		switch err := s.waitAndPoll(ctx); {
		case err == ErrUnchanged:
			return time.Now(), ErrUnchanged
		case err != nil:
			if ctx.Err() == nil {
				s.err = err
			}
			return time.Time{}, s.closedError(err)
		}
	}
}

// decodeNext delivers the next picture of the body; io.EOF when there are no more.
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
			s.wipeBody() // a clip that cannot be decoded further has ended
		}
	case s.length > 0:
		s.dec.ForgetTables()
		at, err = s.fetched, s.format.decodeLuma(&s.dec, dst, s.buf[:s.length])
		s.wipeBody()
	default:
		return at, io.EOF
	}
	s.frame++
	if err != nil {
		s.poll.scheduleRetry(s.begun, s.opts.PollEvery)
		return at, BadFrame{s.frame - 1, err}
	}
	// Only a picture that was read may be taken for unchanged the next time.
	s.poll.seen, s.poll.failures = s.seen, 0
	if first := s.clip == nil || s.clip.delivered == 1; first && !s.poll.cells.replaceSums(dst, s.w, s.h) {
		s.wipeBody() // the pictures of a clip are new if its first one is
		return at, ErrUnchanged
	}
	return at, nil
}

// wipeBody frees the clip's decoder and overwrites the body.
func (s *Snapshot) wipeBody() {
	if s.clip != nil {
		s.clip.stop()
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

// closedError replaces an error by ErrClosed after Close.
func (s *Snapshot) closedError(err error) error {
	if err != nil && s.life.Err() != nil {
		return ErrClosed
	}
	return err
}

// Size returns the width and height of the delivered pictures.
func (s *Snapshot) Size() (w, h int) { return s.w, s.h }

// Close ends the source and a waiting ReadInto, and frees the memory.
func (s *Snapshot) Close() error {
	s.cancelLife()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wipeBody()
	s.freeBuffer()
	s.dec.Close()
	return nil
}
