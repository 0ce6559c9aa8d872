package vision

import (
	"fmt"
	"math"

	"kerb/counting"
)

// detection is one object that a network sees in a picture, in pixels of it.
type detection struct {
	box      box
	class    counting.Class
	score    float64 // 0–1
	present  bool    // sure enough to be counted as present
	assigned bool    // continues a track
}

// A outputHead turns a network's output into detections in pixels of its input.
type outputHead interface {
	// decode appends to dst what the outputs say that scores at least least.
	decode(dst []detection, outs [][]float32, least float64) []detection
	// presenceScore is the score from which something of a class is there: where as
	// many are wrong above as are left out below.
	presenceScore(c counting.Class) float64
	cellCount() int    // where there may be an object: most detections of a look
	greyUnit() float32 // the input's value of one level of grey
	name() string
}

// cocoClasses are the classes of the COCO data set that use a street, by their
// number there; the other seventy-four are furniture here.
var cocoClasses = [...]struct {
	number int
	class  counting.Class
}{
	{0, counting.Person}, {1, counting.Bicycle}, {2, counting.Car}, {3, counting.Motorcycle}, {5, counting.Heavy}, {7, counting.Heavy},
}

// cocoRow is what a COCO network says of one place: box, objectness, classes.
const cocoRow = 5 + 80

// chooseHead recognises the head by the shapes of the outputs.
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

// yoloxHead is the anchor-free head of YOLOX (Ge et al. 2021, arXiv 2107.08430,
// §2.1): at strides 8, 16 and 32 each place gives offsets and log sizes in
// units of its stride, objectness and class scores.
type yoloxHead struct{ w, h int }

var yoloxStrides = [...]int{8, 16, 32}

func yoloxRows(w, h int) (n int) {
	for _, s := range yoloxStrides {
		n += (w / s) * (h / s)
	}
	return n
}

// cocoPresenceScore is for scores like YOLOX's: vehicles in a queue hide each other
// and score low, while posts and bins pass for people at less. Both lie where
// stills and sampled clips count best.
func cocoPresenceScore(c counting.Class) float64 {
	if c.Coarse() == counting.Vehicle {
		return 0.17
	}
	return 0.25
}

func (yoloxHead) presenceScore(c counting.Class) float64   { return cocoPresenceScore(c) }
func (fastestHead) presenceScore(c counting.Class) float64 { return cocoPresenceScore(c) }

func (y yoloxHead) cellCount() int  { return yoloxRows(y.w, y.h) }
func (yoloxHead) greyUnit() float32 { return 1 }
func (yoloxHead) name() string      { return "YOLOX" }

func (y yoloxHead) decode(dst []detection, outs [][]float32, least float64) []detection {
	out, row := outs[0], 0
	for _, stride := range yoloxStrides {
		s := float64(stride)
		for gy := range y.h / stride {
			for gx := range y.w / stride {
				r := out[row*cocoRow : (row+1)*cocoRow]
				row++
				if float64(r[4]) < least {
					continue
				}
				class, score := bestClass(r[5:])
				if score *= float64(r[4]); score < least {
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

// fastestExponent makes this head's scores mean what YOLOX's do: its author
// believes what scores 0.65, which becomes the 0.3 of YOLOX.
const fastestExponent = 2.8

// fastestHead is the head of FastestDet (dog-qiuqiu): one grid, planes instead of
// rows; the score weighs objectness by 0.6 and class by 0.4 in the exponent.
type fastestHead struct {
	gw, gh int
	w, h   float64
}

func (f fastestHead) cellCount() int  { return f.gw * f.gh }
func (fastestHead) greyUnit() float32 { return 1.0 / 255 }
func (fastestHead) name() string      { return "FastestDet" }

func (f fastestHead) decode(dst []detection, outs [][]float32, least float64) []detection {
	n, out := f.gw*f.gh, outs[0]
	var scores [80]float32
	for i := range n {
		obj := float64(out[i])
		if obj < least {
			// even a class of 1 makes no more than obj^(0.6×2.8)
			continue
		}
		for k := range scores {
			scores[k] = out[(5+k)*n+i]
		}
		class, score := bestClass(scores[:])
		if score = math.Pow(math.Pow(obj, 0.6)*math.Pow(score, 0.4), fastestExponent); score < least {
			continue
		}
		cx := (float64(i%f.gw) + math.Tanh(float64(out[n+i]))) / float64(f.gw) * f.w
		cy := (float64(i/f.gw) + math.Tanh(float64(out[2*n+i]))) / float64(f.gh) * f.h
		bw, bh := sigmoid(out[3*n+i])*f.w, sigmoid(out[4*n+i])*f.h
		dst = append(dst, detection{box: box{cx - bw/2, cy - bh/2, cx + bw/2, cy + bh/2}, class: class, score: score})
	}
	return dst
}

// expSize is the size that a logarithm tells, of at most a thousand strides: no
// network's slip may become infinite.
func expSize(x float32) float64 { return math.Exp(min(float64(x), 7)) }

func sigmoid(x float32) float64 { return 1 / (1 + math.Exp(-float64(x))) }

// bestClass is the likeliest class that uses a street.
func bestClass(scores []float32) (class counting.Class, score float64) {
	for _, c := range cocoClasses {
		if s := float64(scores[c.number]); s > score {
			class, score = c.class, s
		}
	}
	return class, score
}
