package vision

import (
	"math"

	"kerb/counting"
)

// OwnHead is the name of the head of kerb's own networks in a NetworkInfo.
const OwnHead = "kerb"

// kerbClasses are the classes of kerb's own networks, in the order of their planes. A
// rider belongs to the bicycle or motorcycle.
var kerbClasses = [...]counting.Class{counting.Person, counting.Bicycle, counting.Motorcycle, counting.Car, counting.Heavy}

// kerbPlanes is the number of planes of kerb's own networks: class scores, the offset
// of the object's middle from the cell's in strides, the logarithms of width and
// height in strides.
const kerbPlanes = len(kerbClasses) + 4

// kerbStrides are pixels of the input per cell of each grid.
var kerbStrides = [...]int{8, 16}

// kerbHead is the head of kerb's own networks: no anchors and no objectness, one grid
// per stride. A class's score says how well the box fits, too (after Li et al. 2020,
// Generalized Focal Loss, arXiv 2006.04388), so it is the detection's score.
type kerbHead struct{ w, h int }

func (k kerbHead) cellCount() (n int) {
	for _, s := range kerbStrides {
		n += (k.w / s) * (k.h / s)
	}
	return n
}

// kerbPresenceScore is a little below 0.5: of the detections that score 0.5, half are
// right (train/calibrate.py), and some objects are never found at all.
const kerbPresenceScore = 0.35

func (kerbHead) presenceScore(counting.Class) float64 { return kerbPresenceScore }

func (kerbHead) greyUnit() float32 { return 1.0 / 255 }
func (kerbHead) name() string      { return OwnHead }

// matchesShapes reports whether outputs of these shapes belong to this head.
func (k kerbHead) matchesShapes(shapes [][]int) bool {
	if len(shapes) != len(kerbStrides) {
		return false
	}
	for i, s := range kerbStrides {
		o := shapes[i]
		if len(o) != 4 || o[0] != 1 || o[1] != kerbPlanes || o[2]*s != k.h || o[3]*s != k.w {
			return false
		}
	}
	return true
}

func (k kerbHead) decode(dst []detection, outs [][]float32, minScore float64) []detection {
	for level, stride := range kerbStrides {
		gw, gh, s := k.w/stride, k.h/stride, float64(stride)
		n, out := gw*gh, outs[level]
		low := float32(minScore)
		for i := range n {
			class, score := 0, low
			for c := range kerbClasses {
				if v := out[c*n+i]; v >= score {
					class, score = c, v
				}
			}
			if out[class*n+i] < low {
				continue
			}
			at := out[len(kerbClasses)*n+i:]
			cx := (float64(i%gw) + 0.5 + float64(at[0])) * s
			cy := (float64(i/gw) + 0.5 + float64(at[n])) * s
			bw, bh := expSize(at[2*n])*s, expSize(at[3*n])*s
			if math.IsNaN(cx + cy + bw + bh) {
				continue
			}
			dst = append(dst, detection{box: box{cx - bw/2, cy - bh/2, cx + bw/2, cy + bh/2}, class: kerbClasses[class], score: float64(score)})
		}
	}
	return dst
}
