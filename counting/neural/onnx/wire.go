package onnx

import (
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// field is one field of a message: n for a number, b for bytes.
type field struct {
	num protowire.Number
	typ protowire.Type
	n   uint64
	b   []byte
}

// parseFields calls do for each field of a message. A field of another wire type
// than its reader expects reads as zero.
func parseFields(b []byte, do func(field) error) error {
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return protowire.ParseError(n)
		}
		b = b[n:]
		f := field{num: num, typ: typ}
		switch typ {
		case protowire.VarintType:
			f.n, n = protowire.ConsumeVarint(b)
		case protowire.Fixed32Type:
			var v uint32
			v, n = protowire.ConsumeFixed32(b)
			f.n = uint64(v)
		case protowire.Fixed64Type:
			f.n, n = protowire.ConsumeFixed64(b)
		case protowire.BytesType:
			f.b, n = protowire.ConsumeBytes(b)
		default:
			n = protowire.ConsumeFieldValue(num, typ, b)
		}
		if n < 0 {
			return protowire.ParseError(n)
		}
		b = b[n:]
		if err := do(f); err != nil {
			return err
		}
	}
	return nil
}

func (f field) asInt() int64      { return int64(f.n) }
func (f field) asString() string  { return string(f.b) }
func (f field) asFixed32() uint32 { return uint32(f.n) }

// appendFloats appends a repeated float, packed or not.
func (f field) appendFloats(to []float32) ([]float32, error) {
	if f.typ == protowire.Fixed32Type {
		return append(to, math.Float32frombits(f.asFixed32())), nil
	}
	for b := f.b; len(b) > 0; b = b[4:] {
		v, n := protowire.ConsumeFixed32(b)
		if n < 0 {
			return to, protowire.ParseError(n)
		}
		to = append(to, math.Float32frombits(v))
	}
	return to, nil
}

// appendInts appends a repeated varint, packed or not.
func (f field) appendInts(to []int64) ([]int64, error) {
	if f.typ == protowire.VarintType {
		return append(to, f.asInt()), nil
	}
	for b := f.b; len(b) > 0; {
		v, n := protowire.ConsumeVarint(b)
		if n < 0 {
			return to, protowire.ParseError(n)
		}
		to, b = append(to, int64(v)), b[n:]
	}
	return to, nil
}
