package store

import (
	"encoding/binary"
	"math"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"
)

// expireInterval is the time between two looks for expired windows while no window
// ends. Chosen by hand.
const expireInterval = time.Minute

// evictedExpired is the reason of a tombstone of a window whose retention ended
// before it was delivered.
const evictedExpired = "expired"

// Expire deletes the windows whose retention is over, delivered or not, from the file,
// from memory and from the files that were put aside, with tombstones for those that
// were not delivered. Append does the same with each window; a caller of Expire makes
// it happen while no window ends. It looks once a minute at most, and errors of the
// disk wait for the next look.
func (s *Store) Expire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Since(s.opened)
	if s.uptime != nil {
		now = s.uptime()
	}
	if s.readOnly || s.closed || now < s.expireAt {
		return
	}
	s.expireAt = now + expireInterval
	s.expireRing()
	if s.fault == nil && s.db != nil && s.hasDue(s.keep+expireInterval) { // a window that ends on time does it sooner
		s.deleteNow()
	}
	s.expireAside()
	s.releasePages()
}

// expireAtOpening deletes what expired while the spool was closed, and overwrites what
// was deleted before.
func (s *Store) expireAtOpening() {
	s.expireRing()
	if s.fault == nil && s.db != nil {
		if s.scrubFreed(); s.scrub.stale || s.hasDue(s.keep) {
			s.deleteNow()
		}
	}
	s.expireAside()
}

// deleteNow deletes the expired windows. A second transaction takes them out of the
// other tree that the file holds, so that their bytes can be overwritten. A fault of
// the disk waits for the next window.
func (s *Store) deleteNow() {
	if s.commitWindows(nil) == nil && s.scrub.stale {
		_ = s.commitWindows(nil)
	}
}

// hasDue reports whether the oldest window of the file, or with scanAll any, is older
// than keep.
func (s *Store) hasDue(keep time.Duration) (due bool) {
	r := s.read(&s.st)
	_ = s.db.View(func(tx *bolt.Tx) error {
		c := tx.Bucket(windowsBucket).Cursor()
		for k, v := c.First(); k != nil; k, v = c.Next() {
			e, err := decodeAt(k, v)
			if due = err == nil && r.isExpired(e, keep); due || err == nil && !s.scanAll {
				return nil
			}
		}
		return nil
	})
	return due
}

// expireRing drops the expired windows in memory.
func (s *Store) expireRing() {
	r := s.read(&s.st)
	s.ring = slices.DeleteFunc(s.ring, func(e Entry) bool {
		if !r.isExpired(e, s.keep) {
			return false
		}
		if s.st.Pending.contains(e.order) {
			s.st.addTombstone(e.Epoch, e.Release.Stream(), e.Seq, evictedExpired, r.wall)
			s.st.Pending.removeRange(e.order, e.order)
		}
		s.dirty = true
		return true
	})
}

// deleteExpired deletes the expired windows, oldest first, up to the first that is
// not; with all it looks at every window. A record that cannot be decoded goes with
// the next one that is expired. It reports whether the windows are ordered by their
// dates.
func (d *deleter) deleteExpired(r reading, keep time.Duration, all bool) (ordered bool) {
	last := uint64(0)
	var unread []uint64
	newest := int64(math.MinInt64)
	ordered = true
	d.deleteWhere(span{1, d.next.Last}, func(order uint64, v []byte) (del, stop bool) {
		e, err := decodeRecord(order, v)
		if err != nil {
			unread = append(unread, order)
			return false, false
		}
		ordered = ordered && e.age >= newest
		newest = max(newest, e.age)
		if !r.isExpired(e, keep) {
			return false, !all
		}
		last = order
		if d.next.Pending.contains(order) {
			d.next.addTombstone(e.Epoch, e.Release.Stream(), e.Seq, evictedExpired, d.at)
			d.next.Pending.removeRange(order, order)
		}
		return true, false
	})
	for _, order := range unread {
		if order < last {
			d.deleteSpans(spans{{order, order}})
			d.next.Pending.removeRange(order, order)
		}
	}
	return ordered
}

// addTimeOff adds the time that the device was off to the dates of the windows of this
// boot, in the file and in es, when it is added to the age of the spool: they ended
// after it.
func addTimeOff(windows *bolt.Bucket, seal *sealer, boot string, off int64, es []Entry) error {
	for i := range es {
		if es[i].Boot == boot && es[i].dated {
			es[i].age += off
		}
	}
	changed := map[uint64][]byte{}
	err := windows.ForEach(func(k, v []byte) error {
		h, err := decodeHead(v)
		if err != nil || h.boot != boot || !h.dated || len(k) != 8 || !seal.holds(binary.BigEndian.Uint64(k), v) {
			return nil
		}
		e, err := decodeAt(k, v)
		if err != nil {
			return nil // PendingBetween or the retention drops it
		}
		e.age += off
		changed[binary.BigEndian.Uint64(k)], err = encodeRecord(e)
		return err
	})
	if err != nil {
		return err
	}
	for order, b := range changed {
		if err := windows.Put(orderKey(order), seal.seal(order, b)); err != nil {
			return err
		}
	}
	return nil
}
