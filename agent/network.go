package main

import (
	"fmt"
	"os"
	"slices"

	"kerb/agent/config"
	"kerb/counting/neural"
	"kerb/counting/vision"
)

const neuralDetector = "neural"

// maxModel bounds a network's file; a street's detector has a fraction of it.
const maxModel = 64 << 20

// longSide is that of a network's input: more costs more time, less finds
// fewer of the small.
const longSide = 416

// loadNetwork plans the network of a file.
func loadNetwork(path string, w, h, threads int) (*neural.Net, error) {
	b, err := readModel(path)
	if err != nil {
		return nil, err
	}
	return planNetwork(b, path, w, h, threads)
}

// planNetwork plans a network, that of the file at path, for pictures of w×h.
// Where the graph allows it, its input takes the picture's shape.
func planNetwork(b []byte, path string, w, h, threads int) (*neural.Net, error) {
	net, err := neural.Load(b, path, neural.Opts{Threads: threads})
	if err != nil {
		return nil, err
	}
	sight, err := vision.Recognise(net)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	inW, inH := vision.Fit(w, h, min(longSide, max(sight.Width, sight.Height)))
	if inW == sight.Width && inH == sight.Height {
		return net, nil
	}
	shapes := map[string][]int{net.Inputs()[0]: {1, sight.Planes, inH, inW}}
	fitted, err := neural.Load(b, path, neural.Opts{Threads: threads, Shapes: shapes})
	if err != nil {
		return net, nil // a graph of one size only
	}
	if _, err := vision.Recognise(fitted); err != nil {
		fitted.Close()
		return net, nil
	}
	net.Close()
	return fitted, nil
}

func readModel(path string) ([]byte, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, fmt.Errorf("open the network: %w", err)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("open the network: %s is not a file", path)
	case info.Size() > maxModel:
		return nil, fmt.Errorf("open the network: %s has %d MB: at most %d", path, info.Size()>>20, maxModel>>20)
	}
	return os.ReadFile(path)
}

// checkModels loads the network of every camera that has one. What is wrong
// with it is a mistake in the site file, which named it.
func checkModels(site *config.Site) (err error) {
	var good []string
	for i, c := range site.Cameras {
		if c.Detector != neuralDetector || slices.Contains(good, c.Model) {
			continue
		}
		net, broken := loadNetwork(c.Model, longSide, longSide, 1)
		if broken != nil {
			err = site.Wrong(fmt.Sprintf("camera[%d].model", i), "must be a network that finds street users: "+broken.Error(), "kerb model FILE tells what a file holds")
			continue
		}
		net.Close()
		good = append(good, c.Model)
	}
	return err
}
