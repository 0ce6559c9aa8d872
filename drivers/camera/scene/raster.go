package scene

// canvas is the picture before the imager: larger than the delivered one by a
// margin, so that a shaking camera sees something at its edge. Polygons are
// filled with exact coverage in x and four scanlines a pixel in y, so that
// edges move smoothly and do not flicker.
type canvas struct {
	w, h          int
	pix           []uint8 // luma
	light         []uint8 // direct light on the ground
	owner         []uint8 // item buffer: the visible object's id, 0 for none; nil without Opts.Boxes
	id            uint8   // the object that is being drawn
	coveredPixels int     // pixels that it covered, even if later objects cover them

	mode  blendMode
	value int32 // luma or light, 1/256
	slope int32 // change of value per row
	alpha int32 // 0–256

	left, right []int32 // four lines a row, 1/256 pixel

	n      int
	px, py [14]int32 // corners of a convex polygon, 1/256 pixel
}

// blendMode selects the operation of a fill.
type blendMode uint8

const (
	blendOver     blendMode = iota // mixes value into the picture
	blendAdd                       // adds value to the picture
	subtractLight                  // takes the direct light from the ground
	addLight                       // adds direct light to the ground
)

// addVertex adds a vertex in pixels. Places far outside are clamped to where
// int32 still holds them and their direction changes little.
func (c *canvas) addVertex(x, y float64) {
	if c.n < len(c.px) {
		c.px[c.n] = int32(clamp(float64(x*256), -4e6, 4e6))
		c.py[c.n] = int32(clamp(float64(y*256), -4e6, 4e6))
		c.n++
	}
}

// fillVertices rasterises the convex polygon of the vertices and clears them.
// Each pixel row has four scanlines; for each, left and right hold where the
// polygon begins and ends.
func (c *canvas) fillVertices() {
	n := c.n
	c.n = 0
	if n < 3 {
		return
	}
	low, high := c.py[0], c.py[0]
	for _, y := range c.py[1:n] {
		low, high = min(low, y), max(high, y)
	}
	first, last := max(0, int(low>>8)), min(c.h-1, int(high>>8))
	if first > last {
		return
	}
	left, right := c.left[first*4:last*4+4], c.right[first*4:last*4+4]
	for i := range left {
		left[i], right[i] = int32(c.w)<<8, 0
	}
	c.value += c.slope * (int32(first) - low>>8)
	j := n - 1
	for i := range n {
		c.scanEdge(c.px[j], c.py[j], c.px[i], c.py[i], int32(first)*4, left, right)
		j = i
	}
	for y := first; y <= last; y++ {
		k := (y - first) * 4
		c.fillRow(y*c.w, (*[4]int32)(left[k:]), (*[4]int32)(right[k:]))
		c.value += c.slope
	}
}

// scanEdge widens the spans of all scanlines that the edge from (x0,y0) to
// (x1,y1) crosses; first is the scanline of left[0].
func (c *canvas) scanEdge(x0, y0, x1, y1, first int32, left, right []int32) {
	if y0 > y1 {
		x0, y0, x1, y1 = x1, y1, x0, y0
	}
	// Line i lies at y = 64i+32.
	from, to := (y0+31)>>6-first, (y1+31)>>6-first
	from, to = max(from, 0), min(to, int32(len(left)))
	if from >= to {
		return
	}
	step := (int64(x1-x0) << 14) / int64(y1-y0) // per line, 1/65536 pixel
	x := int64(x0)<<8 + (int64((from+first)<<6+32-y0)*step)>>6
	l, r := left[from:to], right[from:to]
	r = r[:len(l)]
	for i := range l {
		at := int32(x >> 8)
		l[i], r[i] = min(l[i], at), max(r[i], at)
		x += step
	}
}

// fillRow fills one pixel row: the fully covered middle as one span, the ends
// pixel by pixel with their coverage.
func (c *canvas) fillRow(base int, left, right *[4]int32) {
	outer := [2]int32{1 << 30, 0}        // touched
	inner := [2]int32{0, int32(1 << 30)} // covered whole
	for i := range left {
		left[i], right[i] = max(left[i], 0), min(right[i], int32(c.w)<<8)
		inner[0], inner[1] = max(inner[0], left[i]), min(inner[1], right[i])
		if left[i] < right[i] {
			outer[0], outer[1] = min(outer[0], left[i]), max(outer[1], right[i])
		}
	}
	if outer[0] >= outer[1] {
		return
	}
	x, end := outer[0]>>8, (outer[1]+255)>>8
	from, to := (inner[0]+255)>>8, inner[1]>>8
	for x < end {
		if x >= from && x < to {
			c.fillSpan(base+int(x), base+int(to), 1024)
			x = to
			continue
		}
		var cover int32
		for i := range left {
			cover += max(0, min(right[i], x<<8+256)-max(left[i], x<<8))
		}
		if cover > 0 {
			c.fillSpan(base+int(x), base+int(x)+1, cover)
		}
		x++
	}
}

// fillSpan applies the blend mode to pixels that are covered by cover/1024.
func (c *canvas) fillSpan(from, to int, cover int32) {
	v := max(0, c.value>>8)
	switch c.mode {
	case blendOver:
		c.blendSpan(from, to, min(v, 255), cover*c.alpha>>10)
		if c.owner != nil && c.alpha >= 128 && cover >= 512 {
			c.claimSpan(from, to)
		}
	case blendAdd:
		v = v * cover >> 10
		for i := from; i < to; i++ {
			c.pix[i] = uint8(min(255, int32(c.pix[i])+v))
		}
	case subtractLight:
		v = v * cover >> 10
		for i := from; i < to; i++ {
			c.light[i] = uint8(max(0, int32(c.light[i])-v))
		}
	case addLight:
		v = v * cover >> 10
		for i := from; i < to; i++ {
			c.light[i] = uint8(min(255, int32(c.light[i])+v))
		}
	}
}

// blendSpan mixes luma v in with alpha/256.
func (c *canvas) blendSpan(from, to int, v, alpha int32) {
	row := c.pix[from:to]
	if alpha >= 256 {
		for i := range row {
			row[i] = uint8(v)
		}
		return
	}
	for i, p := range row {
		row[i] = uint8(int32(p) + ((v-int32(p))*alpha)>>8)
	}
}

// claimSpan writes the object's id into the item buffer, and counts the pixels
// that are newly its own.
func (c *canvas) claimSpan(from, to int) {
	row := c.owner[from:to]
	for i := range row {
		if row[i] != c.id {
			row[i] = c.id
			c.coveredPixels++
		}
	}
}
