package store

import (
	"encoding/binary"
	"math"
	"os"
	"slices"

	bolt "go.etcd.io/bbolt"
)

// noWindow is the residue of a page that holds no window.
const noWindow = math.MaxUint64

// scrubber overwrites the free pages of the file that hold windows older than the oldest
// one that is stored. bbolt frees the page of a deleted record and leaves its bytes there
// until it needs the page.
//
// A page is overwritten when two transactions in a row have left it free: then neither
// of the two trees that the file holds, the newest and the one that bbolt falls back to
// after a power cut, refers to it.
type scrubber struct {
	residue map[uint64]uint64 // free page → the lowest order of the windows in its bytes, or noWindow
	stale   bool              // a free page holds a deleted window, and may be overwritten after the next transaction
}

// scrubFreed overwrites the free pages that hold deleted windows. It runs after each
// transaction, under the lock. What fails is tried again after the next.
func (s *Store) scrubFreed() {
	f, err := os.OpenFile(s.path, os.O_RDWR, 0)
	if err != nil {
		return
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return
	}
	before := s.scrub.residue
	s.scrub = scrubber{residue: map[uint64]uint64{}}
	size := int64(s.db.Info().PageSize)
	page, zeros := make([]byte, size), make([]byte, size)
	_ = s.db.View(func(tx *bolt.Tx) error {
		oldest := oldestOrder(tx.Bucket(windowsBucket))
		for id := uint64(2); int64(id+1)*size <= info.Size(); id++ {
			if p, err := tx.Page(int(id)); err != nil || p != nil && p.Type != "free" {
				continue
			}
			lowest, wasFree := before[id]
			if !wasFree {
				if _, err := f.ReadAt(page, int64(id)*size); err != nil {
					return err
				}
				lowest = lowestOrder(page, id)
			}
			if wasFree && lowest < oldest && lowest != noWindow {
				if _, err := f.WriteAt(zeros, int64(id)*size); err == nil {
					lowest = noWindow
				}
			}
			s.scrub.residue[id] = lowest
			s.scrub.stale = s.scrub.stale || lowest < oldest && lowest != noWindow
		}
		return nil
	})
}

// lowestOrder returns the lowest order of the windows in the bytes of a free page, or
// noWindow. It is 0 where the page cannot be read as a page of that number, such as the
// second half of a page of double size.
func lowestOrder(page []byte, id uint64) uint64 {
	if isZero(page) {
		return noWindow
	}
	flags := binary.LittleEndian.Uint16(page[8:])
	if binary.LittleEndian.Uint64(page) != id || flags != leafPage && flags != branchPage {
		return 0
	}
	if flags == branchPage {
		return noWindow
	}
	lowest := uint64(noWindow)
	if !eachRecord(page, func(order uint64, _ []byte) { lowest = min(lowest, order) }) {
		return 0
	}
	return lowest
}

// eachRecord calls f with the records in the bytes of a leaf page, also in a bucket
// that is so small that bbolt keeps it inside the page of its parent. It reports
// whether the whole page could be read.
func eachRecord(page []byte, f func(order uint64, record []byte)) bool {
	count := int(binary.LittleEndian.Uint16(page[10:]))
	if pageHeader+count*pageElement > len(page) {
		return false
	}
	for i := range count {
		at := pageHeader + i*pageElement
		key, value, err := readElement(page, at, true)
		switch flags := binary.LittleEndian.Uint32(page[at:]); {
		case err != nil:
			return false
		case flags == bucketLeaf && len(value) >= bucketHeader+pageHeader && binary.LittleEndian.Uint64(value) == 0:
			if !eachRecord(value[bucketHeader:], f) {
				return false
			}
		case flags == 0 && len(key) == 8:
			f(binary.BigEndian.Uint64(key), value)
		}
	}
	return true
}

// isZero reports whether b holds only zeros.
func isZero(b []byte) bool { return !slices.ContainsFunc(b, func(c byte) bool { return c != 0 }) }
