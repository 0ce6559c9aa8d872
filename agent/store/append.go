package store

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"kerb/agent/policy"
)

// Append stores the windows of all streams that ended together, in one synced
// transaction in which each gets the next number of its stream. When it
// returns, the windows survive a power cut, or Stats.Fault says why they are in
// memory only. The only errors are a zero Release and a closed store: a full or
// failing disk is not one.
func (s *Store) Append(rs []policy.Release) ([]Entry, error) {
	for i, r := range rs {
		if r.IsZero() {
			return nil, fmt.Errorf("append window %d of %d: %w", i+1, len(rs), ErrZero)
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
	if s.readOnly || s.closed {
		return nil, fmt.Errorf("append to spool %s: %w", s.path, berrors.ErrDatabaseNotOpen)
	}
	if s.fault != nil && s.mayRetry() {
		_ = s.recoverLocked() // its error is in s.fault
	}
	if s.fault == nil {
		err := s.commit(es)
		if err == nil {
			s.batch = es[0].order
			s.compactWhenHollow()
			s.shed()
			return es, nil
		}
		s.failed = span{s.st.Last + 1, s.st.Last + uint64(len(es))}
		s.degrade(err)
	}
	s.hold(es)
	s.batch = es[0].order
	return es, nil
}

// commit numbers es and writes them with the account. A full disk gets a
// second try that drops what was acknowledged.
func (s *Store) commit(es []Entry) error {
	for _, room := range []int{0, 256} {
		next := s.st.clone()
		for i := range es {
			next.give(&es[i])
		}
		err := s.write(&next, es, room)
		if err == nil {
			s.st, s.dirty = next, false
			return nil
		}
		if room > 0 || !noRoom(err) {
			return err
		}
	}
	panic("unreachable")
}

// write is one transaction: es, the account next, and the dropping of what is
// due. room asks to drop that many acknowledged windows more.
func (s *Store) write(next *state, es []Entry, room int) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", ErrDamaged, p)
		}
	}()
	err = s.db.Update(func(tx *bolt.Tx) error {
		windows, err := tx.CreateBucketIfNotExists(windowsBucket)
		if err != nil {
			return err
		}
		account, err := tx.CreateBucketIfNotExists(accountBucket)
		if err != nil {
			return err
		}
		windows.FillPercent = 0.95 // keys only ever grow
		for _, e := range es {
			b, err := encodeRecord(e)
			if err != nil {
				return err
			}
			if err := windows.Put(orderKey(e.order), b); err != nil {
				return err
			}
		}
		if err := s.sweep(tx, windows, next, len(es), room); err != nil {
			return err
		}
		b, err := json.Marshal(next)
		if err != nil {
			return err
		}
		return account.Put(stateKey, b)
	})
	if err == nil {
		s.wrote.count(s.db, time.Now())
		s.failed, s.freed = span{}, nil
	}
	return err
}

// sweep drops from the file what may go: first what a failed commit may have
// left and what a watermark freed, then acknowledged windows past their time,
// then, when more than three quarters of the file are in use, the oldest
// acknowledged and at last the oldest windows at all.
func (s *Store) sweep(tx *bolt.Tx, windows *bolt.Bucket, next *state, added, room int) error {
	d := drop{windows: windows, next: next, at: s.now()}
	if !s.failed.empty() {
		d.all(spans{s.failed})
	}
	d.all(s.freed)
	d.settled(func(h policy.Release) bool { return s.expired(h, d.at) }, -1)
	if s.crowded(tx) {
		n := max(64, 4*added)
		n -= d.settled(nil, n)
		d.oldest(n)
	} else if room > 0 {
		d.settled(nil, room)
	}
	return d.err
}

// expired reports a window whose retention is over. A window from the far
// future was stamped by a wrong clock and goes too.
func (s *Store) expired(r policy.Release, now time.Time) bool {
	return !now.IsZero() && (r.EndTime().Before(now.Add(-s.keep)) || r.EndTime().After(now.Add(s.keep)))
}

func (s *Store) crowded(tx *bolt.Tx) bool {
	st := s.db.Stats()
	free := int64(st.FreePageN+st.PendingPageN) * int64(s.db.Info().PageSize)
	return tx.Size()-free > s.limit/4*3
}

// drop deletes windows within one transaction.
type drop struct {
	windows *bolt.Bucket
	next    *state
	at      time.Time
	err     error
}

// each calls f with the windows whose orders lie in r, oldest first, until f
// says to stop, and deletes those f chose.
func (d *drop) each(r span, f func(order uint64, v []byte) (del, stop bool)) {
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

func (d *drop) all(rs spans) {
	for _, r := range rs {
		d.each(r, func(uint64, []byte) (bool, bool) { return true, false })
	}
}

// settled drops acknowledged windows, oldest first: at most n of them (-1: no
// bound), up to the first that is not due. It returns how many.
func (d *drop) settled(due func(policy.Release) bool, n int) (dropped int) {
	for _, r := range d.next.Pending.outside(d.next.Last) {
		over := n >= 0 && dropped >= n
		if over {
			break
		}
		d.each(r, func(order uint64, v []byte) (bool, bool) {
			if due != nil {
				e, err := decodeRecord(order, v)
				if err == nil && !due(e.Release) {
					over = true
					return false, true
				}
			}
			dropped++
			return true, n >= 0 && dropped >= n
		})
		if over {
			break
		}
	}
	return dropped
}

// oldest drops n windows that nobody acknowledged and leaves tombstones.
func (d *drop) oldest(n int) {
	for n > 0 && len(d.next.Pending) > 0 && d.err == nil {
		r := d.next.Pending[0]
		r[1] = min(r[1], r[0]+uint64(n)-1)
		n -= int(r[1] - r[0] + 1)
		d.each(r, func(order uint64, v []byte) (bool, bool) {
			if h, err := decodeHead(v); err == nil {
				d.next.bury(h.epoch, h.stream, h.seq, "full", d.at)
			}
			return true, false
		})
		d.next.Pending.remove(r[0], r[1])
	}
}
