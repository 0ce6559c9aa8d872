package h264

import (
	"encoding/binary"
	"math/bits"
)

// The contexts that are used: ctxIdx 0 to 276 and 399 to 435. Those of the 8×8
// transform follow the first ones without the gap between.
const (
	ctxGap       = 122
	usedContexts = 436 - ctxGap

	ctxMBTypeI        = 3
	ctxSkipP          = 11
	ctxMBTypeP        = 14
	ctxMBTypePIntra   = 17
	ctxSubTypeP       = 21
	ctxSkipB          = 24
	ctxMBTypeB        = 27
	ctxMBTypeBIntra   = 32
	ctxSubTypeB       = 36
	ctxMVDX           = 40
	ctxMVDY           = 47
	ctxRefIdx         = 54
	ctxQPDelta        = 60
	ctxChromaMode     = 64
	ctxPrevMode       = 68
	ctxRemMode        = 69
	ctxCBPLuma        = 73
	ctxCBPChroma      = 77
	ctxCodedBlock     = 85
	ctxSignificant    = 105
	ctxLast           = 166
	ctxLevel          = 227
	ctxTransform8x8   = 399 - ctxGap
	ctxSignificant8x8 = 402 - ctxGap
	ctxLast8x8        = 417 - ctxGap
	ctxLevel8x8       = 426 - ctxGap
)

// cabac is the arithmetic decoding engine (9.3.1.2, 9.3.3.2). The offset of the
// standard is value >> spare; spare bits behind it have been read ahead.
type cabac struct {
	span  uint32 // codIRange
	spare int
	value uint64
	buf   []byte // the RBSP and readAhead bytes
	at    int    // bytes read
	state *[usedContexts]uint8
}

// start reads the first bits of slice data at a byte.
func (c *cabac) start(buf []byte, at int) {
	c.buf, c.at = buf, at
	c.span, c.value, c.spare = 510, 0, -9
	c.refill()
}

// refill reads 32 bits. Behind the end it reads zeros.
func (c *cabac) refill() {
	var v uint32
	if c.at+4 <= len(c.buf) {
		v = binary.BigEndian.Uint32(c.buf[c.at:])
	}
	c.value = c.value<<32 | uint64(v)
	c.at += 4
	c.spare += 32
}

// position returns the number of bits that the engine of the standard has read.
func (c *cabac) position() int { return 8*c.at - c.spare }

// initContexts sets all contexts for a slice (9.3.1.1).
func (c *cabac) initContexts(row, qp int) {
	for i, mn := range &contextInit[row] {
		pre := min(max((int(mn[0])*qp)>>4+int(mn[1]), 1), 126)
		if pre <= 63 {
			c.state[i] = uint8(63-pre) << 1
		} else {
			c.state[i] = uint8(pre-64)<<1 | 1
		}
	}
}

// bit decodes one bin with a context (9.3.3.2.1). A state is pStateIdx and valMPS. It has
// no branch by the symbol, which no processor predicts well: less is all ones where the
// symbol is the less probable one.
func (c *cabac) bit(ctx int) int {
	p := &c.state[ctx]
	s := *p & 127
	t := &transitions[s]
	lps := uint32(t.span[c.span>>6&3])
	span := c.span - lps
	rest := int64(c.value) - int64(span)<<(c.spare&63)
	less := uint64(^rest >> 63)
	c.value = uint64(rest) + uint64(span)<<(c.spare&63)&^less
	span += (lps - span) & uint32(less)
	*p = t.next[less&1]
	shift := bits.LeadingZeros32(span) - 23
	c.span = span << (shift & 31)
	if c.spare -= shift; c.spare < minSpare {
		c.refill()
	}
	return int(uint64(s)^less) & 1
}

// minSpare is the least number of bits that are read ahead: more than one bin takes.
const minSpare = 8

// bypass decodes one bin without a context (9.3.3.2.3).
func (c *cabac) bypass() int {
	c.spare--
	rest := int64(c.value) - int64(c.span)<<(c.spare&63)
	one := uint64(^rest >> 63)
	c.value = uint64(rest) + uint64(c.span)<<(c.spare&63)&^one
	if c.spare < minSpare {
		c.refill()
	}
	return int(one & 1)
}

// terminate decodes the bin before the end of a slice or I_PCM (9.3.3.2.2.3).
func (c *cabac) terminate() bool {
	c.span -= 2
	scaled := uint64(c.span) << (c.spare & 63)
	if c.value >= scaled {
		return true
	}
	if c.span < 256 {
		c.span <<= 1
		c.spare--
		if c.spare < minSpare {
			c.refill()
		}
	}
	return false
}

// rangeLPS is rangeTabLPS, Table 9-44.
var rangeLPS = [64][4]uint8{
	{128, 176, 208, 240},
	{128, 167, 197, 227},
	{128, 158, 187, 216},
	{123, 150, 178, 205},
	{116, 142, 169, 195},
	{111, 135, 160, 185},
	{105, 128, 152, 175},
	{100, 122, 144, 166},
	{95, 116, 137, 158},
	{90, 110, 130, 150},
	{85, 104, 123, 142},
	{81, 99, 117, 135},
	{77, 94, 111, 128},
	{73, 89, 105, 122},
	{69, 85, 100, 116},
	{66, 80, 95, 110},
	{62, 76, 90, 104},
	{59, 72, 86, 99},
	{56, 69, 81, 94},
	{53, 65, 77, 89},
	{51, 62, 73, 85},
	{48, 59, 69, 80},
	{46, 56, 66, 76},
	{43, 53, 63, 72},
	{41, 50, 59, 69},
	{39, 48, 56, 65},
	{37, 45, 54, 62},
	{35, 43, 51, 59},
	{33, 41, 48, 56},
	{32, 39, 46, 53},
	{30, 37, 43, 50},
	{29, 35, 41, 48},
	{27, 33, 39, 45},
	{26, 31, 37, 43},
	{24, 30, 35, 41},
	{23, 28, 33, 39},
	{22, 27, 32, 37},
	{21, 26, 30, 35},
	{20, 24, 29, 33},
	{19, 23, 27, 31},
	{18, 22, 26, 30},
	{17, 21, 25, 28},
	{16, 20, 23, 27},
	{15, 19, 22, 25},
	{14, 18, 21, 24},
	{14, 17, 20, 23},
	{13, 16, 19, 22},
	{12, 15, 18, 21},
	{12, 14, 17, 20},
	{11, 14, 16, 19},
	{11, 13, 15, 18},
	{10, 12, 15, 17},
	{10, 12, 14, 16},
	{9, 11, 13, 15},
	{9, 11, 12, 14},
	{8, 10, 12, 14},
	{8, 9, 11, 13},
	{7, 9, 11, 12},
	{7, 9, 10, 12},
	{7, 8, 10, 11},
	{6, 8, 9, 11},
	{6, 7, 9, 10},
	{6, 7, 8, 9},
	{2, 2, 2, 2},
}

// transLPS is transIdxLPS, Table 9-45.
var transLPS = [64]uint8{
	0, 0, 1, 2, 2, 4, 4, 5, 6, 7, 8, 9, 9, 11, 11, 12,
	13, 13, 15, 15, 16, 16, 18, 18, 19, 19, 21, 21, 22, 22, 23, 24,
	24, 25, 26, 26, 27, 27, 28, 29, 29, 30, 30, 30, 31, 32, 32, 33,
	33, 33, 34, 34, 35, 35, 35, 36, 36, 36, 37, 37, 37, 38, 38, 63,
}

// transition is what one bin does in a state: the ranges of the less probable symbol
// by qCodIRangeIdx, and the states behind each symbol.
type transition struct {
	span [4]uint8
	next [2]uint8 // behind the more and the less probable symbol
	_    [2]uint8 // one entry in 8 bytes
}

// transitions is by state: pStateIdx << 1 | valMPS.
var transitions = makeTransitions()

func makeTransitions() (t [128]transition) {
	for s := range t {
		state, symbol := s>>1, uint8(s&1)
		t[s].span = rangeLPS[state]
		t[s].next[0] = uint8(min(state+1, 62))<<1 | symbol
		if state == 63 {
			t[s].next[0] = uint8(s)
		}
		if state == 0 {
			symbol ^= 1
		}
		t[s].next[1] = transLPS[state]<<1 | symbol
	}
	return t
}
