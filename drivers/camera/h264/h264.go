// Package h264 decodes the luminance of H.264 video (ITU-T H.264, 08/2021), and
// only that, into memory that the caller provides.
//
// It reads the profiles Constrained Baseline, Main and High with 8 bits a sample,
// 4:2:0 or monochrome, coded as frames: CAVLC and CABAC, I, P and B slices, all
// partitions, both direct modes, both transforms, scaling lists, weighted
// prediction, long-term references, gaps in frame_num, recovery points and the
// deblocking filter. Chroma is parsed and thrown away. Section and equation
// numbers in comments are those of the standard.
//
// It refuses interlaced coding, flexible macroblock ordering, arbitrary slice
// order, data partitioning, more than 8 bits, 4:2:2, 4:4:4 and lossless coding, with
// an UnsupportedError that says what to set in the camera. A sequence parameter set
// is checked before anything is allocated, and memory is allocated only when its
// size changes.
//
// A damaged or lost picture is a DamageError. It is not delivered, and neither is
// any picture after it until an IDR picture or a recovery point: a picture is
// delivered whole and right or not at all. H.264 has no checksum, so that right means:
// no picture that it refers to is missing, all its macroblocks are there, each of valid
// syntax, and each slice ends where its data do (CAVLC) or at most 16 bits before
// (CABAC). A lost or misplaced NAL unit never passes as right. A slice that was cut or
// changed within and meets all that does: 222 of 10,000 damaged streams had such a
// picture. TCP and the checksums of UDP and Ethernet keep that from the network. The work for each slice is bounded by
// the macroblocks of the picture. No input makes it panic.
package h264

import "errors"

// DamageError reports a picture that is damaged, incomplete, or refers to one
// that is missing.
type DamageError string

// Error returns the message with the prefix "h264: ".
func (e DamageError) Error() string { return "h264: " + string(e) }

// UnsupportedError reports video that may be valid, but uses a feature that this
// package does not decode, and says what to set in the camera.
type UnsupportedError string

// Error returns the message with a prefix.
func (e UnsupportedError) Error() string { return "h264: the camera sends " + string(e) }

// The errors of damaged and refused streams. They are made here, so that a
// damaged stream costs no memory.
var (
	errSPS          error = DamageError("damaged sequence parameter set")
	errPPS          error = DamageError("damaged picture parameter set")
	errHeader       error = DamageError("damaged slice header")
	errSlice        error = DamageError("damaged slice")
	errLost         error = DamageError("picture lacks slices")
	errNoParams     error = DamageError("slice without its parameter sets")
	errGap          error = DamageError("a reference picture was lost")
	errNoReference  error = DamageError("refers to a picture that is missing")
	errTooLongNAL   error = DamageError("NAL unit is longer than its picture can be")
	errInterlaced   error = UnsupportedError("interlaced video: set the camera to progressive")
	errFMO          error = UnsupportedError("slice groups (FMO): set the camera to the profile Main or High")
	errASO          error = UnsupportedError("slices in arbitrary order (ASO): set the camera to the profile Main or High")
	errPartitions   error = UnsupportedError("data partitions: set the camera to the profile Main or High")
	errTooLarge     error = UnsupportedError("pictures that are too large: set the camera to a smaller size, or use its second stream")
	errTooMuchState error = UnsupportedError("pictures that need too much memory: set the camera to a smaller size, or use its second stream")
)

// Opts are the options of a Decoder.
type Opts struct {
	// Memory provides what bears a picture; nil: Go's heap.
	Memory Memory
	// MaxMacroblocks is the largest picture, in macroblocks of 16×16 samples. 0:
	// 36,864, the largest of level 5.2 (4096×2304).
	MaxMacroblocks int
	// MaxMemory is the most that one stream may need, in bytes. 0: 128 MiB.
	MaxMemory int
}

// The defaults of Opts.
const (
	defaultMacroblocks = 36864
	defaultMaxMemory   = 128 << 20
)

// Skip says which pictures are not decoded.
type Skip uint8

// The choices.
const (
	SkipNone         Skip = iota
	SkipNonReference      // pictures that no other refers to
	SkipNonKey            // all but IDR pictures and intra pictures at recovery points
)

// Picture is one decoded picture: luma, 0 to 255 as coded, row by row.
type Picture struct {
	Luma          []byte // begins with the first sample
	Stride        int    // bytes from one row to the next
	Width, Height int    // after cropping
	Tag           int64  // of the NAL unit that began the picture
	Key           bool   // an IDR picture or a recovery point
}

// Decoder decodes one stream. It must not be copied, and serves one goroutine.
type Decoder struct {
	opts Opts
	skip Skip

	spsTable   [maxSPS]sps
	spsRefusal [maxSPS]error
	ppsTable   [maxPPS]pps
	serials    uint32
	sps        sps    // active
	scaleOf    uint32 // serial of the picture parameter set that scale is for
	scaleSPS   uint32
	scale      levelScale
	vlc        vlcTables

	block      []byte // of all pictures and their state
	retired    []byte // the block before, while pictures in the queue lie in it
	generation uint32 // of block
	rbspBk     []byte
	frames     []frame
	mbs        []macroblock
	work       *work

	hdr      sliceHeader // of the slice at hand
	last     sliceHeader // of the slice before
	tag      int64
	current  *frame // the picture under way
	slices   int    // slices of it so far
	decoded  int    // macroblocks of it so far
	damage   error  // of it
	recovery int    // recovery_frame_cnt of an SEI for the next picture; -1: none

	sync       syncState
	target     int   // frame_num at which recovery is complete
	firstPOC   int32 // pictures with a smaller one precede the recovery point
	haveFirst  bool
	leftOut    bool // the picture under way is not decoded
	order      pocState
	queue      [maxDPB + 3]*frame
	queued     int
	lent       *frame
	nextID     uint32
	withheld   uint64
	lowDelay   bool
	delay      int   // pictures of reordering seen, with lowDelay
	lastOutput int32 // order count of the picture output last
	references referenceLists
	slice      sliceDecoder
}

// syncState says which pictures can be decoded.
type syncState uint8

const (
	awaitsKey  syncState = iota // none: references are missing
	recovering                  // yes, but not delivered yet
	inSync
)

// New returns a Decoder. It allocates no memory for pictures.
func New(o Opts) *Decoder {
	if o.Memory == nil {
		o.Memory = heap{}
	}
	if o.MaxMacroblocks == 0 {
		o.MaxMacroblocks = defaultMacroblocks
	}
	if o.MaxMemory == 0 {
		o.MaxMemory = defaultMaxMemory
	}
	d := &Decoder{opts: o, recovery: -1}
	d.vlc.build()
	return d
}

// SetSkip chooses the pictures that are left out from the next one on. After
// SkipNonKey, decoding goes on at the next key picture.
func (d *Decoder) SetSkip(s Skip) { d.skip = s }

// SetLowDelay delivers a picture as soon as no picture is known to precede it,
// where the stream does not say how far it reorders: at once, until one comes late.
// Late ones are not delivered. Otherwise such a stream is delayed by as many
// pictures as its level allows.
func (d *Decoder) SetLowDelay() { d.lowDelay = true }

// Withheld returns how many pictures were left out because they depend on a
// damaged or missing one.
func (d *Decoder) Withheld() uint64 { return d.withheld }

// Decode decodes one NAL unit without its start code. tag is returned with the
// picture that it begins. Call Next until it returns false before the next Decode.
// A DamageError is about one picture, and decoding goes on; an UnsupportedError
// comes again with each slice. Other errors are those of Memory.
func (d *Decoder) Decode(nal []byte, tag int64) error {
	if len(nal) < 2 || nal[0]&0x80 != 0 { // forbidden_zero_bit
		return nil
	}
	switch kind := nal[0] & 0x1f; kind {
	case nalSlice, nalIDR:
		return d.decodeSlice(nal, tag)
	case nalSEI, nalSPS, nalPPS, nalDelimiter, nalEndOfSeq, nalEndStream:
		err := d.EndPicture()
		if err2 := d.decodeOther(kind, nal); err == nil {
			err = err2
		}
		return err
	case nalPartitionA, nalPartitionA + 1, nalPartitionC:
		return errPartitions
	}
	return nil
}

// decodeOther decodes a NAL unit that is no slice.
func (d *Decoder) decodeOther(kind byte, nal []byte) error {
	if kind != nalSEI && kind != nalSPS && kind != nalPPS {
		return nil
	}
	n, err := d.readRBSP(nal, maxParameterNAL)
	if err != nil {
		if kind == nalSEI {
			return nil
		}
		return err
	}
	r := newBitReader(d.rbspBk, n)
	switch kind {
	case nalSPS:
		return d.storeSPS(&r)
	case nalPPS:
		return d.storePPS(&r)
	}
	d.parseSEI(d.rbspBk[:n])
	return nil
}

// maxParameterNAL is the longest NAL unit that is not a slice and is read, in
// bytes: the longest sequence parameter set is below 2 KiB. Chosen by hand.
const maxParameterNAL = 64 << 10

// Bytes of a NAL unit. The largest macroblock has 3,200 bits (A.3.1), and emulation
// prevention adds half at most. Small pictures get room for headers.
const (
	maxMBBytes = 3200 / 8 * 3 / 2
	minNALRoom = 64 << 10
)

// readRBSP copies the RBSP of a NAL unit, behind its head, to d.rbspBk, and returns
// its length.
func (d *Decoder) readRBSP(nal []byte, most int) (int, error) {
	if len(nal) > most {
		return 0, errTooLongNAL
	}
	if need := len(nal) + readAhead; need > len(d.rbspBk) {
		b, err := d.opts.Memory.Bytes(max(need+need/2, 4096))
		if err != nil {
			return 0, err
		}
		if d.rbspBk != nil {
			d.opts.Memory.Free(d.rbspBk)
		}
		d.rbspBk = b
	}
	n := unescape(d.rbspBk, nal[1:])
	clear(d.rbspBk[n : n+readAhead])
	return n, nil
}

// storeSPS keeps a sequence parameter set for its activation.
func (d *Decoder) storeSPS(r *bitReader) error {
	var s sps
	id, err := parseSPS(r, &s)
	if err != nil {
		var unsupported UnsupportedError
		if errors.As(err, &unsupported) {
			d.spsTable[id], d.spsRefusal[id] = sps{}, err
			return nil // refused when a slice refers to it
		}
		return err
	}
	if !s.frameMBsOnly && s.adaptive {
		d.spsTable[id], d.spsRefusal[id] = sps{}, errInterlaced
		return nil
	}
	old := &d.spsTable[id]
	if s.serial = old.serial; s != *old {
		d.serials++
		s.serial = d.serials
		*old = s
	}
	d.spsRefusal[id] = nil
	return nil
}

// storePPS keeps a picture parameter set.
func (d *Decoder) storePPS(r *bitReader) error {
	var p pps
	id, err := parsePPS(r, &p)
	if err != nil {
		return err
	}
	old := &d.ppsTable[id]
	if p.serial = old.serial; p != *old {
		d.serials++
		p.serial = d.serials
		*old = p
	}
	return nil
}

// seiRecoveryPoint is the payloadType of a recovery point (D.1.1).
const seiRecoveryPoint = 6

// parseSEI looks for a recovery point among the messages (7.3.2.3.1, D.1.8).
func (d *Decoder) parseSEI(b []byte) {
	for len(b) > 2 {
		kind, size := 0, 0
		for _, v := range []*int{&kind, &size} {
			for len(b) > 0 && b[0] == 0xff {
				*v += 0xff
				b = b[1:]
			}
			if len(b) == 0 {
				return
			}
			*v += int(b[0])
			b = b[1:]
		}
		if size > len(b) {
			return
		}
		if kind == seiRecoveryPoint {
			r := bitReader{buf: b[:size:size], end: 8 * size}
			if size < 8 {
				var whole [8]byte
				copy(whole[:], b[:size])
				r.buf = whole[:]
			}
			if n, ok := r.ueMax(1<<maxLog2 - 1); ok && !r.overrun() {
				d.recovery = n
			}
		}
		b = b[size:]
	}
}

// Close wipes and frees all memory. The Decoder can be used again, from the next
// IDR picture on.
func (d *Decoder) Close() {
	d.freeFrames()
	if d.rbspBk != nil {
		d.opts.Memory.Free(d.rbspBk)
		d.rbspBk = nil
	}
	d.sps = sps{}
}
