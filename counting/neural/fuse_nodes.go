package neural

import (
	"slices"

	"kerb/counting/neural/kernel"
)

// fuseNodes rewrites the graph into fewer, larger operators that compute the
// same function and pass over the memory less often.
func (g *graph) fuseNodes() {
	g.rewriteNodes(g.fuseGate)
	g.rewriteNodes(g.fuseNorm)
	g.rewriteNodes(g.fusePad)
	g.rewriteNodes(g.fuseAct)
	g.rewriteNodes(g.fuseSum)
	g.rewriteNodes(g.fuseAct) // again, for an activation after a sum
	g.rewriteNodes(g.fuseFocus)
	g.removeDeadNodes()
	for _, n := range slices.Backward(g.nodes) { // the largest maximum first, while the smaller ones still read the picture
		g.fuseCascade(n)
	}
	g.removeDeadNodes()
}

// rewriteNodes calls rewrite for every node. It removes dead nodes first,
// because a rewriting depends on the number of readers of each tensor.
func (g *graph) rewriteNodes(rewrite func(*node)) {
	g.removeDeadNodes()
	for _, n := range g.nodes {
		rewrite(n)
	}
}

// removeDeadNodes drops the nodes that have no operator left or whose outputs
// have no reader, and counts the readers of every tensor again.
func (g *graph) removeDeadNodes() {
	for _, n := range g.nodes {
		for _, v := range n.runtimeInputs() {
			v.readers = 0
		}
		for _, v := range n.out {
			v.readers = 0
		}
	}
	for i := len(g.nodes) - 1; i >= 0; i-- {
		n := g.nodes[i]
		if n.operator == nil || !slices.ContainsFunc(n.out, func(v *value) bool { return v.producer == n && (v.readers > 0 || v.external) }) {
			g.nodes[i] = nil
			continue
		}
		for _, v := range n.runtimeInputs() {
			v.readers++
		}
	}
	g.nodes = slices.DeleteFunc(g.nodes, func(n *node) bool { return n == nil })
}

// runtimeInputs returns the tensors that a node reads at run time: both
// operands of a binary operator, all parts of a concatenation, else input 0
// and a convolution's residual. Weights and parameters are not among them.
func (n *node) runtimeInputs() []*value {
	switch k := n.operator.(type) {
	case binaryOp, concatOp:
		return n.in
	case convOp:
		if k.residual != nil {
			return []*value{n.in[0], k.residual}
		}
	}
	return n.in[:1]
}

// soleProducer returns the node that produces v, or nil where v is missing, has
// not exactly one reader, or is an input or output of the network.
func soleProducer(v *value) *node {
	if v == nil || v.readers != 1 || v.external {
		return nil
	}
	return v.producer
}

// adoptOutput makes n the producer of m's output. m keeps no output of its own.
func (n *node) adoptOutput(m *node) {
	n.out[0] = m.out[0]
	n.out[0].producer = n
}

// fuseGate replaces x·sigmoid(x) by SiLU and x·hardsigmoid(x) by HardSwish.
func (g *graph) fuseGate(n *node) {
	if b, ok := n.operator.(binaryOp); !ok || b.op != kernel.Mul {
		return
	}
	for i := range 2 {
		x, gate := n.in[i], soleProducer(n.in[1-i])
		if gate == nil || len(gate.in) == 0 || gate.in[0] != x {
			continue
		}
		m, ok := gate.operator.(mapOp)
		switch {
		case ok && m.act.Kind == kernel.Sigmoid:
			n.in, n.operator = []*value{x}, mapOp{kernel.Act{Kind: kernel.SiLU}}
			return
		case ok && m.act.Kind == kernel.HardSigmoid:
			n.in, n.operator = []*value{x}, mapOp{kernel.Act{Kind: kernel.HardSwish, Lo: m.act.Lo, Hi: m.act.Hi}}
			return
		}
	}
}

// fuseNorm folds a per-channel scale and shift, a depthwise 1×1 convolution,
// into the weights and biases of the convolution before it.
func (g *graph) fuseNorm(n *node) {
	scale, ok := n.operator.(convOp)
	prev := soleProducer(n.in[0])
	if !ok || prev == nil || !scale.isPointwise() || scale.groupInputs != 1 || scale.group != len(scale.bias) || scale.residual != nil {
		return
	}
	conv, ok := prev.operator.(convOp)
	if !ok || conv.act.Kind != kernel.None || conv.residual != nil {
		return
	}
	each := len(conv.weights) / len(conv.bias)
	conv.weights, conv.bias = slices.Clone(conv.weights), slices.Clone(conv.bias)
	for c, s := range scale.weights {
		for i := range each {
			conv.weights[c*each+i] *= s
		}
		conv.bias[c] = conv.bias[c]*s + scale.bias[c]
	}
	conv.act = scale.act
	n.operator, n.in = conv, prev.in
}

// fusePad adds the zero padding before a convolution to the convolution's own.
func (g *graph) fusePad(n *node) {
	conv, ok := n.operator.(convOp)
	prev := soleProducer(n.in[0])
	if !ok || prev == nil {
		return
	}
	pad, ok := prev.operator.(padOp)
	if !ok || pad.value != 0 || pad.before[0] != 0 || pad.before[1] != 0 || prev.in[0].shape[1] != n.in[0].shape[1] || prev.in[0].shape[0] != n.in[0].shape[0] {
		return
	}
	for a := range 2 {
		conv.padBefore[a] += pad.before[2+a]
		conv.padAfter[a] += n.in[0].shape[2+a] - prev.in[0].shape[2+a] - pad.before[2+a]
	}
	n.operator, n.in = conv, slices.Concat(prev.in[:1], n.in[1:])
}

// fuseAct moves an activation into the convolution or matrix product before it,
// where the kernel can apply it to its registers.
func (g *graph) fuseAct(n *node) {
	m, ok := n.operator.(mapOp)
	prev := soleProducer(n.in[0])
	if !ok || prev == nil || !m.act.IsFusable() {
		return
	}
	switch k := prev.operator.(type) {
	case convOp:
		if k.act.Kind != kernel.None {
			return
		}
		k.act, k.addBeforeAct = m.act, k.residual != nil
		prev.operator = k
	case gemmOp:
		if k.act.Kind != kernel.None {
			return
		}
		k.act = m.act
		prev.operator = k
	default:
		return
	}
	prev.adoptOutput(n)
	n.operator = nil
}

// fuseSum moves a sum into one of its two convolutions, which then adds the
// other branch as a residual. The convolution moves to the place of the sum,
// because the other branch may be computed between the two.
func (g *graph) fuseSum(n *node) {
	if b, ok := n.operator.(binaryOp); !ok || b.op != kernel.Add || !slices.Equal(n.in[0].shape, n.in[1].shape) {
		return
	}
	for i := range 2 {
		prev := soleProducer(n.in[i])
		if prev == nil || n.in[1-i].known != nil {
			continue
		}
		conv, ok := prev.operator.(convOp)
		if !ok || conv.isDepthwise() || conv.residual != nil {
			continue
		}
		conv.residual = n.in[1-i]
		n.opType, n.name, n.in, n.operator = prev.opType, prev.name, prev.in, conv
		prev.operator = nil
		return
	}
}

// isDepthwise reports whether each output channel reads one input channel and
// there are as many groups as output channels.
func (c convOp) isDepthwise() bool { return c.groupInputs == 1 && c.group == len(c.bias) }

// fuseFocus rewrites the stem of YOLOX (Focus). The stem stacks the four phases
// of the picture, every second pixel of every second row, as channels and
// convolves them. A convolution of twice the kernel size and stride over the
// picture itself computes the same.
func (g *graph) fuseFocus(n *node) {
	conv, ok := n.operator.(convOp)
	prev := soleProducer(n.in[0])
	if !ok || prev == nil || conv.group != 1 || conv.dilation != [2]int{1, 1} {
		return
	}
	if c, ok := prev.operator.(concatOp); !ok || c.axis != 1 {
		return
	}
	var src *value
	var phases [][2]int
	for _, part := range prev.in {
		root, phase, ok := phaseOf(part)
		if !ok || src != nil && root != src || slices.Contains(phases, phase) {
			return
		}
		src, phases = root, append(phases, phase)
	}
	c, k := src.shape[1], conv.kernelSize
	w := make([]float32, len(conv.bias)*c*4*k[0]*k[1])
	for o := range conv.bias {
		for i := range conv.groupInputs {
			p := phases[i/c]
			for y := range k[0] {
				for x := range k[1] {
					to := ((o*c+i%c)*2*k[0]+2*y+p[0])*2*k[1] + 2*x + p[1]
					w[to] = conv.weights[((o*conv.groupInputs+i)*k[0]+y)*k[1]+x]
				}
			}
		}
	}
	conv.weights, conv.groupInputs = w, c
	for a := range 2 {
		conv.kernelSize[a] *= 2
		conv.stride[a] *= 2
		conv.padBefore[a] *= 2
		conv.padAfter[a] *= 2
	}
	n.operator, n.in = conv, []*value{src}
}

// phaseOf follows slices back from v to the picture. It is ok where v is every
// second pixel of every second row of root, from row phase[0] and column
// phase[1] on.
func phaseOf(v *value) (root *value, phase [2]int, ok bool) {
	step := [2]int{1, 1}
	half := v.shape
	for v.producer != nil {
		op, ok := v.producer.operator.(viewOp)
		if !ok || op.perm != nil || len(op.slices) == 0 {
			break
		}
		for _, c := range slices.Backward(op.slices) {
			if c.axis >= 2 {
				phase[c.axis-2] = c.first + c.step*phase[c.axis-2]
				step[c.axis-2] *= c.step
			} else if c.first != 0 || c.step != 1 || c.n != v.producer.in[0].shape[c.axis] {
				return nil, phase, false
			}
		}
		v = v.producer.in[0]
	}
	if len(v.shape) != 4 || v.known != nil {
		return nil, phase, false
	}
	for a := range 2 {
		if step[a] != 2 || phase[a] > 1 || half[2+a]*2 != v.shape[2+a] {
			return nil, phase, false
		}
	}
	return v, phase, true
}

// fuseCascade computes the larger of two maximum poolings of the same picture
// from the result of the smaller: 9×9 is 5×5 of 5×5. In both, pixels outside
// the picture count as -∞.
func (g *graph) fuseCascade(n *node) {
	big, ok := n.operator.(poolOp)
	if !ok || !big.max || !big.keepsSize() {
		return
	}
	var best *node
	for _, m := range g.nodes {
		if m == n {
			break // n can only use nodes that are computed before it
		}
		small, ok := m.operator.(poolOp)
		if ok && small.max && small.keepsSize() && m.in[0] == n.in[0] && small.kernelSize[0] < big.kernelSize[0] && small.kernelSize[1] < big.kernelSize[1] {
			best = m
		}
	}
	if best == nil {
		return
	}
	small := best.operator.(poolOp)
	for a := range 2 {
		big.kernelSize[a] += 1 - small.kernelSize[a]
		big.padBefore[a] = big.kernelSize[a] / 2
		big.padAfter[a] = big.kernelSize[a] / 2
	}
	n.operator, n.in = big, []*value{best.out[0]}
}

// keepsSize reports whether the output is as large as the input: an odd window,
// stride 1, no dilation, padded by half a window on each side.
func (w window) keepsSize() bool {
	one := [2]int{1, 1}
	half := [2]int{w.kernelSize[0] / 2, w.kernelSize[1] / 2}
	return w.stride == one && w.dilation == one && w.kernelSize[0]%2 == 1 && w.kernelSize[1]%2 == 1 && w.padBefore == half && w.padAfter == half
}
