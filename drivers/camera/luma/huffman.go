package luma

// How many bits one look into a Huffman table takes.
const look = 10

// An entry of a lookup table covers a code and, where it fits, the value that
// follows it. From the low end: 6 bits how many bits to consume, 1 bit more
// (the entry does not say everything: see slow), 8 bits how far to advance in
// the block, 16 bits the value, signed.
const (
	more    = 0x40
	advance = 8   // shift
	value   = 16  // shift
	eob     = 128 // advance at the end of a block: larger than any sum of runs
	bad     = 64  // advance of a code that means nothing: past the end of every block
)

// huffman is one table: as it was declared, and as the decoder wants it.
type huffman struct {
	set    bool
	counts [16]byte  // codes of each length, 1–16
	vals   [256]byte // their symbols
	limit  [18]int32 // first 16-bit prefix that is longer than this length
	offset [17]int32 // index in vals of a length's first code, less that code

	codes [1 << look]uint16 // length<<8 | symbol; 0: longer than look
	full  [1 << look]int32  // entries for luma
	built uint8             // which of the derived tables are up to date
}

// Bits of built: what full holds.
const (
	asDC = 1 << iota
	asAC
)

// readHuffman reads Huffman tables, T.81 B.2.4.2.
func (d *Decoder) readHuffman(b []byte) error {
	for len(b) > 0 {
		if len(b) < 17 || b[0]>>4 > 1 || b[0]&15 > 3 {
			return FormatError("bad Huffman table")
		}
		n := 0
		for _, c := range b[1:17] {
			n += int(c)
		}
		if n > 256 || len(b) < 17+n {
			return FormatError("bad Huffman table")
		}
		t := &d.dc[b[0]&15]
		if b[0]>>4 == 1 {
			t = &d.ac[b[0]&15]
		}
		if err := t.define(b[1:17], b[17:17+n]); err != nil {
			return err
		}
		b = b[17+n:]
	}
	return nil
}

// define makes the table unless it already is this one: cameras send the same
// tables with every picture.
func (t *huffman) define(counts, vals []byte) error {
	t.set = true
	if string(t.counts[:]) == string(counts) && string(t.vals[:len(vals)]) == string(vals) && t.built != 0 {
		return nil
	}
	t.built = 0
	copy(t.counts[:], counts)
	copy(t.vals[:], vals)
	clear(t.codes[:])
	code, k := int32(0), int32(0)
	for l := 1; l <= 16; l++ {
		n := int32(counts[l-1])
		if code+n > 1<<l {
			t.set = false
			return FormatError("bad Huffman table")
		}
		t.offset[l] = k - code
		for range n {
			if l <= look {
				at := code << (look - l)
				e := uint16(l)<<8 | uint16(vals[k])
				fill := t.codes[at : at+1<<(look-l)]
				for i := range fill {
					fill[i] = e
				}
			}
			code++
			k++
		}
		t.limit[l] = code << (16 - l)
		code <<= 1
	}
	return nil
}

// forDC derives the entries for DC differences.
func (t *huffman) forDC() {
	if t.built == asDC {
		return
	}
	t.built = asDC
	for i, c := range t.codes {
		l, size := int32(c>>8), int32(c&0xff)
		switch {
		case l == 0:
			t.full[i] = more
		case size > 15:
			t.full[i] = l | bad<<advance
		case l+size > look:
			t.full[i] = l | more | size<<value
		default:
			t.full[i] = l + size | extend(int32(i)>>(look-l-size), size)<<value
		}
	}
}

// forAC derives the entries for AC coefficients.
func (t *huffman) forAC() {
	if t.built == asAC {
		return
	}
	t.built = asAC
	for i, c := range t.codes {
		l, run, size := int32(c>>8), int32(c>>4&15), int32(c&15)
		switch {
		case l == 0:
			t.full[i] = more
		case size == 0:
			t.full[i] = l | zeros(run)<<advance
		case l+size > look:
			t.full[i] = l | more | (run+1)<<advance | size<<value
		default:
			t.full[i] = l + size | (run+1)<<advance | extend(int32(i)>>(look-l-size), size)<<value
		}
	}
}

// zeros is the advance of a symbol without a value.
func zeros(run int32) int32 {
	switch run {
	case 0:
		return eob
	case 15:
		return 16
	}
	return bad
}

// extend is EXTEND of T.81, F.2.2.1: the low size bits of v as a signed value.
func extend(v, size int32) int32 {
	v &= 1<<size - 1
	if v < 1<<size>>1 {
		v -= 1<<size - 1
	}
	return v
}

// long finds a code of more than look bits at the top of acc. A length of 0
// means that there is none.
func (t *huffman) long(acc uint64) (length, symbol int32) {
	prefix := int32(acc >> 48)
	for l := int32(look + 1); l <= 16; l++ {
		if prefix < t.limit[l] {
			return l, int32(t.vals[(prefix>>(16-l)+t.offset[l])&0xff])
		}
	}
	return 0, 0
}
