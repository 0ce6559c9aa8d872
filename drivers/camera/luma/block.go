package luma

import "encoding/binary"

const (
	errCode  = FormatError("has a code that means nothing")
	errQuant = FormatError("uses a quantisation table that was not sent")
)

// decodeDCDiff decodes a DC difference, T.81 F.2.2.1.
func (e *bitReader) decodeDCDiff(t *huffmanTable) (int32, error) {
	if e.accBits < 32 {
		e.refillAcc()
	}
	c := t.lookup[e.acc>>(64-lookupBits)]
	if c>>advanceShift&0xff != 0 {
		return 0, errCode
	}
	if c&entryPartial == 0 {
		e.acc <<= c & 63
		e.accBits -= uint(c & 63)
		return c >> valueShift, nil
	}
	l, size := c&63, c>>valueShift
	if l == 0 {
		if l, size = t.decodeLongCode(e.acc); l == 0 || size > 15 {
			return 0, errCode
		}
	}
	e.acc <<= l
	e.accBits -= uint(l)
	return extendSign(int32(e.readBits(uint(size))), size), nil
}

// decodeBlock decodes one block of luma into d.block, dequantised, in natural
// order (T.81 F.2.2). acc, n and pos are copies of the bit reader's state,
// which the compiler can keep in registers.
func (d *Decoder) decodeBlock(dc, ac *huffmanTable, q *quantTable) error {
	e := &d.bits
	clear(d.block[:])
	diff, err := e.decodeDCDiff(dc)
	if err != nil {
		return err
	}
	d.predDC += diff
	d.block[0] = int16(d.predDC * q.step[0].q)
	acc, n, pos := e.acc, e.accBits, e.pos
	k, used := 0, uint16(0)
	for k < 63 {
		if n < 32 {
			if pos <= windowSize {
				acc |= binary.BigEndian.Uint64(e.buf[pos:]) >> n
			}
			pos += int(63-n) >> 3
			n |= 56
		}
		c := ac.lookup[acc>>(64-lookupBits)]
		if c&entryPartial != 0 {
			c = ac.completeEntry(c, acc)
		}
		acc <<= c & 63
		n -= uint(c & 63)
		k += int(c >> advanceShift & 0xff)
		if k > 63 {
			break
		}
		s := &q.step[k]
		used |= s.nonZeroBits
		d.block[s.pos&63] = int16(c >> valueShift * s.q)
	}
	e.acc, e.accBits, e.pos = acc, n, pos
	d.nonZeroCols, d.nonZeroRows = uint8(used)|1, uint8(used>>8)|1
	if k > 63 && k < advanceEOB {
		return errCode
	}
	return nil
}

// completeEntry decodes a code or value that is too long for the lookup table,
// and returns it as an entry.
func (t *huffmanTable) completeEntry(c int32, acc uint64) int32 {
	l, run, size := c&63, c>>advanceShift&0xff, c>>valueShift
	if l == 0 {
		var symbol int32
		if l, symbol = t.decodeLongCode(acc); l == 0 {
			return advanceInvalid << advanceShift
		}
		run, size = symbol>>4+1, symbol&15
		if size == 0 {
			return l | zeroRunAdvance(run-1)<<advanceShift
		}
	}
	v := extendSign(int32(acc<<l>>(64-size)), size)
	return l + size | run<<advanceShift | v<<valueShift
}

// skipBlock steps over the codes of a block of chroma.
func (e *bitReader) skipBlock(dc, ac *huffmanTable) error {
	if _, err := e.decodeDCDiff(dc); err != nil {
		return err
	}
	k := 0
	for k < 63 {
		if e.accBits < 32 {
			e.refillAcc()
		}
		c := ac.lookup[e.acc>>(64-lookupBits)]
		if c&entryPartial != 0 {
			c = ac.completeEntry(c, e.acc)
		}
		e.acc <<= c & 63
		e.accBits -= uint(c & 63)
		k += int(c >> advanceShift & 0xff)
	}
	if k > 63 && k < advanceEOB {
		return errCode
	}
	return nil
}
