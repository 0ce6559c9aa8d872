package store

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	bolt "go.etcd.io/bbolt"
)

// PageAfter returns up to n stored windows that come after a place in the spool,
// oldest first, and the place of the last of them. Place 0 is before the oldest; a
// window keeps its place as long as it is stored. It holds the lock for one page, so
// that a slow reader of many pages does not stop the writer. A record that cannot be
// decoded is an error.
func (s *Store) PageAfter(place uint64, n int) (page []Item, last uint64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer recoverDamage(&err)
	last = place
	add := func(e Entry) {
		page, last = append(page, Item{e, s.st.Pending.contains(e.order)}), e.order
	}
	if s.db != nil && n > 0 {
		err = s.db.View(func(tx *bolt.Tx) error {
			c := tx.Bucket(windowsBucket).Cursor()
			for k, v := c.Seek(orderKey(place + 1)); k != nil && len(page) < n; k, v = c.Next() {
				e, err := decodeAt(k, v)
				if err != nil {
					return err
				}
				add(e)
			}
			return nil
		})
	}
	for _, e := range s.ring {
		if len(page) < n && e.order > last {
			add(e)
		}
	}
	return page, last, err
}

// LastWindows returns the last n stored windows, oldest first.
func (s *Store) LastWindows(n int) (all []Item, err error) {
	all, _, err = s.PageBefore(math.MaxUint64, n)
	slices.Reverse(all)
	return all, err
}

// PageBefore is PageAfter in the other direction: up to n stored windows that come
// before a place in the spool, newest first, and the place of the last of them. Before
// place math.MaxUint64 are all.
func (s *Store) PageBefore(place uint64, n int) (page []Item, first uint64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer recoverDamage(&err)
	first = place
	add := func(e Entry) {
		page, first = append(page, Item{e, s.st.Pending.contains(e.order)}), e.order
	}
	for i := len(s.ring) - 1; i >= 0 && len(page) < n; i-- {
		if s.ring[i].order < place {
			add(s.ring[i])
		}
	}
	if s.db == nil || len(page) >= n {
		return page, first, nil
	}
	err = s.db.View(func(tx *bolt.Tx) error {
		c := tx.Bucket(windowsBucket).Cursor()
		before := c.Prev
		if k, _ := c.Seek(orderKey(first)); k == nil {
			before = c.Last
		}
		for k, v := before(); k != nil && len(page) < n; k, v = c.Prev() {
			e, err := decodeAt(k, v)
			if err != nil {
				return err
			}
			add(e)
		}
		return nil
	})
	return page, first, err
}

// recoverDamage makes ErrDamaged of a panic of bbolt, which a damaged page can cause.
func recoverDamage(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("%w: %v", ErrDamaged, p)
	}
}

// decodeAt decodes the record under a key of the windows' bucket.
func decodeAt(k, v []byte) (Entry, error) {
	if len(k) != 8 {
		return Entry{}, fmt.Errorf("%w: key of %d bytes", ErrDamaged, len(k))
	}
	order := binary.BigEndian.Uint64(k)
	e, err := decodeRecord(order, v)
	if err != nil {
		return Entry{}, fmt.Errorf("window %d: %w", order, err)
	}
	return e, nil
}
