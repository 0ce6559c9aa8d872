package store

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"kerb/agent/policy"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// The bounds of deleting, chosen by hand.
const (
	fullQuarters = 3    // the file is nearly full above this many quarters of its limit
	minEvicted   = 64   // windows deleted at once from a nearly full file, at least
	evictFactor  = 4    // … and this many times the windows that are added
	retryRoom    = 256  // windows deleted before the second attempt on a full disk
	fillPercent  = 0.95 // of a bbolt page before it is split: keys are only appended
)

// Append stores the windows of all streams that ended together in one synced
// transaction, in which each gets the next number of its stream. When it
// returns, the windows survive a power cut, or Stats.Fault holds the reason why
// they are in memory only. It returns an error for a zero Release and for a
// closed or read-only spool; a full or failing disk is not an error.
func (s *Store) Append(rs []policy.Release) ([]Entry, error) {
	for i, r := range rs {
		if r.IsZero() {
			return nil, fmt.Errorf("append window %d of %d: %w", i+1, len(rs), ErrZeroRelease)
		}
	}
	if len(rs) == 0 {
		return nil, nil
	}
	boot, synced := s.stamp()
	es := make([]Entry, len(rs))
	for i, r := range rs {
		es[i] = Entry{Boot: boot, Synced: synced, Release: r}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dateWindows(es)
	if s.readOnly || s.closed {
		return nil, fmt.Errorf("append to spool %s: %w", s.path, berrors.ErrDatabaseNotOpen)
	}
	if s.fault != nil && s.mayRetry() {
		_ = s.recoverLocked() // its error is in s.fault
	}
	s.numberParts(es)
	if s.fault == nil {
		err := s.commitWindows(es)
		if err == nil {
			s.batch = es[0].order
			s.raiseAllLatest(es)
			s.holdUnsynced(es)
			s.compactIfSparse()
			s.releasePages()
			if s.witnessAt.IsZero() || time.Since(s.witnessAt) > witnessInterval {
				_ = s.writeWitness(false)
			}
			return es, nil
		}
		s.failedSpan = span{s.st.Last + 1, s.st.Last + uint64(len(es))}
		s.degradeToMemory(err)
	}
	s.keepInMemory(es)
	s.expireRing()
	s.raiseAllLatest(es)
	s.holdUnsynced(es)
	s.batch = es[0].order
	return es, nil
}

// dateWindows sets the age of the spool at which the windows ended.
func (s *Store) dateWindows(es []Entry) {
	if s.uptime == nil {
		return
	}
	r, uptime := s.read(&s.st), s.uptime()
	for i := range es {
		r.dateWindow(&es[i], uptime)
		s.scanAll = s.scanAll || es[i].age < s.lastAge
		s.lastAge = max(s.lastAge, es[i].age)
	}
}

// commitWindows numbers es and writes them with the account. On a full disk it
// tries once more and deletes retryRoom acknowledged windows.
func (s *Store) commitWindows(es []Entry) error {
	for _, room := range []int{0, retryRoom} {
		next := s.st.clone()
		for i := range es {
			next.numberWindow(&es[i])
		}
		s.deriveFacts(&next, es)
		err := s.writeTransaction(&next, es, room)
		if err == nil {
			s.st, s.dirty = next, false
			return nil
		}
		if room > 0 || !isOutOfSpace(err) {
			return err
		}
	}
	panic("unreachable")
}

// writeTransaction writes es and the account next, and deletes due windows, in
// one bbolt transaction. room is a number of acknowledged windows to delete in
// addition. A panic of bbolt becomes ErrDamaged.
func (s *Store) writeTransaction(next *state, es []Entry, room int) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", ErrDamaged, p)
		}
	}()
	ordered := false
	err = s.db.Update(func(tx *bolt.Tx) error {
		windows, err := tx.CreateBucketIfNotExists(windowsBucket)
		if err != nil {
			return err
		}
		account, err := tx.CreateBucketIfNotExists(accountBucket)
		if err != nil {
			return err
		}
		windows.FillPercent = fillPercent
		r := s.read(next)
		if r.off > 0 {
			next.Age.Base += r.off
			es = slices.Clone(es) // the caller's stay as they are where this fails
			if err := addTimeOff(windows, s.seal, r.boot, r.off, es); err != nil {
				return err
			}
			r = s.read(next)
		}
		next.Age.mark(r)
		for _, e := range es {
			b, err := encodeRecord(e)
			if err != nil {
				return err
			}
			if err := windows.Put(orderKey(e.order), s.seal.seal(e.order, b)); err != nil {
				return err
			}
		}
		if ordered, err = s.deleteDue(tx, windows, next, r, len(es), room); err != nil {
			return err
		}
		next.forgetEpochs(oldestOrder(windows))
		b, err := json.Marshal(next)
		if err != nil {
			return err
		}
		return account.Put(stateKey, b)
	})
	if err == nil {
		s.writes.recordCommit(s.db, time.Now())
		s.failedSpan, s.freed = span{}, nil
		s.scanAll = s.scanAll && !ordered
		s.scrubFreed()
	}
	return err
}

// deleteDue deletes, in this order: windows that a failed commit may have left
// in the file and those that a watermark settled; windows past their retention;
// and when the file is nearly full, the oldest acknowledged windows, and then the
// oldest pending ones. Pending ones leave tombstones. It reports whether the windows
// are ordered by their dates.
func (s *Store) deleteDue(tx *bolt.Tx, windows *bolt.Bucket, next *state, r reading, added, room int) (ordered bool, err error) {
	d := deleter{windows: windows, next: next, at: r.wall}
	if !s.failedSpan.isEmpty() {
		d.deleteSpans(spans{s.failedSpan})
	}
	d.deleteSpans(s.freed)
	ordered = d.deleteExpired(r, s.keep, s.scanAll)
	if s.isNearlyFull(tx) {
		n := max(minEvicted, evictFactor*added)
		n -= d.deleteAcked(n)
		d.evictOldest(n)
	} else if room > 0 {
		d.deleteAcked(room)
	}
	return ordered, d.err
}

// isNearlyFull reports whether more than three quarters of the largest file
// size are in use.
func (s *Store) isNearlyFull(tx *bolt.Tx) bool {
	st := s.db.Stats()
	free := int64(st.FreePageN+st.PendingPageN) * int64(s.db.Info().PageSize)
	return tx.Size()-free > s.limit/4*fullQuarters
}

// deleter deletes windows within one transaction and keeps the first error.
type deleter struct {
	windows *bolt.Bucket
	next    *state
	at      time.Time
	err     error
}

// deleteWhere calls f with the windows whose orders lie in r, oldest first,
// until f returns stop, and deletes those for which f returned del.
func (d *deleter) deleteWhere(r span, f func(order uint64, v []byte) (del, stop bool)) {
	if d.err != nil {
		return
	}
	var gone [][]byte
	c := d.windows.Cursor()
	for k, v := c.Seek(orderKey(r[0])); k != nil && binary.BigEndian.Uint64(k) <= r[1]; k, v = c.Next() {
		del, stop := f(binary.BigEndian.Uint64(k), v)
		if del {
			gone = append(gone, append([]byte(nil), k...))
		}
		if stop {
			break
		}
	}
	for _, k := range gone {
		if err := d.windows.Delete(k); err != nil {
			d.err = err
			return
		}
	}
}

// deleteSpans deletes all windows whose orders lie in rs.
func (d *deleter) deleteSpans(rs spans) {
	for _, r := range rs {
		d.deleteWhere(r, func(uint64, []byte) (bool, bool) { return true, false })
	}
}

// deleteAcked deletes acknowledged windows, oldest first, at most n of them. It
// returns how many.
func (d *deleter) deleteAcked(n int) (dropped int) {
	for _, r := range d.next.Pending.complementTo(d.next.Last) {
		if dropped >= n {
			break
		}
		d.deleteWhere(r, func(uint64, []byte) (bool, bool) {
			dropped++
			return true, dropped >= n
		})
	}
	return dropped
}

// evictOldest deletes the n oldest pending windows and leaves tombstones.
func (d *deleter) evictOldest(n int) {
	for n > 0 && len(d.next.Pending) > 0 && d.err == nil {
		r := d.next.Pending[0]
		r[1] = min(r[1], r[0]+uint64(n)-1)
		n -= int(r[1] - r[0] + 1)
		d.deleteWhere(r, func(order uint64, v []byte) (bool, bool) {
			if h, err := decodeHead(v); err == nil {
				d.next.addTombstone(h.epoch, h.stream, h.seq, "full", d.at)
			}
			return true, false
		})
		d.next.Pending.removeRange(r[0], r[1])
	}
}
