package camera

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"
)

// This file reads the H.264 samples of an MP4 file (ISO/IEC 14496-12), in one index
// or in fragments. An MP4 file is a sequence of boxes, section 4.2: length, type,
// content.
//
// It is written by hand: MP4 libraries (such as abema/go-mp4) unfold the sample
// tables of a file in Go's heap, as large as a hostile file says. Here they are read
// in place, entry by entry, and a sample is read to the memory that Limits hands in.

// The lengths of a box's header, in bytes, with a 32-bit and a 64-bit length.
const (
	boxHeadLen      = 8
	largeBoxHeadLen = 16
)

// maxIndexLen is the largest moov or moof box, in bytes: about a day at 25 pictures
// a second. Chosen by hand.
const maxIndexLen = 48 << 20

// isMP4 reports whether the first box is ftyp.
func isMP4(b []byte) bool { return len(b) >= boxHeadLen && string(b[4:8]) == "ftyp" }

var errMP4 = errors.New("damaged MP4 file")

// nextBox splits b into its first box and the rest: the content of the box without
// its header.
func nextBox(b []byte) (kind string, content, rest []byte, err error) {
	if len(b) < boxHeadLen {
		return "", nil, nil, errMP4
	}
	size, head := uint64(binary.BigEndian.Uint32(b)), boxHeadLen
	switch size {
	case 0: // to the end of the file
		size = uint64(len(b))
	case 1: // a 64-bit length follows
		if len(b) < largeBoxHeadLen {
			return "", nil, nil, errMP4
		}
		size, head = binary.BigEndian.Uint64(b[8:]), largeBoxHeadLen
	}
	if size < uint64(head) || size > uint64(len(b)) {
		return "", nil, nil, errMP4
	}
	return string(b[4:8]), b[head:size], b[size:], nil
}

// eachBox calls f with each box of b.
func eachBox(b []byte, f func(kind string, content []byte) error) error {
	for len(b) > 0 {
		kind, content, rest, err := nextBox(b)
		if err != nil {
			return err
		}
		if err := f(kind, content); err != nil {
			return err
		}
		b = rest
	}
	return nil
}

// mp4Sample is one access unit.
type mp4Sample struct {
	at   int64 // offset in the file
	size int64 // bytes
	time time.Duration
}

// mp4Reader reads the samples of the first H.264 track in decoding order.
type mp4Reader struct {
	file     io.ReaderAt
	length   int64
	track    mp4Track
	sample   sampleCursor
	fragment fragmentCursor
	begin    int64 // offset of the first box behind moov: fragments may follow
}

// mp4Track is what moov says of the track.
type mp4Track struct {
	id        uint32
	timescale uint32   // units in a second
	lengths   int      // bytes of the length before each NAL unit
	params    [][]byte // parameter sets
	coding    string   // of the sample description, such as avc1
	tables    sampleTables
	defaults  sampleDefaults // of fragments
}

// newMP4Reader reads the index of a file.
func newMP4Reader(file io.ReaderAt, length int64) (*mp4Reader, error) {
	m := &mp4Reader{file: file, length: length}
	for at := int64(0); ; {
		kind, content, next, err := m.boxAt(at)
		if err != nil {
			return nil, err
		}
		if kind == "moov" {
			index, err := m.readIndex(content, next)
			if err != nil {
				return nil, err
			}
			if m.track, err = parseMoov(index); err != nil {
				return nil, err
			}
			m.begin = next
			m.rewind()
			return m, nil
		}
		at = next
	}
}

// rewind goes back to the first sample.
func (m *mp4Reader) rewind() {
	m.sample = sampleCursor{}
	m.fragment = fragmentCursor{next: m.begin}
}

// boxAt reads the head of the box at an offset and returns the offsets of its
// content and of the next box. io.EOF is the end of the file.
func (m *mp4Reader) boxAt(at int64) (kind string, content, next int64, err error) {
	var b [largeBoxHeadLen]byte
	if at >= m.length {
		return "", 0, 0, io.EOF
	}
	n, err := m.file.ReadAt(b[:min(largeBoxHeadLen, m.length-at)], at)
	if n < boxHeadLen {
		if err == nil || err == io.EOF {
			err = errMP4
		}
		return "", 0, 0, err
	}
	size, head := uint64(binary.BigEndian.Uint32(b[:])), int64(boxHeadLen)
	switch size {
	case 0:
		size = uint64(m.length - at)
	case 1:
		size, head = binary.BigEndian.Uint64(b[8:]), largeBoxHeadLen
	}
	if size < uint64(head) || size > uint64(m.length-at) || int64(n) < head {
		return "", 0, 0, errMP4
	}
	return string(b[4:8]), at + head, at + int64(size), nil
}

// readIndex reads a box that holds no picture.
func (m *mp4Reader) readIndex(content, next int64) ([]byte, error) {
	if next-content > maxIndexLen {
		return nil, errMP4
	}
	b := make([]byte, next-content)
	if _, err := m.file.ReadAt(b, content); err != nil && err != io.EOF {
		return nil, err
	}
	return b, nil
}

// next returns the next sample; io.EOF behind the last.
func (m *mp4Reader) next() (s mp4Sample, err error) {
	var at int64 // in units of the timescale
	if m.sample.number < m.track.tables.samples {
		s.at, s.size, at, err = m.sample.advance(&m.track.tables)
	} else {
		s.at, s.size, at, err = m.fragment.advance(m)
	}
	if err == nil && (s.at < 0 || s.size < 0 || s.at > m.length-s.size) {
		err = errMP4
	}
	s.time = time.Duration(float64(at) / float64(m.track.timescale) * float64(time.Second))
	return s, err
}

// parseMoov finds the first video track with H.264.
func parseMoov(moov []byte) (t mp4Track, err error) {
	other := ""
	found := false
	var defaults []byte
	err = eachBox(moov, func(kind string, in []byte) error {
		if kind == "mvex" {
			defaults = in
		}
		if kind != "trak" || found {
			return nil
		}
		track, err := parseTrak(in)
		if err != nil {
			return err
		}
		switch track.coding {
		case "avc1", "avc3":
			t, found = track, true
		case "":
		default:
			other = track.coding
		}
		return nil
	})
	switch {
	case err != nil:
		return t, err
	case !found && (other == "hvc1" || other == "hev1"):
		return t, errors.New("H.265: set the camera to H.264")
	case !found && other != "":
		return t, fmt.Errorf("%s: set the camera to H.264", nameCoding(other))
	case !found:
		return t, errors.New("holds no video")
	}
	return t, t.parseDefaults(defaults)
}

// parseTrak reads one track. The coding of one without video is "".
func parseTrak(trak []byte) (t mp4Track, err error) {
	video := false
	var read func(kind string, in []byte) error
	read = func(kind string, in []byte) error {
		switch kind {
		case "mdia", "minf", "stbl":
			return eachBox(in, read)
		case "tkhd":
			t.id = field(in, 12, 20)
		case "mdhd":
			t.timescale = field(in, 12, 20)
		case "hdlr":
			video = len(in) >= 12 && string(in[8:12]) == "vide"
		case "stsd":
			return t.parseDescription(in)
		default:
			return t.tables.keep(kind, in)
		}
		return nil
	}
	if err := eachBox(trak, read); err != nil {
		return t, err
	}
	if !video {
		t.coding = ""
		return t, nil
	}
	if t.timescale == 0 {
		return t, errMP4
	}
	return t, nil
}

// field returns the 32-bit number at an offset that depends on the version of a full
// box (section 4.2), or 0 where the box is shorter.
func field(in []byte, v0, v1 int) uint32 {
	at := v0
	if len(in) > 0 && in[0] == 1 {
		at = v1
	}
	if len(in) < at+4 {
		return 0
	}
	return binary.BigEndian.Uint32(in[at:])
}

// Lengths in stsd, section 8.5.2, and in VisualSampleEntry, section 12.1.3.
const (
	entryListHead = 8
	visualEntry   = 78
)

// parseDescription reads the first sample description and its decoder
// configuration, avcC (ISO/IEC 14496-15, section 5.3.3.1).
func (t *mp4Track) parseDescription(in []byte) error {
	if len(in) < entryListHead {
		return errMP4
	}
	kind, entry, _, err := nextBox(in[entryListHead:])
	if err != nil {
		return err
	}
	t.coding = kind
	if kind != "avc1" && kind != "avc3" {
		return nil
	}
	if len(entry) < visualEntry {
		return errMP4
	}
	return eachBox(entry[visualEntry:], func(kind string, in []byte) error {
		if kind != "avcC" {
			return nil
		}
		return t.parseConfiguration(in)
	})
}

// parseConfiguration reads avcC: the length of lengths, and the parameter sets.
func (t *mp4Track) parseConfiguration(in []byte) error {
	if len(in) < 6 || in[0] != 1 {
		return errMP4
	}
	t.lengths = int(in[4]&3) + 1
	count, rest := int(in[5]&0x1f), in[6:]
	for sets := range 2 {
		for range count {
			if len(rest) < 2 {
				return errMP4
			}
			n := int(binary.BigEndian.Uint16(rest))
			if rest = rest[2:]; len(rest) < n {
				return errMP4
			}
			t.params, rest = append(t.params, rest[:n]), rest[n:]
		}
		if sets == 0 {
			if len(rest) < 1 {
				return errMP4
			}
			count, rest = int(rest[0]), rest[1:]
		}
	}
	return nil
}

// eachNAL calls f with each NAL unit of a sample.
func (t *mp4Track) eachNAL(sample []byte, f func(nal []byte) error) error {
	var first error
	for len(sample) > 0 {
		if len(sample) < t.lengths {
			return errMP4
		}
		n := 0
		for _, b := range sample[:t.lengths] {
			n = n<<8 | int(b)
		}
		if sample = sample[t.lengths:]; n > len(sample) {
			return errMP4
		}
		if err := f(sample[:n]); err != nil && first == nil {
			first = err
		}
		sample = sample[n:]
	}
	return first
}
