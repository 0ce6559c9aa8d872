package h264

// neighbour returns the motion of the 4×4 block at column bx, row by of the
// macroblock, -1 to 4 and -1 to 3, in one list. ref is -1 for a block that is
// intra, does not use the list, or is not available; then the vector is zero.
func (s *sliceDecoder) neighbour(list, bx, by int) (ref int8, v vector, available bool) {
	mot := s.mot
	switch {
	case bx < 0 && by < 0:
		if s.topLeft == nil {
			return -1, v, false
		}
		mot, bx, by = &s.frame.motion[s.addr-s.width-1], 3, 3
	case bx < 0:
		if s.left == nil {
			return -1, v, false
		}
		mot, bx = &s.frame.motion[s.addr-1], 3
	case by < 0 && bx > 3:
		if s.topRight == nil {
			return -1, v, false
		}
		mot, bx, by = &s.frame.motion[s.addr-s.width+1], 0, 3
	case by < 0:
		if s.top == nil {
			return -1, v, false
		}
		mot, by = &s.frame.motion[s.addr-s.width], 3
	}
	ref = mot.ref[list][by&2|bx>>1]
	if ref < 0 {
		return -1, v, true
	}
	return ref, mot.mv[list][4*by+bx], true
}

// decodedBefore[w-1] has bit b set where the block above and to the right of a
// partition of w blocks at 4×4 block b lies within the macroblock and has been
// decoded before it (6.4.11.7).
var decodedBefore = diagonalTable()

func diagonalTable() (t [4]uint16) {
	var order [16]int // of decoding
	for z, b := range rasterOf {
		order[b] = z
	}
	for w := 1; w <= 4; w++ {
		for b := 4; b < 16; b++ {
			if x := b&3 + w; x < 4 && order[b-4+w] < order[b] {
				t[w-1] |= 1 << b
			}
		}
	}
	return t
}

// diagonal returns the motion of neighbour C of a partition of w blocks, or of D
// where C is not available.
func (s *sliceDecoder) diagonal(list, bx, by, w int) (int8, vector) {
	if by == 0 || decodedBefore[w-1]>>(4*by+bx)&1 != 0 {
		if ref, v, ok := s.neighbour(list, bx+w, by-1); ok {
			return ref, v
		}
	}
	ref, v, _ := s.neighbour(list, bx-1, by-1)
	return ref, v
}

// predictVector derives mvpLX by the median (8.4.1.3.1) for a partition of w
// blocks with that reference index.
func (s *sliceDecoder) predictVector(list, bx, by, w int, ref int8) vector {
	refA, a, _ := s.neighbour(list, bx-1, by)
	refB, b, okB := s.neighbour(list, bx, by-1)
	refC, c := s.diagonal(list, bx, by, w)
	if !okB && s.leftAvailable(bx) && !s.diagonalAvailable(bx, w) {
		return a
	}
	matchA, matchB, matchC := refA == ref, refB == ref, refC == ref
	switch {
	case matchA && !matchB && !matchC:
		return a
	case matchB && !matchA && !matchC:
		return b
	case matchC && !matchA && !matchB:
		return c
	}
	return vector{median(a.x, b.x, c.x), median(a.y, b.y, c.y)}
}

// leftAvailable reports whether neighbour A is available.
func (s *sliceDecoder) leftAvailable(bx int) bool { return bx > 0 || s.left != nil }

// diagonalAvailable reports whether C or D is available, for a partition whose
// upper neighbour is not: it lies at the upper edge of the macroblock.
func (s *sliceDecoder) diagonalAvailable(bx, w int) bool {
	return bx+w == 4 && s.topRight != nil || bx == 0 && s.topLeft != nil
}

func median(a, b, c int16) int16 {
	return max(min(a, b), min(max(a, b), c))
}

// predict16x8 is the directional prediction of 16×8 partitions (8.4.1.3).
func (s *sliceDecoder) predict16x8(list, by int, ref int8) vector {
	if by == 0 {
		if r, v, _ := s.neighbour(list, 0, -1); r == ref {
			return v
		}
	} else if r, v, _ := s.neighbour(list, -1, by); r == ref {
		return v
	}
	return s.predictVector(list, 0, by, 4, ref)
}

// predict8x16 is the directional prediction of 8×16 partitions.
func (s *sliceDecoder) predict8x16(list, bx int, ref int8) vector {
	if bx == 0 {
		if r, v, _ := s.neighbour(list, -1, 0); r == ref {
			return v
		}
	} else if r, v := s.diagonal(list, bx, 0, 2); r == ref {
		return v
	}
	return s.predictVector(list, bx, 0, 2, ref)
}

// skipVector derives the vector of P_Skip (8.4.1.1).
func (s *sliceDecoder) skipVector() vector {
	refA, a, okA := s.neighbour(0, -1, 0)
	refB, b, okB := s.neighbour(0, 0, -1)
	zero := vector{}
	if !okA || !okB || refA == 0 && a == zero || refB == 0 && b == zero {
		return zero
	}
	return s.predictVector(0, 0, 0, 4, 0)
}

// setMotion sets the motion of w×h blocks at bx, by of a list. w and h are even for
// all but the vector.
func (s *sliceDecoder) setMotion(list, bx, by, w, h int, ref int8, v vector) {
	s.setRef(list, bx, by, w, h, ref)
	s.setVector(list, bx, by, w, h, v)
}

// setRef sets the reference index of w×h blocks, which cover whole quarters.
func (s *sliceDecoder) setRef(list, bx, by, w, h int, ref int8) {
	slot := int8(-1)
	if ref >= 0 {
		if f := s.refs.list[list][ref]; f != nil {
			slot = f.slot
		}
	}
	for j := by; j < by+h; j += 2 {
		for i := bx; i < bx+w; i += 2 {
			q := j&2 | i>>1
			s.mot.ref[list][q], s.mot.slot[list][q] = ref, slot
		}
	}
}

// setVector sets the vector of w×h blocks.
func (s *sliceDecoder) setVector(list, bx, by, w, h int, v vector) {
	mv := &s.mot.mv[list]
	if w*h == len(mv) {
		*mv = [16]vector{v, v, v, v, v, v, v, v, v, v, v, v, v, v, v, v}
		return
	}
	for j := by; j < by+h; j++ {
		row := mv[4*j&15:]
		for i := bx; i < bx+w; i++ {
			row[i] = v
		}
	}
}

// uses is a set of lists.
type uses uint8

const (
	usesL0 uses = 1 << iota
	usesL1
	usesBoth = usesL0 | usesL1
)

// pairUses lists the pairs of Table 7-14 for mb_type 4 to 21, two types each.
var pairUses = [9][2]uses{
	{usesL0, usesL0},
	{usesL1, usesL1},
	{usesL0, usesL1},
	{usesL1, usesL0},
	{usesL0, usesBoth},
	{usesL1, usesBoth},
	{usesBoth, usesL0},
	{usesBoth, usesL1},
	{usesBoth, usesBoth},
}

// subTypeB is Table 7-18 for sub_mb_type 1 to 12.
var subTypeB = [13]struct {
	use   uses
	shape uint8
}{
	{},
	{usesL0, sub8x8},
	{usesL1, sub8x8},
	{usesBoth, sub8x8},
	{usesL0, sub8x4},
	{usesL0, sub4x8},
	{usesL1, sub8x4},
	{usesL1, sub4x8},
	{usesBoth, sub8x4},
	{usesBoth, sub4x8},
	{usesL0, sub4x4},
	{usesL1, sub4x4},
	{usesBoth, sub4x4},
}

// readMotion reads mb_pred or sub_mb_pred of an inter macroblock of mb_type n and
// derives its motion. may8x8 reports whether the 8×8 transform is possible.
func (s *sliceDecoder) readMotion(n int) (shape int, may8x8 bool, err error) {
	var use [2]uses
	if s.hdr.kind == sliceP {
		if n >= 3 {
			return s.readQuarters(n == 4)
		}
		shape, use = n, [2]uses{usesL0, usesL0}
	} else {
		switch {
		case n == 0:
			s.mb.kind = kindDirect
			return shape8x8, s.infer8x8, s.predictDirect(0xf)
		case n == 22:
			return s.readQuarters(false)
		case n <= 3:
			use[0] = uses(n)
		default:
			shape, use = shape16x8+n&1, pairUses[(n-4)/2]
		}
	}
	return shape, true, s.readPartitions(shape, use)
}

// readPartitions reads the reference indices and vectors of one or two partitions.
func (s *sliceDecoder) readPartitions(shape int, use [2]uses) error {
	parts, w, h := 2, 4, 4
	switch shape {
	case shape16x16:
		parts = 1
	case shape16x8:
		h = 2
	case shape8x16:
		w = 2
	}
	lists := 1
	if s.hdr.kind == sliceB {
		lists = 2
	}
	s.setMotion(1, 0, 0, 4, 4, -1, vector{})
	for l := range lists {
		for p := range parts {
			bx, by := p*(4-w), p*(4-h)
			ref := int8(-1)
			if use[p]&(1<<l) != 0 {
				var ok bool
				if ref, ok = s.readRef(l, by&2|bx>>1); !ok {
					return errSlice
				}
			}
			s.setRef(l, bx, by, w, h, ref)
			if ref > 0 {
				s.noteRef(l, bx, by, w, h)
			}
		}
	}
	for l := range lists {
		for p := range parts {
			bx, by := p*(4-w), p*(4-h)
			if use[p]&(1<<l) == 0 {
				s.setVector(l, bx, by, w, h, vector{})
				continue
			}
			ref := s.mot.ref[l][by&2|bx>>1]
			var v vector
			switch shape {
			case shape16x16:
				v = s.predictVector(l, 0, 0, 4, ref)
			case shape16x8:
				v = s.predict16x8(l, by, ref)
			default:
				v = s.predict8x16(l, bx, ref)
			}
			if !s.readVector(l, bx, by, w, h, v) {
				return errSlice
			}
		}
	}
	return nil
}

// noteRef notes that the quarters have a reference index above 0.
func (s *sliceDecoder) noteRef(list, bx, by, w, h int) {
	for j := by; j < by+h; j += 2 {
		for i := bx; i < bx+w; i += 2 {
			s.mb.refs[list] |= 1 << (j&2 | i>>1)
		}
	}
}

// readVector reads the difference to the predicted vector and sets the vector of
// w×h blocks.
func (s *sliceDecoder) readVector(list, bx, by, w, h int, predicted vector) bool {
	x, y, ok := s.readMVD(list, 4*by+bx)
	if !ok {
		return false
	}
	if s.useCABAC {
		s.storeMVD(list, bx, by, w, h, x, y)
	}
	s.setVector(list, bx, by, w, h, vector{predicted.x + int16(x), predicted.y + int16(y)})
	return true
}

// readQuarters reads sub_mb_pred (7.3.5.2). ref0 says that all reference indices
// are 0 (P_8x8ref0).
func (s *sliceDecoder) readQuarters(ref0 bool) (shape int, may8x8 bool, err error) {
	var use [4]uses // none: direct
	direct := 0
	may8x8 = true
	lists := 1
	if s.hdr.kind == sliceB {
		lists = 2
	}
	for q := range 4 {
		n, ok := s.readSubType()
		switch {
		case !ok:
			return 0, false, errSlice
		case s.hdr.kind == sliceP:
			use[q], s.sub[q] = usesL0, uint8(n)
		case n == 0:
			direct |= 1 << q
			may8x8 = may8x8 && s.infer8x8
		default:
			use[q], s.sub[q] = subTypeB[n].use, subTypeB[n].shape
		}
		if use[q] != 0 && s.sub[q] != sub8x8 {
			may8x8 = false
		}
	}
	if direct != 0 {
		if err := s.predictDirect(direct); err != nil {
			return 0, false, err
		}
	}
	if lists == 1 {
		s.setMotion(1, 0, 0, 4, 4, -1, vector{})
	}
	for l := range lists {
		for q := range 4 {
			if use[q] == 0 {
				continue
			}
			ref, ok := int8(-1), true
			if use[q]&(1<<l) != 0 {
				if ref = 0; !ref0 {
					ref, ok = s.readRef(l, q)
				}
			}
			if !ok {
				return 0, false, errSlice
			}
			bx, by := 2*(q&1), q&2
			s.setRef(l, bx, by, 2, 2, ref)
			if ref > 0 {
				s.noteRef(l, bx, by, 2, 2)
			}
		}
	}
	for l := range lists {
		for q := range 4 {
			if use[q] != 0 && !s.readQuarterVectors(l, q, use[q]&(1<<l) != 0) {
				return 0, false, errSlice
			}
		}
	}
	return shape8x8, may8x8, nil
}

// readQuarterVectors reads the vectors of the partitions of a quarter.
func (s *sliceDecoder) readQuarterVectors(list, q int, used bool) bool {
	bx, by := 2*(q&1), q&2
	if !used {
		s.setVector(list, bx, by, 2, 2, vector{})
		return true
	}
	w, h := 2, 2
	switch s.sub[q] {
	case sub8x4:
		h = 1
	case sub4x8:
		w = 1
	case sub4x4:
		w, h = 1, 1
	}
	ref := s.mot.ref[list][q]
	for j := 0; j < 2; j += h {
		for i := 0; i < 2; i += w {
			if !s.readVector(list, bx+i, by+j, w, h, s.predictVector(list, bx+i, by+j, w, ref)) {
				return false
			}
		}
	}
	return true
}
