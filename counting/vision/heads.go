package vision

import (
	"fmt"
	"math"

	"kerb/counting"
)

// detection is one object that a network detects, in pixels of the picture.
type detection struct {
	box      box
	class    counting.Class
	score    float64   // 0–1
	present  bool      // its score is high enough to count it in a zone
	assigned bool      // to a track
	track    *netTrack // that it is of; nil: none, or the tracker has not seen it
}

// outputHead decodes a network's output into detections in pixels of its input.
type outputHead interface {
	// decode appends to dst the detections that score at least minScore.
	decode(dst []detection, outs [][]float32, minScore float64) []detection
	// presenceScore is the score from which an object of a class counts as present:
	// where as many are wrong above as are left out below.
	presenceScore(c counting.Class) float64
	cellCount() int    // most detections of one picture: cells of all grids
	greyUnit() float32 // value of one level of grey in the input
	name() string
}

// cocoClasses are the classes of the COCO data set that use a street, by their number
// there. The other 74 are not counted.
var cocoClasses = [...]struct {
	number int
	class  counting.Class
}{
	{0, counting.Person}, {1, counting.Bicycle}, {2, counting.Car}, {3, counting.Motorcycle}, {5, counting.Heavy}, {7, counting.Heavy},
}

// cocoRow is the length of a COCO network's output for one cell: box, objectness,
// classes.
const cocoRow = cocoFirst + cocoCount

const (
	cocoFirst = 5  // index of the first class in a row; before it are box and objectness
	cocoCount = 80 // classes of COCO
)

// chooseHead finds the head that outputs of these shapes belong to, for an input of
// w×h pixels.
func chooseHead(shapes [][]int, w, h int) (outputHead, error) {
	shape := shapes[0]
	switch {
	case kerbHead{w, h}.matchesShapes(shapes):
		return kerbHead{w, h}, nil
	case len(shape) == 3 && shape[2] == cocoRow && shape[1] == yoloxRows(w, h):
		return yoloxHead{w, h}, nil
	case len(shape) == 4 && shape[1] == cocoRow && shape[2] > 0 && shape[3] > 0 && w%shape[3] == 0 && h%shape[2] == 0:
		return fastestHead{shape[3], shape[2], float64(w), float64(h)}, nil
	}
	return nil, fmt.Errorf("outputs of shapes %v for a picture of %d×%d: neither kerb's own head nor that of YOLOX or FastestDet for 80 classes", shapes, w, h)
}

// yoloxHead is the anchor-free head of YOLOX (Ge et al. 2021, arXiv 2107.08430, §2.1):
// at strides 8, 16 and 32 each cell gives offsets and log sizes in units of its
// stride, objectness and class scores.
type yoloxHead struct{ w, h int }

var yoloxStrides = [...]int{8, 16, 32}

// yoloxRows is the number of cells for an input of w×h pixels.
func yoloxRows(w, h int) (n int) {
	for _, s := range yoloxStrides {
		n += (w / s) * (h / s)
	}
	return n
}

// Presence scores for scores like YOLOX's. Vehicles in a queue hide each other and
// score low. Posts and bins are mistaken for people at low scores, so the other classes
// need more. With both values stills and sampled clips are counted best.
const (
	cocoVehiclePresence = 0.17
	cocoOtherPresence   = 0.25
)

func cocoPresenceScore(c counting.Class) float64 {
	if c.WithoutSplit() == counting.Vehicle {
		return cocoVehiclePresence
	}
	return cocoOtherPresence
}

func (yoloxHead) presenceScore(c counting.Class) float64   { return cocoPresenceScore(c) }
func (fastestHead) presenceScore(c counting.Class) float64 { return cocoPresenceScore(c) }

func (y yoloxHead) cellCount() int  { return yoloxRows(y.w, y.h) }
func (yoloxHead) greyUnit() float32 { return 1 }
func (yoloxHead) name() string      { return "YOLOX" }

func (y yoloxHead) decode(dst []detection, outs [][]float32, minScore float64) []detection {
	out, row := outs[0], 0
	for _, stride := range yoloxStrides {
		s := float64(stride)
		for gy := range y.h / stride {
			for gx := range y.w / stride {
				r := out[row*cocoRow : (row+1)*cocoRow]
				row++
				if float64(r[4]) < minScore {
					continue
				}
				class, score := bestClass(r[cocoFirst:])
				if score *= float64(r[4]); score < minScore {
					continue
				}
				cx, cy := (float64(r[0])+float64(gx))*s, (float64(r[1])+float64(gy))*s
				bw, bh := expSize(r[2])*s, expSize(r[3])*s
				dst = append(dst, detection{box: box{cx - bw/2, cy - bh/2, cx + bw/2, cy + bh/2}, class: class, score: score})
			}
		}
	}
	return dst
}

// fastestExponent maps this head's scores to the meaning of YOLOX's: its author accepts
// objects from 0.65, which becomes the 0.3 of YOLOX.
const fastestExponent = 2.8

// The score of FastestDet is objectness to the power of objWeight times class score to
// the power of classWeight (its author's numbers).
const (
	objWeight   = 0.6
	classWeight = 0.4
)

// fastestHead is the head of FastestDet (dog-qiuqiu): one grid, planes instead of rows.
type fastestHead struct {
	gw, gh int
	w, h   float64
}

func (f fastestHead) cellCount() int  { return f.gw * f.gh }
func (fastestHead) greyUnit() float32 { return 1.0 / 255 }
func (fastestHead) name() string      { return "FastestDet" }

func (f fastestHead) decode(dst []detection, outs [][]float32, minScore float64) []detection {
	n, out := f.gw*f.gh, outs[0]
	var scores [cocoCount]float32
	for i := range n {
		obj := float64(out[i])
		if obj < minScore {
			// With a class score of 1 the score is obj^(0.6×2.8), which is less than obj.
			continue
		}
		for k := range scores {
			scores[k] = out[(cocoFirst+k)*n+i]
		}
		class, score := bestClass(scores[:])
		if score = math.Pow(math.Pow(obj, objWeight)*math.Pow(score, classWeight), fastestExponent); score < minScore {
			continue
		}
		cx := (float64(i%f.gw) + math.Tanh(float64(out[n+i]))) / float64(f.gw) * f.w
		cy := (float64(i/f.gw) + math.Tanh(float64(out[2*n+i]))) / float64(f.gh) * f.h
		bw, bh := sigmoid(out[3*n+i])*f.w, sigmoid(out[4*n+i])*f.h
		dst = append(dst, detection{box: box{cx - bw/2, cy - bh/2, cx + bw/2, cy + bh/2}, class: class, score: score})
	}
	return dst
}

// maxLogSize is the largest logarithm of a size in strides: e⁷ is 1,097 strides. It
// keeps a faulty output finite.
const maxLogSize = 7

// expSize is the size in strides of which x is the logarithm.
func expSize(x float32) float64 { return math.Exp(min(float64(x), maxLogSize)) }

// sigmoid is the logistic function.
func sigmoid(x float32) float64 { return 1 / (1 + math.Exp(-float64(x))) }

// bestClass is the street class with the highest score.
func bestClass(scores []float32) (class counting.Class, score float64) {
	for _, c := range cocoClasses {
		if s := float64(scores[c.number]); s > score {
			class, score = c.class, s
		}
	}
	return class, score
}
