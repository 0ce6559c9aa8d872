// Package record encodes the two records between the process that reads the
// camera and the aiming page: a Report (one sketch and the crossings since the
// one before) and a Layout (where to count). Both have a fixed size and hold
// numbers only.
//
// It refuses a record with a wrong checksum, a sketch finer than
// counting.Sketch allows, and coordinates outside the picture, so that neither
// process has to trust the other. It imports no HTTP and no image package: the
// sensing process uses it.
package record

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"

	"kerb/counting"
)

// The bounds of the layout of one camera.
const (
	MaxLines     = 16
	MaxZones     = 16
	MaxMasks     = 16
	MaxCorners   = 32
	MaxCrossings = 32 // crossings in one report

	MinHeight = 0.5 // metres, of an upright object that gives the scale
	MaxHeight = 20  // metres
)

// Report is one message of the process that reads the camera: a sketch, and the
// crossings since the sketch before.
type Report struct {
	Layout     uint32 // Number of the Layout that was counted with
	Watching   bool   // the camera delivers
	Pictures   uint64 // pictures so far
	Undecoded  uint64 // pictures so far that could not be decoded
	Fault      uint8  // fault of the camera's view: a counting.ViewFault
	Sketch     counting.Sketch
	Crossings  [MaxCrossings]Crossing
	NCrossings uint8                             // used entries of the array above
	Zones      [MaxZones][counting.Classes]uint8 // objects present, by zone and class
}

// Crossing is one crossing: index of the line in the Layout, class and direction.
type Crossing struct{ Line, Class, Dir uint8 }

// Layout says where to count: numbers alone, in fractions of the picture,
// without names.
type Layout struct {
	Number   uint32
	Lines    [MaxLines][4]float32 // x, y, x, y
	Zones    [MaxZones]Area
	Masks    [MaxMasks]Area
	Heights  [2][5]float32 // foot x, y, top x, y, metres
	NLines   uint8
	NZones   uint8
	NMasks   uint8
	NHeights uint8 // 0 or 2
}

// Area is a polygon of N corners.
type Area struct {
	N  uint8
	At [MaxCorners][2]float32
}

// recordMagic begins every record; its last byte is the version. A CRC-32C ends
// it.
const recordMagic = "kerb aim\x01"

// castagnoli is the table of CRC-32C.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// ErrForeign reports bytes that are not a valid record.
var ErrForeign = errors.New("not a record of aiming")

// Writer writes records, each with one call of the underlying writer. It is not
// safe for concurrent use.
type Writer struct {
	to  io.Writer
	buf []byte
}

// NewWriter returns a Writer to w.
func NewWriter(w io.Writer) *Writer { return &Writer{to: w} }

// WriteRecord encodes and writes a *Report or a *Layout. It allocates in the first
// call only.
func (p *Writer) WriteRecord(record any) error {
	n := binary.Size(record)
	if n < 0 {
		return fmt.Errorf("write %T: not of a fixed size", record)
	}
	p.buf = append(p.buf[:0], recordMagic...)
	b, err := binary.Append(p.buf, binary.LittleEndian, record)
	if err != nil {
		return err
	}
	p.buf = binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
	_, err = p.to.Write(p.buf)
	return err
}

// readRecord reads one record and checks its checksum. io.EOF is the end
// between two records.
func readRecord(r io.Reader, record any) error {
	b := make([]byte, len(recordMagic)+binary.Size(record)+4)
	if _, err := io.ReadFull(r, b); err != nil {
		return err
	}
	body := b[:len(b)-4]
	if string(b[:len(recordMagic)]) != recordMagic || binary.LittleEndian.Uint32(b[len(body):]) != crc32.Checksum(body, castagnoli) {
		return ErrForeign
	}
	_, err := binary.Decode(body[len(recordMagic):], binary.LittleEndian, record)
	return err
}

// ReadReport reads one report. Its error wraps ErrForeign when a value is out
// of bounds, a line, class or direction unknown, or a number not finite.
func ReadReport(r io.Reader) (*Report, error) {
	m := new(Report)
	if err := readRecord(r, m); err != nil {
		return nil, err
	}
	if !m.Sketch.InBounds() && m.Sketch.Width > 0 || int(m.NCrossings) > len(m.Crossings) || m.Fault >= counting.ViewFaults {
		return nil, fmt.Errorf("%w: a sketch beyond its bounds", ErrForeign)
	}
	for _, p := range m.Crossings[:m.NCrossings] {
		if p.Line >= MaxLines || p.Class >= counting.Classes || p.Dir >= counting.Directions {
			return nil, fmt.Errorf("%w: a crossing of nothing", ErrForeign)
		}
	}
	v := m.Sketch.View
	for _, f := range []float32{v.Horizon, v.ScaleSlope, v.ScaleLogSD, v.LooksPerSecond, v.Noise} {
		if f != f || math.IsInf(float64(f), 0) {
			return nil, fmt.Errorf("%w: a view that is no number", ErrForeign)
		}
	}
	return m, nil
}

// ReadLayout reads one layout. Its error wraps ErrForeign when there are too
// many elements, or a coordinate or height is out of bounds.
func ReadLayout(r io.Reader) (*Layout, error) {
	l := new(Layout)
	if err := readRecord(r, l); err != nil {
		return nil, err
	}
	if l.NLines > MaxLines || l.NZones > MaxZones || l.NMasks > MaxMasks || l.NHeights != 0 && l.NHeights != 2 {
		return nil, fmt.Errorf("%w: more than there is room for", ErrForeign)
	}
	in := func(vs ...float32) bool {
		for _, v := range vs {
			if !(v >= 0 && v <= 1) {
				return false
			}
		}
		return true
	}
	ok := true
	for _, s := range l.Lines[:l.NLines] {
		ok = ok && in(s[:]...)
	}
	for _, as := range [][]Area{l.Zones[:l.NZones], l.Masks[:l.NMasks]} {
		for _, a := range as {
			ok = ok && a.N >= 3 && a.N <= MaxCorners
			for _, p := range a.At {
				ok = ok && in(p[:]...)
			}
		}
	}
	for _, h := range l.Heights[:l.NHeights] {
		ok = ok && in(h[:4]...) && h[4] >= MinHeight && h[4] <= MaxHeight
	}
	if !ok {
		return nil, fmt.Errorf("%w: a place outside the picture", ErrForeign)
	}
	return l, nil
}

// Polygon returns the area as a counting.Polygon.
func (a Area) Polygon() (g counting.Polygon) {
	for _, p := range a.At[:a.N] {
		g = append(g, counting.Point{X: float64(p[0]), Y: float64(p[1])})
	}
	return g
}
