package neural

import "slices"

// buffer is a contiguous part of the arena. It is alive from the step that
// first writes it to the step that last reads it.
type buffer struct {
	elems               int
	firstStep, lastStep int // -1: no step uses it yet
	offset              int // in the arena, in elements; layOutArena sets it
}

// view is a strided tensor in a buffer: element (i, j, …) lies at
// off + i*stride[0] + j*stride[1] + …, counted in elements. Slices,
// transpositions, most reshapes and the parts of a concatenation are views of
// one buffer, so they take no time at run time.
type view struct {
	buf    *buffer
	off    int
	shape  []int
	stride []int
}

// elemCount returns the number of elements of a shape.
func elemCount(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// rowMajorStrides returns the strides of ONNX's order: the last axis varies
// fastest.
func rowMajorStrides(shape []int) []int {
	s := make([]int, len(shape))
	n := 1
	for i := len(shape) - 1; i >= 0; i-- {
		s[i] = n
		n *= max(shape[i], 1)
	}
	return s
}

// channelsLastStrides returns the strides that store the channels of a pixel
// side by side (NHWC); shapes of other than four axes are row-major. In this
// order a 1×1 convolution is a plain matrix product, a depthwise one uses
// channels as vector lanes, and joining or splitting channels only changes
// strides.
func channelsLastStrides(shape []int) []int {
	if len(shape) != 4 {
		return rowMajorStrides(shape)
	}
	c, h, w := shape[1], shape[2], shape[3]
	return []int{c * h * w, 1, w * c, c}
}

// newView returns a tensor in a new buffer of its own.
func newView(shape, stride []int) view {
	return view{buf: &buffer{elems: elemCount(shape), firstStep: -1, lastStep: -1}, shape: shape, stride: stride}
}

// isPlaced reports whether the view has a buffer.
func (v view) isPlaced() bool { return v.buf != nil }

// isRowMajor reports whether the elements lie in row-major order without gaps.
func (v view) isRowMajor() bool {
	want := rowMajorStrides(v.shape)
	for i, d := range v.shape {
		if d > 1 && v.stride[i] != want[i] {
			return false
		}
	}
	return true
}

// permuteAxes returns a view whose axis i is axis perm[i] of v.
func (v view) permuteAxes(perm []int) view {
	t := view{buf: v.buf, off: v.off}
	for _, p := range perm {
		t.shape = append(t.shape, v.shape[p])
		t.stride = append(t.stride, v.stride[p])
	}
	return t
}

// sliceAxis keeps n elements of an axis: first, first+step, ….
func (v view) sliceAxis(axis, first, step, n int) view {
	v.shape, v.stride = slices.Clone(v.shape), slices.Clone(v.stride)
	v.off += first * v.stride[axis]
	v.shape[axis], v.stride[axis] = n, v.stride[axis]*step
	return v
}

// reshapeView gives the elements another shape and keeps their row-major order.
// It is false where strides cannot express that order; then the tensor has to
// be copied.
func (v view) reshapeView(shape []int) (view, bool) {
	r := view{buf: v.buf, off: v.off, shape: shape, stride: make([]int, len(shape))}
	if elemCount(shape) != elemCount(v.shape) {
		return r, false
	}
	i, j := 0, 0 // go through both shapes by groups of axes with equally many elements
	for i < len(v.shape) || j < len(shape) {
		i0, j0, a, b := i, j, 1, 1
		if i < len(v.shape) {
			a = v.shape[i]
			i++
		}
		if j < len(shape) {
			b = shape[j]
			j++
		}
		for a != b {
			switch {
			case a < b && i < len(v.shape):
				a *= v.shape[i]
				i++
			case b < a && j < len(shape):
				b *= shape[j]
				j++
			default:
				return r, false
			}
		}
		if !splitAxes(v.shape[i0:i], v.stride[i0:i], shape[j0:j], r.stride[j0:j]) {
			return r, false
		}
	}
	return r, true
}

// splitAxes sets the strides of a group of new axes that holds as many elements
// as a group of old ones. It is false where the old axes have gaps between them.
func splitAxes(oldShape, oldStride, shape, stride []int) bool {
	inner, merged := 1, 1 // stride and length of the old axes, merged to one
	for i := len(oldShape) - 1; i >= 0; i-- {
		switch {
		case oldShape[i] == 1:
		case merged == 1:
			inner, merged = oldStride[i], oldShape[i]
		case oldStride[i] == inner*merged:
			merged *= oldShape[i]
		default:
			return false
		}
	}
	for j := len(shape) - 1; j >= 0; j-- {
		stride[j] = inner
		inner *= shape[j]
	}
	return true
}

// loopNest is a loop nest over tensors of one shape. It has no axes of length 1,
// and axes that follow each other without a gap in every tensor are merged, so
// that its innermost loops, the runs, are long.
type loopNest struct {
	shape  []int
	stride [][]int // [tensor][axis]
}

// newLoopNest returns the loops over tensors with the given strides, ordered by
// the strides of the first tensor, the smallest innermost.
func newLoopNest(shape []int, strides ...[]int) loopNest {
	var axes []int
	for a, d := range shape {
		if d != 1 {
			axes = append(axes, a)
		}
	}
	slices.SortStableFunc(axes, func(a, b int) int { return strides[0][b] - strides[0][a] })
	w := loopNest{stride: make([][]int, len(strides))}
	for _, a := range axes {
		if last := len(w.shape) - 1; last >= 0 && canMergeAxis(w.stride, strides, last, a, shape[a]) {
			w.shape[last] *= shape[a]
			for t := range strides {
				w.stride[t][last] = strides[t][a]
			}
			continue
		}
		w.shape = append(w.shape, shape[a])
		for t := range strides {
			w.stride[t] = append(w.stride[t], strides[t][a])
		}
	}
	if len(w.shape) == 0 {
		w.shape = []int{1}
		for t := range strides {
			w.stride[t] = []int{1}
		}
	}
	return w
}

// canMergeAxis reports whether an axis of length n continues the merged axis
// last in every tensor.
func canMergeAxis(merged, strides [][]int, last, axis, n int) bool {
	for t := range strides {
		if merged[t][last] != strides[t][axis]*n {
			return false
		}
	}
	return true
}

// minElems is the length of a run's piece, the least that a thread computes at
// once, in elements (8 KiB; chosen by hand).
const minElems = 2048

// pieceCount returns the number of pieces of all runs, of at most size elements
// each.
func (w loopNest) pieceCount(size int) int {
	return w.runCount() * ((w.runLength() + size - 1) / size)
}

// pieceAt returns the run of piece u, its first element there and its length.
func (w loopNest) pieceAt(u, size int) (row, first, n int) {
	each := (w.runLength() + size - 1) / size
	first = u % each * size
	return u / each, first, min(size, w.runLength()-first)
}

// runCount returns the number of innermost loops.
func (w loopNest) runCount() int { return elemCount(w.shape[:len(w.shape)-1]) }

// runLength returns the number of elements of an innermost loop.
func (w loopNest) runLength() int { return w.shape[len(w.shape)-1] }

// runStart returns the offset of run i in tensor t, and its stride there.
func (w loopNest) runStart(t, i int) (off, step int) {
	last := len(w.shape) - 1
	for a := last - 1; a >= 0; a-- {
		off += i % w.shape[a] * w.stride[t][a]
		i /= w.shape[a]
	}
	return off, w.stride[t][last]
}

// elemOffset returns the offset of element first of run i in tensor t, and the
// stride there.
func (w loopNest) elemOffset(t, i, first int) (off, step int) {
	off, step = w.runStart(t, i)
	return off + first*step, step
}
