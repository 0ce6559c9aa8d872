package store

import (
	"encoding/binary"
	"fmt"
	"maps"
	"strings"

	bolt "go.etcd.io/bbolt"
)

// keptPast is the number of ended epochs that stay in the account when the spool
// holds none of their windows: a command about them may still be on its way. Chosen
// by hand.
const keptPast = 4

// maxPast bounds the ended epochs in the account, of which each takes about 25
// bytes a stream. The oldest are dropped first. Chosen by hand.
const maxPast = 32

// epochEnd is the end of an epoch: the last number that each stream got in it.
type epochEnd struct {
	Epoch string            `json:"epoch"`
	Last  map[string]uint64 `json:"last"`
	Order uint64            `json:"order"` // the last order given in it
}

// newEpoch ends the current number space and begins another. Its note holds the
// last number of each stream of the old one.
func (s *Store) newEpoch(why string) {
	old, last := s.st.Epoch, maps.Clone(s.st.Seq)
	s.st.endOpenEpoch()
	s.addNote("epoch", map[string]any{"epoch": s.st.Epoch, "previous": old, "last": last, "reason": why})
}

// endOpenEpoch ends the epoch in which numbers are given, and begins another.
func (st *state) endOpenEpoch() {
	if len(st.Seq) > 0 {
		st.endEpoch(epochEnd{st.Epoch, st.Seq, st.Last})
	}
	st.Epoch, st.Seq = newUUID(), map[string]uint64{}
}

// endEpoch adds an ended epoch, unless the account has it.
func (st *state) endEpoch(e epochEnd) {
	if st.pastEpoch(e.Epoch) == nil {
		st.Past = append(st.Past, e)
		st.Past = st.Past[max(0, len(st.Past)-maxPast):]
	}
}

// pastEpoch returns the end of an epoch, nil where the account does not have it.
func (st *state) pastEpoch(epoch string) *epochEnd {
	for i := range st.Past {
		if st.Past[i].Epoch == epoch {
			return &st.Past[i]
		}
	}
	return nil
}

// forgetEpochs drops the ended epochs, but for the last keptPast, of which the
// spool, whose oldest window has the given order, holds no window any more, and
// their watermarks.
func (st *state) forgetEpochs(oldest uint64) {
	for len(st.Past) > keptPast && st.Past[0].Order < oldest {
		gone := st.Past[0].Epoch + " "
		st.Past = st.Past[1:]
		maps.DeleteFunc(st.Marks, func(key string, _ uint64) bool { return strings.HasPrefix(key, gone) })
	}
}

// lastGiven returns the last number that a stream got in an epoch. An epoch or
// stream that the spool does not know is an error that names it.
func (s *Store) lastGiven(epoch, stream string) (uint64, error) {
	last := s.st.Seq
	if epoch != s.st.Epoch {
		if p := s.st.pastEpoch(epoch); p != nil {
			last = p.Last
		} else {
			var err error
			if last, err = s.scanEpoch(epoch); err != nil {
				return 0, err
			}
		}
	}
	if n := last[stream]; n > 0 {
		return n, nil
	}
	if len(last) == 0 && epoch != s.st.Epoch {
		return 0, fmt.Errorf("epoch %s: not of this spool, or past its retention; the present one is %s", epoch, s.st.Epoch)
	}
	return 0, fmt.Errorf("stream %s: no window of it in epoch %s", stream, epoch)
}

// scanEpoch returns the highest number that each stream has in an epoch, in the
// stored windows and in the tombstones.
func (s *Store) scanEpoch(epoch string) (map[string]uint64, error) {
	last := map[string]uint64{}
	for _, t := range s.st.Tombs {
		if t.Epoch == epoch {
			last[t.Stream] = max(last[t.Stream], t.To)
		}
	}
	for _, e := range s.ring {
		if e.Epoch == epoch {
			last[e.Release.Stream()] = max(last[e.Release.Stream()], e.Seq)
		}
	}
	if s.db == nil {
		return last, nil
	}
	err := s.db.View(func(tx *bolt.Tx) error {
		return tx.Bucket(windowsBucket).ForEach(func(_, v []byte) error {
			if h, err := decodeHead(v); err == nil && h.epoch == epoch {
				last[h.stream] = max(last[h.stream], h.seq)
			}
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("scan spool: %w", err)
	}
	return last, nil
}

// oldestOrder returns the order of the oldest window in the bucket; with none, the
// highest of all.
func oldestOrder(windows *bolt.Bucket) uint64 {
	if k, _ := windows.Cursor().First(); len(k) == 8 {
		return binary.BigEndian.Uint64(k)
	}
	return 1<<64 - 1
}
