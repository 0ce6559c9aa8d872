package luma

// lookupBits is the number of bits with which a lookup table is indexed. Most
// codes and their values fit.
const lookupBits = 10

// An entry of a lookup table covers a code and, where both fit, the value that
// follows it. From the low end: 6 bits, the bits to consume; 1 bit,
// entryPartial (completeEntry has to do the rest); 8 bits, the advance of the
// zigzag index; 16 bits, the value, signed.
const (
	entryPartial   = 0x40
	advanceShift   = 8   // shift
	valueShift     = 16  // shift
	advanceEOB     = 128 // advance of the end of a block: larger than any sum of runs
	advanceInvalid = 64  // advance of an invalid code: past the end of every block
)

// huffmanTable is one Huffman table: as declared (T.81 BITS and HUFFVAL), and
// as a lookup table for one use.
type huffmanTable struct {
	set     bool
	use     tableUse  // of the entries in lookup
	counts  [16]byte  // codes of each length, 1–16
	huffval [256]byte // their symbols
	limit   [18]int32 // first 16-bit prefix that is longer than this length
	offset  [17]int32 // index in huffval of a length's first code, minus that code
	lookup  [1 << lookupBits]int32
}

// tableUse selects the kind of entries in a lookup table.
type tableUse uint8

const (
	useNone    tableUse = iota
	useDC               // DC differences of a sequential or progressive picture
	useAC               // AC coefficients of a sequential picture
	useSymbols          // symbols alone, as the value: AC coefficients of a progressive picture
)

// readHuffmanTables reads a DHT segment, T.81 B.2.4.2.
func (d *Decoder) readHuffmanTables(b []byte) error {
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
		if err := t.setCodes(b[1:17], b[17:17+n]); err != nil {
			return err
		}
		b = b[17+n:]
	}
	return nil
}

// setCodes declares the table and computes the limits of each code length (T.81
// F.2.2.3, there MAXCODE and VALPTR). Cameras send the same tables with every
// picture: then the lookup table stays.
func (t *huffmanTable) setCodes(counts, vals []byte) error {
	t.set = true
	if string(t.counts[:]) == string(counts) && string(t.huffval[:len(vals)]) == string(vals) && t.use != useNone {
		return nil
	}
	t.use = useNone
	copy(t.counts[:], counts)
	copy(t.huffval[:], vals)
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

// buildLookup fills the lookup table for a use.
func (t *huffmanTable) buildLookup(use tableUse) {
	if t.use == use {
		return
	}
	t.use = use
	rest := t.lookup[:]
	k := 0
	for l := int32(1); l <= lookupBits; l++ {
		for range t.counts[l-1] {
			width := 1 << (lookupBits - l)
			t.fillCode(rest[:width], use, l, int32(t.huffval[k]))
			rest = rest[width:]
			k++
		}
	}
	fillEntries(rest, entryPartial)
}

// fillCode fills the entries of the lookup table that start with one code of l
// bits.
func (t *huffmanTable) fillCode(entries []int32, use tableUse, l, symbol int32) {
	run, size, skip := symbol>>4, symbol&15, int32(0)
	switch {
	case use == useSymbols:
		fillEntries(entries, l|symbol<<valueShift)
		return
	case use == useDC && run > 0:
		fillEntries(entries, l|advanceInvalid<<advanceShift)
		return
	case use == useAC && size == 0:
		fillEntries(entries, l|zeroRunAdvance(run)<<advanceShift)
		return
	case use == useAC:
		skip = (run + 1) << advanceShift
	}
	if l+size > lookupBits {
		fillEntries(entries, l|entryPartial|skip|size<<valueShift)
		return
	}
	width := len(entries) >> size
	for v := range int32(1) << size {
		fillEntries(entries[:width], l+size|skip|extendSign(v, size)<<valueShift)
		entries = entries[width:]
	}
}

// fillEntries sets all entries to e.
func fillEntries(entries []int32, e int32) {
	for i := range entries {
		entries[i] = e
	}
}

// zeroRunAdvance returns the advance of a symbol with size 0: end of block
// (EOB), 16 zeros (ZRL), or invalid.
func zeroRunAdvance(run int32) int32 {
	switch run {
	case 0:
		return advanceEOB
	case 15:
		return 16
	}
	return advanceInvalid
}

// extendSign is EXTEND of T.81, F.2.2.1: it turns the low size bits of v into a
// signed value.
func extendSign(v, size int32) int32 {
	v &= 1<<size - 1
	if v < 1<<size>>1 {
		v -= 1<<size - 1
	}
	return v
}

// decodeLongCode finds a code of more than lookupBits bits at the top of acc,
// as DECODE of T.81, F.2.2.3, but on a 16-bit prefix. A length of 0 means that
// there is none.
func (t *huffmanTable) decodeLongCode(acc uint64) (length, symbol int32) {
	prefix := int32(acc >> 48)
	for l := int32(lookupBits + 1); l <= 16; l++ {
		if prefix < t.limit[l] {
			return l, int32(t.huffval[(prefix>>(16-l)+t.offset[l])&0xff])
		}
	}
	return 0, 0
}
