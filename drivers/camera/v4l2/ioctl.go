package v4l2

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// The structures of include/uapi/linux/videodev2.h, as far as they are used.
// uintptr and unix.Timeval have the size of the machine, as in C. They are written
// by hand because Go libraries open the device by its path (blackjack/webcam) or
// need cgo (go4vl); here the descriptor is handed in.
type (
	capability struct {
		driver       [16]byte
		card, bus    [32]byte
		version      uint32
		capabilities uint32
		deviceCaps   uint32
		_            [3]uint32
	}
	fmtDesc struct {
		index, typ, flags uint32
		description       [32]byte
		pixel, mbus       uint32
		_                 [3]uint32
	}
	pixFormat struct {
		width, height, pixel, field, stride, size uint32
		_                                         [6]uint32
	}
	format struct {
		typ uint32
		_   [unsafe.Sizeof(uintptr(0)) - 4]byte // alignment of a union that holds pointers
		pix pixFormat
		_   [200 - unsafe.Sizeof(pixFormat{})]byte
	}
	streamParm struct {
		typ              uint32
		capability, mode uint32
		per              [2]uint32 // seconds per picture: numerator, denominator
		_                [200 - 16]byte
	}
	requestBuffers struct {
		count, typ, memory, capabilities uint32
		_                                [4]byte
	}
	buffer struct {
		index, typ, used, flags, field uint32
		stamp                          unix.Timeval
		_                              [16]byte // timecode
		sequence, memory               uint32
		offset                         uintptr // in a union with pointers
		length                         uint32
		_                              [2]uint32
	}
	frameSize struct {
		index, pixel, typ uint32
		size              [6]uint32 // width, height; or least, most, step of each
		_                 [2]uint32
	}
	frameInterval struct {
		index, pixel, width, height, typ uint32
		fraction                         [6]uint32
		_                                [2]uint32
	}
)

const (
	typeCapture   = 1
	memoryMap     = 1
	fieldNone     = 1
	discrete      = 1
	capCapture    = 0x1
	capStreaming  = 0x04000000
	capDeviceCaps = 0x80000000
	flagError     = 0x40
	flagMonotonic = 0x2000
)

// The requests: direction, size of the argument, type 'V', number
// (asm-generic/ioctl.h).
const (
	iocRead      = 2 << 30
	iocWrite     = 1 << 30
	iocReadWrite = iocRead | iocWrite
	iocVideo     = 'V' << 8

	queryCap      = iocRead | unsafe.Sizeof(capability{})<<16 | iocVideo
	enumFmt       = iocReadWrite | unsafe.Sizeof(fmtDesc{})<<16 | iocVideo | 2
	getFmt        = iocReadWrite | unsafe.Sizeof(format{})<<16 | iocVideo | 4
	setFmt        = iocReadWrite | unsafe.Sizeof(format{})<<16 | iocVideo | 5
	reqBufs       = iocReadWrite | unsafe.Sizeof(requestBuffers{})<<16 | iocVideo | 8
	queryBuf      = iocReadWrite | unsafe.Sizeof(buffer{})<<16 | iocVideo | 9
	qBuf          = iocReadWrite | unsafe.Sizeof(buffer{})<<16 | iocVideo | 15
	dqBuf         = iocReadWrite | unsafe.Sizeof(buffer{})<<16 | iocVideo | 17
	streamOn      = iocWrite | 4<<16 | iocVideo | 18
	streamOff     = iocWrite | 4<<16 | iocVideo | 19
	setParm       = iocReadWrite | unsafe.Sizeof(streamParm{})<<16 | iocVideo | 22
	enumSizes     = iocReadWrite | unsafe.Sizeof(frameSize{})<<16 | iocVideo | 74
	enumIntervals = iocReadWrite | unsafe.Sizeof(frameInterval{})<<16 | iocVideo | 75
)

// fourCC returns the number of a pixel format, first letter lowest.
func fourCC(p PixelFormat) uint32 {
	return uint32(p[0]) | uint32(p[1])<<8 | uint32(p[2])<<16 | uint32(p[3])<<24
}

// pixelOf returns the pixel format of a number.
func pixelOf(c uint32) PixelFormat {
	return PixelFormat([]byte{byte(c), byte(c >> 8), byte(c >> 16), byte(c >> 24)})
}
