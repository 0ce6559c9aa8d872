package neural_test

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"kerb/counting/neural"
	"kerb/counting/neural/onnx"
	"kerb/counting/neural/onnx/onnxtest"
)

type attrs = map[string]onnx.Attr

func intsAttr(v ...int64) onnx.Attr { return onnx.Attr{Ints: v} }

// graph is a small network: nodes from "x" to "y", weights by name.
type graph struct {
	in      []int
	nodes   []onnx.Node
	weights map[string][]int   // filled at random
	numbers map[string][]int64 // shapes, axes, …
	reals   map[string][]float32
	opset   int64 // 0: 13
}

func newNode(name, in, out string, a attrs, more ...string) onnx.Node {
	return onnx.Node{Op: name, Name: out, In: append([]string{in}, more...), Out: []string{out}, Attrs: a}
}

func oneNode(in []int, name string, a attrs) graph {
	return graph{in: in, nodes: []onnx.Node{newNode(name, "x", "y", a)}}
}

func convGraph(in, w []int, a attrs) graph {
	return graph{in: in, nodes: []onnx.Node{newNode("Conv", "x", "y", a, "w", "b")}, weights: map[string][]int{"w": w, "b": w[:1]}}
}

func (g graph) model(r *rand.Rand) *onnx.Model {
	m := &onnx.Model{IR: 7, Opset: g.opset, Nodes: g.nodes, Weights: map[string]*onnx.Tensor{}}
	if m.Opset == 0 {
		m.Opset = 13
	}
	for name, shape := range g.weights {
		n, _ := onnx.ElemCount(shape)
		t := &onnx.Tensor{Type: onnx.Float, Shape: shape, F: make([]float32, n)}
		for i := range t.F {
			t.F[i] = float32(r.NormFloat64())
			if name == "variance" {
				t.F[i] = t.F[i]*t.F[i] + 0.1
			}
		}
		m.Weights[name] = t
	}
	for name, v := range g.numbers {
		m.Weights[name] = &onnx.Tensor{Type: onnx.Int64, Shape: []int{len(v)}, I: v}
	}
	for name, v := range g.reals {
		shape := []int{len(v)}
		if len(v) == 1 {
			shape = nil
		}
		m.Weights[name] = &onnx.Tensor{Type: onnx.Float, Shape: shape, F: v}
	}
	m.Inputs = []onnx.Value{{Name: "x", Type: onnx.Float, Shape: g.in}}
	m.Outputs = []onnx.Value{{Name: "y", Type: onnx.Float}}
	return m
}

var pic = []int{1, 6, 11, 13}

var operators = map[string]graph{
	"conv 1x1":            convGraph(pic, []int{9, 6, 1, 1}, nil),
	"conv 1x1 strided":    convGraph(pic, []int{40, 6, 1, 1}, attrs{"strides": intsAttr(2, 2)}),
	"conv 3x3":            convGraph(pic, []int{20, 6, 3, 3}, attrs{"pads": intsAttr(1, 1, 1, 1)}),
	"conv 3x3 strided":    convGraph([]int{2, 3, 40, 44}, []int{24, 3, 3, 3}, attrs{"pads": intsAttr(1, 1, 1, 1), "strides": intsAttr(2, 2)}),
	"conv dilated":        convGraph(pic, []int{5, 6, 3, 3}, attrs{"pads": intsAttr(2, 1, 0, 3), "dilations": intsAttr(2, 2)}),
	"conv 5x2 uneven":     convGraph(pic, []int{5, 6, 5, 2}, attrs{"pads": intsAttr(1, 0, 2, 1), "strides": intsAttr(3, 2)}),
	"conv grouped":        convGraph(pic, []int{9, 2, 3, 3}, attrs{"group": {I: 3}, "pads": intsAttr(1, 1, 1, 1)}),
	"conv auto pad":       convGraph(pic, []int{4, 6, 3, 3}, attrs{"auto_pad": {S: "SAME_UPPER"}, "strides": intsAttr(2, 2)}),
	"depthwise":           convGraph([]int{1, 20, 9, 30}, []int{20, 1, 3, 3}, attrs{"group": {I: 20}, "pads": intsAttr(1, 1, 1, 1)}),
	"depthwise 5x5":       convGraph([]int{2, 24, 12, 9}, []int{24, 1, 5, 5}, attrs{"group": {I: 24}, "pads": intsAttr(2, 2, 2, 2), "strides": intsAttr(2, 2)}),
	"depthwise twofold":   convGraph(pic, []int{12, 1, 3, 3}, attrs{"group": {I: 6}}),
	"depthwise all pad":   convGraph([]int{1, 8, 4, 4}, []int{8, 1, 3, 3}, attrs{"group": {I: 8}, "pads": intsAttr(5, 5, 5, 5)}),
	"relu":                oneNode(pic, "Relu", nil),
	"leaky":               oneNode(pic, "LeakyRelu", attrs{"alpha": {F: 0.1}}),
	"sigmoid":             oneNode(pic, "Sigmoid", nil),
	"hard sigmoid":        oneNode(pic, "HardSigmoid", attrs{"alpha": {F: 0.3}}),
	"tanh":                oneNode(pic, "Tanh", nil),
	"softmax":             oneNode(pic, "Softmax", attrs{"axis": {I: 1}}),
	"softmax of opset 11": {in: pic, opset: 11, nodes: []onnx.Node{newNode("Softmax", "x", "y", attrs{"axis": {I: 2}})}},
	"max pool":            oneNode(pic, "MaxPool", attrs{"kernel_shape": intsAttr(3, 3), "strides": intsAttr(2, 2), "pads": intsAttr(1, 1, 1, 1)}),
	"max pool ceil":       oneNode(pic, "MaxPool", attrs{"kernel_shape": intsAttr(3, 2), "strides": intsAttr(2, 2), "ceil_mode": {I: 1}}),
	"average pool":        oneNode(pic, "AveragePool", attrs{"kernel_shape": intsAttr(3, 3), "strides": intsAttr(2, 2), "pads": intsAttr(1, 1, 1, 1)}),
	"average pool whole":  oneNode(pic, "AveragePool", attrs{"kernel_shape": intsAttr(3, 3), "pads": intsAttr(1, 1, 1, 1), "count_include_pad": {I: 1}}),
	"global average":      oneNode(pic, "GlobalAveragePool", nil),
	"global maximum":      oneNode(pic, "GlobalMaxPool", nil),
	"transpose":           oneNode(pic, "Transpose", attrs{"perm": intsAttr(0, 2, 3, 1)}),
	"flatten":             oneNode(pic, "Flatten", attrs{"axis": {I: 1}}),
	"mean":                oneNode(pic, "ReduceMean", attrs{"axes": intsAttr(2, 3), "keepdims": {I: 0}}),
	"maximum":             oneNode(pic, "ReduceMax", attrs{"axes": intsAttr(1)}),
	"matrix product":      {in: []int{3, 17}, nodes: []onnx.Node{newNode("MatMul", "x", "y", nil, "w")}, weights: map[string][]int{"w": {17, 21}}},
	"product of many":     {in: []int{2, 30, 17}, nodes: []onnx.Node{newNode("MatMul", "x", "y", nil, "w")}, weights: map[string][]int{"w": {17, 40}}},
	"gemm":                {in: []int{1, 33}, nodes: []onnx.Node{newNode("Gemm", "x", "y", attrs{"transB": {I: 1}, "alpha": {F: 0.5}, "beta": {F: 2}}, "w", "b")}, weights: map[string][]int{"w": {10, 33}, "b": {10}}},
	"clip":                {in: pic, nodes: []onnx.Node{newNode("Clip", "x", "y", nil, "lo", "hi")}, reals: map[string][]float32{"lo": {-0.5}, "hi": {0.5}}},
	"normalised": {in: pic, weights: map[string][]int{"w": {8, 6, 3, 3}, "scale": {8}, "shift": {8}, "mean": {8}, "variance": {8}}, nodes: []onnx.Node{
		newNode("Conv", "x", "a", nil, "w"), newNode("BatchNormalization", "a", "b", nil, "scale", "shift", "mean", "variance"), newNode("Relu", "b", "y", nil),
	}},
	"normalised input": {in: pic, weights: map[string][]int{"scale": {6}, "shift": {6}, "mean": {6}, "variance": {6}}, nodes: []onnx.Node{
		newNode("BatchNormalization", "x", "y", nil, "scale", "shift", "mean", "variance"),
	}},
	"hard swish": {in: pic, weights: map[string][]int{"w": {8, 6, 1, 1}}, nodes: []onnx.Node{
		newNode("Conv", "x", "a", nil, "w"), newNode("HardSigmoid", "a", "b", attrs{"alpha": {F: 1. / 6}}), newNode("Mul", "a", "y", nil, "b"),
	}},
	"residual": {in: pic, weights: map[string][]int{"w": {6, 6, 3, 3}}, nodes: []onnx.Node{
		newNode("Conv", "x", "a", attrs{"pads": intsAttr(1, 1, 1, 1)}, "w"), newNode("Add", "x", "b", nil, "a"), newNode("Relu", "b", "y", nil),
	}},
	"residual after": {in: pic, weights: map[string][]int{"w": {40, 6, 3, 3}, "v": {40, 6, 1, 1}}, nodes: []onnx.Node{
		newNode("Conv", "x", "a", attrs{"pads": intsAttr(1, 1, 1, 1)}, "w"), newNode("Sigmoid", "a", "s", nil), newNode("Mul", "s", "m", nil, "a"),
		newNode("Conv", "x", "c", nil, "v"), newNode("Relu", "c", "d", nil), newNode("Add", "m", "y", nil, "d"),
	}},
	"channel scale": {in: pic, weights: map[string][]int{"w": {1, 6, 1, 1}}, nodes: []onnx.Node{newNode("Mul", "x", "a", nil, "w"), newNode("Sub", "w", "y", nil, "a")}},
	"squeeze and excite": {in: pic, weights: map[string][]int{"w": {6, 6, 1, 1}}, nodes: []onnx.Node{
		newNode("GlobalAveragePool", "x", "a", nil), newNode("Conv", "a", "b", nil, "w"), newNode("Sigmoid", "b", "c", nil), newNode("Mul", "x", "y", nil, "c"),
	}},
	"division": {in: pic, weights: map[string][]int{"variance": {6, 1, 1}}, nodes: []onnx.Node{newNode("Div", "x", "y", nil, "variance")}},
	"split and join": {in: pic, nodes: []onnx.Node{
		{Op: "Split", Name: "s", In: []string{"x"}, Out: []string{"a", "b"}, Attrs: attrs{"axis": {I: 1}}},
		newNode("Relu", "a", "c", nil), newNode("Concat", "b", "y", attrs{"axis": {I: 1}}, "c", "b"),
	}},
	"slice": {in: pic, numbers: map[string][]int64{"from": {1, -9}, "to": {1 << 62, -2}, "axes": {1, 3}, "step": {2, 3}}, nodes: []onnx.Node{
		newNode("Slice", "x", "a", nil, "from", "to", "axes", "step"), newNode("Relu", "a", "y", nil),
	}},
	"focus": {in: []int{1, 3, 12, 40}, weights: map[string][]int{"w": {8, 12, 3, 3}, "b": {8}}, numbers: map[string][]int64{"zero": {0}, "one": {1}, "end": {1 << 62}, "h": {2}, "w3": {3}, "two": {2}}, nodes: []onnx.Node{
		newNode("Slice", "x", "even", nil, "zero", "end", "h", "two"), newNode("Slice", "x", "odd", nil, "one", "end", "h", "two"),
		newNode("Slice", "even", "a", nil, "zero", "end", "w3", "two"), newNode("Slice", "odd", "b2", nil, "zero", "end", "w3", "two"),
		newNode("Slice", "even", "c", nil, "one", "end", "w3", "two"), newNode("Slice", "odd", "d", nil, "one", "end", "w3", "two"),
		newNode("Concat", "a", "f", attrs{"axis": {I: 1}}, "b2", "c", "d"), newNode("Conv", "f", "y", attrs{"pads": intsAttr(1, 1, 1, 1)}, "w", "b"),
	}},
	"spatial pyramid": {in: []int{1, 8, 13, 13}, nodes: []onnx.Node{
		newNode("MaxPool", "x", "a", attrs{"kernel_shape": intsAttr(5, 5), "pads": intsAttr(2, 2, 2, 2)}), newNode("MaxPool", "x", "b", attrs{"kernel_shape": intsAttr(9, 9), "pads": intsAttr(4, 4, 4, 4)}),
		newNode("MaxPool", "x", "c", attrs{"kernel_shape": intsAttr(13, 13), "pads": intsAttr(6, 6, 6, 6)}), newNode("Concat", "x", "y", attrs{"axis": {I: 1}}, "a", "b", "c"),
	}},
	"channel shuffle": {in: []int{1, 16, 5, 7}, weights: map[string][]int{"w": {16, 16, 1, 1}}, numbers: map[string][]int64{"s": {1, 2, 8, 5, 7}, "t": {1, 16, 5, 7}}, nodes: []onnx.Node{
		newNode("Conv", "x", "v", nil, "w"), newNode("Reshape", "v", "a", nil, "s"), newNode("Transpose", "a", "b", attrs{"perm": intsAttr(0, 2, 1, 3, 4)}), newNode("Reshape", "b", "y", nil, "t"),
	}},
	"pad": {in: pic, numbers: map[string][]int64{"p": {0, 0, 1, 2, 0, 0, 3, 0}}, reals: map[string][]float32{"v": {0.5}}, nodes: []onnx.Node{newNode("Pad", "x", "y", nil, "p", "v")}},
	"pad then conv": {in: pic, weights: map[string][]int{"w": {4, 6, 3, 3}}, numbers: map[string][]int64{"p": {0, 0, 1, 2, 0, 0, 3, 0}}, nodes: []onnx.Node{
		newNode("Pad", "x", "a", nil, "p"), newNode("Conv", "a", "y", nil, "w"),
	}},
	"resize nearest": {in: pic, reals: map[string][]float32{"s": {1, 1, 2, 3}}, nodes: []onnx.Node{
		newNode("Resize", "x", "y", attrs{"coordinate_transformation_mode": {S: "asymmetric"}, "nearest_mode": {S: "floor"}}, "", "s"),
	}},
	"resize half pixel": {in: pic, reals: map[string][]float32{"s": {1, 1, 1.7, 0.6}}, nodes: []onnx.Node{newNode("Resize", "x", "y", nil, "", "s")}},
	"resize linear":     {in: pic, reals: map[string][]float32{"s": {1, 1, 2, 2}}, nodes: []onnx.Node{newNode("Resize", "x", "y", attrs{"mode": {S: "linear"}}, "", "s")}},
	"resize to size": {in: pic, numbers: map[string][]int64{"n": {1, 6, 20, 9}}, nodes: []onnx.Node{
		newNode("Resize", "x", "y", attrs{"mode": {S: "linear"}, "coordinate_transformation_mode": {S: "align_corners"}}, "", "", "n"),
	}},
	"shape arithmetic": {in: pic, numbers: map[string][]int64{"i": {0}, "rest": {-1}}, nodes: []onnx.Node{
		newNode("Shape", "x", "s", nil), newNode("Gather", "s", "n", nil, "i"), newNode("Concat", "n", "to", attrs{"axis": {I: 0}}, "rest"), newNode("Reshape", "x", "y", nil, "to"),
	}},
}

func TestOperatorsEqualOnnxruntimes(t *testing.T) {
	for name, g := range operators {
		t.Run(name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(5, 6))
			file := onnxtest.Encode(g.model(r))
			path := filepath.Join(t.TempDir(), "model.onnx")
			if err := os.WriteFile(path, file, 0o600); err != nil {
				t.Fatal(err)
			}
			n, _ := onnx.ElemCount(g.in)
			in := make([]float32, n)
			for i := range in {
				in[i] = float32(r.NormFloat64())
			}
			want := runOnnxruntime(t, path, in, 1)
			for _, set := range kernelSets() {
				n, err := neural.Load(file, name, neural.Opts{Kernels: set.Name, Threads: 2})
				if err != nil {
					t.Fatal(err)
				}
				mem, _ := n.Input("x")
				copy(mem, in)
				n.Run()
				got, shape := n.Output("y")
				if len(got) != len(want) {
					t.Fatalf("%s: shape %v, onnxruntime has %d numbers", set.Name, shape, len(want))
				}
				if d := maxDifference(got, want); !(d <= 1e-4) {
					t.Errorf("%s: off by %g", set.Name, d)
				}
				n.Close()
			}
		})
	}
}
