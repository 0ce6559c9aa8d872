package store

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// blind is where orders begin when the file could not even be read: above any
// that it can hold, so that both accounts can be joined later.
const blind = 1 << 40

// Between two tries to write again. The first comes with the next window.
const (
	firstRetry = time.Second
	lastRetry  = 10 * time.Minute
)

// degrade turns to memory because of err. The epoch that the file knows ends
// here: what is numbered from now on might never reach the file, and its
// numbers must not be given twice.
func (s *Store) degrade(err error) {
	s.fault = err
	s.rewrite = s.db != nil && syncFault(err)
	s.pause, s.retry = firstRetry, time.Time{}
	if !s.failed.empty() {
		s.st.Last = s.failed[1]
	}
	if s.db == nil {
		s.st.Last += blind
		s.blind = true
	}
	s.newEpoch("store_failed")
	s.note("store_failed", map[string]any{"why": err.Error()})
}

// newEpoch ends the current number space and begins another. The note closes
// the account of the old one.
func (s *Store) newEpoch(why string) {
	old, last := s.st.Epoch, maps.Clone(s.st.Seq)
	s.st.Epoch, s.st.Seq = newUUID(), map[string]uint64{}
	s.note("epoch", map[string]any{"epoch": s.st.Epoch, "previous": old, "last": last, "reason": why})
}

func (s *Store) note(kind string, data map[string]any) {
	s.st.note(kind, s.now(), data)
	s.dirty = true
}

// hold numbers es and keeps them in memory.
func (s *Store) hold(es []Entry) {
	for i := range es {
		s.st.give(&es[i])
		s.ring = append(s.ring, es[i])
	}
	s.dirty = true
	for len(s.ring) > s.ringMax {
		i := max(0, slices.IndexFunc(s.ring, func(e Entry) bool { return !s.st.Pending.has(e.order) }))
		if e := s.ring[i]; s.st.Pending.has(e.order) {
			s.st.bury(e.Epoch, e.Release.Stream(), e.Seq, "memory", s.now())
			s.st.Pending.remove(e.order, e.order)
		}
		s.ring = slices.Delete(s.ring, i, i+1)
	}
}

func (s *Store) mayRetry() bool { return !time.Now().Before(s.retry) }

// Tend tries to write again what is in memory only. It does nothing while the
// file is well; call it now and then.
func (s *Store) Tend() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fault != nil && !s.closed && s.mayRetry() {
		_ = s.recoverLocked() // its error is in s.fault
	}
}

// recoverLocked brings the ring into the file, if the file can be written again.
func (s *Store) recoverLocked() error {
	err := s.reopen()
	if err == nil && s.rewrite {
		// Nothing that an fsync failed on can be believed: copy it all.
		err = s.rewriteFile()
	}
	if err == nil {
		next := s.st.clone()
		next.note("store_recovered", s.now(), map[string]any{"windows": len(s.ring)})
		if err = s.write(&next, s.ring, 0); err == nil {
			s.st, s.dirty = next, false
			s.ring, s.fault, s.rewrite = nil, nil, false
			return nil
		}
		s.rewrite = s.rewrite || syncFault(err)
	}
	s.fault = err
	s.retry = time.Now().Add(s.pause)
	s.pause = min(2*s.pause, lastRetry)
	return err
}

// reopen makes s.db a handle that may write, joining what the file knows with
// what memory knows.
func (s *Store) reopen() error {
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
	err := s.load()
	if errors.Is(err, ErrDamaged) {
		var kept string
		why := err
		if kept, err = quarantine(s.path); err == nil {
			if err = s.load(); err == nil {
				mine.note("spool_damaged", s.now(), map[string]any{"why": why.Error(), "kept": kept})
			}
		}
	}
	theirs := s.st
	s.st = mine
	if err != nil {
		if !s.blind {
			s.loadReading()
		}
		return err
	}
	if s.blind {
		s.join(theirs)
		s.blind = false
	}
	return nil
}

// loadReading opens the file for reading beside the account in memory.
func (s *Store) loadReading() {
	mine := s.st
	s.loadReadOnly()
	s.st = mine
}

// join takes over what a file knows that could not be read before.
func (s *Store) join(file state) {
	for _, r := range file.Pending {
		s.st.Pending.add(r[0], r[1])
	}
	for k, v := range file.Marks {
		s.mark(k, v)
	}
	for k, v := range file.Heard {
		s.hear(k, v)
	}
	s.st.Tombs = append(file.Tombs, s.st.Tombs...)
	s.st.Evicted += file.Evicted
	mine := s.st.Notes
	s.st.Notes, s.st.NoteSeq = file.Notes, file.NoteSeq
	for _, n := range mine {
		s.st.note(n.Kind, n.At, n.Data)
	}
}
