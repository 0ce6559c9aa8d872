package store

import (
	"encoding/binary"
	"fmt"
	"os"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"
)

// Stats describes the condition of the spool.
type Stats struct {
	Epoch       string
	Device      string      // as DeviceIs named it when the spool was written; "": nothing did
	Last        uint64      // the highest Order so far
	LastBatch   uint64      // the first Order of the last Append; 0 before the first
	Stored      int         // windows in the file
	Pending     uint64      // windows not acknowledged; in watermark mode, not below a watermark
	InMemory    int         // windows in the ring
	Evicted     uint64      // windows dropped undelivered since the file was made: expired, or the file or the ring was full
	Tombstones  []Tombstone // the ranges of dropped windows
	Used, Limit int64       // bytes of the file in use, and the limit
	PagesPerDay float64     // pages written per day, over one to two days or since opening; 0 in the first hour
	Fault       error       // why the file is not written; nil while it is
}

// Stats returns the condition of the spool without reading from the disk.
func (s *Store) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := Stats{
		Epoch: s.st.Epoch, Device: s.st.Device, Last: s.st.Last, LastBatch: s.batch, Pending: s.st.Pending.total(), InMemory: len(s.ring), Evicted: s.st.Evicted,
		Tombstones: slices.Clone(s.st.Tombs), Limit: s.limit, Fault: s.fault,
	}
	if s.db == nil {
		return st
	}
	_ = s.db.View(func(tx *bolt.Tx) error {
		b := s.db.Stats()
		st.Used = tx.Size() - int64(b.FreePageN+b.PendingPageN)*int64(s.db.Info().PageSize)
		return nil
	})
	st.PagesPerDay = s.writes.perDay(time.Now())
	return st
}

// Item is a stored window, and whether it is still to be sent.
type Item struct {
	Entry
	Pending bool
}

// Fault returns why the file is not written, nil while it is. It takes no
// transaction.
func (s *Store) Fault() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fault
}

// EachWindow calls f with every stored window, oldest first, and returns the first
// error of f. A record that cannot be decoded is an error too.
func (s *Store) EachWindow(f func(Item) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	visit := func(e Entry) error { return f(Item{e, s.st.Pending.contains(e.order)}) }
	if s.db != nil {
		err := s.db.View(func(tx *bolt.Tx) error {
			return tx.Bucket(windowsBucket).ForEach(func(k, v []byte) error {
				if len(k) != 8 {
					return fmt.Errorf("%w: key of %d bytes", ErrDamaged, len(k))
				}
				e, err := decodeRecord(binary.BigEndian.Uint64(k), v)
				if err != nil {
					return fmt.Errorf("window %d: %w", binary.BigEndian.Uint64(k), err)
				}
				return visit(e)
			})
		})
		if err != nil {
			return err
		}
	}
	for _, e := range s.ring {
		if err := visit(e); err != nil {
			return err
		}
	}
	return nil
}

// CheckFile reads the whole file and returns the first error in its pages and
// records.
func (s *Store) CheckFile() error {
	s.mu.Lock()
	f, err := os.Open(s.path) // without locking: this process holds the lock
	if err == nil {
		defer f.Close()
		var info os.FileInfo
		if info, err = f.Stat(); err == nil {
			err = verifyPages(f, info.Size())
		}
	}
	s.mu.Unlock()
	if err != nil {
		return fmt.Errorf("check: %w", err)
	}
	return s.EachWindow(func(Item) error { return nil })
}

// ratePeriod is the period of the write rate, in hours.
const ratePeriod = 24

// writeCounter estimates the pages written per day from bbolt's statistics,
// over a period of one to two days.
type writeCounter struct {
	since time.Time
	pages int64 // since then, of handles before the present one
	base  int64 // of the present handle at since
	last  int64 // of the present handle at the last commit
}

// recordCommit reads bbolt's counter after a commit. After 48 h it restarts the
// period and carries over 24 h at the old rate.
func (w *writeCounter) recordCommit(db *bolt.DB, now time.Time) {
	st := db.Stats()
	w.last = st.TxStats.GetWrite()
	if w.since.IsZero() {
		w.since = now
	}
	if now.Sub(w.since) > 2*ratePeriod*time.Hour {
		rate := float64(w.pages+w.last-w.base) / now.Sub(w.since).Hours()
		*w = writeCounter{since: now.Add(-ratePeriod * time.Hour), pages: int64(ratePeriod * rate), base: w.last, last: w.last}
	}
}

// changeHandle accounts for a new bbolt handle, whose counter starts at zero.
func (w *writeCounter) changeHandle() {
	w.pages += w.last - w.base
	w.base, w.last = 0, 0
}

// perDay returns the pages written per day, and 0 until the first hour is over.
func (w *writeCounter) perDay(now time.Time) float64 {
	d := now.Sub(w.since)
	if w.since.IsZero() || d < time.Hour {
		return 0
	}
	return float64(w.pages+w.last-w.base) / d.Hours() * ratePeriod
}

// MachineID returns a hashed identity of the machine that a cloned card does
// not carry along: from the serial number of the board, or the product UUID of
// the system, or the machine id. It is empty when none of them exists.
func MachineID() string {
	for _, f := range []string{
		"/sys/firmware/devicetree/base/serial-number",
		"/sys/class/dmi/id/product_uuid",
		"/etc/machine-id",
	} {
		if b, err := os.ReadFile(f); err == nil && len(b) > 0 {
			return hashID(f, b)
		}
	}
	return ""
}
