package vision

import (
	"cmp"
	"math"
	"slices"

	"kerb/counting"
)

// sameObjectIoU is the intersection over union from which two detections of one family
// are of one object. Chosen by hand: the usual value of non-maximum suppression.
const sameObjectIoU = 0.5

// suppress is non-maximum suppression: of detections of one family that overlap it
// keeps the one with the highest score, and at most maxTracks in all. A car and a
// lorry in one place are one vehicle. It reorders ds and returns a part of it.
func suppress(ds []detection) []detection {
	slices.SortFunc(ds, func(a, b detection) int { return cmp.Compare(b.score, a.score) })
	kept := ds[:0]
next:
	for _, d := range ds {
		if len(kept) == maxTracks {
			break
		}
		for _, k := range kept {
			if sameFamily(k.class, d.class) && (k.box.iou(d.box) > sameObjectIoU || isOneVehicle(&k, &d)) {
				continue next
			}
		}
		kept = append(kept, d)
	}
	return kept
}

// When two boxes are of one vehicle although they overlap less than sameObjectIoU: a part of
// it, or it with its shadow. Two vehicles do not stand on one spot. Tried on the development
// clips (make truth).
const (
	spotOverlap = 0.5  // least overlap, of the smaller box
	spotHeight  = 0.15 // most between the lower edges, of the higher box
	spotWidth   = 0.5  // most between the middles, of the wider box
)

// isOneVehicle reports whether two detections of vehicles stand on one spot of the ground.
func isOneVehicle(a, b *detection) bool {
	if a.class.WithoutSplit() != counting.Vehicle || b.class.WithoutSplit() != counting.Vehicle {
		return false
	}
	f, g := a.box.groundPoint(), b.box.groundPoint()
	return a.box.overlapArea(b.box) > spotOverlap*min(a.box.area(), b.box.area()) &&
		math.Abs(f.y-g.y) < spotHeight*max(a.box.h(), b.box.h()) && math.Abs(f.x-g.x) < spotWidth*max(a.box.w(), b.box.w())
}

// sameFamily reports whether a and b may be two classifications of one object: two
// kinds of vehicle, or a bicycle and a motorcycle.
func sameFamily(a, b counting.Class) bool {
	two := func(c counting.Class) bool { return c == counting.Bicycle || c == counting.Motorcycle }
	return a.WithoutSplit() == b.WithoutSplit() || two(a) && two(b)
}

// When a person rides a bicycle or motorcycle. Chosen by hand.
const (
	riderFoot    = 0.25 // of the bicycle's height: most by which the rider's box ends below it
	riderOverlap = 0.2  // of the smaller box: least overlap
)

// mergeRiders makes one detection of a bicycle or motorcycle and its rider. The person's
// score becomes 0 and the detection is deleted.
func mergeRiders(ds []detection) []detection {
	for i := range ds {
		if c := ds[i].class; c != counting.Bicycle && c != counting.Motorcycle {
			continue
		}
		for j := range ds {
			r, b := &ds[j], ds[i].box
			if r.class != counting.Person || r.score == 0 || r.box.y1 < b.y0 || r.box.y1 > b.y1+riderFoot*b.h() {
				continue
			}
			if x := r.box.center().x; x > b.x0 && x < b.x1 && r.box.overlapArea(b) > riderOverlap*min(r.box.area(), b.area()) {
				ds[i].box = b.union(r.box)
				r.score = 0
				break
			}
		}
	}
	return slices.DeleteFunc(ds, func(d detection) bool { return d.score == 0 })
}
