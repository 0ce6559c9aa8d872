package loop

import (
	"errors"
	"fmt"
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Layouts and numbers of linux/gpio.h, GPIO uAPI v2 (Linux 5.10).
const (
	nameSize   = 32
	linesMax   = 64
	attrsMax   = 10
	bufferSize = 1024 // edges, the most that the kernel gives one request

	flagActiveLow    = 1 << 1
	flagInput        = 1 << 2
	flagEdgeRising   = 1 << 4
	flagEdgeFalling  = 1 << 5
	flagBiasPullUp   = 1 << 8
	flagBiasPullDown = 1 << 9

	attrDebounce = 3
	eventRising  = 1 // active, after flagActiveLow

	ioctlGetLine   = 0xc250b407
	ioctlGetValues = 0xc010b40e
)

// lineAttr is gpio_v2_line_attribute.
type lineAttr struct {
	id, _ uint32
	value uint64 // a union; debounce is the lower 32 bits on little-endian machines
}

// lineConfig is gpio_v2_line_config.
type lineConfig struct {
	flags uint64
	num   uint32
	_     [5]uint32
	attrs [attrsMax]struct {
		lineAttr
		mask uint64
	}
}

// lineRequest is gpio_v2_line_request.
type lineRequest struct {
	offsets  [linesMax]uint32
	consumer [nameSize]byte
	config   lineConfig
	num      uint32
	buffer   uint32
	_        [5]uint32
	fd       int32
}

// lineValues is gpio_v2_line_values.
type lineValues struct{ bits, mask uint64 }

// lineEvent is gpio_v2_line_event.
type lineEvent struct {
	ns      uint64
	id      uint32
	_       uint32 // offset
	_       uint32 // number among all lines of the request
	lineSeq uint32 // number among the edges of this line
	_       [6]uint32
}

const eventSize = int(unsafe.Sizeof(lineEvent{}))

// requestLine requests one line, with its own buffer, and returns its descriptor,
// which does not block.
func requestLine(f FoundLine, l Line, debounce time.Duration) (int, error) {
	chip, err := unix.Open(f.Path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("open %s: %w", f.Path, err)
	}
	defer unix.Close(chip)
	r := lineRequest{num: 1, buffer: bufferSize}
	r.offsets[0] = f.Offset
	copy(r.consumer[:nameSize-1], fmt.Sprintf("kerb@%d", os.Getpid()))
	r.config.flags = flagInput | flagEdgeRising | flagEdgeFalling
	if !l.ActiveHigh {
		r.config.flags |= flagActiveLow
	}
	switch l.Bias {
	case PullUp:
		r.config.flags |= flagBiasPullUp
	case PullDown:
		r.config.flags |= flagBiasPullDown
	}
	if debounce > 0 {
		r.config.num = 1
		r.config.attrs[0].id, r.config.attrs[0].mask = attrDebounce, 1
		*(*uint32)(unsafe.Pointer(&r.config.attrs[0].value)) = uint32(debounce.Microseconds())
	}
	if err := ioctl(chip, ioctlGetLine, unsafe.Pointer(&r)); err != nil {
		err = fmt.Errorf("request line %s of %s: %w", f.Name, f.Chip, err)
		if errors.Is(err, unix.ENOTTY) || errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EPERM) || errors.Is(err, unix.EOPNOTSUPP) {
			err = fmt.Errorf("%w: %w", ErrRefused, err)
		}
		return -1, err
	}
	if err := unix.SetNonblock(int(r.fd), true); err != nil {
		unix.Close(int(r.fd))
		return -1, fmt.Errorf("line %s: %w", f.Name, err)
	}
	return int(r.fd), nil
}

// readLevel reads the level of a requested line; true is active.
func readLevel(fd int) (bool, error) {
	v := lineValues{mask: 1}
	err := ioctl(fd, ioctlGetValues, unsafe.Pointer(&v))
	return v.bits&1 == 1, err
}

// ioctl calls ioctl(2) and returns its errno.
func ioctl(fd int, nr uintptr, arg unsafe.Pointer) error {
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), nr, uintptr(arg)); errno != 0 {
		return errno
	}
	return nil
}
