package luma

// maxMCUBlocks is the most blocks in an interleaved MCU, T.81 B.2.3.
const maxMCUBlocks = 10

// scanHeader holds the parameters of one scan, T.81 B.2.3: its components with
// their DC and AC tables (Td, Ta), the band (Ss, Se) and the bit position (Ah,
// Al).
type scanHeader struct {
	n      int // components
	comp   [3]struct{ index, td, ta byte }
	ss, se int // spectral selection
	ah, al int // successive approximation
}

// readScanHeader reads a scan header, T.81 B.2.3.
func (d *Decoder) readScanHeader(b []byte) (s scanHeader, err error) {
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
	if s.n > 1 && blocks > maxMCUBlocks {
		return s, bad
	}
	b = b[1+2*s.n:]
	s.ss, s.se, s.ah, s.al = int(b[0]), int(b[1]), int(b[2]>>4), int(b[2]&15)
	return s, nil
}

// decodeScan decodes one scan, or steps over it when it has no luma.
func (d *Decoder) decodeScan(p *markerReader, body []byte) error {
	if err := d.checkSupported(); err != nil {
		return err
	}
	s, err := d.readScanHeader(body)
	if err != nil {
		return err
	}
	switch {
	case s.comp[0].index != 0:
		err = d.skipScan(p)
	case d.config.Progressive:
		err = d.decodeProgressive(p, &s)
	default:
		err = d.decodeSequential(p, &s)
	}
	return err
}

// skipScan steps over the entropy-coded data of a scan without luma.
func (d *Decoder) skipScan(p *markerReader) error {
	for {
		d.bits.openSegment(p.src, p.pos)
		d.bits.finishSegment()
		p.pos = d.bits.srcPos
		if !isRestart(d.bits.endMarker) {
			return nil
		}
		if _, err := p.readMarker(); err != nil {
			return err
		}
	}
}

// mcuGrid is the layout of luma blocks in the MCUs of a scan, T.81 A.2.
type mcuGrid struct {
	h, v       int // luma blocks in an MCU
	cols, rows int // MCUs
}

// gridOf returns the layout of a scan. With one component an MCU is one block.
func (d *Decoder) gridOf(s *scanHeader) mcuGrid {
	g := mcuGrid{h: 1, v: 1}
	if s.n > 1 {
		g.h, g.v = d.comp[0].h, d.comp[0].v
	}
	g.cols = (d.config.Width + 8*g.h - 1) / (8 * g.h)
	g.rows = (d.config.Height + 8*g.v - 1) / (8 * g.v)
	return g
}

// mcuCursor is the place of the next MCU of a scan.
type mcuCursor struct {
	mx, my      int
	todo, total int // MCUs
}

// decodeMCUs calls do for every MCU of a scan in order, restart interval by
// restart interval (T.81 E.2.4). Cameras number restart markers wrongly, send them
// without an interval, or declare an interval and send none: the number is not
// checked, a marker ends an interval wherever it stands, and an interval without a
// marker after it is none. Missing data show in the number of MCUs.
func (d *Decoder) decodeMCUs(p *markerReader, g mcuGrid, do func(mx, my int) error) error {
	c := mcuCursor{todo: g.cols * g.rows, total: g.cols * g.rows}
	interval := d.restartInterval
	for {
		d.bits.openSegment(p.src, p.pos)
		d.predDC, d.prog.eobRun = 0, 0
		n := c.todo
		if interval > 0 {
			n = min(n, interval)
		}
		if err := d.decodeSegment(&c, g.cols, n, interval == 0, do); err != nil {
			return err
		}
		if interval > 0 && c.todo > 0 && c.todo+interval == c.total && !isRestart(d.bits.nextMarker()) {
			interval = 0
			if err := d.decodeSegment(&c, g.cols, c.todo, true, do); err != nil {
				return err
			}
		}
		d.bits.finishSegment()
		if p.pos = d.bits.srcPos; c.todo == 0 {
			return nil
		}
		if m, err := p.readMarker(); err != nil || !isRestart(m) {
			return d.cutShort(&c)
		}
	}
}

// decodeSegment calls do for n MCUs; with early, for fewer where a restart marker
// comes before.
func (d *Decoder) decodeSegment(c *mcuCursor, cols, n int, early bool, do func(mx, my int) error) error {
	for ; n > 0; n-- {
		d.bits.ensureMCU()
		err := do(c.mx, c.my)
		left := d.bits.bitsLeft()
		if left < 0 {
			return d.cutShort(c)
		}
		if err != nil {
			return err
		}
		c.todo--
		if c.mx++; c.mx == cols {
			c.mx, c.my = 0, c.my+1
		}
		if left < 8 && early && n > 1 && d.prog.eobRun == 0 && d.bits.endsInRestart() {
			return nil
		}
	}
	return nil
}

// cutShort returns the error of a picture whose data ends before its last MCU.
func (d *Decoder) cutShort(c *mcuCursor) error {
	if d.config.Progressive {
		return CutError{Scan: d.prog.scans}
	}
	return CutError{Percent: (c.total - c.todo) * 100 / c.total}
}

// selectTable returns the Huffman table id of a scan. Tables 0 and 1 that were
// not sent are those of T.81 annex K.3.
func selectTable(t *[4]huffmanTable, id byte, standard *[2]huffmanSpec) (*huffmanTable, error) {
	h := &t[id]
	if !h.set && id < 2 {
		if err := h.setCodes(standard[id].counts[:], []byte(standard[id].huffval)); err != nil {
			return nil, err
		}
	}
	if !h.set {
		return nil, FormatError("uses a Huffman table that was not sent")
	}
	return h, nil
}

// decodeSequential decodes a baseline or extended sequential scan, T.81 F.2.
func (d *Decoder) decodeSequential(p *markerReader, s *scanHeader) error {
	var dc, ac [3]*huffmanTable
	for i := range s.n {
		var err error
		if dc[i], err = selectTable(&d.dc, s.comp[i].td, &annexKDC); err != nil {
			return err
		}
		if ac[i], err = selectTable(&d.ac, s.comp[i].ta, &annexKAC); err != nil {
			return err
		}
		dc[i].buildLookup(useDC)
		ac[i].buildLookup(useAC)
	}
	q := &d.quant[d.comp[0].quantTable]
	if !q.set {
		return errQuant
	}
	g := d.gridOf(s)
	err := d.decodeMCUs(p, g, func(mx, my int) error {
		for v := range g.v {
			for h := range g.h {
				if err := d.decodeBlock(dc[0], ac[0], q); err != nil {
					return err
				}
				d.placeBlock(mx*g.h+h, my*g.v+v)
			}
		}
		if my == g.rows-1 && mx == g.cols-1 {
			return nil // the chroma after the last luma is not needed
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
	d.lumaDecoded = err == nil
	return err
}
