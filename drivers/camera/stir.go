package camera

import "hash/maphash"

// A picture of a polled camera is a new one where it differs from the one before in at
// least half of its cells. Sensor noise, light and compression do that to every picture;
// an object that passes does not. The number of new pictures in a window is told without
// noise, so it must be the same for an empty street and for one object, also where the
// camera has no noise or the server repaints a part alone.
const (
	stirColumns, stirRows = 16, 12 // as in counting/vision/health
	stirCells             = stirColumns * stirRows
)

// cellSums are keyed hashes of the cells of a picture (hash/maphash, the key is of this
// process): of a picture they tell whether another one differs, and nothing else.
type cellSums struct {
	seed  maphash.Seed
	sums  [stirCells]uint64
	known bool
}

// replaceSums replaces the sums by those of a picture of w×h pixels, and reports whether
// it is a new one: the first, or different in at least half of the cells.
func (c *cellSums) replaceSums(luma []byte, w, h int) (isNew bool) {
	if !c.known {
		c.seed = maphash.MakeSeed()
	}
	cells, changed := 0, 0
	for i := range c.sums {
		x0, x1 := w*(i%stirColumns)/stirColumns, w*(i%stirColumns+1)/stirColumns
		y0, y1 := h*(i/stirColumns)/stirRows, h*(i/stirColumns+1)/stirRows
		if x0 == x1 || y0 == y1 {
			continue
		}
		var sum maphash.Hash
		sum.SetSeed(c.seed)
		for y := y0; y < y1; y++ {
			sum.Write(luma[y*w+x0 : y*w+x1])
		}
		cells++
		if v := sum.Sum64(); v != c.sums[i] {
			c.sums[i] = v
			changed++
		}
	}
	isNew = !c.known || 2*changed >= cells
	c.known = true
	return isNew
}
