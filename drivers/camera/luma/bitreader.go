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
	endMarker byte   // the marker after the segment, once atEnd is set; 0: the data ends

	buf     *[windowSize + 8]byte
	size    int // bytes in buf
	pos     int // bytes of buf that were moved to acc
	acc     uint64
	accBits uint // valid bits at the top of acc
}

// openSegment starts with the segment at src[at:] and fills the first window.
func (e *bitReader) openSegment(src []byte, at int) {
	e.src, e.srcPos, e.atEnd, e.endMarker = src, at, false, 0
	e.size, e.pos, e.acc, e.accBits = 0, 0, 0, 0
	e.fillWindow()
}

// ensureMCU makes sure that the window holds a whole MCU or the segment's end.
func (e *bitReader) ensureMCU() {
	if !e.atEnd && e.size-e.pos < maxMCUBytes {
		e.fillWindow()
	}
}

// fillWindow keeps the unread bytes, removes byte stuffing from the next ones
// and appends them, until the window is full, or a marker or the end of the data
// ends the segment.
func (e *bitReader) fillWindow() {
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
			if e.srcPos += len(rest); e.srcPos == len(e.src) {
				e.endWindow(0)
				return
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
			e.srcPos = p
			e.endWindow(0)
			return
		}
		if e.src[p] != 0 {
			e.endWindow(e.src[p])
			return
		}
		e.buf[e.size] = 0xff
		e.size++
		e.srcPos = p + 1
	}
}

// endWindow notes that the segment ends in the window.
func (e *bitReader) endWindow(marker byte) {
	e.atEnd, e.endMarker = true, marker
	clear(e.buf[e.size:])
}

// isRestart reports whether a marker is a restart marker.
func isRestart(marker byte) bool { return marker >= mRST0 && marker <= mRST7 }

// nextMarker returns the marker after the segment; 0 where the data ends before one.
func (e *bitReader) nextMarker() byte {
	if e.atEnd {
		return e.endMarker
	}
	for rest := e.src[e.srcPos:]; ; {
		i := bytes.IndexByte(rest, 0xff)
		if i < 0 || i+1 == len(rest) {
			return 0
		}
		if rest = rest[i+1:]; rest[0] != 0 && rest[0] != 0xff {
			return rest[0]
		}
	}
}

// endsInRestart reports whether nothing but padding is left before a restart
// marker: at most 7 bits, all of them 1 (T.81 F.1.2.3).
func (e *bitReader) endsInRestart() bool {
	n := e.bitsLeft()
	if !e.atEnd || n < 0 || n > 7 || !isRestart(e.endMarker) {
		return false
	}
	if e.accBits < 8 {
		e.refillAcc()
	}
	return n == 0 || e.acc>>(64-n) == 1<<n-1
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

// finishSegment steps over the rest of the segment, which may be padding.
func (e *bitReader) finishSegment() {
	for !e.atEnd {
		e.pos = e.size
		e.fillWindow()
	}
}

// wipeWindow clears the window and the accumulator.
func (e *bitReader) wipeWindow() {
	if e.buf != nil {
		clear(e.buf[:])
	}
	e.src, e.acc, e.accBits, e.size, e.pos = nil, 0, 0, 0, 0
}
