package neural

import (
	"errors"
	"fmt"
	"math"

	"kerb/counting/neural/kernel"
	"kerb/counting/neural/onnx"
)

// window holds the geometry of a convolution or pooling, in pixels. Index 0 is
// vertical, 1 horizontal. Padding lies before the first and after the last
// pixel of an axis.
type window struct {
	kernelSize, stride, dilation, padBefore, padAfter [2]int
}

// maxTaps bounds the weights of an average pooling, kernel pixels times
// channels (2²⁴, chosen by hand).
const maxTaps = 1 << 24

// maxWindow bounds kernel sizes, strides, dilations and paddings, in pixels
// (chosen by hand).
const maxWindow = 1 << 10

// dilatedSize returns the kernel's extent along axis a, gaps included.
func (w window) dilatedSize(a int) int { return (w.kernelSize[a]-1)*w.dilation[a] + 1 }

// outputSize returns the length of the output's axis a for an input's of length
// in.
func (w window) outputSize(a, in int) int {
	return (in+w.padBefore[a]+w.padAfter[a]-w.dilatedSize(a))/w.stride[a] + 1
}

// isPointwise reports whether the window is 1×1 with stride 1 and no padding.
func (w window) isPointwise() bool {
	return w == window{kernelSize: [2]int{1, 1}, stride: [2]int{1, 1}, dilation: [2]int{1, 1}}
}

// parseWindow decodes the attributes of a window over a picture of h×w pixels.
// kh×kw is the kernel size of the weights, or 0×0 for a pooling, whose size is
// an attribute.
func (n *node) parseWindow(h, w int, kh, kw int) (window, error) {
	var win window
	kernelShape, err1 := n.boundedInts("kernel_shape", 2, maxWindow, 0)
	strides, err2 := n.boundedInts("strides", 2, maxWindow, 1)
	dilations, err3 := n.boundedInts("dilations", 2, maxWindow, 1)
	pads, err4 := n.boundedInts("pads", 4, maxWindow, 0)
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return win, err
	}
	if kh > 0 {
		if n.hasAttr("kernel_shape") && (kernelShape[0] != kh || kernelShape[1] != kw) {
			return win, fmt.Errorf("kernel_shape %v: the weights have %d×%d", kernelShape, kh, kw)
		}
		kernelShape = []int{kh, kw}
	}
	size := [2]int{h, w}
	for a := range 2 {
		win.kernelSize[a], win.stride[a], win.dilation[a] = kernelShape[a], strides[a], dilations[a]
		win.padBefore[a], win.padAfter[a] = pads[a], pads[a+2]
		if win.kernelSize[a] < 1 || win.kernelSize[a] > maxWindow || win.stride[a] < 1 || win.dilation[a] < 1 {
			return win, errors.New("kernel, strides and dilations must be at least 1")
		}
		switch auto := n.stringAttr("auto_pad", "NOTSET"); auto {
		case "NOTSET", "":
		case "VALID":
			win.padBefore[a], win.padAfter[a] = 0, 0
		case "SAME_UPPER", "SAME_LOWER":
			out := (size[a] + win.stride[a] - 1) / win.stride[a]
			total := max(0, (out-1)*win.stride[a]+win.dilatedSize(a)-size[a])
			win.padBefore[a], win.padAfter[a] = total/2, total-total/2
			if auto == "SAME_LOWER" {
				win.padBefore[a], win.padAfter[a] = win.padAfter[a], win.padBefore[a]
			}
		default:
			return win, fmt.Errorf("auto_pad %q: %w", auto, errUnsupported)
		}
		if n.intAttr("ceil_mode", 0) != 0 { // pad further until a last, partial window fits
			over := (size[a] + win.padBefore[a] + win.padAfter[a] - win.dilatedSize(a)) % win.stride[a]
			// ONNX leaves out a window that would start in the padding after
			if last := win.outputSize(a, size[a]) * win.stride[a]; over > 0 && last < size[a]+win.padBefore[a] {
				win.padAfter[a] += win.stride[a] - over
			}
		}
		if win.dilatedSize(a) > size[a]+win.padBefore[a]+win.padAfter[a] {
			return win, fmt.Errorf("kernel %d with dilation %d exceeds the picture's %d", win.kernelSize[a], win.dilation[a], size[a])
		}
	}
	return win, nil
}

// convOp is a convolution together with the activation, residual, padding and
// normalisation that fusion moved into it.
type convOp struct {
	window
	group        int
	weights      []float32 // [output][groupInputs][kh][kw]
	bias         []float32 // [output]
	groupInputs  int       // input channels of one group
	act          kernel.Act
	residual     *value // added to the result; nil: none
	addBeforeAct bool   // add the residual before act instead of after
}

// inferConv decodes Conv with known weights over a picture.
func inferConv(n *node) error {
	x, wt := n.in[0], n.inputAt(1)
	if len(x.shape) != 4 {
		return fmt.Errorf("input of shape %v: %w: must have 4 dimensions", x.shape, errUnsupported)
	}
	if wt == nil || wt.known == nil || len(wt.shape) != 4 || !wt.known.Type.IsReal() {
		return fmt.Errorf("weights: %w: must be known and have 4 dimensions", errUnsupported)
	}
	op := convOp{group: n.intAttr("group", 1), weights: wt.known.F, groupInputs: wt.shape[1]}
	cout := wt.shape[0]
	if op.group < 1 || op.group > cout || cout%op.group != 0 || op.groupInputs*op.group != x.shape[1] || cout == 0 {
		return fmt.Errorf("weights %v in %d groups for %d channels", wt.shape, op.group, x.shape[1])
	}
	var err error
	if op.window, err = n.parseWindow(x.shape[2], x.shape[3], wt.shape[2], wt.shape[3]); err != nil {
		return err
	}
	op.bias = make([]float32, cout)
	if b := n.inputAt(2); b != nil {
		if b.known == nil || len(b.known.F) != cout {
			return fmt.Errorf("bias: must be %d known numbers", cout)
		}
		copy(op.bias, b.known.F)
	}
	n.out[0].shape = []int{x.shape[0], cout, op.outputSize(0, x.shape[2]), op.outputSize(1, x.shape[3])}
	n.operator = op
	return nil
}

// gemmOp is a matrix product of the last axis with known weights.
type gemmOp struct {
	weights []float32 // [input][output]
	bias    []float32 // [output]
	act     kernel.Act
}

// inferGemm decodes Gemm and MatMul with a known second matrix. Gemm's factors
// alpha and beta go into weights and bias.
func inferGemm(n *node) error {
	x, wt := n.in[0], n.inputAt(1)
	if wt == nil || wt.known == nil || len(wt.shape) != 2 || !wt.known.Type.IsReal() {
		return fmt.Errorf("product with other than a known matrix: %w", errUnsupported)
	}
	k, m := wt.shape[0], wt.shape[1]
	transposed := n.opType == "Gemm" && n.intAttr("transB", 0) != 0
	if transposed {
		k, m = m, k
	}
	if n.opType == "Gemm" && (n.intAttr("transA", 0) != 0 || len(x.shape) != 2) {
		return fmt.Errorf("transA: %w", errUnsupported)
	}
	rank := len(x.shape)
	if rank < 1 || x.shape[rank-1] != k || m == 0 {
		return fmt.Errorf("shapes %v and %v do not go together", x.shape, wt.shape)
	}
	op := gemmOp{weights: make([]float32, k*m), bias: make([]float32, m)}
	alpha := n.floatAttr("alpha", 1)
	for i := range k {
		for j := range m {
			if transposed {
				op.weights[i*m+j] = alpha * wt.known.F[j*k+i]
			} else {
				op.weights[i*m+j] = alpha * wt.known.F[i*m+j]
			}
		}
	}
	if b := n.inputAt(2); b != nil {
		if b.known == nil || len(b.known.F) != m && len(b.known.F) != 1 {
			return fmt.Errorf("bias: must be %d known numbers", m)
		}
		for j := range op.bias {
			op.bias[j] = n.floatAttr("beta", 1) * b.known.F[j%len(b.known.F)]
		}
	}
	n.out[0].shape = append(append([]int{}, x.shape[:rank-1]...), m)
	n.operator = op
	return nil
}

// inferNorm turns a batch normalisation into a depthwise 1×1 convolution,
// which fusion then folds into the convolution before it.
func inferNorm(n *node) error {
	x := n.in[0]
	if len(x.shape) != 4 {
		return fmt.Errorf("input of shape %v: %w: must have 4 dimensions", x.shape, errUnsupported)
	}
	c := x.shape[1]
	var p [4][]float32 // scale, shift, mean, variance
	for i := range p {
		v := n.inputAt(i + 1)
		if v == nil || v.known == nil || len(v.known.F) != c {
			return fmt.Errorf("input %d: must be %d known numbers", i+1, c)
		}
		p[i] = v.known.F
	}
	op := convOp{group: c, groupInputs: 1, weights: make([]float32, c), bias: make([]float32, c)}
	op.kernelSize, op.stride, op.dilation = [2]int{1, 1}, [2]int{1, 1}, [2]int{1, 1}
	eps := float64(n.floatAttr("epsilon", 1e-5))
	for i := range c {
		s := float64(p[0][i]) / math.Sqrt(float64(p[3][i])+eps)
		op.weights[i] = float32(s)
		op.bias[i] = float32(float64(p[1][i]) - s*float64(p[2][i]))
	}
	n.out[0].shape, n.operator = x.shape, op
	return nil
}

// poolOp is a maximum or average pooling. Padded pixels do not count. An average
// without padding, or in which padded pixels count, becomes a depthwise
// convolution instead (see averageConv).
type poolOp struct {
	window
	max bool
}

// inferPool decodes poolings over a window and over the whole picture. It
// refuses padding of a whole window: its maximum would be -∞.
func inferPool(n *node) error {
	x := n.in[0]
	if len(x.shape) != 4 {
		return fmt.Errorf("input of shape %v: %w: must have 4 dimensions", x.shape, errUnsupported)
	}
	op := poolOp{max: n.opType == "MaxPool" || n.opType == "GlobalMaxPool"}
	if n.opType == "GlobalAveragePool" || n.opType == "GlobalMaxPool" {
		op.kernelSize, op.stride, op.dilation = [2]int{x.shape[2], x.shape[3]}, [2]int{1, 1}, [2]int{1, 1}
	} else {
		var err error
		if op.window, err = n.parseWindow(x.shape[2], x.shape[3], 0, 0); err != nil {
			return err
		}
		if op.padBefore[0] >= op.dilatedSize(0) || op.padBefore[1] >= op.dilatedSize(1) {
			return errors.New("padding of a whole window")
		}
	}
	n.out[0].shape = []int{x.shape[0], x.shape[1], op.outputSize(0, x.shape[2]), op.outputSize(1, x.shape[3])}
	if !op.max && op.kernelSize[0]*op.kernelSize[1] > maxTaps/x.shape[1] {
		return fmt.Errorf("an average over %d×%d pixels of %d channels: %w", op.kernelSize[0], op.kernelSize[1], x.shape[1], errUnsupported)
	}
	n.operator = op
	padded := op.padBefore != [2]int{} || op.padAfter != [2]int{}
	if !op.max && n.intAttr("ceil_mode", 0) == 0 && (!padded || n.intAttr("count_include_pad", 0) != 0) {
		n.operator = averageConv(op.window, x.shape[1])
	}
	return nil
}

// averageConv returns a depthwise convolution of c channels with equal weights
// of 1/area: it averages over the window.
func averageConv(win window, c int) convOp {
	area := win.kernelSize[0] * win.kernelSize[1]
	op := convOp{window: win, group: c, groupInputs: 1, weights: make([]float32, c*area), bias: make([]float32, c)}
	for i := range op.weights {
		op.weights[i] = 1 / float32(area)
	}
	return op
}

// padOp surrounds a tensor by a constant.
type padOp struct {
	before []int // elements before the first, per axis
	value  float32
}

// inferPad decodes Pad with a constant. It refuses negative pads and a list of
// axes.
func inferPad(n *node) error {
	x := n.in[0]
	if mode := n.stringAttr("mode", "constant"); mode != "constant" {
		return fmt.Errorf("mode %q: %w", mode, errUnsupported)
	}
	pads, err := n.inputOrAttr("pads")
	if err != nil {
		return err
	}
	value, err := n.scalarInput(2, n.floatAttr("value", 0))
	if err != nil {
		return err
	}
	rank := len(x.shape)
	if len(pads) != 2*rank || n.inputAt(3) != nil {
		return fmt.Errorf("%d pads for %d dimensions: %w", len(pads), rank, errUnsupported)
	}
	op := padOp{value: value, before: make([]int, rank)}
	shape := make([]int, rank)
	for i := range rank {
		if pads[i] < 0 || pads[i+rank] < 0 || pads[i] > onnx.MaxElems || pads[i+rank] > onnx.MaxElems {
			return fmt.Errorf("pads %v: %w", pads, errUnsupported)
		}
		op.before[i] = int(pads[i])
		shape[i] = x.shape[i] + int(pads[i]+pads[i+rank])
	}
	n.out[0].shape, n.operator = shape, op
	return nil
}
