package onnx_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"kerb/counting/neural/onnx"
	"kerb/counting/neural/onnx/onnxtest"
)

func smallModel() *onnx.Model {
	return &onnx.Model{
		IR: 7, Producer: "test", Opset: 13, Name: "test", Meta: map[string]string{"license": "Apache-2.0"},
		Nodes: []onnx.Node{
			{Op: "Conv", Name: "c", In: []string{"x", "w"}, Out: []string{"y"}, Attrs: map[string]onnx.Attr{
				"pads": {Ints: []int64{1, 1, 1, 1}}, "auto_pad": {S: "NOTSET"}, "group": {I: 1},
			}},
			{Op: "LeakyRelu", Name: "r", In: []string{"y"}, Out: []string{"z"}, Attrs: map[string]onnx.Attr{"alpha": {F: 0.25}}},
		},
		Weights: map[string]*onnx.Tensor{
			"w": {Name: "w", Type: onnx.Float, Shape: []int{1, 1, 3, 3}, F: []float32{1, 2, 3, 4, 5, 6, 7, 8, 9}},
			"i": {Name: "i", Type: onnx.Int64, Shape: []int{2}, I: []int64{-1, 1 << 40}},
		},
		Inputs:  []onnx.Value{{Name: "x", Type: onnx.Float, Shape: []int{1, 1, 5, 5}}},
		Outputs: []onnx.Value{{Name: "z", Type: onnx.Float, Shape: []int{1, 1, 5, 5}}},
	}
}

func TestWhatWasWrittenIsRead(t *testing.T) {
	want := smallModel()
	got, err := onnx.Parse(onnxtest.Encode(want))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestBrokenFilesAreNamed(t *testing.T) {
	whole := onnxtest.Encode(smallModel())
	for name, c := range map[string]struct {
		file []byte
		want string
	}{
		"empty":                  {nil, "no graph"},
		"cut off":                {whole[:len(whole)-30], "unexpected EOF"},
		"text":                   {[]byte("<html>"), "not a well-formed ONNX file"},
		"weights that are short": {onnxtest.Encode(shortWeights()), `weight "w"`},
		"huge tensor":            {onnxtest.Encode(hugeTensor()), "elements"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := onnx.Parse(c.file)
			if !errors.Is(err, onnx.ErrFormat) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v: must wrap ErrFormat and name %q", err, c.want)
			}
		})
	}
}

func shortWeights() *onnx.Model {
	m := smallModel()
	m.Weights["w"].F = m.Weights["w"].F[:4]
	return m
}

func hugeTensor() *onnx.Model {
	m := smallModel()
	m.Weights["w"].Shape = []int{1 << 20, 1 << 20}
	return m
}

func TestHalfPrecisionIsWidened(t *testing.T) {
	for h, want := range map[uint16]float32{0x3c00: 1, 0xc000: -2, 0x3555: 0.333251953125, 0x0001: 1.0 / (1 << 24), 0x7bff: 65504, 0x8000: 0} {
		raw := []byte{byte(h), byte(h >> 8)}
		tensor := protowire.AppendVarint(protowire.AppendTag(nil, 2, protowire.VarintType), uint64(onnx.Float16))
		tensor = protowire.AppendString(protowire.AppendTag(tensor, 8, protowire.BytesType), "h")
		tensor = protowire.AppendBytes(protowire.AppendTag(tensor, 9, protowire.BytesType), raw)
		graph := protowire.AppendBytes(protowire.AppendTag(nil, 5, protowire.BytesType), tensor)
		m, err := onnx.Parse(protowire.AppendBytes(protowire.AppendTag(nil, 7, protowire.BytesType), graph))
		if err != nil {
			t.Fatal(err)
		}
		if got := m.Weights["h"].F[0]; got != want {
			t.Errorf("%#04x = %g, want %g", h, got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(onnxtest.Encode(smallModel()))
	f.Add(onnxtest.Encode(shortWeights()))
	f.Add(onnxtest.Encode(hugeTensor()))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := onnx.Parse(b)
		if err != nil {
			return
		}
		for name, w := range m.Weights {
			if n, err := onnx.ElemCount(w.Shape); err != nil || n != len(w.F)+len(w.I) {
				t.Errorf("weight %q: shape %v with %d elements: %v", name, w.Shape, len(w.F)+len(w.I), err)
			}
			if 4*len(w.F)+len(w.I) > 8*len(b) {
				t.Errorf("weight %q: %d elements from %d bytes", name, len(w.F)+len(w.I), len(b))
			}
		}
	})
}
