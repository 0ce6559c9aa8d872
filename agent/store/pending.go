package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// PendingWindows returns up to n windows that are not acknowledged, oldest first.
func (s *Store) PendingWindows(n int) ([]Entry, error) { return s.PendingBetween(1, 1<<63, false, n) }

// PendingBetween returns up to n unacknowledged windows with orders from lo to hi,
// oldest or newest first. A record that cannot be read is dropped and noted.
func (s *Store) PendingBetween(lo, hi uint64, newest bool, n int) ([]Entry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	orders := s.pendingOrders(lo, hi, newest, n)
	if len(orders) == 0 {
		return nil, nil
	}
	es := make([]Entry, 0, len(orders))
	lost, err := s.readWindows(orders, func(e Entry) { es = append(es, e) })
	if errors.Is(err, ErrDamaged) && s.fault == nil {
		s.degradeToMemory(err) // the next Append reopens the file
	}
	if err != nil {
		return nil, fmt.Errorf("read spool: %w", err)
	}
	es = s.buryExpired(es)
	for _, o := range lost {
		s.st.Pending.removeRange(o, o)
		s.st.Evicted++
	}
	if len(lost) > 0 {
		s.addNote("record_damaged", map[string]any{"windows": len(lost)})
	}
	return es, nil
}

// buryExpired returns those of es whose retention is not over. The others are no
// longer sent, even where the file cannot be written to delete them.
func (s *Store) buryExpired(es []Entry) []Entry {
	r := s.read(&s.st)
	return slices.DeleteFunc(es, func(e Entry) bool {
		if !r.isExpired(e, s.keep) {
			return false
		}
		s.st.addTombstone(e.Epoch, e.Release.Stream(), e.Seq, evictedExpired, r.wall)
		s.st.Pending.removeRange(e.order, e.order)
		s.dirty = true
		return true
	})
}

// pendingOrders returns up to n pending orders from lo to hi, oldest or newest
// first.
func (s *Store) pendingOrders(lo, hi uint64, newest bool, n int) []uint64 {
	var out []uint64
	pick := func(o uint64) bool {
		if o >= lo && o <= hi && !s.sent[0].contains(o) && !s.sent[1].contains(o) && !s.isHeld(o) {
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
	for _, r := range p[p.indexFrom(lo):] {
		for o := max(r[0], lo); o <= r[1] && o <= hi; o++ {
			if !pick(o) {
				return out
			}
		}
	}
	return out
}

// readWindows calls f with the windows of the given orders, from the ring or
// the file, and returns the orders that it could not find or decode. A panic of
// bbolt becomes ErrDamaged.
func (s *Store) readWindows(orders []uint64, f func(Entry)) (lost []uint64, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", ErrDamaged, p)
		}
	}()
	if s.db == nil && len(s.ring) == 0 {
		return nil, berrors.ErrDatabaseNotOpen
	}
	visit := func(windows *bolt.Bucket) error {
		for _, o := range orders {
			if i, ok := slices.BinarySearchFunc(s.ring, o, func(e Entry, o uint64) int {
				return int(min(max(int64(e.order-o), -1), 1))
			}); ok {
				f(s.ring[i])
				continue
			}
			if windows == nil {
				continue // the window is in a file that cannot be read now
			}
			record := windows.Get(orderKey(o))
			e, err := decodeRecord(o, record)
			if err != nil || !s.seal.holds(o, record) {
				lost = append(lost, o)
				continue
			}
			f(e)
		}
		return nil
	}
	if s.db == nil {
		return nil, visit(nil)
	}
	return lost, s.db.View(func(tx *bolt.Tx) error { return visit(tx.Bucket(windowsBucket)) })
}

// AckWindows settles windows that the broker acknowledged. It is written to disk with
// the next window: after a crash in between, they are sent once more,
// unchanged. It returns an error for an Entry of another origin.
func (s *Store) AckWindows(es []Entry) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range es {
		if e.order == 0 {
			return errors.New("acknowledge: an entry that this spool did not give")
		}
		if s.confirmWithin > 0 {
			s.sent[0].addRange(e.order, e.order)
			continue
		}
		s.st.Pending.removeRange(e.order, e.order)
		s.dirty = true
	}
	return nil
}

// Account is the answer to a Resend: which windows of the range are sent again,
// and which are gone.
type Account struct {
	Resend uint64      `json:"resend"` // number of windows that are sent again
	Gone   []Tombstone `json:"gone,omitempty"`
	Last   uint64      `json:"last"` // last number given in the epoch and stream
}

// Resend makes the windows from…to of a stream pending again. A number of the
// range that is neither resent nor in a tombstone is past its retention or was
// never given. An epoch or stream that the spool does not know is an error.
func (s *Store) Resend(epoch, stream string, from, to uint64) (Account, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	last, err := s.lastGiven(epoch, stream)
	if err != nil {
		return Account{}, err
	}
	a := Account{Last: last}
	err = s.scanStream(epoch, stream, from, func(o, seq uint64) bool {
		if seq <= to {
			s.st.Pending.addRange(o, o)
			s.freed.removeRange(o, o) // a watermark settled it, and it is asked for again
			s.sent[0].removeRange(o, o)
			s.sent[1].removeRange(o, o)
			a.Resend++
			s.dirty = true
		}
		return seq < min(to, last)
	})
	s.st.Pending.mergeNearest(maxSpans)
	for _, t := range s.st.Tombs {
		if t.Epoch == epoch && t.Stream == stream && t.From <= to && t.To >= from {
			a.Gone = append(a.Gone, t)
		}
	}
	return a, err
}

// scanStream calls f with order and number of each stored window of a stream,
// from number from on, until f returns false. It starts at the order that
// equals the number, because an order is never below its number.
func (s *Store) scanStream(epoch, stream string, from uint64, f func(order, seq uint64) bool) error {
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

// SetWatermark records that the consumer has every window of a stream up to and
// including number to. They are settled, and deleted without waiting for their
// retention. A lower watermark than the last one has no effect. A watermark beyond
// the last number given, or of an unknown epoch or stream, is an error: it would
// settle windows that do not exist yet.
func (s *Store) SetWatermark(epoch, stream string, to uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	last, err := s.lastGiven(epoch, stream)
	if err != nil {
		return err
	}
	if to > last {
		return fmt.Errorf("to %d: the last number given is %d", to, last)
	}
	from := s.st.Marks[epoch+" "+stream] + 1
	if to < from {
		return nil
	}
	err = s.scanStream(epoch, stream, from, func(o, seq uint64) bool {
		if seq <= to {
			s.st.Pending.removeRange(o, o)
			s.sent[0].removeRange(o, o)
			s.sent[1].removeRange(o, o)
			s.freed.addRange(o, o)
		}
		return seq < to
	})
	if err != nil {
		return err
	}
	s.raiseMark(epoch+" "+stream, to)
	return nil
}

// maxMarks bounds the watermarks in the account, one per epoch and stream.
// Chosen by hand.
const maxMarks = 1024

// raiseMark raises the watermark of a key, "epoch stream". Above maxMarks, new
// keys are ignored.
func (s *Store) raiseMark(key string, to uint64) {
	if s.st.Marks == nil {
		s.st.Marks = map[string]uint64{}
	}
	if _, ok := s.st.Marks[key]; ok || len(s.st.Marks) < maxMarks {
		s.st.Marks[key] = max(s.st.Marks[key], to)
		s.dirty = true
	}
}

// RequeueUnconfirmed makes pending again, in watermark mode, the windows that the broker
// acknowledged before the previous call and that no watermark has settled
// since. Call it at most as often as the consumer sends watermarks. It returns
// how many windows.
func (s *Store) RequeueUnconfirmed() (again uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	again = s.sent[1].total()
	s.sent[1], s.sent[0] = s.sent[0], nil
	return again
}

// AddNote stores an event until it has been published.
func (s *Store) AddNote(kind string, data map[string]any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.addNote(kind, data)
}

// PendingNotes returns the events that are not yet published, oldest first.
func (s *Store) PendingNotes() []Note {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.st.Notes)
}

// RemoveNote removes a published event, unless it has changed since: an eviction that
// went on in the meantime stays and is published again.
func (s *Store) RemoveNote(n Note) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.st.Notes = slices.DeleteFunc(slices.Clone(s.st.Notes), func(o Note) bool {
		return o.N == n.N && toUint64(o.Data["to"]) == toUint64(n.Data["to"])
	})
	s.dirty = true
}
