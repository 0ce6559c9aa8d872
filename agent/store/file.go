package store

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// Buckets and keys of the file.
var (
	windowsBucket = []byte("windows")
	accountBucket = []byte("account")
	stateKey      = []byte("state")
)

const (
	compacting = ".compact" // the new file while it is not whole
	keptFiles  = 4          // damaged files kept; the last is replaced when there are more
)

func (s *Store) options() *bolt.Options {
	return &bolt.Options{
		Timeout:        time.Second,
		NoFreelistSync: true,
		FreelistType:   bolt.FreelistMapType,
		MaxSize:        int(s.limit),
		ReadOnly:       s.readOnly,
	}
}

// load opens, checks and reads the file, and makes it when there is none.
func (s *Store) load() error {
	switch info, err := os.Stat(s.path); {
	case errors.Is(err, fs.ErrNotExist) && !s.readOnly:
		return s.create()
	case err != nil:
		return err
	case info.IsDir():
		return fmt.Errorf("%w: a directory", ErrForeign)
	case info.Size() == 0 && s.readOnly:
		return fmt.Errorf("%w: empty", ErrDamaged)
	case info.Size() == 0:
		return s.create()
	case plainlyElse(s.path):
		return fmt.Errorf("%w: text", ErrForeign)
	}
	if err := verify(s.path, !s.readOnly); err != nil {
		return err
	}
	db, err := openBolt(s.path, s.options())
	if err != nil {
		return err
	}
	if s.st, err = readState(db); err != nil {
		return errors.Join(err, db.Close())
	}
	s.db = db
	return nil
}

// create makes a spool under another name and gives it its own when it is
// whole: a power cut leaves no half of one.
func (s *Store) create() error {
	tmp := s.path + compacting
	if err := os.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	db, err := openBolt(tmp, s.options())
	if err != nil {
		return err
	}
	s.db, s.st = db, newState()
	s.st.Machine = s.machine
	if err = s.commit(nil); err == nil {
		err = os.Rename(tmp, s.path)
	}
	if err == nil {
		err = syncDir(s.path)
	}
	if err != nil {
		s.db = nil
		return errors.Join(err, db.Close())
	}
	return nil
}

// loadReadOnly makes the best of a file that cannot be written: its backlog
// can still be sent.
func (s *Store) loadReadOnly() {
	if s.db != nil {
		return
	}
	s.readOnly = true
	if err := s.load(); err != nil {
		s.st = newState()
		s.st.Machine = s.machine
	}
	s.readOnly = false
}

// openBolt is bolt.Open with its panics and errors sorted: bbolt has panicked
// on files that a power cut spoiled.
func openBolt(path string, o *bolt.Options) (db *bolt.DB, err error) {
	defer func() {
		if p := recover(); p != nil {
			db, err = nil, fmt.Errorf("%w: %v", ErrDamaged, p)
		}
	}()
	db, err = bolt.Open(path, 0o600, o)
	switch {
	case err == nil:
		return db, nil
	case errors.Is(err, berrors.ErrTimeout):
		return nil, ErrInUse
	case errors.Is(err, berrors.ErrInvalid), errors.Is(err, berrors.ErrChecksum),
		errors.Is(err, berrors.ErrVersionMismatch), errors.Is(err, berrors.ErrInvalidMapping):
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	case storageFault(err), errors.Is(err, fs.ErrPermission), errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
}

// readState gives the account that a file holds.
func readState(db *bolt.DB) (st state, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", ErrDamaged, p)
		}
	}()
	err = db.View(func(tx *bolt.Tx) error {
		account := tx.Bucket(accountBucket)
		if account == nil {
			return fmt.Errorf("%w: a bbolt file of something else", ErrForeign)
		}
		st, err = parseState(account.Get(stateKey))
		if err != nil {
			return err
		}
		if tx.Bucket(windowsBucket) == nil {
			return fmt.Errorf("%w: no windows", ErrDamaged)
		}
		return nil
	})
	if err == nil && !db.IsReadOnly() {
		err = primeStats(db)
	}
	return st, err
}

// primeStats makes db.Stats know the free pages: bbolt counts them when a
// writing transaction ends.
func primeStats(db *bolt.DB) error {
	tx, err := db.Begin(true)
	if err != nil {
		return err
	}
	return tx.Rollback()
}

// plainlyElse reports a file that begins with eight printable characters: text,
// TOML, SQLite. A bbolt file begins with eight zeros, and so does one that a
// power cut left empty.
func plainlyElse(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	var b [8]byte
	if _, err := io.ReadFull(f, b[:]); err != nil {
		return false
	}
	return !slices.ContainsFunc(b[:], func(c byte) bool {
		return c != '\n' && c != '\r' && c != '\t' && (c < ' ' || c > '~')
	})
}

// quarantine renames a damaged file out of the way and says to what.
func quarantine(path string) (string, error) {
	kept := ""
	for i := 1; i <= keptFiles; i++ {
		kept = fmt.Sprintf("%s.damaged-%d", path, i)
		if _, err := os.Lstat(kept); errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	if err := os.Rename(path, kept); err != nil {
		return "", err
	}
	return kept, syncDir(path)
}

// syncDir makes the name of path durable.
func syncDir(path string) error {
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// storageFault reports errors that the disk may recover from by itself or by
// the hand of someone else; all others are mistakes to report at once.
func storageFault(err error) bool {
	for _, e := range []error{
		syscall.ENOSPC, syscall.EDQUOT, syscall.EIO, syscall.EROFS, syscall.EFBIG,
		syscall.EUCLEAN, syscall.ENODEV, syscall.ENXIO, berrors.ErrMaxSizeReached, berrors.ErrDatabaseReadOnly,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// noRoom reports errors that making room in the file may cure.
func noRoom(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG) ||
		errors.Is(err, berrors.ErrMaxSizeReached)
}

// syncFault reports an error of fsync: the kernel may have dropped the pages
// that it could not write, so what the file seems to hold is not what the disk
// holds, and the next fsync would not say so. Writes fail as *fs.PathError.
func syncFault(err error) bool {
	var w *fs.PathError
	return !errors.As(err, &w) && !noRoom(err) && !errors.Is(err, syscall.EROFS) &&
		!errors.Is(err, berrors.ErrDatabaseReadOnly)
}
