package store

import (
	"encoding/binary"

	bolt "go.etcd.io/bbolt"
)

// Several windows of one stream can have the same label: kerb was restarted within
// the window, or the clock was set back. Each is one part of what passed in it. The
// first has no part number, because it is not known then that there will be others.

// labelKey names the windows that have one label together. Labels of a clock that
// was not trusted are compared within one boot alone.
type labelKey struct {
	stream string
	start  int64  // ms since 1970
	boot   string // "" where the clock was trusted
}

func (e Entry) labelKey() labelKey {
	k := labelKey{stream: e.Release.Stream(), start: e.Release.StartTime().UnixMilli()}
	if !e.Synced {
		k.boot = e.Boot
	}
	return k
}

// numberParts sets Part in those of es whose label an earlier window of es or of the
// spool has.
func (s *Store) numberParts(es []Entry) {
	if s.newest == nil {
		s.newest = map[labelKey]int64{}
		s.eachStored(func(e Entry) { s.raiseNewest(e) })
	}
	used, doubtful := map[labelKey]uint32{}, false
	for _, e := range es {
		k := e.labelKey()
		if newest, ok := s.newest[k.withoutStart()]; ok && k.start <= newest {
			used[k], doubtful = 0, true
		}
	}
	if doubtful { // seldom: at a start, and after a step of the clock
		s.eachStored(func(e Entry) {
			if n, ok := used[e.labelKey()]; ok {
				used[e.labelKey()] = max(n, e.Part, 1)
			}
		})
	}
	for i := range es {
		k := es[i].labelKey()
		if n := used[k]; n > 0 {
			es[i].Part = n + 1
		}
		used[k] = max(used[k]+1, 1)
		s.raiseNewest(es[i])
	}
}

// withoutStart returns the key of the windows of all labels together.
func (k labelKey) withoutStart() labelKey { k.start = 0; return k }

// raiseNewest records the label of a window, if it is the latest of its stream.
func (s *Store) raiseNewest(e Entry) {
	k := e.labelKey()
	if newest, ok := s.newest[k.withoutStart()]; !ok || k.start > newest {
		s.newest[k.withoutStart()] = k.start
	}
}

// eachStored calls f with all windows of the file and the ring that can be read.
func (s *Store) eachStored(f func(Entry)) {
	if s.db != nil {
		_ = s.db.View(func(tx *bolt.Tx) error {
			return tx.Bucket(windowsBucket).ForEach(func(k, v []byte) error {
				if e, err := decodeRecord(binary.BigEndian.Uint64(k), v); err == nil {
					f(e)
				}
				return nil
			})
		})
	}
	for _, e := range s.ring {
		f(e)
	}
}
