package luma

import (
	"bytes"
	"encoding/binary"
)

const (
	window = 8192 // bytes of entropy-coded data at hand
	// The longest MCU: 10 blocks of 64 coefficients of 16+15 bits, and a load.
	mcuMax = 10*64*31/8 + 8
)

// entropy reads the bits of one entropy-coded segment: what lies between two
// markers, with the zero bytes that follow 0xff in the file taken out. It goes
// over the segment with a window, so that the inner loop meets neither
// stuffing nor an end.
type entropy struct {
	src  []byte // the whole picture
	next int    // where in src the window ends
	last bool   // the segment ends in the window
	mark byte   // the marker after it, once last is set

	buf  *[window + 8]byte
	size int // bytes in buf
	pos  int // bytes of buf that acc has taken
	acc  uint64
	n    uint // valid bits at the top of acc
}

// open begins the segment at src[at:] and has its first bytes ready.
func (e *entropy) open(src []byte, at int) error {
	e.src, e.next, e.last, e.mark = src, at, false, 0
	e.size, e.pos, e.acc, e.n = 0, 0, 0, 0
	return e.fill()
}

// ready makes sure that the window holds a whole MCU or the segment's end.
func (e *entropy) ready() error {
	if e.last || e.size-e.pos >= mcuMax {
		return nil
	}
	return e.fill()
}

// fill moves the window on.
func (e *entropy) fill() error {
	// acc may have seen bytes beyond its n bits: they will be read again.
	e.acc &= ^(^uint64(0) >> e.n)
	e.size = copy(e.buf[:], e.buf[e.pos:e.size])
	e.pos = 0
	for e.size < window {
		rest := e.src[e.next:]
		if room := window - e.size; len(rest) > room {
			rest = rest[:room]
		}
		i := bytes.IndexByte(rest, 0xff)
		if i < 0 {
			e.size += copy(e.buf[e.size:], rest)
			e.next += len(rest)
			if e.next == len(e.src) {
				return ErrTruncated
			}
			continue
		}
		e.size += copy(e.buf[e.size:], rest[:i])
		e.next += i
		p := e.next
		for p < len(e.src) && e.src[p] == 0xff {
			p++
		}
		if p == len(e.src) {
			return ErrTruncated
		}
		if e.src[p] != 0 {
			e.last, e.mark = true, e.src[p]
			clear(e.buf[e.size:])
			return nil
		}
		e.buf[e.size] = 0xff
		e.size++
		e.next = p + 1
	}
	return nil
}

// left is how many bits of the window were not consumed; negative when more
// were consumed than there are.
func (e *entropy) left() int { return (e.size-e.pos)*8 + int(e.n) }

// refill gives acc at least 56 bits; beyond the window's end they are zeros,
// and left tells.
func (e *entropy) refill() {
	if e.pos <= window {
		e.acc |= binary.BigEndian.Uint64(e.buf[e.pos:]) >> e.n
	}
	e.pos += int(63-e.n) >> 3
	e.n |= 56
}

// take is the next bits, at most 32.
func (e *entropy) take(bits uint) uint32 {
	if e.n < bits {
		e.refill()
	}
	v := uint32(e.acc >> 32 >> (32 - bits))
	e.acc <<= bits
	e.n -= bits
	return v
}

// end checks that the segment was used up: what remains may only be padding.
func (e *entropy) end() error {
	if e.left() < 0 {
		return ErrTruncated
	}
	for !e.last {
		e.pos = e.size
		if err := e.fill(); err != nil {
			return err
		}
	}
	return nil
}

func (e *entropy) wipe() {
	if e.buf != nil {
		clear(e.buf[:])
	}
	e.src, e.acc, e.n, e.size, e.pos = nil, 0, 0, 0, 0
}
