package h264

// Kinds of macroblocks. Those up to kindPCM are intra.
const (
	kindIntra4x4 uint8 = iota
	kindIntra8x8
	kindIntra16x16
	kindPCM
	kindInter
	kindSkip
	kindDirect // B_Skip and B_Direct_16x16
)

// macroblock is what the macroblocks after one, and the deblocking filter, need to
// know of it. Blocks are in raster order.
type macroblock struct {
	slice        uint16 // number within the picture, from 1; 0: not decoded
	kind         uint8
	qp           uint8
	cbp          uint8 // CodedBlockPatternLuma, and CodedBlockPatternChroma << 4
	dc           uint8 // bit 0: luma DC has coefficients, 1: Cb, 2: Cr
	chromaMode   uint8
	transform8x8 uint8
	skipped      bool
	uniform      bool  // an inter macroblock with one motion
	deblock      uint8 // disable_deblocking_filter_idc
	alphaOffset  int8
	betaOffset   int8
	nonZero      uint16   // bit i: luma block i has coefficients
	refs         [2]uint8 // bit i: quarter i has a reference index above 0, not derived
	total        [24]uint8
	modes        [16]int8 // Intra4x4PredMode, also of 8×8; else DC
	mvd          [2][16][2]uint8
}

func (m *macroblock) intra() bool { return m.kind <= kindPCM }

// sliceDecoder decodes the macroblocks of one slice.
type sliceDecoder struct {
	bits      bitReader
	cabac     cabac
	useCABAC  bool
	pps       *pps
	hdr       *sliceHeader
	frame     *frame
	mbs       []macroblock
	work      *work
	scale     *levelScale
	vlc       *vlcTables
	refs      *referenceLists
	width     int // macroblocks
	height    int
	stride    int // bytes
	mono      bool
	infer8x8  bool
	number    uint16
	implicit  bool                  // weights of B slices
	biWeights [maxDPB][maxDPB]int16 // w1 by reference indices; w0 is 64 less it
	direct    directState

	addr, x, y                   int // of the macroblock at hand
	at                           int // offset of its first sample
	mb                           *macroblock
	left, top, topRight, topLeft *macroblock // nil where not available
	mot                          *motion
	qp                           int
	deltaBefore                  bool // the macroblock before had a mb_qp_delta
	levels                       [64]int32
	positions                    [64]uint8
	sub                          [4]uint8 // shape of each quarter
}

// forget drops all references to pictures.
func (s *sliceDecoder) forget() { *s = sliceDecoder{} }

// Shapes of a quarter.
const (
	sub8x8 = iota
	sub8x4
	sub4x8
	sub4x4
)

// decodeMacroblocks decodes the slice data of d.hdr (7.3.4).
func (d *Decoder) decodeMacroblocks(r *bitReader, p *pps) error {
	first := d.hdr.firstMB
	if first >= len(d.mbs) || d.mbs[first].slice != 0 || d.slices == 1<<16-1 {
		return errSlice
	}
	if d.slices > 0 && first < d.slice.addr && d.sps.profile == 66 && d.sps.constraints&0x40 == 0 {
		return errASO
	}
	if err := d.buildLists(); err != nil {
		return err
	}
	d.slices++
	d.slice.begin(d, r, p)
	if d.scaleOf != p.serial || d.scaleSPS != d.sps.serial {
		var lists scalingLists
		p.effective(&lists, &d.sps)
		d.scale.compute(&lists)
		d.scaleOf, d.scaleSPS = p.serial, d.sps.serial
	}
	n, err := d.slice.decode()
	d.decoded += n
	return err
}

// begin prepares for a slice.
func (s *sliceDecoder) begin(d *Decoder, r *bitReader, p *pps) {
	s.bits, s.useCABAC, s.pps, s.hdr = *r, p.cabac, p, &d.hdr
	s.frame, s.mbs, s.work, s.scale, s.vlc, s.refs = d.current, d.mbs, d.work, &d.scale, &d.vlc, &d.references
	s.width, s.height, s.stride = d.sps.mbWidth, d.sps.mbHeight, 16*d.sps.mbWidth
	s.mono, s.infer8x8, s.number = d.sps.monochrome, d.sps.inference8x8, uint16(d.slices)
	s.qp, s.deltaBefore = d.hdr.qp, false
	s.cabac.state = &s.work.contexts
	clear(s.work.coefs[:])
	s.implicit = d.hdr.kind == sliceB && p.weightedB == 2
	if s.implicit {
		s.computeImplicit()
	}
	if d.hdr.kind == sliceB {
		s.beginDirect()
	}
}

// decode decodes the slice data and returns the number of macroblocks.
func (s *sliceDecoder) decode() (n int, err error) {
	s.addr = s.hdr.firstMB
	if s.useCABAC {
		return s.decodeCABAC()
	}
	for {
		if s.hdr.kind != sliceI {
			run, ok := s.bits.ueMax(uint32(len(s.mbs) - s.addr))
			if !ok || s.bits.overrun() {
				return n, errSlice
			}
			for range run {
				if !s.enter() {
					return n, errSlice
				}
				if err := s.skip(); err != nil {
					return n, err
				}
				n++
				s.addr++
			}
			if run > 0 && !s.bits.more() {
				return n, nil
			}
		}
		if !s.enter() {
			return n, errSlice
		}
		if err := s.macroblock(); err != nil {
			return n, err
		}
		if s.bits.overrun() {
			return n, errSlice
		}
		n++
		s.addr++
		if !s.bits.more() {
			return n, nil
		}
	}
}

// maxSlack is the most bits between the end of slice data in CABAC and
// rbsp_stop_one_bit. It should be 0, but is up to 5 in streams of one encoder.
const maxSlack = 16

// decodeCABAC is decode with arithmetic coding.
func (s *sliceDecoder) decodeCABAC() (n int, err error) {
	at := (s.bits.pos + 7) >> 3 // cabac_alignment_one_bit
	s.cabac.start(s.bits.buf, at)
	s.cabac.initContexts(s.hdr.cabacInit, s.qp)
	for {
		if !s.enter() {
			return n, errSlice
		}
		if s.hdr.kind != sliceI && s.readSkip() {
			err = s.skip()
		} else {
			err = s.macroblock()
		}
		if err != nil {
			return n, err
		}
		if s.cabac.position() > s.bits.end+1 {
			return n, errSlice
		}
		n++
		s.addr++
		if s.cabac.terminate() {
			if s.cabac.position() < s.bits.end+1-maxSlack {
				return n, errSlice // it ends too early
			}
			return n, nil
		}
	}
}

// enter moves to the macroblock s.addr and finds its neighbours (6.4.9). It
// returns false behind the last one and at one that another slice has decoded.
func (s *sliceDecoder) enter() bool {
	if s.addr >= len(s.mbs) {
		return false
	}
	s.mb = &s.mbs[s.addr]
	if s.mb.slice != 0 {
		return false
	}
	s.y, s.x = s.addr/s.width, s.addr%s.width
	s.at = 16 * (s.y*s.stride + s.x)
	s.mot = &s.frame.motion[s.addr]
	s.left, s.top, s.topRight, s.topLeft = nil, nil, nil, nil
	if s.x > 0 {
		s.left = s.available(s.addr - 1)
	}
	if s.y > 0 {
		up := s.addr - s.width
		s.top = s.available(up)
		if s.x > 0 {
			s.topLeft = s.available(up - 1)
		}
		if s.x < s.width-1 {
			s.topRight = s.available(up + 1)
		}
	}
	m := s.mb
	m.slice, m.qp = s.number, uint8(s.qp)
	m.deblock, m.alphaOffset, m.betaOffset = s.hdr.deblock, s.hdr.alphaOffset, s.hdr.betaOffset
	return true
}

// available returns a macroblock of this slice.
func (s *sliceDecoder) available(addr int) *macroblock {
	if m := &s.mbs[addr]; m.slice == s.number {
		return m
	}
	return nil
}

// skip decodes P_Skip or B_Skip.
func (s *sliceDecoder) skip() error {
	m := s.mb
	m.skipped = true
	s.setModesDC()
	s.deltaBefore = false
	if s.hdr.kind == sliceB {
		m.kind = kindDirect
		if err := s.predictDirect(0xf); err != nil {
			return err
		}
		return s.compensate(shape8x8)
	}
	m.kind = kindSkip
	s.setMotion(1, 0, 0, 4, 4, -1, vector{})
	s.setMotion(0, 0, 0, 4, 4, 0, s.skipVector())
	return s.compensate(shape16x16)
}

// modesDC are the intra modes of a macroblock without them.
var modesDC = func() (m [16]int8) {
	for i := range m {
		m[i] = modeDC
	}
	return m
}()

// setModesDC sets the intra modes of a macroblock without them.
func (s *sliceDecoder) setModesDC() {
	s.mb.modes = modesDC
}

// Shapes of a macroblock's partitions.
const (
	shape16x16 = iota
	shape16x8
	shape8x16
	shape8x8
)

// macroblock decodes macroblock_layer (7.3.5).
func (s *sliceDecoder) macroblock() error {
	intra, n, ok := s.readType()
	if !ok {
		return errSlice
	}
	if intra {
		return s.intraMacroblock(n)
	}
	s.mb.kind = kindInter
	s.setModesDC()
	shape, may8x8, err := s.readMotion(n)
	if err != nil {
		return err
	}
	if err := s.compensate(shape); err != nil {
		return err
	}
	cbp, ok := s.readCBP(false)
	if !ok {
		return errSlice
	}
	s.mb.cbp = uint8(cbp)
	if cbp&15 != 0 && s.pps.transform8x8 && may8x8 && s.readTransform8x8() {
		s.mb.transform8x8 = 1
	}
	if cbp == 0 {
		s.deltaBefore = false
		return nil
	}
	if !s.readQPDelta() || !s.readResidual() {
		return errSlice
	}
	s.addResidual()
	return nil
}

// readQPDelta reads mb_qp_delta and updates QPY (7-37).
func (s *sliceDecoder) readQPDelta() bool {
	delta := 0
	if s.useCABAC {
		ctx := ctxQPDelta
		if s.deltaBefore {
			ctx++
		}
		for s.cabac.bit(ctx) != 0 {
			ctx = ctxQPDelta + 2 + (ctx-ctxQPDelta)>>1
			if delta++; delta > 104 {
				return false
			}
		}
		s.deltaBefore = delta != 0
		if delta&1 != 0 {
			delta = (delta + 1) >> 1
		} else {
			delta = -(delta >> 1)
		}
	} else {
		delta = int(s.bits.se())
	}
	if delta < -26 || delta > 25 {
		return false
	}
	s.qp = (s.qp + delta + 52) % 52
	s.mb.qp = uint8(s.qp)
	return true
}
