package vision

import (
	"cmp"
	"slices"

	"kerb/counting"
)

// sameObjectIoU is the overlap from which two detections of one kind are one.
const sameObjectIoU = 0.5

// suppress keeps the surest of detections that overlap, and no more than can
// be followed. A car and a lorry in one place are one vehicle.
func suppress(ds []detection) []detection {
	slices.SortFunc(ds, func(a, b detection) int { return cmp.Compare(b.score, a.score) })
	kept := ds[:0]
next:
	for _, d := range ds {
		if len(kept) == maxTracks {
			break
		}
		for _, k := range kept {
			if sameFamily(k.class, d.class) && k.box.iou(d.box) > sameObjectIoU {
				continue next
			}
		}
		kept = append(kept, d)
	}
	return kept
}

// sameFamily reports whether two classes could be two opinions of one object.
func sameFamily(a, b counting.Class) bool {
	two := func(c counting.Class) bool { return c == counting.Bicycle || c == counting.Motorcycle }
	return a.Coarse() == b.Coarse() || two(a) && two(b)
}

// mergeRiders makes one of a bicycle or motorcycle and the person who sits on it.
func mergeRiders(ds []detection) []detection {
	for i := range ds {
		if c := ds[i].class; c != counting.Bicycle && c != counting.Motorcycle {
			continue
		}
		for j := range ds {
			r, b := &ds[j], ds[i].box
			if r.class != counting.Person || r.score == 0 || r.box.y1 < b.y0 || r.box.y1 > b.y1+0.25*b.h() {
				continue
			}
			if x := r.box.center().x; x > b.x0 && x < b.x1 && r.box.overlapArea(b) > 0.2*min(r.box.area(), b.area()) {
				ds[i].box = b.union(r.box)
				r.score = 0
				break
			}
		}
	}
	return slices.DeleteFunc(ds, func(d detection) bool { return d.score == 0 })
}

func (b box) iou(c box) float64 {
	v := b.overlapArea(c)
	return v / (b.area() + c.area() - v)
}
