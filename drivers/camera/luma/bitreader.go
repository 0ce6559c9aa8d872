package luma

import (
	"bytes"
	"encoding/binary"
)

const (
	windowSize = 8192 // bytes of entropy-coded data in the window; chosen by hand
	// maxMCUBytes is the longest MCU: maxMCUBlocks blocks of 64 coefficients, each
	// with a code of at most 16 bits and a value of at most 15, and one load of 8 bytes.
	maxMCUBytes = maxMCUBlocks*64*(16+15)/8 + 8
)

// bitReader reads the bits of one entropy-coded segment: the bytes between two
// markers, without the zero bytes stuffed after 0xff (T.81 F.1.2.3). It moves a
// window over the segment, so that the inner loop has to check neither for
// stuffing nor for the end.
type bitReader struct {
	src       []byte // the whole picture
	srcPos    int    // index in src of the first byte that is not in the window
	atEnd     bool   // the segment ends in the window
	endMarker byte   // the marker after the segment, once atEnd is set

	buf     *[windowSize + 8]byte
	size    int // bytes in buf
	pos     int // bytes of buf that were moved to acc
	acc     uint64
	accBits uint // valid bits at the top of acc
}

// openSegment starts with the segment at src[at:] and fills the first window.
func (e *bitReader) openSegment(src []byte, at int) error {
	e.src, e.srcPos, e.atEnd, e.endMarker = src, at, false, 0
	e.size, e.pos, e.acc, e.accBits = 0, 0, 0, 0
	return e.fillWindow()
}

// ensureMCU makes sure that the window holds a whole MCU or the segment's end.
func (e *bitReader) ensureMCU() error {
	if e.atEnd || e.size-e.pos >= maxMCUBytes {
		return nil
	}
	return e.fillWindow()
}

// fillWindow keeps the unread bytes, removes byte stuffing from the next ones
// and appends them, until the window is full or a marker ends the segment.
func (e *bitReader) fillWindow() error {
	// acc may hold bits beyond its accBits valid ones: they will be read again.
	e.acc &= ^(^uint64(0) >> e.accBits)
	e.size = copy(e.buf[:], e.buf[e.pos:e.size])
	e.pos = 0
	for e.size < windowSize {
		rest := e.src[e.srcPos:]
		if room := windowSize - e.size; len(rest) > room {
			rest = rest[:room]
		}
		i := bytes.IndexByte(rest, 0xff)
		if i < 0 {
			e.size += copy(e.buf[e.size:], rest)
			e.srcPos += len(rest)
			if e.srcPos == len(e.src) {
				return ErrTruncated
			}
			continue
		}
		e.size += copy(e.buf[e.size:], rest[:i])
		e.srcPos += i
		p := e.srcPos
		for p < len(e.src) && e.src[p] == 0xff {
			p++
		}
		if p == len(e.src) {
			return ErrTruncated
		}
		if e.src[p] != 0 {
			e.atEnd, e.endMarker = true, e.src[p]
			clear(e.buf[e.size:])
			return nil
		}
		e.buf[e.size] = 0xff
		e.size++
		e.srcPos = p + 1
	}
	return nil
}

// bitsLeft returns the number of unread bits in the window; it is negative if
// more bits were read than there are.
func (e *bitReader) bitsLeft() int { return (e.size-e.pos)*8 + int(e.accBits) }

// refillAcc gives acc at least 56 bits. Bits beyond the window's end are zeros,
// and bitsLeft accounts for them.
func (e *bitReader) refillAcc() {
	if e.pos <= windowSize {
		e.acc |= binary.BigEndian.Uint64(e.buf[e.pos:]) >> e.accBits
	}
	e.pos += int(63-e.accBits) >> 3
	e.accBits |= 56
}

// readBits returns the next bits, at most 32: RECEIVE of T.81, F.2.2.4.
func (e *bitReader) readBits(bits uint) uint32 {
	if e.accBits < bits {
		e.refillAcc()
	}
	v := uint32(e.acc >> 32 >> (32 - bits))
	e.acc <<= bits
	e.accBits -= bits
	return v
}

// finishSegment checks that the segment was not overrun, and steps over the
// rest of it, which may be padding.
func (e *bitReader) finishSegment() error {
	if e.bitsLeft() < 0 {
		return ErrTruncated
	}
	for !e.atEnd {
		e.pos = e.size
		if err := e.fillWindow(); err != nil {
			return err
		}
	}
	return nil
}

// wipeWindow clears the window and the accumulator.
func (e *bitReader) wipeWindow() {
	if e.buf != nil {
		clear(e.buf[:])
	}
	e.src, e.acc, e.accBits, e.size, e.pos = nil, 0, 0, 0, 0
}
