package neural

import (
	"math"

	"kerb/counting/neural/kernel"
)

// Range is between which numbers the input of an operator was seen to lie.
type Range struct{ Lo, Hi float32 }

// Ranges holds a Range per 1×1 convolution, by the name of its output. It is
// what Int8 needs to know; Observe fills it.
type Ranges map[string]Range

// Observe is Run that widens r by the inputs of every 1×1 convolution. Some
// dozens of pictures like those to come are enough.
func (n *Net) Observe(r Ranges) {
	look := func(i int) {
		if i == len(n.pool.steps) {
			return
		}
		g, ok := n.pool.steps[i].step.(*gemmStep)
		if !ok || !g.bytesFit() {
			return
		}
		seen := r[g.name] // from zero on: padding and gates give zeros
		for line := range g.lines[0] * g.lines[1] {
			at := g.in.off + line/g.lines[1]*g.aLine[0] + line%g.lines[1]*g.aLine[1]
			for m := range g.m {
				for _, x := range g.in.mem[at+m*g.aStep:][:g.segLen] {
					seen.Lo, seen.Hi = min(seen.Lo, x), max(seen.Hi, x)
				}
			}
		}
		r[g.name] = seen
	}
	look(0)
	n.pool.run(func(i int) { look(i + 1) })
}

// bytesFit says whether a product can be done in eight bits: a 1×1
// convolution with enough columns. The few columns at a detector's end, places
// and confidences, stay exact.
func (g *gemmStep) bytesFit() bool {
	const least = 8
	last := g.panels[len(g.panels)-1]
	return g.pointwise && g.group == 1 && g.kStep == 1 && last.First+last.N >= least && !(g.res != nil && g.addFirst)
}

// bytesStep is a gemmStep in eight bits: each chunk of pixels is turned into
// bytes, multiplied exactly, and scaled back, per column, as it is stored.
type bytesStep struct {
	*gemmStep
	q           kernel.Quantize // without its tensors
	depth       int             // rounded up
	weights     []int8
	zero        []int32
	scale, plus []float32
}

// toBytes replaces a product by one in eight bits if its inputs' range is
// known. W gives the weights as for pack.
func (p *planner) toBytes(g *gemmStep, bias []float32, w func(depth, col int) float32) *bytesStep {
	seen, ok := p.ranges[g.name]
	if !ok || !p.set.HasBytes() || !g.bytesFit() || !(seen.Hi > seen.Lo) || math.IsInf(float64(seen.Hi-seen.Lo), 0) {
		return nil
	}
	const round = kernel.ByteDepth
	b := &bytesStep{gemmStep: g, depth: (g.segLen + round - 1) / round * round}
	step := (max(seen.Hi, 0) - min(seen.Lo, 0)) / 255
	zero := float32(math.Round(float64(-min(seen.Lo, 0) / step)))
	if !p.set.Unsigned {
		zero -= 128
	}
	b.q = kernel.Quantize{Scale: 1 / step, Zero: zero}
	for _, panel := range g.panels {
		packed := make([]int8, b.depth*panel.Width)
		for j := range panel.Width {
			most := float32(0)
			for d := range g.segLen {
				if j < panel.N {
					most = max(most, float32(math.Abs(float64(w(d, panel.First+j)))))
				}
			}
			scale, sum, plus := most/127, int32(0), float32(0)
			if j < panel.N {
				plus = bias[panel.First+j]
			}
			for d := 0; d < g.segLen && most > 0; d++ {
				v := int8(math.Round(float64(w(d, panel.First+j) / scale)))
				packed[d/4*4*panel.Width+4*j+d%4] = v
				sum += int32(v)
			}
			b.zero = append(b.zero, -int32(zero)*sum)
			b.scale, b.plus = append(b.scale, scale*step), append(b.plus, plus)
		}
		b.weights = append(b.weights, packed...)
	}
	const near = 32 << 10 // bytes
	tiles := max(1, near/(b.depth*g.set.Rows))
	if g.threads > 1 {
		tiles = max(1, min(tiles, g.m/(g.set.Rows*4*g.threads)))
	}
	g.chunk = min(g.m, tiles*g.set.Rows)
	p.bytes = max(p.bytes, g.chunk*b.depth)
	g.b, g.bias = nil, nil
	return b
}

func (b *bytesStep) do(from, to int, s *scratch) {
	g, k, q := b.gemmStep, &s.mul, &s.q
	*q = b.q
	*k = kernel.Bytes{A: s.bytes, C: g.out.mem, CStep: g.cStep, RStep: g.rStep, Depth: b.depth, Act: g.act}
	if g.res != nil {
		k.Res = g.res.mem
	}
	for u := from; u < to; u++ {
		a, c, r, rows := g.unit(u)
		if g.aStep == b.depth {
			q.Src, q.Dst = g.in.mem[a:a+rows*b.depth], s.bytes
			g.set.Quantize(q)
		} else {
			for i := range rows {
				q.Src, q.Dst = g.in.mem[a+i*g.aStep:][:g.segLen], s.bytes[i*b.depth:]
				g.set.Quantize(q)
			}
		}
		k.M = rows
		w, first := b.weights, 0
		for _, panel := range g.panels {
			size, end := b.depth*panel.Width, first+panel.Width
			k.B, k.Zero, k.Scale, k.Bias = w[:size], b.zero[first:end], b.scale[first:end], b.plus[first:end]
			k.N, k.COff, k.ROff = panel.N, c+panel.First, r+panel.First
			g.set.Bytes(k, panel.Width)
			w, first = w[size:], end
		}
	}
}
