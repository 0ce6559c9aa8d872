// Package luma decodes the brightness of a JPEG picture and nothing else,
// straight into the caller's bytes.
//
// Colour is never decoded: the codes of the chroma components are stepped
// over, and no chroma coefficient is ever computed. The header is read and
// checked before anything is allocated, a picture that ends early is an error
// and not half a picture, and what the decoder needed on the way is
// overwritten before it returns. It makes no copy of the picture: blocks are
// transformed into their final place.
//
// It reads what ITU-T T.81 calls baseline, extended sequential Huffman and
// progressive Huffman DCT with 8 bits a sample, as grey or as luma with two
// chroma components. It refuses arithmetic coding, lossless and hierarchical
// modes, 12 bits, CMYK, and RGB.
package luma

import (
	"errors"
	"fmt"
)

// FormatError says that the bytes are not a whole and valid JPEG picture.
type FormatError string

func (e FormatError) Error() string { return "jpeg: " + string(e) }

// UnsupportedError says that the picture may be valid, but is of a kind that
// this package does not decode.
type UnsupportedError string

func (e UnsupportedError) Error() string { return "jpeg: " + string(e) }

// ErrTruncated says that the picture stops before its end marker.
var ErrTruncated = errors.New("jpeg: picture is cut short")

// Scale is a reduction of the picture while it is decoded: each delivered
// sample is the mean of a square of 1, 2×2, 4×4 or 8×8 samples, so the large
// picture never exists.
type Scale uint8

// The scales.
const (
	Full    Scale = iota // as it is
	Half                 // 1/2 of width and height
	Quarter              // 1/4
	Eighth               // 1/8
)

// Config is what the header of a picture declares.
type Config struct {
	Width, Height int  // samples of luma, 1–65535
	Components    int  // 1: grey, 3: luma and two chroma
	H, V          int  // sampling factors of luma, 1–4: none of chroma is larger
	Progressive   bool // sent in several passes: decoding needs 2 bytes a sample of memory
}

// Size is the width and height of the picture delivered at a scale: rounded up.
func (c Config) Size(s Scale) (w, h int) {
	round := 1<<s - 1
	return (c.Width + round) >> s, (c.Height + round) >> s
}

// Fit is the least reduction at which the picture has at most pixels samples.
// ok is false where even an eighth is larger.
func (c Config) Fit(pixels int) (s Scale, ok bool) {
	for s = Full; s <= Eighth; s++ {
		if w, h := c.Size(s); int64(w)*int64(h) <= int64(pixels) {
			return s, true
		}
	}
	return 0, false
}

// ReadConfig reads the header of a picture, up to its first scan, and refuses
// what Decode would refuse by the header alone. It allocates nothing but its
// error. ErrTruncated means that src ends before the header does.
func ReadConfig(src []byte) (Config, error) {
	var h header
	p := parser{src: src}
	if err := p.start(); err != nil {
		return Config{}, err
	}
	for {
		m, body, err := p.next()
		if err != nil {
			return Config{}, err
		}
		switch {
		case m == mSOS:
			return h.config, h.check()
		case m == mEOI:
			return Config{}, FormatError("has no picture data")
		default:
			if err := h.read(m, body); err != nil {
				return Config{}, err
			}
		}
	}
}

// Memory is where scratch that bears a picture lies: n zero bytes from Bytes
// until Free, which wipes them.
type Memory interface {
	Bytes(n int) ([]byte, error)
	Free([]byte)
}

// Decoder decodes pictures one after another and keeps its tables and scratch
// between them. The zero value is ready; it must not be copied and serves one
// goroutine.
type Decoder struct {
	// Memory is for all scratch but the one block at hand; nil: Go's heap. Set
	// it before the first picture, and Close the Decoder after the last.
	Memory Memory

	header
	scale      Scale
	dst        []byte
	stride     int
	height     int
	cols, rows uint8 // which columns and rows of block are not all 0
	quant      [4]quantTable
	dc, ac     [4]huffman
	bits       entropy
	block      [64]int16 // coefficients of the block at hand, in natural order
	edge       [64]byte  // a block that lies half outside the picture
	pred       int32     // the last block's mean, from which the next is told
	done       bool      // luma has been decoded
	restart    int       // MCUs between restart markers; 0: none
	prog       progressive
}

// Decode writes the luma of the picture in src to dst, row by row without
// padding. len(dst) must be width × height at that scale, or nothing is
// written. After any other error dst holds an unspecified part of the picture.
// It never panics, whatever src is, and does not keep src or dst. What follows
// the picture's end marker is ignored.
func (d *Decoder) Decode(dst, src []byte, s Scale) error {
	defer d.Wipe()
	return d.decode(dst, src, s)
}

func (d *Decoder) decode(dst, src []byte, s Scale) error {
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
		b, err := d.memory(window + 8)
		if err != nil {
			return err
		}
		d.bits.buf = (*[window + 8]byte)(b)
	}
	d.dst, d.stride, d.height, d.scale = dst, w, h, s
	d.defaults()
	p := parser{src: src}
	if err := p.start(); err != nil {
		return err
	}
	return d.segments(&p)
}

// segments reads the whole picture, marker by marker, to its end marker.
func (d *Decoder) segments(p *parser) error {
	for {
		m, body, err := p.next()
		if err != nil {
			return err
		}
		switch m {
		case mSOS:
			err = d.scan(p, body)
		case mDHT:
			err = d.readHuffman(body)
		case mDQT:
			err = d.readQuant(body)
		case mDRI:
			if len(body) != 2 {
				return FormatError("bad restart interval")
			}
			d.restart = int(body[0])<<8 | int(body[1])
		case mEOI:
			return d.finish()
		default:
			err = d.read(m, body)
		}
		if err != nil {
			return err
		}
	}
}

// finish is the end of the picture: a progressive one is transformed only now.
func (d *Decoder) finish() error {
	if !d.done {
		return FormatError("has no luma scan")
	}
	if d.config.Progressive {
		return d.assemble()
	}
	return nil
}

// defaults forgets the last picture. Motion-JPEG frames may leave out their
// Huffman tables and mean those of T.81, annex K.
func (d *Decoder) defaults() {
	d.header = header{}
	d.done, d.restart, d.prog.scans, d.prog.eobrun = false, 0, 0, 0
	for i := range d.quant {
		d.quant[i].set = false
	}
	for i := range d.dc {
		d.dc[i].set, d.ac[i].set = false, false
	}
}

// Wipe overwrites everything that was derived from a picture. Decode calls it
// before it returns.
func (d *Decoder) Wipe() {
	d.dst = nil
	d.bits.wipe()
	clear(d.block[:])
	clear(d.edge[:])
	clear(d.prog.coef)
	d.pred = 0
}

// Close wipes the scratch and gives it back. The Decoder can be used again.
func (d *Decoder) Close() {
	d.Wipe()
	if d.Memory != nil && d.bits.buf != nil {
		d.Memory.Free(d.bits.buf[:])
		d.Memory.Free(d.prog.coef)
	}
	d.bits.buf, d.prog.coef = nil, nil
}

func (d *Decoder) memory(n int) ([]byte, error) {
	if d.Memory == nil {
		return make([]byte, n), nil
	}
	return d.Memory.Bytes(n)
}
