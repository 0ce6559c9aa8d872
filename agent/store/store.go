// Package store is the spool: the windows that a policy cleared, on disk until
// the broker has them and for the retention time after that.
//
// It accepts a policy.Release and nothing else. Every window gets its sequence
// number in the transaction that stores it, one synced transaction for all
// streams of a window; acknowledgements, tombstones and notes travel in the
// transaction of the next window, so the card is written once a window and no
// more. Sequence numbers are contiguous from 1 per (epoch, stream); an epoch is
// a fresh number space and begins when the file is new, when the card has moved
// to another machine, and when the file could not be written.
//
// A file that cannot be written does not stop anything: windows go to a bounded
// ring in memory under an epoch of their own and into the file, unchanged, once
// it can be written again. What had to be dropped, on disk or in memory, leaves
// a tombstone.
package store

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	bolt "go.etcd.io/bbolt"

	"kerb/agent/policy"
)

// The ways in which a file is not a spool to work with.
var (
	ErrForeign = errors.New("not a kerb spool") // a whole file of something else
	ErrDamaged = errors.New("damaged spool")    // a spool once, or nothing that can be read
	ErrInUse   = errors.New("in use by another process")
	ErrZero    = errors.New("a release that no policy made")
)

// Entry is one stored window with its place in the account.
type Entry struct {
	Epoch   string // UUID of the number space
	Seq     uint64 // from 1, contiguous per epoch and stream
	Boot    string // UUID of the boot in which the window ended; may be empty
	Synced  bool   // the wall clock could be trusted when the window ended
	Release policy.Release

	order uint64
}

// Order is the window's place in the spool: later windows have higher ones.
// It says nothing to anyone else.
func (e Entry) Order() uint64 { return e.order }

// Option is what a caller may choose about a spool.
type Option func(*Store)

// Keep holds acknowledged windows for d after their end, so that a consumer
// can ask for them again. The default is seven days.
func Keep(d time.Duration) Option { return func(s *Store) { s.keep = d } }

// Limit bounds the file to n bytes, at least 256 KiB, rounded down to a power
// of two because the file grows by doubling. The default is 64 MiB.
func Limit(n int64) Option { return func(s *Store) { s.limit = max(n, 256<<10) } }

// Ring bounds the windows held in memory while the file cannot be written.
// The default is 4096, about 2 MB.
func Ring(n int) Option { return func(s *Store) { s.ringMax = max(n, 1) } }

// Machine names the hardware (see MachineID). A spool that was written on
// another machine, as on a cloned card, goes on under a fresh epoch.
func Machine(id string) Option { return func(s *Store) { s.machine = id } }

// Now gives the wall clock for retention and notes. It must return the zero
// time while the clock cannot be trusted: then nothing expires.
func Now(f func() time.Time) Option { return func(s *Store) { s.now = f } }

// Stamp tells in which boot a window ended and whether the wall clock could be
// trusted then.
func Stamp(f func() (boot string, synced bool)) Option { return func(s *Store) { s.stamp = f } }

// Confirmed turns on watermark mode: the broker's acknowledgement is not the
// end, only the consumer's watermark is. See Store.Watermark and Store.Doubt.
func Confirmed() Option { return func(s *Store) { s.confirm = true } }

// Store is an open spool. Its methods may be called from several goroutines.
type Store struct {
	path    string
	keep    time.Duration
	limit   int64
	ringMax int
	machine string
	now     func() time.Time
	stamp   func() (string, bool)
	confirm bool

	mu       sync.Mutex
	db       *bolt.DB // nil when not even reading works
	st       state    // the account; on disk as of the last commit
	dirty    bool     // st differs from the disk
	ring     []Entry  // oldest first; empty while the file is well
	fault    error    // why the file is not written; nil while it is well
	failed   span     // orders of the batch whose commit failed: in the file or not
	batch    uint64   // first order of the last Append
	freed    spans    // orders that a watermark freed, still in the file
	retry    time.Time
	pause    time.Duration
	rewrite  bool // the fault was a sync: the file must be written anew
	blind    bool // the file could not even be read when the spool was opened
	readOnly bool // opened by Read
	closed   bool
	sent     [2]spans // watermark mode: acknowledged but unconfirmed, by age
	wrote    written
	compact  time.Time // when compaction may be tried again
}

// Open opens the spool at path or makes one. A damaged file is renamed to
// path.damaged-N, kept, noted, and a fresh one begun; a whole file of something
// else is left alone and ErrForeign returned. On a file system that is full,
// failing or read-only the spool opens in memory (see Stats.Fault). Open takes
// as long as reading the whole file.
func Open(path string, opts ...Option) (*Store, error) {
	s := newStore(path, opts)
	// A compaction that a power cut ended left this behind; path is still whole.
	if err := os.Remove(s.path + compacting); err != nil && !errors.Is(err, os.ErrNotExist) && !storageFault(err) {
		return nil, fmt.Errorf("open spool: %w", err)
	}
	err := s.load()
	if errors.Is(err, ErrDamaged) {
		var kept string
		why := err
		if kept, err = quarantine(path); err == nil {
			if err = s.load(); err == nil {
				s.note("spool_damaged", map[string]any{"why": why.Error(), "kept": kept})
			}
		}
	}
	switch {
	case err == nil:
	case storageFault(err):
		s.loadReadOnly()
		s.degrade(err)
	default:
		return nil, fmt.Errorf("open spool %s: %w", path, err)
	}
	s.adopt()
	s.shed()
	return s, nil
}

// Read opens the spool at path for looking only. A file that is damaged,
// foreign or in use is an error that says so; nothing is renamed or made.
func Read(path string) (*Store, error) {
	s := newStore(path, nil)
	s.readOnly = true
	if err := s.load(); err != nil {
		return nil, fmt.Errorf("read spool %s: %w", path, err)
	}
	return s, nil
}

func newStore(path string, opts []Option) *Store {
	s := &Store{
		path: path, keep: 7 * 24 * time.Hour, limit: 64 << 20, ringMax: 4096,
		now: time.Now, stamp: func() (string, bool) { return "", true },
	}
	for _, o := range opts {
		o(s)
	}
	size := int64(256 << 10)
	for size*2 <= s.limit {
		size *= 2
	}
	s.limit = size
	return s
}

// adopt makes the opened spool this machine's.
func (s *Store) adopt() {
	switch {
	case s.machine == "" || s.st.Machine == s.machine:
	case s.st.Machine == "":
		s.st.Machine, s.dirty = s.machine, true
	default:
		s.newEpoch("machine_changed")
		s.st.Machine = s.machine
	}
}

// Close writes what only memory knew and closes the file. Its error says that
// what was in memory is lost.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	var err error
	if !s.readOnly {
		if s.fault != nil {
			err = s.recoverLocked()
		} else if s.dirty {
			err = s.commit(nil)
		}
	}
	if s.db != nil {
		err = errors.Join(err, s.db.Close())
		s.db = nil
	}
	return err
}
