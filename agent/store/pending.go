package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// Pending gives up to n windows that are not acknowledged, oldest first.
func (s *Store) Pending(n int) ([]Entry, error) { return s.Between(1, 1<<63, false, n) }

// Between gives up to n unacknowledged windows whose Order is lo…hi, oldest or
// newest first. A record that cannot be read any more is dropped, and noted.
func (s *Store) Between(lo, hi uint64, newest bool, n int) ([]Entry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	orders := s.wanted(lo, hi, newest, n)
	if len(orders) == 0 {
		return nil, nil
	}
	es := make([]Entry, 0, len(orders))
	lost, err := s.read(orders, func(e Entry) { es = append(es, e) })
	if errors.Is(err, ErrDamaged) && s.fault == nil {
		s.degrade(err) // the next window finds out what is left of the file
	}
	if err != nil {
		return nil, fmt.Errorf("read spool: %w", err)
	}
	for _, o := range lost {
		s.st.Pending.remove(o, o)
		s.st.Evicted++
	}
	if len(lost) > 0 {
		s.note("record_damaged", map[string]any{"windows": len(lost)})
	}
	return es, nil
}

// wanted are up to n pending orders in lo…hi.
func (s *Store) wanted(lo, hi uint64, newest bool, n int) []uint64 {
	var out []uint64
	pick := func(o uint64) bool {
		if o >= lo && o <= hi && !s.sent[0].has(o) && !s.sent[1].has(o) {
			out = append(out, o)
		}
		return len(out) < n
	}
	p := s.st.Pending
	if newest {
		for i := len(p) - 1; i >= 0 && p[i][1] >= lo; i-- {
			for o := min(p[i][1], hi); o >= p[i][0] && o >= lo; o-- {
				if !pick(o) {
					return out
				}
			}
		}
		return out
	}
	for _, r := range p[p.at(lo):] {
		for o := max(r[0], lo); o <= r[1] && o <= hi; o++ {
			if !pick(o) {
				return out
			}
		}
	}
	return out
}

// read calls f with the windows of the given orders, from ring or file, and
// says which it could not find or read.
func (s *Store) read(orders []uint64, f func(Entry)) (lost []uint64, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", ErrDamaged, p)
		}
	}()
	if s.db == nil && len(s.ring) == 0 {
		return nil, berrors.ErrDatabaseNotOpen
	}
	look := func(windows *bolt.Bucket) error {
		for _, o := range orders {
			if i, ok := slices.BinarySearchFunc(s.ring, o, func(e Entry, o uint64) int {
				return int(min(max(int64(e.order-o), -1), 1))
			}); ok {
				f(s.ring[i])
				continue
			}
			if windows == nil {
				continue // a backlog in a file that cannot be read for now
			}
			e, err := decodeRecord(o, windows.Get(orderKey(o)))
			if err != nil {
				lost = append(lost, o)
				continue
			}
			f(e)
		}
		return nil
	}
	if s.db == nil {
		return nil, look(nil)
	}
	return lost, s.db.View(func(tx *bolt.Tx) error { return look(tx.Bucket(windowsBucket)) })
}

// Ack settles windows that the broker acknowledged. It is written with the
// next window: after a crash in between they are sent once more, the same.
func (s *Store) Ack(es []Entry) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range es {
		if e.order == 0 {
			return errors.New("acknowledge: an entry that this spool did not give")
		}
		if s.confirm {
			s.sent[0].add(e.order, e.order)
			continue
		}
		s.st.Pending.remove(e.order, e.order)
		s.dirty = true
	}
	return nil
}

// An Account says what became of a range of numbers that a consumer asked for.
type Account struct {
	Resend uint64      `json:"resend"` // windows that will be sent again
	Gone   []Tombstone `json:"gone,omitempty"`
	Last   uint64      `json:"last"` // the last number given in that epoch and stream, 0 if unknown
}

// Resend makes the windows from…to of a stream pending again. What is neither
// resent nor in a tombstone is past its retention, or never was.
func (s *Store) Resend(epoch, stream string, from, to uint64) (Account, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var a Account
	err := s.scan(epoch, stream, from, func(o, seq uint64) bool {
		a.Last = max(a.Last, seq)
		if seq <= to {
			s.st.Pending.add(o, o)
			s.sent[0].remove(o, o)
			s.sent[1].remove(o, o)
			a.Resend++
			s.dirty = true
		}
		return seq < to || epoch != s.st.Epoch
	})
	s.st.Pending.coarsen(maxSpans)
	if epoch == s.st.Epoch {
		a.Last = s.st.Seq[stream]
	}
	for _, t := range s.st.Tombs {
		if t.Epoch == epoch && t.Stream == stream && t.From <= to && t.To >= from {
			a.Gone = append(a.Gone, t)
		}
	}
	return a, err
}

// scan calls f with order and number of each stored window of a stream from
// number from on, until it says no. An order is never below its number.
func (s *Store) scan(epoch, stream string, from uint64, f func(order, seq uint64) bool) error {
	stop := false
	if s.db != nil {
		err := s.db.View(func(tx *bolt.Tx) error {
			c := tx.Bucket(windowsBucket).Cursor()
			for k, v := c.Seek(orderKey(from)); k != nil && !stop; k, v = c.Next() {
				h, err := decodeHead(v)
				if err == nil && h.epoch == epoch && h.stream == stream && h.seq >= from {
					stop = !f(binary.BigEndian.Uint64(k), h.seq)
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("scan spool: %w", err)
		}
	}
	for _, e := range s.ring {
		if !stop && e.Epoch == epoch && e.Release.Stream() == stream && e.Seq >= from {
			stop = !f(e.order, e.Seq)
		}
	}
	return nil
}

// Watermark says that the consumer has every window of a stream up to and
// including number to, for good. They are settled, and freed without waiting
// for their retention. A watermark never goes back.
func (s *Store) Watermark(epoch, stream string, to uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	from := s.st.Marks[epoch+" "+stream] + 1
	if to < from {
		return nil
	}
	err := s.scan(epoch, stream, from, func(o, seq uint64) bool {
		if seq <= to {
			s.st.Pending.remove(o, o)
			s.sent[0].remove(o, o)
			s.sent[1].remove(o, o)
			s.freed.add(o, o)
		}
		return seq < to
	})
	if err != nil {
		return err
	}
	s.mark(epoch+" "+stream, to)
	return nil
}

const maxMarks = 1024

func (s *Store) mark(key string, to uint64) {
	if s.st.Marks == nil {
		s.st.Marks = map[string]uint64{}
	}
	if _, ok := s.st.Marks[key]; ok || len(s.st.Marks) < maxMarks {
		s.st.Marks[key] = max(s.st.Marks[key], to)
		s.dirty = true
	}
}

// Doubt makes pending again, in watermark mode, what the broker acknowledged
// before the last call of Doubt and no watermark has confirmed since. Call it
// at the pace at which the consumer sends watermarks, or slower.
func (s *Store) Doubt() (again uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	again = s.sent[1].len()
	s.sent[1], s.sent[0] = s.sent[0], nil
	return again
}

// Hear remembers a command's id until it expires, and says whether it is new.
// With more than 256 unexpired ones every further command is refused.
func (s *Store) Hear(id string, expires, now time.Time) (fresh bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, at := range s.st.Heard {
		if at < now.Unix() {
			delete(s.st.Heard, k)
		}
	}
	if _, ok := s.st.Heard[id]; ok || len(s.st.Heard) >= 256 {
		return false
	}
	s.hear(id, expires.Unix())
	return true
}

func (s *Store) hear(id string, at int64) {
	if s.st.Heard == nil {
		s.st.Heard = map[string]int64{}
	}
	s.st.Heard[id] = at
	s.dirty = true
}

// Note remembers something that happened until someone is told.
func (s *Store) Note(kind string, data map[string]any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.note(kind, data)
}

// Notes are those nobody was told yet, oldest first.
func (s *Store) Notes() []Note {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.st.Notes)
}

// Told forgets a note if it still is what was told: an eviction that went on
// in the meantime stays, to be told again whole.
func (s *Store) Told(n Note) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.st.Notes = slices.DeleteFunc(slices.Clone(s.st.Notes), func(o Note) bool {
		return o.N == n.N && number(o.Data["to"]) == number(n.Data["to"])
	})
	s.dirty = true
}
