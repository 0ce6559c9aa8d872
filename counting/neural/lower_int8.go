package neural

import (
	"math"

	"kerb/counting/neural/kernel"
)

// Range says what numbers an input channel of an operator was seen to hold.
type Range struct {
	Lo, Hi float32
	Mean   float64
	N      int64 // how many numbers the mean is of
}

// Ranges holds a Range per input channel of each 1×1 convolution, by the name
// of its output. It is what Int8 needs to know; Observe fills it.
type Ranges map[string][]Range

// Observe is Run that widens r by the inputs of every 1×1 convolution. Some
// dozens of pictures like those to come are enough.
func (n *Net) Observe(r Ranges) {
	look := func(i int) {
		if i == len(n.workers.steps) {
			return
		}
		g, ok := n.workers.steps[i].step.(*gemmStep)
		if !ok || !g.canQuantize() {
			return
		}
		seen := r[g.name]
		if len(seen) != g.segLen {
			seen = make([]Range, g.segLen) // from zero on: padding and gates give zeros
		}
		for line := range g.lines[0] * g.lines[1] {
			at := g.in.off + line/g.lines[1]*g.aLine[0] + line%g.lines[1]*g.aLine[1]
			for m := range g.linePixels {
				for c, x := range g.in.mem[at+m*g.aStep:][:g.segLen] {
					s := &seen[c]
					s.Lo, s.Hi, s.N = min(s.Lo, x), max(s.Hi, x), s.N+1
					s.Mean += (float64(x) - s.Mean) / float64(s.N)
				}
			}
		}
		r[g.name] = seen
	}
	look(0)
	n.workers.runSteps(func(i int) { look(i + 1) })
}

// canQuantize says whether a product can be done in eight bits: a 1×1
// convolution with enough columns and a depth that repays turning its input
// into bytes. The few columns at a detector's end, places and confidences, stay
// exact.
func (g *gemmStep) canQuantize() bool {
	const columns, depth = 8, 32
	last := g.panels[len(g.panels)-1]
	return g.pointwise && g.groups == 1 && g.kStep == 1 && g.segLen >= depth && last.First+last.N >= columns && !(g.residual != nil && g.addBeforeAct)
}

// int8Step is a gemmStep in eight bits: each chunk of pixels is turned into
// bytes, multiplied exactly, and scaled back, per column, as it is stored.
type int8Step struct {
	*gemmStep
	quantize        kernel.Quantize // without its tensors
	depth           int             // rounded up
	weights         []int8
	zero            []int32
	scale, int8Bias []float32
}

// quantSteps chooses, per input channel, how much one step of a byte is, and the
// zero point. A channel's own range would use its bytes best but spread the
// weights that multiply it; the geometric mean of the channel's and the widest
// range serves both (after Xiao et al., SmoothQuant, 2023).
func quantSteps(seen []Range, unsigned bool) (step, zero []float32, ok bool) {
	widest := float64(0)
	for _, r := range seen {
		widest = max(widest, float64(max(r.Hi, 0))-float64(min(r.Lo, 0)))
	}
	if !(widest > 0) || math.IsInf(widest, 0) {
		return nil, nil, false
	}
	for _, r := range seen {
		own := float64(max(r.Hi, 0)) - float64(min(r.Lo, 0))
		s := math.Sqrt(max(own, widest/64)*widest) / 255
		z := math.Round(-float64(min(r.Lo, 0)) / s)
		if !unsigned {
			z -= 128
		}
		step, zero = append(step, float32(s)), append(zero, float32(z))
	}
	return step, zero, true
}

// quantizeGemm replaces a product by one in eight bits if its inputs' ranges are
// known. W gives the weights as for pack.
func (p *planner) quantizeGemm(g *gemmStep, bias []float32, w func(depth, col int) float32) *int8Step {
	seen := p.ranges[g.name]
	if len(seen) != g.segLen || !p.set.HasBytes() || !g.canQuantize() {
		return nil
	}
	step, zero, ok := quantSteps(seen, p.set.Unsigned)
	if !ok {
		return nil
	}
	const round = kernel.ByteDepth
	b := &int8Step{gemmStep: g, depth: (g.segLen + round - 1) / round * round}
	b.quantize = kernel.Quantize{Scale: make([]float32, len(step)), Zero: zero, SrcStep: g.aStep, DstStep: b.depth}
	for c, s := range step {
		b.quantize.Scale[c] = 1 / s
	}
	for _, panel := range g.panels {
		packed := make([]int8, b.depth*panel.Width)
		for j := range panel.N {
			col := panel.First + j
			b.packColumn(packed[4*j:], panel.Width, step, zero, bias[col], seen, func(d int) float64 { return float64(w(d, col)) })
		}
		for range panel.Width - panel.N {
			b.zero, b.scale, b.int8Bias = append(b.zero, 0), append(b.scale, 0), append(b.int8Bias, 0)
		}
		b.weights = append(b.weights, packed...)
	}
	const near = 32 << 10 // bytes
	tiles := max(1, near/(b.depth*g.set.Rows))
	if g.threads > 1 {
		tiles = max(1, min(tiles, g.linePixels/(g.set.Rows*4*g.threads)))
	}
	g.chunkPixels = min(g.linePixels, tiles*g.set.Rows)
	p.int8Bytes = max(p.int8Bytes, g.chunkPixels*b.depth)
	g.weights, g.bias = nil, nil
	return b
}

// packColumn packs one output's weights, with a scale of their own. What rounding
// them does to the mean of the result goes into the bias (Nagel et al.,
// Data-Free Quantization, 2019, section 4.2).
func (b *int8Step) packColumn(packed []int8, width int, step, zero []float32, bias float32, seen []Range, w func(d int) float64) {
	most, plus, sum := 0.0, float64(bias), int64(0)
	for d := range step {
		most = max(most, math.Abs(w(d)*float64(step[d])))
	}
	scale := float32(most / 127)
	for d := 0; d < len(step) && scale > 0; d++ {
		v := math.Round(w(d) * float64(step[d]) / float64(scale))
		v = min(max(v, -127), 127)
		packed[d/4*4*width+d%4] = int8(v)
		sum += int64(zero[d]) * int64(v)
		plus += seen[d].Mean * (w(d) - v*float64(scale)/float64(step[d]))
	}
	b.zero, b.scale, b.int8Bias = append(b.zero, int32(-sum)), append(b.scale, scale), append(b.int8Bias, float32(plus))
}

func (b *int8Step) computeUnits(from, to int, s *scratch) {
	g, k, q := b.gemmStep, &s.int8Gemm, &s.quantize
	*q = b.quantize
	q.Src, q.Dst = g.in.mem, s.int8s
	*k = kernel.Bytes{A: s.int8s, C: g.out.mem, CStep: g.cStep, RStep: g.rStep, Depth: b.depth, Act: g.act}
	if g.residual != nil {
		k.Res = g.residual.mem
	}
	for u := from; u < to; u++ {
		a, c, r, rows := g.unitOffsets(u)
		q.SrcOff, q.Rows = a, rows
		g.set.Quantize(q)
		k.M = rows
		w, first := b.weights, 0
		for _, panel := range g.panels {
			size, end := b.depth*panel.Width, first+panel.Width
			k.B, k.Zero, k.Scale, k.Bias = w[:size], b.zero[first:end], b.scale[first:end], b.int8Bias[first:end]
			k.N, k.COff, k.ROff = panel.N, c+panel.First, r+panel.First
			g.set.Bytes(k, panel.Width)
			w, first = w[size:], end
		}
	}
}
