package uplink

import (
	"slices"
	"time"

	"kerb/agent/store"
)

// message is what one PUBLISH carries, and what is settled by its PUBACK.
type message struct {
	topic    string
	payload  []byte
	retained bool
	late     bool
	entries  []store.Entry
	note     *store.Note
}

func (m message) size() int { return len(m.topic) + len(m.payload) + 9 } // with MQTT's fixed header and id

const (
	liveBatch = 64  // windows that may be live at once; with more waiting, the older are late
	lateBatch = 960 // late windows in memory at once, about 0.6 MB
)

// feed decides what a connection sends next: the state when it changed, live
// windows, answers, events, and late windows last. Windows of the batch that
// was the newest when the connection began, and all after it, are live.
type feed struct {
	u       *Uplink
	urgent  []message // state and answers
	telling map[uint64]bool
	liveAt  uint64 // the next order to send live
	live    []store.Entry
	lo, hi  uint64 // late orders that were not looked at yet; none when lo > hi
	late    []message
	again   bool // late windows may have come back: look from the start
	next    time.Time
	budget  float64 // bytes that late windows may use; below 0 is debt
	filled  time.Time
}

func newFeed(u *Uplink, st store.Stats, now time.Time) *feed {
	at := liveFrom(st)
	return &feed{u: u, telling: map[uint64]bool{}, liveAt: at, lo: 1, hi: at - 1, filled: now, next: now}
}

// liveFrom is the first order that is live when a connection begins: that of
// the newest batch, unless the batch is far too large to be one of windows that
// just ended.
func liveFrom(st store.Stats) uint64 {
	if st.Batch == 0 {
		return st.Last + 1
	}
	return max(st.Batch, st.Last+1-min(st.Last, liveBatch))
}

// take gives the next message, or none and how long late windows must wait.
// idle says that nothing is under way.
func (f *feed) take(now time.Time, idle bool) (m message, ok bool, wait time.Duration, err error) {
	if len(f.urgent) > 0 {
		m, f.urgent = f.urgent[0], f.urgent[1:]
		return f.spend(m), true, 0, nil
	}
	if err := f.fillLive(); err != nil {
		return m, false, 0, err
	}
	if len(f.live) > 0 {
		e := f.live[0]
		f.live = f.live[1:]
		m = message{topic: f.u.base + "count/" + e.Release.Stream(), entries: []store.Entry{e}}
		m.payload = appendWindow(make([]byte, 0, 640), f.u.o.Device, e)
		return f.spend(m), true, 0, nil
	}
	for _, n := range f.u.o.Store.Notes() {
		if !f.telling[n.N] {
			f.telling[n.N] = true
			return f.spend(f.u.event(n)), true, 0, nil
		}
	}
	if err := f.fillLate(idle); err != nil || len(f.late) == 0 {
		return m, false, 0, err
	}
	if wait = f.wait(now); wait > 0 {
		return m, false, wait, nil
	}
	m, f.late = f.late[0], f.late[1:]
	f.next = now.Add(f.u.o.Pace)
	return f.spend(m), true, 0, nil
}

func (f *feed) fillLive() error {
	if len(f.live) > 0 {
		return nil
	}
	es, err := f.u.o.Store.Between(f.liveAt, 1<<63, false, liveBatch)
	if err == nil && len(es) == liveBatch { // they come faster than they go: the older are late
		if at := liveFrom(f.u.o.Store.Stats()); at > f.liveAt {
			f.liveAt, f.again = at, true
			es, err = f.u.o.Store.Between(at, 1<<63, false, liveBatch)
		}
	}
	if err != nil {
		return err
	}
	if len(es) > 0 {
		f.live, f.liveAt = es, es[len(es)-1].Order()+1
	}
	return nil
}

func (f *feed) fillLate(idle bool) error {
	if len(f.late) > 0 {
		return nil
	}
	if f.lo > f.hi && f.again && idle {
		f.lo, f.hi, f.again = 1, f.liveAt-1, false
	}
	if f.lo > f.hi {
		return nil
	}
	newest := f.u.o.Newest
	es, err := f.u.o.Store.Between(f.lo, f.hi, newest, lateBatch)
	if err != nil {
		return err
	}
	if len(es) < lateBatch {
		f.lo, f.hi = 1, 0
	} else if newest {
		f.hi = es[len(es)-1].Order() - 1
	} else {
		f.lo = es[len(es)-1].Order() + 1
	}
	var streams []string
	by := map[string][]store.Entry{}
	for i := range es {
		e := es[i]
		if newest {
			e = es[len(es)-1-i] // within a message always oldest first
		}
		s := e.Release.Stream()
		if by[s] == nil {
			streams = append(streams, s)
		}
		by[s] = append(by[s], e)
	}
	for _, s := range streams {
		f.late = append(f.late, lateMessages(f.u.base+"backfill/"+s, f.u.o.Device, f.u.tempo.late, by[s])...)
	}
	for i := range f.late {
		f.late[i].late = true
	}
	if newest {
		slices.Reverse(f.late)
	}
	return nil
}

// wait is how long pace and cap hold back the next late message.
func (f *feed) wait(now time.Time) time.Duration {
	wait := f.next.Sub(now)
	if limit := float64(f.u.o.Cap); limit > 0 {
		f.budget = min(f.budget+limit*now.Sub(f.filled).Seconds(), limit) // a second's worth at most is saved up
		f.filled = now
		if f.budget < 0 {
			wait = max(wait, time.Duration(-f.budget/limit*float64(time.Second))+time.Millisecond)
		}
	}
	return wait
}

func (f *feed) spend(m message) message {
	f.budget -= float64(m.size())
	return m
}

// settled is called for every message that the broker acknowledged.
func (f *feed) settled(m message) error {
	if m.note != nil {
		f.u.o.Store.Told(*m.note)
		delete(f.telling, m.note.N)
	}
	if len(m.entries) == 0 {
		return nil
	}
	return f.u.o.Store.Ack(m.entries)
}
