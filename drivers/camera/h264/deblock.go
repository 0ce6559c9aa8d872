package h264

// deblockPicture applies the deblocking filter (8.7) to the luma of a whole picture.
func (d *Decoder) deblockPicture(f *frame) {
	b := deblocker{luma: f.luma, motion: f.motion, mbs: d.mbs, width: d.sps.mbWidth, stride: 16 * d.sps.mbWidth}
	for addr := range d.mbs {
		if m := &d.mbs[addr]; m.deblock != 1 {
			b.macroblock(addr, m)
		}
	}
}

// deblocker filters the edges of macroblocks.
type deblocker struct {
	luma          []byte
	motion        []motion
	mbs           []macroblock
	width, stride int
}

// macroblock filters the vertical edges of a macroblock, then the horizontal ones.
func (b *deblocker) macroblock(addr int, m *macroblock) {
	x, y := addr%b.width, addr/b.width
	at := 16 * (y*b.stride + x)
	var left, top *macroblock
	if x > 0 {
		left = b.neighbour(addr-1, m)
	}
	if y > 0 {
		top = b.neighbour(addr-b.width, m)
	}
	var s strengths
	if left != nil {
		b.outer(&s, m, left, addr, addr-1, true)
		b.filter(at, 1, b.stride, m, left.qp, &s)
	}
	step := 1
	if m.transform8x8 != 0 {
		step = 2
	}
	inner := m.intra() || m.nonZero != 0 || !m.uniform
	if inner {
		for e := step; e < 4; e += step {
			b.inner(&s, m, addr, e, true)
			b.filter(at+4*e, 1, b.stride, m, m.qp, &s)
		}
	}
	if top != nil {
		b.outer(&s, m, top, addr, addr-b.width, false)
		b.filter(at, b.stride, 1, m, top.qp, &s)
	}
	if inner {
		for e := step; e < 4; e += step {
			b.inner(&s, m, addr, e, false)
			b.filter(at+4*e*b.stride, b.stride, 1, m, m.qp, &s)
		}
	}
}

// neighbour returns a macroblock whose common edge with m is filtered.
func (b *deblocker) neighbour(addr int, m *macroblock) *macroblock {
	if n := &b.mbs[addr]; m.deblock == 0 || n.slice == m.slice {
		return n
	}
	return nil
}

// strengths are bS of the four parts of an edge (8.7.2.1).
type strengths [4]uint8

// outer derives bS of the left or upper edge of a macroblock.
func (b *deblocker) outer(s *strengths, m, n *macroblock, addr, other int, vertical bool) {
	if m.intra() || n.intra() {
		*s = strengths{4, 4, 4, 4}
		return
	}
	p, q := &b.motion[other], &b.motion[addr]
	same := m.uniform && n.uniform // one motion on each side
	for k := range s {
		bq, bp := k, 12+k
		if vertical {
			bq, bp = 4*k, 4*k+3
		}
		switch {
		case m.nonZero>>bq&1 != 0 || n.nonZero>>bp&1 != 0:
			s[k] = 2
		case same && k > 0 && s[k-1] < 2:
			s[k] = s[k-1]
		default:
			s[k] = motionStrength(q, p, bq, bp)
		}
	}
}

// inner derives bS of edge e inside a macroblock.
func (b *deblocker) inner(s *strengths, m *macroblock, addr, e int, vertical bool) {
	if m.intra() {
		*s = strengths{3, 3, 3, 3}
		return
	}
	mot := &b.motion[addr]
	for k := range s {
		bq, bp := 4*e+k, 4*(e-1)+k
		if vertical {
			bq, bp = 4*k+e, 4*k+e-1
		}
		switch {
		case m.nonZero>>bq&1 != 0 || m.nonZero>>bp&1 != 0:
			s[k] = 2
		case m.uniform:
			s[k] = 0
		default:
			s[k] = motionStrength(mot, mot, bq, bp)
		}
	}
}

// motionStrength derives bS of two blocks without coefficients of inter
// macroblocks: 1 where their motion differs, else 0.
func motionStrength(q, p *motion, bq, bp int) uint8 {
	qq, qp := bq>>3<<1|bq>>1&1, bp>>3<<1|bp>>1&1
	q0, q1, p0, p1 := q.slot[0][qq], q.slot[1][qq], p.slot[0][qp], p.slot[1][qp]
	if !(q0 == p0 && q1 == p1 || q0 == p1 && q1 == p0) {
		return 1
	}
	straight := far(q.mv[0][bq], p.mv[0][bp]) && q0 >= 0 || far(q.mv[1][bq], p.mv[1][bp]) && q1 >= 0
	crossed := far(q.mv[0][bq], p.mv[1][bp]) && q0 >= 0 || far(q.mv[1][bq], p.mv[0][bp]) && q1 >= 0
	switch {
	case q0 == q1: // both of one picture: either way of pairing may match
		if straight && crossed {
			return 1
		}
	case q0 == p0:
		if straight {
			return 1
		}
	default:
		if crossed {
			return 1
		}
	}
	return 0
}

// far reports whether vectors differ by a whole sample or more.
func far(a, b vector) bool {
	x, y := int(a.x)-int(b.x), int(a.y)-int(b.y)
	return uint(x+3) > 6 || uint(y+3) > 6
}

// filter filters one edge of 16 samples. across is the distance between samples
// across the edge, along the one along it.
func (b *deblocker) filter(at, across, along int, m *macroblock, otherQP uint8, s *strengths) {
	if *s == (strengths{}) {
		return
	}
	qp := (int(m.qp) + int(otherQP) + 1) >> 1
	indexA := min(max(qp+int(m.alphaOffset), 0), 51)
	alpha, beta := int(alphaOf[indexA]), int(betaOf[min(max(qp+int(m.betaOffset), 0), 51)])
	if alpha == 0 || beta == 0 {
		return
	}
	if s[0] == 4 {
		filterStrong(b.luma, at, across, along, alpha, beta)
		return
	}
	var tc [4]int8 // tC0, or -1 for no filtering
	for k, v := range s {
		if tc[k] = -1; v > 0 {
			tc[k] = int8(tcOf[indexA][v-1])
		}
	}
	filterNormal(b.luma, at, across, along, alpha, beta, &tc)
}

// filterNormalPortable filters with bS below 4 (8.7.2.3).
func filterNormalPortable(luma []byte, at, across, along, alpha, beta int, tc *[4]int8) {
	for k, c := range tc {
		if c < 0 {
			continue
		}
		for i := at + 4*k*along; i < at+4*(k+1)*along; i += along {
			p0, p1, p2 := int(luma[i-across]), int(luma[i-2*across]), int(luma[i-3*across])
			q0, q1, q2 := int(luma[i]), int(luma[i+across]), int(luma[i+2*across])
			if abs(p0-q0) >= alpha || abs(p1-p0) >= beta || abs(q1-q0) >= beta {
				continue
			}
			t := int(c)
			mean := (p0 + q0 + 1) >> 1
			if abs(p2-p0) < beta {
				luma[i-2*across] = byte(p1 + min(max((p2+mean-2*p1)>>1, -int(c)), int(c)))
				t++
			}
			if abs(q2-q0) < beta {
				luma[i+across] = byte(q1 + min(max((q2+mean-2*q1)>>1, -int(c)), int(c)))
				t++
			}
			delta := min(max(((q0-p0)*4+p1-q1+4)>>3, -t), t)
			luma[i-across], luma[i] = clip(p0+delta), clip(q0-delta)
		}
	}
}

// filterStrongPortable filters with bS 4 (8.7.2.4).
func filterStrongPortable(luma []byte, at, across, along, alpha, beta int) {
	for i := at; i < at+16*along; i += along {
		p0, p1, p2 := int(luma[i-across]), int(luma[i-2*across]), int(luma[i-3*across])
		q0, q1, q2 := int(luma[i]), int(luma[i+across]), int(luma[i+2*across])
		if abs(p0-q0) >= alpha || abs(p1-p0) >= beta || abs(q1-q0) >= beta {
			continue
		}
		near := abs(p0-q0) < alpha>>2+2
		if near && abs(p2-p0) < beta {
			p3 := int(luma[i-4*across])
			luma[i-across] = byte((p2 + 2*p1 + 2*p0 + 2*q0 + q1 + 4) >> 3)
			luma[i-2*across] = byte((p2 + p1 + p0 + q0 + 2) >> 2)
			luma[i-3*across] = byte((2*p3 + 3*p2 + p1 + p0 + q0 + 4) >> 3)
		} else {
			luma[i-across] = byte((2*p1 + p0 + q1 + 2) >> 2)
		}
		if near && abs(q2-q0) < beta {
			q3 := int(luma[i+3*across])
			luma[i] = byte((p1 + 2*p0 + 2*q0 + 2*q1 + q2 + 4) >> 3)
			luma[i+across] = byte((p0 + q0 + q1 + q2 + 2) >> 2)
			luma[i+2*across] = byte((2*q3 + 3*q2 + q1 + q0 + p0 + 4) >> 3)
		} else {
			luma[i] = byte((2*q1 + q0 + p1 + 2) >> 2)
		}
	}
}

func abs(v int) int { return max(v, -v) }

func filterStrong(luma []byte, at, across, along, alpha, beta int) {
	filterStrongPortable(luma, at, across, along, alpha, beta)
}

// alphaOf and betaOf are Table 8-16.
var alphaOf = [52]uint8{
	0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 4, 5, 6, 7, 8, 9, 10, 12, 13,
	15, 17, 20, 22, 25, 28, 32, 36, 40, 45, 50, 56, 63, 71, 80, 90, 101, 113, 127, 144, 162, 182, 203, 226, 255, 255,
}

var betaOf = [52]uint8{
	0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4,
	6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13, 14, 14, 15, 15, 16, 16, 17, 17, 18, 18,
}

// tcOf is Table 8-17 for bS 1 to 3.
var tcOf = [52][3]uint8{
	{},
	{},
	{},
	{},
	{},
	{},
	{},
	{},
	{},
	{},
	{},
	{},
	{},
	{},
	{},
	{},
	{},
	{0, 0, 1},
	{0, 0, 1},
	{0, 0, 1},
	{0, 0, 1},
	{0, 1, 1},
	{0, 1, 1},
	{1, 1, 1},
	{1, 1, 1},
	{1, 1, 1},
	{1, 1, 1},
	{1, 1, 2},
	{1, 1, 2},
	{1, 1, 2},
	{1, 1, 2},
	{1, 2, 3},
	{1, 2, 3},
	{2, 2, 3},
	{2, 2, 4},
	{2, 3, 4},
	{2, 3, 4},
	{3, 3, 5},
	{3, 4, 6},
	{3, 4, 6},
	{4, 5, 7},
	{4, 5, 8},
	{4, 6, 9},
	{5, 7, 10},
	{6, 8, 11},
	{6, 8, 13},
	{7, 10, 14},
	{8, 11, 16},
	{9, 12, 18},
	{10, 13, 20},
	{11, 15, 23},
	{13, 17, 25},
}
