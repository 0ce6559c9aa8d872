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
	hollowSize   = 1 << 20   // smaller files are not worth the copy
	compactAgain = time.Hour // after a copy that did not work
	copyBatch    = 256 << 10 // bytes a transaction of the copy
)

// compactWhenHollow copies the file when over half of it is free: bbolt's files
// never shrink. A copy that does not work changes nothing.
func (s *Store) compactWhenHollow() {
	st, size := s.db.Stats(), s.pages()
	free := int64(st.FreePageN+st.PendingPageN) * int64(s.db.Info().PageSize)
	if size < hollowSize || free <= size/2 || time.Now().Before(s.compact) {
		return
	}
	if err := s.rewriteFile(); err != nil {
		s.compact = time.Now().Add(compactAgain)
		s.note("compaction_failed", map[string]any{"why": err.Error()})
	}
}

// pages is how far the file has ever been used, in bytes.
func (s *Store) pages() (n int64) {
	_ = s.db.View(func(tx *bolt.Tx) error { n = tx.Size(); return nil })
	return n
}

// rewriteFile writes the file anew and puts it in the place of the old one.
// Until the rename the old file is whole, and the new one is synced before it,
// so a power cut leaves one or the other.
func (s *Store) rewriteFile() (err error) {
	tmp := s.path + compacting
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", ErrDamaged, p)
		}
	}()
	if err := os.Remove(tmp); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	o := s.options()
	o.NoSync = true // synced once, at the end
	fresh, err := openBolt(tmp, o)
	if err != nil {
		return err
	}
	if err := s.copyTo(fresh); err != nil {
		return errors.Join(err, fresh.Close(), os.Remove(tmp))
	}
	if err := os.Rename(tmp, s.path); err != nil {
		return errors.Join(err, fresh.Close(), os.Remove(tmp))
	}
	// From here the new file is the spool, whatever else goes wrong.
	old := s.db
	s.db = fresh
	s.wrote.moved()
	return errors.Join(syncDir(s.path), old.Close())
}

func (s *Store) copyTo(fresh *bolt.DB) error {
	if err := bolt.Compact(fresh, s.db, copyBatch); err != nil {
		return err
	}
	if err := fresh.Sync(); err != nil {
		return err
	}
	fresh.NoSync = false
	return primeStats(fresh)
}

// shed gives back the memory under the parts of the file that were looked at.
// bbolt maps the whole file, and looks at every page of it on opening: that
// would count as the agent's for as long as it runs. What is needed again comes
// from the page cache.
func (s *Store) shed() {
	if s.db == nil {
		return
	}
	// Nothing depends on it, so its error says nothing.
	_, _, _ = unix.Syscall(unix.SYS_MADVISE, s.db.Info().Data, uintptr(s.pages()), unix.MADV_DONTNEED)
}
