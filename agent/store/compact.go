package store

import (
	"errors"
	"fmt"
	"os"
	"time"

	bolt "go.etcd.io/bbolt"
	"golang.org/x/sys/unix"
)

const (
	minCompactSize = 1 << 20   // bytes; a smaller file is not copied. Chosen by hand
	compactRetry   = time.Hour // delay after a copy that failed
	copyTxBytes    = 256 << 10 // bytes in one transaction of the copy
)

// compactIfSparse copies the file when more than half of it is free, because
// bbolt never shrinks a file. A copy that fails changes only the notes.
func (s *Store) compactIfSparse() {
	st, size := s.db.Stats(), s.fileExtent()
	free := int64(st.FreePageN+st.PendingPageN) * int64(s.db.Info().PageSize)
	if size < minCompactSize || free <= size/2 || time.Now().Before(s.compactAt) {
		return
	}
	if err := s.rewriteFile(); err != nil {
		s.compactAt = time.Now().Add(compactRetry)
		s.addNote("compaction_failed", map[string]any{"why": err.Error()})
	}
}

// fileExtent returns the size of the file up to its last page ever used, in
// bytes.
func (s *Store) fileExtent() (n int64) {
	_ = s.db.View(func(tx *bolt.Tx) error { n = tx.Size(); return nil })
	return n
}

// rewriteFile copies the spool into a new file and renames it over the old one.
// The new file is synced before the rename, so a power cut leaves one of the
// two, whole.
func (s *Store) rewriteFile() (err error) {
	tmp := s.path + compactSuffix
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", ErrDamaged, p)
		}
	}()
	if err := os.Remove(tmp); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	o := s.boltOptions()
	o.NoSync = true // synced once, at the end
	fresh, err := openBolt(tmp, o)
	if err != nil {
		return err
	}
	if err := s.copyInto(fresh); err != nil {
		return errors.Join(err, fresh.Close(), os.Remove(tmp))
	}
	if err := os.Rename(tmp, s.path); err != nil {
		return errors.Join(err, fresh.Close(), os.Remove(tmp))
	}
	// From here the new file is the spool, even if an error follows.
	old := s.db
	s.db = fresh
	s.writes.changeHandle()
	s.scrub = scrubber{}
	return errors.Join(syncDir(s.path), old.Close())
}

// copyInto copies all buckets into fresh and syncs it.
func (s *Store) copyInto(fresh *bolt.DB) error {
	if err := bolt.Compact(fresh, s.db, copyTxBytes); err != nil {
		return err
	}
	if err := fresh.Sync(); err != nil {
		return err
	}
	fresh.NoSync = false
	return primeStats(fresh)
}

// releasePages gives the memory of the mapped file back to the kernel
// (MADV_DONTNEED). bbolt maps the whole file and reads every page of it in
// Open, which would count as the agent's memory for as long as it runs. Pages
// that are needed again come from the page cache.
func (s *Store) releasePages() {
	if s.db == nil {
		return
	}
	// Only the memory figure depends on it, so its error is ignored.
	_, _, _ = unix.Syscall(unix.SYS_MADVISE, s.db.Info().Data, uintptr(s.fileExtent()), unix.MADV_DONTNEED)
}
