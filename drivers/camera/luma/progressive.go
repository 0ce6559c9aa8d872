package luma

import (
	"encoding/binary"
	"fmt"
)

// Bounds of a progressive picture.
const (
	maxProgressiveSamples = 4 << 20 // samples of luma: 8 MiB of coefficients
	maxScans              = 100     // each costs a pass over all blocks, even with few bytes; chosen by hand
	maxPointTransform     = 13      // Al, T.81 table B.3
)

// progressiveState holds the state of a progressive picture between its scans:
// all coefficients of luma, in natural order, as T.81 annex G refines them.
type progressiveState struct {
	coefs     []byte // block by block
	blockCols int    // blocks in a row of coefs
	scans     int
	eobRun    int       // EOBRUN: further blocks whose band has ended
	missing   [64]uint8 // low bits of a coefficient, by zigzag index, that were not sent
}

// unsent is the number of missing bits of a coefficient that was not sent.
const unsent = 16

// isComplete reports whether all bits of all coefficients were sent.
func (p *progressiveState) isComplete() bool { return p.missing == [64]uint8{} }

// noteSent notes the bits that a scan has brought.
func (p *progressiveState) noteSent(s *scanHeader) {
	for k := s.ss; k <= s.se; k++ {
		p.missing[k] = uint8(s.al)
	}
}

// coefBlock is one block of coefficients: 64 of 16 bits, little-endian. They
// are kept as bytes because locked memory comes as bytes.
type coefBlock []byte

// coefBlockSize is the size of a coefBlock in bytes.
const coefBlockSize = 2 * 64

// blockAt returns the i-th block, row by row.
func (p *progressiveState) blockAt(i int) coefBlock {
	return coefBlock(p.coefs[i*coefBlockSize:][:coefBlockSize])
}

// coefAt returns the coefficient of natural index k.
func (b coefBlock) coefAt(k uint8) int16 { return int16(binary.LittleEndian.Uint16(b[2*k:])) }

// setCoef sets the coefficient of natural index k.
func (b coefBlock) setCoef(k uint8, v int16) { binary.LittleEndian.PutUint16(b[2*k:], uint16(v)) }

// allocCoefs counts the scans, and at the first one allocates the coefficients.
func (d *Decoder) allocCoefs() error {
	c := d.config
	if d.prog.scans++; d.prog.scans > maxScans {
		return UnsupportedError(fmt.Sprintf("more than %d scans", maxScans))
	}
	if d.prog.scans > 1 {
		return nil
	}
	d.prog.blockCols = (c.Width + 8*c.H - 1) / (8 * c.H) * c.H
	n := coefBlockSize * d.prog.blockCols * ((c.Height + 8*c.V - 1) / (8 * c.V) * c.V)
	if cap(d.prog.coefs) < n {
		if d.Memory != nil {
			d.Memory.Free(d.prog.coefs)
		}
		var err error
		if d.prog.coefs, err = d.allocScratch(n); err != nil {
			return err
		}
	}
	d.prog.coefs = d.prog.coefs[:n]
	return nil
}

// decodeProgressive decodes a scan of a progressive picture, T.81 G.2.
func (d *Decoder) decodeProgressive(p *markerReader, s *scanHeader) error {
	if err := d.allocCoefs(); err != nil {
		return err
	}
	if s.ss > s.se || s.se > 63 || s.al > maxPointTransform || s.ah > 0 && s.ah != s.al+1 ||
		(s.ss == 0) != (s.se == 0) || s.ss > 0 && s.n > 1 {
		return FormatError("bad scan header")
	}
	defer d.prog.noteSent(s)
	if s.ss == 0 {
		return d.decodeDCScan(p, s)
	}
	if !d.lumaDecoded {
		return FormatError("starts with details")
	}
	t, err := selectTable(&d.ac, s.comp[0].ta, &annexKAC)
	if err != nil {
		return err
	}
	t.buildLookup(useSymbols)
	return d.decodeMCUs(p, d.gridOf(s), func(mx, my int) error {
		b := d.prog.blockAt(my*d.prog.blockCols + mx)
		if s.ah > 0 {
			return d.decodeACRefine(b, t, s)
		}
		return d.decodeACFirst(b, t, s)
	})
}

// decodeDCScan decodes the first bits, or one more bit, of the DC coefficients,
// T.81 G.1.2.1.
func (d *Decoder) decodeDCScan(p *markerReader, s *scanHeader) error {
	var dc [3]*huffmanTable
	for i := 0; i < s.n && s.ah == 0; i++ {
		var err error
		if dc[i], err = selectTable(&d.dc, s.comp[i].td, &annexKDC); err != nil {
			return err
		}
		dc[i].buildLookup(useDC)
	}
	if s.ah > 0 && !d.lumaDecoded {
		return FormatError("starts with details")
	}
	d.lumaDecoded = true
	g := d.gridOf(s)
	return d.decodeMCUs(p, g, func(mx, my int) error {
		for v := range g.v {
			for h := range g.h {
				b := d.prog.blockAt((my*g.v+v)*d.prog.blockCols + mx*g.h + h)
				if s.ah > 0 {
					b.setCoef(0, b.coefAt(0)|int16(d.bits.readBits(1))<<s.al)
					continue
				}
				diff, err := d.bits.decodeDCDiff(dc[0])
				if err != nil {
					return err
				}
				d.predDC += diff
				b.setCoef(0, int16(d.predDC<<s.al))
			}
		}
		return d.skipDC(s, &dc)
	})
}

// skipDC steps over the DC codes of chroma in an MCU.
func (d *Decoder) skipDC(s *scanHeader, dc *[3]*huffmanTable) error {
	for i := 1; i < s.n; i++ {
		c := &d.comp[s.comp[i].index]
		for range c.h * c.v {
			if s.ah > 0 {
				d.bits.readBits(1)
			} else if _, err := d.bits.decodeDCDiff(dc[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// decodeRunSize decodes an AC symbol: run of zeros (RRRR) and size (SSSS).
func (e *bitReader) decodeRunSize(t *huffmanTable) (run, size int, err error) {
	if e.accBits < 32 {
		e.refillAcc()
	}
	c := t.lookup[e.acc>>(64-lookupBits)]
	l, v := c&63, c>>valueShift
	if c&entryPartial != 0 {
		if l, v = t.decodeLongCode(e.acc); l == 0 {
			return 0, 0, errCode
		}
	}
	e.acc <<= l
	e.accBits -= uint(l)
	return int(v >> 4), int(v & 15), nil
}

// decodeACFirst decodes the first bits of a band of a block, T.81 G.1.2.2.
func (d *Decoder) decodeACFirst(b coefBlock, t *huffmanTable, s *scanHeader) error {
	if d.prog.eobRun > 0 {
		d.prog.eobRun--
		return nil
	}
	for k := s.ss; k <= s.se; k++ {
		run, size, err := d.bits.decodeRunSize(t)
		if err != nil {
			return err
		}
		if size == 0 && run < 15 {
			d.prog.eobRun = 1<<run - 1 + int(d.bits.readBits(uint(run)))
			return nil
		}
		if k += run; size == 0 {
			continue
		}
		if k > s.se {
			return errCode
		}
		b.setCoef(zigzag[k&63], int16(extendSign(int32(d.bits.readBits(uint(size))), int32(size))<<s.al))
	}
	return nil
}

// decodeACRefine decodes one more bit of a band of a block, T.81 G.1.2.3.
func (d *Decoder) decodeACRefine(b coefBlock, t *huffmanTable, s *scanHeader) error {
	k := s.ss
	for d.prog.eobRun == 0 && k <= s.se {
		run, size, err := d.bits.decodeRunSize(t)
		if err != nil {
			return err
		}
		var fresh int16
		switch {
		case size == 0 && run < 15:
			d.prog.eobRun = 1<<run + int(d.bits.readBits(uint(run)))
			continue
		case size > 1:
			return errCode
		case size == 1:
			fresh = int16(d.bits.readBits(1)*2-1) << s.al
		}
		k = d.refineNonZero(b, k, run, s)
		if k > s.se && fresh != 0 {
			return errCode
		}
		if fresh != 0 {
			b.setCoef(zigzag[k], fresh)
		}
		k++
	}
	if d.prog.eobRun > 0 {
		d.refineNonZero(b, k, 64, s)
		d.prog.eobRun--
	}
	return nil
}

// refineNonZero reads a correction bit for each nonzero coefficient of the band
// from zigzag index k on, passes over run zero ones, and returns the index of
// the next zero one.
func (d *Decoder) refineNonZero(b coefBlock, k, run int, s *scanHeader) int {
	for ; k <= s.se; k++ {
		at := zigzag[k&63]
		c := b.coefAt(at)
		if c == 0 {
			if run == 0 {
				break
			}
			run--
			continue
		}
		if bit := int16(d.bits.readBits(1)) << s.al; c > 0 {
			b.setCoef(at, c+bit)
		} else {
			b.setCoef(at, c-bit)
		}
	}
	return k
}

// transformAll dequantises and transforms all blocks of a progressive picture.
func (d *Decoder) transformAll() error {
	q := &d.quant[d.comp[0].quantTable]
	if !q.set {
		return errQuant
	}
	for i := range len(d.prog.coefs) / coefBlockSize {
		b := d.prog.blockAt(i)
		used := uint16(0)
		for k := range q.step {
			s := &q.step[k]
			c := b.coefAt(s.pos & 63)
			d.block[s.pos&63] = c * int16(s.q)
			if c != 0 {
				used |= s.nonZeroBits
			}
		}
		d.nonZeroCols, d.nonZeroRows = uint8(used)|1, uint8(used>>8)|1
		d.placeBlock(i%d.prog.blockCols, i/d.prog.blockCols)
	}
	return nil
}
