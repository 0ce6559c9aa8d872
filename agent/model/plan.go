package model

import (
	"fmt"

	"kerb/counting/neural"
	"kerb/counting/vision"
)

// The longest side, in pixels, of a network's input. A longer one takes more time, a
// shorter one misses small objects.
const (
	MaxInputSide = 416

	// maxOwnSide is that of a network made by counting/neural/train: it was trained for
	// the size in its file.
	maxOwnSide = 640
)

// PlanNetwork plans the network of f, which was read from path, for pictures of w×h
// pixels on that many threads. Where the graph allows it, the input takes the shape
// of the picture, as long as the file says, at most MaxInputSide or maxOwnSide. Operators whose ranges f holds are
// computed in eight bits where the processor is faster at that. All tensors are in
// arena; nil: on Go's heap. It refuses a network that is no detector. Close the
// result.
func PlanNetwork(f *Network, path string, w, h, threads int, arena neural.Arena) (*neural.Net, error) {
	o := neural.Opts{Threads: threads, Int8: f.Ranges}
	shapes, err := fitShapes(f, path, w, h, o)
	if err != nil {
		return nil, err
	}
	o.Shapes, o.Arena = shapes, arena
	return neural.Load(f.ONNX, path, o)
}

// fitShapes returns the shape of the network's input for pictures of w×h pixels;
// nil: the shape in the file.
func fitShapes(f *Network, path string, w, h int, o neural.Opts) (map[string][]int, error) {
	net, err := neural.Load(f.ONNX, path, o)
	if err != nil {
		return nil, err
	}
	defer net.Close()
	info, err := vision.InspectNetwork(net)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	longest := MaxInputSide
	if info.Head == vision.OwnHead {
		longest = maxOwnSide
	}
	inW, inH := vision.FitInput(w, h, min(longest, max(info.Width, info.Height)))
	if inW == info.Width && inH == info.Height {
		return nil, nil
	}
	o.Shapes = map[string][]int{net.Inputs()[0]: {1, info.Planes, inH, inW}}
	fitted, err := neural.Load(f.ONNX, path, o)
	if err != nil {
		return nil, nil // a graph of one size only
	}
	defer fitted.Close()
	if _, err := vision.InspectNetwork(fitted); err != nil {
		return nil, nil
	}
	return o.Shapes, nil
}
