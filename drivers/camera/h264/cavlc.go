package h264

import "math/bits"

// vlcTables are the codes of 9.2 for look-up. An entry is the value << 5 | length,
// and 0 where no code begins so.
type vlcTables struct {
	token      [3][16 << tokenSuffix]uint16 // by leading zeros and the bits behind the first one
	chromaDC   [1 << 8]uint16
	zeros      [15][1 << 9]uint16
	chromaZero [3][1 << 3]uint16
	run        [6][1 << 3]uint16
}

// tokenSuffix is the most bits behind the first one of a coeff_token.
const tokenSuffix = 3

// build fills the tables from the codes.
func (v *vlcTables) build() {
	for t := range coeffTokenCodes {
		for value, c := range coeffTokenCodes[t] {
			if c.value == 0 {
				continue // none: each code has a bit that is set
			}
			length := bits.Len8(c.value)
			leading, suffix := int(c.bits)-length, length-1
			at := leading<<tokenSuffix | (int(c.value)&^(1<<suffix))<<(tokenSuffix-suffix)
			for i := range 1 << (tokenSuffix - suffix) {
				v.token[t][at+i] = uint16(value)<<5 | uint16(c.bits)
			}
		}
	}
	fillDirect(v.chromaDC[:], 8, chromaDCTokenCodes[:])
	for i := range v.zeros {
		fillDirect(v.zeros[i][:], 9, totalZerosCodes[i][:16-i])
	}
	for i := range v.chromaZero {
		fillDirect(v.chromaZero[i][:], 3, chromaDCZerosCodes[i][:])
	}
	for i := range v.run {
		fillDirect(v.run[i][:], 3, runBeforeCodes[i][:])
	}
}

// fillDirect fills a table that is indexed by the next width bits.
func fillDirect(table []uint16, width int, codes []code) {
	for value, c := range codes {
		if c.bits == 0 {
			continue
		}
		free := width - int(c.bits)
		for i := range 1 << free {
			table[int(c.value)<<free+i] = uint16(value)<<5 | uint16(c.bits)
		}
	}
}

// chromaDCContext is nC of a chroma DC block of 4:2:0 (9.2.1).
const chromaDCContext = -1

// readToken reads coeff_token (9.2.1).
func (s *sliceDecoder) readToken(nC int) (total, ones int, ok bool) {
	r := &s.bits
	v := r.load()
	var e uint16
	switch {
	case nC == chromaDCContext:
		e = s.vlc.chromaDC[v>>56]
	case nC >= 8:
		r.pos += 6
		k := int(v >> 58)
		if k == 3 {
			return 0, 0, true
		}
		total, ones = k>>2+1, k&3
		return total, ones, ones <= total
	default:
		t := 0
		if nC >= 4 {
			t = 2
		} else if nC >= 2 {
			t = 1
		}
		zeros := bits.LeadingZeros64(v)
		if zeros > 15 {
			return 0, 0, false
		}
		e = s.vlc.token[t][zeros<<tokenSuffix|int(v<<(zeros+1)>>(64-tokenSuffix))]
	}
	r.pos += int(e & 31)
	return int(e >> 7), int(e >> 5 & 3), e != 0
}

// readLevels reads the levels of a block (9.2.2), the highest frequency first.
func (s *sliceDecoder) readLevels(total, ones int) bool {
	r := &s.bits
	if ones > 0 {
		v := r.load()
		for i := range ones {
			s.levels[i] = 1 - 2*int32(v>>63)
			v <<= 1
		}
		r.pos += ones
	}
	suffixLen := 0
	if total > 10 && ones < 3 {
		suffixLen = 1
	}
	for i := ones; i < total; i++ {
		v := r.load()
		prefix := bits.LeadingZeros64(v)
		if prefix > 25 {
			return false
		}
		r.pos += prefix + 1
		code := min(15, prefix) << suffixLen
		size := suffixLen
		if prefix == 14 && suffixLen == 0 {
			size = 4
		} else if prefix >= 15 {
			size = prefix - 3
		}
		if size > 0 {
			code += int(r.u(size))
		}
		if prefix >= 15 && suffixLen == 0 {
			code += 15
		}
		if prefix >= 16 {
			code += 1<<(prefix-3) - 4096
		}
		if i == ones && ones < 3 {
			code += 2
		}
		level := int32(code+2) >> 1
		if code&1 != 0 {
			level = int32(-code-1) >> 1
		}
		s.levels[i] = level
		if suffixLen == 0 {
			suffixLen = 1
		}
		if max(level, -level) > 3<<(suffixLen-1) && suffixLen < 6 {
			suffixLen++
		}
	}
	return true
}

// readZeros reads total_zeros (9.2.3) for a block of most coefficients.
func (s *sliceDecoder) readZeros(total, most int) (int, bool) {
	r := &s.bits
	v := r.load()
	var e uint16
	if most == 4 {
		e = s.vlc.chromaZero[total-1][v>>61]
	} else {
		e = s.vlc.zeros[total-1][v>>55]
	}
	r.pos += int(e & 31)
	zeros := int(e >> 5)
	return zeros, e != 0 && zeros+total <= most
}

// readRun reads run_before (9.2.3).
func (s *sliceDecoder) readRun(left int) (int, bool) {
	r := &s.bits
	v := r.load()
	if left <= 6 {
		e := s.vlc.run[left-1][v>>61]
		r.pos += int(e & 31)
		run := int(e >> 5)
		return run, e != 0 && run <= left
	}
	if top := int(v >> 61); top != 0 {
		r.pos += 3
		return 7 - top, true
	}
	zeros := bits.LeadingZeros64(v)
	run := zeros + 4
	r.pos += zeros + 1
	return run, run <= left
}

// readBlock reads residual_block_cavlc (7.3.5.3.2) with most coefficients, the
// first at scan position 0 of scan, and stores them scaled in dst. dst may be nil.
func (s *sliceDecoder) readBlock(nC, most int, dst []int16, scan []uint8, scale []int32) (total int, ok bool) {
	total, ones, ok := s.readToken(nC)
	if !ok || total > most {
		return 0, false
	}
	if total == 0 {
		return 0, true
	}
	if !s.readLevels(total, ones) {
		return 0, false
	}
	left := 0
	if total < most {
		if left, ok = s.readZeros(total, most); !ok {
			return 0, false
		}
	}
	at := left + total - 1
	for i := range total {
		if dst != nil {
			raster := int(scan[at])
			dst[raster] = scaleLevel(s.levels[i], raster, scale)
		}
		if i == total-1 {
			break
		}
		run := 0
		if left > 0 {
			if run, ok = s.readRun(left); !ok {
				return 0, false
			}
			left -= run
		}
		at -= 1 + run
	}
	return total, true
}

// scaleLevel scales one level: 16 values of scale are for the 4×4 transform
// (8-337, 8-338), 64 for that of 8×8 (8-357, 8-358), and none for DC.
func scaleLevel(level int32, raster int, scale []int32) int16 {
	switch len(scale) {
	case 0:
		return int16(level)
	case 16:
		return int16((level*scale[raster] + 8) >> 4)
	}
	return int16((level*scale[raster] + 32) >> 6)
}
