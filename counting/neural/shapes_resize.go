package neural

import (
	"fmt"
	"math"

	"kerb/counting/neural/onnx"
)

// resizeOp scales the last two axes: pixel o of an axis is
// (1-frac[o])·in[lo[o]] + frac[o]·in[hi[o]]. Nearest-neighbour has lo = hi.
type resizeOp struct {
	axis [2]struct {
		lo, hi []int
		frac   []float32
	}
	nearest bool
}

// inferResize decodes Resize and Upsample with nearest-neighbour and linear
// interpolation. Upsample has the coordinates of mode asymmetric and rounds
// down.
func inferResize(n *node) error {
	x := n.in[0]
	if len(x.shape) != 4 {
		return fmt.Errorf("input of shape %v: %w: must have 4 dimensions", x.shape, errUnsupported)
	}
	mode := n.stringAttr("mode", "nearest")
	if mode != "nearest" && mode != "linear" {
		return fmt.Errorf("mode %q: %w", mode, errUnsupported)
	}
	shape, scale, err := inferResizeShape(n)
	if err != nil {
		return err
	}
	op := resizeOp{nearest: mode == "nearest"}
	def := "half_pixel"
	if n.opType == "Upsample" {
		def = "asymmetric"
	}
	coord, round := n.stringAttr("coordinate_transformation_mode", def), n.stringAttr("nearest_mode", "round_prefer_floor")
	if n.opType == "Upsample" {
		round = "floor"
	}
	for a := range 2 {
		in, out := x.shape[2+a], shape[2+a]
		t := &op.axis[a]
		for o := range out {
			at, ok := sourceCoord(coord, float64(o), scale[2+a], in, out)
			if !ok {
				return fmt.Errorf("coordinate_transformation_mode %q: %w", coord, errUnsupported)
			}
			var lo, frac float64
			if !op.nearest {
				at = min(max(at, 0), float64(in-1))
				lo = math.Floor(at)
				frac = at - lo
			} else if lo, ok = roundNearest(round, at); !ok {
				return fmt.Errorf("nearest_mode %q: %w", round, errUnsupported)
			}
			i := min(max(int(lo), 0), in-1)
			t.lo = append(t.lo, i)
			t.frac = append(t.frac, float32(frac))
			if frac > 0 {
				i = min(i+1, in-1)
			}
			t.hi = append(t.hi, i)
		}
	}
	n.out[0].shape, n.operator = shape, op
	return nil
}

// sourceCoord transforms pixel o of the output to a coordinate in the input, as
// coordinate_transformation_mode of ONNX's Resize says. It is false for a mode
// that is not supported.
func sourceCoord(mode string, o, scale float64, in, out int) (float64, bool) {
	switch mode {
	case "asymmetric":
		return o / scale, true
	case "half_pixel":
		return (o+0.5)/scale - 0.5, true
	case "pytorch_half_pixel":
		if out == 1 {
			return 0, true
		}
		return (o+0.5)/scale - 0.5, true
	case "align_corners":
		if out == 1 {
			return 0, true
		}
		return o * float64(in-1) / float64(out-1), true
	}
	return 0, false
}

// roundNearest rounds a coordinate to a pixel, as nearest_mode of ONNX's Resize
// says. It is false for a mode that is not known.
func roundNearest(mode string, at float64) (float64, bool) {
	switch mode {
	case "round_prefer_floor":
		return math.Ceil(at - 0.5), true
	case "round_prefer_ceil":
		return math.Floor(at + 0.5), true
	case "floor":
		return math.Floor(at), true
	case "ceil":
		return math.Ceil(at), true
	}
	return 0, false
}

// maxSide bounds the width and height of a scaled picture, in pixels (chosen by
// hand).
const maxSide = 1 << 14

// inferResizeShape returns the output's shape and the scale of each axis, from
// the sizes or the scales among the inputs. It refuses to scale channels.
func inferResizeShape(n *node) (shape []int, scale []float64, err error) {
	x := n.in[0]
	scales, sizes := n.inputAt(2), n.inputAt(3)
	if len(n.in) == 2 { // Upsample, and Resize of opset 10
		scales = n.in[1]
	}
	shape, scale = make([]int, 4), make([]float64, 4)
	for a := range 4 {
		switch {
		case sizes != nil && sizes.known != nil && len(sizes.known.I) == 4:
			d := sizes.known.I[a]
			if d < 1 || d > maxSide {
				return nil, nil, fmt.Errorf("sizes %v: out of bounds", sizes.known.I)
			}
			shape[a] = int(d)
			scale[a] = float64(d) / float64(x.shape[a])
		case scales != nil && scales.known != nil && len(scales.known.F) == 4:
			scale[a] = float64(scales.known.F[a])
			d := math.Floor(float64(x.shape[a]) * scale[a])
			if !(d >= 1 && d <= maxSide) {
				return nil, nil, fmt.Errorf("scales %v: out of bounds", scales.known.F)
			}
			shape[a] = int(d)
		case scales != nil && len(scales.shape) == 1 && scales.known != nil && len(scales.known.F) == 0:
			return nil, nil, fmt.Errorf("scales and sizes both left out")
		default:
			return nil, nil, fmt.Errorf("scales or sizes: %w: must be 4 known numbers", errUnsupported)
		}
	}
	if shape[0] != x.shape[0] || shape[1] != x.shape[1] {
		return nil, nil, fmt.Errorf("scaling channels: %w", errUnsupported)
	}
	if _, err := onnx.ElemCount(shape); err != nil {
		return nil, nil, err
	}
	return shape, scale, nil
}
