package neural

import (
	"slices"

	"kerb/counting/neural/kernel"
)

// fuse rewrites the graph into fewer, larger operators that compute the same.
func (g *graph) fuse() {
	g.each(g.fuseGate)
	g.each(g.fuseNorm)
	g.each(g.fusePad)
	g.each(g.fuseAct)
	g.each(g.fuseSum)
	g.each(g.fuseAct) // an activation after a sum
	g.each(g.fuseFocus)
	g.sweep()
	for _, n := range slices.Backward(g.nodes) { // the largest first
		g.fuseCascade(n)
	}
	g.sweep()
}

// each offers every node to a rewriting. Nodes that lost all readers are
// swept before the next one looks at who reads what.
func (g *graph) each(rewrite func(*node)) {
	g.sweep()
	for _, n := range g.nodes {
		rewrite(n)
	}
}

// sweep drops nodes whose outputs nobody reads and counts the readers anew.
func (g *graph) sweep() {
	for _, n := range g.nodes {
		for _, v := range n.reads() {
			v.uses = 0
		}
		for _, v := range n.out {
			v.uses = 0
		}
	}
	for i := len(g.nodes) - 1; i >= 0; i-- {
		n := g.nodes[i]
		if n.kind == nil || !slices.ContainsFunc(n.out, func(v *value) bool { return v.by == n && (v.uses > 0 || v.fixed) }) {
			g.nodes[i] = nil
			continue
		}
		for _, v := range n.reads() {
			v.uses++
		}
	}
	g.nodes = slices.DeleteFunc(g.nodes, func(n *node) bool { return n == nil })
}

// reads is what a node needs at run time.
func (n *node) reads() []*value {
	switch k := n.kind.(type) {
	case binaryOp, concatOp:
		return n.in
	case convOp:
		if k.res != nil {
			return []*value{n.in[0], k.res}
		}
	}
	return n.in[:1]
}

// only is the node that makes v if nobody else reads v.
func only(v *value) *node {
	if v == nil || v.uses != 1 || v.fixed {
		return nil
	}
	return v.by
}

// take makes n compute m's output; m has no output any more.
func (n *node) take(m *node) {
	n.out[0] = m.out[0]
	n.out[0].by = n
}

// fuseGate finds x·sigmoid(x) and x·hardsigmoid(x).
func (g *graph) fuseGate(n *node) {
	if b, ok := n.kind.(binaryOp); !ok || b.op != kernel.Mul {
		return
	}
	for i := range 2 {
		x, gate := n.in[i], only(n.in[1-i])
		if gate == nil || len(gate.in) == 0 || gate.in[0] != x {
			continue
		}
		m, ok := gate.kind.(mapOp)
		switch {
		case ok && m.act.Kind == kernel.Sigmoid:
			n.in, n.kind = []*value{x}, mapOp{kernel.Act{Kind: kernel.SiLU}}
			return
		case ok && m.act.Kind == kernel.HardSigmoid:
			n.in, n.kind = []*value{x}, mapOp{kernel.Act{Kind: kernel.HardSwish, Lo: m.act.Lo, Hi: m.act.Hi}}
			return
		}
	}
}

// fuseNorm folds a per-channel scale and shift into the convolution before.
func (g *graph) fuseNorm(n *node) {
	scale, ok := n.kind.(convOp)
	prev := only(n.in[0])
	if !ok || prev == nil || !scale.plain() || scale.cin != 1 || scale.group != len(scale.bias) || scale.res != nil {
		return
	}
	conv, ok := prev.kind.(convOp)
	if !ok || conv.act.Kind != kernel.None || conv.res != nil {
		return
	}
	each := len(conv.w) / len(conv.bias)
	conv.w, conv.bias = slices.Clone(conv.w), slices.Clone(conv.bias)
	for c, s := range scale.w {
		for i := range each {
			conv.w[c*each+i] *= s
		}
		conv.bias[c] = conv.bias[c]*s + scale.bias[c]
	}
	conv.act = scale.act
	n.kind, n.in = conv, prev.in
}

// fusePad lets a convolution do the zero padding before it.
func (g *graph) fusePad(n *node) {
	conv, ok := n.kind.(convOp)
	prev := only(n.in[0])
	if !ok || prev == nil {
		return
	}
	pad, ok := prev.kind.(padOp)
	if !ok || pad.value != 0 || pad.before[0] != 0 || pad.before[1] != 0 || prev.in[0].shape[1] != n.in[0].shape[1] || prev.in[0].shape[0] != n.in[0].shape[0] {
		return
	}
	for a := range 2 {
		conv.before[a] += pad.before[2+a]
		conv.after[a] += n.in[0].shape[2+a] - prev.in[0].shape[2+a] - pad.before[2+a]
	}
	n.kind, n.in = conv, slices.Concat(prev.in[:1], n.in[1:])
}

// fuseAct lets a convolution or product apply the function after it.
func (g *graph) fuseAct(n *node) {
	m, ok := n.kind.(mapOp)
	prev := only(n.in[0])
	if !ok || prev == nil || !m.act.Fusable() {
		return
	}
	switch k := prev.kind.(type) {
	case convOp:
		if k.act.Kind != kernel.None {
			return
		}
		k.act, k.addFirst = m.act, k.res != nil
		prev.kind = k
	case gemmOp:
		if k.act.Kind != kernel.None {
			return
		}
		k.act = m.act
		prev.kind = k
	default:
		return
	}
	prev.take(n)
	n.kind = nil
}

// fuseSum lets a convolution add the other branch to its result. It moves to
// where the sum was, because the other branch may be computed in between.
func (g *graph) fuseSum(n *node) {
	if b, ok := n.kind.(binaryOp); !ok || b.op != kernel.Add || !slices.Equal(n.in[0].shape, n.in[1].shape) {
		return
	}
	for i := range 2 {
		prev := only(n.in[i])
		if prev == nil || n.in[1-i].k != nil {
			continue
		}
		conv, ok := prev.kind.(convOp)
		if !ok || conv.depthwise() || conv.res != nil {
			continue
		}
		conv.res = n.in[1-i]
		n.op, n.name, n.in, n.kind = prev.op, prev.name, prev.in, conv
		prev.kind = nil
		return
	}
}

func (c convOp) depthwise() bool { return c.cin == 1 && c.group == len(c.bias) }

// fuseFocus turns YOLOX's stem, a convolution over the four phases of the
// picture stacked as channels, into one of twice the size and stride over the
// picture itself.
func (g *graph) fuseFocus(n *node) {
	conv, ok := n.kind.(convOp)
	prev := only(n.in[0])
	if !ok || prev == nil || conv.group != 1 || conv.dilation != [2]int{1, 1} {
		return
	}
	if c, ok := prev.kind.(concatOp); !ok || c.axis != 1 {
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
	c, k := src.shape[1], conv.k
	w := make([]float32, len(conv.bias)*c*4*k[0]*k[1])
	for o := range conv.bias {
		for i := range conv.cin {
			p := phases[i/c]
			for y := range k[0] {
				for x := range k[1] {
					to := ((o*c+i%c)*2*k[0]+2*y+p[0])*2*k[1] + 2*x + p[1]
					w[to] = conv.w[((o*conv.cin+i)*k[0]+y)*k[1]+x]
				}
			}
		}
	}
	conv.w, conv.cin = w, c
	for a := range 2 {
		conv.k[a] *= 2
		conv.stride[a] *= 2
		conv.before[a] *= 2
		conv.after[a] *= 2
	}
	n.kind, n.in = conv, []*value{src}
}

// phaseOf follows slices back to the picture of which v is every second pixel
// of every second row, from phase on.
func phaseOf(v *value) (root *value, phase [2]int, ok bool) {
	step := [2]int{1, 1}
	half := v.shape
	for v.by != nil {
		op, ok := v.by.kind.(viewOp)
		if !ok || op.perm != nil || len(op.cuts) == 0 {
			break
		}
		for _, c := range slices.Backward(op.cuts) {
			if c.axis >= 2 {
				phase[c.axis-2] = c.first + c.step*phase[c.axis-2]
				step[c.axis-2] *= c.step
			} else if c.first != 0 || c.step != 1 || c.n != v.by.in[0].shape[c.axis] {
				return nil, phase, false
			}
		}
		v = v.by.in[0]
	}
	if len(v.shape) != 4 || v.k != nil {
		return nil, phase, false
	}
	for a := range 2 {
		if step[a] != 2 || phase[a] > 1 || half[2+a]*2 != v.shape[2+a] {
			return nil, phase, false
		}
	}
	return v, phase, true
}

// fuseCascade computes the larger of two maxima over the same picture from
// the smaller: 9×9 is 5×5 of 5×5. The picture's edge counts as -∞ in both.
func (g *graph) fuseCascade(n *node) {
	big, ok := n.kind.(poolOp)
	if !ok || !big.max || !big.centred() {
		return
	}
	var best *node
	for _, m := range g.nodes {
		if m == n {
			break // only what is computed before n
		}
		small, ok := m.kind.(poolOp)
		if ok && small.max && small.centred() && m.in[0] == n.in[0] && small.k[0] < big.k[0] && small.k[1] < big.k[1] {
			best = m
		}
	}
	if best == nil {
		return
	}
	small := best.kind.(poolOp)
	for a := range 2 {
		big.k[a] += 1 - small.k[a]
		big.before[a] = big.k[a] / 2
		big.after[a] = big.k[a] / 2
	}
	n.kind, n.in = big, []*value{best.out[0]}
}

// centred says that the output is as large as the input.
func (w window) centred() bool {
	one := [2]int{1, 1}
	half := [2]int{w.k[0] / 2, w.k[1] / 2}
	return w.stride == one && w.dilation == one && w.k[0]%2 == 1 && w.k[1]%2 == 1 && w.before == half && w.after == half
}
