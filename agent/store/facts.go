package store

import (
	"encoding/json"
	"maps"
)

// Facts are values that are derived from the windows and kept in the account, by keys
// of the caller's choice. They are written in the transaction of the windows that they
// are derived from, so that after a power cut they fit these windows.
type Facts map[string]json.RawMessage

// Event is an event that is stored with the windows that it is derived from.
type Event struct {
	Kind string
	Data map[string]any
}

// Derive changes facts by the windows of one Append, which have their numbers, and
// returns the events that follow from them. It may be called twice for the same
// windows, with the facts as they were and under other numbers: it must keep no state.
type Derive func(facts Facts, es []Entry) []Event

// DeriveWith sets the function that derives facts and events from the windows.
func DeriveWith(f Derive) Option { return func(s *Store) { s.derive = f } }

// deriveFacts changes the facts of an account by numbered windows, and adds the events.
func (s *Store) deriveFacts(st *state, es []Entry) {
	if s.derive == nil || len(es) == 0 {
		return
	}
	facts := maps.Clone(st.Facts)
	if facts == nil {
		facts = Facts{}
	}
	events := s.derive(facts, es)
	st.Facts = facts
	for _, e := range events {
		kind := e.Kind
		st.addNote(kind, s.now(), e.Data)
	}
}

// Latest returns the newest window of each of the streams, and the facts. A stream
// without a window is left out, and so is one whose newest window is held back (see
// HoldUnsynced) or past its retention.
func (s *Store) Latest(streams []string) (map[string]Entry, Facts) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.readLatest()
	out, r := map[string]Entry{}, s.read(&s.st)
	for _, name := range streams {
		if e, ok := s.latest[name]; ok && !s.isHeld(e.order) && !r.isExpired(e, s.keep) {
			out[name] = e
		}
	}
	return out, maps.Clone(s.st.Facts)
}

// readLatest reads the newest window of each stream from the spool, once.
func (s *Store) readLatest() {
	if s.latest == nil {
		s.latest = map[string]Entry{}
		s.eachStored(func(e Entry) { s.raiseLatest(e) })
	}
}

// raiseLatest records a window that is the newest one of its stream. The gaps of the
// time before a start can be stored after the first windows of that start, when the
// clock was set late: within one boot the monotonic clock decides.
func (s *Store) raiseLatest(e Entry) {
	old, known := s.latest[e.Release.Stream()]
	if known && (e.order < old.order || e.Boot == old.Boot && e.Release.Mono() < old.Release.Mono()) {
		return
	}
	s.latest[e.Release.Stream()] = e
}

// raiseAllLatest is raiseLatest for the windows of one Append, once the others of the
// spool are known.
func (s *Store) raiseAllLatest(es []Entry) {
	if s.latest == nil {
		return
	}
	for _, e := range es {
		s.raiseLatest(e)
	}
}

// Shown returns the streams that were recorded with SetShown.
func (s *Store) Shown() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.st.Shown...)
}

// SetShown records the streams of which the broker keeps the last window, so that it
// can be cleared when a later configuration does not have them. It is written with the
// next window.
func (s *Store) SetShown(streams []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.st.Shown, s.dirty = streams, true
}
