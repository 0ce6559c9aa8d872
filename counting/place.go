package counting

// Point is a position in the picture, in fractions of its width and height.
type Point struct{ X, Y float64 }

// Line is a counting line from From to To. A point p is on side a where
// (x2-x1)(py-y1)-(y2-y1)(px-x1), with y down, is negative, and on side b where
// it is positive. For a line drawn from left to right, a is above it and b below.
type Line struct {
	ID       string // the stream's name, [a-z0-9_-], unique on the device
	From, To Point
}

// Side is the cross product (To-From) × (p-From): positive on side b, negative
// on side a and zero on the infinite line through From and To. Its size is twice
// the area of the triangle, so only its sign is comparable between lines.
func (l Line) Side(p Point) float64 {
	return (l.To.X-l.From.X)*(p.Y-l.From.Y) - (l.To.Y-l.From.Y)*(p.X-l.From.X)
}

// ScaledTo is the line in pixels of a picture of w×h. Its sides stay the same.
func (l Line) ScaledTo(w, h float64) Line {
	l.From.X, l.From.Y = l.From.X*w, l.From.Y*h
	l.To.X, l.To.Y = l.To.X*w, l.To.Y*h
	return l
}

// Zone is an area in which the objects present are counted: a stream with
// occupancy instead of crossings.
type Zone struct {
	ID      string // the stream's name, [a-z0-9_-], unique on the device
	Polygon Polygon
}

// Polygon is a closed area given by its corners in order; the last joins the
// first.
type Polygon []Point

// Contains reports whether p lies inside, by the even-odd rule. A point on an
// edge belongs to exactly one of two polygons that share the edge.
func (g Polygon) Contains(p Point) bool {
	in := false
	for i, j := 0, len(g)-1; i < len(g); j, i = i, i+1 {
		a, b := g[i], g[j]
		if (a.Y > p.Y) != (b.Y > p.Y) && p.X < (b.X-a.X)*(p.Y-a.Y)/(b.Y-a.Y)+a.X {
			in = !in
		}
	}
	return in
}

// Height is a known height in the picture: an upright object whose foot is at
// Foot and whose top is at Top, Metres high. Two of them at different distances
// give the perspective of the street.
type Height struct {
	Foot, Top Point
	Metres    float64
}
