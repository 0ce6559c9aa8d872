package store

import (
	"fmt"
	"time"
)

// holdFor is how long a window that was counted before the wall clock could be
// trusted is held back, so that it can be sent under its true label. A time server
// answers within seconds of the network. Chosen by hand.
const holdFor = 2 * time.Minute

// heldWindow is a window that PendingBetween does not return yet.
type heldWindow struct {
	order uint64
	until time.Time // by the monotonic clock
}

// holdUnsynced holds back those of es whose labels cannot be trusted.
func (s *Store) holdUnsynced(es []Entry) {
	for _, e := range es {
		if !e.Synced && e.Boot != "" && s.holding {
			s.held = append(s.held, heldWindow{e.order, time.Now().Add(holdFor)})
		}
	}
}

// isHeld reports whether a window is held back.
func (s *Store) isHeld(order uint64) bool {
	for _, h := range s.held {
		if h.order == order {
			return true
		}
	}
	return false
}

// HoldUnsynced turns on that windows with an untrusted label are held back for two
// minutes, in which Relabel can mend them. The caller must call TakeReleased.
func HoldUnsynced() Option { return func(s *Store) { s.holding = true } }

// ReleaseHeld makes all windows pending that are held back, as at the end of the
// program.
func (s *Store) ReleaseHeld() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.released = s.released || len(s.held) > 0
	s.held = nil
}

// TakeReleased makes the windows pending that were held back for two minutes. It
// reports whether these or others are no longer held back since the last call.
func (s *Store) TakeReleased() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, now := 0, time.Now()
	for n < len(s.held) && !now.Before(s.held[n].until) {
		n++
	}
	released := s.released || n > 0
	s.held, s.released = s.held[n:], false
	return released
}

// Relabel gives the windows that are held back the labels that the wall clock, now
// trusted, shows for them, and makes them pending: wall and mono are one reading of
// the clocks. A window's end by the monotonic clock decides its label; the windows
// of the present boot alone are held back. It returns how many. An error is that of
// the disk; the windows then keep their labels.
func (s *Store) Relabel(wall time.Time, mono time.Duration) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.held) == 0 || s.closed {
		return 0, nil
	}
	var orders []uint64
	for _, h := range s.held {
		orders = append(orders, h.order)
	}
	s.held, s.released = nil, true
	var es []Entry
	_, err := s.readWindows(orders, func(e Entry) {
		r, err := e.Release.Relabel(wall.Add(e.Release.Mono() - mono))
		if err != nil || r == e.Release && s.isLabelTaken(e) {
			return
		}
		e.Release, e.Synced, e.Relabelled = r, true, true
		es = append(es, e)
	})
	if err != nil {
		return 0, fmt.Errorf("relabel: %w", err)
	}
	s.numberParts(es)
	return s.replaceWindows(es)
}

// isLabelTaken reports whether a window with a trusted label has the label of e. The
// wall clock was then set back to a time that it had shown before, and which of the
// two is right is not known: e keeps a label that is not trusted.
func (s *Store) isLabelTaken(e Entry) (taken bool) {
	e.Synced = true
	key := e.labelKey()
	s.eachStored(func(o Entry) { taken = taken || o.Synced && o.labelKey() == key })
	return taken
}

// replaceWindows writes windows under the orders that they have, in the ring or in
// the file.
func (s *Store) replaceWindows(es []Entry) (n int, err error) {
	var stored []Entry
	for _, e := range es {
		if s.latest[e.Release.Stream()].order == e.order {
			s.latest[e.Release.Stream()] = e
		}
		inRing := false
		for i := range s.ring {
			if s.ring[i].order == e.order {
				s.ring[i], inRing = e, true
				n++
			}
		}
		if !inRing {
			stored = append(stored, e)
		}
	}
	if len(stored) == 0 || s.fault != nil {
		return n, nil
	}
	next := s.st.clone()
	if err := s.writeTransaction(&next, stored, 0); err != nil {
		return n, fmt.Errorf("relabel: %w", err)
	}
	s.st, s.dirty = next, false
	return n + len(stored), nil
}
