package store

import (
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"time"
)

// defaultPage is the page size of a file whose meta pages are lost: bbolt takes the
// page size of the machine, which is 4096 bytes on all that kerb runs on.
const defaultPage = 4096

// expireAside overwrites the expired windows in the files that were put aside, and
// deletes a file that holds no window any more. A window there counts as expired where
// its age is not known: its record is damaged, or it is of another boot and one of
// label and clock is not believed. Errors of the disk wait for the next look.
func (s *Store) expireAside() {
	for _, why := range []string{"damaged", "foreign", "refused"} {
		files, _ := filepath.Glob(s.path + "." + why + "-*")
		for _, path := range files {
			if left, err := s.scrubAside(path); err == nil && left == 0 {
				_ = os.Remove(path)
			}
		}
	}
}

// scrubAside overwrites the pages of a file with an expired window, and those that
// cannot be read. It returns the number of windows that are left.
func (s *Store) scrubAside(path string) (left int, err error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	size := int64(defaultPage)
	v := pageWalker{f: f, seen: map[uint64]bool{}}
	if _, err := v.readMeta(info.Size()); err == nil {
		size = int64(v.size)
	}
	clocks := s.read(&s.st)
	var uptime time.Duration
	if s.uptime != nil {
		uptime = s.uptime()
	}
	for at := int64(0); at < info.Size(); {
		page, err := readPageAside(f, at, size)
		if err != nil {
			return left, err
		}
		n, keep := countDated(page, uint64(at/size), func(e Entry) bool { return clocks.isWithinRetention(e, uptime, s.keep) })
		if keep {
			left += n
		} else if _, err := f.WriteAt(make([]byte, len(page)), at); err != nil {
			return left, err
		}
		at += int64(len(page))
	}
	return left, f.Sync()
}

// readPageAside reads the page at an offset with its overflow pages, or the rest of
// the file.
func readPageAside(f io.ReaderAt, at, size int64) ([]byte, error) {
	page := make([]byte, size)
	n, err := f.ReadAt(page, at)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	page = page[:n]
	if n < int(size) || binary.LittleEndian.Uint64(page) != uint64(at/size) {
		return page, nil
	}
	if more := int64(binary.LittleEndian.Uint32(page[12:])); more > 0 && more*size <= maxPageBytes {
		whole := make([]byte, size*(1+more))
		if _, err := f.ReadAt(whole, at); err == nil {
			return whole, nil
		}
	}
	return page, nil
}

// countDated returns the number of windows in a page, and whether the page may stay:
// it can be read, and isDated holds for all of them.
func countDated(page []byte, id uint64, isDated func(Entry) bool) (n int, keep bool) {
	if isZero(page) {
		return 0, true
	}
	if len(page) < defaultPage || binary.LittleEndian.Uint64(page) != id {
		return 0, false
	}
	switch binary.LittleEndian.Uint16(page[8:]) {
	case branchPage, metaPage:
		return 0, true
	case leafPage:
		keep = true
		whole := eachRecord(page, func(order uint64, record []byte) {
			e, err := decodeRecord(order, record)
			keep = keep && err == nil && isDated(e)
			n++
		})
		return n, keep && whole
	}
	return 0, false
}

// isWithinRetention reports whether the age of a window of another file is known and
// below keep.
func (r reading) isWithinRetention(e Entry, uptime, keep time.Duration) bool {
	if r.boot != "" && e.Boot == r.boot && uptime > 0 {
		return uptime-e.Release.Mono() < keep
	}
	return e.Synced && !r.wall.IsZero() && e.Release.EndTime().After(r.wall.Add(-keep)) && !e.Release.EndTime().After(r.wall.Add(keep))
}
