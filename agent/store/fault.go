package store

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// blindBase is added to the orders of windows and to the numbers of notes while the
// file could not be read even once: it is above every number that a file can hold, so
// that both accounts can be merged later.
const blindBase = 1 << 40

// The delay between two attempts to write again doubles from the first to the
// second of these. The first attempt comes with the next window.
const (
	minRetryDelay = time.Second
	maxRetryDelay = 10 * time.Minute
)

// degradeToMemory continues in memory after err. The epoch of the file ends
// here: windows numbered from now on may never reach the file, and their
// numbers must not be given twice.
func (s *Store) degradeToMemory(err error) {
	s.fault = err
	s.mustRewrite = s.db != nil && isSyncFault(err)
	s.retryDelay, s.retryAt = minRetryDelay, time.Time{}
	if !s.failedSpan.isEmpty() {
		s.st.Last = s.failedSpan[1]
	}
	if s.db == nil {
		s.st.Last += blindBase
		s.st.NoteSeq += blindBase
		s.blind = true
	}
	s.reviveReading()
	s.newEpoch("store_failed")
	s.addNote("store_failed", map[string]any{"why": err.Error()})
}

// addNote adds a note with the current time to the account.
func (s *Store) addNote(kind string, data map[string]any) {
	s.st.addNote(kind, s.now(), data)
	s.dirty = true
}

// keepInMemory numbers es and appends them to the ring. When the ring is full,
// it drops the oldest acknowledged window, or else the oldest one, which leaves
// a tombstone.
func (s *Store) keepInMemory(es []Entry) {
	for i := range es {
		s.st.numberWindow(&es[i])
		s.ring = append(s.ring, es[i])
	}
	s.deriveFacts(&s.st, es)
	s.dirty = true
	for len(s.ring) > s.ringMax {
		i := max(0, slices.IndexFunc(s.ring, func(e Entry) bool { return !s.st.Pending.contains(e.order) }))
		if e := s.ring[i]; s.st.Pending.contains(e.order) {
			s.st.addTombstone(e.Epoch, e.Release.Stream(), e.Seq, "memory", s.now())
			s.st.Pending.removeRange(e.order, e.order)
		}
		s.ring = slices.Delete(s.ring, i, i+1)
	}
}

// mayRetry reports whether the delay before the next attempt to write is over.
func (s *Store) mayRetry() bool { return !time.Now().Before(s.retryAt) }

// RetryWrites tries to write the windows in memory to the file, once the retry delay
// is over. While the file can be written it returns at once. The uplink calls
// it every ten seconds at most and after every failed connection.
func (s *Store) RetryWrites() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fault != nil && !s.closed && s.mayRetry() {
		_ = s.recoverLocked() // its error is in s.fault
	}
}

// recoverLocked reopens the file and writes the ring into it. On an error the
// spool stays in memory and the retry delay doubles. The caller holds the lock.
func (s *Store) recoverLocked() error {
	err := s.reopenFile()
	if err == nil && s.seal == nil {
		err = s.sealSpool()
	}
	if err == nil && s.mustRewrite {
		// The pages of a file whose fsync failed may be lost: copy all of it.
		err = s.rewriteFile()
	}
	if err == nil {
		next := s.st.clone()
		next.addNote("store_recovered", s.now(), map[string]any{"windows": len(s.ring)})
		if err = s.writeTransaction(&next, s.ring, 0); err == nil {
			s.st, s.dirty = next, false
			s.ring, s.fault, s.mustRewrite = nil, nil, false
			return nil
		}
		s.mustRewrite = s.mustRewrite || isSyncFault(err)
	}
	s.reviveReading()
	s.fault = err
	s.retryAt = time.Now().Add(s.retryDelay)
	s.retryDelay = min(2*s.retryDelay, maxRetryDelay)
	return err
}

// reopenFile makes s.db a writable handle and merges the account of the file
// with the one in memory.
func (s *Store) reopenFile() error {
	if s.db != nil && !s.db.IsReadOnly() && !errors.Is(s.fault, ErrDamaged) {
		return nil
	}
	if s.db != nil {
		db := s.db
		s.db = nil
		if err := db.Close(); err != nil {
			return fmt.Errorf("reopen: %w", err)
		}
	}
	mine := s.st
	err := s.loadFile()
	if errors.Is(err, ErrDamaged) {
		var kept string
		why := err
		if kept, err = quarantineFile(s.path, "damaged"); err == nil {
			if err = s.loadFile(); err == nil {
				mine.addNote("spool_damaged", s.now(), map[string]any{"why": why.Error(), "kept": kept})
			}
		}
	}
	theirs := s.st
	s.st = mine
	if err != nil {
		if !s.blind {
			s.reloadReadOnly()
		}
		return err
	}
	if s.blind {
		s.mergeState(theirs)
		s.blind = false
	}
	return nil
}

// reviveReading opens the file read-only where bbolt reads nothing any more: it
// unmaps a file that has to grow, and a failing disk may refuse the new mapping
// (ErrInvalidMapping).
func (s *Store) reviveReading() {
	if s.db != nil && errors.Is(s.db.View(func(*bolt.Tx) error { return nil }), berrors.ErrInvalidMapping) {
		_ = s.db.Close()
		s.db = nil
		s.reloadReadOnly()
	}
}

// reloadReadOnly opens the file read-only and keeps the account in memory.
func (s *Store) reloadReadOnly() {
	mine := s.st
	s.loadReadOnly()
	s.st = mine
}

// mergeState adds the account of a file that could not be read before to the
// account in memory.
func (s *Store) mergeState(file state) {
	for _, r := range file.Pending {
		s.st.Pending.addRange(r[0], r[1])
	}
	for k, v := range file.Marks {
		s.raiseMark(k, v)
	}
	for _, e := range file.Past {
		s.st.endEpoch(e)
	}
	if facts := maps.Clone(file.Facts); facts != nil {
		maps.Copy(facts, s.st.Facts)
		s.st.Facts = facts
	}
	if s.st.Shown == nil {
		s.st.Shown = file.Shown
	}
	s.st.Tombs = append(file.Tombs, s.st.Tombs...)
	blind := s.st.Age.Base
	s.st.Age = file.Age
	s.startAge()
	for i := range s.ring {
		s.ring[i].age += s.st.Age.Base - blind
	}
	s.st.Evicted += file.Evicted
	s.st.Spool = file.Spool
	s.st.Notes = append(slices.Clone(file.Notes), s.st.Notes...)
	s.st.Notes = s.st.Notes[max(0, len(s.st.Notes)-maxNotes):]
}
