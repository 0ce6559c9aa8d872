package neural

import (
	"fmt"
	"slices"

	"kerb/counting/neural/kernel"
)

// lower adds the steps of one node.
func (p *planner) lower(n *node) error {
	out := n.out[0]
	switch k := n.kind.(type) {
	case viewOp:
		p.rename(n, k, out)
	case splitOp:
		for i, part := range k.parts {
			p.rename(n, part, n.out[i])
		}
	case concatOp:
		first := 0
		for _, v := range n.in {
			d := v.shape[k.axis]
			to := out.at.cut(k.axis, first, 1, d)
			if v.k != nil || !same(v.at, to) {
				p.copy(n, p.value(v), to)
			}
			first += d
		}
	case convOp:
		p.conv(n, k)
	case gemmOp:
		p.product(n, k)
	case poolOp:
		p.pool(n, k)
	case resizeOp:
		p.resize(n, k)
	case mapOp:
		p.add(&mapStep{
			act: k.act, set: p.set, walk: newWalk(out.shape, out.at.stride, n.in[0].at.stride),
			in: p.reads(n.in[0].at), out: p.writes(out.at),
		}, n, "map", 0)
	case binaryOp:
		a, b := p.value(n.in[0]), p.value(n.in[1])
		w := newWalk(out.shape, out.at.stride, spread(a.shape, a.stride, out.shape), spread(b.shape, b.stride, out.shape))
		p.add(&binaryStep{op: k.op, walk: w, a: a, b: b, out: p.writes(out.at)}, n, "binary", 0)
	case padOp:
		p.add(&fillStep{value: k.value, walk: newWalk(out.shape, out.at.stride), out: p.writes(out.at)}, n, "pad", 0)
		to := out.at
		for a, first := range k.before {
			to = to.cut(a, first, 1, n.in[0].shape[a])
		}
		p.copy(n, p.value(n.in[0]), to)
	case softmaxOp:
		p.softmax(n, k)
	case reduceOp:
		p.reduce(n, k)
	default:
		return fmt.Errorf("this operator is %w", errUnsupported)
	}
	return p.err
}

func (p *planner) add(s step, n *node, kind string, macs int64) *planned {
	p.steps = append(p.steps, planned{step: s, info: StepInfo{Kind: kind, Name: n.String(), Shape: n.out[0].shape, MACs: macs}})
	return &p.steps[len(p.steps)-1]
}

// same says that two views are the same elements in the same places.
func same(a, b view) bool {
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

// rename makes v a view of the node's input, or copies where the two have
// places of their own or strides cannot express it.
func (p *planner) rename(n *node, op viewOp, v *value) {
	if v.name == "" && v.uses == 0 {
		return
	}
	in := n.in[0].at
	at, ok := op.apply(in, v.shape)
	if !ok { // row-major first
		dense := newView(in.shape, rowMajor(in.shape))
		p.copy(n, p.reads(in), dense)
		at, _ = op.apply(dense, v.shape)
	}
	switch {
	case !v.at.placed():
		v.at = at
	case !same(at, v.at):
		p.copy(n, p.reads(at), v.at)
	}
}

func (p *planner) copy(n *node, from *operand, to view) {
	if from.buf != nil { // read by the step that is added now
		from = p.reads(from.view)
	}
	w := newWalk(to.shape, to.stride, from.stride)
	p.add(&copyStep{walk: w, in: from, out: p.writes(to)}, n, "copy", 0)
}

// beside gives a place for an operator whose output's channels must lie side
// by side, and what to do after it.
func (p *planner) beside(n *node, v view) (at view, after func()) {
	if v.shape[1] == 1 || v.stride[1] == 1 {
		return v, func() {}
	}
	at = newView(v.shape, channelsLast(v.shape))
	return at, func() { p.copy(n, p.reads(at), v) }
}

// dense is v with its channels side by side.
func (p *planner) dense(n *node, v view) view {
	if v.stride[1] == 1 || v.shape[1] == 1 {
		return v
	}
	at := newView(v.shape, channelsLast(v.shape))
	p.copy(n, p.reads(v), at)
	return at
}

// copyStep moves a tensor between layouts.
type copyStep struct {
	walk
	in, out *operand
}

func (s *copyStep) units() int { return s.pieces(walkPiece) }

func (s *copyStep) do(from, to int, _ *scratch) {
	for u := from; u < to; u++ {
		r, first, n := s.piece(u, walkPiece)
		o, os := s.at(0, r, first)
		i, is := s.at(1, r, first)
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

type fillStep struct {
	walk
	value float32
	out   *operand
}

func (s *fillStep) units() int { return s.pieces(walkPiece) }

func (s *fillStep) do(from, to int, _ *scratch) {
	for u := from; u < to; u++ {
		r, first, n := s.piece(u, walkPiece)
		o, os := s.at(0, r, first)
		for j := range n {
			s.out.mem[s.out.off+o+j*os] = s.value
		}
	}
}

type mapStep struct {
	walk
	act     kernel.Act
	set     *kernel.Set
	in, out *operand
}

func (s *mapStep) units() int { return s.pieces(walkPiece) }

func (s *mapStep) do(from, to int, own *scratch) {
	for u := from; u < to; u++ {
		r, first, n := s.piece(u, walkPiece)
		o, os := s.at(0, r, first)
		i, is := s.at(1, r, first)
		dst, src := s.out.mem[s.out.off+o:], s.in.mem[s.in.off+i:]
		if os == 1 && is == 1 {
			own.act.Dst, own.act.Src, own.act.Act = dst[:n], src[:n], s.act
			s.set.Act(&own.act)
			continue
		}
		for j := range n {
			dst[j*os] = s.act.Of(src[j*is])
		}
	}
}

type binaryStep struct {
	walk
	op        kernel.Binary
	a, b, out *operand
}

func (s *binaryStep) units() int { return s.pieces(walkPiece) }

func (s *binaryStep) do(from, to int, _ *scratch) {
	for u := from; u < to; u++ {
		r, first, n := s.piece(u, walkPiece)
		o, os := s.at(0, r, first)
		a, as := s.at(1, r, first)
		b, bs := s.at(2, r, first)
		kernel.Combine(s.op, s.out.mem[s.out.off+o:], s.a.mem[s.a.off+a:], s.b.mem[s.b.off+b:], n, os, as, bs)
	}
}

// lanes lists the offsets of the elements over which a reduction runs.
func lanes(shape, stride []int) []int {
	w := newWalk(shape, rowMajor(shape), stride)
	at := make([]int, elems(shape))
	for r := range w.rows() {
		o, os := w.row(0, r)
		i, is := w.row(1, r)
		for j := range w.run() {
			at[o+j*os] = i + j*is
		}
	}
	return at
}

// softmaxStep normalises groups of elements; all groups have the same offsets.
type softmaxStep struct {
	walk        // over the groups
	set         *kernel.Set
	inAt, outAt []int // within one
	in, out     *operand
}

func (p *planner) softmax(n *node, k softmaxOp) {
	in, out := n.in[0].at, n.out[0].at
	outer, inner := slices.Clone(in.shape), slices.Clone(in.shape)
	for a := range in.shape {
		if a >= k.axis && a <= k.last {
			outer[a] = 1
		} else {
			inner[a] = 1
		}
	}
	if !p.afford((2 + p.threads) * elems(inner)) {
		return
	}
	p.row = max(p.row, elems(inner))
	p.add(&softmaxStep{
		set:  p.set,
		walk: newWalk(outer, out.stride, in.stride), inAt: lanes(inner, in.stride), outAt: lanes(inner, out.stride),
		in: p.reads(in), out: p.writes(out),
	}, n, "softmax", 0)
}

// groupPiece is how many groups a thread takes at least.
const groupPiece = 32

func (s *softmaxStep) units() int { return s.pieces(groupPiece) }

func (s *softmaxStep) do(from, to int, own *scratch) {
	e := &own.act
	row := own.row[:len(s.inAt)]
	e.Act = kernel.Act{Kind: kernel.ExpNeg}
	for u := from; u < to; u++ {
		r, first, n := s.piece(u, groupPiece)
		o, os := s.at(0, r, first)
		i, is := s.at(1, r, first)
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
			s.set.Act(e)
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

// reduceStep combines groups of elements into one each.
type reduceStep struct {
	walk
	inAt    []int
	op      reduceOp
	in, out *operand
}

func (p *planner) reduce(n *node, k reduceOp) {
	in := n.in[0].at
	out, ok := n.out[0].at.reshape(k.keep)
	after := func() {}
	if !ok {
		out = newView(k.keep, rowMajor(k.keep))
		after = func() {
			at, _ := out.reshape(n.out[0].shape)
			p.copy(n, p.reads(at), n.out[0].at)
		}
	}
	inner := slices.Clone(in.shape)
	for a, d := range k.keep {
		if d == in.shape[a] {
			inner[a] = 1
		}
	}
	if !p.afford(elems(inner)) {
		return
	}
	p.add(&reduceStep{
		walk: newWalk(k.keep, out.stride, in.stride), inAt: lanes(inner, in.stride), op: k,
		in: p.reads(in), out: p.writes(out),
	}, n, "reduce", 0)
	after()
}

func (s *reduceStep) units() int { return s.pieces(groupPiece) }

func (s *reduceStep) do(from, to int, _ *scratch) {
	for u := from; u < to; u++ {
		r, first, n := s.piece(u, groupPiece)
		o, os := s.at(0, r, first)
		i, is := s.at(1, r, first)
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
