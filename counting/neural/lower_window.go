package neural

import (
	"kerb/counting/neural/kernel"
)

// windowStep slides a window over each channel separately: a depthwise
// convolution, an average or a maximum pooling. A unit is a row of the output.
// Distances are in elements.
type windowStep struct {
	set                   *kernel.Set
	in, out               *operand
	maximum               bool // a maximum, without weights
	act                   kernel.Act
	weights, bias         []float32
	channels              int
	pictures              int
	rows                  [][]span // per output row
	inRow                 int      // in the input, from one output row's window to the next's
	inStep                int      // in the input, from one output pixel's window to the next's
	firstWindow           int      // in the input, from the picture's first pixel to the first window's
	inPicture, outPicture int      // from one picture to the next
	outRow                int      // in the output, from one row to the next
	outStep               int      // in the output, from one pixel to the next
}

// span is a part of an output row, from pixel x on, whose windows have the same
// taps inside the picture.
type span struct {
	x, width int
	taps     []int // pairs, as kernel.Taps.Tab
}

// lowerDepthwise lowers a depthwise convolution. It reorders the weights from
// [channel][tap] to [tap][channel].
func (p *planner) lowerDepthwise(n *node, k convOp) {
	c, area := len(k.bias), k.kernelSize[0]*k.kernelSize[1]
	s := &windowStep{act: k.act, bias: k.bias, weights: make([]float32, c*area)}
	for i := range c {
		for t := range area {
			s.weights[t*c+i] = k.weights[i*area+t]
		}
	}
	p.lowerWindow(n, s, k.window, func(y, x, _ int) int { return (y*k.kernelSize[1] + x) * c })
}

// lowerPool lowers a pooling. An average that does not count padding is a
// depthwise convolution whose weights depend on how many taps lie inside the
// picture.
func (p *planner) lowerPool(n *node, k poolOp) {
	c := n.in[0].shape[1]
	if k.max {
		p.lowerWindow(n, &windowStep{maximum: true}, k.window, func(_, _, _ int) int { return 0 })
		return
	}
	area := k.kernelSize[0] * k.kernelSize[1] // one row of weights for each number of taps inside the picture
	s := &windowStep{bias: make([]float32, c), weights: make([]float32, c*area)}
	for i := range s.weights {
		s.weights[i] = 1 / float32(i/c+1)
	}
	p.lowerWindow(n, s, k.window, func(_, _, taps int) int { return (taps - 1) * c })
}

// lowerWindow completes the step s and adds it. weight returns the offset of the
// weights of tap (y, x), for a window with so many taps inside the picture.
func (p *planner) lowerWindow(n *node, s *windowStep, win window, weight func(y, x, taps int) int) {
	in := p.channelsLastInput(n, n.in[0].layout)
	out, after := p.channelsLastOutput(n, n.out[0].layout)
	s.set, s.channels, s.pictures = p.set, in.shape[1], in.shape[0]
	s.inRow, s.inStep = in.stride[2]*win.stride[0], in.stride[3]*win.stride[1]
	s.firstWindow = -win.padBefore[0]*in.stride[2] - win.padBefore[1]*in.stride[3]
	s.inPicture, s.outPicture, s.outRow, s.outStep = in.stride[0], out.stride[0], out.stride[2], out.stride[3]
	tabs := map[[4]int][]int{}
	rows := map[[2]int][]span{}
	for oy := range out.shape[2] {
		y0, y1 := win.tapsInside(0, oy, in.shape[2])
		if rows[[2]int{y0, y1}] == nil {
			rows[[2]int{y0, y1}] = p.buildSpans(win, in, out.shape[3], y0, y1, tabs, weight)
		}
		if p.err != nil {
			return
		}
		s.rows = append(s.rows, rows[[2]int{y0, y1}])
	}
	s.in, s.out = p.readOperand(in), p.writeOperand(out)
	if s.maximum {
		p.addStep(s, n, "maximum", 0)
	} else {
		p.addStep(s, n, "depthwise", int64(elemCount(out.shape)*win.kernelSize[0]*win.kernelSize[1])).weights = len(s.weights) + len(s.bias)
	}
	after()
}

// tapsInside returns the taps lo…hi-1 of window o that lie inside the picture,
// along axis a of length size.
func (w window) tapsInside(a, o, size int) (lo, hi int) {
	at := o*w.stride[a] - w.padBefore[a]
	d := w.dilation[a]
	if at < 0 {
		lo = (-at + d - 1) / d
	}
	hi = w.kernelSize[a]
	if over := at + (w.kernelSize[a]-1)*d - (size - 1); over > 0 {
		hi -= (over + d - 1) / d
	}
	return lo, max(lo, hi)
}

// spanElems is what a span counts against the budget for tables besides its taps,
// in elements (chosen by hand).
const spanElems = 8

// buildSpans cuts an output row into spans. Taps y0…y1-1 of its windows lie
// inside the picture vertically. tabs keeps the tap lists that rows share.
func (p *planner) buildSpans(w window, in view, width, y0, y1 int, tabs map[[4]int][]int, weight func(y, x, taps int) int) []span {
	out := []span{} // not nil, which would mean that the row is not built yet
	for ox := 0; ox < width; {
		x0, x1 := w.tapsInside(1, ox, in.shape[3])
		end := ox + 1
		for ; end < width; end++ {
			if a, b := w.tapsInside(1, end, in.shape[3]); a != x0 || b != x1 {
				break
			}
		}
		key := [4]int{y0, y1, x0, x1}
		if !p.reserveElems(spanElems + (y1-y0)*(x1-x0)) {
			return nil
		}
		if tabs[key] == nil {
			tab := []int{}
			for y := y0; y < y1; y++ {
				for x := x0; x < x1; x++ {
					tab = append(tab, y*w.dilation[0]*in.stride[2]+x*w.dilation[1]*in.stride[3], weight(y, x, (y1-y0)*(x1-x0)))
				}
			}
			tabs[key] = tab
		}
		out = append(out, span{ox, end - ox, tabs[key]})
		ox = end
	}
	return out
}

func (s *windowStep) unitCount() int { return s.pictures * len(s.rows) }

func (s *windowStep) computeUnits(from, to int, own *scratch) {
	t := &own.taps
	*t = kernel.Taps{In: s.in.mem, Out: s.out.mem, W: s.weights, Bias: s.bias, InStep: s.inStep, OutStep: s.outStep, C: s.channels, Act: s.act}
	for u := from; u < to; u++ {
		picture, y := u/len(s.rows), u%len(s.rows)
		for _, sp := range s.rows[y] {
			t.Tab, t.N = sp.taps, sp.width
			t.InOff = s.in.off + picture*s.inPicture + s.firstWindow + y*s.inRow + sp.x*s.inStep
			t.OutOff = s.out.off + picture*s.outPicture + y*s.outRow + sp.x*s.outStep
			if s.maximum {
				s.set.MaxRow(t)
			} else {
				s.set.DepthwiseRow(t)
			}
		}
	}
}

// resizeStep scales a picture by nearest-neighbour or bilinear interpolation. A
// unit is a row of the output.
type resizeStep struct {
	resizeOp
	in, out *operand
}

// lowerResize lowers a scaling to one step over channels-last pictures.
func (p *planner) lowerResize(n *node, k resizeOp) {
	in := p.channelsLastInput(n, n.in[0].layout)
	out, after := p.channelsLastOutput(n, n.out[0].layout)
	p.addStep(&resizeStep{resizeOp: k, in: p.readOperand(in), out: p.writeOperand(out)}, n, "resize", 0)
	after()
}

func (s *resizeStep) unitCount() int { return s.out.shape[0] * s.out.shape[2] }

func (s *resizeStep) computeUnits(from, to int, _ *scratch) {
	in, out, c := s.in, s.out, s.in.shape[1]
	for u := from; u < to; u++ {
		picture, y := u/out.shape[2], u%out.shape[2]
		ya := in.off + picture*in.stride[0] + s.axis[0].lo[y]*in.stride[2]
		yb := in.off + picture*in.stride[0] + s.axis[0].hi[y]*in.stride[2]
		fy := s.axis[0].frac[y]
		for x := range out.shape[3] {
			dst := out.mem[out.off+picture*out.stride[0]+y*out.stride[2]+x*out.stride[3]:][:c]
			xa, xb := s.axis[1].lo[x]*in.stride[3], s.axis[1].hi[x]*in.stride[3]
			if s.nearest {
				copy(dst, in.mem[ya+xa:][:c])
				continue
			}
			p00, p01 := in.mem[ya+xa:][:c], in.mem[ya+xb:][:c]
			p10, p11 := in.mem[yb+xa:][:c], in.mem[yb+xb:][:c]
			fx := s.axis[1].frac[x]
			for i := range dst {
				top := p00[i] + fx*(p01[i]-p00[i])
				low := p10[i] + fx*(p11[i]-p10[i])
				dst[i] = top + fy*(low-top)
			}
		}
	}
}
