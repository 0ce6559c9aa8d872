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

// Layout is how uncompressed pictures follow each other in a stream of bytes:
// width × height bytes of luma each, then so many bytes of colour, which are
// passed over.
type Layout struct {
	Width, Height int
	Colour        int  // bytes
	Headed        bool // each picture is preceded by a line FRAME, as in YUV4MPEG2
}

// YUV420 is the layout of planar 4:2:0 without padding, as rpicam-vid writes
// it for widths that are multiples of 64.
func YUV420(w, h int) Layout {
	return Layout{Width: w, Height: h, Colour: 2 * ((w + 1) / 2) * ((h + 1) / 2)}
}

const maxSide = 65535

func (l Layout) checkSize() error {
	if l.Width < 1 || l.Height < 1 || l.Width > maxSide || l.Height > maxSide || l.Colour < 0 || l.Colour > 3*l.Width*l.Height {
		return fmt.Errorf("raw pictures of %d×%d: must be 1×1 to %d×%d", l.Width, l.Height, maxSide, maxSide)
	}
	return nil
}

// Raw is a source of uncompressed pictures, one after another.
type Raw struct {
	pump      *chunkReader
	layout    Layout
	memory    Memory
	reduction int // so many pixels of the stream make one of the picture, each way
	w, h      int // delivered
	rows      []byte
	rate      float64
	frame     int
	progress  rawProgress // of the picture under way
	err       error

	latest      *latest
	fillerEnded chan struct{}
	stall       time.Duration
	connect     time.Duration // the wait for the first picture
	timer       *time.Timer
	mu          sync.Mutex // held by a read, since Close takes its memory away
}

// rawProgress is how far the picture under way has come.
type rawProgress struct {
	headed    bool // its line was read
	headBytes int  // bytes of that line
	luma      int  // bytes of luma read
	colour    int  // bytes of colour passed over
	first     time.Time
	abandoned bool // given up: it is read to its end and thrown away
}

// OpenRaw takes pictures of w×h bytes from r; of the limits only Memory
// matters. Times and Close are as with OpenStream.
func OpenRaw(r io.Reader, w, h int, l Limits, rate float64) (*Raw, error) {
	y := Layout{Width: w, Height: h}
	if err := errors.Join(checkRate(rate), y.checkSize()); err != nil {
		return nil, err
	}
	l = l.withDefaults()
	l.MaxPixels = w * h
	p, err := newChunkReader(r, l.Memory)
	if err != nil {
		return nil, err
	}
	return newRaw(p, y, l, rate)
}

// newRaw settles the delivered size: the largest of 1, 1/2, 1/4 and 1/8 that is
// within the limits.
func newRaw(p *chunkReader, y Layout, l Limits, rate float64) (*Raw, error) {
	err := y.checkSize()
	if err == nil {
		l = l.withDefaults()
		for k := 1; k <= 8; k *= 2 {
			if w, h := y.Width/k, y.Height/k; w > 0 && h > 0 && w*h <= l.MaxPixels {
				r := &Raw{pump: p, layout: y, memory: l.Memory, reduction: k, w: w, h: h, rate: rate}
				if k > 1 {
					if r.rows, err = l.Memory.Bytes(k * y.Width); err != nil {
						return nil, err
					}
				}
				return r, nil
			}
		}
		err = fmt.Errorf("picture of %d×%d is too large: even an eighth of it has more than %d pixels", y.Width, y.Height, l.MaxPixels)
	}
	return nil, err
}

// startLive makes the source give its newest picture only, and never wait for long.
func (r *Raw) startLive(l Live) {
	r.stall, r.connect, r.timer = l.Stall, l.Connect, time.NewTimer(l.Stall)
	if l.Newest {
		r.latest, r.fillerEnded = newLatest(l, r.memory, r.w*r.h), make(chan struct{})
		go r.fillLatest()
	}
}

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
		case r.latest.isDue(at):
			r.latest.publishSpare(at)
		}
	}
}

// ReadInto fills dst, of width × height bytes, with the next picture. A
// picture during which ctx ends is lost.
func (r *Raw) ReadInto(ctx context.Context, dst []byte) (time.Time, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.pump.isClosed() {
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
		return r.time(at), BadFrame{r.frame - 1, bad.error}
	}
	if err != nil {
		return time.Time{}, r.recordEnd(ctx, err)
	}
	r.frame++
	return r.time(at), nil
}

func (r *Raw) nextPicture(ctx context.Context, dst []byte) (time.Time, error) {
	var limit <-chan time.Time
	if r.timer != nil {
		wait := r.stall
		if r.frame == 0 {
			wait = r.connect // a program has to start first
		}
		r.timer.Reset(wait)
		defer r.timer.Stop()
		limit = r.timer.C
	}
	if r.latest == nil {
		return r.readPicture(ctx, limit, dst)
	}
	src, at, err := r.latest.waitNewest(ctx, limit)
	if err == nil {
		copy(dst, src)
		r.latest.clearTaken()
	}
	return at, err
}

// readPicture reads one picture. One that was given up before is read to its end
// first.
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
				r.frame++
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

// resumePicture goes on with the picture under way.
func (r *Raw) resumePicture(ctx context.Context, limit <-chan time.Time, dst []byte) error {
	p, y := &r.progress, r.layout
	for y.Headed && !p.headed {
		var b [1]byte
		if _, _, err := r.pump.readBytes(ctx, limit, b[:]); err != nil {
			return err
		}
		if err := p.parseHeadByte(b[0]); err != nil {
			return err
		}
	}
	for p.luma < y.Width*y.Height {
		room := r.lumaSpan(dst)
		n, at, err := r.pump.readBytes(ctx, limit, room)
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
	var waste [4 << 10]byte
	for p.colour < y.Colour {
		n, _, err := r.pump.readBytes(ctx, limit, waste[:min(len(waste), y.Colour-p.colour)])
		if err != nil {
			return err
		}
		p.colour += n
	}
	return nil
}

// lumaSpan is where the next bytes of luma go: into the picture, or into so many
// rows as make one of the picture.
func (r *Raw) lumaSpan(dst []byte) []byte {
	if r.reduction == 1 {
		return dst[r.progress.luma:]
	}
	band := len(r.rows)
	in := r.progress.luma % band
	return r.rows[in:min(band, in+r.layout.Width*r.layout.Height-r.progress.luma)]
}

// reduceBand writes the row of the picture that the rows just read make. A rest of
// rows at the lower edge makes none.
func (r *Raw) reduceBand(dst []byte) {
	if r.progress.luma%len(r.rows) != 0 {
		return
	}
	row := r.progress.luma/len(r.rows) - 1
	averageBlocks(dst[row*r.w:(row+1)*r.w], r.rows, r.layout.Width, 1, r.reduction)
	clear(r.rows)
}

// averageBlocks makes one row of k×k pixels each. The pixels of a row are so many
// bytes apart.
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

// recordEnd remembers an error that is for good.
func (r *Raw) recordEnd(ctx context.Context, err error) error {
	if r.pump.isClosed() {
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

// time is that of the picture just read.
func (r *Raw) time(arrived time.Time) time.Time {
	if r.rate > 0 {
		return recordedTime(r.frame-1, r.rate)
	}
	return arrived
}

// Size is the width and height of the pictures.
func (r *Raw) Size() (w, h int) { return r.w, r.h }

// Dropped is how many pictures came and were overtaken by the next one before
// anyone looked at them.
func (r *Raw) Dropped() uint64 {
	if r.latest == nil {
		return 0
	}
	return r.latest.dropped.Load()
}

// Close ends the source, and a ReadInto that waits.
func (r *Raw) Close() error {
	err := r.pump.closeReader()
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
	r.pump.freeChunks()
	return err
}
