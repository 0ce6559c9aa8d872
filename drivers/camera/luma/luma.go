// Package luma decodes the luminance of a JPEG picture (ITU-T T.81 | ISO/IEC
// 10918-1), and only that, straight into the caller's bytes.
//
// It reads baseline, extended sequential Huffman and progressive Huffman DCT
// with 8 bits a sample, as grey or as luma with two chroma components. Chroma
// is skipped: its Huffman codes are stepped over, and no chroma coefficient is
// computed. Blocks are transformed into their final place, so no copy of the
// picture is made; a reduced picture is computed without the full one.
//
// A picture is whole when every block of its luma was decoded, whatever is missing
// or superfluous after them: the end marker, chroma, padding, a second end. It
// takes restart markers with wrong numbers or without an interval, an interval
// without markers, and bytes that belong to nothing between two segments. Tables
// stay from picture to picture until others are sent, as in a stream.
//
// It refuses arithmetic coding, lossless and hierarchical modes, 12 bits a
// sample, CMYK and RGB. The header is checked before anything is allocated. A
// picture that ends early is an error, not half a picture. Scratch that bears a
// picture is overwritten before Decode returns. The standard library's
// image/jpeg can do none of this: it decodes chroma, allocates by the declared
// size, and keeps buffers that a caller cannot wipe.
package luma

import (
	"errors"
	"fmt"
)

// FormatError reports that the bytes are not a whole and valid JPEG picture.
type FormatError string

// Error returns the message with the prefix "jpeg: ".
func (e FormatError) Error() string { return "jpeg: " + string(e) }

// UnsupportedError reports a picture that may be valid, but uses a mode or
// colour space that this package does not decode.
type UnsupportedError string

// Error returns the message with the prefix "jpeg: ".
func (e UnsupportedError) Error() string { return "jpeg: " + string(e) }

// ErrTruncated reports that the picture stops before its luma is complete.
var ErrTruncated = errors.New("jpeg: picture is cut short")

// CutError is an ErrTruncated that tells how much of the picture is there.
type CutError struct {
	Percent int // of the picture's MCUs, rounded down
	Scan    int // the scan of a progressive picture in which it ends, from 1; else 0
}

// Error names the share, or the scan.
func (e CutError) Error() string {
	if e.Scan > 0 {
		return fmt.Sprintf("%v in scan %d of a progressive picture", ErrTruncated, e.Scan)
	}
	return fmt.Sprintf("%v: %d %% of it is there", ErrTruncated, e.Percent)
}

// Is reports whether target is ErrTruncated.
func (e CutError) Is(target error) bool { return target == ErrTruncated }

// Scale is a reduction of the picture while it is decoded: each delivered
// sample is the mean of a square of 1, 2×2, 4×4 or 8×8 samples. The large
// picture is never computed.
type Scale uint8

// The scales.
const (
	Full    Scale = iota // 1/1
	Half                 // 1/2 of width and height
	Quarter              // 1/4
	Eighth               // 1/8
)

// Config holds the properties that the header of a picture declares.
type Config struct {
	Width, Height int  // samples of luma, 1–65535
	Components    int  // 1: grey, 3: luma and two chroma
	H, V          int  // sampling factors of luma, 1–4; those of chroma are not larger
	Progressive   bool // sent in several passes: decoding needs 2 bytes a sample of memory
}

// Size returns the width and height of the picture delivered at a scale,
// rounded up.
func (c Config) Size(s Scale) (w, h int) {
	round := 1<<s - 1
	return (c.Width + round) >> s, (c.Height + round) >> s
}

// ScaleToFit returns the least reduction at which the picture has at most pixels
// samples. ok is false where even an eighth is larger.
func (c Config) ScaleToFit(pixels int) (s Scale, ok bool) {
	for s = Full; s <= Eighth; s++ {
		if w, h := c.Size(s); int64(w)*int64(h) <= int64(pixels) {
			return s, true
		}
	}
	return 0, false
}

// ReadConfig reads the header of a picture, up to its first scan, and refuses
// the pictures that Decode would refuse by the header alone. It allocates only
// its error. ErrTruncated means that src ends before the header does.
func ReadConfig(src []byte) (Config, error) {
	var h header
	p := markerReader{src: src}
	if err := p.readSOI(); err != nil {
		return Config{}, err
	}
	for {
		m, body, err := p.nextSegment()
		if err != nil {
			return Config{}, err
		}
		switch {
		case m == mSOS:
			return h.config, h.checkSupported()
		case m == mEOI:
			return Config{}, FormatError("has no picture data")
		default:
			if err := h.readSegment(m, body); err != nil {
				return Config{}, err
			}
		}
	}
}

// Memory provides the scratch that bears a picture: Bytes returns n zero bytes,
// which stay valid until Free, and Free wipes them.
type Memory interface {
	Bytes(n int) ([]byte, error)
	Free([]byte)
}

// Decoder decodes pictures one after another and keeps its tables and scratch
// between them. The zero value is ready. It must not be copied, and serves one
// goroutine.
type Decoder struct {
	// Memory provides all scratch except the single block; nil: Go's heap. Set
	// it before the first picture, and Close the Decoder after the last.
	Memory Memory

	header
	scale                    Scale
	dst                      []byte
	stride                   int
	height                   int
	nonZeroCols, nonZeroRows uint8 // bit i: column or row i of block is not all 0
	quant                    [4]quantTable
	dc, ac                   [4]huffmanTable
	bits                     bitReader
	block                    [64]int16 // coefficients of the block at hand, in natural order
	edge                     [64]byte  // samples of a block that lies partly outside the picture
	predDC                   int32     // DC prediction (PRED): the last block's DC coefficient
	lumaDecoded              bool      // luma has been decoded
	restartInterval          int       // MCUs between restart markers; 0: none
	prog                     progressiveState
}

// Decode writes the luma of the picture in src to dst, row by row without
// padding, 0 black to 255 white. len(dst) must be width × height at that scale;
// otherwise dst is left as it was. After any other error dst holds an
// unspecified part of the picture. Decode never panics, for any src, and does
// not keep src or dst. It ignores all bytes after the luma. Tables that src lacks
// are those of the picture before, else the Huffman tables of T.81 annex K. Errors
// are FormatError, UnsupportedError, ErrTruncated, or those of Memory.
func (d *Decoder) Decode(dst, src []byte, s Scale) error {
	defer d.Wipe()
	return d.decodePicture(dst, src, s)
}

// decodePicture is Decode without the wiping.
func (d *Decoder) decodePicture(dst, src []byte, s Scale) error {
	c, err := ReadConfig(src)
	if err != nil {
		return err
	}
	if s > Eighth {
		return fmt.Errorf("jpeg: scale %d: must be at most %d", s, Eighth)
	}
	w, h := c.Size(s)
	if int64(len(dst)) != int64(w)*int64(h) {
		return fmt.Errorf("jpeg: buffer of %d bytes for %d×%d samples", len(dst), w, h)
	}
	if d.bits.buf == nil {
		b, err := d.allocScratch(windowSize + 8)
		if err != nil {
			return err
		}
		d.bits.buf = (*[windowSize + 8]byte)(b)
	}
	d.dst, d.stride, d.height, d.scale = dst, w, h, s
	d.resetPicture()
	p := markerReader{src: src}
	if err := p.readSOI(); err != nil {
		return err
	}
	return d.readSegments(&p, true)
}

// LoadTables reads the tables of a picture and not the picture: the pictures of a
// stream may use the tables of one that is not decoded.
func (d *Decoder) LoadTables(src []byte) error {
	d.resetPicture()
	p := markerReader{src: src}
	if err := p.readSOI(); err != nil {
		return err
	}
	return d.readSegments(&p, false)
}

// readSegments decodes the picture, marker segment by marker segment, until its
// luma is complete, or reads only the part before the first scan.
func (d *Decoder) readSegments(p *markerReader, scans bool) error {
	for {
		m, body, err := p.nextSegment()
		if err != nil {
			return err
		}
		switch m {
		case mSOS:
			if !scans {
				return nil
			}
			if err = d.decodeScan(p, body); err == nil && d.isComplete() {
				return d.finishPicture()
			}
		case mDHT:
			err = d.readHuffmanTables(body)
		case mDQT:
			err = d.readQuantTables(body)
		case mDRI:
			if len(body) != 2 {
				return FormatError("bad restart interval")
			}
			d.restartInterval = int(body[0])<<8 | int(body[1])
		case mEOI:
			return d.finishPicture()
		default:
			err = d.readSegment(m, body)
		}
		if err != nil {
			return err
		}
	}
}

// isComplete reports whether no later scan can change the luma.
func (d *Decoder) isComplete() bool {
	return d.lumaDecoded && (!d.config.Progressive || d.prog.isComplete())
}

// finishPicture checks that luma was decoded. A progressive picture is transformed
// only now, because each scan may refine its coefficients.
func (d *Decoder) finishPicture() error {
	if !d.lumaDecoded {
		return FormatError("has no luma scan")
	}
	if d.config.Progressive {
		return d.transformAll()
	}
	return nil
}

// resetPicture forgets all of the last picture but its tables.
func (d *Decoder) resetPicture() {
	d.header = header{}
	d.lumaDecoded, d.restartInterval, d.prog.scans, d.prog.eobRun = false, 0, 0, 0
	for k := range d.prog.missing {
		d.prog.missing[k] = unsent
	}
}

// ForgetTables forgets all tables, before a picture that is not of the same stream.
// Motion-JPEG frames may leave out their Huffman tables and mean those of T.81
// annex K.3: see selectTable.
func (d *Decoder) ForgetTables() {
	for i := range d.quant {
		d.quant[i].set = false
	}
	for i := range d.dc {
		d.dc[i].set, d.ac[i].set = false, false
	}
}

// Wipe overwrites all data that was derived from a picture. Decode calls it
// before it returns.
func (d *Decoder) Wipe() {
	d.dst = nil
	d.bits.wipeWindow()
	clear(d.block[:])
	clear(d.edge[:])
	clear(d.prog.coefs)
	d.predDC = 0
}

// Close wipes the scratch and gives it back to Memory. The Decoder can be used
// again.
func (d *Decoder) Close() {
	d.Wipe()
	if d.Memory != nil && d.bits.buf != nil {
		d.Memory.Free(d.bits.buf[:])
		d.Memory.Free(d.prog.coefs)
	}
	d.bits.buf, d.prog.coefs = nil, nil
}

// allocScratch returns n zero bytes from Memory, or from Go's heap.
func (d *Decoder) allocScratch(n int) ([]byte, error) {
	if d.Memory == nil {
		return make([]byte, n), nil
	}
	return d.Memory.Bytes(n)
}
