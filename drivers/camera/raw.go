package camera

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"kerb/drivers/camera/luma"
)

// Layout describes concatenated uncompressed pictures: width × height bytes of
// luma each, then the bytes of colour, which are skipped.
type Layout struct {
	Width, Height int  // pixels, 1 to 65535
	Colour        int  // bytes of colour in one picture, at most three times the luma
	Headed        bool // a line FRAME precedes each picture, as in YUV4MPEG2
}

// YUV420 returns the layout of planar 4:2:0 without padding, which rpicam-vid
// writes for widths that are multiples of 64.
func YUV420(w, h int) Layout {
	return Layout{Width: w, Height: h, Colour: 2 * ((w + 1) / 2) * ((h + 1) / 2)}
}

const (
	maxSide     = 65535 // pixels; the largest side of a JPEG, too
	maxColour   = 3     // bytes of colour a pixel: 4:4:4 with alpha
	skipBufSize = 4 << 10
)

func (l Layout) checkSize() error {
	if l.Width < 1 || l.Height < 1 || l.Width > maxSide || l.Height > maxSide || l.Colour < 0 || l.Colour > maxColour*l.Width*l.Height {
		return fmt.Errorf("raw pictures of %d×%d: must be 1×1 to %d×%d", l.Width, l.Height, maxSide, maxSide)
	}
	return nil
}

// Raw reads concatenated uncompressed pictures from a byte stream. It is opened by
// OpenPipe.
type Raw struct {
	chunks    *chunkReader
	layout    Layout
	memory    Memory
	reduction int    // pixels of the stream to one delivered, each way
	w, h      int    // delivered
	rows      []byte // reduction rows of the stream; nil: not reduced
	frame     int
	progress  rawProgress
	err       error

	latest      *latest
	fillerEnded chan struct{}
	stall       time.Duration
	connect     time.Duration // limit of the wait for the first picture
	timer       *time.Timer
	mu          sync.Mutex // held by a read, because Close frees the memory
}

// rawProgress is the part of the current picture that has been read.
type rawProgress struct {
	headed    bool      // its FRAME line is complete
	headBytes int       // of the FRAME line
	luma      int       // bytes of luma
	colour    int       // bytes of colour, skipped
	first     time.Time // arrival of the first byte
	abandoned bool      // the read was interrupted: skip the rest
}

// newRaw chooses the delivered size: the largest of 1, 1/2, 1/4 and 1/8 that is
// within the limits.
func newRaw(p *chunkReader, y Layout, l Limits) (*Raw, error) {
	if err := y.checkSize(); err != nil {
		return nil, err
	}
	l = l.withDefaults()
	k, w, h, err := fitReduction(y.Width, y.Height, l.MaxPixels)
	if err != nil {
		return nil, err
	}
	r := &Raw{chunks: p, layout: y, memory: l.Memory, reduction: k, w: w, h: h}
	if k > 1 {
		if r.rows, err = l.Memory.Bytes(k * y.Width); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// startLive sets the time limits, and starts the goroutine that fills the mailbox
// if only the newest picture is wanted.
func (r *Raw) startLive(l Live) {
	r.stall, r.connect, r.timer = l.Stall, l.Connect, time.NewTimer(l.Stall)
	if l.Newest {
		r.latest, r.fillerEnded = newLatest(l, r.memory, r.w*r.h), make(chan struct{})
		go r.fillLatest()
	}
}

// fillLatest reads pictures into the mailbox until the source ends.
func (r *Raw) fillLatest() {
	defer close(r.fillerEnded)
	for {
		dst, err := r.latest.reserveSpare(r.w * r.h)
		var at time.Time
		if err == nil {
			at, err = r.readPicture(context.Background(), nil, dst)
		}
		switch _, bad := errors.AsType[errPicture](err); {
		case bad:
			r.latest.publishBad(err)
		case err != nil:
			r.latest.setEnd(err)
			return
		case r.latest.pace.isDue(at):
			r.latest.publishSpare(at)
		}
	}
}

// ReadInto fills dst, of width × height bytes, with the next picture and returns
// the arrival of its first byte. A picture during which ctx ends is lost.
func (r *Raw) ReadInto(ctx context.Context, dst []byte) (time.Time, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.chunks.isClosed() {
		return time.Time{}, ErrClosed
	}
	if r.err != nil {
		return time.Time{}, r.err
	}
	if err := checkRead(ctx, dst, r.w, r.h); err != nil {
		return time.Time{}, err
	}
	at, err := r.nextPicture(ctx, dst)
	if bad, ok := errors.AsType[errPicture](err); ok {
		r.frame++
		return at, BadFrame{r.frame - 1, bad.error}
	}
	if err != nil {
		return time.Time{}, r.recordEnd(ctx, err)
	}
	r.frame++
	return at, nil
}

// nextPicture reads or takes the next picture within the time limit.
func (r *Raw) nextPicture(ctx context.Context, dst []byte) (time.Time, error) {
	wait := r.stall
	if r.frame == 0 {
		wait = r.connect // the program is starting
	}
	r.timer.Reset(wait)
	defer r.timer.Stop()
	if r.latest == nil {
		return r.readPicture(ctx, r.timer.C, dst)
	}
	src, at, err := r.latest.waitNewest(ctx, r.timer.C)
	if err == nil {
		copy(dst, src)
		r.latest.clearTaken()
	}
	return at, err
}

// readPicture reads one picture into dst, after the rest of an abandoned one. The
// end of the stream inside a picture is an errPicture.
func (r *Raw) readPicture(ctx context.Context, limit <-chan time.Time, dst []byte) (time.Time, error) {
	for {
		lost := r.progress.abandoned
		if err := r.resumePicture(ctx, limit, dst); err != nil {
			if err == io.EOF && r.progress.luma > 0 && !lost {
				begun := r.progress.first
				r.progress = rawProgress{}
				return begun, errPicture{luma.ErrTruncated}
			}
			if r.progress.luma > 0 && !lost {
				r.progress.abandoned = true
				if r.latest == nil { // otherwise ReadInto alone counts, in another goroutine
					r.frame++
				}
			}
			return time.Time{}, err
		}
		begun := r.progress.first
		r.progress = rawProgress{}
		if !lost {
			return begun, nil
		}
	}
}

// resumePicture reads the rest of the current picture: head, luma, colour. After
// an error, the next call goes on at the same byte.
func (r *Raw) resumePicture(ctx context.Context, limit <-chan time.Time, dst []byte) error {
	p, y := &r.progress, r.layout
	for y.Headed && !p.headed {
		var b [1]byte
		if _, _, err := r.chunks.readBytes(ctx, limit, b[:]); err != nil {
			return err
		}
		if err := p.parseHeadByte(b[0]); err != nil {
			return err
		}
	}
	for p.luma < y.Width*y.Height {
		room := r.lumaSpan(dst)
		n, at, err := r.chunks.readBytes(ctx, limit, room)
		if err != nil {
			return err
		}
		if p.luma == 0 {
			p.first = at
		}
		if p.luma += n; n == len(room) && r.reduction > 1 {
			r.reduceBand(dst)
		}
	}
	var waste [skipBufSize]byte
	for p.colour < y.Colour {
		n, _, err := r.chunks.readBytes(ctx, limit, waste[:min(len(waste), y.Colour-p.colour)])
		if err != nil {
			return err
		}
		p.colour += n
	}
	return nil
}

// lumaSpan returns the destination of the next bytes of luma: the picture itself,
// or the band of rows that is reduced to one row.
func (r *Raw) lumaSpan(dst []byte) []byte {
	if r.reduction == 1 {
		return dst[r.progress.luma:]
	}
	band := len(r.rows)
	in := r.progress.luma % band
	return r.rows[in:min(band, in+r.layout.Width*r.layout.Height-r.progress.luma)]
}

// reduceBand averages a complete band of rows into one row of dst. Rows that are
// left over at the lower edge are dropped.
func (r *Raw) reduceBand(dst []byte) {
	if r.progress.luma%len(r.rows) != 0 {
		return
	}
	row := r.progress.luma/len(r.rows) - 1
	averageBlocks(dst[row*r.w:(row+1)*r.w], r.rows, r.layout.Width, 1, r.reduction)
	clear(r.rows)
}

// averageBlocks writes the rounded mean of each k×k block of rows to dst (box
// filter). The rows are stride bytes apart, the pixels of a row apart bytes.
func averageBlocks(dst, rows []byte, stride, apart, k int) {
	n := uint32(k * k)
	for x := range dst {
		sum := n / 2
		for y := range k {
			from := rows[y*stride+x*k*apart:]
			for i := range k {
				sum += uint32(from[i*apart])
			}
		}
		dst[x] = uint8(sum / n)
	}
}

// recordEnd stores the error that ends the source, unless ctx has ended.
func (r *Raw) recordEnd(ctx context.Context, err error) error {
	if r.chunks.isClosed() {
		err = ErrClosed
	}
	if err == errStall {
		err = fmt.Errorf("no picture for %v", r.stall)
	}
	if ctx.Err() == nil {
		r.err = err
	}
	return err
}

// Size returns the width and height of the delivered pictures.
func (r *Raw) Size() (w, h int) { return r.w, r.h }

// Dropped returns how many pictures were replaced by a newer one before they were
// read.
func (r *Raw) Dropped() uint64 {
	if r.latest == nil {
		return 0
	}
	return r.latest.dropped.Load()
}

// Close ends the source and a waiting ReadInto, and frees the memory.
func (r *Raw) Close() error {
	err := r.chunks.closeReader()
	if r.latest != nil {
		<-r.fillerEnded
		r.latest.setEnd(ErrClosed)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.latest != nil {
		r.latest.freeBuffers()
	}
	if r.rows != nil {
		r.memory.Free(r.rows)
		r.rows = nil
	}
	r.chunks.freeChunks()
	return err
}
