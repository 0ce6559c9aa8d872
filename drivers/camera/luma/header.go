package luma

import (
	"bytes"
	"fmt"
)

// Markers of ITU-T T.81, table B.1, by their second byte.
const (
	mSOF0  = 0xc0 // baseline
	mSOF1  = 0xc1 // extended sequential
	mSOF2  = 0xc2 // progressive
	mDHT   = 0xc4
	mJPG   = 0xc8
	mDAC   = 0xcc
	mSOF15 = 0xcf
	mRST0  = 0xd0
	mRST7  = 0xd7
	mSOI   = 0xd8
	mEOI   = 0xd9
	mSOS   = 0xda
	mDQT   = 0xdb
	mDNL   = 0xdc
	mDRI   = 0xdd
	mAPP0  = 0xe0
	mAPP14 = 0xee
	mTEM   = 0x01
)

// markerReader walks the marker segments of a picture, T.81 B.1.1.
type markerReader struct {
	src []byte
	pos int
}

// readSOI reads the start-of-image marker.
func (p *markerReader) readSOI() error {
	if len(p.src) < 2 {
		return ErrTruncated
	}
	if p.src[0] != 0xff || p.src[1] != mSOI {
		return FormatError("does not start with a JPEG marker")
	}
	p.pos = 2
	return nil
}

// nextSegment returns the next marker and the body of its segment, without its
// length. EOI has no body; TEM is skipped.
func (p *markerReader) nextSegment() (marker byte, body []byte, err error) {
	for {
		m, err := p.readMarker()
		if err != nil {
			return 0, nil, err
		}
		switch {
		case m == mTEM:
			continue
		case m == mEOI:
			return m, nil, nil
		case m == mSOI:
			return 0, nil, FormatError("another picture starts inside")
		case isRestart(m):
			continue
		}
		if len(p.src)-p.pos < 2 {
			return 0, nil, ErrTruncated
		}
		n := int(p.src[p.pos])<<8 | int(p.src[p.pos+1])
		if n < 2 {
			return 0, nil, FormatError("segment with bad length")
		}
		if len(p.src)-p.pos < n {
			return 0, nil, ErrTruncated
		}
		body = p.src[p.pos+2 : p.pos+n]
		p.pos += n
		return m, body, nil
	}
}

// readMarker reads one marker with its fill bytes, T.81 B.1.1.2. Bytes before it
// that belong to nothing are skipped, as libjpeg and ffmpeg do.
func (p *markerReader) readMarker() (byte, error) {
	for {
		i := bytes.IndexByte(p.src[p.pos:], 0xff)
		if i < 0 {
			return 0, ErrTruncated
		}
		for p.pos += i; p.pos < len(p.src) && p.src[p.pos] == 0xff; {
			p.pos++
		}
		if p.pos == len(p.src) {
			return 0, ErrTruncated
		}
		if p.pos++; p.src[p.pos-1] != 0 {
			return p.src[p.pos-1], nil
		}
	}
}

// component holds the frame parameters of one component; the first is luma.
type component struct {
	id         byte
	h, v       int // sampling factors
	quantTable byte
}

// header collects the declarations of the segments before the first scan.
type header struct {
	config         Config
	comp           [3]component
	hasFrame       bool // a frame header was read
	jfif           bool
	adobe          bool
	adobeTransform byte // Adobe's transform: 0 RGB or CMYK, 1 YCbCr, 2 YCCK
}

// readSegment reads one segment that the decoder needs before the scans; it
// ignores others, and refuses the coding modes that this package does not
// decode.
func (h *header) readSegment(m byte, body []byte) error {
	switch {
	case m == mAPP0:
		h.jfif = h.jfif || len(body) >= 5 && string(body[:5]) == "JFIF\x00"
	case m == mAPP14:
		if len(body) >= 12 && string(body[:5]) == "Adobe" {
			h.adobe, h.adobeTransform = true, body[11]
		}
	case m == mSOF0 || m == mSOF1 || m == mSOF2:
		return h.readFrameHeader(m, body)
	case m == mDHT || m == mJPG:
	case m == mDAC || m >= mSOF0+9 && m <= mSOF15:
		return UnsupportedError("arithmetic coding")
	case m == mSOF0+3:
		return UnsupportedError("lossless coding")
	case m > mSOF0+3 && m < mSOF15:
		return UnsupportedError("hierarchical coding")
	case m == mDNL:
		return UnsupportedError("number of lines is declared late")
	}
	return nil
}

// readFrameHeader reads a frame header, T.81 B.2.2.
func (h *header) readFrameHeader(m byte, b []byte) error {
	if h.hasFrame {
		return FormatError("has two frame headers")
	}
	if len(b) < 6 || len(b) != 6+3*int(b[5]) {
		return FormatError("bad frame header")
	}
	if b[0] != 8 {
		return UnsupportedError(fmt.Sprintf("%d bits a sample: must be 8", b[0]))
	}
	c := Config{
		Height:      int(b[1])<<8 | int(b[2]),
		Width:       int(b[3])<<8 | int(b[4]),
		Components:  int(b[5]),
		Progressive: m == mSOF2,
	}
	switch {
	case c.Height == 0:
		return UnsupportedError("number of lines is declared late")
	case c.Width == 0:
		return FormatError("is 0 samples wide")
	case c.Components == 4:
		return UnsupportedError("CMYK: must be grey or YCbCr")
	case c.Components != 1 && c.Components != 3:
		return UnsupportedError(fmt.Sprintf("%d components: must be grey or YCbCr", c.Components))
	}
	for i := range c.Components {
		s := b[6+3*i:]
		h.comp[i] = component{id: s[0], h: int(s[1] >> 4), v: int(s[1] & 15), quantTable: s[2]}
	}
	h.config, h.hasFrame = c, true
	return h.checkSampling()
}

// checkSampling checks the sampling factors and completes the Config.
func (h *header) checkSampling() error {
	if h.config.Components == 1 {
		// A single component is never interleaved: its factors have no effect.
		h.comp[0].h, h.comp[0].v = 1, 1
	}
	luma := h.comp[0]
	for i, c := range h.comp[:h.config.Components] {
		if c.h < 1 || c.h > 4 || c.v < 1 || c.v > 4 || c.quantTable > 3 {
			return FormatError("bad frame header")
		}
		if c.h > luma.h || c.v > luma.v {
			return UnsupportedError("luma is coarser than chroma")
		}
		for _, other := range h.comp[:i] {
			if other.id == c.id {
				return FormatError("two components with one name")
			}
		}
	}
	h.config.H, h.config.V = luma.h, luma.v
	return nil
}

// checkSupported runs at the first scan, when all segments that define the
// components' colour space have been read. It refuses RGB by the rules of
// libjpeg: the Adobe transform flag, or the component identifiers R, G, B,
// unless a JFIF marker says YCbCr.
func (h *header) checkSupported() error {
	if !h.hasFrame {
		return FormatError("has no frame header")
	}
	if c := h.config; c.Progressive && int64(c.Width)*int64(c.Height) > maxProgressiveSamples {
		return UnsupportedError(fmt.Sprintf("progressive picture of %d×%d: must have at most %d samples",
			c.Width, c.Height, maxProgressiveSamples))
	}
	if h.config.Components != 3 || h.jfif {
		return nil
	}
	rgb := h.comp[0].id == 'R' && h.comp[1].id == 'G' && h.comp[2].id == 'B'
	if h.adobe && h.adobeTransform == 0 || !h.adobe && rgb {
		return UnsupportedError("RGB: must be grey or YCbCr")
	}
	return nil
}

// quantTable is a quantisation table (DQT), prepared for the inner loop: factor
// and destination by zigzag index.
type quantTable struct {
	set  bool
	step [64]quantStep
}

// quantStep belongs to one coefficient.
type quantStep struct {
	q           int32
	nonZeroBits uint16 // bit 8+row and bit column: see Decoder.nonZeroRows
	pos         uint8
}

// zigzag maps the zigzag index of a coefficient to its natural, row by row
// index: T.81 figure A.6.
var zigzag = [64]uint8{
	0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5,
	12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21, 28,
	35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51,
	58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
}

// readQuantTables reads a DQT segment, T.81 B.2.4.1.
func (d *Decoder) readQuantTables(b []byte) error {
	for len(b) > 0 {
		wide, id := int(b[0]>>4), b[0]&15
		if wide > 1 || id > 3 || len(b) < 1+64<<wide {
			return FormatError("bad quantisation table")
		}
		b = b[1:]
		t := &d.quant[id]
		for k := range 64 {
			q := uint16(b[0])
			if wide == 1 {
				q = q<<8 | uint16(b[1])
			}
			b = b[1+wide:]
			t.step[k] = quantStep{q: int32(q), pos: zigzag[k], nonZeroBits: 1<<(zigzag[k]>>3+8) | 1<<(zigzag[k]&7)}
		}
		t.set = true
	}
	return nil
}
