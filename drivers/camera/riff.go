package camera

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// A RIFF file is a tree of chunks, but in an AVI file the leaves in file order
// say everything, whatever lists they are in: headers first, then the frames.
// So the walk is flat: into RIFF and LIST, over all else. It needs no index
// and takes OpenDML files of any size, since each RIFF part follows the other.

// riffChunk is a leaf of the tree.
type riffChunk struct {
	id   [4]byte
	at   int64 // where its data starts
	size int64
}

type riffReader struct {
	r       io.ReaderAt
	length  int64
	pos     int64
	partEnd int64 // of the current RIFF part as declared; 0: not declared
	inMovi  bool  // the walk has come to the frames
	head    [12]byte
}

// errShortFile says that a file ends before what it declares.
type errShortFile struct{ at, want, have int64 }

func (e errShortFile) Error() string {
	return fmt.Sprintf("is cut short at byte %d: %d bytes are declared there and %d are present", e.at, e.want, e.have)
}

// nextChunk is the next leaf. io.EOF is the orderly end.
func (w *riffReader) nextChunk() (riffChunk, error) {
	for {
		left := w.length - w.pos
		outside := w.partEnd > 0 && w.pos >= w.partEnd // what follows the last part is no business of ours
		if left <= 0 && w.partEnd > w.length+1 {       // 1: the last byte may be padding, and missing
			return riffChunk{}, errShortFile{w.length, w.partEnd - w.length, 0}
		}
		if left <= 0 || outside && left < 12 {
			return riffChunk{}, io.EOF
		}
		head := w.head[:min(12, left)]
		if err := w.readFull(head, w.pos); err != nil {
			return riffChunk{}, err
		}
		if outside && string(head[:4]) != "RIFF" {
			return riffChunk{}, io.EOF
		}
		if len(head) < 8 {
			return riffChunk{}, errShortFile{w.pos, 8, left}
		}
		id, size := [4]byte(head), int64(binary.LittleEndian.Uint32(head[4:]))
		list := string(id[:]) == "RIFF" || string(id[:]) == "LIST"
		if list && len(head) < 12 {
			return riffChunk{}, errShortFile{w.pos, 12, left}
		}
		if list {
			w.enterList(head, size)
			continue
		}
		if !isPrintable(head[:4]) {
			return riffChunk{}, fmt.Errorf("is damaged at byte %d: no chunk starts there", w.pos)
		}
		c := riffChunk{id: id, at: w.pos + 8, size: size}
		if c.at+size > w.length {
			return riffChunk{}, errShortFile{w.pos, 8 + size, left}
		}
		w.pos = c.at + size + size&1
		return c, nil
	}
}

// enterList steps into a list. A recorder that was stopped hard leaves sizes of
// zero, one that writes to a pipe leaves all ones: then there is no end.
func (w *riffReader) enterList(head []byte, size int64) {
	if string(head[:4]) == "RIFF" {
		w.partEnd = 0
		if size > 4 && size < 0xfffffff0 {
			w.partEnd = w.pos + 8 + size
		}
	}
	w.inMovi = w.inMovi || string(head[8:]) == "movi"
	w.pos += 12
}

// readFull fills b from at.
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

func isPrintable(id []byte) bool {
	for _, c := range id {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return true
}
