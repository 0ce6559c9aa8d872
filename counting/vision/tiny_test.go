package vision

import (
	"encoding/binary"
	"math"
	"testing"

	"kerb/counting/neural"
)

// proto is a message of Protocol Buffers under construction.
type proto []byte

func (p proto) num(field, v int) proto {
	return binary.AppendUvarint(binary.AppendUvarint(p, uint64(field)<<3), uint64(v))
}

func (p proto) bytes(field int, v []byte) proto {
	p = binary.AppendUvarint(binary.AppendUvarint(p, uint64(field)<<3|2), uint64(len(v)))
	return append(p, v...)
}

func (p proto) text(field int, v string) proto { return p.bytes(field, []byte(v)) }

func tensor(name string, kind int, raw []byte, dims ...int) (p proto) {
	for _, d := range dims {
		p = p.num(1, d)
	}
	return p.num(2, kind).text(8, name).bytes(9, raw)
}

func floats(vs []float32) (raw []byte) {
	for _, v := range vs {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
	}
	return raw
}

func node(op, out string, in ...string) (p proto) {
	for _, i := range in {
		p = p.text(1, i)
	}
	return p.text(2, out).text(3, op).text(4, op)
}

func value(name string, dims ...int) proto {
	var shape proto
	for _, d := range dims {
		shape = shape.bytes(1, proto{}.num(1, d))
	}
	return proto{}.text(1, name).bytes(2, proto{}.bytes(1, proto{}.num(1, 1).bytes(2, shape)))
}

// tinyNetwork is an ONNX network for 64×64 pixels that detects, from a picture's mean
// alone, one person of 32×32 in the middle: its objectness is the mean over 255. The output is that of a YOLOX of 64×64.
func tinyNetwork() []byte {
	n := yoloxRows(64, 64) * cocoRow
	weights, bias := make([]float32, 3*n), make([]float32, n)
	row := 64 + 16 // of the coarse grid, first place
	setRow(bias, row, map[int]float32{0: 1, 1: 1, 5: 1})
	weights[row*cocoRow+4] = 1.0 / 255
	var shape []byte
	for _, d := range []int{1, yoloxRows(64, 64), cocoRow} {
		shape = binary.LittleEndian.AppendUint64(shape, uint64(d))
	}
	graph := proto{}.
		bytes(1, node("GlobalAveragePool", "mean", "images")).
		bytes(1, node("Flatten", "flat", "mean")).
		bytes(1, node("Gemm", "all", "flat", "weights", "bias")).
		bytes(1, node("Reshape", "output", "all", "shape")).
		text(2, "watchman").
		bytes(5, tensor("weights", 1, floats(weights), 3, n)).
		bytes(5, tensor("bias", 1, floats(bias), n)).
		bytes(5, tensor("shape", 7, shape, 3)).
		bytes(11, value("images", 1, 3, 64, 64)).
		bytes(12, value("output", 1, yoloxRows(64, 64), cocoRow))
	return proto{}.num(1, 8).bytes(7, graph).bytes(8, proto{}.text(1, "").num(2, 13))
}

// newTinyNetwork loads and plans that network.
func newTinyNetwork(t *testing.T) *neural.Net {
	t.Helper()
	net, err := neural.Load(tinyNetwork(), "watchman.onnx", neural.Opts{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(net.Close)
	return net
}
