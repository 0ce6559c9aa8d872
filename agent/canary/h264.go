package canary

import (
	"encoding/binary"
	"slices"
)

// bitWriter writes the bits of an RBSP (ITU-T H.264, 7.2 and 9.1).
type bitWriter struct {
	b    []byte
	used int // bits of the last byte
}

// u writes the n low bits of v.
func (w *bitWriter) u(n int, v uint32) {
	for i := n - 1; i >= 0; i-- {
		if w.used%8 == 0 {
			w.b, w.used = append(w.b, 0), 0
		}
		w.b[len(w.b)-1] |= byte(v>>i&1) << (7 - w.used)
		w.used++
	}
}

// ue writes Exp-Golomb codes.
func (w *bitWriter) ue(values ...uint32) {
	for _, v := range values {
		n := 0
		for v+1 >= 2<<n {
			n++
		}
		w.u(n, 0)
		w.u(n+1, v+1)
	}
}

// align writes zeros up to a whole byte.
func (w *bitWriter) align() { w.used = 8 }

// nal returns the NAL unit: its head, and the RBSP with its stop bit and with emulation
// prevention (7.4.1).
func (w *bitWriter) nal(head byte) []byte {
	w.u(1, 1)
	out, zeros := []byte{head}, 0
	for _, c := range w.b {
		if zeros >= 2 && c <= 3 {
			out, zeros = append(out, 3), 0
		}
		if out = append(out, c); c == 0 {
			zeros++
		} else {
			zeros = 0
		}
	}
	return out
}

// The heads of NAL units: nal_ref_idc 3 and nal_unit_type (7.3.1).
const (
	headIDR = 0x65
	headSEI = 0x06
	headSPS = 0x67
	headPPS = 0x68
)

const macroblock = 16 // pixels each way

// encodeParameters returns the sequence and the picture parameter set: Constrained
// Baseline, level 3, without deblocking.
func encodeParameters() (sps, pps []byte) {
	var s, p bitWriter
	s.u(24, 66<<16|0xc0<<8|30)
	s.ue(0, 0, 2, 0) // id, frame_num of 4 bits, order of output is that of decoding, no references
	s.u(1, 0)
	s.ue(Width/macroblock-1, Height/macroblock-1)
	s.u(4, 0b1100) // frames only, direct_8x8_inference; no cropping, no VUI
	p.ue(0, 0)     // ids
	p.u(2, 0)      // CAVLC
	p.ue(0, 0, 0)  // one slice group, one reference in each list
	p.u(3, 0)      // no weights
	p.ue(0, 0, 0)  // quantisers
	p.u(3, 0b100)  // deblocking_filter_control_present
	return s.nal(headSPS), p.nal(headPPS)
}

// encodePicture returns picture n as NAL units: an SEI message with the bytes of the
// mark, and an IDR picture whose macroblocks are I_PCM: the decoded pixels are those of
// LumaPixels.
func (m *Mark) encodePicture(n int) [][]byte {
	var sei, w bitWriter
	sei.u(16, uint32(5<<8|16+len(m.bytes)))                             // user_data_unregistered (D.1.7), length
	sei.b = append(append(sei.b, "kerb marked pict"...), m.bytes[:]...) // an identifier of 16 bytes
	w.ue(0, 7, 0)                                                       // first macroblock, I slice, parameter set
	w.u(4, 0)                                                           // frame_num
	w.ue(uint32(n % 2))
	w.u(2, 0)  // marking
	w.ue(0, 1) // quantiser, no deblocking
	pix := m.LumaPixels(n)
	for y := 0; y < Height; y += macroblock {
		for x := 0; x < Width; x += macroblock {
			w.ue(25) // I_PCM
			w.align()
			for row := range macroblock {
				w.b = append(w.b, pix[(y+row)*Width+x:][:macroblock]...)
			}
			for range 2 * macroblock * macroblock / 4 {
				w.b = append(w.b, 128) // chroma
			}
		}
	}
	return [][]byte{sei.nal(headSEI), w.nal(headIDR)}
}

// EncodeMP4 returns an MP4 file with so many marked pictures in H.264, a quarter of a
// second apart (ISO/IEC 14496-12 and 14496-15).
func (m *Mark) EncodeMP4(pictures int) []byte {
	sps, pps := encodeParameters()
	var data, sizes []byte
	for n := range pictures {
		size := 0
		for _, nal := range m.encodePicture(n) {
			data = append(binary.BigEndian.AppendUint32(data, uint32(len(nal))), nal...)
			size += 4 + len(nal)
		}
		sizes = binary.BigEndian.AppendUint32(sizes, uint32(size))
	}
	ftyp := box("ftyp", []byte("isom\x00\x00\x02\x00isomavc1"))
	avcC := slices.Concat([]byte{1, sps[1], sps[2], sps[3], 0xff, 0xe1}, word16(len(sps)), sps, []byte{1}, word16(len(pps)), pps)
	entry := slices.Concat(make([]byte, 6), word16(1), make([]byte, 16), word16(Width), word16(Height), make([]byte, 50), box("avcC", avcC))
	moov := func(at int) []byte {
		stbl := box("stbl",
			box("stsd", words(0, 1), box("avc1", entry)), box("stts", words(0, 1, pictures, 1)),
			box("stsc", words(0, 1, 1, pictures, 1)), box("stsz", words(0, 0, pictures), sizes), box("stco", words(0, 1, at)))
		return box("moov",
			box("mvhd", words(0, 0, 0, 4, pictures), make([]byte, 80)),
			box("trak", box("tkhd", words(7, 0, 0, 1, 0, pictures), make([]byte, 60)),
				box("mdia", box("mdhd", words(0, 0, 0, 4, pictures, 0)),
					box("hdlr", words(0, 0), []byte("vide"), make([]byte, 13)), box("minf", box("vmhd", words(1, 0, 0)), stbl))))
	}
	at := len(ftyp) + len(moov(0)) + 8
	return slices.Concat(ftyp, moov(at), box("mdat", data))
}

// box returns a box of a type with its contents.
func box(kind string, contents ...[]byte) []byte {
	body := slices.Concat(contents...)
	return slices.Concat(words(8+len(body)), []byte(kind), body)
}

// words returns 32-bit numbers, the most significant byte first.
func words(values ...int) (b []byte) {
	for _, v := range values {
		b = binary.BigEndian.AppendUint32(b, uint32(v))
	}
	return b
}

// word16 returns a 16-bit number.
func word16(v int) []byte { return binary.BigEndian.AppendUint16(nil, uint16(v)) }
