package neural

import (
	"errors"
	"fmt"
	"math"

	"kerb/counting/neural/kernel"
	"kerb/counting/neural/onnx"
)

// inferNode decodes a node's attributes into n.operator and sets the shapes of
// its outputs (shape inference). Operators and the defaults of their attributes
// are those of ONNX's Operators.md, opsets 7 to 21.
func inferNode(n *node, opset int) error {
	if n.inputAt(0) == nil {
		return errors.New("no input")
	}
	if n.opType != "Split" && len(n.out) > 1 {
		for _, v := range n.out[1:] {
			if v.name != "" {
				return fmt.Errorf("more than one output: %w", errUnsupported)
			}
		}
	}
	x := n.in[0]
	switch n.opType {
	case "Conv":
		return inferConv(n)
	case "Gemm", "MatMul":
		return inferGemm(n)
	case "BatchNormalization":
		return inferNorm(n)
	case "MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool":
		return inferPool(n)
	case "Identity", "Dropout", "Reshape", "Squeeze", "Unsqueeze", "Flatten":
		shape, err := inferViewShape(n)
		n.out[0].shape, n.operator = shape, viewOp{}
		return err
	case "Transpose":
		perm, err := parsePermutation(n)
		if err != nil {
			return err
		}
		n.out[0].shape = view{shape: x.shape, stride: x.shape}.permuteAxes(perm).shape
		n.operator = viewOp{perm: perm}
		return nil
	case "Slice", "Gather":
		return inferSliceOrGather(n)
	case "Split":
		return inferSplit(n)
	case "Concat":
		return inferConcat(n)
	case "Pad":
		return inferPad(n)
	case "Resize", "Upsample":
		return inferResize(n)
	case "Softmax":
		return inferSoftmax(n, opset)
	case "ReduceMean", "ReduceMax", "ReduceSum", "ReduceMin":
		return inferReduce(n)
	case "Add", "Sub", "Mul", "Div", "Min", "Max", "Pow":
		return inferBinary(n)
	case "Cast":
		if t := onnx.Type(n.intAttr("to", 1)); t != onnx.Float {
			return fmt.Errorf("to element type %d: %w", t, errUnsupported)
		}
		n.out[0].shape, n.operator = x.shape, viewOp{}
		return nil
	}
	return inferMap(n)
}

// mapOp applies a function to each element.
type mapOp struct{ act kernel.Act }

// inferMap decodes the functions of one element. It refuses every operator that
// inferNode does not know either.
func inferMap(n *node) error {
	n.out[0].shape = n.in[0].shape
	inf := float32(math.Inf(1))
	act := kernel.Act{}
	switch n.opType {
	case "Relu":
		act = kernel.Act{Kind: kernel.Clip, Lo: 0, Hi: inf}
	case "Clip":
		lo, err1 := n.scalarInput(1, n.floatAttr("min", -inf))
		hi, err2 := n.scalarInput(2, n.floatAttr("max", inf))
		if err := errors.Join(err1, err2); err != nil {
			return err
		}
		act = kernel.Act{Kind: kernel.Clip, Lo: lo, Hi: hi}
	case "Sigmoid":
		act.Kind = kernel.Sigmoid
	case "LeakyRelu":
		act = kernel.Act{Kind: kernel.Leaky, Lo: n.floatAttr("alpha", 0.01)}
	case "HardSigmoid":
		act = kernel.Act{Kind: kernel.HardSigmoid, Lo: n.floatAttr("alpha", 0.2), Hi: n.floatAttr("beta", 0.5)}
	case "HardSwish":
		act = kernel.Act{Kind: kernel.HardSwish, Lo: 1.0 / 6, Hi: 0.5}
	case "Tanh":
		act.Kind = kernel.Tanh
	case "Exp":
		act.Kind = kernel.Exp
	case "Sqrt":
		act.Kind = kernel.Sqrt
	default:
		return fmt.Errorf("this operator is %w", errUnsupported)
	}
	n.operator = mapOp{act}
	return nil
}

// scalarInput returns input i, which must be one known float, or def where the
// input is left out.
func (n *node) scalarInput(i int, def float32) (float32, error) {
	v := n.inputAt(i)
	if v == nil {
		return def, nil
	}
	if v.known == nil || len(v.known.F) != 1 {
		return 0, fmt.Errorf("input %d: %w: must be one known number", i, errUnsupported)
	}
	return v.known.F[0], nil
}

// binaryOp combines two tensors element by element, with ONNX's broadcasting.
type binaryOp struct{ op kernel.Binary }

func inferBinary(n *node) error {
	if len(n.in) != 2 || n.in[1] == nil {
		return fmt.Errorf("%d inputs: must be 2", len(n.in))
	}
	for _, v := range n.in {
		if v.known != nil && !v.known.Type.IsReal() {
			return fmt.Errorf("integers: %w", errUnsupported)
		}
	}
	op, ok := map[string]kernel.Binary{
		"Add": kernel.Add, "Sub": kernel.Sub, "Mul": kernel.Mul, "Div": kernel.Div, "Min": kernel.Min, "Max": kernel.Max, "Pow": kernel.Pow,
	}[n.opType]
	if !ok {
		return errUnsupported
	}
	shape, err := broadcastShapes(n.in[0].shape, n.in[1].shape)
	n.out[0].shape, n.operator = shape, binaryOp{op}
	return err
}

// broadcastShapes returns the shape of ONNX's multidirectional broadcasting
// (Broadcasting.md) of two shapes. Missing leading axes count as 1.
func broadcastShapes(a, b []int) ([]int, error) {
	out := make([]int, max(len(a), len(b)))
	for i := range out {
		x, y := 1, 1
		if j := i - len(out) + len(a); j >= 0 {
			x = a[j]
		}
		if j := i - len(out) + len(b); j >= 0 {
			y = b[j]
		}
		if x != y && x != 1 && y != 1 {
			return nil, fmt.Errorf("shapes %v and %v do not go together", a, b)
		}
		out[i] = x
		if x == 1 {
			out[i] = y
		}
	}
	return out, nil
}

// broadcastStrides returns the strides that repeat a tensor over the broadcast
// shape to: 0 along every axis that the tensor lacks or has of length 1.
func broadcastStrides(shape, stride, to []int) []int {
	out := make([]int, len(to))
	for i := range shape {
		if shape[i] > 1 {
			out[len(to)-len(shape)+i] = stride[i]
		}
	}
	return out
}

// softmaxOp normalises over the axes axis…last. Before opset 13 these are all
// axes from axis on, since then it is one.
type softmaxOp struct{ axis, last int }

func inferSoftmax(n *node, opset int) error {
	rank := len(n.in[0].shape)
	def := -1
	if opset < 13 {
		def = 1
	}
	axis, err := resolveAxis(n.intAttr("axis", def), rank)
	op := softmaxOp{axis, axis}
	if opset < 13 {
		op.last = rank - 1
	}
	n.out[0].shape, n.operator = n.in[0].shape, op
	return err
}

// reduceOp combines all elements along some axes by op, and divides the sum by
// their number for a mean.
type reduceOp struct {
	op        kernel.Binary // Add, Max or Min
	mean      bool
	keptShape []int // the input's shape with the reduced axes of length 1
}

func inferReduce(n *node) error {
	x := n.in[0]
	var axes []int64
	switch v := n.inputAt(1); {
	case v != nil && v.known != nil:
		axes = v.known.I
	case v != nil:
		return fmt.Errorf("axes computed from an input: %w", errUnsupported)
	default:
		axes = n.attrs["axes"].Ints
	}
	op := reduceOp{keptShape: append([]int{}, x.shape...), mean: n.opType == "ReduceMean"}
	op.op = map[string]kernel.Binary{"ReduceMax": kernel.Max, "ReduceMin": kernel.Min}[n.opType] // Add, the zero value, for ReduceMean and ReduceSum
	drop := make([]bool, len(x.shape))
	for _, a := range axes {
		axis, err := resolveAxis(int(a), len(x.shape))
		if err != nil {
			return err
		}
		drop[axis] = true
	}
	var shape []int
	for i, d := range x.shape {
		if drop[i] || len(axes) == 0 {
			op.keptShape[i] = 1
			if n.intAttr("keepdims", 1) == 0 {
				continue
			}
			d = 1
		}
		shape = append(shape, d)
	}
	n.out[0].shape, n.operator = shape, op
	return nil
}

// concatOp joins its inputs along an axis.
type concatOp struct{ axis int }

func inferConcat(n *node) error {
	var shape []int
	axis := 0
	for i, v := range n.in {
		if v == nil {
			return fmt.Errorf("input %d: left out", i)
		}
		if i == 0 {
			var err error
			if axis, err = resolveAxis(n.intAttr("axis", 1), len(v.shape)); err != nil {
				return err
			}
			shape = append(shape, v.shape...)
			continue
		}
		if len(v.shape) != len(shape) {
			return fmt.Errorf("shapes %v and %v do not go together", shape, v.shape)
		}
		for a := range shape {
			if a != axis && shape[a] != v.shape[a] {
				return fmt.Errorf("shapes %v and %v do not go together", shape, v.shape)
			}
		}
		if shape[axis] += v.shape[axis]; shape[axis] > onnx.MaxElems {
			return fmt.Errorf("shape %v: out of bounds", shape)
		}
	}
	n.out[0].shape, n.operator = shape, concatOp{axis}
	return nil
}

// resolveAxis returns an axis in 0…rank-1. A negative one counts from the end.
func resolveAxis(a, rank int) (int, error) {
	if a < 0 {
		a += rank
	}
	if a < 0 || a >= rank {
		return 0, fmt.Errorf("axis %d of %d: out of bounds", a, rank)
	}
	return a, nil
}
