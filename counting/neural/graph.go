package neural

import (
	"errors"
	"fmt"

	"kerb/counting/neural/onnx"
)

// value is a tensor of the graph during planning: its shape, the node that
// produces it, and the view of a buffer where it will lie.
type value struct {
	name     string
	shape    []int
	known    *onnx.Tensor // its elements, where they are known at load
	producer *node        // nil for inputs and weights
	readers  int          // uses as a runtime input; removeDeadNodes counts them
	external bool         // an input or output of the network: fusion keeps it
	layout   view
}

// node is one operator of the graph. inferNode decodes its attributes into
// operator and sets the shapes of its outputs.
type node struct {
	opType   string // ONNX's name of the operator
	name     string
	in       []*value // nil where an optional input is left out
	out      []*value
	attrs    map[string]onnx.Attr
	operator operator
}

// operator holds the checked parameters of a node: one of convOp, gemmOp,
// poolOp, viewOp, splitOp, concatOp, resizeOp, mapOp, binaryOp, padOp,
// softmaxOp and reduceOp. A node that fusion made unnecessary has none (nil).
type operator interface{}

// String names the node for errors and StepInfo: operator and name, or its
// first output where the file gives no name.
func (n *node) String() string {
	if n.name == "" && len(n.out) > 0 {
		return fmt.Sprintf("%s → %q", n.opType, n.out[0].name)
	}
	return fmt.Sprintf("%s %q", n.opType, n.name)
}

// intAttr returns an integer attribute, or def where the node has none.
func (n *node) intAttr(name string, def int) int {
	if a, ok := n.attrs[name]; ok {
		return int(a.I)
	}
	return def
}

func (n *node) floatAttr(name string, def float32) float32 {
	if a, ok := n.attrs[name]; ok {
		return a.F
	}
	return def
}

func (n *node) stringAttr(name, def string) string {
	if a, ok := n.attrs[name]; ok {
		return a.S
	}
	return def
}

func (n *node) hasAttr(name string) bool { _, ok := n.attrs[name]; return ok }

// boundedInts returns an attribute of exactly want integers, each in 0…limit.
// Where the node has none, every integer is def.
func (n *node) boundedInts(name string, want, limit int, def int) ([]int, error) {
	out := make([]int, want)
	a, ok := n.attrs[name]
	for i := range out {
		out[i] = def
	}
	if !ok || len(a.Ints) == 0 {
		return out, nil
	}
	if len(a.Ints) != want {
		return nil, fmt.Errorf("%s has %d numbers: must have %d", name, len(a.Ints), want)
	}
	for i, v := range a.Ints {
		if v < 0 || v > int64(limit) {
			return nil, fmt.Errorf("%s = %d: must be 0–%d", name, v, limit)
		}
		out[i] = int(v)
	}
	return out, nil
}

// inputAt returns input i, or nil where the optional input is left out.
func (n *node) inputAt(i int) *value {
	if i < len(n.in) {
		return n.in[i]
	}
	return nil
}

// graph is the network between the parsed file and the plan: nodes in
// topological order and their tensors by name.
type graph struct {
	opset     int
	nodes     []*node
	values    map[string]*value
	inputs    []*value
	outputs   []*value
	elemTotal int // elements of all tensors, bounded by maxTotal
}

var errUnsupported = errors.New("not supported")

// maxTotal bounds the elements of all intermediate tensors together (2²⁷, 512
// MiB as float32; chosen by hand). It is checked before any of them is
// allocated, so a hostile file cannot exhaust the memory.
const maxTotal = 1 << 27

// foldedWeight is what one element that is folded at load counts against
// maxTotal (chosen by hand): folding keeps it as a float64 and again as an
// int64 or float32, and each operator it passes copies it.
const foldedWeight = 16

// buildGraph resolves names, infers shapes and folds constants. An input takes
// its shape from shapes where they have its name: for a size that the file
// leaves open, or another size than the file's.
func buildGraph(m *onnx.Model, shapes map[string][]int) (*graph, error) {
	g := &graph{opset: int(m.Opset), values: map[string]*value{}}
	for name, t := range m.Weights {
		g.values[name] = &value{name: name, shape: t.Shape, known: t}
	}
	for _, in := range m.Inputs {
		v, err := inputValue(in, shapes[in.Name])
		if err != nil {
			return nil, fmt.Errorf("input %q: %w", in.Name, err)
		}
		g.values[in.Name] = v
		g.inputs = append(g.inputs, v)
	}
	for name := range shapes {
		if v := g.values[name]; v == nil || !v.external {
			return nil, fmt.Errorf("input %q: the network has none of this name", name)
		}
	}
	for i := range m.Nodes {
		if err := g.addNode(&m.Nodes[i]); err != nil {
			return nil, err
		}
	}
	for _, out := range m.Outputs {
		v := g.values[out.Name]
		if v == nil {
			return nil, fmt.Errorf("output %q: no node makes it", out.Name)
		}
		if v.producer == nil || v.known != nil {
			return nil, fmt.Errorf("output %q: %w: it is not computed from an input", out.Name, errUnsupported)
		}
		v.external = true
		g.outputs = append(g.outputs, v)
	}
	if len(g.outputs) == 0 || len(g.inputs) == 0 {
		return nil, errors.New("the network has no input or no output")
	}
	return g, nil
}

// inputValue checks an input of the network and returns its tensor. It refuses
// element types other than float32, shapes of another rank than the file's,
// and shapes that are open or empty.
func inputValue(in onnx.Value, shape []int) (*value, error) {
	if in.Type != onnx.Float {
		return nil, fmt.Errorf("element type %d: %w: must be float32", in.Type, errUnsupported)
	}
	if shape == nil {
		shape = in.Shape
	}
	if len(shape) != len(in.Shape) {
		return nil, fmt.Errorf("shape %v: the file has %v", shape, in.Shape)
	}
	n, err := onnx.ElemCount(shape)
	if err != nil {
		return nil, err
	}
	if n == 0 {
		return nil, fmt.Errorf("shape %v: must not be empty", shape)
	}
	return &value{name: in.Name, shape: shape, external: true}, nil
}

// addNode appends one node and infers its output shapes. Where all inputs are
// known, foldNode computes the node at load and the graph does not keep it.
func (g *graph) addNode(f *onnx.Node) error {
	n := &node{opType: f.Op, name: f.Name, attrs: f.Attrs}
	if f.Domain != "" && f.Domain != "ai.onnx" {
		return fmt.Errorf("%s %q: operators of domain %q are %w", f.Op, f.Name, f.Domain, errUnsupported)
	}
	known := true
	for _, name := range f.In {
		v := g.values[name]
		if v == nil && name != "" {
			return fmt.Errorf("%s: input %q: no node before it makes it", n, name)
		}
		known = known && (v == nil || v.known != nil)
		n.in = append(n.in, v)
	}
	for _, name := range f.Out {
		if g.values[name] != nil && name != "" {
			return fmt.Errorf("%s: output %q: made twice", n, name)
		}
		v := &value{name: name, producer: n}
		n.out = append(n.out, v)
		if name != "" {
			g.values[name] = v
		}
	}
	if len(n.out) == 0 {
		return fmt.Errorf("%s: makes nothing", n)
	}
	if known || n.opType == "Shape" {
		return g.foldNode(n)
	}
	if err := inferNode(n, g.opset); err != nil {
		return fmt.Errorf("%s: %w", n, err)
	}
	for _, v := range n.out {
		size, err := onnx.ElemCount(v.shape)
		if err != nil || size == 0 {
			return fmt.Errorf("%s: output %q: shape %v: empty or out of bounds", n, v.name, v.shape)
		}
		if g.elemTotal += size; g.elemTotal > maxTotal {
			return fmt.Errorf("%s: the network's tensors exceed %d elements", n, maxTotal)
		}
	}
	g.nodes = append(g.nodes, n)
	return nil
}

// foldNode computes a node at load and stores the result in its output.
func (g *graph) foldNode(n *node) error {
	k, err := evaluateNode(n)
	if err != nil {
		return fmt.Errorf("%s: at load: %w", n, err)
	}
	if g.elemTotal += foldedWeight * (len(k.F) + len(k.I)); g.elemTotal > maxTotal {
		return fmt.Errorf("%s: the network's tensors exceed %d elements", n, maxTotal)
	}
	n.out[0].shape, n.out[0].known, n.out[0].producer = k.Shape, k, nil
	if len(n.out) > 1 {
		return fmt.Errorf("%s: at load: %w with several outputs", n, errUnsupported)
	}
	return nil
}
