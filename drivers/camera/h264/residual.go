package h264

import "math/bits"

// Categories of blocks, ctxBlockCat (Table 9-42).
const (
	catLumaDC   = 0
	catLumaAC   = 1
	catLuma     = 2
	catChromaDC = 3
	catChromaAC = 4
	catLuma8x8  = 5
)

// readResidual reads residual (7.3.5.3): luma is scaled into work.coefs, chroma is
// parsed only.
func (s *sliceDecoder) readResidual() bool {
	m := s.mb
	kind := 0 // intra
	if !m.intra() {
		kind = 1
	}
	four, eight := s.scale.four[kind][s.qp][:], s.scale.eight[kind][s.qp][:]
	scan, most, cat := zigzag4x4[:], 16, catLuma
	if m.kind == kindIntra16x16 {
		clear(s.work.dc[:])
		n, ok := s.readLumaDC()
		if !ok {
			return false
		}
		if n > 0 {
			m.dc |= 1
		}
		scan, most, cat = zigzag4x4[1:], 15, catLumaAC
	}
	for q := range 4 {
		if m.cbp>>q&1 == 0 {
			continue
		}
		if m.transform8x8 != 0 {
			if !s.readLuma8x8(q, eight) {
				return false
			}
			continue
		}
		for z := 4 * q; z < 4*q+4; z++ {
			b := int(rasterOf[z])
			n, ok := s.readCoded(cat, s.contextOf(b, 4, 0), most, s.work.coefs[16*z:16*z+16], scan, four)
			if !ok {
				return false
			}
			if n > 0 {
				m.total[b] = uint8(n)
				m.nonZero |= 1 << b
			}
		}
	}
	return s.mono || s.readChroma()
}

// context is the state of the blocks to the left and above one: their numbers of
// coefficients, and which are available.
type context struct {
	a, b     uint8
	okA, okB bool
}

// contextOf returns the context of block b of a square of side blocks that begins
// at index first of total.
func (s *sliceDecoder) contextOf(b, side, first int) (c context) {
	if b%side > 0 {
		c.a, c.okA = s.mb.total[first+b-1], true
	} else if s.left != nil {
		c.a, c.okA = s.left.total[first+b+side-1], true
	}
	if b >= side {
		c.b, c.okB = s.mb.total[first+b-side], true
	} else if s.top != nil {
		c.b, c.okB = s.top.total[first+b+side*(side-1)], true
	}
	return c
}

// nC derives nC (9.2.1).
func (c context) nC() int {
	switch {
	case c.okA && c.okB:
		return (int(c.a) + int(c.b) + 1) >> 1
	case c.okA:
		return int(c.a)
	}
	return int(c.b)
}

// flagContext derives ctxIdxInc of coded_block_flag (9.3.3.1.1.9): a neighbour that
// is not available counts as coded for intra.
func (s *sliceDecoder) flagContext(c context) int {
	inc := 0
	if c.a != 0 || !c.okA && s.mb.intra() {
		inc++
	}
	if c.b != 0 || !c.okB && s.mb.intra() {
		inc += 2
	}
	return inc
}

// readCoded reads one block of a category.
func (s *sliceDecoder) readCoded(cat int, c context, most int, dst []int16, scan []uint8, scale []int32) (int, bool) {
	if !s.useCABAC {
		return s.readBlock(c.nC(), most, dst, scan, scale)
	}
	if s.cabac.bit(ctxCodedBlock+4*cat+s.flagContext(c)) == 0 {
		return 0, true
	}
	return s.readBlockCABAC(cat, most, dst, scan, scale), true
}

// readLumaDC reads the DC levels of Intra16x16.
func (s *sliceDecoder) readLumaDC() (int, bool) {
	if !s.useCABAC {
		return s.readBlock(s.contextOf(0, 4, 0).nC(), 16, s.work.dc[:], zigzag4x4[:], nil)
	}
	return s.readCoded(catLumaDC, s.dcContext(1), 16, s.work.dc[:], zigzag4x4[:], nil)
}

// dcContext returns the context of a DC block by its bit of macroblock.dc.
func (s *sliceDecoder) dcContext(bit uint8) (c context) {
	if s.left != nil {
		c.a, c.okA = s.left.dc&bit, true
	}
	if s.top != nil {
		c.b, c.okB = s.top.dc&bit, true
	}
	return c
}

// readLuma8x8 reads the 8×8 block of a quarter.
func (s *sliceDecoder) readLuma8x8(q int, scale []int32) bool {
	m, dst := s.mb, s.work.coefs[64*q:64*q+64]
	any := false
	if s.useCABAC {
		n := s.readBlockCABAC(catLuma8x8, 64, dst, zigzag8x8[:], scale)
		for z := 4 * q; z < 4*q+4; z++ {
			m.total[rasterOf[z]] = uint8(n)
		}
		any = n > 0
	} else {
		for i := range 4 {
			b := int(rasterOf[4*q+i])
			n, ok := s.readBlock(s.contextOf(b, 4, 0).nC(), 16, dst, zigzagQuarters[16*i:16*i+16], scale)
			if !ok {
				return false
			}
			m.total[b] = uint8(n)
			any = any || n > 0
		}
	}
	if any {
		m.nonZero |= 0x33 << (2*(q&1) + 4*(q&2))
	}
	return true
}

// zigzagQuarters is zigzag8x8 for four interleaved blocks of 16 (7.3.5.3.2).
var zigzagQuarters = interleave()

func interleave() (t [64]uint8) {
	for i, raster := range zigzag8x8 {
		t[16*(i&3)+i>>2] = raster
	}
	return t
}

// readChroma parses the chroma blocks.
func (s *sliceDecoder) readChroma() bool {
	m := s.mb
	pattern := m.cbp >> 4
	if pattern == 0 {
		return true
	}
	for c := range 2 {
		var n int
		ok := true
		if s.useCABAC {
			n, ok = s.readCoded(catChromaDC, s.dcContext(2<<c), 4, nil, nil, nil)
		} else {
			n, ok = s.readBlock(chromaDCContext, 4, nil, nil, nil)
		}
		if !ok {
			return false
		}
		if n > 0 {
			m.dc |= 2 << c
		}
	}
	if pattern != 2 {
		return true
	}
	for c := range 2 {
		first := 16 + 4*c
		for b := range 4 {
			n, ok := s.readCoded(catChromaAC, s.contextOf(b, 2, first), 15, nil, nil, nil)
			if !ok {
				return false
			}
			m.total[first+b] = uint8(n)
		}
	}
	return true
}

// The first contexts of a block by category (Table 9-34 with ctxBlockCatOffset).
var (
	significantBase = [6]int{ctxSignificant, ctxSignificant + 15, ctxSignificant + 29, ctxSignificant + 44, ctxSignificant + 47, ctxSignificant8x8}
	lastBase        = [6]int{ctxLast, ctxLast + 15, ctxLast + 29, ctxLast + 44, ctxLast + 47, ctxLast8x8}
	levelBase       = [6]int{ctxLevel, ctxLevel + 10, ctxLevel + 20, ctxLevel + 30, ctxLevel + 39, ctxLevel8x8}
)

// significantOf8x8 and lastOf8x8 are Table 9-43 for frames.
var significantOf8x8 = [64]uint8{
	0, 1, 2, 3, 4, 5, 5, 4, 4, 3, 3, 4, 4, 4, 5, 5,
	4, 4, 4, 4, 3, 3, 6, 7, 7, 7, 8, 9, 10, 9, 8, 7,
	7, 6, 11, 12, 13, 11, 6, 7, 8, 9, 14, 10, 9, 8, 6, 11,
	12, 13, 11, 6, 9, 14, 10, 9, 11, 12, 13, 11, 14, 10, 12,
}

var lastOf8x8 = [64]uint8{
	0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
	2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,
	3, 3, 3, 3, 3, 3, 3, 3, 4, 4, 4, 4, 4, 4, 4, 4,
	5, 5, 5, 5, 6, 6, 6, 6, 7, 7, 7, 7, 8, 8, 8,
}

// mapContexts are the contexts of significant_coeff_flag, then of
// last_significant_coeff_flag, by category and position.
var mapContexts = func() (t [6][2][64]uint16) {
	for cat := range t {
		for i := range 64 {
			significant, last := i, i
			if cat == catLuma8x8 {
				significant, last = int(significantOf8x8[i]), int(lastOf8x8[i])
			}
			t[cat][0][i], t[cat][1][i] = uint16(significantBase[cat]+significant), uint16(lastBase[cat]+last)
		}
	}
	return t
}()

// readBlockCABAC reads residual_block_cabac (7.3.5.3.3) behind coded_block_flag.
func (s *sliceDecoder) readBlockCABAC(cat, most int, dst []int16, scan []uint8, scale []int32) int {
	n := s.readPositions(cat, most)
	c, base := &s.cabac, levelBase[cat]
	mostAbove := 4
	if cat == catChromaDC {
		mostAbove = 3
	}
	ones, above := 0, 0
	for k := n - 1; k >= 0; k-- {
		inc := min(4, 1+ones)
		if above > 0 {
			inc = 0
		}
		level := int32(1)
		if c.bit(base+inc) == 0 {
			ones++
		} else {
			ctx := base + 5 + min(mostAbove, above)
			for level = 2; level < 15 && c.bit(ctx) != 0; level++ {
			}
			if level == 15 {
				level += s.readSuffix()
			}
			above++
		}
		sign := -int32(c.bypass())
		level = (level ^ sign) - sign
		if dst != nil {
			raster := int(scan[s.positions[k]])
			dst[raster] = scaleLevel(level, raster, scale)
		}
	}
	return n
}

// readSuffix reads the Exp-Golomb part of coeff_abs_level_minus1 (9.3.2.3).
func (s *sliceDecoder) readSuffix() int32 {
	c, k, v := &s.cabac, 0, int32(0)
	for k < 20 && c.bypass() != 0 {
		v += 1 << k
		k++
	}
	for k--; k >= 0; k-- {
		v += int32(c.bypass()) << k
	}
	return v
}

// readPositions reads the map of significant coefficients to s.positions and
// returns their number. The engine's state is kept in local variables: this loop
// decodes most bins of a stream. It has one branch by a bin, the end of the map: last
// is 1 behind a significant coefficient, where last_significant_coeff_flag is read.
func (s *sliceDecoder) readPositions(cat, most int) int {
	c := &s.cabac
	span, spare, value := c.span, c.spare, c.value
	contexts := &mapContexts[cat]
	n, last := 0, 0
	for i := 0; i < most-1; {
		p := &c.state[contexts[last&1][i&63]]
		state := *p & 127
		t := &transitions[state]
		lps := uint32(t.span[span>>6&3])
		span -= lps
		rest := int64(value) - int64(span)<<(spare&63)
		less := uint64(^rest >> 63) // as in cabac.bit
		value = uint64(rest) + uint64(span)<<(spare&63)&^less
		span += (lps - span) & uint32(less)
		*p = t.next[less&1]
		shift := bits.LeadingZeros32(span) - 23
		span <<= shift & 31
		spare -= shift
		if spare < minSpare {
			c.spare, c.value = spare, value
			c.refill()
			spare, value = c.spare, c.value
		}
		bin := int((uint64(state) ^ less) & 1)
		if bin&last != 0 {
			c.span, c.spare, c.value = span, spare, value
			return n
		}
		s.positions[n&63] = uint8(i)
		last = bin
		n += bin
		i += 1 - bin
	}
	c.span, c.spare, c.value = span, spare, value
	s.positions[n&63] = uint8(most - 1)
	return n + 1
}
