package neural

import (
	"errors"
	"fmt"
	"math"

	"kerb/counting/neural/onnx"
)

// maxFold bounds the elements of one tensor that is computed at load (2²²,
// chosen by hand): shape arithmetic and small tables need far fewer.
const maxFold = 1 << 22

// evaluateNode computes a node whose inputs are all known (constant folding).
// Exporters leave such arithmetic on shapes in their files. It computes in
// float64, so integers up to 2⁵³ are exact.
func evaluateNode(n *node) (*onnx.Tensor, error) {
	switch n.opType {
	case "Constant":
		return constantTensor(n)
	case "Shape":
		if n.inputAt(0) == nil {
			return nil, errors.New("no input")
		}
		t := &onnx.Tensor{Type: onnx.Int64, Shape: []int{len(n.in[0].shape)}}
		for _, d := range n.in[0].shape {
			t.I = append(t.I, int64(d))
		}
		return t, nil
	}
	x := n.inputAt(0)
	if x == nil {
		return nil, errors.New("no input")
	}
	switch n.opType {
	case "Identity", "Reshape", "Squeeze", "Unsqueeze", "Flatten":
		shape, err := inferViewShape(n)
		if err != nil {
			return nil, err
		}
		return &onnx.Tensor{Type: x.known.Type, Shape: shape, F: x.known.F, I: x.known.I}, nil
	case "Cast":
		return toFoldTensor(x.known).toTensor(onnx.Type(n.intAttr("to", 1)))
	case "Floor", "Ceil", "Sqrt", "Neg", "Abs", "Exp":
		return mapElems(n.opType, toFoldTensor(x.known)).toTensor(x.known.Type)
	case "Add", "Sub", "Mul", "Div", "Min", "Max", "Pow":
		return foldBinary(n)
	case "ConstantOfShape":
		return constantOfShape(n)
	case "Gather":
		return foldGather(n)
	case "Concat":
		return foldConcat(n)
	case "Slice":
		return foldSlice(n)
	case "Transpose":
		v := view{shape: x.shape, stride: rowMajorStrides(x.shape)}
		perm, err := parsePermutation(n)
		if err != nil {
			return nil, err
		}
		return copyView(x.known, v.permuteAxes(perm))
	}
	return nil, fmt.Errorf("%w with known inputs", errUnsupported)
}

// constantTensor returns the value of ONNX's operator Constant, which lies in
// one of several attributes.
func constantTensor(n *node) (*onnx.Tensor, error) {
	switch {
	case n.attrs["value"].T != nil:
		return n.attrs["value"].T, nil
	case n.hasAttr("value_float"):
		return &onnx.Tensor{Type: onnx.Float, F: []float32{n.attrs["value_float"].F}}, nil
	case n.hasAttr("value_int"):
		return &onnx.Tensor{Type: onnx.Int64, I: []int64{n.attrs["value_int"].I}}, nil
	case n.hasAttr("value_ints"):
		v := n.attrs["value_ints"].Ints
		return &onnx.Tensor{Type: onnx.Int64, I: v, Shape: []int{len(v)}}, nil
	case n.hasAttr("value_floats"):
		v := n.attrs["value_floats"].Floats
		return &onnx.Tensor{Type: onnx.Float, F: v, Shape: []int{len(v)}}, nil
	}
	return nil, fmt.Errorf("its value: %w", errUnsupported)
}

// foldTensor is a tensor in float64, row-major, for arithmetic at load.
type foldTensor struct {
	shape []int
	elems []float64
}

func toFoldTensor(t *onnx.Tensor) foldTensor {
	s := foldTensor{shape: t.Shape, elems: make([]float64, 0, len(t.F)+len(t.I))}
	for _, f := range t.F {
		s.elems = append(s.elems, float64(f))
	}
	for _, i := range t.I {
		s.elems = append(s.elems, float64(i))
	}
	return s
}

// toTensor converts to an element type. Integers lose their fraction; numbers
// that an int64 cannot hold are an error.
func (s foldTensor) toTensor(typ onnx.Type) (*onnx.Tensor, error) {
	t := &onnx.Tensor{Type: typ, Shape: s.shape}
	for _, f := range s.elems {
		switch {
		case typ.IsReal():
			t.F = append(t.F, float32(f))
		case math.IsNaN(f) || math.Abs(f) >= 1<<63: // beyond int64
			return nil, fmt.Errorf("%g does not fit an integer", f)
		case typ == onnx.Bool && f != 0:
			t.I = append(t.I, 1)
		default:
			t.I = append(t.I, int64(f))
		}
	}
	return t, nil
}

func mapElems(op string, s foldTensor) foldTensor {
	f := map[string]func(float64) float64{
		"Floor": math.Floor, "Ceil": math.Ceil, "Sqrt": math.Sqrt, "Abs": math.Abs, "Exp": math.Exp,
		"Neg": func(x float64) float64 { return -x },
	}[op]
	for i, x := range s.elems {
		s.elems[i] = f(x)
	}
	return s
}

// foldBinary computes an operator of two inputs with ONNX's broadcasting. A
// quotient of integers is truncated towards zero.
func foldBinary(n *node) (*onnx.Tensor, error) {
	if len(n.in) != 2 || n.in[1] == nil {
		return nil, fmt.Errorf("%d inputs: must be 2", len(n.in))
	}
	a, b := toFoldTensor(n.in[0].known), toFoldTensor(n.in[1].known)
	shape, err := broadcastShapes(a.shape, b.shape)
	if err != nil {
		return nil, err
	}
	if size, err := onnx.ElemCount(shape); err != nil || size > maxFold {
		return nil, fmt.Errorf("shape %v: out of bounds", shape)
	}
	out := foldTensor{shape: shape, elems: make([]float64, elemCount(shape))}
	w := newLoopNest(shape, rowMajorStrides(shape), broadcastStrides(a.shape, rowMajorStrides(a.shape), shape), broadcastStrides(b.shape, rowMajorStrides(b.shape), shape))
	whole := !n.in[0].known.Type.IsReal()
	for r := range w.runCount() {
		o, os := w.runStart(0, r)
		p, ps := w.runStart(1, r)
		q, qs := w.runStart(2, r)
		for i := range w.runLength() {
			x, y := a.elems[p+i*ps], b.elems[q+i*qs]
			if n.opType == "Div" && whole {
				if y == 0 {
					return nil, errors.New("division by zero")
				}
				x = math.Trunc(x / y)
			} else {
				x = binaryFuncs[n.opType](x, y)
			}
			out.elems[o+i*os] = x
		}
	}
	return out.toTensor(n.in[0].known.Type)
}

var binaryFuncs = map[string]func(x, y float64) float64{
	"Add": func(x, y float64) float64 { return x + y },
	"Sub": func(x, y float64) float64 { return x - y },
	"Mul": func(x, y float64) float64 { return x * y },
	"Div": func(x, y float64) float64 { return x / y },
	"Min": math.Min,
	"Max": math.Max,
	"Pow": math.Pow,
}

func constantOfShape(n *node) (*onnx.Tensor, error) {
	var shape []int
	for _, d := range n.in[0].known.I {
		if d < 0 || d > maxFold {
			return nil, fmt.Errorf("dimension %d: out of bounds", d)
		}
		shape = append(shape, int(d))
	}
	size, err := onnx.ElemCount(shape)
	if err != nil || size > maxFold {
		return nil, fmt.Errorf("shape %v: out of bounds", shape)
	}
	value := foldTensor{elems: []float64{0}}
	typ := onnx.Float
	if t := n.attrs["value"].T; t != nil && len(t.F)+len(t.I) == 1 {
		value, typ = toFoldTensor(t), t.Type
	}
	out := foldTensor{shape: shape, elems: make([]float64, size)}
	for i := range out.elems {
		out.elems[i] = value.elems[0]
	}
	return out.toTensor(typ)
}

// copyView copies a view of a known tensor into a new one, row-major.
func copyView(t *onnx.Tensor, v view) (*onnx.Tensor, error) {
	out := &onnx.Tensor{Type: t.Type, Shape: v.shape}
	size := elemCount(v.shape)
	if size > onnx.MaxElems {
		return nil, fmt.Errorf("shape %v: out of bounds", v.shape)
	}
	if t.Type.IsReal() {
		out.F = make([]float32, size)
	} else {
		out.I = make([]int64, size)
	}
	w := newLoopNest(v.shape, rowMajorStrides(v.shape), v.stride)
	if size == 0 {
		return out, nil
	}
	for r := range w.runCount() {
		o, os := w.runStart(0, r)
		p, ps := w.runStart(1, r)
		for i := range w.runLength() {
			if out.F != nil {
				out.F[o+i*os] = t.F[v.off+p+i*ps]
			} else {
				out.I[o+i*os] = t.I[v.off+p+i*ps]
			}
		}
	}
	return out, nil
}

func foldGather(n *node) (*onnx.Tensor, error) {
	idx := n.inputAt(1)
	if idx == nil {
		return nil, errors.New("no indices")
	}
	x := n.in[0]
	axis, err := resolveAxis(n.intAttr("axis", 0), len(x.shape))
	if err != nil {
		return nil, err
	}
	shape := append([]int{}, x.shape[:axis]...)
	shape = append(append(shape, idx.shape...), x.shape[axis+1:]...)
	if size, err := onnx.ElemCount(shape); err != nil || size > maxFold {
		return nil, fmt.Errorf("shape %v: out of bounds", shape)
	}
	src := toFoldTensor(x.known)
	out := foldTensor{shape: shape}
	inner, outer := elemCount(x.shape[axis+1:]), elemCount(x.shape[:axis])
	for o := range outer {
		for _, i := range idx.known.I {
			if i < 0 {
				i += int64(x.shape[axis])
			}
			if i < 0 || i >= int64(x.shape[axis]) {
				return nil, fmt.Errorf("index %d: out of bounds", i)
			}
			at := (o*x.shape[axis] + int(i)) * inner
			out.elems = append(out.elems, src.elems[at:at+inner]...)
		}
	}
	return out.toTensor(x.known.Type)
}

func foldConcat(n *node) (*onnx.Tensor, error) {
	if err := inferConcat(n); err != nil {
		return nil, err
	}
	shape, axis := n.out[0].shape, n.operator.(concatOp).axis
	if size, err := onnx.ElemCount(shape); err != nil || size > maxFold {
		return nil, fmt.Errorf("shape %v: out of bounds", shape)
	}
	out := foldTensor{shape: shape}
	for o := range elemCount(shape[:axis]) {
		for _, x := range n.in {
			inner := elemCount(x.shape[axis:])
			out.elems = append(out.elems, toFoldTensor(x.known).elems[o*inner:(o+1)*inner]...)
		}
	}
	return out.toTensor(n.in[0].known.Type)
}

func foldSlice(n *node) (*onnx.Tensor, error) {
	x := n.in[0]
	cuts, err := parseSlice(n)
	if err != nil {
		return nil, err
	}
	v := view{shape: x.shape, stride: rowMajorStrides(x.shape)}
	for _, c := range cuts {
		v = v.sliceAxis(c.axis, c.first, c.step, c.n)
	}
	return copyView(x.known, v)
}
