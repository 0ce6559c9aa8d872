package neural

import (
	"fmt"
	"slices"

	"kerb/counting/neural/kernel"
)

// planner lowers the fused graph to steps whose operands lie in one arena.
type planner struct {
	set          *kernel.Set
	threads      int
	steps        []plannedStep
	bufs         []*buffer
	operands     []*operand
	ranges       Ranges
	int8Bytes    int   // size of the largest chunk of a quantised product
	softmaxElems int   // size of the largest group of a softmax
	arenaLimit   int   // largest size of the arena, in elements
	tableBudget  int   // elements of tables and packed weights that may still be allocated
	err          error // of the node that is being lowered
}

// reserveElems takes n elements from the budget for tables and packed weights.
// It is false, and sets p.err, where fewer are left or n is negative: a hostile
// file cannot make the plan allocate more.
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

// readOperand returns an operand for an input of the step that is added next. It
// keeps v's buffer alive until then.
func (p *planner) readOperand(v view) *operand { return p.useBuffer(v) }

// writeOperand returns an operand for an output of the step that is added next.
func (p *planner) writeOperand(v view) *operand { return p.useBuffer(v) }

// useBuffer extends the lifetime of v's buffer to the step that is added next and
// returns an operand. planNet sets its memory when the arena exists.
func (p *planner) useBuffer(v view) *operand {
	o := &operand{view: v}
	i := len(p.steps)
	if v.buf.firstStep < 0 {
		v.buf.firstStep = i
		p.bufs = append(p.bufs, v.buf)
	}
	v.buf.lastStep = max(v.buf.lastStep, i)
	p.operands = append(p.operands, o)
	return o
}

// valueOperand returns an operand for a tensor of the graph: a constant with its
// own memory, or a view of the arena.
func (p *planner) valueOperand(v *value) *operand {
	if v.known != nil {
		return &operand{view: view{shape: v.shape, stride: rowMajorStrides(v.shape)}, mem: v.known.F}
	}
	return p.readOperand(v.layout)
}

// assignLayouts gives each tensor a view, last node first. So the parts of a
// concatenation are written in their place in the result, and reshapes need no
// copy.
func (g *graph) assignLayouts() {
	for _, v := range slices.Concat(g.inputs, g.outputs) {
		// An output of four axes is computed channels-last and copied at the end,
		// because other nodes may read parts of it.
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

// layOutArena assigns every buffer an offset in the arena: the largest buffer
// first, each at the lowest offset that no buffer alive at the same time covers
// (first fit by decreasing size). It returns the arena's size in elements.
func (p *planner) layOutArena() (int, error) {
	const line = 16 // floats of a cache line of 64 bytes
	order := slices.Clone(p.bufs)
	slices.SortStableFunc(order, func(a, b *buffer) int { return b.elems - a.elems })
	var placed []*buffer // by offset
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
