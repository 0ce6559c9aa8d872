package neural

import (
	"fmt"
	"slices"

	"kerb/counting/neural/kernel"
)

// planner turns the fused graph into steps over one arena.
type planner struct {
	set          *kernel.Set
	threads      int
	steps        []plannedStep
	bufs         []*buffer
	operands     []*operand
	ranges       Ranges
	int8Bytes    int   // of the largest chunk of a product in bytes
	softmaxElems int   // elements of the largest group of a softmax
	arenaLimit   int   // elements of the arena
	tableBudget  int   // elements of tables and packed weights that may still be made
	err          error // of the node at hand
}

// reserveElems bounds what a hostile file can make the plan allocate.
func (p *planner) reserveElems(n int) bool {
	if n < 0 || n > p.tableBudget {
		p.err = errMemory
		return false
	}
	p.tableBudget -= n
	return true
}

// operand is a tensor that a step reads or writes.
type operand struct {
	view
	mem []float32 // the buffer, or a constant's elements
}

// readOperand keeps v's buffer alive for the step that is added next.
func (p *planner) readOperand(v view) *operand { return p.useBuffer(v) }

// writeOperand is the same for an output.
func (p *planner) writeOperand(v view) *operand { return p.useBuffer(v) }

func (p *planner) useBuffer(v view) *operand {
	o := &operand{view: v}
	at := len(p.steps)
	if v.buf.firstStep < 0 {
		v.buf.firstStep = at
		p.bufs = append(p.bufs, v.buf)
	}
	v.buf.lastStep = max(v.buf.lastStep, at)
	p.operands = append(p.operands, o)
	return o
}

// valueOperand is an operand for a tensor of the graph, which may be a constant.
func (p *planner) valueOperand(v *value) *operand {
	if v.known != nil {
		return &operand{view: view{shape: v.shape, stride: rowMajorStrides(v.shape)}, mem: v.known.F}
	}
	return p.readOperand(v.layout)
}

// assignLayouts decides where each tensor lies, last node first, so that the parts of
// a concatenation are written where they belong and reshapes cost nothing.
func (g *graph) assignLayouts() {
	for _, v := range slices.Concat(g.inputs, g.outputs) {
		// A picture that is an output is made channels-last and copied at the
		// end: its parts may be read by other nodes.
		if !v.layout.isPlaced() && (v.producer == nil || len(v.shape) != 4) {
			v.layout = newView(v.shape, rowMajorStrides(v.shape))
		}
	}
	for _, n := range slices.Backward(g.nodes) {
		out := n.out[0]
		switch k := n.operator.(type) {
		case concatOp:
			if !out.layout.isPlaced() {
				out.layout = newView(out.shape, channelsLastStrides(out.shape))
			}
			first := 0
			for _, v := range n.in {
				d := v.shape[k.axis]
				if v.known == nil && !v.layout.isPlaced() {
					v.layout = out.layout.sliceAxis(k.axis, first, 1, d)
				}
				first += d
			}
		case viewOp:
			if in := n.in[0]; out.layout.isPlaced() && !in.layout.isPlaced() {
				if at, ok := k.inputView(out.layout, in.shape); ok {
					in.layout = at
				}
			}
		case splitOp:
		default:
			if !out.layout.isPlaced() {
				out.layout = newView(out.shape, channelsLastStrides(out.shape))
			}
		}
	}
}

// layOutArena gives every buffer its place in the arena: the largest first, each as
// low as the buffers alive at the same time allow. It returns the arena's
// size.
func (p *planner) layOutArena() (int, error) {
	const line = 16 // floats of a cache line
	order := slices.Clone(p.bufs)
	slices.SortStableFunc(order, func(a, b *buffer) int { return b.elems - a.elems })
	var placed []*buffer // by place
	size := 0
	for _, b := range order {
		at := 0
		for _, o := range placed {
			if o.lastStep < b.firstStep || b.lastStep < o.firstStep {
				continue
			}
			if at+b.elems <= o.offset {
				break
			}
			at = max(at, (o.offset+o.elems+line-1)/line*line)
		}
		if b.offset = at; at > p.arenaLimit-b.elems {
			return 0, fmt.Errorf("%w: more than %d elements", errMemory, p.arenaLimit)
		}
		i, _ := slices.BinarySearchFunc(placed, at, func(o *buffer, at int) int { return o.offset - at })
		placed = slices.Insert(placed, i, b)
		size = max(size, at+b.elems)
	}
	return size, nil
}
