package model

import (
	"fmt"
	"os"
	"slices"

	"kerb/agent/config"
	"kerb/counting/neural"
	"kerb/counting/neural/nets"
	"kerb/counting/vision"
)

// longSide is that of a network's input: more costs more time, less finds
// fewer of the small.
const MaxInputSide = 416

// cameraModel reads a camera's network, which the site file may know by its
// hash.
func ReadCameraNetwork(c config.Camera) (*Network, error) {
	f, err := ReadNetwork(c.Model)
	if err == nil && c.ModelSum != "" && f.Sum != c.ModelSum {
		return nil, fmt.Errorf("%s: was changed: it is %s now, and %s is asked for", c.Model, f.Sum, c.ModelSum)
	}
	return f, err
}

// planNetwork plans a network, that of the file at path, for pictures of w×h.
// Where the graph allows it, its input takes the picture's shape. What a .kerb
// file knows the ranges of is done in eight bits, where the processor is faster
// at that. What it makes of a picture lies in arena; nil: on Go's heap.
func PlanNetwork(f *Network, path string, w, h, threads int, arena neural.Arena) (*neural.Net, error) {
	o := neural.Opts{Threads: threads, Int8: f.Ranges}
	shapes, err := shapesFor(f, path, w, h, o)
	if err != nil {
		return nil, err
	}
	o.Shapes, o.Arena = shapes, arena
	return neural.Load(f.ONNX, path, o)
}

// shapesFor is the shape that the network's input takes for such pictures; nil:
// the file's own.
func shapesFor(f *Network, path string, w, h int, o neural.Opts) (map[string][]int, error) {
	net, err := neural.Load(f.ONNX, path, o)
	if err != nil {
		return nil, err
	}
	defer net.Close()
	sight, err := vision.InspectNetwork(net)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	inW, inH := vision.FitInput(w, h, min(MaxInputSide, max(sight.Width, sight.Height)))
	if inW == sight.Width && inH == sight.Height {
		return nil, nil
	}
	o.Shapes = map[string][]int{net.Inputs()[0]: {1, sight.Planes, inH, inW}}
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

// modelFile is a network's file: a .kerb file, or an ONNX file, of which
// nothing but the network is known.
type Network struct {
	File
	Sealed bool // a .kerb file
	Size   int
	Sum    string
}

// readModel reads a network's file, or the one of that name in the binary.
func ReadNetwork(path string) (*Network, error) {
	if b := nets.ReadNet(path); b != nil {
		return decodeNetwork(path, b)
	}
	if slices.Contains(nets.Names(), path) {
		return nil, fmt.Errorf("open the network: this binary was built without %s", path)
	}
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, fmt.Errorf("open the network: %w", err)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("open the network: %s is not a file", path)
	case info.Size() > int64(MaxFile):
		return nil, fmt.Errorf("open the network: %s has %d MB: at most %d", path, info.Size()>>20, MaxFile>>20)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("open the network: %w", err)
	}
	return decodeNetwork(path, b)
}

func decodeNetwork(path string, b []byte) (*Network, error) {
	m := &Network{Size: len(b), Sum: Sum(b), Sealed: IsSealed(b)}
	if !m.Sealed {
		m.ONNX = b
		return m, nil
	}
	f, err := Decode(b)
	if err != nil {
		return nil, fmt.Errorf("open the network: %s %w", path, err)
	}
	m.File = *f
	return m, nil
}

func LoadCameraNetwork(c config.Camera) (*neural.Net, error) {
	f, err := ReadCameraNetwork(c)
	if err != nil {
		return nil, err
	}
	return PlanNetwork(f, c.Model, MaxInputSide, MaxInputSide, 1, nil)
}
