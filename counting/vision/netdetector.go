package vision

import (
	"fmt"
	"slices"

	"kerb/counting"
	"kerb/counting/neural"
)

// netDetector detects objects with a network: it scales the picture into the input,
// runs the network and decodes its output.
type netDetector struct {
	net        *neural.Net
	head       outputHead
	in         []float32
	outs       [][]float32
	planes     int
	w, h       int          // of the network's input
	scale      float64      // network pixels per picture pixel
	columns    []tap        // of the input, one per pixel across
	rows       []tap        // the same per pixel down
	greyValue  [256]float32 // value of each level of grey in the input
	detections []detection
}

// tap is the position of a pixel of the input between two pixels of the picture:
// part of the way from i to j (linear interpolation).
type tap struct {
	i, j int
	part float32
}

// paddingGrey is the level outside the picture that YOLOX was trained with.
const paddingGrey = 114

// newNetDetector prepares a network for pictures of w×h pixels. It refuses networks
// whose input is not one picture of one or three planes, and unknown outputs.
func newNetDetector(net *neural.Net, w, h int) (*netDetector, error) {
	in, shape := net.Input("")
	if len(shape) != 4 || shape[0] != 1 || shape[1] != 1 && shape[1] != 3 {
		return nil, fmt.Errorf("the network wants an input of shape %v: must be one picture of one or three planes", shape)
	}
	s := &netDetector{net: net, in: in, planes: shape[1], h: shape[2], w: shape[3]}
	var shapes [][]int
	for _, name := range net.Outputs() {
		out, shape := net.Output(name)
		s.outs, shapes = append(s.outs, out), append(shapes, shape)
	}
	var err error
	if s.head, err = chooseHead(shapes, s.w, s.h); err != nil {
		return nil, err
	}
	s.detections = make([]detection, 0, s.head.cellCount())
	s.scale = min(float64(s.w)/float64(w), float64(s.h)/float64(h))
	s.columns, s.rows = scaleTaps(w, s.w, s.scale), scaleTaps(h, s.h, s.scale)
	for v := range s.greyValue {
		s.greyValue[v] = float32(v) * s.head.greyUnit()
	}
	return s, nil
}

// scaleTaps makes the taps that scale a side of n pixels to at most so many.
func scaleTaps(n, most int, scale float64) []tap {
	to := make([]tap, min(int(float64(n)*scale+0.5), most))
	for x := range to {
		at := min(max((float64(x)+0.5)/scale-0.5, 0), float64(n-1))
		i := int(at)
		to[x] = tap{i: i, j: min(i+1, n-1), part: float32(at - float64(i))}
	}
	return to
}

// detect finds the objects in a picture of w×h luma bytes that score at least minScore.
// The result is valid until the next call.
func (s *netDetector) detect(picture []byte, w, h int, minScore float64) []detection {
	return mergeRiders(suppress(s.decodePicture(picture, w, h, minScore)))
}

// decodePicture is detect without suppression: several detections may be of one object.
// The network's memory is wiped, on panic too.
func (s *netDetector) decodePicture(picture []byte, w, h int, minScore float64) []detection {
	defer s.net.Wipe()
	s.fillInput(picture, w)
	s.net.Run()
	s.detections = s.head.decode(s.detections[:0], s.outs, minScore)
	for i := range s.detections {
		d := &s.detections[i]
		b := &d.box
		b.x0, b.x1 = max(b.x0/s.scale, 0), min(b.x1/s.scale, float64(w))
		b.y0, b.y1 = max(b.y0/s.scale, 0), min(b.y1/s.scale, float64(h))
		d.present = d.score >= s.head.presenceScore(d.class)
	}
	return s.detections
}

// fillInput scales the picture into the upper left of the input, as YOLOX's own
// preprocessing does, pads the rest with grey, and repeats it in every plane: luma
// stands for all three colours.
func (s *netDetector) fillInput(picture []byte, w int) {
	plane := s.in[:s.w*s.h]
	for y := range s.h {
		row := plane[y*s.w : (y+1)*s.w]
		n := 0
		if y < len(s.rows) {
			d := s.rows[y]
			s.interpolateRow(row, picture[d.i*w:d.i*w+w], picture[d.j*w:d.j*w+w], d.part)
			n = len(s.columns)
		}
		for x := n; x < s.w; x++ {
			row[x] = s.greyValue[paddingGrey]
		}
	}
	for p := 1; p < s.planes; p++ {
		copy(s.in[p*s.w*s.h:], plane)
	}
}

// interpolateRow fills a row of the input, part of the way from the upper to the lower
// row of the picture.
func (s *netDetector) interpolateRow(dst []float32, upper, lower []byte, part float32) {
	for x, c := range s.columns {
		a := s.greyValue[upper[c.i]]*(1-c.part) + s.greyValue[upper[c.j]]*c.part
		b := s.greyValue[lower[c.i]]*(1-c.part) + s.greyValue[lower[c.j]]*c.part
		dst[x] = a*(1-part) + b*part
	}
}

// NetworkInfo describes a network that can detect objects for a Counter.
type NetworkInfo struct {
	Head          string           // kind of output: kerb, YOLOX or FastestDet
	Width, Height int              // of its input, pixels
	Planes        int              // of its input: 1 luma, 3 colour
	Classes       []counting.Class // that it tells apart, sorted
}

// InspectNetwork checks whether a network can detect objects for a Counter and describes it.
// The error says which shape of its input or output does not fit.
func InspectNetwork(net *neural.Net) (NetworkInfo, error) {
	s, err := newNetDetector(net, trialSide, trialSide)
	if err != nil {
		return NetworkInfo{}, err
	}
	v := NetworkInfo{Head: s.head.name(), Width: s.w, Height: s.h, Planes: s.planes}
	for _, c := range cocoClasses {
		if !slices.Contains(v.Classes, c.class) {
			v.Classes = append(v.Classes, c.class)
		}
	}
	slices.Sort(v.Classes)
	return v, nil
}

// trialSide is the side in pixels of the picture for which a network is prepared when it
// is only described; the description does not depend on it.
const trialSide = 64

// coarsestStride is the coarsest stride of a detector's grids, in pixels. Both sides of
// an input must be multiples of it.
const coarsestStride = 32

// FitInput returns the size of the smallest input that shows a picture of w×h pixels as
// large as a square input of side long, in pixels: the padding of a square costs time
// and adds no information. Both sides are multiples of 32 if long is.
func FitInput(w, h, long int) (inW, inH int) {
	up := func(n, of int) int { return (n*long + of*coarsestStride - 1) / (of * coarsestStride) * coarsestStride }
	if w >= h {
		return long, min(up(h, w), long)
	}
	return min(up(w, h), long), long
}
