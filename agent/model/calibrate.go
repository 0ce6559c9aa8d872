package model

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"kerb/counting/neural"
	"kerb/counting/vision"
)

// Stills is a source of pictures of one size.
type Stills interface {
	// ReadInto reads the next picture into dst, one byte of luma a pixel; after the
	// last one it returns io.EOF.
	ReadInto(ctx context.Context, dst []byte) (time.Time, error)
	// Size returns the width and the height in pixels.
	Size() (w, h int)
}

// StartImport returns the content of a .kerb file for the network of f, which was
// read from path: the card as far as the network's metadata gives it, and no ranges.
// It refuses a network that is no detector.
func StartImport(f *Network, path string) (KerbFile, error) {
	net, err := neural.Load(f.ONNX, path, neural.Opts{})
	if err != nil {
		return KerbFile{}, err
	}
	defer net.Close()
	detector, err := vision.InspectNetwork(net)
	if err != nil {
		return KerbFile{}, fmt.Errorf("%s: %w", path, err)
	}
	info := net.Info()
	return KerbFile{Ranges: neural.Ranges{}, ONNX: f.ONNX, Card: Card{
		Name: filepath.Base(path), Source: f.Sum, Licence: findLicence(info), Producer: info.Producer,
		Meta: info.Meta, Input: [2]int{detector.Width, detector.Height},
		Commit: info.Meta["commit"], Manifest: info.Meta["manifest"],
	}}, nil
}

// Calibrate runs the network of f on the stills of src as on a camera's pictures, and
// adds the ranges of its tensors and the number of stills to made. Pictures that
// cannot be decoded are an error.
func Calibrate(ctx context.Context, f *Network, path string, src Stills, made *KerbFile) error {
	w, h := src.Size()
	net, err := PlanNetwork(f, path, w, h, 1, nil)
	if err != nil {
		return err
	}
	defer net.Close()
	n, err := vision.Calibrate(ctx, net, src, w, h, made.Ranges)
	made.Stills += n
	return err
}
