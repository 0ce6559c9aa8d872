package neural

import "slices"

// buffer is a stretch of the arena, alive from the step that first writes it
// to the step that last reads it.
type buffer struct {
	elems               int
	firstStep, lastStep int // steps
	offset              int // offset in the arena; set by layOutArena
}

// view is a tensor in a buffer: element (i, j, …) lies at
// off + i*stride[0] + j*stride[1] + …. Slices, transpositions, most reshapes
// and the parts of a concatenation are views of one buffer, so they cost
// nothing at run time.
type view struct {
	buf    *buffer
	off    int
	shape  []int
	stride []int
}

func elemCount(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// rowMajorStrides is ONNX's own order.
func rowMajorStrides(shape []int) []int {
	s := make([]int, len(shape))
	n := 1
	for i := len(shape) - 1; i >= 0; i-- {
		s[i] = n
		n *= max(shape[i], 1)
	}
	return s
}

// channelsLastStrides keeps the channels of a pixel together (NHWC). It makes a 1×1
// convolution a plain matrix product, lets a depthwise one run over channels
// as vector lanes, and makes joining and splitting channels a matter of
// strides.
func channelsLastStrides(shape []int) []int {
	if len(shape) != 4 {
		return rowMajorStrides(shape)
	}
	c, h, w := shape[1], shape[2], shape[3]
	return []int{c * h * w, 1, w * c, c}
}

func newView(shape, stride []int) view {
	return view{buf: &buffer{elems: elemCount(shape), firstStep: -1, lastStep: -1}, shape: shape, stride: stride}
}

func (v view) isPlaced() bool { return v.buf != nil }

func (v view) isRowMajor() bool {
	want := rowMajorStrides(v.shape)
	for i, d := range v.shape {
		if d > 1 && v.stride[i] != want[i] {
			return false
		}
	}
	return true
}

func (v view) permuteAxes(perm []int) view {
	t := view{buf: v.buf, off: v.off}
	for _, p := range perm {
		t.shape = append(t.shape, v.shape[p])
		t.stride = append(t.stride, v.stride[p])
	}
	return t
}

// sliceAxis keeps n elements of an axis, from the first one in steps.
func (v view) sliceAxis(axis, first, step, n int) view {
	v.shape, v.stride = slices.Clone(v.shape), slices.Clone(v.stride)
	v.off += first * v.stride[axis]
	v.shape[axis], v.stride[axis] = n, v.stride[axis]*step
	return v
}

// reshapeView keeps the elements in their row-major order. It is false where that
// order cannot be expressed by strides: then the tensor has to be copied.
func (v view) reshapeView(shape []int) (view, bool) {
	r := view{buf: v.buf, off: v.off, shape: shape, stride: make([]int, len(shape))}
	if elemCount(shape) != elemCount(v.shape) {
		return r, false
	}
	i, j := 0, 0 // walk both shapes in groups of equal size
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

// splitAxes fills the strides of a group of new axes that holds as many
// elements as a group of old ones.
func splitAxes(oldShape, oldStride, shape, stride []int) bool {
	inner, merged := 1, 1 // the merged axis' stride and length
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

// loopNest is a loop nest over tensors of one shape, longest runs innermost: axes
// of length one dropped, axes that follow each other in every tensor merged.
type loopNest struct {
	shape  []int
	stride [][]int // [tensor][axis]
}

// newLoopNest orders the loops by the strides of the first tensor.
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

func canMergeAxis(merged, strides [][]int, last, axis, n int) bool {
	for t := range strides {
		if merged[t][last] != strides[t][axis]*n {
			return false
		}
	}
	return true
}

// minElems is how many elements of a run a thread takes at least.
const minElems = 2048

// pieceCount is how many stretches of a run of at most size elements there are.
func (w loopNest) pieceCount(size int) int {
	return w.runCount() * ((w.runLength() + size - 1) / size)
}

// pieceAt is a stretch: its run, its first element there and its length.
func (w loopNest) pieceAt(u, size int) (row, first, n int) {
	each := (w.runLength() + size - 1) / size
	first = u % each * size
	return u / each, first, min(size, w.runLength()-first)
}

// runCount is the number of innermost runs, run their length.
func (w loopNest) runCount() int  { return elemCount(w.shape[:len(w.shape)-1]) }
func (w loopNest) runLength() int { return w.shape[len(w.shape)-1] }

// runStart gives where run i starts in tensor t, and its stride.
func (w loopNest) runStart(t, i int) (off, step int) {
	last := len(w.shape) - 1
	for a := last - 1; a >= 0; a-- {
		off += i % w.shape[a] * w.stride[t][a]
		i /= w.shape[a]
	}
	return off, w.stride[t][last]
}

// elemOffset is where element first of run i lies in tensor t, and the stride.
func (w loopNest) elemOffset(t, i, first int) (off, step int) {
	off, step = w.runStart(t, i)
	return off + first*step, step
}
