package onnx

import (
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// Numbers of the fields that are read, by message, from onnx.proto3.
const (
	// ModelProto
	modelIRVersion   = 1
	modelProducer    = 2
	modelGraph       = 7
	modelOpsetImport = 8
	modelMetadata    = 14

	// OperatorSetIdProto
	opsetDomain  = 1
	opsetVersion = 2

	// StringStringEntryProto
	entryKey   = 1
	entryValue = 2

	// GraphProto
	graphNode        = 1
	graphName        = 2
	graphInitializer = 5
	graphInput       = 11
	graphOutput      = 12
	graphSparse      = 15

	// NodeProto
	nodeInput     = 1
	nodeOutput    = 2
	nodeName      = 3
	nodeOpType    = 4
	nodeAttribute = 5
	nodeDomain    = 7

	// AttributeProto
	attrName   = 1
	attrFloat  = 2
	attrInt    = 3
	attrString = 4
	attrTensor = 5
	attrGraph  = 6
	attrFloats = 7
	attrInts   = 8
	attrGraphs = 11

	// ValueInfoProto
	valueName = 1
	valueType = 2

	// TypeProto
	typeTensor = 1

	// TypeProto.Tensor
	tensorTypeElem  = 1
	tensorTypeShape = 2

	// TensorShapeProto
	shapeDim = 1

	// TensorShapeProto.Dimension
	dimValue = 1

	// TensorProto
	tensorDims       = 1
	tensorDataType   = 2
	tensorFloatData  = 4
	tensorInt32Data  = 5
	tensorInt64Data  = 7
	tensorName       = 8
	tensorRawData    = 9
	tensorDoubleData = 10
	tensorUint64Data = 11
	tensorExternal   = 13
	tensorLocation   = 14
)

// field is one field of a protobuf message. n holds a number of any wire type, b
// the bytes of a string, submessage or packed list.
type field struct {
	num protowire.Number
	typ protowire.Type
	n   uint64
	b   []byte
}

// parseFields calls parse for each field of a message, until an error. A field
// whose wire type its reader does not expect reads as zero.
func parseFields(b []byte, parse func(field) error) error {
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
		if err := parse(f); err != nil {
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
