package camera

import (
	"encoding/binary"
	"io"
)

// sampleTables are the tables of stbl (ISO/IEC 14496-12, sections 8.6 and 8.7) as
// they lie in the file, without their heads.
type sampleTables struct {
	samples   uint32 // their number
	size      uint32 // of each; 0: in sizes
	sizes     []byte // stsz: 32 bits each
	durations []byte // stts: count, delta
	offsets   []byte // ctts: count, offset
	chunks    []byte // stsc: first chunk, samples in each, description
	at        []byte // stco or co64: offset of each chunk
	wide      bool   // co64
}

// keep checks a table and keeps it.
func (t *sampleTables) keep(kind string, in []byte) error {
	head, width := 8, 0
	switch kind {
	case "stsz":
		head, width = 12, 4
	case "stts", "ctts", "co64":
		width = 8
	case "stsc":
		width = 12
	case "stco":
		width = 4
	default:
		return nil
	}
	if len(in) < head {
		return errMP4
	}
	n := uint64(binary.BigEndian.Uint32(in[head-4:]))
	if kind == "stsz" {
		if t.size = binary.BigEndian.Uint32(in[4:]); t.size != 0 {
			t.samples = uint32(n)
			return nil
		}
	}
	if n*uint64(width) > uint64(len(in)-head) {
		return errMP4
	}
	body := in[head : head+int(n)*width]
	switch kind {
	case "stsz":
		t.samples, t.sizes = uint32(n), body
	case "stts":
		t.durations = body
	case "ctts":
		t.offsets = body
	case "stsc":
		t.chunks = body
	default:
		t.at, t.wide = body, kind == "co64"
	}
	return nil
}

// sampleCursor is the place of the next sample in each table.
type sampleCursor struct {
	number   uint32 // of the sample
	dts      int64
	duration runCursor // in stts
	offset   runCursor // in ctts
	chunk    uint32    // number of the next chunk, from 0
	entry    int       // of stsc
	inChunk  uint32    // samples left in the chunk at hand
	at       int64     // of the next sample
}

// runCursor is a place in a table of runs: count, value.
type runCursor struct {
	entry int
	used  uint32
}

// advance returns the value of the next sample.
func (c *runCursor) advance(table []byte) (uint32, bool) {
	for 8*c.entry < len(table) {
		e := table[8*c.entry:]
		if c.used < binary.BigEndian.Uint32(e) {
			c.used++
			return binary.BigEndian.Uint32(e[4:]), true
		}
		c.entry++
		c.used = 0
	}
	return 0, false
}

// advance returns place, size and presentation time of the next sample.
func (c *sampleCursor) advance(t *sampleTables) (at, size, pts int64, err error) {
	for c.inChunk == 0 {
		if err := c.nextChunk(t); err != nil {
			return 0, 0, 0, err
		}
	}
	if size = int64(t.size); size == 0 {
		size = int64(binary.BigEndian.Uint32(t.sizes[4*c.number:]))
	}
	at, pts = c.at, c.dts
	if len(t.offsets) > 0 {
		offset, _ := c.offset.advance(t.offsets)
		pts += int64(int32(offset))
	}
	delta, ok := c.duration.advance(t.durations)
	if !ok {
		return 0, 0, 0, errMP4
	}
	c.dts += int64(delta)
	c.at += size
	c.inChunk--
	c.number++
	return at, size, pts, nil
}

// nextChunk moves to the next chunk.
func (c *sampleCursor) nextChunk(t *sampleTables) error {
	width := 4
	if t.wide {
		width = 8
	}
	if int(c.chunk) >= len(t.at)/width || len(t.chunks) == 0 {
		return errMP4
	}
	if t.wide {
		c.at = int64(binary.BigEndian.Uint64(t.at[8*c.chunk:]))
	} else {
		c.at = int64(binary.BigEndian.Uint32(t.at[4*c.chunk:]))
	}
	c.chunk++
	if next := c.entry + 1; 12*next < len(t.chunks) && binary.BigEndian.Uint32(t.chunks[12*next:]) <= c.chunk {
		c.entry = next
	}
	c.inChunk = binary.BigEndian.Uint32(t.chunks[12*c.entry+4:])
	return nil
}

// sampleDefaults are the defaults of a fragment's samples: of trex in moov
// (section 8.8.3), then of tfhd.
type sampleDefaults struct{ duration, size uint32 }

// parseDefaults reads trex of the track.
func (t *mp4Track) parseDefaults(mvex []byte) error {
	return eachBox(mvex, func(kind string, in []byte) error {
		if kind == "trex" && len(in) >= 24 && binary.BigEndian.Uint32(in[4:]) == t.id {
			t.defaults = sampleDefaults{binary.BigEndian.Uint32(in[12:]), binary.BigEndian.Uint32(in[16:])}
		}
		return nil
	})
}

// fragmentCursor is the place of the next sample in the fragments of a file
// (section 8.8): in the run at hand, then in the runs left of the moof at hand.
type fragmentCursor struct {
	next     int64 // offset of the next box of the file
	moof     int64 // offset of the moof at hand
	runs     []byte
	base     int64 // of data offsets
	defaults sampleDefaults
	dts      int64
	run      trackRun
}

// trackRun is trun (section 8.8.8).
type trackRun struct {
	flags   uint32
	left    uint32
	entries []byte
	at      int64
}

// Flags of tfhd (section 8.8.7) and trun (section 8.8.8).
const (
	tfhdBaseOffset  = 0x1
	tfhdDescription = 0x2
	tfhdDuration    = 0x8
	tfhdSize        = 0x10
	trunOffset      = 0x1
	trunFirstFlags  = 0x4
	trunDuration    = 0x100
	trunSize        = 0x200
	trunFlags       = 0x400
	trunComposition = 0x800
)

// advance returns place, size and presentation time of the next sample.
func (c *fragmentCursor) advance(m *mp4Reader) (at, size, pts int64, err error) {
	for c.run.left == 0 {
		if len(c.runs) == 0 {
			err = c.nextFragment(m)
		} else {
			err = c.nextBox()
		}
		if err != nil {
			return 0, 0, 0, err
		}
	}
	r := &c.run
	r.left--
	take := func(flag, otherwise uint32) uint32 {
		if r.flags&flag == 0 || len(r.entries) < 4 {
			return otherwise
		}
		v := binary.BigEndian.Uint32(r.entries)
		r.entries = r.entries[4:]
		return v
	}
	duration := take(trunDuration, c.defaults.duration)
	size = int64(take(trunSize, c.defaults.size))
	take(trunFlags, 0)
	pts = c.dts + int64(int32(take(trunComposition, 0)))
	if size == 0 {
		return 0, 0, 0, errMP4 // so that each sample takes a byte of the file
	}
	at = r.at
	r.at += size
	c.dts += int64(duration)
	return at, size, pts, nil
}

// nextFragment moves to the track's traf in the next moof.
func (c *fragmentCursor) nextFragment(m *mp4Reader) error {
	kind, content, next, err := m.boxAt(c.next)
	if err != nil {
		return err
	}
	at := c.next
	c.next = next
	if kind != "moof" {
		return nil
	}
	moof, err := m.readIndex(content, next)
	if err != nil {
		return err
	}
	c.moof = at
	return eachBox(moof, func(kind string, in []byte) error {
		if kind != "traf" || len(c.runs) > 0 {
			return nil
		}
		if head, body, rest, err := nextBox(in); err != nil {
			return err
		} else if head == "tfhd" && len(body) >= 8 && binary.BigEndian.Uint32(body[4:]) == m.track.id {
			c.runs = rest
			return c.parseHead(body, m.track.defaults)
		}
		return nil
	})
}

// parseHead reads tfhd.
func (c *fragmentCursor) parseHead(in []byte, defaults sampleDefaults) error {
	flags, rest := binary.BigEndian.Uint32(in)&0xffffff, in[8:]
	c.base, c.defaults = c.moof, defaults
	defer func() { c.run.at = c.base }() // of a first run without an offset
	for _, f := range []struct {
		flag  uint32
		width int
		set   func(b []byte)
	}{
		{tfhdBaseOffset, 8, func(b []byte) { c.base = int64(binary.BigEndian.Uint64(b)) }},
		{tfhdDescription, 4, func([]byte) {}},
		{tfhdDuration, 4, func(b []byte) { c.defaults.duration = binary.BigEndian.Uint32(b) }},
		{tfhdSize, 4, func(b []byte) { c.defaults.size = binary.BigEndian.Uint32(b) }},
	} {
		if flags&f.flag == 0 {
			continue
		}
		if len(rest) < f.width {
			return errMP4
		}
		f.set(rest)
		rest = rest[f.width:]
	}
	return nil
}

// nextBox reads the next box of traf: tfdt or trun.
func (c *fragmentCursor) nextBox() error {
	kind, in, rest, err := nextBox(c.runs)
	if err != nil {
		return err
	}
	c.runs = rest
	switch kind {
	case "tfdt":
		if len(in) < 8 || in[0] == 1 && len(in) < 12 {
			return errMP4
		}
		if c.dts = int64(binary.BigEndian.Uint32(in[4:])); in[0] == 1 {
			c.dts = int64(binary.BigEndian.Uint64(in[4:]))
		}
	case "trun":
		return c.parseRun(in)
	}
	return nil
}

// parseRun reads trun.
func (c *fragmentCursor) parseRun(in []byte) error {
	if len(in) < 8 {
		return errMP4
	}
	flags := binary.BigEndian.Uint32(in) & 0xffffff
	r := trackRun{flags: flags, left: binary.BigEndian.Uint32(in[4:]), entries: in[8:], at: c.run.at}
	if flags&trunOffset != 0 {
		if len(r.entries) < 4 {
			return errMP4
		}
		r.at = c.base + int64(int32(binary.BigEndian.Uint32(r.entries)))
		r.entries = r.entries[4:]
	}
	if flags&trunFirstFlags != 0 {
		if len(r.entries) < 4 {
			return errMP4
		}
		r.entries = r.entries[4:]
	}
	width := uint64(0)
	for _, f := range []uint32{trunDuration, trunSize, trunFlags, trunComposition} {
		if flags&f != 0 {
			width += 4
		}
	}
	if uint64(r.left)*width > uint64(len(r.entries)) {
		return errMP4
	}
	c.run = r
	return nil
}

// readSample reads a sample to the memory of limits.
func (m *mp4Reader) readSample(s mp4Sample, buf []byte, l *Limits) ([]byte, error) {
	if s.size > int64(l.MaxBytes) {
		return buf[:0], errMP4
	}
	buf, err := l.growBuffer(buf, int(s.size))
	if err != nil {
		return buf[:0], err
	}
	if n, err := m.file.ReadAt(buf, s.at); n < len(buf) && err != nil {
		return buf[:0], io.ErrUnexpectedEOF
	}
	return buf, nil
}
