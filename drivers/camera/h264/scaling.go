package h264

// scalingLists holds the scaling lists in zig-zag order: 4×4 for intra Y, Cb, Cr
// and inter Y, Cb, Cr, 8×8 for intra Y and inter Y.
type scalingLists struct {
	four  [6][16]uint8
	eight [2][64]uint8
}

// setFlat sets Flat_4x4_16 and Flat_8x8_16.
func (s *scalingLists) setFlat() {
	for i := range s.four {
		for j := range s.four[i] {
			s.four[i][j] = 16
		}
	}
	for i := range s.eight {
		for j := range s.eight[i] {
			s.eight[i][j] = 16
		}
	}
}

// list returns list i of Table 7-2.
func (s *scalingLists) list(i int) []uint8 {
	if i < 6 {
		return s.four[i][:]
	}
	return s.eight[i-6][:]
}

// defaultList returns the default list i, Tables 7-3 and 7-4.
func defaultList(i int) []uint8 {
	switch {
	case i < 3:
		return default4x4[0][:]
	case i < 6:
		return default4x4[1][:]
	}
	return default8x8[i-6][:]
}

// parse reads the lists of a parameter set. A list that is not sent is replaced by
// fall-back rule A (Table 7-2): the default for the first of its kind, else the
// list before. marked receives which first lists were not sent, to which a picture
// parameter set applies rule B: the list of the sequence.
func (s *scalingLists) parse(r *bitReader, marked *[8]bool, lists int) {
	s.setFlat()
	for i := range 8 {
		dst := s.list(i)
		first := i%3 == 0 || i > 6
		sent := i < lists && r.flag()
		if marked != nil {
			marked[i] = sent
		}
		switch {
		case sent:
			if parseScalingList(r, dst) {
				copy(dst, defaultList(i))
			}
		case first:
			copy(dst, defaultList(i))
		default:
			copy(dst, s.list(i-1))
		}
	}
}

// parseScalingList reads scaling_list (7.3.2.1.1.1) and reports whether the
// default is to be used instead.
func parseScalingList(r *bitReader, dst []uint8) (useDefault bool) {
	last, next := 8, 8
	for j := range dst {
		if next != 0 {
			next = (last + int(r.se())) & 0xff
			if j == 0 && next == 0 {
				return true
			}
		}
		if next != 0 {
			last = next
		}
		dst[j] = uint8(last)
	}
	return false
}

// effective writes the lists of a picture: those of its parameter set, with
// fall-back rule B for the lists that it does not send, or those of the sequence.
func (p *pps) effective(dst *scalingLists, s *sps) {
	if !p.scalingSent {
		*dst = s.scaling
		return
	}
	*dst = p.scaling
	if !s.scalingSent {
		return // rule A, as parse has applied it
	}
	for i := range 8 {
		switch first := i%3 == 0 || i > 6; {
		case p.scalingMarked[i]:
		case first:
			copy(dst.list(i), s.scaling.list(i))
		default:
			copy(dst.list(i), dst.list(i-1))
		}
	}
}

// levelScale holds LevelScale4x4 and LevelScale8x8 (8.5.9) of luma, times 2 to
// the power of qP/6, for intra and inter, by qP and by position in raster order.
type levelScale struct {
	four  [2][52][16]int32
	eight [2][52][64]int32
}

// compute fills the tables.
func (l *levelScale) compute(s *scalingLists) {
	for qp := range 52 {
		for pos, raster := range zigzag4x4 {
			for k := range 2 {
				l.four[k][qp][raster] = int32(s.four[3*k][pos]) * int32(norm4x4[qp%6][class4x4(int(raster))]) << (qp / 6)
			}
		}
		for pos, raster := range zigzag8x8 {
			for k := range 2 {
				l.eight[k][qp][raster] = int32(s.eight[k][pos]) * int32(norm8x8[qp%6][class8x8(int(raster))]) << (qp / 6)
			}
		}
	}
}

// class4x4 returns the column of norm4x4 for a position (8-315).
func class4x4(raster int) int {
	switch x, y := raster&3, raster>>2; {
	case x&1 == 0 && y&1 == 0:
		return 0
	case x&1 == 1 && y&1 == 1:
		return 1
	}
	return 2
}

// class8x8 returns the column of norm8x8 for a position (8-318).
func class8x8(raster int) int {
	x, y := raster&7, raster>>3
	switch {
	case x&3 == 0 && y&3 == 0:
		return 0
	case x&1 == 1 && y&1 == 1:
		return 1
	case x&3 == 2 && y&3 == 2:
		return 2
	case x&3 == 0 && y&1 == 1 || x&1 == 1 && y&3 == 0:
		return 3
	case x&3 == 0 && y&3 == 2 || x&3 == 2 && y&3 == 0:
		return 4
	}
	return 5
}

// norm4x4 and norm8x8 are the matrices v of 8-316 and 8-319.
var norm4x4 = [6][3]uint8{
	{10, 16, 13}, {11, 18, 14}, {13, 20, 16}, {14, 23, 18}, {16, 25, 20}, {18, 29, 23},
}

var norm8x8 = [6][6]uint8{
	{20, 18, 32, 19, 25, 24},
	{22, 19, 35, 21, 28, 26},
	{26, 23, 42, 24, 33, 31},
	{28, 25, 45, 26, 35, 33},
	{32, 28, 51, 30, 40, 38},
	{36, 32, 58, 34, 46, 43},
}

// zigzag4x4 and zigzag8x8 are the raster positions in scanning order (Figures 8-8
// and 6-12 of frames).
var zigzag4x4 = [16]uint8{0, 1, 4, 8, 5, 2, 3, 6, 9, 12, 13, 10, 7, 11, 14, 15}

var zigzag8x8 = [64]uint8{
	0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5,
	12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21, 28,
	35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51,
	58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
}

// default4x4 is Table 7-3, for intra and inter.
var default4x4 = [2][16]uint8{
	{6, 13, 13, 20, 20, 20, 28, 28, 28, 28, 32, 32, 32, 37, 37, 42},
	{10, 14, 14, 20, 20, 20, 24, 24, 24, 24, 27, 27, 27, 30, 30, 34},
}

// default8x8 is Table 7-4, for intra and inter.
var default8x8 = [2][64]uint8{
	{
		6, 10, 10, 13, 11, 13, 16, 16, 16, 16, 18, 18, 18, 18, 18, 23,
		23, 23, 23, 23, 23, 25, 25, 25, 25, 25, 25, 25, 27, 27, 27, 27,
		27, 27, 27, 27, 29, 29, 29, 29, 29, 29, 29, 31, 31, 31, 31, 31,
		31, 33, 33, 33, 33, 33, 36, 36, 36, 36, 38, 38, 38, 40, 40, 42,
	},
	{
		9, 13, 13, 15, 13, 15, 17, 17, 17, 17, 19, 19, 19, 19, 19, 21,
		21, 21, 21, 21, 21, 22, 22, 22, 22, 22, 22, 22, 24, 24, 24, 24,
		24, 24, 24, 24, 25, 25, 25, 25, 25, 25, 25, 27, 27, 27, 27, 27,
		27, 28, 28, 28, 28, 28, 30, 30, 30, 30, 32, 32, 32, 33, 33, 35,
	},
}
