package camera

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// riffReader iterates over the chunks of a RIFF file. RIFF is a tree, but in an
// AVI file the leaves in file order suffice: headers first, then the frames. So it
// enters every RIFF and LIST, and returns all other chunks. It needs no index, and
// reads OpenDML files of any size, because their RIFF parts follow each other.
//
// It is written by hand: golang.org/x/image/riff ends after the first RIFF part,
// refuses the lengths that a stopped recorder leaves, and its errors do not say at
// which byte a file is damaged or cut short.

// The sizes of RIFF headers, in bytes: name and length; for a list also its type.
const (
	chunkHeadLen = 8
	listHeadLen  = 12
)

// unknownSize is the least length that stands for an unknown one: recorders that
// write to a pipe leave 0xffffffff or a little less.
const unknownSize = 0xfffffff0

// riffChunk is one leaf of the tree.
type riffChunk struct {
	id   [4]byte
	at   int64 // offset of its data
	size int64 // bytes of its data
}

type riffReader struct {
	r       io.ReaderAt
	length  int64 // of the file
	pos     int64
	partEnd int64 // declared end of the current RIFF part; 0: unknown
	inMovi  bool  // a movi list has begun
	head    [listHeadLen]byte
}

// errShortFile reports a file that ends before a declared length.
type errShortFile struct{ at, want, have int64 }

// Error names the offset and both lengths.
func (e errShortFile) Error() string {
	return fmt.Sprintf("is cut short at byte %d: %d bytes are declared there and %d are present", e.at, e.want, e.have)
}

// nextChunk returns the next leaf, or io.EOF at the end that the file declares.
func (w *riffReader) nextChunk() (riffChunk, error) {
	for {
		left := w.length - w.pos
		outside := w.partEnd > 0 && w.pos >= w.partEnd // only another RIFF part may follow
		if left <= 0 && w.partEnd > w.length+1 {       // 1: the last byte may be padding, and missing
			return riffChunk{}, errShortFile{w.length, w.partEnd - w.length, 0}
		}
		if left <= 0 || outside && left < listHeadLen {
			return riffChunk{}, io.EOF
		}
		head := w.head[:min(listHeadLen, left)]
		if err := w.readFull(head, w.pos); err != nil {
			return riffChunk{}, err
		}
		if outside && string(head[:4]) != "RIFF" {
			return riffChunk{}, io.EOF
		}
		if len(head) < chunkHeadLen {
			return riffChunk{}, errShortFile{w.pos, chunkHeadLen, left}
		}
		id, size := [4]byte(head), int64(binary.LittleEndian.Uint32(head[4:]))
		list := string(id[:]) == "RIFF" || string(id[:]) == "LIST"
		if list && len(head) < listHeadLen {
			return riffChunk{}, errShortFile{w.pos, listHeadLen, left}
		}
		if list {
			w.enterList(head, size)
			continue
		}
		if !isPrintable(head[:4]) {
			return riffChunk{}, fmt.Errorf("is damaged at byte %d: no chunk starts there", w.pos)
		}
		c := riffChunk{id: id, at: w.pos + chunkHeadLen, size: size}
		if c.at+size > w.length {
			return riffChunk{}, errShortFile{w.pos, chunkHeadLen + size, left}
		}
		w.pos = c.at + size + size&1
		return c, nil
	}
}

// enterList moves to the first chunk of a list. The length of a RIFF part is
// unknown where a stopped recorder left zero, or one that writes to a pipe all
// ones.
func (w *riffReader) enterList(head []byte, size int64) {
	if string(head[:4]) == "RIFF" {
		w.partEnd = 0
		if size > listHeadLen-chunkHeadLen && size < unknownSize {
			w.partEnd = w.pos + chunkHeadLen + size
		}
	}
	w.inMovi = w.inMovi || string(head[8:]) == "movi"
	w.pos += listHeadLen
}

// readFull fills b from offset at. A file that is too short is an errShortFile.
func (w *riffReader) readFull(b []byte, at int64) error {
	n, err := w.r.ReadAt(b, at)
	if n == len(b) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		return errShortFile{at, int64(len(b)), int64(n)}
	}
	return err
}

// isPrintable reports whether a chunk's name is printable ASCII.
func isPrintable(id []byte) bool {
	for _, c := range id {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return true
}
