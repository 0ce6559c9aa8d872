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

func (l Layout) check() error {
	if l.Width < 1 || l.Height < 1 || l.Width > maxSide || l.Height > maxSide || l.Colour < 0 || l.Colour > 3*l.Width*l.Height {
		return fmt.Errorf("raw pictures of %d×%d: must be 1×1 to %d×%d", l.Width, l.Height, maxSide, maxSide)
	}
	return nil
}

// Raw is a source of uncompressed pictures, one after another.
type Raw struct {
	pump   *pump
	layout Layout
	memory Memory
	k      int // so many pixels of the stream make one of the picture, each way
	w, h   int // delivered
	rows   []byte
	rate   float64
	frame  int
	part   part // of the picture under way
	err    error

	box   *box
	fed   chan struct{}
	stall time.Duration
	begin time.Duration // the wait for the first picture
	timer *time.Timer
	mu    sync.Mutex // held by a read, since Close takes its memory away
}

// part is how far the picture under way has come.
type part struct {
	headed bool // its line was read
	head   int  // bytes of that line
	luma   int  // bytes of luma read
	colour int  // bytes of colour passed over
	first  time.Time
	lost   bool // given up: it is read to its end and thrown away
}

// OpenRaw takes pictures of w×h bytes from r; of the limits only Memory
// matters. Times and Close are as with OpenStream.
func OpenRaw(r io.Reader, w, h int, l Limits, rate float64) (*Raw, error) {
	y := Layout{Width: w, Height: h}
	if err := errors.Join(checkRate(rate), y.check()); err != nil {
		return nil, err
	}
	l = l.orDefault()
	l.MaxPixels = w * h
	p, err := newPump(r, l.Memory)
	if err != nil {
		return nil, err
	}
	return newRaw(p, y, l, rate)
}

// newRaw settles the delivered size: the largest of 1, 1/2, 1/4 and 1/8 that is
// within the limits.
func newRaw(p *pump, y Layout, l Limits, rate float64) (*Raw, error) {
	err := y.check()
	if err == nil {
		l = l.orDefault()
		for k := 1; k <= 8; k *= 2 {
			if w, h := y.Width/k, y.Height/k; w > 0 && h > 0 && w*h <= l.MaxPixels {
				r := &Raw{pump: p, layout: y, memory: l.Memory, k: k, w: w, h: h, rate: rate}
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

// live makes the source give its newest picture only, and never wait for long.
func (r *Raw) live(l Live) {
	r.stall, r.begin, r.timer = l.Stall, l.Connect, time.NewTimer(l.Stall)
	if l.Newest {
		r.box, r.fed = newBox(l, r.memory, r.w*r.h), make(chan struct{})
		go r.feed()
	}
}

func (r *Raw) feed() {
	defer close(r.fed)
	for {
		dst, err := r.box.lend(r.w * r.h)
		var at time.Time
		if err == nil {
			at, err = r.fill(context.Background(), nil, dst)
		}
		switch _, bad := errors.AsType[errPicture](err); {
		case bad:
			r.box.spoil(err)
		case err != nil:
			r.box.end(err)
			return
		case r.box.due(at):
			r.box.put(at)
		}
	}
}

// ReadInto fills dst, of width × height bytes, with the next picture. A
// picture during which ctx ends is lost.
func (r *Raw) ReadInto(ctx context.Context, dst []byte) (time.Time, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.pump.closed() {
		return time.Time{}, ErrClosed
	}
	if r.err != nil {
		return time.Time{}, r.err
	}
	if err := admit(ctx, dst, r.w, r.h); err != nil {
		return time.Time{}, err
	}
	at, err := r.next(ctx, dst)
	if bad, ok := errors.AsType[errPicture](err); ok {
		r.frame++
		return r.time(at), BadFrame{r.frame - 1, bad.error}
	}
	if err != nil {
		return time.Time{}, r.ended(ctx, err)
	}
	r.frame++
	return r.time(at), nil
}

func (r *Raw) next(ctx context.Context, dst []byte) (time.Time, error) {
	var limit <-chan time.Time
	if r.timer != nil {
		wait := r.stall
		if r.frame == 0 {
			wait = r.begin // a program has to start first
		}
		r.timer.Reset(wait)
		defer r.timer.Stop()
		limit = r.timer.C
	}
	if r.box == nil {
		return r.fill(ctx, limit, dst)
	}
	src, at, err := r.box.take(ctx, limit)
	if err == nil {
		copy(dst, src)
		r.box.release()
	}
	return at, err
}

// fill reads one picture. One that was given up before is read to its end
// first.
func (r *Raw) fill(ctx context.Context, limit <-chan time.Time, dst []byte) (time.Time, error) {
	for {
		lost := r.part.lost
		if err := r.fillPart(ctx, limit, dst); err != nil {
			if err == io.EOF && r.part.luma > 0 && !lost {
				begun := r.part.first
				r.part = part{}
				return begun, errPicture{luma.ErrTruncated}
			}
			if r.part.luma > 0 && !lost {
				r.part.lost = true
				r.frame++
			}
			return time.Time{}, err
		}
		begun := r.part.first
		r.part = part{}
		if !lost {
			return begun, nil
		}
	}
}

// fillPart goes on with the picture under way.
func (r *Raw) fillPart(ctx context.Context, limit <-chan time.Time, dst []byte) error {
	p, y := &r.part, r.layout
	for y.Headed && !p.headed {
		var b [1]byte
		if _, _, err := r.pump.read(ctx, limit, b[:]); err != nil {
			return err
		}
		if err := p.line(b[0]); err != nil {
			return err
		}
	}
	for p.luma < y.Width*y.Height {
		room := r.room(dst)
		n, at, err := r.pump.read(ctx, limit, room)
		if err != nil {
			return err
		}
		if p.luma == 0 {
			p.first = at
		}
		if p.luma += n; n == len(room) && r.k > 1 {
			r.reduce(dst)
		}
	}
	var waste [4 << 10]byte
	for p.colour < y.Colour {
		n, _, err := r.pump.read(ctx, limit, waste[:min(len(waste), y.Colour-p.colour)])
		if err != nil {
			return err
		}
		p.colour += n
	}
	return nil
}

// room is where the next bytes of luma go: into the picture, or into so many
// rows as make one of the picture.
func (r *Raw) room(dst []byte) []byte {
	if r.k == 1 {
		return dst[r.part.luma:]
	}
	band := len(r.rows)
	in := r.part.luma % band
	return r.rows[in:min(band, in+r.layout.Width*r.layout.Height-r.part.luma)]
}

// reduce writes the row of the picture that the rows just read make. A rest of
// rows at the lower edge makes none.
func (r *Raw) reduce(dst []byte) {
	if r.part.luma%len(r.rows) != 0 {
		return
	}
	row := r.part.luma/len(r.rows) - 1
	average(dst[row*r.w:(row+1)*r.w], r.rows, r.layout.Width, 1, r.k)
	clear(r.rows)
}

// average makes one row of k×k pixels each. The pixels of a row are so many
// bytes apart.
func average(dst, rows []byte, stride, apart, k int) {
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

// ended remembers an error that is for good.
func (r *Raw) ended(ctx context.Context, err error) error {
	if r.pump.closed() {
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
		return clock(r.frame-1, r.rate)
	}
	return arrived
}

// Size is the width and height of the pictures.
func (r *Raw) Size() (w, h int) { return r.w, r.h }

// Dropped is how many pictures came and were overtaken by the next one before
// anyone looked at them.
func (r *Raw) Dropped() uint64 {
	if r.box == nil {
		return 0
	}
	return r.box.missed.Load()
}

// Close ends the source, and a ReadInto that waits.
func (r *Raw) Close() error {
	err := r.pump.close()
	if r.box != nil {
		<-r.fed
		r.box.end(ErrClosed)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.box != nil {
		r.box.free()
	}
	if r.rows != nil {
		r.memory.Free(r.rows)
		r.rows = nil
	}
	r.pump.release()
	return err
}
