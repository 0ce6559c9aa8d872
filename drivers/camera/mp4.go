package camera

import (
	"encoding/binary"
	"errors"
	"math"
)

// An MP4 file is boxes, ISO/IEC 14496-12 section 4.2: a length, four letters,
// content. moov says where in the file the samples of mdat lie. Most writers put
// it last, and then nobody can read the file from a pipe.

func isMP4(b []byte) bool { return len(b) >= 8 && string(b[4:8]) == "ftyp" }

var errMP4 = errors.New("camera sends an MP4 clip that is damaged")

// nextBox gives the first box of b and what follows it.
func nextBox(b []byte) (kind string, whole, content, rest []byte, err error) {
	if len(b) < 8 {
		return "", nil, nil, nil, errMP4
	}
	size, head := uint64(binary.BigEndian.Uint32(b)), 8
	switch size {
	case 0: // to the end
		size = uint64(len(b))
	case 1:
		if len(b) < 16 {
			return "", nil, nil, nil, errMP4
		}
		size, head = binary.BigEndian.Uint64(b[8:]), 16
	}
	if size < uint64(head) || size > uint64(len(b)) {
		return "", nil, nil, nil, errMP4
	}
	return string(b[4:8]), b[:size], b[head:size], b[size:], nil
}

// moveIndexFirst is the file in an order in which it can be read from a pipe: what
// says where the samples are goes before the samples, which then lie farther
// back. The file is changed in place; the parts lie in it.
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
	case binary.BigEndian.Uint32(index) == 0: // its end would be lost
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

// shiftOffsets changes the places of all samples that the boxes in b name: stco and
// co64, section 8.7.5.
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

// eachOffset calls f with each entry of a table: version and flags, how many, they.
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
