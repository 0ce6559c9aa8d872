package vision

// point is a place in pixels of the working grid or of the picture; x right,
// y down.
type point struct{ x, y float64 }

// box is an upright rectangle in pixels of the working grid (blob tracker) or
// of the picture (network); x1 and y1 are excluded.
type box struct{ x0, y0, x1, y1 float64 }

func (b box) w() float64    { return b.x1 - b.x0 }
func (b box) h() float64    { return b.y1 - b.y0 }
func (b box) area() float64 { return max(b.w(), 0) * max(b.h(), 0) }

// groundPoint is the middle of the lower edge, where an object meets the ground.
func (b box) groundPoint() point { return point{(b.x0 + b.x1) / 2, b.y1} }

func (b box) center() point { return point{(b.x0 + b.x1) / 2, (b.y0 + b.y1) / 2} }

func (b box) shiftedBy(x, y float64) box { return box{b.x0 + x, b.y0 + y, b.x1 + x, b.y1 + y} }

// overlapArea is the area of the intersection of b and c.
func (b box) overlapArea(c box) float64 {
	return max(min(b.x1, c.x1)-max(b.x0, c.x0), 0) * max(min(b.y1, c.y1)-max(b.y0, c.y0), 0)
}

// union is the smallest box that contains b and c.
func (b box) union(c box) box {
	return box{min(b.x0, c.x0), min(b.y0, c.y0), max(b.x1, c.x1), max(b.y1, c.y1)}
}

// iou is the intersection over union of b and c, 0–1.
func (b box) iou(c box) float64 {
	v := b.overlapArea(c)
	return v / (b.area() + c.area() - v)
}
