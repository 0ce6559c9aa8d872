package scene

// canvas is the picture before the lens: a little larger than what is
// delivered, so that a shaking camera still sees something at its edge.
// Polygons are filled with exact coverage in x and four lines a pixel in y, so
// that edges move smoothly and do not flicker.
type canvas struct {
	w, h  int
	pix   []uint8 // luma
	light []uint8 // direct light on the ground
	owner []uint8 // which object is seen, nil where nobody asks
	id    uint8   // the object that is being drawn
	drawn int     // pixels that it covered, whoever covers them later

	ink   ink
	value int32 // luma or light, 1/256
	slope int32 // change of value per row
	alpha int32 // 0–256

	n      int
	px, py [14]int32 // corners of a convex polygon, 1/256 pixel
}

// ink is what filling does.
type ink uint8

const (
	paint  ink = iota // mixes value into the picture
	glare             // adds value to the picture
	shadow            // takes the direct light from the ground
	pool              // adds direct light to the ground
)

// corner adds a corner; places far outside are drawn to where they still have
// the right direction.
func (c *canvas) corner(x, y float64) {
	if c.n < len(c.px) {
		c.px[c.n] = int32(clamp(float64(x*256), -4e6, 4e6))
		c.py[c.n] = int32(clamp(float64(y*256), -4e6, 4e6))
		c.n++
	}
}

// edge is one side of the polygon from its upper to its lower end.
type edge struct {
	top, bottom int32 // 1/256 pixel
	x           int64 // at the top, 1/65536 pixel
	step        int64 // of x, 1/65536 pixel, per 1/256 pixel of y
}

// fill fills the polygon of the corners and forgets them.
func (c *canvas) fill() {
	var edges [len(c.px)]edge
	n, count := c.n, 0
	c.n = 0
	if n < 3 {
		return
	}
	low, high := c.py[0], c.py[0]
	for i := range n {
		j := i + 1
		if j == n {
			j = 0
		}
		x0, y0, x1, y1 := c.px[i], c.py[i], c.px[j], c.py[j]
		low, high = min(low, y0), max(high, y0)
		if y0 == y1 {
			continue
		}
		if y0 > y1 {
			x0, y0, x1, y1 = x1, y1, x0, y0
		}
		step := (int64(x1-x0) << 8) / int64(y1-y0)
		edges[count] = edge{y0, y1, int64(x0) << 8, step}
		count++
	}
	first, last := max(0, low>>8), min(int32(c.h)-1, high>>8)
	for y := first; y <= last; y++ {
		c.row(edges[:count], y)
		c.value += c.slope
	}
}

// row fills one row: a solid middle, and the ends pixel by pixel.
func (c *canvas) row(edges []edge, y int32) {
	var left, right [4]int32
	outer := [2]int32{1 << 30, -1 << 30} // touched
	inner := [2]int32{-1 << 30, 1 << 30} // covered whole
	for i := range int32(4) {
		at := y<<8 + 32 + i<<6
		l, r := int32(1<<30), int32(-1<<30)
		for k := range edges {
			e := &edges[k]
			if at >= e.top && at < e.bottom {
				x := int32((e.x + int64(at-e.top)*e.step) >> 8)
				l, r = min(l, x), max(r, x)
			}
		}
		l, r = max(l, 0), min(r, int32(c.w)<<8)
		if l >= r {
			inner = [2]int32{1 << 30, -1 << 30}
			continue
		}
		left[i], right[i] = l, r
		outer[0], outer[1] = min(outer[0], l), max(outer[1], r)
		inner[0], inner[1] = max(inner[0], l), min(inner[1], r)
	}
	if outer[0] >= outer[1] {
		return
	}
	x, end := outer[0]>>8, (outer[1]+255)>>8
	from, to := (inner[0]+255)>>8, inner[1]>>8
	base := int(y) * c.w
	for x < end {
		if x >= from && x < to {
			c.span(base+int(x), base+int(to), 1024)
			x = to
			continue
		}
		var cover int32
		for i := range left {
			cover += max(0, min(right[i], x<<8+256)-max(left[i], x<<8))
		}
		if cover > 0 {
			c.span(base+int(x), base+int(x)+1, cover)
		}
		x++
	}
}

// span applies the ink to pixels that are covered by cover/1024.
func (c *canvas) span(from, to int, cover int32) {
	v := max(0, c.value>>8)
	switch c.ink {
	case paint:
		c.mix(from, to, min(v, 255), cover*c.alpha>>10)
		if c.owner != nil && c.alpha >= 128 && cover >= 512 {
			c.own(from, to)
		}
	case glare:
		v = v * cover >> 10
		for i := from; i < to; i++ {
			c.pix[i] = uint8(min(255, int32(c.pix[i])+v))
		}
	case shadow:
		v = v * cover >> 10
		for i := from; i < to; i++ {
			c.light[i] = uint8(max(0, int32(c.light[i])-v))
		}
	case pool:
		v = v * cover >> 10
		for i := from; i < to; i++ {
			c.light[i] = uint8(min(255, int32(c.light[i])+v))
		}
	}
}

func (c *canvas) mix(from, to int, v, alpha int32) {
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

func (c *canvas) own(from, to int) {
	row := c.owner[from:to]
	for i := range row {
		if row[i] != c.id {
			row[i] = c.id
			c.drawn++
		}
	}
}
