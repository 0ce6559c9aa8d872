// Package v4l2 exchanges buffers with a camera of the kernel: Video4Linux 2,
// single-planar capture, memory-mapped. It is the thin layer of calls below
// drivers/camera, which knows what a picture is.
//
// It opens nothing: a process that may open nothing is handed the device. All
// it ever asks of the kernel is in the table of requests below, and the cage
// lets nothing else through.
//
// The kernel's documentation: userspace-api/media/v4l.
package v4l2

import (
	"errors"
	"fmt"
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Pixel is a pixel format by its four letters.
type Pixel string

// The formats that kerb reads.
const (
	Grey  Pixel = "GREY"
	NV12  Pixel = "NV12"
	YUV   Pixel = "YU12"
	YUYV  Pixel = "YUYV"
	UYVY  Pixel = "UYVY"
	MJPEG Pixel = "MJPG"
	JPEG  Pixel = "JPEG"
)

// Format is a kind of picture that a camera delivers.
type Format struct {
	Pixel         Pixel
	Width, Height int
	Rate          float64 // the most pictures a second; 0: it does not say
	Stride        int     // bytes from one row to the next; 0 until it is set, and of compressed ones
}

func (f Format) String() string {
	s := fmt.Sprintf("%s %d×%d", f.Pixel, f.Width, f.Height)
	if f.Rate > 0 {
		s += fmt.Sprintf(" %.4g/s", f.Rate)
	}
	return s
}

// Device is an open camera. It is not safe for concurrent use, but for Close.
type Device struct {
	fd      int
	file    *os.File // of fd while it streams; waits without a thread
	name    string
	buffers [][]byte
}

// ErrNoCamera is what is no camera that can be read this way.
var ErrNoCamera = errors.New("not a video capture device with memory-mapped buffers")

// New takes over a device that was opened for reading and writing, non-blocking.
func New(fd int) (*Device, error) {
	d := &Device{fd: fd}
	var c capability
	if err := d.ioctl(queryCap, unsafe.Pointer(&c)); err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %w", ErrNoCamera, err), unix.Close(fd))
	}
	caps := c.capabilities
	if caps&capDeviceCaps != 0 {
		caps = c.deviceCaps
	}
	if caps&capCapture == 0 || caps&capStreaming == 0 {
		return nil, errors.Join(ErrNoCamera, unix.Close(fd))
	}
	d.name = unix.ByteSliceToString(c.card[:])
	return d, nil
}

// Name is what the driver calls the camera.
func (d *Device) Name() string { return d.name }

// Formats are those that kerb can read, with every size, or the limits of the
// sizes, and its highest rate.
func (d *Device) Formats() (all []Format) {
	for i := range uint32(64) {
		desc := fmtDesc{index: i, typ: typeCapture}
		if d.ioctl(enumFmt, unsafe.Pointer(&desc)) != nil {
			return all
		}
		switch p := pixelOf(desc.pixel); p {
		case Grey, NV12, YUV, YUYV, UYVY, MJPEG, JPEG:
			all = append(all, d.listSizes(p)...)
		}
	}
	return all
}

func (d *Device) listSizes(p Pixel) (all []Format) {
	for i := range uint32(256) {
		s := frameSize{index: i, pixel: fourCC(p)}
		if d.ioctl(enumSizes, unsafe.Pointer(&s)) != nil {
			break
		}
		sizes := [][2]uint32{{s.size[0], s.size[1]}}
		if s.typ != discrete {
			sizes = usualSizes(s.size)
		}
		for _, wh := range sizes {
			all = append(all, Format{Pixel: p, Width: int(wh[0]), Height: int(wh[1]), Rate: d.maxRate(p, wh[0], wh[1])})
		}
		if s.typ != discrete {
			break
		}
	}
	if len(all) > 0 {
		return all
	}
	// A driver that does not enumerate sizes has the one that is set.
	if f, err := d.Now(); err == nil {
		f.Pixel, f.Stride = p, 0
		return []Format{f}
	}
	return nil
}

// usualSizes picks usual sizes of a range: min and max width and the step, then
// of the height.
func usualSizes(s [6]uint32) (out [][2]uint32) {
	for _, wh := range [][2]uint32{{320, 240}, {640, 360}, {640, 480}, {1280, 720}} {
		fits := func(v, least, most, step uint32) bool {
			return v >= least && v <= most && (step == 0 || (v-least)%step == 0)
		}
		if fits(wh[0], s[0], s[1], s[2]) && fits(wh[1], s[3], s[4], s[5]) {
			out = append(out, wh)
		}
	}
	if len(out) == 0 {
		out = append(out, [2]uint32{s[0], s[3]})
	}
	return out
}

// maxRate is the most pictures a second of a size.
func (d *Device) maxRate(p Pixel, w, h uint32) (best float64) {
	for i := range uint32(64) {
		v := frameInterval{index: i, pixel: fourCC(p), width: w, height: h}
		if d.ioctl(enumIntervals, unsafe.Pointer(&v)) != nil {
			return best
		}
		if v.fraction[0] > 0 { // the first of a range is its shortest
			best = max(best, float64(v.fraction[1])/float64(v.fraction[0]))
		}
		if v.typ != discrete {
			return best
		}
	}
	return best
}

// Now is the format that is set.
func (d *Device) Now() (Format, error) {
	f := format{typ: typeCapture}
	if err := d.ioctl(getFmt, unsafe.Pointer(&f)); err != nil {
		return Format{}, fmt.Errorf("ask for the format: %w", err)
	}
	return f.toFormat(), nil
}

// Set asks for a format and returns what the driver made of it: it may choose
// another size, and the rate is a wish. 0 leaves the rate alone.
func (d *Device) Set(want Format, rate float64) (Format, error) {
	f := format{typ: typeCapture, pix: pixFormat{width: uint32(want.Width), height: uint32(want.Height), pixel: fourCC(want.Pixel), field: fieldNone}}
	if err := d.ioctl(setFmt, unsafe.Pointer(&f)); err != nil {
		return Format{}, fmt.Errorf("set the format to %s: %w", want, err)
	}
	if rate > 0 {
		p := streamParm{typ: typeCapture, per: [2]uint32{1000, uint32(1000 * rate)}}
		_ = d.ioctl(setParm, unsafe.Pointer(&p)) // many drivers have one rate only
	}
	return f.toFormat(), nil
}

func (f *format) toFormat() Format {
	return Format{Pixel: pixelOf(f.pix.pixel), Width: int(f.pix.width), Height: int(f.pix.height), Stride: int(f.pix.stride)}
}

// wantedBuffers is how many pictures the driver may hold: one being written,
// one that waits, one that is read, one to spare.
const wantedBuffers = 4

// Start maps the buffers and begins to capture.
func (d *Device) Start() error {
	r := requestBuffers{count: wantedBuffers, typ: typeCapture, memory: memoryMap}
	if err := d.ioctl(reqBufs, unsafe.Pointer(&r)); err != nil {
		return fmt.Errorf("ask for buffers: %w", err)
	}
	for i := range r.count {
		b := buffer{index: i, typ: typeCapture, memory: memoryMap}
		if err := d.ioctl(queryBuf, unsafe.Pointer(&b)); err != nil {
			return fmt.Errorf("ask for buffer %d: %w", i, err)
		}
		mem, err := unix.Mmap(d.fd, int64(uint32(b.offset)), int(b.length), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
		if err != nil {
			return fmt.Errorf("map buffer %d: %w", i, err)
		}
		d.buffers = append(d.buffers, mem)
		if err := d.Return(int(i)); err != nil {
			return err
		}
	}
	on := uint32(typeCapture)
	if err := d.ioctl(streamOn, unsafe.Pointer(&on)); err != nil {
		return fmt.Errorf("begin to capture: %w", err)
	}
	// Not before: an idle device is in error to whoever waits for it.
	d.file = os.NewFile(uintptr(d.fd), "camera")
	return nil
}

// Picture is one that the kernel has lent.
type Picture struct {
	Bytes    []byte // in the kernel's memory, until Return
	Index    int
	Sequence uint32        // gaps are pictures that the driver dropped
	At       time.Duration // CLOCK_MONOTONIC; 0: the driver stamps otherwise
	Broken   bool
}

// Next waits for a picture; SetDeadline bounds the wait. Where wait is false and
// none is there, ok is false.
func (d *Device) Next(wait bool) (p Picture, ok bool, err error) {
	raw, err := d.file.SyscallConn()
	if err != nil {
		return p, false, err
	}
	var got error
	b := buffer{typ: typeCapture, memory: memoryMap}
	err = raw.Read(func(uintptr) bool {
		got = d.ioctl(dqBuf, unsafe.Pointer(&b))
		return !wait || got != unix.EAGAIN
	})
	switch {
	case err != nil:
		return p, false, err
	case got == unix.EAGAIN:
		return p, false, nil
	case got != nil:
		return p, false, fmt.Errorf("take a picture: %w", got)
	case int(b.index) >= len(d.buffers) || int(b.used) > len(d.buffers[b.index]):
		return p, false, fmt.Errorf("take a picture: the driver names buffer %d of %d bytes", b.index, b.used)
	}
	p = Picture{Bytes: d.buffers[b.index][:b.used], Index: int(b.index), Sequence: b.sequence, Broken: b.flags&flagError != 0}
	if b.flags&flagMonotonic != 0 {
		p.At = time.Duration(b.stamp.Nano())
	}
	return p, true, nil
}

// Return overwrites a picture and gives its buffer back.
func (d *Device) Return(index int) error {
	clear(d.buffers[index])
	b := buffer{index: uint32(index), typ: typeCapture, memory: memoryMap}
	if err := d.ioctl(qBuf, unsafe.Pointer(&b)); err != nil {
		return fmt.Errorf("give buffer %d back: %w", index, err)
	}
	return nil
}

// SetDeadline ends a wait under way at that time.
func (d *Device) SetDeadline(t time.Time) error {
	if d.file == nil {
		return nil
	}
	return d.file.SetReadDeadline(t)
}

// Close stops the capture and wipes and unmaps the buffers. Nothing may wait.
func (d *Device) Close() error {
	off := uint32(typeCapture)
	err := d.ioctl(streamOff, unsafe.Pointer(&off)) // the buffers are ours again
	if err == unix.ENODEV {
		err = nil // unplugged
	}
	for _, b := range d.buffers {
		clear(b)
		err = errors.Join(err, unix.Munmap(b))
	}
	d.buffers = nil
	if d.file != nil {
		return errors.Join(err, d.file.Close())
	}
	return errors.Join(err, unix.Close(d.fd))
}

func (d *Device) ioctl(request uintptr, arg unsafe.Pointer) error {
	for {
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(d.fd), request, uintptr(arg))
		switch errno {
		case 0:
			return nil
		case unix.EINTR:
		default:
			return errno
		}
	}
}
