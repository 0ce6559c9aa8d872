package h264

import (
	"encoding/binary"
	"math/bits"
)

// readAhead is the number of bytes behind a NAL unit that the readers load and
// never use: they load 8 bytes at a time.
const readAhead = 16

// bitReader reads an RBSP (7.2) bit by bit. Behind the end it reads zeros of the
// padding and goes on; overrun tells.
type bitReader struct {
	buf []byte // the RBSP and readAhead bytes
	pos int    // bits read
	end int    // bits of the RBSP without its trailing bits (7.3.2.11)
}

// newBitReader returns a reader of n bytes of b, which has readAhead bytes more.
func newBitReader(b []byte, n int) bitReader {
	r := bitReader{buf: b[:n+readAhead]}
	for n > 0 && b[n-1] == 0 { // cabac_zero_words
		n--
	}
	if n > 0 {
		r.end = 8*n - bits.TrailingZeros8(b[n-1]) - 1
	}
	return r
}

// overrun reports whether more bits were read than there are.
func (r *bitReader) overrun() bool { return r.pos > r.end }

// more is more_rbsp_data().
func (r *bitReader) more() bool { return r.pos < r.end }

// load returns the next bits, the first one at the top; at least 57 are valid.
func (r *bitReader) load() uint64 {
	at := r.pos >> 3
	if at > len(r.buf)-8 {
		return 0
	}
	return binary.BigEndian.Uint64(r.buf[at:]) << (r.pos & 7)
}

// u reads n bits, 1 to 32: u(n).
func (r *bitReader) u(n int) uint32 {
	v := r.load() >> (64 - n)
	r.pos += n
	return uint32(v)
}

// flag reads one bit.
func (r *bitReader) flag() bool { return r.u(1) != 0 }

// ue reads an unsigned Exp-Golomb code (9.1). A code that is too long or behind
// the end moves the reader behind the end.
func (r *bitReader) ue() uint32 {
	v := r.load()
	zeros := bits.LeadingZeros64(v)
	if zeros > 31 {
		r.pos = r.end + 1
		return 0
	}
	if zeros <= 24 {
		r.pos += 2*zeros + 1
		return uint32(v>>(63-2*zeros)) - 1
	}
	r.pos += zeros
	return r.u(zeros+1) - 1
}

// se reads a signed Exp-Golomb code (9.1.1).
func (r *bitReader) se() int32 {
	k := r.ue()
	if k&1 != 0 {
		return int32(k>>1) + 1
	}
	return -int32(k >> 1)
}

// ueMax reads ue and reports whether it is at most the bound.
func (r *bitReader) ueMax(most uint32) (int, bool) {
	v := r.ue()
	return int(v), v <= most
}
