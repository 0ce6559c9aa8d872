package neural

import (
	"fmt"
	"slices"

	"kerb/counting/neural/kernel"
)

// planner turns the fused graph into steps over one arena.
type planner struct {
	set     *kernel.Set
	threads int
	steps   []planned
	bufs    []*buffer
	bind    []*operand
	ranges  Ranges
	bytes   int   // of the largest chunk of a product in bytes
	row     int   // elements of the largest group of a softmax
	most    int   // elements of the arena
	left    int   // elements of tables and packed weights that may still be made
	err     error // of the node at hand
}

// afford bounds what a hostile file can make the plan allocate.
func (p *planner) afford(n int) bool {
	if n < 0 || n > p.left {
		p.err = errMemory
		return false
	}
	p.left -= n
	return true
}

// operand is a tensor that a step reads or writes.
type operand struct {
	view
	mem []float32 // the buffer, or a constant's elements
}

// reads keeps v's buffer alive for the step that is added next.
func (p *planner) reads(v view) *operand { return p.use(v) }

// writes is the same for an output.
func (p *planner) writes(v view) *operand { return p.use(v) }

func (p *planner) use(v view) *operand {
	o := &operand{view: v}
	at := len(p.steps)
	if v.buf.first < 0 {
		v.buf.first = at
		p.bufs = append(p.bufs, v.buf)
	}
	v.buf.last = max(v.buf.last, at)
	p.bind = append(p.bind, o)
	return o
}

// value is an operand for a tensor of the graph, which may be a constant.
func (p *planner) value(v *value) *operand {
	if v.k != nil {
		return &operand{view: view{shape: v.shape, stride: rowMajor(v.shape)}, mem: v.k.F}
	}
	return p.reads(v.at)
}

// place decides where each tensor lies, last node first, so that the parts of
// a concatenation are written where they belong and reshapes cost nothing.
func (g *graph) place() {
	for _, v := range slices.Concat(g.inputs, g.outputs) {
		// A picture that is an output is made channels-last and copied at the
		// end: its parts may be read by other nodes.
		if !v.at.placed() && (v.by == nil || len(v.shape) != 4) {
			v.at = newView(v.shape, rowMajor(v.shape))
		}
	}
	for _, n := range slices.Backward(g.nodes) {
		out := n.out[0]
		switch k := n.kind.(type) {
		case concatOp:
			if !out.at.placed() {
				out.at = newView(out.shape, channelsLast(out.shape))
			}
			first := 0
			for _, v := range n.in {
				d := v.shape[k.axis]
				if v.k == nil && !v.at.placed() {
					v.at = out.at.cut(k.axis, first, 1, d)
				}
				first += d
			}
		case viewOp:
			if in := n.in[0]; out.at.placed() && !in.at.placed() {
				if at, ok := k.invert(out.at, in.shape); ok {
					in.at = at
				}
			}
		case splitOp:
		default:
			if !out.at.placed() {
				out.at = newView(out.shape, channelsLast(out.shape))
			}
		}
	}
}

// layOut gives every buffer its place in the arena: the largest first, each as
// low as the buffers alive at the same time allow. It returns the arena's
// size.
func (p *planner) layOut() (int, error) {
	const line = 16 // floats of a cache line
	order := slices.Clone(p.bufs)
	slices.SortStableFunc(order, func(a, b *buffer) int { return b.elems - a.elems })
	var placed []*buffer // by place
	size := 0
	for _, b := range order {
		at := 0
		for _, o := range placed {
			if o.last < b.first || b.last < o.first {
				continue
			}
			if at+b.elems <= o.at {
				break
			}
			at = max(at, (o.at+o.elems+line-1)/line*line)
		}
		if b.at = at; at > p.most-b.elems {
			return 0, fmt.Errorf("%w: more than %d elements", errMemory, p.most)
		}
		i, _ := slices.BinarySearchFunc(placed, at, func(o *buffer, at int) int { return o.at - at })
		placed = slices.Insert(placed, i, b)
		size = max(size, at+b.elems)
	}
	return size, nil
}
