package camera

import (
	"encoding/binary"
	"errors"
	"math"
)

// This file reorders an MP4 file so that a decoder can read it from a pipe. An MP4
// file is a sequence of boxes, ISO/IEC 14496-12 section 4.2: length, type, content.
// The moov box holds the file offsets of the samples in mdat. Most writers put it
// last, but a pipe cannot seek.
//
// It is written by hand: the file holds pictures, and lies in the memory that
// Limits hands in, which may be locked and is overwritten after use. MP4 libraries
// (such as abema/go-mp4) write the reordered file to an io.WriteSeeker, which is a
// second copy of the pictures. The work here is to move one box and to add its
// length to two kinds of table.

// The lengths of a box's header, in bytes, with a 32-bit and a 64-bit length.
const (
	boxHeadLen      = 8
	largeBoxHeadLen = 16
)

// isMP4 reports whether the first box is ftyp.
func isMP4(b []byte) bool { return len(b) >= boxHeadLen && string(b[4:8]) == "ftyp" }

var errMP4 = errors.New("camera sends an MP4 clip that is damaged")

// nextBox splits b into its first box and the rest. whole is the box with its
// header, content without.
func nextBox(b []byte) (kind string, whole, content, rest []byte, err error) {
	if len(b) < boxHeadLen {
		return "", nil, nil, nil, errMP4
	}
	size, head := uint64(binary.BigEndian.Uint32(b)), boxHeadLen
	switch size {
	case 0: // to the end of the file
		size = uint64(len(b))
	case 1: // a 64-bit length follows
		if len(b) < largeBoxHeadLen {
			return "", nil, nil, nil, errMP4
		}
		size, head = binary.BigEndian.Uint64(b[8:]), largeBoxHeadLen
	}
	if size < uint64(head) || size > uint64(len(b)) {
		return "", nil, nil, nil, errMP4
	}
	return string(b[4:8]), b[:size], b[head:size], b[size:], nil
}

// moveIndexFirst returns the parts of the file in an order that can be read from a
// pipe: moov before mdat, with all sample offsets behind it increased by the length
// of moov (as qt-faststart does). The file is changed in place; the parts lie in
// it.
func moveIndexFirst(file []byte) (parts [][]byte, err error) {
	data, moov := -1, -1
	var index, content []byte
	for rest := file; len(rest) > 0; {
		at := len(file) - len(rest)
		kind, whole, in, after, err := nextBox(rest)
		if err != nil {
			return nil, err
		}
		switch {
		case kind == "mdat" && data < 0:
			data = at
		case kind == "moov" && moov < 0:
			moov, index, content = at, whole, in
		}
		rest = after
	}
	switch {
	case moov < 0:
		return nil, errMP4
	case data < 0 || moov < data:
		return [][]byte{file}, nil
	case binary.BigEndian.Uint32(index) == 0: // its length was "to the end of the file"
		binary.BigEndian.PutUint32(index, uint32(len(index)))
	}
	move := func(at uint64) uint64 {
		if at >= uint64(data) && at < uint64(moov) {
			at += uint64(len(index))
		}
		return at
	}
	if err := shiftOffsets(content, move); err != nil {
		return nil, err
	}
	return [][]byte{file[:data], index, file[data:moov], file[moov+len(index):]}, nil
}

// shiftOffsets applies move to all chunk offsets in the boxes of b: stco (32 bits)
// and co64 (64 bits), section 8.7.5.
func shiftOffsets(b []byte, move func(uint64) uint64) error {
	for len(b) > 0 {
		kind, _, in, rest, err := nextBox(b)
		if err != nil {
			return err
		}
		switch kind {
		case "trak", "mdia", "minf", "stbl":
			err = shiftOffsets(in, move)
		case "stco":
			err = eachOffset(in, 4, func(p []byte) error {
				to := move(uint64(binary.BigEndian.Uint32(p)))
				if to > math.MaxUint32 {
					return errMP4
				}
				binary.BigEndian.PutUint32(p, uint32(to))
				return nil
			})
		case "co64":
			err = eachOffset(in, 8, func(p []byte) error {
				binary.BigEndian.PutUint64(p, move(binary.BigEndian.Uint64(p)))
				return nil
			})
		}
		if err != nil {
			return err
		}
		b = rest
	}
	return nil
}

// eachOffset calls f with each entry, of size bytes, of an offset table: version
// and flags, count, entries.
func eachOffset(table []byte, size int, f func([]byte) error) error {
	if len(table) < 8 {
		return errMP4
	}
	n, entries := binary.BigEndian.Uint32(table[4:]), table[8:]
	if uint64(n)*uint64(size) > uint64(len(entries)) {
		return errMP4
	}
	for i := range int(n) {
		if err := f(entries[i*size : (i+1)*size]); err != nil {
			return err
		}
	}
	return nil
}
