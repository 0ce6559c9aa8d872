package store

import (
	"encoding/binary"
	"fmt"
	"os"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"
)

// Stats is how the spool is.
type Stats struct {
	Epoch       string
	Last        uint64      // the highest Order given
	Batch       uint64      // the first Order of the last Append; 0 before the first
	Stored      int         // windows in the file
	Pending     uint64      // windows not acknowledged, or in watermark mode not confirmed
	InMemory    int         // windows in the ring
	Evicted     uint64      // windows lost for want of room since the file was made
	Tombs       []Tombstone // which they were
	Used, Limit int64       // bytes of the file in use and at most
	Pages       float64     // pages written a day, over the last day or since opening
	Fault       error       // why the file is not written; nil while it is well
}

// Stats says how the spool is. It does not touch the disk.
func (s *Store) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := Stats{
		Epoch: s.st.Epoch, Last: s.st.Last, Batch: s.batch, Pending: s.st.Pending.len(), InMemory: len(s.ring), Evicted: s.st.Evicted,
		Tombs: slices.Clone(s.st.Tombs), Limit: s.limit, Fault: s.fault,
	}
	if s.db == nil {
		return st
	}
	_ = s.db.View(func(tx *bolt.Tx) error {
		b := s.db.Stats()
		st.Used = tx.Size() - int64(b.FreePageN+b.PendingPageN)*int64(s.db.Info().PageSize)
		return nil
	})
	st.Pages = s.wrote.perDay(time.Now())
	return st
}

// Item is a stored window and whether it is still to be sent.
type Item struct {
	Entry
	Pending bool
}

// Each calls f with every stored window, oldest first, until f returns an
// error, which Each returns. A record that cannot be read is an error too.
func (s *Store) Each(f func(Item) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	visit := func(e Entry) error { return f(Item{e, s.st.Pending.has(e.order)}) }
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

// Check reads the whole file and reports the first thing wrong with it.
func (s *Store) Check() error {
	s.mu.Lock()
	f, err := os.Open(s.path) // the lock is held already, by this very process
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
	return s.Each(func(Item) error { return nil })
}

// written counts pages written, by bbolt's own figures, over a day or two.
type written struct {
	since time.Time
	pages int64 // since then, of handles before the present one
	base  int64 // of the present handle at since
	last  int64 // of the present handle at the last commit
}

func (w *written) count(db *bolt.DB, now time.Time) {
	st := db.Stats()
	w.last = st.TxStats.GetWrite()
	if w.since.IsZero() {
		w.since = now
	}
	if now.Sub(w.since) > 48*time.Hour { // start again, with a day's worth of the old rate
		rate := float64(w.pages+w.last-w.base) / now.Sub(w.since).Hours()
		*w = written{since: now.Add(-24 * time.Hour), pages: int64(24 * rate), base: w.last, last: w.last}
	}
}

func (w *written) moved() {
	w.pages += w.last - w.base
	w.base, w.last = 0, 0
}

// perDay is 0 until the first hour is over.
func (w *written) perDay(now time.Time) float64 {
	d := now.Sub(w.since)
	if w.since.IsZero() || d < time.Hour {
		return 0
	}
	return float64(w.pages+w.last-w.base) / d.Hours() * 24
}

// MachineID tells machines apart by what a cloned card does not carry along:
// the board's serial number, else the system's product UUID, else the machine
// id. It is empty where there is none of these.
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
