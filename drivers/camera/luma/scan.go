package luma

// scan is one pass over the picture: its header and which components it has.
type scan struct {
	n      int // components
	comp   [3]struct{ index, td, ta byte }
	ss, se int // spectral selection
	ah, al int // successive approximation
}

// readScan reads a scan header, T.81 B.2.3.
func (d *Decoder) readScan(b []byte) (s scan, err error) {
	bad := FormatError("bad scan header")
	if len(b) < 1 || b[0] < 1 || int(b[0]) > d.config.Components || len(b) != 4+2*int(b[0]) {
		return s, bad
	}
	s.n = int(b[0])
	blocks := 0
	for i := range s.n {
		id, tables := b[1+2*i], b[2+2*i]
		found := false
		for j, c := range d.comp[:d.config.Components] {
			if c.id == id {
				s.comp[i].index, found = byte(j), true
				blocks += c.h * c.v
			}
		}
		s.comp[i].td, s.comp[i].ta = tables>>4, tables&15
		if !found || s.comp[i].td > 3 || s.comp[i].ta > 3 || i > 0 && s.comp[i].index <= s.comp[i-1].index {
			return s, bad
		}
	}
	if s.n > 1 && blocks > 10 {
		return s, bad
	}
	b = b[1+2*s.n:]
	s.ss, s.se, s.ah, s.al = int(b[0]), int(b[1]), int(b[2]>>4), int(b[2]&15)
	return s, nil
}

// scan decodes one scan, or steps over it when luma has no part in it.
func (d *Decoder) scan(p *parser, body []byte) error {
	if err := d.check(); err != nil {
		return err
	}
	s, err := d.readScan(body)
	if err != nil {
		return err
	}
	switch {
	case s.comp[0].index != 0:
		err = d.skip(p)
	case d.config.Progressive:
		err = d.progressive(p, &s)
	case d.done:
		err = FormatError("has two luma scans")
	default:
		err = d.sequential(p, &s)
	}
	return err
}

// skip steps over the entropy-coded data of a scan without luma.
func (d *Decoder) skip(p *parser) error {
	for {
		if err := d.bits.open(p.src, p.pos); err != nil {
			return err
		}
		if err := d.bits.end(); err != nil {
			return err
		}
		p.pos = d.bits.next
		if m := d.bits.mark; m < mRST0 || m > mRST7 {
			return nil
		}
		if _, err := p.marker(); err != nil {
			return err
		}
	}
}

// grid is how the blocks of luma lie in a scan.
type grid struct {
	h, v       int // luma blocks in an MCU
	cols, rows int // MCUs
}

func (d *Decoder) grid(s *scan) grid {
	g := grid{h: 1, v: 1}
	if s.n > 1 {
		g.h, g.v = d.comp[0].h, d.comp[0].v
	}
	g.cols = (d.config.Width + 8*g.h - 1) / (8 * g.h)
	g.rows = (d.config.Height + 8*g.v - 1) / (8 * g.v)
	return g
}

// mcus goes over all MCUs of a scan in order, restart interval by restart
// interval, and has do decode each.
func (d *Decoder) mcus(p *parser, g grid, do func(mx, my int) error) error {
	todo, mx, my := g.cols*g.rows, 0, 0
	for rst := byte(0); ; rst = (rst + 1) & 7 {
		n := todo
		if d.restart > 0 {
			n = min(n, d.restart)
		}
		if err := d.bits.open(p.src, p.pos); err != nil {
			return err
		}
		d.pred, d.prog.eobrun = 0, 0
		for range n {
			if err := d.bits.ready(); err != nil {
				return err
			}
			if err := do(mx, my); err != nil {
				return err
			}
			if d.bits.left() < 0 {
				return ErrTruncated
			}
			if mx++; mx == g.cols {
				mx, my = 0, my+1
			}
		}
		if err := d.bits.end(); err != nil {
			return err
		}
		p.pos = d.bits.next
		if todo -= n; todo == 0 {
			return nil
		}
		if m, err := p.marker(); err != nil {
			return err
		} else if m != mRST0+rst {
			return FormatError("restart marker missing")
		}
	}
}

// table is a Huffman table of a scan; the standard's where none was sent.
func table(t *[4]huffman, id byte, standard *[2]spec) (*huffman, error) {
	h := &t[id]
	if !h.set && id < 2 {
		if err := h.define(standard[id].counts[:], []byte(standard[id].vals)); err != nil {
			return nil, err
		}
	}
	if !h.set {
		return nil, FormatError("uses a Huffman table that was not sent")
	}
	return h, nil
}

// sequential decodes a baseline or extended scan.
func (d *Decoder) sequential(p *parser, s *scan) error {
	var dc, ac [3]*huffman
	for i := range s.n {
		var err error
		if dc[i], err = table(&d.dc, s.comp[i].td, &standardDC); err != nil {
			return err
		}
		if ac[i], err = table(&d.ac, s.comp[i].ta, &standardAC); err != nil {
			return err
		}
		dc[i].derive(means)
		ac[i].derive(details)
	}
	q := &d.quant[d.comp[0].tq]
	if !q.set {
		return errQuant
	}
	g := d.grid(s)
	d.done = true
	return d.mcus(p, g, func(mx, my int) error {
		for v := range g.v {
			for h := range g.h {
				if err := d.lumaBlock(dc[0], ac[0], q); err != nil {
					return err
				}
				d.put(mx*g.h+h, my*g.v+v)
			}
		}
		for i := 1; i < s.n; i++ {
			c := &d.comp[s.comp[i].index]
			for range c.h * c.v {
				if err := d.bits.skipBlock(dc[i], ac[i]); err != nil {
					return err
				}
			}
		}
		return nil
	})
}
