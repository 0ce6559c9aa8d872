package luma

import "encoding/binary"

const (
	errCode  = FormatError("has a code that means nothing")
	errQuant = FormatError("uses a quantisation table that was not sent")
)

// difference decodes a DC difference.
func (e *entropy) difference(t *huffman) (int32, error) {
	if e.n < 32 {
		e.refill()
	}
	c := t.table[e.acc>>(64-look)]
	if c>>advance&0xff != 0 {
		return 0, errCode
	}
	if c&more == 0 {
		e.acc <<= c & 63
		e.n -= uint(c & 63)
		return c >> value, nil
	}
	l, size := c&63, c>>value
	if l == 0 {
		if l, size = t.long(e.acc); l == 0 || size > 15 {
			return 0, errCode
		}
	}
	e.acc <<= l
	e.n -= uint(l)
	return extend(int32(e.take(uint(size))), size), nil
}

// lumaBlock decodes one block into d.block, dequantised, in natural order.
func (d *Decoder) lumaBlock(dc, ac *huffman, q *quantTable) error {
	e := &d.bits
	clear(d.block[:])
	diff, err := e.difference(dc)
	if err != nil {
		return err
	}
	d.pred += diff
	d.block[0] = int16(d.pred * q.step[0].q)
	acc, n, pos := e.acc, e.n, e.pos
	k, used := 0, uint16(0)
	for k < 63 {
		if n < 32 {
			if pos <= window {
				acc |= binary.BigEndian.Uint64(e.buf[pos:]) >> n
			}
			pos += int(63-n) >> 3
			n |= 56
		}
		c := ac.table[acc>>(64-look)]
		if c&more != 0 {
			c = ac.slow(c, acc)
		}
		acc <<= c & 63
		n -= uint(c & 63)
		k += int(c >> advance & 0xff)
		if k > 63 {
			break
		}
		s := &q.step[k]
		used |= s.used
		d.block[s.pos&63] = int16(c >> value * s.q)
	}
	e.acc, e.n, e.pos = acc, n, pos
	d.cols, d.rows = uint8(used)|1, uint8(used>>8)|1
	if k > 63 && k < eob {
		return errCode
	}
	return nil
}

// slow completes an entry that does not say everything.
func (t *huffman) slow(c int32, acc uint64) int32 {
	l, run, size := c&63, c>>advance&0xff, c>>value
	if l == 0 {
		var symbol int32
		if l, symbol = t.long(acc); l == 0 {
			return bad << advance
		}
		run, size = symbol>>4+1, symbol&15
		if size == 0 {
			return l | zeros(run-1)<<advance
		}
	}
	v := extend(int32(acc<<l>>(64-size)), size)
	return l + size | run<<advance | v<<value
}

// skipBlock steps over a block of a component that is not wanted.
func (e *entropy) skipBlock(dc, ac *huffman) error {
	if _, err := e.difference(dc); err != nil {
		return err
	}
	k := 0
	for k < 63 {
		if e.n < 32 {
			e.refill()
		}
		c := ac.table[e.acc>>(64-look)]
		if c&more != 0 {
			c = ac.slow(c, e.acc)
		}
		e.acc <<= c & 63
		e.n -= uint(c & 63)
		k += int(c >> advance & 0xff)
	}
	if k > 63 && k < eob {
		return errCode
	}
	return nil
}
