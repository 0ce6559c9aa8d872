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

// Device reads a Video4Linux camera: USB, or CSI with its legacy driver. It is not
// safe for concurrent use.
type Device struct {
	dev          *v4l2.Device
	set          v4l2.Format
	limits       Limits
	live         Live
	w, h         int
	reduction    int    // captured pixels to one delivered, each way; 0: JPEG
	format       format // of JPEGs
	dec          luma.Decoder
	pace         pacer
	frame        int
	lastSequence uint32 // of the last dequeued buffer
	dropped      uint64
	closed       bool
	err          error
}

// OpenDevice takes over the open descriptor of a capture device, sets the format
// that ChooseFormat prefers, and waits for the first picture if that is a JPEG. An
// error closes the descriptor.
func OpenDevice(ctx context.Context, fd int, l Limits, o Live) (*Device, error) {
	dev, err := v4l2.New(fd)
	if err != nil {
		return nil, err
	}
	d := &Device{dev: dev, limits: l.withDefaults(), live: o}
	d.live.Stall, d.pace.interval, d.dec.Memory = cmp.Or(o.Stall, defaultStall), o.FrameInterval, d.limits.Memory
	if err := d.startCapture(ctx, cmp.Or(o.Connect, defaultConnect)); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", dev.Name(), err), dev.Close())
	}
	return d, nil
}

const (
	defaultDeviceRate = 15.0 // pictures per second; chosen by hand
	// minRateShare is the part of the wanted rate that counts as fast enough.
	// Chosen by hand.
	minRateShare = 0.9
	// maxSequenceGap is the largest gap in the driver's numbers that is counted as
	// dropped pictures; a larger one is a restart of the numbers.
	maxSequenceGap = 1 << 16
	// maxPictureAge is the largest age of a picture's monotonic time that is
	// believed. Chosen by hand.
	maxPictureAge = time.Minute
)

// startCapture sets the format and starts to stream. The size of JPEGs is taken
// from the first one with a readable header.
func (d *Device) startCapture(ctx context.Context, patience time.Duration) error {
	rate := defaultDeviceRate
	if d.live.FrameInterval > 0 {
		rate = float64(time.Second) / float64(d.live.FrameInterval)
	}
	want, ok := ChooseFormat(d.dev.ListFormats(), d.limits, rate)
	if !ok {
		return errors.New("has no format that can be read: GREY, NV12, YU12, YUYV, UYVY or MJPG")
	}
	var err error
	if d.set, err = d.dev.SetFormat(want, rate); err != nil {
		return err
	}
	if !isCompressed(d.set.Pixel) {
		if err := d.fitSize(); err != nil {
			return err
		}
		return d.dev.StartCapture()
	}
	if err := d.dev.StartCapture(); err != nil {
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
		if err := d.dev.RequeueBuffer(p.Index); err != nil {
			return err
		}
		if time.Now().After(end) {
			return errors.New("no picture that can be read came")
		}
	}
	return nil
}

// fitSize chooses the delivered size of uncompressed pictures.
func (d *Device) fitSize() (err error) {
	d.reduction, d.w, d.h, err = fitReduction(d.set.Width, d.set.Height, d.limits.MaxPixels)
	return err
}

func isCompressed(p v4l2.PixelFormat) bool { return p == v4l2.MJPEG || p == v4l2.JPEG }

// readingOrder lists the pixel formats by the cost of reading their luma, the
// cheapest first.
var readingOrder = []v4l2.PixelFormat{v4l2.Grey, v4l2.NV12, v4l2.YU12, v4l2.YUYV, v4l2.UYVY, v4l2.MJPEG, v4l2.JPEG}

// ChooseFormat returns the format that OpenDevice sets for a rate in pictures per
// second; ok is false if there is none. Formats that reach nine tenths of the rate,
// or do not state theirs, come first. Among these it prefers the largest size
// within the limits, or the smallest beyond them, which is scaled down. Of that
// size it takes the pixel format that is cheapest to read.
func ChooseFormat(all []v4l2.Format, l Limits, rate float64) (f v4l2.Format, ok bool) {
	l = l.withDefaults()
	all = slices.Clone(all)
	slow := func(f v4l2.Format) int {
		if f.Rate > 0 && f.Rate < minRateShare*rate {
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

// waitPicture dequeues the next picture, and waits for it at most for limit or
// until ctx ends.
func (d *Device) waitPicture(ctx context.Context, limit time.Duration) (v4l2.Picture, error) {
	_ = d.dev.SetDeadline(time.Now().Add(limit))
	stop := context.AfterFunc(ctx, func() { _ = d.dev.SetDeadline(longAgo()) })
	p, _, err := d.dev.DequeuePicture(true)
	if !stop() && err != nil {
		return p, ctx.Err()
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = fmt.Errorf("no picture for %v", limit.Round(time.Millisecond))
	}
	return p, err
}

// ReadInto fills dst, of width × height bytes, with the next picture and returns
// when it was captured.
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
	if e := d.dev.RequeueBuffer(p.Index); e != nil {
		d.err = e
		return at, e
	}
	if err != nil {
		err = BadFrame{d.frame - 1, err}
	}
	return at, err
}

// waitDue returns the next picture that is due, the newest one if Live.Newest is
// set. The buffers of all others go back to the driver.
func (d *Device) waitDue(ctx context.Context) (v4l2.Picture, time.Time, error) {
	for {
		p, err := d.waitPicture(ctx, d.live.Stall)
		if err != nil {
			return p, time.Time{}, err
		}
		for d.live.Newest {
			q, ok, err := d.dev.DequeuePicture(false)
			if err != nil {
				return p, time.Time{}, err
			}
			if !ok {
				break
			}
			if err := d.dev.RequeueBuffer(p.Index); err != nil {
				return q, time.Time{}, err
			}
			d.dropped++
			p = q
		}
		if gap := p.Sequence - d.lastSequence; d.frame > 0 && gap > 1 && gap < maxSequenceGap {
			d.dropped += uint64(gap - 1)
		}
		d.lastSequence = p.Sequence
		at := wallTime(p)
		if d.pace.isDue(at) {
			return p, at, nil
		}
		if err := d.dev.RequeueBuffer(p.Index); err != nil {
			return p, at, err
		}
	}
}

// wallTime returns the wall-clock time of a capture from its monotonic time, or
// the present where the driver states none.
func wallTime(p v4l2.Picture) time.Time {
	now := time.Now()
	var ts unix.Timespec
	if p.At == 0 || unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts) != nil {
		return now
	}
	if age := time.Duration(ts.Nano()) - p.At; age > 0 && age < maxPictureAge {
		return now.Add(-age)
	}
	return now
}

// decodePicture writes the luma of a captured picture to dst.
func (d *Device) decodePicture(dst []byte, p v4l2.Picture) error {
	if p.Broken {
		return errors.New("the driver says that it is damaged")
	}
	if isCompressed(d.set.Pixel) {
		return d.format.decodeLuma(&d.dec, dst, p.Bytes)
	}
	return extractLuma(dst, p.Bytes, d.set, d.w, d.h, d.reduction)
}

// extractLuma writes the luma of an uncompressed picture to dst, reduced by the
// mean of k×k pixels. Packed 4:2:2 (YUYV, UYVY) has luma in every second byte;
// GREY and the planar formats begin with a plane of luma.
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

// copyEverySecond copies the bytes 0, 2, 4 … of src to row.
func copyEverySecond(row, src []byte) {
	src = src[:2*len(row)-1]
	for x := range row {
		row[x] = src[2*x]
	}
}

// CaptureFormat returns the capture format that the driver has set.
func (d *Device) CaptureFormat() v4l2.Format { return d.set }

// Size returns the width and height of the delivered pictures.
func (d *Device) Size() (w, h int) { return d.w, d.h }

// Dropped returns how many captured pictures were not read: those that a newer
// one replaced, and those that the driver dropped.
func (d *Device) Dropped() uint64 { return d.dropped }

// Close stops the capture and closes the descriptor. It must not be called while
// ReadInto waits.
func (d *Device) Close() error {
	if d.closed {
		return nil
	}
	d.closed = true
	d.dec.Close()
	return d.dev.Close()
}
