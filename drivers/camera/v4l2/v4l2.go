// Package v4l2 captures from a Video4Linux 2 device: single-planar, with
// memory-mapped streaming buffers. It is the layer of ioctl calls below
// drivers/camera, which decodes the pictures.
//
// It opens no file: the process that captures may not, and receives the open
// descriptor. It refuses devices without streaming capture, and drivers that name a
// buffer that does not exist. All its ioctl requests are in the table in ioctl.go;
// the cage allows no others.
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

// PixelFormat is a pixel format, by its FourCC.
type PixelFormat string

// The pixel formats that kerb reads. Luma is 8 bits in all of them.
const (
	Grey  PixelFormat = "GREY" // luma only
	NV12  PixelFormat = "NV12" // planar 4:2:0
	YU12  PixelFormat = "YU12" // planar 4:2:0
	YUYV  PixelFormat = "YUYV" // packed 4:2:2, luma first
	UYVY  PixelFormat = "UYVY" // packed 4:2:2, colour first
	MJPEG PixelFormat = "MJPG"
	JPEG  PixelFormat = "JPEG"
)

// Format is a capture format: pixel format, size and rate.
type Format struct {
	Pixel         PixelFormat
	Width, Height int     // pixels
	Rate          float64 // highest rate, in pictures per second; 0: the driver does not state it
	Stride        int     // bytes from one row to the next; 0 before the format is set, and for JPEG
}

// String returns pixel format, size and rate, such as "YUYV 640×480 30/s".
func (f Format) String() string {
	s := fmt.Sprintf("%s %d×%d", f.Pixel, f.Width, f.Height)
	if f.Rate > 0 {
		s += fmt.Sprintf(" %.4g/s", f.Rate)
	}
	return s
}

// Device is an open capture device. It is not safe for concurrent use.
type Device struct {
	fd      int
	file    *os.File // of fd while it streams: its wait is the runtime's poller, not a thread
	name    string
	buffers [][]byte
}

// ErrNoCamera is returned for a device without capture by memory-mapped buffers.
var ErrNoCamera = errors.New("not a video capture device with memory-mapped buffers")

// New takes over the descriptor of a device that was opened with O_RDWR and
// O_NONBLOCK. An error closes it.
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

// Name returns the driver's name of the camera.
func (d *Device) Name() string { return d.name }

// How many pixel formats, sizes and rates of a driver are enumerated at most, in
// case its list does not end. Chosen by hand.
const (
	maxFormats   = 64
	maxSizes     = 256
	maxIntervals = 64
)

// ListFormats lists the formats that kerb can read, with each size and its highest
// rate. For a range of sizes it lists the usual ones.
func (d *Device) ListFormats() (all []Format) {
	for i := range uint32(maxFormats) {
		desc := fmtDesc{index: i, typ: typeCapture}
		if d.ioctl(enumFmt, unsafe.Pointer(&desc)) != nil {
			return all
		}
		switch p := pixelOf(desc.pixel); p {
		case Grey, NV12, YU12, YUYV, UYVY, MJPEG, JPEG:
			all = append(all, d.listSizes(p)...)
		}
	}
	return all
}

// listSizes lists the sizes of a pixel format.
func (d *Device) listSizes(p PixelFormat) (all []Format) {
	for i := range uint32(maxSizes) {
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
	// A driver that does not enumerate sizes has only the current one.
	if f, err := d.CurrentFormat(); err == nil {
		f.Pixel, f.Stride = p, 0
		return []Format{f}
	}
	return nil
}

// usualSizes returns the usual sizes within a range: least, most and step of the
// width, then of the height. If none fits it returns the least size.
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

// maxRate returns the highest rate of a size, in pictures per second; 0 where the
// driver does not state it.
func (d *Device) maxRate(p PixelFormat, w, h uint32) (best float64) {
	for i := range uint32(maxIntervals) {
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

// CurrentFormat returns the current format.
func (d *Device) CurrentFormat() (Format, error) {
	f := format{typ: typeCapture}
	if err := d.ioctl(getFmt, unsafe.Pointer(&f)); err != nil {
		return Format{}, fmt.Errorf("ask for the format: %w", err)
	}
	return f.toFormat(), nil
}

// SetFormat sets a format and a rate in pictures per second, and returns the format that
// the driver chose: it may be another size. The driver may ignore the rate; 0 leaves
// it as it is.
func (d *Device) SetFormat(want Format, rate float64) (Format, error) {
	f := format{typ: typeCapture, pix: pixFormat{width: uint32(want.Width), height: uint32(want.Height), pixel: fourCC(want.Pixel), field: fieldNone}}
	if err := d.ioctl(setFmt, unsafe.Pointer(&f)); err != nil {
		return Format{}, fmt.Errorf("set the format to %s: %w", want, err)
	}
	if rate > 0 {
		p := streamParm{typ: typeCapture, per: [2]uint32{rateUnit, uint32(rateUnit * rate)}}
		_ = d.ioctl(setParm, unsafe.Pointer(&p)) // many drivers have one rate only
	}
	return f.toFormat(), nil
}

// rateUnit is the numerator of the interval that is set: rates are set to a
// thousandth.
const rateUnit = 1000

func (f *format) toFormat() Format {
	return Format{Pixel: pixelOf(f.pix.pixel), Width: int(f.pix.width), Height: int(f.pix.height), Stride: int(f.pix.stride)}
}

// wantedBuffers is how many buffers are requested: one being written, one that
// waits, one that is read, one to spare.
const wantedBuffers = 4

// StartCapture maps the buffers, queues them, and starts the capture (STREAMON).
func (d *Device) StartCapture() error {
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
		if err := d.RequeueBuffer(int(i)); err != nil {
			return err
		}
	}
	on := uint32(typeCapture)
	if err := d.ioctl(streamOn, unsafe.Pointer(&on)); err != nil {
		return fmt.Errorf("begin to capture: %w", err)
	}
	// Not before: poll reports an error for a device that does not stream.
	d.file = os.NewFile(uintptr(d.fd), "camera")
	return nil
}

// Picture is one dequeued buffer.
type Picture struct {
	Bytes    []byte        // the mapped buffer, valid until it is queued again
	Index    int           // of the buffer
	Sequence uint32        // counts pictures; a gap means that the driver dropped some
	At       time.Duration // of capture, on CLOCK_MONOTONIC; 0: the driver uses another clock
	Broken   bool          // the driver reports damaged data
}

// DequeuePicture dequeues a filled buffer (DQBUF). With wait it waits for one, at most until
// SetDeadline; without, ok is false if there is none.
func (d *Device) DequeuePicture(wait bool) (p Picture, ok bool, err error) {
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

// RequeueBuffer overwrites a picture and queues its buffer again (QBUF).
func (d *Device) RequeueBuffer(index int) error {
	clear(d.buffers[index])
	b := buffer{index: uint32(index), typ: typeCapture, memory: memoryMap}
	if err := d.ioctl(qBuf, unsafe.Pointer(&b)); err != nil {
		return fmt.Errorf("give buffer %d back: %w", index, err)
	}
	return nil
}

// SetDeadline sets the time at which a wait ends with os.ErrDeadlineExceeded, also
// one under way. Before the capture it has no effect.
func (d *Device) SetDeadline(t time.Time) error {
	if d.file == nil {
		return nil
	}
	return d.file.SetReadDeadline(t)
}

// Close stops the capture (STREAMOFF), overwrites and unmaps the buffers, and
// closes the descriptor. No wait may be under way.
func (d *Device) Close() error {
	off := uint32(typeCapture)
	err := d.ioctl(streamOff, unsafe.Pointer(&off)) // the driver no longer writes to the buffers
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

// ioctl makes one request, again after a signal (EINTR).
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
