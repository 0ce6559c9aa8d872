package vision

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"kerb/counting"
	"kerb/counting/neural"
)

// detection is one object that a network sees in a picture, in pixels of it.
type detection struct {
	box   box
	class counting.Class
	score float64 // 0–1
}

// A head turns a network's output into detections in pixels of its input.
type head interface {
	decode(dst []detection, out []float32, least float64) []detection
}

// cocoClasses are the classes of the COCO data set that use a street, by their
// number there; the other seventy-four are furniture here.
var cocoClasses = map[int]counting.Class{
	0: counting.Person, 1: counting.Bicycle, 2: counting.Car, 3: counting.Motorcycle, 5: counting.Heavy, 7: counting.Heavy,
}

// cocoRow is what a COCO network says of one place: box, objectness, classes.
const cocoRow = 5 + 80

// headOf recognises the head by the shape of the output.
func headOf(shape []int, w, h int) (head, error) {
	switch {
	case len(shape) == 3 && shape[2] == cocoRow && shape[1] == yoloxRows(w, h):
		return yolox{w, h}, nil
	case len(shape) == 4 && shape[1] == cocoRow && shape[2] > 0 && w%shape[3] == 0:
		return fastest{shape[3], shape[2], float64(w), float64(h)}, nil
	}
	return nil, fmt.Errorf("output of shape %v for a picture of %d×%d: neither a YOLOX nor a FastestDet head for 80 classes", shape, w, h)
}

// yolox is the anchor-free head of YOLOX (Ge et al. 2021, arXiv 2107.08430,
// §2.1): at strides 8, 16 and 32 each place gives offsets and log sizes in
// units of its stride, objectness and class scores.
type yolox struct{ w, h int }

var yoloxStrides = [...]int{8, 16, 32}

func yoloxRows(w, h int) (n int) {
	for _, s := range yoloxStrides {
		n += (w / s) * (h / s)
	}
	return n
}

func (y yolox) decode(dst []detection, out []float32, least float64) []detection {
	row := 0
	for _, stride := range yoloxStrides {
		s := float64(stride)
		for gy := range y.h / stride {
			for gx := range y.w / stride {
				r := out[row*cocoRow : (row+1)*cocoRow]
				row++
				if float64(r[4]) < least {
					continue
				}
				class, score := best(r[5:])
				if score *= float64(r[4]); score < least {
					continue
				}
				cx, cy := (float64(r[0])+float64(gx))*s, (float64(r[1])+float64(gy))*s
				bw, bh := math.Exp(float64(r[2]))*s, math.Exp(float64(r[3]))*s
				dst = append(dst, detection{box{cx - bw/2, cy - bh/2, cx + bw/2, cy + bh/2}, class, score})
			}
		}
	}
	return dst
}

// fastest is the head of FastestDet (dog-qiuqiu): one grid, planes instead of
// rows; the score weighs objectness by 0.6 and class by 0.4 in the exponent.
type fastest struct {
	gw, gh int
	w, h   float64
}

func (f fastest) decode(dst []detection, out []float32, least float64) []detection {
	n := f.gw * f.gh
	var scores [80]float32
	for i := range n {
		obj := float64(out[i])
		if obj < least*least {
			continue
		}
		for k := range scores {
			scores[k] = out[(5+k)*n+i]
		}
		class, score := best(scores[:])
		if score = math.Pow(obj, 0.6) * math.Pow(score, 0.4); score < least {
			continue
		}
		cx := (float64(i%f.gw) + math.Tanh(float64(out[n+i]))) / float64(f.gw) * f.w
		cy := (float64(i/f.gw) + math.Tanh(float64(out[2*n+i]))) / float64(f.gh) * f.h
		bw, bh := sigmoid(out[3*n+i])*f.w, sigmoid(out[4*n+i])*f.h
		dst = append(dst, detection{box{cx - bw/2, cy - bh/2, cx + bw/2, cy + bh/2}, class, score})
	}
	return dst
}

func sigmoid(x float32) float64 { return 1 / (1 + math.Exp(-float64(x))) }

// best is the likeliest class that uses a street.
func best(scores []float32) (class counting.Class, score float64) {
	for k, c := range cocoClasses {
		if s := float64(scores[k]); s > score {
			class, score = c, s
		}
	}
	return class, score
}

// A seer is a network with all that stands between it and a picture.
type seer struct {
	net    *neural.Net
	head   head
	in     []float32
	planes int
	w, h   int     // of the network's input
	scale  float64 // network pixels per picture pixel
	found  []detection
	lut    [256]float32
}

// padding is the grey that YOLOX was trained to see outside the picture.
const padding = 114

func newSeer(net *neural.Net, w, h int) (*seer, error) {
	in, shape := net.Input("")
	if len(shape) != 4 || shape[0] != 1 || shape[1] != 1 && shape[1] != 3 {
		return nil, fmt.Errorf("network wants an input of shape %v: must be one picture of one or three planes", shape)
	}
	s := &seer{net: net, in: in, planes: shape[1], h: shape[2], w: shape[3]}
	s.scale = min(float64(s.w)/float64(w), float64(s.h)/float64(h))
	_, out := net.Output("")
	var err error
	s.head, err = headOf(out, s.w, s.h)
	for v := range s.lut {
		s.lut[v] = float32(v)
		if _, unit := s.head.(fastest); unit {
			s.lut[v] /= 255
		}
	}
	return s, err
}

// see looks at one picture of w×h luma bytes. The result is valid until the
// next look. No copy of the picture stays behind.
func (s *seer) see(picture []byte, w, h int, least float64) []detection {
	defer s.net.Wipe()
	s.fill(picture, w, h)
	s.net.Run()
	out, _ := s.net.Output("")
	s.found = s.head.decode(s.found[:0], out, least)
	for i := range s.found {
		b := &s.found[i].box
		b.x0, b.x1 = max(b.x0/s.scale, 0), min(b.x1/s.scale, float64(w))
		b.y0, b.y1 = max(b.y0/s.scale, 0), min(b.y1/s.scale, float64(h))
	}
	s.found = suppress(s.found)
	s.found = mount(s.found)
	return s.found
}

// fill scales the picture into the upper left of the input, by area when it
// shrinks and linearly when it grows, and repeats it in every plane: luma
// stands for all three colours.
func (s *seer) fill(picture []byte, w, h int) {
	plane := s.in[:s.w*s.h]
	for i := range plane {
		plane[i] = s.lut[padding]
	}
	nw, nh := min(int(float64(w)*s.scale+0.5), s.w), min(int(float64(h)*s.scale+0.5), s.h)
	for y := range nh {
		sy := min(max((float64(y)+0.5)/s.scale-0.5, 0), float64(h-1))
		y0 := int(sy)
		y1, fy := min(y0+1, h-1), float32(sy-float64(y0))
		upper, lower, row := picture[y0*w:y0*w+w], picture[y1*w:y1*w+w], plane[y*s.w:]
		for x := range nw {
			sx := min(max((float64(x)+0.5)/s.scale-0.5, 0), float64(w-1))
			x0 := int(sx)
			x1, fx := min(x0+1, w-1), float32(sx-float64(x0))
			a := s.lut[upper[x0]]*(1-fx) + s.lut[upper[x1]]*fx
			b := s.lut[lower[x0]]*(1-fx) + s.lut[lower[x1]]*fx
			row[x] = a*(1-fy) + b*fy
		}
	}
	for p := 1; p < s.planes; p++ {
		copy(s.in[p*s.w*s.h:], plane)
	}
}

// sameThing is the overlap from which two detections of one kind are one.
const sameThing = 0.5

// suppress keeps the surest of detections that overlap. A car and a lorry in
// one place are one vehicle.
func suppress(ds []detection) []detection {
	slices.SortFunc(ds, func(a, b detection) int { return cmp.Compare(b.score, a.score) })
	kept := ds[:0]
next:
	for _, d := range ds {
		for _, k := range kept {
			if kin(k.class, d.class) && k.box.iou(d.box) > sameThing {
				continue next
			}
		}
		kept = append(kept, d)
	}
	return kept
}

// kin reports whether two classes could be two opinions of one object.
func kin(a, b counting.Class) bool {
	two := func(c counting.Class) bool { return c == counting.Bicycle || c == counting.Motorcycle }
	return a.Coarse() == b.Coarse() || two(a) && two(b)
}

// mount makes one of a bicycle or motorcycle and the person who sits on it.
func mount(ds []detection) []detection {
	for i := range ds {
		if c := ds[i].class; c != counting.Bicycle && c != counting.Motorcycle {
			continue
		}
		for j := range ds {
			r, b := &ds[j], ds[i].box
			if r.class != counting.Person || r.score == 0 || r.box.y1 < b.y0 || r.box.y1 > b.y1+0.25*b.h() {
				continue
			}
			if x := r.box.middle().x; x > b.x0 && x < b.x1 && r.box.overlap(b) > 0.2*min(r.box.area(), b.area()) {
				ds[i].box = b.union(r.box)
				r.score = 0
				break
			}
		}
	}
	return slices.DeleteFunc(ds, func(d detection) bool { return d.score == 0 })
}

func (b box) iou(c box) float64 {
	v := b.overlap(c)
	return v / (b.area() + c.area() - v)
}
