package health

// The picture is judged in Columns × Rows cells, whatever its size.
const (
	Columns = 16
	Rows    = 12
	cells   = Columns * Rows
)

// A cell is one part of one picture, summed up.
type cell struct {
	pixels int32 // looked at
	sum    int32 // of their levels
	edges  int32 // of them that lie on an edge
	faint  int32 // that lie on an edge, if only on half a one
	across int32 // of the edges, those that stand upright
	along  int32 // that lie flat
	rising int32 // that go up to the right
	moved  bool  // a byte differs from the picture before
}

// A Picture is what is lent for one look: the reduced luma, row by row, and the
// one before it, which may be nil. Blind marks what masks cover; nil: nothing.
type Picture struct {
	Width, Height int
	Now, Before   []byte
	Blind         []bool
}

// survey is what one look at a picture finds. It bears no picture.
type survey struct {
	cells [cells]cell
	hist  [256]int32 // levels of the pixels looked at
	seen  int32      // how many those are
	noise float32    // median change of a pixel since the picture before, in levels
}

// surveyPicture surveys a picture. Every second row is enough for what cells of hundreds
// of pixels tell. An edge is a difference of least levels over two pixels, half
// a one of half so many; sure holds the pixels whose neighbours no mask covers,
// or is nil.
func (s *survey) surveyPicture(p *Picture, sure []bool, least, half int32) {
	*s = survey{}
	w, h := p.Width, p.Height
	for row := range Rows {
		y0, y1 := h*row/Rows, h*(row+1)/Rows
		for col := range Columns {
			x0, x1 := w*col/Columns, w*(col+1)/Columns
			c := &s.cells[row*Columns+col]
			s.countEdges(c, p, sure, least*least, half*half, max(x0, 1), max(y0, 1), min(x1, w-1), min(y1, h-1))
			c.moved = p.Before != nil && bytesDiffer(p, x0, y0, x1, y1)
		}
	}
	s.noise = p.medianChange()
}

// countEdges sums up one cell. A gradient is the difference over two pixels; its
// direction falls into one of four.
func (s *survey) countEdges(c *cell, p *Picture, sure []bool, least, half int32, x0, y0, x1, y1 int) {
	w := p.Width
	for y := y0; y < y1; y += 2 {
		up, mid, low := p.Now[(y-1)*w:y*w], p.Now[y*w:(y+1)*w], p.Now[(y+1)*w:(y+2)*w]
		for x := x0; x < x1; x++ {
			if sure != nil && !sure[y*w+x] {
				continue
			}
			v := int32(mid[x])
			c.pixels++
			c.sum += v
			s.hist[v]++
			gx, gy := int32(mid[x+1])-int32(mid[x-1]), int32(low[x])-int32(up[x])
			steep := gx*gx + gy*gy
			if steep < half {
				continue
			}
			c.faint++
			if steep < least {
				continue
			}
			c.edges++
			// tan 22.5° is 0.414: the four directions have equal shares.
			ax, ay := max(gx, -gx), max(gy, -gy)
			switch {
			case 1000*ay < 414*ax:
				c.across++
			case 1000*ax < 414*ay:
				c.along++
			case (gx < 0) != (gy < 0):
				c.rising++
			}
		}
	}
	s.seen += c.pixels
}

func bytesDiffer(p *Picture, x0, y0, x1, y1 int) bool {
	for y := y0; y < y1; y++ {
		at := y * p.Width
		if string(p.Now[at+x0:at+x1]) != string(p.Before[at+x0:at+x1]) {
			return true
		}
	}
	return false
}

// medianChange is the median change of a pixel since the picture before: 0.95
// standard deviations of one picture's noise.
func (p *Picture) medianChange() float32 {
	if p.Before == nil {
		return 0
	}
	var hist [64]int32
	n := int32(0)
	for i := 0; i < len(p.Now); i += 13 {
		if p.Blind != nil && p.Blind[i] {
			continue
		}
		d := int(p.Now[i]) - int(p.Before[i])
		hist[min(max(d, -d), 63)]++
		n++
	}
	below := int32(0)
	for level, k := range hist {
		if k > 0 && below+k >= n/2 {
			return float32(level) + float32(n/2-below)/float32(k)
		}
		below += k
	}
	return 0
}

// shareAbove is the share of the pixels looked at that are at least at a level.
func (s *survey) shareAbove(level int) float32 {
	n := int32(0)
	for _, k := range s.hist[level:] {
		n += k
	}
	return float32(n) / float32(max(s.seen, 1))
}

// meanLevel level.
func (s *survey) meanLevel() float32 {
	sum := int64(0)
	for v, n := range s.hist {
		sum += int64(v) * int64(n)
	}
	return float32(sum) / float32(max(s.seen, 1))
}
