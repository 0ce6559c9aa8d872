package neural

import (
	"fmt"
	"slices"

	"kerb/counting/neural/kernel"
)

// lowerNode appends the steps that compute one node.
func (p *planner) lowerNode(n *node) error {
	out := n.out[0]
	switch k := n.operator.(type) {
	case viewOp:
		p.lowerView(n, k, out)
	case splitOp:
		for i, part := range k.outputs {
			p.lowerView(n, part, n.out[i])
		}
	case concatOp:
		first := 0
		for _, v := range n.in {
			d := v.shape[k.axis]
			to := out.layout.sliceAxis(k.axis, first, 1, d)
			if v.known != nil || !sameElements(v.layout, to) {
				p.addCopy(n, p.valueOperand(v), to)
			}
			first += d
		}
	case convOp:
		p.lowerConv(n, k)
	case gemmOp:
		p.lowerGemm(n, k)
	case poolOp:
		p.lowerPool(n, k)
	case resizeOp:
		p.lowerResize(n, k)
	case mapOp:
		p.addStep(&mapStep{
			act: k.act, set: p.set, loopNest: newLoopNest(out.shape, out.layout.stride, n.in[0].layout.stride),
			in: p.readOperand(n.in[0].layout), out: p.writeOperand(out.layout),
		}, n, "map", 0)
	case binaryOp:
		a, b := p.valueOperand(n.in[0]), p.valueOperand(n.in[1])
		w := newLoopNest(out.shape, out.layout.stride, broadcastStrides(a.shape, a.stride, out.shape), broadcastStrides(b.shape, b.stride, out.shape))
		p.addStep(&binaryStep{op: k.op, loopNest: w, a: a, b: b, out: p.writeOperand(out.layout)}, n, "binary", 0)
	case padOp:
		p.addStep(&fillStep{value: k.value, loopNest: newLoopNest(out.shape, out.layout.stride), out: p.writeOperand(out.layout)}, n, "pad", 0)
		to := out.layout
		for a, first := range k.before {
			to = to.sliceAxis(a, first, 1, n.in[0].shape[a])
		}
		p.addCopy(n, p.valueOperand(n.in[0]), to)
	case softmaxOp:
		p.lowerSoftmax(n, k)
	case reduceOp:
		p.lowerReduce(n, k)
	default:
		return fmt.Errorf("this operator is %w", errUnsupported)
	}
	return p.err
}

// addStep appends a step for node n to the plan. kind and macs are for Info.
func (p *planner) addStep(s step, n *node, kind string, macs int64) *plannedStep {
	p.steps = append(p.steps, plannedStep{step: s, info: StepInfo{Kind: kind, Name: n.String(), Shape: n.out[0].shape, MACs: macs}})
	return &p.steps[len(p.steps)-1]
}

// sameElements reports whether two views have the same elements at the same
// offsets of the same buffer.
func sameElements(a, b view) bool {
	if a.buf != b.buf || a.off != b.off || !slices.Equal(a.shape, b.shape) {
		return false
	}
	for i, d := range a.shape {
		if d > 1 && a.stride[i] != b.stride[i] {
			return false
		}
	}
	return true
}

// lowerView makes v a view of the node's input. It adds a copy where v already
// has another place, and where strides cannot express the view.
func (p *planner) lowerView(n *node, op viewOp, v *value) {
	if v.name == "" && v.readers == 0 {
		return
	}
	in := n.in[0].layout
	at, ok := op.outputView(in, v.shape)
	if !ok { // copy the input to row-major order, of which it is a view
		dense := newView(in.shape, rowMajorStrides(in.shape))
		p.addCopy(n, p.readOperand(in), dense)
		at, _ = op.outputView(dense, v.shape)
	}
	switch {
	case !v.layout.isPlaced():
		v.layout = at
	case !sameElements(at, v.layout):
		p.addCopy(n, p.readOperand(at), v.layout)
	}
}

// addCopy appends a step that copies from to the view to.
func (p *planner) addCopy(n *node, from *operand, to view) {
	if from.buf != nil { // keep the buffer alive for the step that is added now
		from = p.readOperand(from.view)
	}
	w := newLoopNest(to.shape, to.stride, from.stride)
	p.addStep(&copyStep{loopNest: w, in: from, out: p.writeOperand(to)}, n, "copy", 0)
}

// channelsLastOutput returns a view for an operator that writes the channels of
// a pixel side by side, and a function to call after the operator's step, which
// adds the copy to v where v has another order.
func (p *planner) channelsLastOutput(n *node, v view) (at view, after func()) {
	if v.shape[1] == 1 || v.stride[1] == 1 {
		return v, func() {}
	}
	at = newView(v.shape, channelsLastStrides(v.shape))
	return at, func() { p.addCopy(n, p.readOperand(at), v) }
}

// channelsLastInput returns v, or a copy of it, with the channels of a pixel side
// by side.
func (p *planner) channelsLastInput(n *node, v view) view {
	if v.stride[1] == 1 || v.shape[1] == 1 {
		return v
	}
	at := newView(v.shape, channelsLastStrides(v.shape))
	p.addCopy(n, p.readOperand(v), at)
	return at
}

// copyStep copies a tensor from one layout to another.
type copyStep struct {
	loopNest
	in, out *operand
}

func (s *copyStep) unitCount() int { return s.pieceCount(minElems) }

func (s *copyStep) computeUnits(from, to int, _ *scratch) {
	for u := from; u < to; u++ {
		r, first, n := s.pieceAt(u, minElems)
		o, os := s.elemOffset(0, r, first)
		i, is := s.elemOffset(1, r, first)
		dst, src := s.out.mem[s.out.off+o:], s.in.mem[s.in.off+i:]
		if os == 1 && is == 1 {
			copy(dst[:n], src[:n])
			continue
		}
		for j := range n {
			dst[j*os] = src[j*is]
		}
	}
}

// fillStep sets all elements of a tensor to a constant.
type fillStep struct {
	loopNest
	value float32
	out   *operand
}

func (s *fillStep) unitCount() int { return s.pieceCount(minElems) }

func (s *fillStep) computeUnits(from, to int, _ *scratch) {
	for u := from; u < to; u++ {
		r, first, n := s.pieceAt(u, minElems)
		o, os := s.elemOffset(0, r, first)
		for j := range n {
			s.out.mem[s.out.off+o+j*os] = s.value
		}
	}
}

// mapStep applies a function to each element.
type mapStep struct {
	loopNest
	act     kernel.Act
	set     *kernel.Set
	in, out *operand
}

func (s *mapStep) unitCount() int { return s.pieceCount(minElems) }

func (s *mapStep) computeUnits(from, to int, own *scratch) {
	for u := from; u < to; u++ {
		r, first, n := s.pieceAt(u, minElems)
		o, os := s.elemOffset(0, r, first)
		i, is := s.elemOffset(1, r, first)
		dst, src := s.out.mem[s.out.off+o:], s.in.mem[s.in.off+i:]
		if os == 1 && is == 1 {
			own.act.Dst, own.act.Src, own.act.Act = dst[:n], src[:n], s.act
			s.set.ApplyAct(&own.act)
			continue
		}
		for j := range n {
			dst[j*os] = s.act.Apply(src[j*is])
		}
	}
}

// binaryStep combines two tensors element by element.
type binaryStep struct {
	loopNest
	op        kernel.Binary
	a, b, out *operand
}

func (s *binaryStep) unitCount() int { return s.pieceCount(minElems) }

func (s *binaryStep) computeUnits(from, to int, _ *scratch) {
	for u := from; u < to; u++ {
		r, first, n := s.pieceAt(u, minElems)
		o, os := s.elemOffset(0, r, first)
		a, as := s.elemOffset(1, r, first)
		b, bs := s.elemOffset(2, r, first)
		kernel.Combine(s.op, s.out.mem[s.out.off+o:], s.a.mem[s.a.off+a:], s.b.mem[s.b.off+b:], n, os, as, bs)
	}
}

// elemOffsets returns the offset of every element of a shape, in row-major order.
func elemOffsets(shape, stride []int) []int {
	w := newLoopNest(shape, rowMajorStrides(shape), stride)
	at := make([]int, elemCount(shape))
	for r := range w.runCount() {
		o, os := w.runStart(0, r)
		i, is := w.runStart(1, r)
		for j := range w.runLength() {
			at[o+j*os] = i + j*is
		}
	}
	return at
}

// softmaxStep normalises groups of elements. The loops go over the groups; the
// offsets of the elements within a group are the same for all.
type softmaxStep struct {
	loopNest    // over the groups
	set         *kernel.Set
	inAt, outAt []int // offsets within a group
	in, out     *operand
}

// lowerSoftmax adds a softmax. It reserves the offsets of one group in input and
// output and a row of scratch memory per thread.
func (p *planner) lowerSoftmax(n *node, k softmaxOp) {
	in, out := n.in[0].layout, n.out[0].layout
	outer, inner := slices.Clone(in.shape), slices.Clone(in.shape)
	for a := range in.shape {
		if a >= k.axis && a <= k.last {
			outer[a] = 1
		} else {
			inner[a] = 1
		}
	}
	if !p.reserveElems((2 + p.threads) * elemCount(inner)) {
		return
	}
	p.softmaxElems = max(p.softmaxElems, elemCount(inner))
	p.addStep(&softmaxStep{
		set:      p.set,
		loopNest: newLoopNest(outer, out.stride, in.stride), inAt: elemOffsets(inner, in.stride), outAt: elemOffsets(inner, out.stride),
		in: p.readOperand(in), out: p.writeOperand(out),
	}, n, "softmax", 0)
}

// minGroups is the number of groups in a run's piece, the least that a thread
// computes at once (chosen by hand).
const minGroups = 32

func (s *softmaxStep) unitCount() int { return s.pieceCount(minGroups) }

func (s *softmaxStep) computeUnits(from, to int, own *scratch) {
	e := &own.act
	row := own.softmaxRow[:len(s.inAt)]
	e.Act = kernel.Act{Kind: kernel.ExpNeg}
	for u := from; u < to; u++ {
		r, first, n := s.pieceAt(u, minGroups)
		o, os := s.elemOffset(0, r, first)
		i, is := s.elemOffset(1, r, first)
		for j := range n {
			out, in := s.out.mem[s.out.off+o+j*os:], s.in.mem[s.in.off+i+j*is:]
			top := in[s.inAt[0]]
			for l, at := range s.inAt {
				row[l] = in[at]
				if row[l] > top {
					top = row[l]
				}
			}
			for l := range row {
				row[l] = top - row[l]
			}
			e.Dst, e.Src = row, row
			s.set.ApplyAct(e)
			sum := float32(0)
			for _, x := range row {
				sum += x
			}
			sum = 1 / sum
			for l, at := range s.outAt {
				out[at] = row[l] * sum
			}
		}
	}
}

// reduceStep combines each group of elements into one.
type reduceStep struct {
	loopNest
	inAt    []int
	op      reduceOp
	in, out *operand
}

// lowerReduce adds a reduction, and a copy where strides cannot express the
// output's shape.
func (p *planner) lowerReduce(n *node, k reduceOp) {
	in := n.in[0].layout
	out, ok := n.out[0].layout.reshapeView(k.keptShape)
	after := func() {}
	if !ok {
		out = newView(k.keptShape, rowMajorStrides(k.keptShape))
		after = func() {
			at, _ := out.reshapeView(n.out[0].shape)
			p.addCopy(n, p.readOperand(at), n.out[0].layout)
		}
	}
	inner := slices.Clone(in.shape)
	for a, d := range k.keptShape {
		if d == in.shape[a] {
			inner[a] = 1
		}
	}
	if !p.reserveElems(elemCount(inner)) {
		return
	}
	p.addStep(&reduceStep{
		loopNest: newLoopNest(k.keptShape, out.stride, in.stride), inAt: elemOffsets(inner, in.stride), op: k,
		in: p.readOperand(in), out: p.writeOperand(out),
	}, n, "reduce", 0)
	after()
}

func (s *reduceStep) unitCount() int { return s.pieceCount(minGroups) }

func (s *reduceStep) computeUnits(from, to int, _ *scratch) {
	for u := from; u < to; u++ {
		r, first, n := s.pieceAt(u, minGroups)
		o, os := s.elemOffset(0, r, first)
		i, is := s.elemOffset(1, r, first)
		for j := range n {
			in := s.in.mem[s.in.off+i+j*is:]
			sum := in[s.inAt[0]]
			for _, at := range s.inAt[1:] {
				switch s.op.op {
				case kernel.Max:
					sum = max(sum, in[at])
				case kernel.Min:
					sum = min(sum, in[at])
				default:
					sum += in[at]
				}
			}
			if s.op.mean {
				sum /= float32(len(s.inAt))
			}
			s.out.mem[s.out.off+o+j*os] = sum
		}
	}
}
