package aim

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"

	"kerb/counting"
)

// The bounds of what one camera can be aimed with.
const (
	MaxLines   = 16
	MaxZones   = 16
	MaxMasks   = 16
	MaxCorners = 32
	MaxPasses  = 32
)

// A Report is what the process that sees the camera says: one sketch, and what
// was counted since the one before. It has a fixed size.
type Report struct {
	Layout   uint32 // the Number of the Layout under which it was made
	Watching bool   // the camera delivers
	Pictures uint64
	Bad      uint64
	Fault    uint8 // of the camera's view, an index of Faults
	Sketch   counting.Sketch
	Passes   [MaxPasses]Pass
	N        uint8 // of the Passes that are used
	Zones    [MaxZones][counting.Classes]uint8
}

// Faults are what can be wrong with a camera's view, as the page calls them: in
// the order of counting/vision/health, which sees pictures and is therefore not
// imported here.
func Faults() []string {
	return []string{"", "frozen", "dark", "blinded", "covered", "blurred", "moved", "drops"}
}

// Pass is one crossing: of the layout's line of that number.
type Pass struct{ Line, Class, Dir uint8 }

// A Layout is what the process that sees is to count over: numbers alone, in
// fractions of the picture, and no names. It has a fixed size.
type Layout struct {
	Number  uint32
	Lines   [MaxLines][4]float32 // x, y, x, y
	Zones   [MaxZones]Area
	Masks   [MaxMasks]Area
	Heights [2][5]float32 // foot x, y, top x, y, metres
	NLines  uint8
	NZones  uint8
	NMasks  uint8
	NHeight uint8 // 0 or 2
}

// Area is a polygon of N corners.
type Area struct {
	N  uint8
	At [MaxCorners][2]float32
}

// mark begins every record; its last byte is the version.
const mark = "kerb aim\x01"

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// ErrForeign is what is no record of ours, or says what cannot be.
var ErrForeign = errors.New("not a record of aiming")

// A Pen writes records, one write each. It is not safe for concurrent use.
type Pen struct {
	to  io.Writer
	buf []byte
}

// NewPen writes to w.
func NewPen(w io.Writer) *Pen { return &Pen{to: w} }

// Write sends a *Report or a *Layout. It allocates in the first call only.
func (p *Pen) Write(record any) error {
	n := binary.Size(record)
	if n < 0 {
		return fmt.Errorf("write %T: not of a fixed size", record)
	}
	p.buf = append(p.buf[:0], mark...)
	b, err := binary.Append(p.buf, binary.LittleEndian, record)
	if err != nil {
		return err
	}
	p.buf = binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
	_, err = p.to.Write(p.buf)
	return err
}

// read waits for one record. io.EOF is the end between two of them.
func read(r io.Reader, record any) error {
	b := make([]byte, len(mark)+binary.Size(record)+4)
	if _, err := io.ReadFull(r, b); err != nil {
		return err
	}
	body := b[:len(b)-4]
	if string(b[:len(mark)]) != mark || binary.LittleEndian.Uint32(b[len(body):]) != crc32.Checksum(body, castagnoli) {
		return ErrForeign
	}
	_, err := binary.Decode(body[len(mark):], binary.LittleEndian, record)
	return err
}

// ReadReport waits for what the process that sees says, and refuses what no
// sketch can be.
func ReadReport(r io.Reader) (*Report, error) {
	m := new(Report)
	if err := read(r, m); err != nil {
		return nil, err
	}
	if !m.Sketch.InBounds() && m.Sketch.Width > 0 || int(m.N) > len(m.Passes) || int(m.Fault) >= len(Faults()) {
		return nil, fmt.Errorf("%w: a sketch beyond its bounds", ErrForeign)
	}
	for _, p := range m.Passes[:m.N] {
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

// ReadLayout waits for what is to be counted, and refuses what cannot be.
func ReadLayout(r io.Reader) (*Layout, error) {
	l := new(Layout)
	if err := read(r, l); err != nil {
		return nil, err
	}
	if l.NLines > MaxLines || l.NZones > MaxZones || l.NMasks > MaxMasks || l.NHeight != 0 && l.NHeight != 2 {
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
	for _, h := range l.Heights[:l.NHeight] {
		ok = ok && in(h[:4]...) && h[4] >= 0.5 && h[4] <= 20
	}
	if !ok {
		return nil, fmt.Errorf("%w: a place outside the picture", ErrForeign)
	}
	return l, nil
}

// Polygon is the area as counting knows it.
func (a Area) Polygon() (g counting.Polygon) {
	for _, p := range a.At[:a.N] {
		g = append(g, counting.Point{X: float64(p[0]), Y: float64(p[1])})
	}
	return g
}
