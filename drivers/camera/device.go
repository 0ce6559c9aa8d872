package camera

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"kerb/drivers/camera/luma"
	"kerb/drivers/camera/v4l2"
)

// Device is a camera of the kernel: USB, or the old driver of a CSI one.
type Device struct {
	dev          *v4l2.Device
	set          v4l2.Format
	limits       Limits
	live         Live
	w, h         int
	reduction    int // so many pixels make one of the picture, each way; not of JPEGs
	format       format
	dec          luma.Decoder
	pace         latest // its clock only
	frame        int
	lastSequence uint32 // sequence
	dropped      uint64
	closed       bool
	err          error
}

// OpenDevice takes over the descriptor of an opened device, sets the format that
// suits best, and waits for the first picture. An error closes it.
func OpenDevice(ctx context.Context, fd int, l Limits, o Live) (*Device, error) {
	dev, err := v4l2.New(fd)
	if err != nil {
		return nil, err
	}
	d := &Device{dev: dev, limits: l.withDefaults(), live: o}
	d.live.Stall, d.pace.pace, d.dec.Memory = cmp.Or(o.Stall, defaultStall), o, d.limits.Memory
	if err := d.startCapture(ctx, cmp.Or(o.Connect, defaultConnect)); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", dev.Name(), err), dev.Close())
	}
	return d, nil
}

// startCapture sets the format and starts. The size of JPEGs is known by the first.
func (d *Device) startCapture(ctx context.Context, patience time.Duration) error {
	rate := 15.0
	if d.live.Every > 0 {
		rate = float64(time.Second) / float64(d.live.Every)
	}
	want, ok := ChooseFormat(d.dev.Formats(), d.limits, rate)
	if !ok {
		return errors.New("has no format that can be read: GREY, NV12, YU12, YUYV, UYVY or MJPG")
	}
	var err error
	if d.set, err = d.dev.Set(want, rate); err != nil {
		return err
	}
	if !isCompressed(d.set.Pixel) {
		if err := d.fitSize(); err != nil {
			return err
		}
		return d.dev.Start()
	}
	if err := d.dev.Start(); err != nil {
		return err
	}
	for end := time.Now().Add(patience); d.w == 0; {
		p, err := d.waitPicture(ctx, time.Until(end))
		if err != nil {
			return err
		}
		if f, err := newFormat(p.Bytes, d.limits); err == nil {
			d.format, d.w, d.h = f, f.w, f.h
		}
		if err := d.dev.Return(p.Index); err != nil {
			return err
		}
		if time.Now().After(end) {
			return errors.New("no picture that can be read came")
		}
	}
	return nil
}

// fitSize finds the delivered size of uncompressed pictures.
func (d *Device) fitSize() error {
	for d.reduction = 1; d.reduction <= 8; d.reduction *= 2 {
		if d.w, d.h = d.set.Width/d.reduction, d.set.Height/d.reduction; d.w > 0 && d.h > 0 && d.w*d.h <= d.limits.MaxPixels {
			return nil
		}
	}
	return fmt.Errorf("picture of %d×%d is too large: even an eighth of it has more than %d pixels", d.set.Width, d.set.Height, d.limits.MaxPixels)
}

func isCompressed(p v4l2.Pixel) bool { return p == v4l2.MJPEG || p == v4l2.JPEG }

// readingOrder is of the formats, the cheapest to read first.
var readingOrder = []v4l2.Pixel{v4l2.Grey, v4l2.NV12, v4l2.YUV, v4l2.YUYV, v4l2.UYVY, v4l2.MJPEG, v4l2.JPEG}

// ChooseFormat is what kerb would set: the largest size within the limits, or
// the smallest beyond them, which is scaled down; of that size what is fast
// enough, and cheapest to read.
func ChooseFormat(all []v4l2.Format, l Limits, rate float64) (v4l2.Format, bool) {
	l = l.withDefaults()
	all = slices.Clone(all)
	slow := func(f v4l2.Format) int {
		if f.Rate > 0 && f.Rate < 0.9*rate {
			return 1
		}
		return 0
	}
	size := func(f v4l2.Format) int {
		if n := f.Width * f.Height; n <= l.MaxPixels {
			return l.MaxPixels - n
		} else {
			return n
		}
	}
	slices.SortStableFunc(all, func(a, b v4l2.Format) int {
		return cmp.Or(cmp.Compare(slow(a), slow(b)), cmp.Compare(size(a), size(b)),
			cmp.Compare(slices.Index(readingOrder, a.Pixel), slices.Index(readingOrder, b.Pixel)))
	})
	if len(all) == 0 {
		return v4l2.Format{}, false
	}
	return all[0], true
}

// waitPicture waits for a picture.
func (d *Device) waitPicture(ctx context.Context, limit time.Duration) (v4l2.Picture, error) {
	_ = d.dev.SetDeadline(time.Now().Add(limit))
	stop := context.AfterFunc(ctx, func() { _ = d.dev.SetDeadline(time.Unix(1, 0)) })
	p, _, err := d.dev.Next(true)
	if !stop() && err != nil {
		return p, ctx.Err()
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = fmt.Errorf("no picture for %v", limit.Round(time.Millisecond))
	}
	return p, err
}

// ReadInto fills dst, of width × height bytes, with the next picture.
func (d *Device) ReadInto(ctx context.Context, dst []byte) (time.Time, error) {
	if d.closed {
		return time.Time{}, ErrClosed
	}
	if d.err != nil {
		return time.Time{}, d.err
	}
	if err := checkRead(ctx, dst, d.w, d.h); err != nil {
		return time.Time{}, err
	}
	p, at, err := d.waitDue(ctx)
	if err != nil {
		if ctx.Err() == nil {
			d.err = err
		}
		return time.Time{}, err
	}
	d.frame++
	err = d.decodePicture(dst, p)
	if e := d.dev.Return(p.Index); e != nil {
		d.err = e
		return at, e
	}
	if err != nil {
		err = BadFrame{d.frame - 1, err}
	}
	return at, err
}

// waitDue is the last picture that waits, if it is due; all others go back.
func (d *Device) waitDue(ctx context.Context) (v4l2.Picture, time.Time, error) {
	for {
		p, err := d.waitPicture(ctx, d.live.Stall)
		if err != nil {
			return p, time.Time{}, err
		}
		for d.live.Newest {
			q, ok, err := d.dev.Next(false)
			if err != nil {
				return p, time.Time{}, err
			}
			if !ok {
				break
			}
			if err := d.dev.Return(p.Index); err != nil {
				return q, time.Time{}, err
			}
			d.dropped++
			p = q
		}
		if gap := p.Sequence - d.lastSequence; d.frame > 0 && gap > 1 && gap < 1<<16 {
			d.dropped += uint64(gap - 1)
		}
		d.lastSequence = p.Sequence
		at := wallTime(p)
		if d.pace.isDue(at) {
			return p, at, nil
		}
		if err := d.dev.Return(p.Index); err != nil {
			return p, at, err
		}
	}
}

// wallTime is the wall-clock time of a picture, from its monotonic one.
func wallTime(p v4l2.Picture) time.Time {
	now := time.Now()
	var ts unix.Timespec
	if p.At == 0 || unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts) != nil {
		return now
	}
	if age := time.Duration(ts.Nano()) - p.At; age > 0 && age < time.Minute {
		return now.Add(-age)
	}
	return now
}

// decodePicture takes the luma out of a picture.
func (d *Device) decodePicture(dst []byte, p v4l2.Picture) error {
	if p.Broken {
		return errors.New("the driver says that it is damaged")
	}
	if isCompressed(d.set.Pixel) {
		return d.format.decodeLuma(&d.dec, dst, p.Bytes)
	}
	return extractLuma(dst, p.Bytes, d.set, d.w, d.h, d.reduction)
}

// extractLuma takes the luma out of an uncompressed picture, k×k pixels into one.
func extractLuma(dst, src []byte, f v4l2.Format, w, h, k int) error {
	apart, first := 1, 0
	switch f.Pixel {
	case v4l2.YUYV:
		apart = 2
	case v4l2.UYVY:
		apart, first = 2, 1
	}
	stride := max(f.Stride, f.Width*apart)
	if need := (f.Height-1)*stride + f.Width*apart; len(src) < need {
		return luma.ErrTruncated
	}
	for y := range h {
		rows := src[y*k*stride+first:]
		row := dst[y*w : (y+1)*w]
		switch {
		case k == 1 && apart == 1:
			copy(row, rows)
		case k == 1:
			copyEverySecond(row, rows)
		default:
			averageBlocks(row, rows, stride, apart, k)
		}
	}
	return nil
}

func copyEverySecond(row, src []byte) {
	src = src[:2*len(row)-1]
	for x := range row {
		row[x] = src[2*x]
	}
}

// Format is what is captured.
func (d *Device) Format() v4l2.Format { return d.set }

// Size is the width and height of the pictures that ReadInto delivers.
func (d *Device) Size() (w, h int) { return d.w, d.h }

// Dropped is how many pictures came and were overtaken by the next one before
// anyone looked at them.
func (d *Device) Dropped() uint64 { return d.dropped }

// Close ends the source. It must not be called while ReadInto waits.
func (d *Device) Close() error {
	if d.closed {
		return nil
	}
	d.closed = true
	d.dec.Close()
	return d.dev.Close()
}
