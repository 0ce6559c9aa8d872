package h264

// predict8x8 predicts and reconstructs the blocks of Intra_8x8 (8.3.2).
func (s *sliceDecoder) predict8x8() error {
	luma, m := s.frame.luma, s.mb
	left, top := s.usable(s.left), s.usable(s.top)
	corners := [4]bool{s.usable(s.topLeft), top, left, true}
	rights := [4]bool{top, s.usable(s.topRight), true, false}
	for q := range 4 {
		b := 2*(q&1) + 4*(q&2)
		okLeft, okTop := q&1 != 0 || left, q >= 2 || top
		var e edge8
		e.load(luma, s.offsetOf(b), s.stride, okLeft, okTop, corners[q], rights[q])
		if !e.predict(luma[s.offsetOf(b):], s.stride, m.modes[b], okLeft, okTop, corners[q]) {
			return errSlice
		}
		if m.nonZero>>b&1 != 0 {
			s.add8x8(luma, q)
		}
	}
	return nil
}

// edge8 holds the 25 filtered neighbours of an 8×8 block: left from below at 0 to
// 7, the corner at 8, above at 9 to 24.
type edge8 [25]int

// load reads the neighbours and filters them (8.3.2.2.1).
func (e *edge8) load(luma []byte, at, stride int, left, top, corner, right bool) {
	var p edge8
	if left {
		for i := range 8 {
			p[7-i] = int(luma[at+i*stride-1])
		}
	}
	if corner {
		p[8] = int(luma[at-stride-1])
	}
	if top {
		row := luma[at-stride:]
		for i := range 8 {
			p[9+i] = int(row[i])
		}
		for i := range 8 {
			p[17+i] = p[16]
			if right {
				p[17+i] = int(row[8+i])
			}
		}
	}
	e.filter(&p, left, top, corner)
}

// filter writes the filtered samples of p.
func (e *edge8) filter(p *edge8, left, top, corner bool) {
	three := func(i int) int { return (p[i-1] + 2*p[i] + p[i+1] + 2) >> 2 }
	if top {
		e[9] = (3*p[9] + p[10] + 2) >> 2
		if corner {
			e[9] = three(9)
		}
		for i := 10; i < 24; i++ {
			e[i] = three(i)
		}
		e[24] = (p[23] + 3*p[24] + 2) >> 2
	}
	if left {
		e[7] = (3*p[7] + p[6] + 2) >> 2
		if corner {
			e[7] = three(7)
		}
		for i := 1; i < 7; i++ {
			e[i] = three(i)
		}
		e[0] = (p[1] + 3*p[0] + 2) >> 2
	}
	if corner {
		switch {
		case top && left:
			e[8] = three(8)
		case top:
			e[8] = (3*p[8] + p[9] + 2) >> 2
		case left:
			e[8] = (3*p[8] + p[7] + 2) >> 2
		default:
			e[8] = p[8]
		}
	}
}

// predict writes the prediction of a mode (8.3.2.2.2 to 8.3.2.2.10). It returns
// false for a mode whose neighbours are not available.
func (e *edge8) predict(dst []byte, stride int, mode int8, left, top, corner bool) bool {
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
		fill(dst, stride, 8, e.mean(left, top))
		return true
	default:
		if !left || !top || !corner {
			return false
		}
	}
	for y := range 8 {
		row := dst[y*stride:][:8]
		for x := range row {
			row[x] = byte(e.sample(mode, x, y))
		}
	}
	return true
}

// mean is the prediction of the DC mode.
func (e *edge8) mean(left, top bool) byte {
	sumLeft, sumTop := 0, 0
	for i := range 8 {
		sumLeft += e[i]
		sumTop += e[9+i]
	}
	switch {
	case left && top:
		return byte((sumLeft + sumTop + 8) >> 4)
	case left:
		return byte((sumLeft + 4) >> 3)
	case top:
		return byte((sumTop + 4) >> 3)
	}
	return 128
}

func (e *edge8) three(i int) int { return (e[i-1] + 2*e[i] + e[i+1] + 2) >> 2 }
func (e *edge8) two(i int) int   { return (e[i] + e[i+1] + 1) >> 1 }

// sample computes one predicted sample.
func (e *edge8) sample(mode int8, x, y int) int {
	switch mode {
	case modeVertical:
		return e[9+x]
	case modeHorizontal:
		return e[7-y]
	case modeDownLeft:
		if x == 7 && y == 7 {
			return (e[23] + 3*e[24] + 2) >> 2
		}
		return e.three(10 + x + y)
	case modeDownRight:
		return e.three(8 + x - y)
	case modeVerticalRight:
		switch z := 2*x - y; {
		case z >= 0 && z&1 == 0:
			return e.two(8 + x - y>>1)
		case z >= 0:
			return e.three(8 + x - y>>1)
		case z == -1:
			return e.three(8)
		default:
			return e.three(9 + 2*x - y)
		}
	case modeHorizontalDown:
		switch z := 2*y - x; {
		case z >= 0 && z&1 == 0:
			return e.two(7 - y + x>>1)
		case z >= 0:
			return e.three(8 - y + x>>1)
		case z == -1:
			return e.three(8)
		default:
			return e.three(7 + x - 2*y)
		}
	case modeVerticalLeft:
		if y&1 == 0 {
			return e.two(9 + x + y>>1)
		}
		return e.three(10 + x + y>>1)
	}
	switch z := x + 2*y; { // modeHorizontalUp
	case z > 13:
		return e[0]
	case z == 13:
		return (e[1] + 3*e[0] + 2) >> 2
	case z&1 == 0:
		return e.two(6 - y - x>>1)
	}
	return e.three(6 - y - x>>1)
}
