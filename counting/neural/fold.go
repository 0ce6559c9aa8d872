package neural

import (
	"errors"
	"fmt"
	"math"

	"kerb/counting/neural/onnx"
)

// maxFold bounds what is computed at load: shape arithmetic and small tables.
const maxFold = 1 << 22

// evaluate computes a node all of whose inputs are known: the arithmetic on
// shapes that exporters leave behind. Integers up to 2⁵³ are exact.
func evaluate(n *node) (*onnx.Tensor, error) {
	switch n.op {
	case "Constant":
		return constant(n)
	case "Shape":
		if n.arg(0) == nil {
			return nil, errors.New("no input")
		}
		t := &onnx.Tensor{Type: onnx.Int64, Shape: []int{len(n.in[0].shape)}}
		for _, d := range n.in[0].shape {
			t.I = append(t.I, int64(d))
		}
		return t, nil
	}
	x := n.arg(0)
	if x == nil {
		return nil, errors.New("no input")
	}
	switch n.op {
	case "Identity", "Reshape", "Squeeze", "Unsqueeze", "Flatten":
		shape, err := reshaped(n)
		if err != nil {
			return nil, err
		}
		return &onnx.Tensor{Type: x.k.Type, Shape: shape, F: x.k.F, I: x.k.I}, nil
	case "Cast":
		return numbers(x.k).tensor(onnx.Type(n.int("to", 1)))
	case "Floor", "Ceil", "Sqrt", "Neg", "Abs", "Exp":
		return mapNumbers(n.op, numbers(x.k)).tensor(x.k.Type)
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
		v := view{shape: x.shape, stride: rowMajor(x.shape)}
		perm, err := permutation(n)
		if err != nil {
			return nil, err
		}
		return pick(x.k, v.transpose(perm))
	}
	return nil, fmt.Errorf("%w with known inputs", errUnsupported)
}

func constant(n *node) (*onnx.Tensor, error) {
	switch {
	case n.attrs["value"].T != nil:
		return n.attrs["value"].T, nil
	case n.has("value_float"):
		return &onnx.Tensor{Type: onnx.Float, F: []float32{n.attrs["value_float"].F}}, nil
	case n.has("value_int"):
		return &onnx.Tensor{Type: onnx.Int64, I: []int64{n.attrs["value_int"].I}}, nil
	case n.has("value_ints"):
		v := n.attrs["value_ints"].Ints
		return &onnx.Tensor{Type: onnx.Int64, I: v, Shape: []int{len(v)}}, nil
	case n.has("value_floats"):
		v := n.attrs["value_floats"].Floats
		return &onnx.Tensor{Type: onnx.Float, F: v, Shape: []int{len(v)}}, nil
	}
	return nil, fmt.Errorf("its value: %w", errUnsupported)
}

// nums is a tensor for arithmetic at load.
type nums struct {
	shape []int
	v     []float64
}

func numbers(t *onnx.Tensor) nums {
	s := nums{shape: t.Shape, v: make([]float64, 0, len(t.F)+len(t.I))}
	for _, f := range t.F {
		s.v = append(s.v, float64(f))
	}
	for _, i := range t.I {
		s.v = append(s.v, float64(i))
	}
	return s
}

func (s nums) tensor(typ onnx.Type) (*onnx.Tensor, error) {
	t := &onnx.Tensor{Type: typ, Shape: s.shape}
	for _, f := range s.v {
		switch {
		case typ.Real():
			t.F = append(t.F, float32(f))
		case math.IsNaN(f) || math.Abs(f) >= 1<<63:
			return nil, fmt.Errorf("%g does not fit an integer", f)
		case typ == onnx.Bool && f != 0:
			t.I = append(t.I, 1)
		default:
			t.I = append(t.I, int64(f))
		}
	}
	return t, nil
}

func mapNumbers(op string, s nums) nums {
	f := map[string]func(float64) float64{
		"Floor": math.Floor, "Ceil": math.Ceil, "Sqrt": math.Sqrt, "Abs": math.Abs, "Exp": math.Exp,
		"Neg": func(x float64) float64 { return -x },
	}[op]
	for i, x := range s.v {
		s.v[i] = f(x)
	}
	return s
}

func foldBinary(n *node) (*onnx.Tensor, error) {
	if len(n.in) != 2 || n.in[1] == nil {
		return nil, fmt.Errorf("%d inputs: must be 2", len(n.in))
	}
	a, b := numbers(n.in[0].k), numbers(n.in[1].k)
	shape, err := broadcast(a.shape, b.shape)
	if err != nil {
		return nil, err
	}
	if size, err := onnx.Elems(shape); err != nil || size > maxFold {
		return nil, fmt.Errorf("shape %v: out of bounds", shape)
	}
	out := nums{shape: shape, v: make([]float64, elems(shape))}
	w := newWalk(shape, rowMajor(shape), spread(a.shape, rowMajor(a.shape), shape), spread(b.shape, rowMajor(b.shape), shape))
	whole := !n.in[0].k.Type.Real()
	for r := range w.rows() {
		o, os := w.row(0, r)
		p, ps := w.row(1, r)
		q, qs := w.row(2, r)
		for i := range w.run() {
			x, y := a.v[p+i*ps], b.v[q+i*qs]
			if n.op == "Div" && whole {
				if y == 0 {
					return nil, errors.New("division by zero")
				}
				x = math.Trunc(x / y)
			} else {
				x = binaries[n.op](x, y)
			}
			out.v[o+i*os] = x
		}
	}
	return out.tensor(n.in[0].k.Type)
}

var binaries = map[string]func(x, y float64) float64{
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
	for _, d := range n.in[0].k.I {
		if d < 0 || d > maxFold {
			return nil, fmt.Errorf("dimension %d: out of bounds", d)
		}
		shape = append(shape, int(d))
	}
	size, err := onnx.Elems(shape)
	if err != nil || size > maxFold {
		return nil, fmt.Errorf("shape %v: out of bounds", shape)
	}
	value := nums{v: []float64{0}}
	typ := onnx.Float
	if t := n.attrs["value"].T; t != nil && len(t.F)+len(t.I) == 1 {
		value, typ = numbers(t), t.Type
	}
	out := nums{shape: shape, v: make([]float64, size)}
	for i := range out.v {
		out.v[i] = value.v[0]
	}
	return out.tensor(typ)
}

// pick copies a view of a known tensor, row-major.
func pick(t *onnx.Tensor, v view) (*onnx.Tensor, error) {
	out := &onnx.Tensor{Type: t.Type, Shape: v.shape}
	size := elems(v.shape)
	if size > onnx.MaxElems {
		return nil, fmt.Errorf("shape %v: out of bounds", v.shape)
	}
	if t.Type.Real() {
		out.F = make([]float32, size)
	} else {
		out.I = make([]int64, size)
	}
	w := newWalk(v.shape, rowMajor(v.shape), v.stride)
	if size == 0 {
		return out, nil
	}
	for r := range w.rows() {
		o, os := w.row(0, r)
		p, ps := w.row(1, r)
		for i := range w.run() {
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
	idx := n.arg(1)
	if idx == nil {
		return nil, errors.New("no indices")
	}
	x := n.in[0]
	axis, err := axisOf(n.int("axis", 0), len(x.shape))
	if err != nil {
		return nil, err
	}
	shape := append([]int{}, x.shape[:axis]...)
	shape = append(append(shape, idx.shape...), x.shape[axis+1:]...)
	if size, err := onnx.Elems(shape); err != nil || size > maxFold {
		return nil, fmt.Errorf("shape %v: out of bounds", shape)
	}
	src := numbers(x.k)
	out := nums{shape: shape}
	inner, outer := elems(x.shape[axis+1:]), elems(x.shape[:axis])
	for o := range outer {
		for _, i := range idx.k.I {
			if i < 0 {
				i += int64(x.shape[axis])
			}
			if i < 0 || i >= int64(x.shape[axis]) {
				return nil, fmt.Errorf("index %d: out of bounds", i)
			}
			at := (o*x.shape[axis] + int(i)) * inner
			out.v = append(out.v, src.v[at:at+inner]...)
		}
	}
	return out.tensor(x.k.Type)
}

func foldConcat(n *node) (*onnx.Tensor, error) {
	if err := inferConcat(n); err != nil {
		return nil, err
	}
	shape, axis := n.out[0].shape, n.kind.(concatOp).axis
	if size, err := onnx.Elems(shape); err != nil || size > maxFold {
		return nil, fmt.Errorf("shape %v: out of bounds", shape)
	}
	out := nums{shape: shape}
	for o := range elems(shape[:axis]) {
		for _, x := range n.in {
			inner := elems(x.shape[axis:])
			out.v = append(out.v, numbers(x.k).v[o*inner:(o+1)*inner]...)
		}
	}
	return out.tensor(n.in[0].k.Type)
}

func foldSlice(n *node) (*onnx.Tensor, error) {
	x := n.in[0]
	cuts, err := slicing(n)
	if err != nil {
		return nil, err
	}
	v := view{shape: x.shape, stride: rowMajor(x.shape)}
	for _, c := range cuts {
		v = v.cut(c.axis, c.first, c.step, c.n)
	}
	return pick(x.k, v)
}
