package h264

// Modes of Intra_4x4 and Intra_8x8 (Tables 8-2, 8-3).
const (
	modeVertical = iota
	modeHorizontal
	modeDC
	modeDownLeft
	modeDownRight
	modeVerticalRight
	modeHorizontalDown
	modeVerticalLeft
	modeHorizontalUp
)

// Modes of Intra_16x16 (Table 8-4).
const (
	mode16Vertical = iota
	mode16Horizontal
	mode16DC
	mode16Plane
)

// usable reports whether a neighbouring macroblock may be used for intra
// prediction (8.3.1.2).
func (s *sliceDecoder) usable(m *macroblock) bool {
	return m != nil && (!s.pps.constrained || m.intra())
}

// predict4x4 predicts and reconstructs the blocks of Intra_4x4 (8.3.1).
func (s *sliceDecoder) predict4x4() error {
	luma, m := s.frame.luma, s.mb
	left, top := s.usable(s.left), s.usable(s.top)
	corner, right := s.usable(s.topLeft), s.usable(s.topRight)
	for z := range 16 {
		b := int(rasterOf[z])
		bx, by := b&3, b>>2
		okLeft, okTop := bx > 0 || left, by > 0 || top
		var okCorner, okRight bool
		switch {
		case bx > 0 && by > 0:
			okCorner = true
		case bx > 0:
			okCorner = top
		case by > 0:
			okCorner = left
		default:
			okCorner = corner
		}
		switch {
		case by > 0:
			okRight = decodedBefore[0]>>b&1 != 0
		case bx < 3:
			okRight = top
		default:
			okRight = right
		}
		var e edge4
		e.load(luma, s.offsetOf(b), s.stride, okLeft, okTop, okCorner, okRight)
		if !e.predict(luma[s.offsetOf(b):], s.stride, m.modes[b], okLeft, okTop, okCorner) {
			return errSlice
		}
		if m.nonZero>>b&1 != 0 {
			s.add4x4(luma, z)
		}
	}
	return nil
}

// edge4 holds the 13 neighbours of a 4×4 block: left from below at 0 to 3, the
// corner at 4, above at 5 to 12.
type edge4 [13]int

// load reads the neighbours. Samples above and to the right that are not available
// are those at the end of the row above.
func (e *edge4) load(luma []byte, at, stride int, left, top, corner, right bool) {
	if left {
		for i := range 4 {
			e[3-i] = int(luma[at+i*stride-1])
		}
	}
	if corner {
		e[4] = int(luma[at-stride-1])
	}
	if top {
		row := luma[at-stride:]
		for i := range 4 {
			e[5+i] = int(row[i])
		}
		for i := range 4 {
			e[9+i] = e[8]
			if right {
				e[9+i] = int(row[4+i])
			}
		}
	}
}

// predict writes the prediction of a mode (8.3.1.2.1 to 8.3.1.2.9). It returns
// false for a mode whose neighbours are not available.
func (e *edge4) predict(dst []byte, stride int, mode int8, left, top, corner bool) bool {
	switch mode {
	case modeVertical, modeDownLeft, modeVerticalLeft:
		if !top {
			return false
		}
	case modeHorizontal, modeHorizontalUp:
		if !left {
			return false
		}
	case modeDC:
		fill(dst, stride, 4, e.mean(left, top))
		return true
	default:
		if !left || !top || !corner {
			return false
		}
	}
	for y := range 4 {
		row := dst[y*stride:][:4]
		for x := range row {
			row[x] = byte(e.sample(mode, x, y))
		}
	}
	return true
}

// mean is the prediction of the DC mode.
func (e *edge4) mean(left, top bool) byte {
	sumLeft, sumTop := e[0]+e[1]+e[2]+e[3], e[5]+e[6]+e[7]+e[8]
	switch {
	case left && top:
		return byte((sumLeft + sumTop + 4) >> 3)
	case left:
		return byte((sumLeft + 2) >> 2)
	case top:
		return byte((sumTop + 2) >> 2)
	}
	return 128
}

// three is the filter 1, 2, 1 around i, and two the mean of i and i+1.
func (e *edge4) three(i int) int { return (e[i-1] + 2*e[i] + e[i+1] + 2) >> 2 }
func (e *edge4) two(i int) int   { return (e[i] + e[i+1] + 1) >> 1 }

// sample computes one predicted sample.
func (e *edge4) sample(mode int8, x, y int) int {
	switch mode {
	case modeVertical:
		return e[5+x]
	case modeHorizontal:
		return e[3-y]
	case modeDownLeft:
		if x == 3 && y == 3 {
			return (e[11] + 3*e[12] + 2) >> 2
		}
		return e.three(6 + x + y)
	case modeDownRight:
		return e.three(4 + x - y)
	case modeVerticalRight:
		switch z := 2*x - y; {
		case z >= 0 && z&1 == 0:
			return e.two(4 + x - y>>1)
		case z >= 0:
			return e.three(4 + x - y>>1)
		case z == -1:
			return e.three(4)
		default:
			return e.three(5 - y)
		}
	case modeHorizontalDown:
		switch z := 2*y - x; {
		case z >= 0 && z&1 == 0:
			return e.two(3 - y + x>>1)
		case z >= 0:
			return e.three(4 - y + x>>1)
		case z == -1:
			return e.three(4)
		default:
			return e.three(3 + x)
		}
	case modeVerticalLeft:
		if y&1 == 0 {
			return e.two(5 + x + y>>1)
		}
		return e.three(6 + x + y>>1)
	}
	switch z := x + 2*y; { // modeHorizontalUp
	case z > 5:
		return e[0]
	case z == 5:
		return (e[1] + 3*e[0] + 2) >> 2
	case z&1 == 0:
		return e.two(2 - y - x>>1)
	}
	return e.three(2 - y - x>>1)
}

// fill sets a square of side samples.
func fill(dst []byte, stride, side int, v byte) {
	for y := range side {
		row := dst[y*stride:][:side]
		for x := range row {
			row[x] = v
		}
	}
}

// predict16x16 predicts and reconstructs an Intra_16x16 macroblock (8.3.3).
func (s *sliceDecoder) predict16x16(mode int) error {
	luma := s.frame.luma
	dst := luma[s.at:]
	left, top := s.usable(s.left), s.usable(s.top)
	switch mode {
	case mode16Vertical:
		if !top {
			return errSlice
		}
		above := luma[s.at-s.stride:][:16]
		for y := range 16 {
			copy(dst[y*s.stride:][:16], above)
		}
	case mode16Horizontal:
		if !left {
			return errSlice
		}
		for y := range 16 {
			row := dst[y*s.stride:][:16]
			v := luma[s.at+y*s.stride-1]
			for x := range row {
				row[x] = v
			}
		}
	case mode16DC:
		fill(dst, s.stride, 16, s.mean16(left, top))
	case mode16Plane:
		if !left || !top || !s.usable(s.topLeft) {
			return errSlice
		}
		s.predictPlane()
	}
	if s.mb.dc&1 != 0 {
		s.transformDC()
	}
	for z := range 16 {
		if s.mb.nonZero>>rasterOf[z]&1 != 0 || s.work.coefs[16*z] != 0 {
			s.add4x4(luma, z)
		}
	}
	return nil
}

// mean16 is the prediction of the DC mode of Intra_16x16.
func (s *sliceDecoder) mean16(left, top bool) byte {
	luma, sum, n := s.frame.luma, 0, 0
	if left {
		for y := range 16 {
			sum += int(luma[s.at+y*s.stride-1])
		}
		n++
	}
	if top {
		for _, v := range luma[s.at-s.stride:][:16] {
			sum += int(v)
		}
		n++
	}
	switch n {
	case 2:
		return byte((sum + 16) >> 5)
	case 1:
		return byte((sum + 8) >> 4)
	}
	return 128
}

// predictPlane is the plane mode (8.3.3.4).
func (s *sliceDecoder) predictPlane() {
	luma, at, stride := s.frame.luma, s.at, s.stride
	above := func(x int) int { return int(luma[at-stride+x]) }
	beside := func(y int) int { return int(luma[at+y*stride-1]) }
	h, v := 0, 0
	for i := 1; i <= 8; i++ {
		h += i * (above(7+i) - above(7-i))
		v += i * (beside(7+i) - beside(7-i))
	}
	b, c := (5*h+32)>>6, (5*v+32)>>6
	a := 16 * (beside(15) + above(15))
	for y := range 16 {
		row := luma[at+y*stride:][:16]
		sum := a + c*(y-7) - 7*b + 16
		for x := range row {
			row[x] = clip(sum >> 5)
			sum += b
		}
	}
}
