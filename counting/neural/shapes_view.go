package neural

import (
	"errors"
	"fmt"

	"kerb/counting/neural/onnx"
)

// viewOp changes no element. It slices axes, permutes them, and reshapes the
// result to the output's shape.
type viewOp struct {
	slices []axisSlice
	perm   []int // nil: the axes keep their order
}

// axisSlice keeps n elements of an axis: first, first+step, ….
type axisSlice struct{ axis, first, step, n int }

// outputView returns the output as a view of the input v. It is false where
// strides cannot express it.
func (op viewOp) outputView(v view, shape []int) (view, bool) {
	for _, c := range op.slices {
		v = v.sliceAxis(c.axis, c.first, c.step, c.n)
	}
	if op.perm != nil {
		v = v.permuteAxes(op.perm)
	}
	return v.reshapeView(shape)
}

// inputView returns the view of the input for which the output lies at v. It is
// false for slices, and where strides cannot express it.
func (op viewOp) inputView(v view, shape []int) (view, bool) {
	if len(op.slices) > 0 {
		return v, false
	}
	if op.perm == nil {
		return v.reshapeView(shape)
	}
	permuted, back := make([]int, len(shape)), make([]int, len(shape))
	for i, p := range op.perm {
		permuted[i], back[p] = shape[p], i
	}
	v, ok := v.reshapeView(permuted)
	if !ok {
		return v, false
	}
	return v.permuteAxes(back), true
}

// parsePermutation returns the axes of a Transpose; without an attribute they
// are reversed.
func parsePermutation(n *node) ([]int, error) {
	rank := len(n.in[0].shape)
	perm := make([]int, rank)
	a := n.attrs["perm"].Ints
	if len(a) != 0 && len(a) != rank {
		return nil, fmt.Errorf("perm has %d numbers: must have %d", len(a), rank)
	}
	seen := make([]bool, rank)
	for i := range perm {
		perm[i] = rank - 1 - i
		if len(a) > 0 {
			if a[i] < 0 || a[i] >= int64(rank) || seen[a[i]] {
				return nil, fmt.Errorf("perm = %v: no permutation of %d axes", a, rank)
			}
			perm[i] = int(a[i])
			seen[a[i]] = true
		}
	}
	return perm, nil
}

// inputOrAttr returns the integers of input 1 or, where it is left out, of an
// attribute: newer opsets have them as an input, older ones as an attribute.
func (n *node) inputOrAttr(name string) ([]int64, error) {
	v := n.inputAt(1)
	if v == nil {
		return n.attrs[name].Ints, nil
	}
	if v.known == nil || v.known.Type.IsReal() {
		return nil, fmt.Errorf("%s computed from an input: %w", name, errUnsupported)
	}
	return v.known.I, nil
}

// inferViewShape returns the output shape of Identity, Dropout, Reshape,
// Flatten, Squeeze and Unsqueeze.
func inferViewShape(n *node) ([]int, error) {
	x := n.in[0]
	switch n.opType {
	case "Reshape":
		return inferReshape(n)
	case "Flatten":
		axis := n.intAttr("axis", 1)
		if axis < 0 {
			axis += len(x.shape)
		}
		if axis < 0 || axis > len(x.shape) {
			return nil, fmt.Errorf("axis %d of %d: out of bounds", axis, len(x.shape))
		}
		return []int{elemCount(x.shape[:axis]), elemCount(x.shape[axis:])}, nil
	case "Squeeze", "Unsqueeze":
		return inferSqueeze(n)
	}
	return x.shape, nil
}

// inferReshape returns the shape that a Reshape asks for. 0 keeps the input's
// dimension, one -1 takes the elements that are left over.
func inferReshape(n *node) ([]int, error) {
	x := n.in[0]
	to, err := n.inputOrAttr("shape")
	if err != nil {
		return nil, err
	}
	if len(to) > onnx.MaxDims {
		return nil, fmt.Errorf("%d dimensions: at most %d", len(to), onnx.MaxDims)
	}
	shape, open, size := make([]int, len(to)), -1, 1
	for i, d := range to {
		switch {
		case d == -1 && open < 0:
			open = i
			continue
		case d == 0 && n.intAttr("allowzero", 0) == 0 && i < len(x.shape):
			shape[i] = x.shape[i]
		case d > 0 && d <= onnx.MaxElems:
			shape[i] = int(d)
		default:
			return nil, fmt.Errorf("shape %v for %v: out of bounds", to, x.shape)
		}
		if size > onnx.MaxElems/max(shape[i], 1) || shape[i] == 0 {
			return nil, fmt.Errorf("shape %v for %v: out of bounds", to, x.shape)
		}
		size *= shape[i]
	}
	if open >= 0 {
		shape[open] = elemCount(x.shape) / size
		size *= shape[open]
	}
	if size != elemCount(x.shape) {
		return nil, fmt.Errorf("shape %v for %v: sizes differ", to, x.shape)
	}
	return shape, nil
}

// inferSqueeze returns the input's shape without axes of length 1 (Squeeze), or
// with new ones (Unsqueeze).
func inferSqueeze(n *node) ([]int, error) {
	x := n.in[0]
	list, err := n.inputOrAttr("axes")
	if err != nil {
		return nil, err
	}
	rank := len(x.shape)
	if n.opType == "Unsqueeze" {
		rank += len(list)
	}
	if rank > onnx.MaxDims {
		return nil, fmt.Errorf("%d dimensions: at most %d", rank, onnx.MaxDims)
	}
	marked := make([]bool, rank)
	for _, a := range list {
		axis, err := resolveAxis(int(a), rank)
		if err != nil || marked[axis] {
			return nil, fmt.Errorf("axes %v of %d: out of bounds or twice", list, rank)
		}
		marked[axis] = true
	}
	var shape []int
	nextAxis := 0
	for i := range rank {
		if n.opType == "Unsqueeze" {
			if marked[i] {
				shape = append(shape, 1)
			} else {
				shape = append(shape, x.shape[nextAxis])
				nextAxis++
			}
			continue
		}
		if d := x.shape[i]; marked[i] && d != 1 {
			return nil, fmt.Errorf("axis %d of %v: not of length 1", i, x.shape)
		} else if !marked[i] && (d != 1 || len(list) > 0) {
			shape = append(shape, d)
		}
	}
	return shape, nil
}

// inferSliceOrGather decodes Slice, and Gather of a single known index, which is
// a slice too.
func inferSliceOrGather(n *node) error {
	x := n.in[0]
	if n.opType == "Slice" {
		cuts, err := parseSlice(n)
		if err != nil {
			return err
		}
		shape := append([]int{}, x.shape...)
		for _, c := range cuts {
			shape[c.axis] = c.n
		}
		n.out[0].shape, n.operator = shape, viewOp{slices: cuts}
		return nil
	}
	axis, err := resolveAxis(n.intAttr("axis", 0), len(x.shape))
	if err != nil {
		return err
	}
	idx := n.inputAt(1)
	if idx == nil || idx.known == nil || len(idx.known.I) != 1 {
		return fmt.Errorf("more than one index: %w", errUnsupported)
	}
	at, err := resolveAxis(int(idx.known.I[0]), x.shape[axis])
	if err != nil {
		return err
	}
	shape := append([]int{}, x.shape[:axis]...)
	shape = append(append(shape, idx.shape...), x.shape[axis+1:]...)
	n.out[0].shape, n.operator = shape, viewOp{slices: []axisSlice{{axis, at, 1, 1}}}
	return nil
}

// parseSlice returns the slices of a Slice. Its parameters are inputs since
// opset 10 and attributes before. It refuses steps below 1.
func parseSlice(n *node) ([]axisSlice, error) {
	x := n.in[0]
	list := func(i int, name string) ([]int64, error) {
		v := n.inputAt(i)
		if v == nil {
			return n.attrs[name].Ints, nil
		}
		if v.known == nil || v.known.Type.IsReal() {
			return nil, fmt.Errorf("%s computed from an input: %w", name, errUnsupported)
		}
		return v.known.I, nil
	}
	starts, err1 := list(1, "starts")
	ends, err2 := list(2, "ends")
	axes, err3 := list(3, "axes")
	steps, err4 := list(4, "")
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return nil, err
	}
	if len(starts) != len(ends) || axes != nil && len(axes) != len(starts) || steps != nil && len(steps) != len(starts) {
		return nil, errors.New("starts, ends, axes and steps differ in length")
	}
	shape := append([]int{}, x.shape...)
	var cuts []axisSlice
	for i := range starts {
		axis := i
		if axes != nil {
			axis = int(axes[i])
		}
		axis, err := resolveAxis(axis, len(shape))
		if err != nil {
			return nil, err
		}
		step := int64(1)
		if steps != nil {
			step = steps[i]
		}
		if step < 1 || step > onnx.MaxElems {
			return nil, fmt.Errorf("step %d: %w", step, errUnsupported)
		}
		d := int64(shape[axis])
		first, end := clampIndex(starts[i], d), clampIndex(ends[i], d)
		c := axisSlice{axis: axis, first: int(first), step: int(step), n: int(max(0, (end-first+step-1)/step))}
		shape[axis] = c.n
		cuts = append(cuts, c)
	}
	return cuts, nil
}

// clampIndex limits a start or end to 0…d. A negative one counts from the end.
func clampIndex(i, d int64) int64 {
	if i < 0 {
		i += d
	}
	return min(max(i, 0), d)
}

// splitOp has one viewOp per output.
type splitOp struct{ outputs []viewOp }

// inferSplit decodes Split. Without sizes all parts are equal, except that the
// last may be smaller.
func inferSplit(n *node) error {
	x := n.in[0]
	axis, err := resolveAxis(n.intAttr("axis", 0), len(x.shape))
	if err != nil {
		return err
	}
	sizes, err := n.inputOrAttr("split")
	if err != nil {
		return err
	}
	if sizes == nil {
		each := (x.shape[axis] + len(n.out) - 1) / len(n.out)
		for left := x.shape[axis]; left > 0; left -= each {
			sizes = append(sizes, int64(min(each, left)))
		}
	}
	if len(sizes) != len(n.out) {
		return fmt.Errorf("%d sizes for %d outputs", len(sizes), len(n.out))
	}
	op, first := splitOp{}, 0
	for i, size := range sizes {
		if size < 1 || size > int64(x.shape[axis]-first) {
			return fmt.Errorf("sizes %v of %d: out of bounds", sizes, x.shape[axis])
		}
		op.outputs = append(op.outputs, viewOp{slices: []axisSlice{{axis, first, 1, int(size)}}})
		n.out[i].shape = append([]int{}, x.shape...)
		n.out[i].shape[axis] = int(size)
		first += int(size)
	}
	if first != x.shape[axis] {
		return fmt.Errorf("sizes %v: must add up to %d", sizes, x.shape[axis])
	}
	n.operator = op
	return nil
}
