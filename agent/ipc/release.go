package ipc

import (
	"errors"
	"fmt"
)

// releaseBytes is the number of bytes of one Release record.
const releaseBytes = 224

// MaxRelease is the greatest length of a cleared window in its stored form.
const MaxRelease = 8 << 10

// Release carries a part of one window of one stream as the policy cleared it, in the
// stored form of package policy, from the supervisor to the uplink. A window is sent as
// records with ascending offsets. It is the one record that holds bytes of another
// form: only the supervisor sends it, which made them, and no sensing process may.
type Release struct {
	N      uint64 // number of the window
	Stream uint16 // index among the streams of site.toml
	Size   uint16 // bytes of the whole, at most MaxRelease
	Offset uint16 // of this part
	Bytes  [releaseBytes]byte
}

func (*Release) recordKind() byte { return 27 }

func (r *Release) walkFields(p *cursor) {
	walk64(p, &r.N)
	p.walkUint16(&r.Stream)
	p.walkUint16(&r.Size)
	p.walkUint16(&r.Offset)
	for i := range r.Bytes {
		p.walkUint8(&r.Bytes[i])
	}
}

func (r *Release) checkRanges() error {
	if r.Size == 0 || r.Size > MaxRelease || r.Offset >= r.Size || r.Offset%releaseBytes != 0 {
		return fmt.Errorf("bytes from %d of %d", r.Offset, r.Size)
	}
	return nil
}

// PackRelease returns the stored form of one cleared window as records.
func PackRelease(n uint64, stream int, stored []byte) ([]Record, error) {
	if len(stored) == 0 || len(stored) > MaxRelease {
		return nil, fmt.Errorf("a cleared window of %d bytes", len(stored))
	}
	var rs []Record
	for at := 0; at < len(stored); at += releaseBytes {
		r := &Release{N: n, Stream: uint16(stream), Size: uint16(len(stored)), Offset: uint16(at)}
		copy(r.Bytes[:], stored[at:])
		rs = append(rs, r)
	}
	return rs, nil
}

// AppendTo appends this part to the parts before it, and reports whether the window is
// whole. A part out of its order is an error.
func (r *Release) AppendTo(before []byte) (stored []byte, whole bool, err error) {
	if int(r.Offset) != len(before) {
		return nil, false, errors.New("a part of a cleared window out of its order")
	}
	stored = append(before, r.Bytes[:min(releaseBytes, int(r.Size-r.Offset))]...)
	return stored, len(stored) == int(r.Size), nil
}
