package uplink

import (
	"slices"
	"time"

	"kerb/agent/store"
)

const (
	maxLive       = 64      // windows that may be live at once; when more wait, the older ones are late
	maxLateLoaded = 960     // late windows in memory at once, about 0.6 MB
	maxOrder      = 1 << 63 // above every order that the spool gives
)

// scheduler is a priority queue: it returns the next message of a connection, the
// proofs and answers first, then live windows, state, meta and last windows, events, and late
// windows last. Live are the windows of the newest batch at the time of connecting,
// and all later ones. Late windows are paced and capped by a token bucket.
type scheduler struct {
	u                *Uplink
	urgent           []message       // proofs and answers
	soon             []message       // retained messages, at most one of each topic
	retained         map[string]bool // topics of which a retained message is under way
	held             bool            // windows wait, because a topic is not proven
	eventsHeld       bool            // events wait, because theirs is not
	notesSent        map[uint64]bool // by Note.N: sent on this connection
	nextLive         uint64          // the next order to send live
	live             []store.Entry
	liveAt           time.Time // when they may go
	spreadFrom       uint64    // windows from this order on ended while connected, and are spread
	lateFrom, lateTo uint64    // range of late orders still to load; empty when lateFrom > lateTo
	late             []message
	rescan           bool // late windows may have come back: load from the first order again
	nextLateAt       time.Time
	budget           float64 // tokens of the bucket, in bytes; below 0 is debt
	budgetAt         time.Time
}

func newScheduler(u *Uplink, st store.Stats, now time.Time) *scheduler {
	at := firstLiveOrder(st)
	return &scheduler{
		u: u, retained: map[string]bool{}, notesSent: map[uint64]bool{}, nextLive: at, spreadFrom: st.Last + 1,
		lateFrom: 1, lateTo: at - 1, budgetAt: now, nextLateAt: now,
	}
}

// firstLiveOrder returns the first order that is live on a new connection: the
// first one of the newest batch. When the batch has more than maxLive windows (a
// backlog, or the gaps of a night without power), only its last maxLive are live.
func firstLiveOrder(st store.Stats) uint64 {
	if st.LastBatch == 0 {
		return st.Last + 1
	}
	return max(st.LastBatch, st.Last+1-min(st.Last, maxLive))
}

// nextMessage returns the next message; with ok false, there is none now, and
// wait says how long the spread, pace and cap still hold back windows (0: no
// windows). idle reports that every message sent so far is acknowledged.
func (s *scheduler) nextMessage(now time.Time, idle bool) (m message, ok bool, wait time.Duration, err error) {
	if len(s.urgent) > 0 {
		m, s.urgent = s.urgent[0], s.urgent[1:]
		s.retained[m.topic] = s.retained[m.topic] || m.retained
		return s.chargeBudget(m), true, 0, nil
	}
	if !s.held {
		if err := s.loadLive(now); err != nil {
			return m, false, 0, err
		}
	}
	liveWait := time.Duration(0)
	if len(s.live) > 0 && !s.held {
		if liveWait = s.liveAt.Sub(now); liveWait <= 0 || s.u.rush.Load() {
			e := s.live[0]
			s.live = s.live[1:]
			return s.chargeBudget(s.u.packLive(e)), true, 0, nil
		}
	}
	if m, ok := s.nextRetained(); ok {
		return s.chargeBudget(m), true, 0, nil
	}
	if m, ok := s.nextEvent(); ok || s.held {
		return m, ok, 0, nil
	}
	if err := s.loadLate(idle); err != nil || len(s.late) == 0 {
		return m, false, liveWait, err
	}
	if wait = s.lateDelay(now); wait > 0 {
		if liveWait > 0 {
			wait = min(wait, liveWait)
		}
		return m, false, wait, nil
	}
	m, s.late = s.late[0], s.late[1:]
	s.nextLateAt = now.Add(s.u.o.LateInterval)
	return s.chargeBudget(m), true, 0, nil
}

// queueRetained queues a state or meta message in the place of an older one that
// waits.
func (s *scheduler) queueRetained(m message) {
	s.soon = append(slices.DeleteFunc(s.soon, func(o message) bool { return o.topic == m.topic }), m)
}

// nextRetained returns the first state or meta message of whose topic none is under
// way. Messages are published side by side, and the broker keeps the one that comes
// last: of two states, that may be the older one.
func (s *scheduler) nextRetained() (m message, ok bool) {
	for i, m := range s.soon {
		if !s.retained[m.topic] {
			s.soon, s.retained[m.topic] = slices.Delete(s.soon, i, i+1), true
			return m, true
		}
	}
	return m, false
}

// nextEvent returns the oldest event that was not sent on this connection.
func (s *scheduler) nextEvent() (m message, ok bool) {
	if s.eventsHeld {
		return m, false
	}
	for _, n := range s.u.o.Store.PendingNotes() {
		if !s.notesSent[n.N] {
			s.notesSent[n.N] = true
			return s.chargeBudget(s.u.encodeEvent(n)), true
		}
	}
	return m, false
}

// returnMessage takes back a message that the broker did not pass on. Its windows go
// again as late ones, when windows are no longer held.
func (s *scheduler) returnMessage(m message) {
	if m.note != nil {
		delete(s.notesSent, m.note.N)
	}
	if len(m.entries) > 0 {
		s.rescan = true
	}
}

// loadLive reads the next live windows from the spool when none are loaded. When
// they arrive faster than the link carries them, the older ones become late. Windows
// that ended while connected may go after the spread of this device.
func (s *scheduler) loadLive(now time.Time) error {
	if len(s.live) > 0 {
		return nil
	}
	es, err := s.u.o.Store.PendingBetween(s.nextLive, maxOrder, false, maxLive)
	if err == nil && len(es) == maxLive {
		if at := firstLiveOrder(s.u.o.Store.Stats()); at > s.nextLive {
			s.nextLive, s.rescan = at, true
			es, err = s.u.o.Store.PendingBetween(at, maxOrder, false, maxLive)
		}
	}
	if err != nil {
		return err
	}
	if len(es) > 0 {
		s.live, s.nextLive, s.liveAt = es, es[len(es)-1].Order()+1, now
		if es[0].Order() >= s.spreadFrom {
			s.liveAt = now.Add(s.u.spread)
		}
	}
	return nil
}

// loadLate reads the next maxLateLoaded late windows when none are loaded, and
// packs them stream by stream. A rescan begins only when the connection is idle:
// before, windows that wait for their PUBACK would be sent twice.
func (s *scheduler) loadLate(idle bool) error {
	if len(s.late) > 0 {
		return nil
	}
	if s.lateFrom > s.lateTo && s.rescan && idle {
		s.lateFrom, s.lateTo, s.rescan = 1, s.nextLive-1, false
	}
	if s.lateFrom > s.lateTo {
		return nil
	}
	newest := s.u.o.NewestFirst
	es, err := s.u.o.Store.PendingBetween(s.lateFrom, s.lateTo, newest, maxLateLoaded)
	if err != nil {
		return err
	}
	if len(es) < maxLateLoaded {
		s.lateFrom, s.lateTo = 1, 0
	} else if newest {
		s.lateTo = es[len(es)-1].Order() - 1
	} else {
		s.lateFrom = es[len(es)-1].Order() + 1
	}
	s.late = s.packByStream(es, newest)
	return nil
}

// packByStream groups windows by stream and packs each group into late messages.
// Within a message the oldest window is always first; newest says that es, and
// so the messages, go from the newest to the oldest.
func (s *scheduler) packByStream(es []store.Entry, newest bool) (late []message) {
	var streams []string
	groups := map[string][]store.Entry{}
	for i := range es {
		e := es[i]
		if newest {
			e = es[len(es)-1-i]
		}
		name := e.Release.Stream()
		if groups[name] == nil {
			streams = append(streams, name)
		}
		groups[name] = append(groups[name], e)
	}
	for _, name := range streams {
		late = append(late, s.u.packLate(name, s.u.tuning.batch, groups[name])...)
	}
	if newest {
		slices.Reverse(late)
	}
	return late
}

// lateDelay returns how long the pace and the cap of Opts hold back the next
// late message. The bucket holds at most the bytes of one second.
func (s *scheduler) lateDelay(now time.Time) time.Duration {
	wait := s.nextLateAt.Sub(now)
	if limit := float64(s.u.o.LateByteRate); limit > 0 {
		s.budget = min(s.budget+limit*now.Sub(s.budgetAt).Seconds(), limit)
		s.budgetAt = now
		if s.budget < 0 {
			wait = max(wait, time.Duration(-s.budget/limit*float64(time.Second))+time.Millisecond)
		}
	}
	return wait
}

// chargeBudget takes the message's bytes out of the bucket. Live messages pay as
// well, so that late ones get only the rest of the cap.
func (s *scheduler) chargeBudget(m message) message {
	s.budget -= float64(m.wireSize())
	return m
}

// settleMessage records an acknowledgement in the spool: the note is
// forgotten, the windows are no longer pending.
func (s *scheduler) settleMessage(m message) error {
	if m.note != nil {
		s.u.o.Store.RemoveNote(*m.note)
		delete(s.notesSent, m.note.N)
	}
	if len(m.entries) == 0 {
		return nil
	}
	return s.u.o.Store.AckWindows(m.entries)
}
