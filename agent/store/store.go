// Package store is the spool: one bbolt file with the windows that a policy
// cleared, for the retention time after their end. What the broker has not
// acknowledged by then is deleted as well, under a tombstone, and the bytes of what
// was deleted are overwritten with the next window (see scrubber). What a card keeps
// of overwritten blocks is beyond it.
//
// It refuses to store a count that no policy has cleared: it accepts
// policy.Release values alone. It refuses to lose a window without a record:
// every window gets a sequence number in the transaction that stores it, and a
// dropped one leaves a tombstone. It refuses to work on a file of another
// program, and never writes to it.
//
// All streams of a window are stored in one synced transaction;
// acknowledgements, tombstones and notes go into the transaction of the next
// window, so that the card is written once a window. Sequence numbers are
// contiguous from 1 per (epoch, stream). An epoch is a number space of its own;
// a new one begins when the file is new, with every boot, when the file could not be
// written, and whenever the file path.witness does not show that the spool is as the
// last orderly end left it: after a crash or a power cut, and for a spool that was
// deleted, restored from a copy, or moved to another machine. No number is given
// twice, and each new epoch is an event (see Start).
//
// A file that cannot be written does not stop the counting: windows go to a
// bounded ring in memory under an epoch of their own, and unchanged into the
// file as soon as it can be written again.
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

// The reasons for which a file cannot be used as a spool, and for which a window
// cannot be stored.
var (
	ErrForeign     = errors.New("not a kerb spool") // a whole file of another program
	ErrDamaged     = errors.New("damaged spool")    // no longer a valid spool, or unreadable
	ErrInUse       = errors.New("in use by another process")
	ErrZeroRelease = errors.New("a release that no policy made")
)

// Entry is one stored window with its sequence number.
type Entry struct {
	Epoch   string // UUID of the number space
	Seq     uint64 // from 1, contiguous per epoch and stream
	Boot    string // UUID of the boot in which the window ended; may be empty
	Synced  bool   // the label of the window can be trusted
	Release policy.Release

	Part       uint32 // from 2: the window is a further part of one whose label another window has; 0: none is known
	Relabelled bool   // the label was set after the window ended: see Store.Relabel

	order uint64
	dated bool  // age is known
	age   int64 // of the spool at the end of the window, ms: see spoolAge
}

// isGap reports whether the window holds no numbers.
func (e Entry) isGap() bool { return e.Release.Quality().String() == "gap" }

// Order returns the place of the window in the spool: later windows have higher
// orders. It has a meaning within one spool only.
func (e Entry) Order() uint64 { return e.order }

// The defaults of the options.
const (
	defaultKeep  = 7 * 24 * time.Hour
	defaultLimit = 64 << 20  // bytes
	minLimit     = 256 << 10 // bytes
	defaultRing  = 4096      // windows, about 2 MB
)

// Option sets one property of a spool in Open.
type Option func(*Store)

// KeepFor sets for how long after its end a window is kept, delivered or not: until
// then a consumer can request it again. The default is seven days.
func KeepFor(d time.Duration) Option { return func(s *Store) { s.keep = d } }

// MaxBytes sets the largest size of the file in bytes, at least 256 KiB, rounded
// down to a power of two because bbolt grows a file by doubling. The default is
// 64 MiB.
func MaxBytes(n int64) Option { return func(s *Store) { s.limit = max(n, minLimit) } }

// MaxInMemory sets how many windows are kept in memory while the file cannot be
// written. The default is 4096, about 2 MB.
func MaxInMemory(n int) Option { return func(s *Store) { s.ringMax = max(n, 1) } }

// MachineIs sets the identity of the hardware (see MachineID). A spool that was
// written on another machine, as on a cloned card, continues under a new epoch.
func MachineIs(id string) Option { return func(s *Store) { s.machine = id } }

// DeviceIs sets the name of the device, as its topics have it. The spool of another
// device on another machine is put aside, path.foreign-N: its windows are of another
// street. A device that was renamed goes on under a new epoch.
func DeviceIs(name string) Option { return func(s *Store) { s.device = name } }

// WallClock sets the wall clock of retention and notes. It must return the zero time
// while the clock is not synced.
func WallClock(f func() time.Time) Option { return func(s *Store) { s.now = f } }

// UptimeClock sets the clock of the time since boot, suspended time included. With it
// windows expire without a wall clock: see spoolAge. By default windows expire by the
// wall clock alone.
func UptimeClock(f func() time.Duration) Option { return func(s *Store) { s.uptime = f } }

// StampWith sets the function that returns the boot in which a window ended and
// whether the wall clock was synced then.
func StampWith(f func() (boot string, synced bool)) Option { return func(s *Store) { s.stamp = f } }

// WatermarkMode turns on watermark mode: a window is settled by the consumer's
// watermark, not by the broker's acknowledgement. within is how long the uplink
// waits for the watermark until it sends the window again; with 0 the mode is off.
func WatermarkMode(within time.Duration) Option {
	return func(s *Store) { s.confirmWithin = max(within, 0) }
}

// ConfirmTimeout returns how long the uplink waits for a consumer's watermark until
// it calls RequeueUnconfirmed; 0: watermark mode is off.
func (s *Store) ConfirmTimeout() time.Duration { return s.confirmWithin }

// Store is an open spool. Its methods may be called from several goroutines.
type Store struct {
	path     string
	keep     time.Duration
	limit    int64
	ringMax  int
	machine  string
	device   string
	start    Start
	identify func(path string) string // identifyFile; tests simulate a card that was restored with its times
	foreign  string                   // UUID of the spool that was put aside; "": none was
	now      func() time.Time
	uptime   func() time.Duration // nil: none
	stamp    func() (string, bool)

	confirmWithin time.Duration // watermark mode; 0: off

	mu          sync.Mutex
	db          *bolt.DB // nil when not even reading works
	st          state    // the account; equal to the disk after a commit
	dirty       bool     // st differs from the disk
	ring        []Entry  // oldest first; empty while the file can be written
	fault       error    // why the file is not written; nil while it is
	failedSpan  span     // orders of the batch whose commit failed: they may be in the file or not
	batch       uint64   // first order of the last Append
	freed       spans    // orders that a watermark settled, still in the file
	retryAt     time.Time
	retryDelay  time.Duration
	mustRewrite bool // fsync failed: the file must be copied, see isSyncFault
	blind       bool // the file could not be read when the spool was opened
	readOnly    bool // opened by Read, or while loadReadOnly runs
	closed      bool
	sent        [2]spans // watermark mode: acknowledged and unconfirmed, in two generations by age
	writes      writeCounter
	compactAt   time.Time          // when compaction may be tried again
	newest      map[labelKey]int64 // the latest label of each stream, ms since 1970; nil: not read yet
	latest      map[string]Entry   // the newest window of each stream; nil: not read yet
	derive      Derive             // may be nil
	holding     bool               // see HoldUnsynced
	held        []heldWindow       // in the order of their orders
	released    bool               // windows are no longer held back since the last TakeReleased
	opened      time.Time
	expireAt    time.Duration // when Expire looks again: since boot, or since opened
	lastAge     int64         // the latest date of the windows appended since opening
	scanAll     bool          // windows may not be ordered by their dates
	scrub       scrubber
	seals       bool      // see Sealed
	seal        *sealer   // nil: none
	witnessAt   time.Time // when the witness was written last; zero: not since opening
}

// Open opens the spool at path, or creates it. A damaged file is renamed to
// path.damaged-N, noted and kept while it holds windows within the retention, and a
// new one is created. When the file system is full, failing or read-only, or when the
// file is of another program and therefore left unchanged (ErrForeign), the spool
// opens in memory (see Stats.Fault). Open reads the whole file.
//
// With Sealed it checks that this device wrote each record, at its place. A record that
// fails is put into a file path.refused-N and noted; the others stay. An old spool, whose
// records have no seals, is sealed once.
func Open(path string, opts ...Option) (*Store, error) {
	s := newStore(path, opts)
	// A compaction that a power cut ended left this behind; path is still whole.
	if err := os.Remove(s.path + compactSuffix); err != nil && !errors.Is(err, os.ErrNotExist) && !isStorageFault(err) {
		return nil, fmt.Errorf("open spool: %w", err)
	}
	var created, kept string // why the file is new, and where the old one lies
	if info, err := os.Stat(path); errors.Is(err, os.ErrNotExist) || err == nil && info.Size() == 0 {
		created = startDeleted
	}
	err := s.loadFile()
	if errors.Is(err, ErrDamaged) {
		why := err
		created = startDamaged
		if kept, err = quarantineFile(path, "damaged"); err == nil {
			if err = s.loadFile(); err == nil {
				s.addNote("spool_damaged", map[string]any{"why": why.Error(), "kept": kept})
			}
		}
	}
	if err == nil && s.isAnotherDevices() {
		created = startForeign
		kept, err = s.setForeignAside()
	}
	if err == nil {
		err = s.sealSpool()
	}
	switch {
	case err == nil:
		s.continueNumbers(created, kept)
	case isStorageFault(err), errors.Is(err, ErrForeign):
		s.loadReadOnly()
		s.degradeToMemory(err)
	default:
		return nil, fmt.Errorf("open spool %s: %w", path, err)
	}
	s.startAge()
	s.expireAtOpening()
	s.releasePages()
	return s, nil
}

// OpenReadOnly opens the spool at path read-only. It returns an error for a file that
// is damaged, foreign or in use, and neither renames nor creates a file.
func OpenReadOnly(path string) (*Store, error) {
	s := newStore(path, nil)
	s.readOnly = true
	if err := s.loadFile(); err != nil {
		return nil, fmt.Errorf("read spool %s: %w", path, err)
	}
	return s, nil
}

// newStore returns a closed spool with the defaults and the options.
func newStore(path string, opts []Option) *Store {
	s := &Store{
		path: path, keep: defaultKeep, limit: defaultLimit, ringMax: defaultRing,
		opened: time.Now(), identify: identifyFile, now: time.Now, stamp: func() (string, bool) { return "", true }, scanAll: true,
	}
	for _, o := range opts {
		o(s)
	}
	size := int64(minLimit)
	for size*2 <= s.limit {
		size *= 2
	}
	s.limit = size
	return s
}

// Close writes the acknowledgements and windows that are in memory, and closes
// the file. An error means that they are lost.
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
		} else if s.dirty || s.scrub.stale {
			if err = s.commitWindows(nil); err == nil && s.scrub.stale {
				err = s.commitWindows(nil)
			}
		}
	}
	if s.db != nil {
		err = errors.Join(err, s.db.Close())
		s.db = nil
		if err == nil && !s.readOnly {
			_ = s.writeWitness(true)
		}
	}
	return err
}
