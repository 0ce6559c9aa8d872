package neural

import (
	"math"

	"kerb/counting/neural/kernel"
)

// Range holds the smallest and largest element and the mean of one input channel
// of a convolution, over the pictures of a calibration. Lo is at most 0 and Hi
// at least 0, because padding and gates give zeros.
type Range struct {
	Lo, Hi float32
	Mean   float64
	N      int64 // elements that the mean is of
}

// Ranges holds one Range per input channel of each 1×1 convolution, by the name
// of the convolution's output. Opts.Int8 needs it; Observe fills it.
type Ranges map[string][]Range

// ObserveRanges runs the network like Run and widens r by the inputs of every 1×1
// convolution (calibration). Some dozens of pictures like those to come are
// enough. Entries of another number of channels than the network's are replaced.
func (n *Net) ObserveRanges(r Ranges) {
	observe := func(i int) {
		if i == len(n.workers.steps) {
			return
		}
		g, ok := n.workers.steps[i].step.(*gemmStep)
		if !ok || !g.canQuantize() {
			return
		}
		seen := r[g.name]
		if len(seen) != g.segLen {
			seen = make([]Range, g.segLen)
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
	observe(0)
	n.workers.runSteps(func(i int) { observe(i + 1) })
}

// The smallest 1×1 convolution that is quantised (chosen by hand).
const (
	minInt8Columns = 8  // outputs: a detector's last layers, boxes and confidences, have fewer and stay exact
	minInt8Depth   = 32 // inputs: below, quantising them takes longer than the product saves
)

// canQuantize reports whether a product can run in eight bits: a 1×1 convolution
// of one group with enough columns and depth, whose residual is not added
// before the activation.
func (g *gemmStep) canQuantize() bool {
	last := g.panels[len(g.panels)-1]
	return g.pointwise && g.groups == 1 && g.kStep == 1 && g.segLen >= minInt8Depth && last.First+last.N >= minInt8Columns && !(g.residual != nil && g.addBeforeAct)
}

// int8Step is a gemmStep in eight bits. Each chunk of pixels is quantised,
// multiplied exactly in int32, and scaled back per column when it is stored.
type int8Step struct {
	*gemmStep
	quantize        kernel.Quantize // without its tensors
	depth           int             // rounded up to kernel.ByteDepth
	weights         []int8          // packed by panels
	zero            []int32         // per column: makes up for the inputs' zero points
	scale, int8Bias []float32       // per column
}

// Properties of the quantisation to eight bits.
const (
	int8Steps    = 255 // steps between the smallest and the largest byte
	signedOffset = 128 // subtracted from the zero point where bytes are signed
	maxInt8      = 127 // largest magnitude of a weight, see kernel.Bytes

	// maxRangeRatio bounds the ratio of the widest range to a channel's range
	// (chosen by hand). A channel that was always zero in the calibration
	// would otherwise get a step of zero, which has no inverse.
	maxRangeRatio = 64
)

// quantSteps chooses, per input channel, the quantisation step and the zero
// point. A channel's own range would use all its byte values but spread the
// weights that multiply it; the geometric mean of the channel's range and the
// widest range is a compromise (after Xiao et al., SmoothQuant, 2023). It is not
// ok where the ranges are empty or infinite.
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
		s := math.Sqrt(max(own, widest/maxRangeRatio)*widest) / int8Steps
		z := math.Round(-float64(min(r.Lo, 0)) / s)
		if !unsigned {
			z -= signedOffset
		}
		step, zero = append(step, float32(s)), append(zero, float32(z))
	}
	return step, zero, true
}

// quantizeGemm returns a product in eight bits in place of g where the ranges of
// its inputs are known, else nil. w returns the weights as for packWeights.
func (p *planner) quantizeGemm(g *gemmStep, bias []float32, w func(depth, col int) float32) *int8Step {
	seen := p.ranges[g.name]
	if len(seen) != g.segLen || !p.set.HasInt8() || !g.canQuantize() {
		return nil
	}
	step, zero, ok := quantSteps(seen, p.set.Unsigned)
	if !ok {
		return nil
	}
	const round = kernel.Int8DepthUnit
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
	g.chunkPixels = chunkSize(g.set.Rows, g.linePixels, b.depth, g.threads, cacheInt8s)
	p.int8Bytes = max(p.int8Bytes, g.chunkPixels*b.depth)
	g.weights, g.bias = nil, nil
	return b
}

// packColumn quantises and packs the weights of one output column, with a scale
// of their own. The mean error that their rounding causes goes into the bias
// (Nagel et al., Data-Free Quantization, 2019, section 4.2). w returns the
// weight of an input channel.
func (b *int8Step) packColumn(packed []int8, width int, step, zero []float32, bias float32, seen []Range, w func(d int) float64) {
	largest, corrected, sum := 0.0, float64(bias), int64(0)
	for d := range step {
		largest = max(largest, math.Abs(w(d)*float64(step[d])))
	}
	scale := float32(largest / maxInt8)
	for d := 0; d < len(step) && scale > 0; d++ {
		v := math.Round(w(d) * float64(step[d]) / float64(scale))
		v = min(max(v, -maxInt8), maxInt8)
		packed[d/4*4*width+d%4] = int8(v)
		sum += int64(zero[d]) * int64(v)
		corrected += seen[d].Mean * (w(d) - v*float64(scale)/float64(step[d]))
	}
	b.zero, b.scale, b.int8Bias = append(b.zero, int32(-sum)), append(b.scale, scale), append(b.int8Bias, float32(corrected))
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
			g.set.GemmInt8(k, panel.Width)
			w, first = w[size:], end
		}
	}
}
