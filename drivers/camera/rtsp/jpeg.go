package rtsp

import (
	"bytes"
	"errors"

	"github.com/pion/rtp"
)

// Errors of M-JPEG that end a session.
var (
	errTooWide = errors.New("camera's pictures are wider or higher than 2,040 pixels, which RTP cannot say for M-JPEG (RFC 2435): choose a smaller picture or H.264 in the camera")
	errNoTable = errors.New("camera's pictures come without their quantisation tables")
)

const (
	jpegHead      = 8   // bytes of the main header, RFC 2435 section 3.1
	restartHead   = 4   // section 3.1.7
	tableHead     = 4   // section 3.1.8
	firstRestart  = 64  // types 64–127 have a restart header
	firstTableQ   = 128 // Q from which tables are sent
	tableSize     = 64  // bytes of a table of 8-bit values
	lowestGoodQ   = 1
	highestGoodQ  = 99
	frameOverhead = 300 // bytes of the header segments before the scan, at most
)

// jpegJoiner joins the packets of M-JPEG to JPEGs, RFC 2435. It is written by hand
// because gortsplib's rtpmjpeg refuses what cameras send: more than two tables,
// tables of 16-bit values, tables that come once for the stream, and restart
// markers. Huffman tables are left out: they are those of T.81 annex K.
type jpegJoiner struct {
	scan    []byte
	started bool
	interv  [2]byte // restart interval
	kind    byte
	w, h    int
	tables  []byte         // of this picture: a DQT segment without its marker and length
	byQ     [256][]byte    // the same, as last sent for a Q
	picture func(u []byte) // takes a JPEG, which then belongs to it
}

// addPacket adds one packet. It returns an error for a picture that is lost, and a
// named one, for which fatal is true, where no picture can come.
func (j *jpegJoiner) addPacket(p *rtp.Packet) (fatal bool, err error) {
	b := p.Payload
	if len(b) < jpegHead {
		return false, errors.New("short packet")
	}
	offset, kind, q := int(b[1])<<16|int(b[2])<<8|int(b[3]), b[4], b[5]
	w, h := int(b[6])*8, int(b[7])*8
	b = b[jpegHead:]
	if kind >= firstRestart && kind < 2*firstRestart {
		if len(b) < restartHead {
			return false, errors.New("short packet")
		}
		j.interv = [2]byte{b[0], b[1]}
		b = b[restartHead:]
	} else {
		j.interv = [2]byte{}
	}
	if offset == 0 {
		if w == 0 || h == 0 {
			return true, errTooWide
		}
		j.kind, j.w, j.h = kind%firstRestart, w, h
		clear(j.scan)
		j.scan, j.started = j.scan[:0], true
		if b, err = j.readTables(q, b); err != nil {
			j.started = false
			return errors.Is(err, errNoTable), err
		}
	}
	if !j.started {
		return false, nil // the middle of a picture whose start was lost, or not yet sent
	}
	if offset != len(j.scan) {
		j.started = false
		return false, errors.New("packets lost")
	}
	if j.scan = append(j.scan, b...); p.Marker {
		j.started = false
		j.picture(j.join())
	}
	return false, nil
}

// readTables sets the tables of a picture, by its Q or from the table header, and
// returns the rest. A header without tables means those that were sent for the Q.
func (j *jpegJoiner) readTables(q byte, b []byte) ([]byte, error) {
	if q < firstTableQ {
		if q < lowestGoodQ || q > highestGoodQ {
			return nil, errNoTable
		}
		if j.byQ[q] == nil {
			j.byQ[q] = scaleTables(q)
		}
		j.tables = j.byQ[q]
		return b, nil
	}
	if len(b) < tableHead {
		return nil, errors.New("short packet")
	}
	precision, n := b[1], int(b[2])<<8|int(b[3])
	if b = b[tableHead:]; n > len(b) {
		return nil, errors.New("short packet")
	}
	if n == 0 && j.byQ[q] == nil {
		return nil, errNoTable
	}
	if n > 0 {
		j.byQ[q] = joinTables(precision, b[:n])
	}
	if j.tables = j.byQ[q]; j.tables == nil {
		return nil, errNoTable
	}
	return b[n:], nil
}

// joinTables returns the first two tables of a table header as in a DQT segment.
// Bit i of precision is set where table i has values of 16 bits.
func joinTables(precision byte, b []byte) (out []byte) {
	for id := byte(0); id < 2; id++ {
		size, wide := tableSize, precision>>id&1
		if wide == 1 {
			size *= 2
		}
		if len(b) < size {
			break
		}
		out = append(append(out, wide<<4|id), b[:size]...)
		b = b[size:]
	}
	return out
}

// hasTwoTables reports whether a DQT segment has a table for chroma.
func hasTwoTables(dqt []byte) bool { return len(dqt) > 1+2*tableSize }

// join returns the JPEG: header segments, scan, and end marker. A camera that sends
// a whole JPEG as the scan is taken at its word.
func (j *jpegJoiner) join() []byte {
	out := make([]byte, 0, frameOverhead+len(j.tables)+len(j.scan))
	if bytes.HasPrefix(j.scan, []byte{0xff, 0xd8, 0xff}) {
		return append(out, j.scan...)
	}
	// Kind 0 is 4:2:2, and 1 is 4:2:0; what cameras send as another one is mostly that.
	chroma, sampling := byte(0), byte(0x22)
	if hasTwoTables(j.tables) {
		chroma = 1
	}
	if j.kind == 0 {
		sampling = 0x21
	}
	n := len(j.tables) + 2
	out = append(append(out, 0xff, 0xd8, 0xff, 0xdb, byte(n>>8), byte(n)), j.tables...)
	if j.interv != [2]byte{} {
		out = append(out, 0xff, 0xdd, 0, 4, j.interv[0], j.interv[1])
	}
	out = append(out, 0xff, 0xc0, 0, 17, 8, byte(j.h>>8), byte(j.h), byte(j.w>>8), byte(j.w), 3,
		0, sampling, 0, 1, 0x11, chroma, 2, 0x11, chroma)
	out = append(out, 0xff, 0xda, 0, 12, 3, 0, 0, 1, 0x11, 2, 0x11, 0, 63, 0)
	out = append(out, j.scan...)
	if !bytes.HasSuffix(j.scan, []byte{0xff, 0xd9}) {
		out = append(out, 0xff, 0xd9)
	}
	return out
}

// The tables for Q = 50, in zigzag order: RFC 2435, appendix A.
var (
	lumaTable = [tableSize]int{
		16, 11, 12, 14, 12, 10, 16, 14, 13, 14, 18, 17, 16, 19, 24, 40,
		26, 24, 22, 22, 24, 49, 35, 37, 29, 40, 58, 51, 61, 60, 57, 51,
		56, 55, 64, 72, 92, 78, 64, 68, 87, 69, 55, 56, 80, 109, 81, 87,
		95, 98, 103, 104, 103, 62, 77, 113, 121, 112, 100, 120, 92, 101, 103, 99,
	}
	chromaTable = [tableSize]int{
		17, 18, 18, 24, 21, 24, 47, 26, 26, 47, 99, 66, 56, 66, 99, 99,
		99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
		99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
		99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
	}
)

// scaleTables computes the tables for a Q of 1–99, RFC 2435, section 4.2.
func scaleTables(q byte) (out []byte) {
	factor := 200 - 2*int(q)
	if q < 50 {
		factor = 5000 / int(q)
	}
	for id, table := range [][tableSize]int{lumaTable, chromaTable} {
		out = append(out, byte(id))
		for _, v := range table {
			out = append(out, byte(min(max((v*factor+50)/100, 1), 255)))
		}
	}
	return out
}
