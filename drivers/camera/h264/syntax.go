package h264

// readSkip reads mb_skip_flag.
func (s *sliceDecoder) readSkip() bool {
	ctx := ctxSkipP
	if s.hdr.kind == sliceB {
		ctx = ctxSkipB
	}
	if s.left != nil && !s.left.skipped {
		ctx++
	}
	if s.top != nil && !s.top.skipped {
		ctx++
	}
	return s.cabac.bit(ctx) != 0
}

// The numbers of the inter types of P and B slices (Tables 7-13, 7-14).
const (
	interTypesP = 5
	interTypesB = 23
	maxIntra    = 25
)

// readType reads mb_type: n is of Table 7-11 for intra, else of Table 7-13 or 7-14.
func (s *sliceDecoder) readType() (intra bool, n int, ok bool) {
	if s.useCABAC {
		intra, n = s.readTypeCABAC()
		return intra, n, true
	}
	n = int(s.bits.ue())
	inter := [3]int{interTypesP, interTypesB, 0}[s.hdr.kind]
	if n < inter {
		return false, n, true
	}
	return true, n - inter, n-inter <= maxIntra
}

// readTypeCABAC reads mb_type with the binarizations of 9.3.2.5.
func (s *sliceDecoder) readTypeCABAC() (intra bool, n int) {
	c := &s.cabac
	switch s.hdr.kind {
	case sliceI:
		return true, s.readIntraType(ctxMBTypeI, true)
	case sliceP:
		if c.bit(ctxMBTypeP) != 0 {
			return true, s.readIntraType(ctxMBTypePIntra, false)
		}
		if c.bit(ctxMBTypeP+1) == 0 {
			return false, 3 * c.bit(ctxMBTypeP+2)
		}
		return false, 2 - c.bit(ctxMBTypeP+3)
	}
	ctx := ctxMBTypeB
	if s.left != nil && s.left.kind != kindDirect {
		ctx++
	}
	if s.top != nil && s.top.kind != kindDirect {
		ctx++
	}
	if c.bit(ctx) == 0 {
		return false, 0
	}
	if c.bit(ctxMBTypeB+3) == 0 {
		return false, 1 + c.bit(ctxMBTypeB+5)
	}
	n = c.bit(ctxMBTypeB+4) << 3
	n |= c.bit(ctxMBTypeB+5) << 2
	n |= c.bit(ctxMBTypeB+5) << 1
	n |= c.bit(ctxMBTypeB + 5)
	switch {
	case n < 8:
		return false, n + 3
	case n == 13:
		return true, s.readIntraType(ctxMBTypeBIntra, false)
	case n == 14:
		return false, 11
	case n == 15:
		return false, 22
	}
	return false, n<<1 + c.bit(ctxMBTypeB+5) - 4
}

// readIntraType reads the bins of Table 9-36.
func (s *sliceDecoder) readIntraType(ctx int, alone bool) int {
	c := &s.cabac
	step := 0
	if alone {
		inc := 0
		if s.left != nil && s.left.kind != kindIntra4x4 && s.left.kind != kindIntra8x8 {
			inc++
		}
		if s.top != nil && s.top.kind != kindIntra4x4 && s.top.kind != kindIntra8x8 {
			inc++
		}
		if c.bit(ctx+inc) == 0 {
			return 0
		}
		ctx += 2
		step = 1
	} else if c.bit(ctx) == 0 {
		return 0
	}
	if c.terminate() {
		return maxIntra
	}
	n := 1 + 12*c.bit(ctx+1)
	if c.bit(ctx+2) != 0 {
		n += 4 + 4*c.bit(ctx+2+step)
	}
	n += 2 * c.bit(ctx+3+step)
	return n + c.bit(ctx+3+2*step)
}

// readTransform8x8 reads transform_size_8x8_flag.
func (s *sliceDecoder) readTransform8x8() bool {
	if !s.useCABAC {
		return s.bits.flag()
	}
	ctx := ctxTransform8x8
	if s.left != nil {
		ctx += int(s.left.transform8x8)
	}
	if s.top != nil {
		ctx += int(s.top.transform8x8)
	}
	return s.cabac.bit(ctx) != 0
}

// readChromaMode reads intra_chroma_pred_mode, which is only needed for its
// contexts.
func (s *sliceDecoder) readChromaMode() bool {
	if !s.useCABAC {
		return s.bits.ue() <= 3
	}
	ctx, c := ctxChromaMode, &s.cabac
	if s.left != nil && s.left.chromaMode != 0 {
		ctx++
	}
	if s.top != nil && s.top.chromaMode != 0 {
		ctx++
	}
	n := uint8(0)
	if c.bit(ctx) != 0 {
		for n = 1; n < 3 && c.bit(ctxChromaMode+3) != 0; n++ {
		}
	}
	s.mb.chromaMode = n
	return true
}

// readCBP reads coded_block_pattern.
func (s *sliceDecoder) readCBP(intra bool) (int, bool) {
	if s.useCABAC {
		return s.readCBPCABAC(), true
	}
	k := 0
	if !intra {
		k = 1
	}
	if s.mono {
		n, ok := s.bits.ueMax(15)
		return int(cbpOfCodeMono[k][n&15]), ok
	}
	n, ok := s.bits.ueMax(47)
	if !ok {
		return 0, false
	}
	return int(cbpOfCode[k][n]), true
}

// cbpOfCode is Table 9-4 for 4:2:0: CodedBlockPatternLuma and
// CodedBlockPatternChroma << 4 by codeNum, for intra and inter.
var cbpOfCode = [2][48]uint8{
	{
		47, 31, 15, 0, 23, 27, 29, 30, 7, 11, 13, 14, 39, 43, 45, 46,
		16, 3, 5, 10, 12, 19, 21, 26, 28, 35, 37, 42, 44, 1, 2, 4,
		8, 17, 18, 20, 24, 6, 9, 22, 25, 32, 33, 34, 36, 40, 38, 41,
	},
	{
		0, 16, 1, 2, 4, 8, 32, 3, 5, 10, 12, 15, 47, 7, 11, 13,
		14, 6, 9, 31, 35, 37, 42, 44, 33, 34, 36, 40, 39, 43, 45, 46,
		17, 18, 20, 24, 19, 21, 26, 28, 23, 27, 29, 30, 22, 25, 38, 41,
	},
}

// cbpOfCodeMono is Table 9-4 for monochrome.
var cbpOfCodeMono = [2][16]uint8{
	{15, 0, 7, 11, 13, 14, 3, 5, 10, 12, 1, 2, 4, 8, 6, 9},
	{0, 1, 2, 4, 8, 3, 5, 10, 12, 15, 7, 11, 13, 14, 6, 9},
}

// readCBPCABAC reads coded_block_pattern with the contexts of 9.3.3.1.1.4.
func (s *sliceDecoder) readCBPCABAC() int {
	c := &s.cabac
	a, b := 15, 15
	if s.left != nil {
		a = int(s.left.cbp)
	}
	if s.top != nil {
		b = int(s.top.cbp)
	}
	zero := func(pattern, bit int) int { return pattern>>bit&1 ^ 1 }
	cbp := c.bit(ctxCBPLuma + zero(a, 1) + 2*zero(b, 2))
	cbp |= c.bit(ctxCBPLuma+zero(cbp, 0)+2*zero(b, 3)) << 1
	cbp |= c.bit(ctxCBPLuma+zero(a, 3)+2*zero(cbp, 0)) << 2
	cbp |= c.bit(ctxCBPLuma+zero(cbp, 2)+2*zero(cbp, 1)) << 3
	if s.mono {
		return cbp
	}
	chromaA, chromaB := a>>4, b>>4
	inc := 0
	if chromaA != 0 {
		inc++
	}
	if chromaB != 0 {
		inc += 2
	}
	if c.bit(ctxCBPChroma+inc) == 0 {
		return cbp
	}
	inc = 4
	if chromaA == 2 {
		inc++
	}
	if chromaB == 2 {
		inc += 2
	}
	return cbp | (1+c.bit(ctxCBPChroma+inc))<<4
}

// readRef reads ref_idx of a quarter q of a list.
func (s *sliceDecoder) readRef(list, q int) (int8, bool) {
	n := s.hdr.numRefs[list]
	if n == 1 {
		return 0, true
	}
	if !s.useCABAC {
		if n == 2 {
			return int8(1 - s.bits.u(1)), true
		}
		v, ok := s.bits.ueMax(uint32(n - 1))
		return int8(v), ok
	}
	inc := 0
	if s.refAbove0(list, q, true) {
		inc++
	}
	if s.refAbove0(list, q, false) {
		inc += 2
	}
	ref := 0
	for s.cabac.bit(ctxRefIdx+inc) != 0 {
		inc = inc>>2 + 4
		if ref++; ref >= n {
			return 0, false
		}
	}
	return int8(ref), true
}

// refAbove0 reports whether the quarter to the left of q, or above it, has a
// reference index above 0 (9.3.3.1.1.6).
func (s *sliceDecoder) refAbove0(list, q int, left bool) bool {
	m, step := s.mb, 2
	if left {
		step = 1
		if q&1 == 0 {
			m = s.left
		}
	} else if q < 2 {
		m = s.top
	}
	return m != nil && m.refs[list]>>(q^step)&1 != 0
}

// readMVD reads mvd_lX of the block at 4×4 block b and returns both components.
func (s *sliceDecoder) readMVD(list, b int) (x, y int32, ok bool) {
	if !s.useCABAC {
		x, y = s.bits.se(), s.bits.se()
		return x, y, true
	}
	var sum [2]int
	add := func(m *macroblock, at int) {
		if m != nil {
			sum[0] += int(m.mvd[list][at][0])
			sum[1] += int(m.mvd[list][at][1])
		}
	}
	if b&3 != 0 {
		add(s.mb, b-1)
	} else {
		add(s.left, b+3)
	}
	if b >= 4 {
		add(s.mb, b-4)
	} else {
		add(s.top, b+12)
	}
	x, ok = s.readMVDPart(ctxMVDX, sum[0])
	if !ok {
		return 0, 0, false
	}
	y, ok = s.readMVDPart(ctxMVDY, sum[1])
	return x, y, ok
}

// readMVDPart reads one component (9.3.2.3, 9.3.3.1.1.7).
func (s *sliceDecoder) readMVDPart(ctx, sum int) (int32, bool) {
	c := &s.cabac
	inc := 0
	if sum > 32 {
		inc = 2
	} else if sum > 2 {
		inc = 1
	}
	if c.bit(ctx+inc) == 0 {
		return 0, true
	}
	v := int32(1)
	for inc = 3; v < 9 && c.bit(ctx+inc) != 0; v++ {
		if inc < 6 {
			inc++
		}
	}
	if v == 9 {
		k := 3
		for c.bypass() != 0 {
			v += 1 << k
			if k++; k > 20 {
				return 0, false
			}
		}
		for k--; k >= 0; k-- {
			v += int32(c.bypass()) << k
		}
	}
	if c.bypass() != 0 {
		v = -v
	}
	return v, true
}

// storeMVD keeps the absolute values for the contexts of later ones.
func (s *sliceDecoder) storeMVD(list, bx, by, w, h int, x, y int32) {
	v := [2]uint8{uint8(min(max(x, -x), 127)), uint8(min(max(y, -y), 127))}
	for j := by; j < by+h; j++ {
		for i := bx; i < bx+w; i++ {
			s.mb.mvd[list][4*j+i] = v
		}
	}
}

// readSubType reads sub_mb_type.
func (s *sliceDecoder) readSubType() (int, bool) {
	b := s.hdr.kind == sliceB
	if !s.useCABAC {
		if b {
			return s.bits.ueMax(12)
		}
		return s.bits.ueMax(3)
	}
	c := &s.cabac
	if !b {
		switch {
		case c.bit(ctxSubTypeP) != 0:
			return 0, true
		case c.bit(ctxSubTypeP+1) == 0:
			return 1, true
		}
		return 3 - c.bit(ctxSubTypeP+2), true
	}
	if c.bit(ctxSubTypeB) == 0 {
		return 0, true
	}
	if c.bit(ctxSubTypeB+1) == 0 {
		return 1 + c.bit(ctxSubTypeB+3), true
	}
	n := 3
	if c.bit(ctxSubTypeB+2) != 0 {
		if c.bit(ctxSubTypeB+3) != 0 {
			return 11 + c.bit(ctxSubTypeB+3), true
		}
		n = 7
	}
	n += 2 * c.bit(ctxSubTypeB+3)
	return n + c.bit(ctxSubTypeB+3), true
}
