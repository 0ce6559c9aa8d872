// Package ipc encodes and decodes the records that kerb's processes exchange
// over pipes and the aim socket. Every record has 640 bytes and holds numbers
// only: no text, no length and no list, so that a picture does not fit in and a
// decoder has no length to trust. Release alone, which no sensing process may send,
// carries bytes. Integers are little-endian.
//
// It refuses a wrong length, mark, version, kind or checksum, bytes that should
// be zero and are not, and values out of their range. A sender of such a record
// is not to be trusted, so its reader ends it.
//
// One write(2) of less than PIPE_BUF bytes writes a record. Two goroutines may
// therefore share a pipe, and a process that is killed leaves no half record.
package ipc

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"time"
)

// recordSize is the size of every record in bytes. It is below PIPE_BUF (4096
// on Linux), up to which a write to a pipe is atomic (pipe(7)).
const recordSize = 640

// The layout of a record: mark, version and kind, two bytes of zero, the
// fields, zeros, and in the last four bytes the CRC-32C of all bytes before.
const (
	recordMark    = "kerb"
	recordVersion = 2
	headSize      = 8
	checksumAt    = recordSize - 4
)

// ErrForeign is wrapped by the error of a read whose bytes are not a valid record.
var ErrForeign = errors.New("not a record")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Record is the content of one record: a pointer to one of Begin, CloseWindow,
// Tally, Window, Step, Heartbeat, Walls, SensorLost, LoopFault, CameraFault,
// AuditHead, AuditCut, Board, Stored, SpoolFound, Finish, Pause, Aim, Query, Look,
// CameraLost, WantReceived, WantResult, Reload and Release.
type Record interface {
	recordKind() byte   // the number of the kind on the wire
	walkFields(*cursor) // encodes or decodes the fields in their order
	checkRanges() error // refuses values that cannot be
}

// newRecord returns a zero record of a kind, or nil for an unknown kind.
func newRecord(kind byte) Record {
	for _, m := range [...]Record{
		new(Begin), new(CloseWindow), new(Tally), new(Window), new(Step), new(Heartbeat), new(Walls), new(SensorLost), new(Stored), new(Finish),
		new(LoopFault), new(AuditHead), new(Pause), new(Aim), new(Board), new(CameraFault), new(SpoolFound), new(Query), new(Look), new(CameraLost), new(Release), new(AuditCut),
		new(WantReceived), new(WantResult), new(Reload),
	} {
		if m.recordKind() == kind {
			return m
		}
	}
	return nil
}

// WriteRecord encodes m and writes it to w in one call. A record that a reader would
// refuse is an error and is not written. The encoded bytes, which may be exact counts, are
// overwritten.
func WriteRecord(w io.Writer, m Record) error {
	if err := m.checkRanges(); err != nil {
		return err
	}
	var b [recordSize]byte
	defer clear(b[:])
	copy(b[:], recordMark)
	b[4], b[5] = recordVersion, m.recordKind()
	m.walkFields(&cursor{b: b[headSize:checksumAt], writing: true})
	binary.LittleEndian.PutUint32(b[checksumAt:], crc32.Checksum(b[:checksumAt], castagnoli))
	_, err := w.Write(b[:])
	return err
}

// ReadRecord reads one record from r and decodes it. The error is io.EOF where r ends
// between two records, wraps ErrForeign where the record is torn or invalid, and
// is otherwise the error of r. The encoded bytes are overwritten.
func ReadRecord(r io.Reader) (Record, error) {
	var b [recordSize]byte
	defer clear(b[:])
	switch n, err := io.ReadFull(r, b[:]); {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return nil, fmt.Errorf("%w: %d bytes", ErrForeign, n)
	case err != nil:
		return nil, err
	}
	return parseRecord(&b)
}

// parseRecord decodes a record and checks every byte of it.
func parseRecord(b *[recordSize]byte) (Record, error) {
	if string(b[:4]) != recordMark || b[4] != recordVersion || b[6]|b[7] != 0 {
		return nil, fmt.Errorf("%w: begins with %x", ErrForeign, b[:headSize])
	}
	if binary.LittleEndian.Uint32(b[checksumAt:]) != crc32.Checksum(b[:checksumAt], castagnoli) {
		return nil, fmt.Errorf("%w: wrong checksum", ErrForeign)
	}
	m := newRecord(b[5])
	if m == nil {
		return nil, fmt.Errorf("%w: kind %d", ErrForeign, b[5])
	}
	p := cursor{b: b[headSize:checksumAt]}
	m.walkFields(&p)
	for _, rest := range p.b {
		if rest != 0 || p.badBool {
			return nil, fmt.Errorf("%w: kind %d has something between its values", ErrForeign, b[5])
		}
	}
	if err := m.checkRanges(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrForeign, err)
	}
	return m, nil
}

// cursor is a position in the fields of a record. Each walk method encodes or
// decodes one field and moves on. A record has one walkFields for both
// directions, so that the two cannot differ.
type cursor struct {
	b       []byte // the bytes not walked yet
	writing bool   // encode; false: decode
	badBool bool   // a decoded bool was neither 0 nor 1
}

// nextBytes returns the next n bytes and moves past them.
func (p *cursor) nextBytes(n int) []byte {
	b := p.b[:n]
	p.b = p.b[n:]
	return b
}

// walk64 encodes or decodes integers of 64 bits.
func walk64[T ~int64 | ~uint64](p *cursor, vs ...*T) {
	for _, v := range vs {
		b := p.nextBytes(8)
		if p.writing {
			binary.LittleEndian.PutUint64(b, uint64(*v))
		} else {
			*v = T(binary.LittleEndian.Uint64(b))
		}
	}
}

// walkUint32 encodes or decodes an integer of 32 bits.
func (p *cursor) walkUint32(v *uint32) {
	b := p.nextBytes(4)
	if p.writing {
		binary.LittleEndian.PutUint32(b, *v)
	} else {
		*v = binary.LittleEndian.Uint32(b)
	}
}

// walkUint16 encodes or decodes an integer of 16 bits.
func (p *cursor) walkUint16(v *uint16) {
	b := p.nextBytes(2)
	if p.writing {
		binary.LittleEndian.PutUint16(b, *v)
	} else {
		*v = binary.LittleEndian.Uint16(b)
	}
}

// walkUint8 encodes or decodes integers of 8 bits.
func (p *cursor) walkUint8(vs ...*uint8) {
	for _, v := range vs {
		b := p.nextBytes(1)
		if p.writing {
			b[0] = *v
		} else {
			*v = b[0]
		}
	}
}

// walkBool encodes or decodes a bool as a byte of 0 or 1. Any other byte sets
// badBool.
func (p *cursor) walkBool(v *bool) {
	b := p.nextBytes(1)
	if p.writing {
		if *v {
			b[0] = 1
		}
		return
	}
	*v = b[0] == 1
	p.badBool = p.badBool || b[0] > 1
}

// DrainTimeout limits how long a stopping agent waits for the broker's
// acknowledgements. Windows that are not acknowledged by then stay in the spool
// and are sent after the next start.
const DrainTimeout = 3 * time.Second
