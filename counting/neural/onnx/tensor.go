package onnx

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// parseTensor reads a constant and checks that it has as many elements as its
// shape. It refuses elements in another file.
func parseTensor(b []byte) (*Tensor, error) {
	t := &Tensor{}
	var raw []byte
	var hasRaw bool
	err := parseFields(b, func(f field) (err error) {
		switch f.num {
		case tensorDims:
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
		case tensorDataType:
			t.Type = Type(f.asInt())
		case tensorFloatData:
			t.F, err = f.appendFloats(t.F)
		case tensorInt32Data, tensorInt64Data, tensorUint64Data:
			t.I, err = f.appendInts(t.I)
		case tensorName:
			t.Name = f.asString()
		case tensorRawData:
			raw, hasRaw = f.b, true
		case tensorDoubleData:
			err = t.appendDoubles(f)
		case tensorExternal, tensorLocation:
			if f.num == tensorExternal || f.n != 0 {
				err = errors.New("weights in another file are not supported")
			}
		}
		return err
	})
	if err != nil {
		return t, err
	}
	n, err := ElemCount(t.Shape)
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

// appendDoubles appends a repeated double, packed or not, as float32.
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

// settleTyped converts and checks elements that came in a typed field instead of
// raw_data. Float16 lies in int32_data, as bits.
func (t *Tensor) settleTyped() error {
	if t.Type == Float16 {
		t.F = make([]float32, len(t.I))
		for i, v := range t.I {
			t.F[i] = halfToFloat(uint16(v))
		}
		t.I = nil
	}
	if len(t.F) > 0 && !t.Type.IsReal() || len(t.I) > 0 && t.Type.IsReal() || t.elemSize() == 0 {
		return fmt.Errorf("element type %d: not supported here", t.Type)
	}
	return nil
}

// elemSize returns the bytes of an element in raw_data, 0 for a type that is not
// supported.
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

// decodeRaw decodes n elements from raw_data, little-endian. It checks the length
// before it allocates.
func (t *Tensor) decodeRaw(b []byte, n int) error {
	size := t.elemSize()
	if size == 0 {
		return fmt.Errorf("element type %d: not supported", t.Type)
	}
	if len(b) != n*size || len(t.F)+len(t.I) > 0 {
		return fmt.Errorf("%d bytes for shape %v of %d-byte elements", len(b), t.Shape, size)
	}
	if t.Type.IsReal() {
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

// Fields of IEEE 754 binary16, and their distances from those of binary32.
const (
	halfSignShift   = 15
	halfFracBits    = 10
	halfExpMask     = 1<<5 - 1
	halfFracMask    = 1<<halfFracBits - 1
	floatExpMask    = 0xff
	floatFracBits   = 23
	fracShift       = floatFracBits - halfFracBits
	expBiasDistance = 127 - 15
)

// halfToFloat widens an IEEE 754 binary16 to binary32. This is exact.
func halfToFloat(h uint16) float32 {
	sign, exp, frac := uint32(h>>halfSignShift)<<31, uint32(h>>halfFracBits)&halfExpMask, uint32(h)&halfFracMask
	switch exp {
	case 0: // zero or subnormal: frac × 2⁻²⁴
		f := float32(frac) / (1 << 24)
		return math.Float32frombits(math.Float32bits(f) | sign)
	case halfExpMask: // infinity or NaN
		return math.Float32frombits(sign | floatExpMask<<floatFracBits | frac<<fracShift)
	}
	return math.Float32frombits(sign | (exp+expBiasDistance)<<floatFracBits | frac<<fracShift)
}
