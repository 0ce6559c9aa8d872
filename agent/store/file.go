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

// Buckets and keys of the bbolt file.
var (
	windowsBucket = []byte("windows")
	accountBucket = []byte("account")
	stateKey      = []byte("state")
)

const (
	compactSuffix  = ".compact" // suffix of a new file until it is whole
	maxQuarantined = 4          // damaged, foreign and refused files that are kept, each; the last one is replaced when there are more
)

// boltOptions returns the options of bbolt: the free list is kept in memory
// alone, which saves its pages in every transaction and is rebuilt in Open.
func (s *Store) boltOptions() *bolt.Options {
	return &bolt.Options{
		Timeout:        time.Second,
		NoFreelistSync: true,
		FreelistType:   bolt.FreelistMapType,
		MaxSize:        int(s.limit),
		ReadOnly:       s.readOnly,
	}
}

// loadFile opens, verifies and reads the file, and creates it when there is
// none.
func (s *Store) loadFile() error {
	switch info, err := os.Stat(s.path); {
	case errors.Is(err, fs.ErrNotExist) && !s.readOnly:
		return s.createFile()
	case err != nil:
		return err
	case info.IsDir():
		return fmt.Errorf("%w: a directory", ErrForeign)
	case info.Size() == 0 && s.readOnly:
		return fmt.Errorf("%w: empty", ErrDamaged)
	case info.Size() == 0:
		return s.createFile()
	case looksLikeText(s.path):
		return fmt.Errorf("%w: text", ErrForeign)
	}
	if err := verifyFile(s.path, !s.readOnly); err != nil {
		return err
	}
	db, err := openBolt(s.path, s.boltOptions())
	if err != nil {
		return err
	}
	if s.st, err = readState(db); err != nil {
		return errors.Join(err, db.Close())
	}
	s.db, s.scrub = db, scrubber{}
	return nil
}

// createFile creates a spool under another name and renames it when it is
// whole, so that a power cut leaves no incomplete file.
func (s *Store) createFile() error {
	tmp := s.path + compactSuffix
	if err := os.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	db, err := openBolt(tmp, s.boltOptions())
	if err != nil {
		return err
	}
	s.db, s.st, s.scrub = db, newState(), scrubber{}
	s.st.Machine, s.st.Device = s.machine, s.device
	if err = s.commitWindows(nil); err == nil {
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

// loadReadOnly reads a file that cannot be written, so that its backlog is
// still sent. When that fails as well, the spool begins empty.
func (s *Store) loadReadOnly() {
	if s.db != nil {
		return
	}
	s.readOnly = true
	if err := s.loadFile(); err != nil {
		s.st = newState()
		s.st.Machine, s.st.Device = s.machine, s.device
	}
	s.readOnly = false
}

// openBolt calls bolt.Open and sorts its errors into those of the spool. bbolt
// has panicked on files that a power cut damaged; a panic becomes ErrDamaged.
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
	case isStorageFault(err), errors.Is(err, fs.ErrPermission), errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
}

// readState returns the account of a file.
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

// primeStats makes db.Stats report the free pages: bbolt counts them when a
// writing transaction ends.
func primeStats(db *bolt.DB) error {
	tx, err := db.Begin(true)
	if err != nil {
		return err
	}
	return tx.Rollback()
}

// looksLikeText reports a file that begins with eight printable characters, as
// text, TOML and SQLite do. A bbolt file begins with eight zeros, and so does a
// file that a power cut left empty.
func looksLikeText(path string) bool {
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

// quarantineFile renames a file to path.why-N and returns the new name.
func quarantineFile(path, why string) (string, error) { return quarantineFrom(path, path, why) }

// quarantineFrom renames the file from to path.why-N and returns the new name.
func quarantineFrom(from, path, why string) (string, error) {
	kept := ""
	for i := 1; i <= maxQuarantined; i++ {
		kept = fmt.Sprintf("%s.%s-%d", path, why, i)
		if _, err := os.Lstat(kept); errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	if err := os.Rename(from, kept); err != nil {
		return "", err
	}
	return kept, syncDir(path)
}

// syncDir syncs the directory of path, which makes its name durable.
func syncDir(path string) error {
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// isStorageFault reports errors of the disk that may go away (a full or
// read-only file system, an I/O error, a removed device). The spool continues
// in memory then; all other errors are returned at once.
func isStorageFault(err error) bool {
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

// isOutOfSpace reports errors that deleting windows may solve.
func isOutOfSpace(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG) ||
		errors.Is(err, berrors.ErrMaxSizeReached)
}

// isSyncFault reports an error of fsync. The kernel may have dropped the pages
// that it could not write, and the next fsync does not report that, so the file
// has to be copied. Failed writes are *fs.PathError and no such fault.
func isSyncFault(err error) bool {
	var w *fs.PathError
	return !errors.As(err, &w) && !isOutOfSpace(err) && !errors.Is(err, syscall.EROFS) &&
		!errors.Is(err, berrors.ErrDatabaseReadOnly)
}
