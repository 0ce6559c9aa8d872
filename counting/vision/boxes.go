//go:build boxes

package vision

import (
	"kerb/counting"
	"kerb/counting/neural"
)

// This file lets a test record what a network detects in a clip, once, and count the clip
// with the recorded boxes as often as it likes. It is in no build without the tag boxes:
// no shipped program can take a box out of this package.

// Box is one detection of a network, before non-maximum suppression, in pixels of the
// picture. Score is 0–1. Present: the score is high enough to count it in a zone.
type Box struct {
	X0, Y0, X1, Y1 float32
	Class          counting.Class
	Score          float32
	Present        bool
}

// BoxFinder runs a network on single pictures.
type BoxFinder struct{ detector *netDetector }

// NewBoxFinder prepares a network for pictures of w×h pixels.
func NewBoxFinder(net *neural.Net, w, h int) (*BoxFinder, error) {
	d, err := newNetDetector(net, w, h)
	return &BoxFinder{d}, err
}

// FindBoxes returns the detections in a picture of w×h luma bytes that the tracker would
// use at all.
func (f *BoxFinder) FindBoxes(picture []byte, w, h int) []Box {
	return toBoxes(f.detector.decodePicture(picture, w, h, lowScore))
}

// boxPlayer is an objectDetector that finds recorded boxes.
type boxPlayer struct {
	play  func() []Box
	found []detection
}

func (p *boxPlayer) detect(_ []byte, _, _ int, minScore float64) []detection {
	return mergeRiders(suppress(p.load(minScore)))
}

func (p *boxPlayer) load(minScore float64) []detection {
	p.found = p.found[:0]
	for _, b := range p.play() {
		if float64(b.Score) >= minScore {
			p.found = append(p.found, detection{
				box:   box{float64(b.X0), float64(b.Y0), float64(b.X1), float64(b.Y1)},
				class: b.Class, score: float64(b.Score), present: b.Present,
			})
		}
	}
	return p.found
}

// SuppressBoxes returns the boxes that are left of one picture's after non-maximum
// suppression and after riders have been merged with their bicycles.
func SuppressBoxes(boxes []Box) []Box {
	p := boxPlayer{play: func() []Box { return boxes }}
	return toBoxes(p.detect(nil, 0, 0, 0))
}

// NewFromBoxes makes a Counter with recorded boxes in place of a network: play returns
// those of the latest picture of src.
func NewFromBoxes(src Source, o Opts, play func() []Box) (*Counter, error) {
	c, err := New(src, o)
	if err != nil {
		return nil, err
	}
	c.network = newNeuralPath(&boxPlayer{play: play}, &c.o, c.k)
	return c, nil
}

// SuppressPlain returns the boxes of at least that score that are left after non-maximum
// suppression. A rider and the bicycle stay apart.
func SuppressPlain(boxes []Box, minScore float64) []Box {
	p := boxPlayer{play: func() []Box { return boxes }}
	return toBoxes(suppress(p.load(minScore)))
}

func toBoxes(ds []detection) (boxes []Box) {
	for _, d := range ds {
		b := d.box
		boxes = append(boxes, Box{float32(b.x0), float32(b.y0), float32(b.x1), float32(b.y1), d.class, float32(d.score), d.present})
	}
	return boxes
}
