package h264

import "bytes"

// NAL unit types, Table 7-1.
const (
	nalSlice      = 1
	nalPartitionA = 2
	nalPartitionC = 4
	nalIDR        = 5
	nalSEI        = 6
	nalSPS        = 7
	nalPPS        = 8
	nalDelimiter  = 9
	nalEndOfSeq   = 10
	nalEndStream  = 11
)

// NextNAL returns the first NAL unit of a byte stream (Annex B), without its
// start code, and the rest. Both are empty at the end.
func NextNAL(b []byte) (nal, rest []byte) {
	start := bytes.Index(b, startCode)
	if start < 0 {
		return nil, nil
	}
	b = b[start+len(startCode):]
	end := nalLength(b)
	return bytes.TrimRight(b[:end], "\x00"), b[end:]
}

var startCode = []byte{0, 0, 1}

// nalLength returns the offset of the next start code, or of the end.
func nalLength(b []byte) int {
	if n := bytes.Index(b, startCode); n >= 0 {
		return n
	}
	return len(b)
}

// unescape writes the RBSP of a NAL unit without its emulation prevention bytes
// (7.4.1) to dst, which has room for all of it, and returns its length.
func unescape(dst, nal []byte) int {
	n := 0
	for len(nal) > 0 {
		at := bytes.Index(nal, emulation)
		if at < 0 {
			return n + copy(dst[n:], nal)
		}
		n += copy(dst[n:], nal[:at+2])
		nal = nal[at+3:]
	}
	return n
}

var emulation = []byte{0, 0, 3}
