package h264

// intraMacroblock decodes an intra macroblock of mb_type n of I slices (Table 7-11).
func (s *sliceDecoder) intraMacroblock(n int) error {
	m := s.mb
	m.nonZero = 0
	for l := range 2 {
		s.mot.ref[l], s.mot.slot[l] = [4]int8{-1, -1, -1, -1}, [4]int8{-1, -1, -1, -1}
	}
	if n == 25 {
		return s.readPCM()
	}
	cbp, ok := 0, true
	if n == 0 {
		m.kind = kindIntra4x4
		if s.pps.transform8x8 && s.readTransform8x8() {
			m.kind, m.transform8x8 = kindIntra8x8, 1
		}
		s.readModes()
	} else {
		m.kind = kindIntra16x16
		s.setModesDC()
		cbp = (n - 1) / 4 % 3 << 4
		if n >= 13 {
			cbp |= 15
		}
	}
	if !s.mono && !s.readChromaMode() {
		return errSlice
	}
	if n == 0 {
		if cbp, ok = s.readCBP(true); !ok {
			return errSlice
		}
	}
	m.cbp = uint8(cbp)
	if cbp != 0 || n != 0 {
		if !s.readQPDelta() || !s.readResidual() {
			return errSlice
		}
	} else {
		s.deltaBefore = false
	}
	switch m.kind {
	case kindIntra4x4:
		return s.predict4x4()
	case kindIntra8x8:
		return s.predict8x8()
	}
	return s.predict16x16((n - 1) & 3)
}

// readPCM reads the samples of I_PCM (7.3.5).
func (s *sliceDecoder) readPCM() error {
	m := s.mb
	m.kind = kindPCM
	s.setModesDC()
	pos := s.bits.pos
	if s.useCABAC {
		pos = s.cabac.position()
	}
	at := (pos + 7) >> 3 // pcm_alignment_zero_bit
	size := 384
	if s.mono {
		size = 256
	}
	if 8*(at+size) > s.bits.end+8 {
		return errSlice
	}
	for y := range 16 {
		copy(s.frame.luma[s.at+y*s.stride:][:16], s.bits.buf[at+16*y:])
	}
	if s.useCABAC {
		s.cabac.start(s.bits.buf, at+size)
	}
	s.bits.pos = 8 * (at + size)
	m.cbp, m.dc, m.qp, m.nonZero = 0x2f, 7, 0, 0xffff
	for i := range m.total {
		m.total[i] = 16
	}
	s.deltaBefore = false
	return nil
}

// readModes reads the prediction modes of Intra_4x4 or Intra_8x8 (7.3.5.1) and
// derives them (8.3.1.1, 8.3.2.1).
func (s *sliceDecoder) readModes() {
	m := s.mb
	if m.kind == kindIntra8x8 {
		for q := range 4 {
			at := 2*(q&1) + 8*(q>>1)
			v := s.readMode(s.predictedMode(at))
			m.modes[at], m.modes[at+1], m.modes[at+4], m.modes[at+5] = v, v, v, v
		}
		return
	}
	for z := range 16 {
		at := int(rasterOf[z])
		m.modes[at] = s.readMode(s.predictedMode(at))
	}
}

// rasterOf is the raster index of a 4×4 block by its index (6.4.3).
var rasterOf = [16]uint8{0, 1, 4, 5, 2, 3, 6, 7, 8, 9, 12, 13, 10, 11, 14, 15}

// predictedMode returns predIntra4x4PredMode of a block.
func (s *sliceDecoder) predictedMode(at int) int8 {
	a, b := s.mb, s.mb
	atA, atB := at-1, at-4
	if at&3 == 0 {
		a, atA = s.left, at+3
	}
	if at < 4 {
		b, atB = s.top, at+12
	}
	if !s.modeKnown(a) || !s.modeKnown(b) {
		return modeDC
	}
	return min(a.modes[atA], b.modes[atB])
}

// modeKnown reports that a neighbour does not force the DC mode
// (dcPredModePredictedFlag).
func (s *sliceDecoder) modeKnown(m *macroblock) bool {
	return m != nil && (m.intra() || !s.pps.constrained)
}

// readMode reads one mode.
func (s *sliceDecoder) readMode(predicted int8) int8 {
	var rem int8
	if s.useCABAC {
		c := &s.cabac
		if c.bit(ctxPrevMode) != 0 {
			return predicted
		}
		rem = int8(c.bit(ctxRemMode) | c.bit(ctxRemMode)<<1 | c.bit(ctxRemMode)<<2)
	} else {
		if s.bits.flag() {
			return predicted
		}
		rem = int8(s.bits.u(3))
	}
	if rem >= predicted {
		rem++
	}
	return rem
}
