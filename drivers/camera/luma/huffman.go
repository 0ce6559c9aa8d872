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
	kind   kind      // what table holds
	counts [16]byte  // codes of each length, 1–16
	vals   [256]byte // their symbols
	limit  [18]int32 // first 16-bit prefix that is longer than this length
	offset [17]int32 // index in vals of a length's first code, less that code
	table  [1 << look]int32
}

// kind is what the entries of a lookup table are for.
type kind uint8

const (
	stale      kind = iota
	means           // DC differences
	details         // AC coefficients of a sequential picture
	progressed      // symbols alone, as the value
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

// define declares the table. Cameras send the same ones with every picture:
// then what was derived stays.
func (t *huffman) define(counts, vals []byte) error {
	t.set = true
	if string(t.counts[:]) == string(counts) && string(t.vals[:len(vals)]) == string(vals) && t.kind != stale {
		return nil
	}
	t.kind = stale
	copy(t.counts[:], counts)
	copy(t.vals[:], vals)
	code, k := int32(0), int32(0)
	for l := 1; l <= 16; l++ {
		n := int32(counts[l-1])
		if code+n > 1<<l {
			t.set = false
			return FormatError("bad Huffman table")
		}
		t.offset[l] = k - code
		code, k = code+n, k+n
		t.limit[l] = code << (16 - l)
		code <<= 1
	}
	return nil
}

// derive fills the lookup table for a use.
func (t *huffman) derive(use kind) {
	if t.kind == use {
		return
	}
	t.kind = use
	rest := t.table[:]
	k := 0
	for l := int32(1); l <= look; l++ {
		for range t.counts[l-1] {
			width := 1 << (look - l)
			t.cover(rest[:width], use, l, int32(t.vals[k]))
			rest = rest[width:]
			k++
		}
	}
	fill(rest, more)
}

// cover fills the entries that start with one code.
func (t *huffman) cover(entries []int32, use kind, l, symbol int32) {
	run, size, skip := symbol>>4, symbol&15, int32(0)
	switch {
	case use == progressed:
		fill(entries, l|symbol<<value)
		return
	case use == means && run > 0:
		fill(entries, l|bad<<advance)
		return
	case use == details && size == 0:
		fill(entries, l|zeros(run)<<advance)
		return
	case use == details:
		skip = (run + 1) << advance
	}
	if l+size > look {
		fill(entries, l|more|skip|size<<value)
		return
	}
	width := len(entries) >> size
	for v := range int32(1) << size {
		fill(entries[:width], l+size|skip|extend(v, size)<<value)
		entries = entries[width:]
	}
}

func fill(entries []int32, e int32) {
	for i := range entries {
		entries[i] = e
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
