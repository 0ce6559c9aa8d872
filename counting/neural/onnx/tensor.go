package onnx

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

func parseTensor(b []byte) (*Tensor, error) {
	t := &Tensor{}
	var raw []byte
	var hasRaw bool
	err := parseFields(b, func(f field) (err error) {
		switch f.num {
		case 1:
			var dims []int64
			if dims, err = f.appendInts(nil); err != nil {
				return err
			}
			for _, d := range dims {
				if d < 0 || d > MaxElems || len(t.Shape) == MaxDims {
					return fmt.Errorf("dimension %d of %d: out of bounds", d, len(t.Shape))
				}
				t.Shape = append(t.Shape, int(d))
			}
		case 2:
			t.Type = Type(f.asInt())
		case 4:
			t.F, err = f.appendFloats(t.F)
		case 5, 7, 11:
			t.I, err = f.appendInts(t.I)
		case 8:
			t.Name = f.asString()
		case 9:
			raw, hasRaw = f.b, true
		case 10:
			err = t.appendDoubles(f)
		case 13, 14:
			if f.num == 13 || f.n != 0 {
				err = errors.New("weights in another file are not supported")
			}
		}
		return err
	})
	if err != nil {
		return t, err
	}
	n, err := Elems(t.Shape)
	if err != nil {
		return t, err
	}
	if hasRaw {
		if err := t.decodeRaw(raw, n); err != nil {
			return t, err
		}
	} else if err := t.settleTyped(); err != nil {
		return t, err
	}
	if len(t.F)+len(t.I) != n {
		return t, fmt.Errorf("%d elements for shape %v", len(t.F)+len(t.I), t.Shape)
	}
	return t, nil
}

func (t *Tensor) appendDoubles(f field) error {
	if f.typ == protowire.Fixed64Type {
		t.F = append(t.F, float32(math.Float64frombits(f.n)))
		return nil
	}
	for b := f.b; len(b) > 0; b = b[8:] {
		v, n := protowire.ConsumeFixed64(b)
		if n < 0 {
			return protowire.ParseError(n)
		}
		t.F = append(t.F, float32(math.Float64frombits(v)))
	}
	return nil
}

// settleTyped settles values that came in a field of their own: half precision is
// kept in int32_data.
func (t *Tensor) settleTyped() error {
	if t.Type == Float16 {
		t.F = make([]float32, len(t.I))
		for i, v := range t.I {
			t.F[i] = halfToFloat(uint16(v))
		}
		t.I = nil
	}
	if len(t.F) > 0 && !t.Type.Real() || len(t.I) > 0 && t.Type.Real() || t.elemSize() == 0 {
		return fmt.Errorf("element type %d: not supported here", t.Type)
	}
	return nil
}

func (t *Tensor) elemSize() int {
	switch t.Type {
	case Double, Int64:
		return 8
	case Float, Int32:
		return 4
	case Float16:
		return 2
	case Uint8, Int8, Bool:
		return 1
	}
	return 0
}

// decodeRaw decodes little-endian bytes. The length is checked before anything is
// allocated.
func (t *Tensor) decodeRaw(b []byte, n int) error {
	size := t.elemSize()
	if size == 0 {
		return fmt.Errorf("element type %d: not supported", t.Type)
	}
	if len(b) != n*size || len(t.F)+len(t.I) > 0 {
		return fmt.Errorf("%d bytes for shape %v of %d-byte elements", len(b), t.Shape, size)
	}
	if t.Type.Real() {
		t.F = make([]float32, n)
	} else {
		t.I = make([]int64, n)
	}
	le := binary.LittleEndian
	for i := range n {
		e := b[i*size:]
		switch t.Type {
		case Float:
			t.F[i] = math.Float32frombits(le.Uint32(e))
		case Double:
			t.F[i] = float32(math.Float64frombits(le.Uint64(e)))
		case Float16:
			t.F[i] = halfToFloat(le.Uint16(e))
		case Int64:
			t.I[i] = int64(le.Uint64(e))
		case Int32:
			t.I[i] = int64(int32(le.Uint32(e)))
		case Int8:
			t.I[i] = int64(int8(e[0]))
		default:
			t.I[i] = int64(e[0])
		}
	}
	return nil
}

// halfToFloat widens an IEEE 754 binary16.
func halfToFloat(h uint16) float32 {
	sign, exp, frac := uint32(h>>15)<<31, uint32(h>>10)&31, uint32(h)&1023
	switch exp {
	case 0: // zero or subnormal: frac × 2⁻²⁴
		f := float32(frac) / (1 << 24)
		return math.Float32frombits(math.Float32bits(f) | sign)
	case 31:
		return math.Float32frombits(sign | 0xff<<23 | frac<<13)
	}
	return math.Float32frombits(sign | (exp+112)<<23 | frac<<13)
}
