// Package parcel carries windows between kerb's processes: records of one
// fixed size, of a few kinds, in which nothing but numbers fits. There is no
// text, no length and no list in them, so there is nothing to parse: a record
// is right to the last byte, or whoever sent it is not to be trusted.
//
// It refuses a wrong length, mark, version, kind or checksum, bytes that should
// be zero and are not, and values out of their range. Records are written by
// one write(2) of less than PIPE_BUF bytes, so that two goroutines may share a
// pipe and a process that is killed leaves no half of one.
package ipc

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"time"
)

// Size of every record, in bytes.
const Size = 256

// The head is mark, version and kind, eight bytes with two to spare; the last
// four bytes are the CRC-32C of all before them.
const (
	mark    = "kerb"
	version = 1
	headLen = 8
	sumAt   = Size - 4
)

// ErrForeign is what is no record of ours.
var ErrForeign = errors.New("not a record")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Message is a pointer to one of Begin, Cut, Tally, Window, Step, Alive, Walls,
// Event, Fault, View, Head, Board, Stored, Finish, Pause and Aim.
type Message interface {
	recordKind() byte
	layout(*cursor)
	validate() error
}

// blank is an empty message of a kind, or nil.
func blank(kind byte) Message {
	for _, m := range [...]Message{
		new(Begin), new(CloseWindow), new(Tally), new(Window), new(Step), new(Heartbeat), new(Walls), new(SensorLost), new(Stored), new(Finish),
		new(LoopFault), new(AuditHead), new(Pause), new(Aim), new(Board), new(CameraFault),
	} {
		if m.recordKind() == kind {
			return m
		}
	}
	return nil
}

// Write sends one message. A message that its reader would refuse is an error
// and is not sent.
func Write(w io.Writer, m Message) error {
	if err := m.validate(); err != nil {
		return err
	}
	var b [Size]byte
	copy(b[:], mark)
	b[4], b[5] = version, m.recordKind()
	m.layout(&cursor{b: b[headLen:sumAt], writing: true})
	binary.LittleEndian.PutUint32(b[sumAt:], crc32.Checksum(b[:sumAt], castagnoli))
	_, err := w.Write(b[:])
	return err
}

// Read waits for one message, which is a pointer to one of the kinds. io.EOF
// is the end between two records; ErrForeign wraps whatever is wrong with one.
func Read(r io.Reader) (Message, error) {
	var b [Size]byte
	switch n, err := io.ReadFull(r, b[:]); {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return nil, fmt.Errorf("%w: %d bytes", ErrForeign, n)
	case err != nil:
		return nil, err
	}
	return parse(&b)
}

func parse(b *[Size]byte) (Message, error) {
	if string(b[:4]) != mark || b[4] != version || b[6]|b[7] != 0 {
		return nil, fmt.Errorf("%w: begins with %x", ErrForeign, b[:headLen])
	}
	if binary.LittleEndian.Uint32(b[sumAt:]) != crc32.Checksum(b[:sumAt], castagnoli) {
		return nil, fmt.Errorf("%w: wrong checksum", ErrForeign)
	}
	m := blank(b[5])
	if m == nil {
		return nil, fmt.Errorf("%w: kind %d", ErrForeign, b[5])
	}
	p := cursor{b: b[headLen:sumAt]}
	m.layout(&p)
	for _, rest := range p.b {
		if rest != 0 || p.wrong {
			return nil, fmt.Errorf("%w: kind %d has something between its values", ErrForeign, b[5])
		}
	}
	if err := m.validate(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrForeign, err)
	}
	return m, nil
}

// cursor is where a message lays its values, one after another. The same walk
// writes and reads, so that the two cannot differ.
type cursor struct {
	b       []byte
	writing bool
	wrong   bool
}

func (p *cursor) next(n int) []byte {
	b := p.b[:n]
	p.b = p.b[n:]
	return b
}

func lay64[T ~int64 | ~uint64](p *cursor, vs ...*T) {
	for _, v := range vs {
		b := p.next(8)
		if p.writing {
			binary.LittleEndian.PutUint64(b, uint64(*v))
		} else {
			*v = T(binary.LittleEndian.Uint64(b))
		}
	}
}

func (p *cursor) u32(v *uint32) {
	b := p.next(4)
	if p.writing {
		binary.LittleEndian.PutUint32(b, *v)
	} else {
		*v = binary.LittleEndian.Uint32(b)
	}
}

func (p *cursor) u16(v *uint16) {
	b := p.next(2)
	if p.writing {
		binary.LittleEndian.PutUint16(b, *v)
	} else {
		*v = binary.LittleEndian.Uint16(b)
	}
}

func (p *cursor) u8(vs ...*uint8) {
	for _, v := range vs {
		b := p.next(1)
		if p.writing {
			b[0] = *v
		} else {
			*v = b[0]
		}
	}
}

func (p *cursor) flag(v *bool) {
	b := p.next(1)
	if p.writing {
		if *v {
			b[0] = 1
		}
		return
	}
	*v = b[0] == 1
	p.wrong = p.wrong || b[0] > 1
}

// DrainTimeout limits how long a stopping agent waits for the broker's
// acknowledgements. Windows that are not acknowledged by then stay in the spool
// and are sent after the next start.
const DrainTimeout = 3 * time.Second
