// Package onnxtest writes small ONNX files for tests.
package onnxtest

import (
	"encoding/binary"
	"maps"
	"math"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"

	"kerb/counting/neural/onnx"
)

// Encode writes a model as an ONNX file that onnx.Parse reads back and
// onnxruntime runs. Weights are written as raw bytes.
func Encode(m *onnx.Model) []byte {
	var g []byte
	for _, n := range m.Nodes {
		g = message(g, 1, node(n))
	}
	g = text(g, 2, "test")
	for _, name := range slices.Sorted(maps.Keys(m.Weights)) {
		g = message(g, 5, tensor(name, m.Weights[name]))
	}
	for _, v := range m.Inputs {
		g = message(g, 11, value(v))
	}
	for _, v := range m.Outputs {
		g = message(g, 12, value(v))
	}
	b := number(nil, 1, uint64(m.IR))
	b = text(b, 2, m.Producer)
	b = message(b, 7, g)
	b = message(b, 8, number(nil, 2, uint64(m.Opset)))
	for _, k := range slices.Sorted(maps.Keys(m.Meta)) {
		b = message(b, 14, text(text(nil, 1, k), 2, m.Meta[k]))
	}
	return b
}

func number(b []byte, field protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), v)
}

func text(b []byte, field protowire.Number, s string) []byte {
	return protowire.AppendString(protowire.AppendTag(b, field, protowire.BytesType), s)
}

func message(b []byte, field protowire.Number, m []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), m)
}

func node(n onnx.Node) []byte {
	var b []byte
	for _, s := range n.In {
		b = text(b, 1, s)
	}
	for _, s := range n.Out {
		b = text(b, 2, s)
	}
	b = text(b, 3, n.Name)
	b = text(b, 4, n.Op)
	for _, name := range slices.Sorted(maps.Keys(n.Attrs)) {
		b = message(b, 5, attr(name, n.Attrs[name]))
	}
	return text(b, 7, n.Domain)
}

// attr guesses the attribute's type from which field is filled; a zero
// integer is the default.
func attr(name string, a onnx.Attr) []byte {
	b := text(nil, 1, name)
	switch {
	case a.T != nil:
		return number(message(b, 5, tensor("", a.T)), 20, 4)
	case a.S != "":
		return number(text(b, 4, a.S), 20, 3)
	case a.F != 0:
		b = protowire.AppendTag(b, 2, protowire.Fixed32Type)
		return number(protowire.AppendFixed32(b, math.Float32bits(a.F)), 20, 1)
	case a.Ints != nil:
		for _, v := range a.Ints {
			b = number(b, 8, uint64(v))
		}
		return number(b, 20, 7)
	}
	return number(number(b, 3, uint64(a.I)), 20, 2)
}

func tensor(name string, t *onnx.Tensor) []byte {
	var b, raw []byte
	for _, d := range t.Shape {
		b = number(b, 1, uint64(d))
	}
	b = number(b, 2, uint64(t.Type))
	for _, f := range t.F {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(f))
	}
	for _, i := range t.I {
		raw = binary.LittleEndian.AppendUint64(raw, uint64(i))
	}
	return message(text(b, 8, name), 9, raw)
}

func value(v onnx.Value) []byte {
	var shape []byte
	for _, d := range v.Shape {
		shape = message(shape, 1, number(nil, 1, uint64(d)))
	}
	typ := number(nil, 1, uint64(v.Type))
	if v.Shape != nil {
		typ = message(typ, 2, shape)
	}
	return message(text(nil, 1, v.Name), 2, message(nil, 1, typ))
}
