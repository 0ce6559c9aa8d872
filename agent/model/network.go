package model

import (
	"fmt"
	"os"

	"kerb/agent/config"
	"kerb/counting/neural"
	"kerb/counting/neural/nets"
)

// Network is a network's file as it was read: a .kerb file, or an ONNX file. Of an
// ONNX file the card is empty and there are no ranges.
type Network struct {
	KerbFile
	Sealed bool   // it is a .kerb file
	Size   int    // of the file, bytes
	Sum    string // of the file, as Sum returns it
}

// ReadNetwork reads the .kerb or ONNX file at path, or the network of that name in
// the binary. It refuses files that are not regular or longer than maxFile, and a
// .kerb file that was changed. Whether an ONNX file holds a network that can be run
// is found by PlanNetwork.
func ReadNetwork(path string) (*Network, error) {
	if b := nets.ReadNet(path); b != nil {
		return decodeNetwork(path, b)
	}
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, fmt.Errorf("open the network: %w", err)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("open the network: %s is not a file", path)
	case info.Size() > int64(maxFile):
		return nil, fmt.Errorf("open the network: %s has %d MB: at most %d", path, info.Size()>>20, maxFile>>20)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("open the network: %w", err)
	}
	return decodeNetwork(path, b)
}

// decodeNetwork decodes b, the bytes of the file at path.
func decodeNetwork(path string, b []byte) (*Network, error) {
	m := &Network{Size: len(b), Sum: Sum(b), Sealed: hasBrand(b)}
	if !m.Sealed {
		m.ONNX = b
		return m, nil
	}
	f, err := Decode(b)
	if err != nil {
		return nil, fmt.Errorf("open the network: %s %w", path, err)
	}
	m.KerbFile = *f
	return m, nil
}

// ReadCameraNetwork reads the network that the camera names. It refuses a file that
// has not the hash by which the site names it.
func ReadCameraNetwork(c config.Camera) (*Network, error) {
	f, err := ReadNetwork(c.Model)
	if err == nil && c.ModelSum != "" && f.Sum != c.ModelSum {
		return nil, fmt.Errorf("%s: was changed: it is %s now, and %s is asked for", c.Model, f.Sum, c.ModelSum)
	}
	return f, err
}

// LoadCameraNetwork reads the network of the camera and plans it for a square of
// MaxInputSide on one thread. It shows whether the network can find objects. Close
// the result.
func LoadCameraNetwork(c config.Camera) (*neural.Net, error) {
	f, err := ReadCameraNetwork(c)
	if err != nil {
		return nil, err
	}
	return PlanNetwork(f, c.Model, MaxInputSide, MaxInputSide, 1, nil)
}
