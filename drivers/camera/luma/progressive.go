package luma

import (
	"encoding/binary"
	"fmt"
)

// Bounds of a progressive picture.
const (
	progressiveMax = 4 << 20 // samples of a progressive picture: 8 MiB of coefficients
	scansMax       = 100     // of a progressive picture: each costs time, however few its bytes
)

// progressive is what a progressive picture needs between its scans: all
// coefficients of luma, in natural order, as T.81 annex G refines them.
type progressive struct {
	coef   []byte // block by block
	cols   int    // blocks in a row of coef
	scans  int
	eobrun int // blocks that have ended for this band
}

// stored is a block among the coefficients: 64 of 16 bits. They are kept as
// bytes because locked memory comes as bytes.
type stored []byte

const storedSize = 2 * 64

func (p *progressive) block(i int) stored { return stored(p.coef[i*storedSize:][:storedSize]) }
func (b stored) get(k uint8) int16        { return int16(binary.LittleEndian.Uint16(b[2*k:])) }
func (b stored) set(k uint8, v int16)     { binary.LittleEndian.PutUint16(b[2*k:], uint16(v)) }

// prepare makes room for the coefficients at the first scan.
func (d *Decoder) prepare() error {
	c := d.config
	if d.prog.scans++; d.prog.scans > scansMax {
		return UnsupportedError(fmt.Sprintf("more than %d scans", scansMax))
	}
	if d.prog.scans > 1 {
		return nil
	}
	d.prog.cols = (c.Width + 8*c.H - 1) / (8 * c.H) * c.H
	n := storedSize * d.prog.cols * ((c.Height + 8*c.V - 1) / (8 * c.V) * c.V)
	if cap(d.prog.coef) < n {
		if d.Memory != nil {
			d.Memory.Free(d.prog.coef)
		}
		var err error
		if d.prog.coef, err = d.memory(n); err != nil {
			return err
		}
	}
	d.prog.coef = d.prog.coef[:n]
	return nil
}

// progressive decodes a scan of a progressive picture.
func (d *Decoder) progressive(p *parser, s *scan) error {
	if err := d.prepare(); err != nil {
		return err
	}
	if s.ss > s.se || s.se > 63 || s.al > 13 || s.ah > 0 && s.ah != s.al+1 ||
		(s.ss == 0) != (s.se == 0) || s.ss > 0 && s.n > 1 {
		return FormatError("bad scan header")
	}
	if s.ss == 0 {
		return d.progressiveDC(p, s)
	}
	if !d.done {
		return FormatError("starts with details")
	}
	t, err := table(&d.ac, s.comp[0].ta, &standardAC)
	if err != nil {
		return err
	}
	t.derive(progressed)
	return d.mcus(p, d.grid(s), func(mx, my int) error {
		b := d.prog.block(my*d.prog.cols + mx)
		if s.ah > 0 {
			return d.bandRefine(b, t, s)
		}
		return d.bandFirst(b, t, s)
	})
}

// progressiveDC decodes the first or a later bit of the means.
func (d *Decoder) progressiveDC(p *parser, s *scan) error {
	var dc [3]*huffman
	for i := 0; i < s.n && s.ah == 0; i++ {
		var err error
		if dc[i], err = table(&d.dc, s.comp[i].td, &standardDC); err != nil {
			return err
		}
		dc[i].derive(means)
	}
	if s.ah > 0 && !d.done {
		return FormatError("starts with details")
	}
	d.done = true
	g := d.grid(s)
	return d.mcus(p, g, func(mx, my int) error {
		for v := range g.v {
			for h := range g.h {
				b := d.prog.block((my*g.v+v)*d.prog.cols + mx*g.h + h)
				if s.ah > 0 {
					b.set(0, b.get(0)|int16(d.bits.take(1))<<s.al)
					continue
				}
				diff, err := d.bits.difference(dc[0])
				if err != nil {
					return err
				}
				d.pred += diff
				b.set(0, int16(d.pred<<s.al))
			}
		}
		return d.skipDC(s, &dc)
	})
}

// skipDC steps over what the other components have in an MCU.
func (d *Decoder) skipDC(s *scan, dc *[3]*huffman) error {
	for i := 1; i < s.n; i++ {
		c := &d.comp[s.comp[i].index]
		for range c.h * c.v {
			if s.ah > 0 {
				d.bits.take(1)
			} else if _, err := d.bits.difference(dc[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// symbol decodes a run and a size.
func (e *entropy) symbol(t *huffman) (run, size int, err error) {
	if e.n < 32 {
		e.refill()
	}
	c := t.table[e.acc>>(64-look)]
	l, v := c&63, c>>value
	if c&more != 0 {
		if l, v = t.long(e.acc); l == 0 {
			return 0, 0, errCode
		}
	}
	e.acc <<= l
	e.n -= uint(l)
	return int(v >> 4), int(v & 15), nil
}

// bandFirst decodes the first bits of a band of a block, T.81 G.1.2.2.
func (d *Decoder) bandFirst(b stored, t *huffman, s *scan) error {
	if d.prog.eobrun > 0 {
		d.prog.eobrun--
		return nil
	}
	for k := s.ss; k <= s.se; k++ {
		run, size, err := d.bits.symbol(t)
		if err != nil {
			return err
		}
		if size == 0 && run < 15 {
			d.prog.eobrun = 1<<run - 1 + int(d.bits.take(uint(run)))
			return nil
		}
		if k += run; size == 0 {
			continue
		}
		if k > s.se {
			return errCode
		}
		b.set(zigzag[k&63], int16(extend(int32(d.bits.take(uint(size))), int32(size))<<s.al))
	}
	return nil
}

// bandRefine decodes one more bit of a band of a block, T.81 G.1.2.3.
func (d *Decoder) bandRefine(b stored, t *huffman, s *scan) error {
	k := s.ss
	for d.prog.eobrun == 0 && k <= s.se {
		run, size, err := d.bits.symbol(t)
		if err != nil {
			return err
		}
		var fresh int16
		switch {
		case size == 0 && run < 15:
			d.prog.eobrun = 1<<run + int(d.bits.take(uint(run)))
			continue
		case size > 1:
			return errCode
		case size == 1:
			fresh = int16(d.bits.take(1)*2-1) << s.al
		}
		k = d.correct(b, k, run, s)
		if k > s.se && fresh != 0 {
			return errCode
		}
		if fresh != 0 {
			b.set(zigzag[k], fresh)
		}
		k++
	}
	if d.prog.eobrun > 0 {
		d.correct(b, k, 64, s)
		d.prog.eobrun--
	}
	return nil
}

// correct reads a bit for each coefficient from k on that is not 0 yet passes
// over run that are, and returns the place of the next that is.
func (d *Decoder) correct(b stored, k, run int, s *scan) int {
	for ; k <= s.se; k++ {
		at := zigzag[k&63]
		c := b.get(at)
		if c == 0 {
			if run == 0 {
				break
			}
			run--
			continue
		}
		if bit := int16(d.bits.take(1)) << s.al; c > 0 {
			b.set(at, c+bit)
		} else {
			b.set(at, c-bit)
		}
	}
	return k
}

// assemble transforms all blocks of a progressive picture.
func (d *Decoder) assemble() error {
	q := &d.quant[d.comp[0].tq]
	if !q.set {
		return errQuant
	}
	for i := range len(d.prog.coef) / storedSize {
		b := d.prog.block(i)
		used := uint16(0)
		for k := range q.step {
			s := &q.step[k]
			c := b.get(s.pos & 63)
			d.block[s.pos&63] = c * int16(s.q)
			if c != 0 {
				used |= s.used
			}
		}
		d.cols, d.rows = uint8(used)|1, uint8(used>>8)|1
		d.put(i%d.prog.cols, i/d.prog.cols)
	}
	return nil
}
