// Package onnxtest writes small ONNX files for tests. The numbers of fields and
// attribute types are those of onnx.proto3. It writes only what package onnx
// reads, and refuses nothing: a test may write a broken file.
package onnxtest

import (
	"encoding/binary"
	"maps"
	"math"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"

	"kerb/counting/neural/onnx"
)

// Encode returns a model as an ONNX file that onnx.Parse and onnxruntime read.
// It writes weights as raw bytes, which is right for Float and Int64 only, and
// names the graph "test".
func Encode(m *onnx.Model) []byte {
	var g []byte
	for _, n := range m.Nodes {
		g = appendMessage(g, 1, encodeNode(n))
	}
	g = appendString(g, 2, "test")
	for _, name := range slices.Sorted(maps.Keys(m.Weights)) {
		g = appendMessage(g, 5, encodeTensor(name, m.Weights[name]))
	}
	for _, v := range m.Inputs {
		g = appendMessage(g, 11, encodeValue(v))
	}
	for _, v := range m.Outputs {
		g = appendMessage(g, 12, encodeValue(v))
	}
	b := appendVarint(nil, 1, uint64(m.IR))
	b = appendString(b, 2, m.Producer)
	b = appendMessage(b, 7, g)
	b = appendMessage(b, 8, appendVarint(nil, 2, uint64(m.Opset)))
	for _, k := range slices.Sorted(maps.Keys(m.Meta)) {
		b = appendMessage(b, 14, appendString(appendString(nil, 1, k), 2, m.Meta[k]))
	}
	return b
}

func appendVarint(b []byte, field protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), v)
}

func appendString(b []byte, field protowire.Number, s string) []byte {
	return protowire.AppendString(protowire.AppendTag(b, field, protowire.BytesType), s)
}

func appendMessage(b []byte, field protowire.Number, m []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), m)
}

func encodeNode(n onnx.Node) []byte {
	var b []byte
	for _, s := range n.In {
		b = appendString(b, 1, s)
	}
	for _, s := range n.Out {
		b = appendString(b, 2, s)
	}
	b = appendString(b, 3, n.Name)
	b = appendString(b, 4, n.Op)
	for _, name := range slices.Sorted(maps.Keys(n.Attrs)) {
		b = appendMessage(b, 5, encodeAttr(name, n.Attrs[name]))
	}
	return appendString(b, 7, n.Domain)
}

// encodeAttr takes the attribute's type from the field that is filled; where none
// is, it writes the integer zero.
func encodeAttr(name string, a onnx.Attr) []byte {
	b := appendString(nil, 1, name)
	switch {
	case a.T != nil:
		return appendVarint(appendMessage(b, 5, encodeTensor("", a.T)), 20, 4)
	case a.S != "":
		return appendVarint(appendString(b, 4, a.S), 20, 3)
	case a.F != 0:
		b = protowire.AppendTag(b, 2, protowire.Fixed32Type)
		return appendVarint(protowire.AppendFixed32(b, math.Float32bits(a.F)), 20, 1)
	case a.Ints != nil:
		for _, v := range a.Ints {
			b = appendVarint(b, 8, uint64(v))
		}
		return appendVarint(b, 20, 7)
	}
	return appendVarint(appendVarint(b, 3, uint64(a.I)), 20, 2)
}

func encodeTensor(name string, t *onnx.Tensor) []byte {
	var b, raw []byte
	for _, d := range t.Shape {
		b = appendVarint(b, 1, uint64(d))
	}
	b = appendVarint(b, 2, uint64(t.Type))
	for _, f := range t.F {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(f))
	}
	for _, i := range t.I {
		raw = binary.LittleEndian.AppendUint64(raw, uint64(i))
	}
	return appendMessage(appendString(b, 8, name), 9, raw)
}

func encodeValue(v onnx.Value) []byte {
	var shape []byte
	for _, d := range v.Shape {
		shape = appendMessage(shape, 1, appendVarint(nil, 1, uint64(d)))
	}
	typ := appendVarint(nil, 1, uint64(v.Type))
	if v.Shape != nil {
		typ = appendMessage(typ, 2, shape)
	}
	return appendMessage(appendString(nil, 1, v.Name), 2, appendMessage(nil, 1, typ))
}
