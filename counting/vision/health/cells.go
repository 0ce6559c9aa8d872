package health

// Columns and Rows are the cells of a picture of any size.
const (
	Columns = 16
	Rows    = 12
	cells   = Columns * Rows
)

// cell sums up one part of one picture.
type cell struct {
	pixels int32 // examined
	sum    int32 // of their levels
	edges  int32 // pixels on an edge
	faint  int32 // pixels on at least a faint edge
	across int32 // of the edges, the upright ones
	along  int32 // the flat ones
	rising int32 // those that rise to the right
	moved  bool  // a byte differs from the picture before
	trend  int8  // 1: it got brighter since, -1: darker; 0: neither, or not asked for
}

// Picture is the reduced luma of one look, row by row, and that of the look before. It is
// read only while it is judged.
type Picture struct {
	Width, Height int    // pixels
	Now, Before   []byte // Width × Height levels; Before may be nil
	Blind         []bool // pixels that masks cover; nil: none
}

// survey is the result of one look. It bears no picture.
type survey struct {
	cells [cells]cell
	hist  [256]int32 // levels of the examined pixels
	seen  int32      // how many those are
	noise float32    // median change of a pixel since the picture before, levels
}

// Numbers of a survey, by hand.
const (
	rowStep   = 2  // every second row is enough for cells of hundreds of pixels
	noiseStep = 13 // pixels from one whose change is measured to the next
	maxNoise  = 63 // levels

	// tan 22.5° in thousandths: the four directions of edges have equal shares.
	directionTan  = 414
	directionUnit = 1000
)

// surveyPicture surveys a picture. An edge is a difference of at least least levels over
// two pixels, a faint edge one of at least half. unmasked marks the pixels without a masked
// neighbour; nil: all. trends asks for those of the cells.
func (s *survey) surveyPicture(p *Picture, unmasked []bool, least, half int32, trends bool) {
	*s = survey{}
	w, h := p.Width, p.Height
	for row := range Rows {
		y0, y1 := h*row/Rows, h*(row+1)/Rows
		for col := range Columns {
			x0, x1 := w*col/Columns, w*(col+1)/Columns
			c := &s.cells[row*Columns+col]
			s.countEdges(c, p, unmasked, least*least, half*half, max(x0, 1), max(y0, 1), min(x1, w-1), min(y1, h-1))
			c.moved = p.Before != nil && bytesDiffer(p, x0, y0, x1, y1)
			if c.moved && trends {
				c.trend = p.trend(x0, y0, x1, y1)
			}
		}
	}
	s.noise = p.medianChange()
}

// countEdges sums up one cell, of columns [x0, x1) and rows [y0, y1). A gradient is the
// difference over two pixels, in one of four directions; least and half are squared.
func (s *survey) countEdges(c *cell, p *Picture, unmasked []bool, least, half int32, x0, y0, x1, y1 int) {
	if x0 >= x1 {
		return
	}
	w, n := p.Width, x1-x0
	var sum cell
	for y := y0; y < y1; y += rowStep {
		at := y*w + x0
		for i, v := range p.Now[at : at+n] {
			if unmasked == nil || unmasked[at+i] {
				s.hist[v]++
				sum.pixels++
				sum.sum += int32(v)
			}
		}
	}
	if unmasked != nil || !sum.addEdges(p.Now, w, y0*w+x0, n, (y1-y0+rowStep-1)/rowStep, least, half) {
		sum.addEdgesPortable(p.Now, unmasked, w, y0*w+x0, n, y1-y0, least, half)
	}
	*c = sum
	s.seen += sum.pixels
}

// addEdgesPortable adds the edges of n columns and every second of rows rows of a picture
// of width w, from pixel first on. Sums of signs have no branch, which noise would make a
// processor mispredict at every third pixel.
func (c *cell) addEdgesPortable(now []byte, unmasked []bool, w, first, n, rows int, least, half int32) {
	for at := first; at < first+rows*w; at += rowStep * w {
		up, row, low := now[at-w:][:n], now[at-1:][:n+2], now[at+w:][:n]
		for i := range n {
			if unmasked != nil && !unmasked[at+i] {
				continue
			}
			gx, gy := int32(row[i+2])-int32(row[i]), int32(low[i])-int32(up[i])
			steep := gx*gx + gy*gy
			c.faint += 1 - sign(steep-half)
			edge := 1 - sign(steep-least)
			ax, ay := max(gx, -gx), max(gy, -gy)
			across := edge & sign(directionUnit*ay-directionTan*ax)
			along := edge & sign(directionUnit*ax-directionTan*ay)
			c.edges += edge
			c.across += across
			c.along += along
			c.rising += edge &^ (across | along) & sign(gx^gy)
		}
	}
}

// sign is 1 for a negative number, else 0.
func sign(v int32) int32 { return int32(uint32(v) >> 31) }

// bytesDiffer reports whether a cell differs from the picture before.
func bytesDiffer(p *Picture, x0, y0, x1, y1 int) bool {
	for y := y0; y < y1; y++ {
		at := y * p.Width
		if string(p.Now[at+x0:at+x1]) != string(p.Before[at+x0:at+x1]) {
			return true
		}
	}
	return false
}

// trend is 1 where a cell got brighter since the picture before, and -1 where darker.
func (p *Picture) trend(x0, y0, x1, y1 int) int8 {
	sum := 0
	for y := y0; y < y1; y++ {
		before := p.Before[y*p.Width+x0 : y*p.Width+x1]
		for i, v := range p.Now[y*p.Width+x0 : y*p.Width+x1] {
			sum += int(v) - int(before[i])
		}
	}
	return int8(min(max(sum, -1), 1))
}

// medianChange is the median change of a pixel since the picture before, in levels: 0.95
// standard deviations of one picture's noise.
func (p *Picture) medianChange() float32 {
	if p.Before == nil {
		return 0
	}
	var hist [maxNoise + 1]int32
	n := int32(0)
	for i := 0; i < len(p.Now); i += noiseStep {
		if p.Blind != nil && p.Blind[i] {
			continue
		}
		d := int(p.Now[i]) - int(p.Before[i])
		hist[min(max(d, -d), maxNoise)]++
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

// shareAbove is the share of the examined pixels that have at least a level.
func (s *survey) shareAbove(level int) float32 {
	n := int32(0)
	for _, k := range s.hist[level:] {
		n += k
	}
	return float32(n) / float32(max(s.seen, 1))
}

// meanLevel is the mean level of the examined pixels.
func (s *survey) meanLevel() float32 {
	sum := int64(0)
	for v, n := range s.hist {
		sum += int64(v) * int64(n)
	}
	return float32(sum) / float32(max(s.seen, 1))
}
