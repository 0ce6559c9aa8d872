package publisher

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"kerb/agent/config"
	"kerb/agent/ipc"
	"kerb/agent/state"
	"kerb/agent/status"
	"kerb/agent/store"
	"kerb/agent/uplink"
)

// queryFD is the descriptor of this process's end of the socket for queries: the one
// after that of the handover.
const queryFD = handoverFD + 1

// inheritQueries returns the socket on which the supervisor asks, nil where this
// process has inherited none. It must be called before anything else is opened.
func inheritQueries() *os.File {
	var st syscall.Stat_t
	if err := syscall.Fstat(queryFD, &st); err != nil || st.Mode&syscall.S_IFMT != syscall.S_IFSOCK {
		return nil
	}
	syscall.CloseOnExec(queryFD)
	return os.NewFile(queryFD, "queries")
}

// answerQueries answers the supervisor's queries until the socket ends. What it tells
// is cleared: the windows are those of the spool.
func (p *publisher) answerQueries(socket io.ReadWriter, broker func() uplink.Status) {
	for {
		m, err := ipc.ReadRecord(socket)
		q, ok := m.(*ipc.Query)
		if err != nil || !ok {
			return
		}
		if err := status.WriteAnswer(socket, q.N, p.answerQuery(q, broker)); err != nil {
			return
		}
	}
}

// answerQuery returns the uplink's part of an answer: a status.History, or else a
// status.Uplink.
func (p *publisher) answerQuery(q *ipc.Query, broker func() uplink.Status) any {
	if q.What != ipc.QueryHistory {
		return p.describeUplink(q, broker)
	}
	h, err := ReadHistory(p.Store, p.Policy, p.clock.ReadAll().Wall)
	if err != nil {
		p.Log.Warn("the history cannot be read", "err", err)
		return nil
	}
	return h
}

// describeUplink returns the condition of broker and spool, or a page of windows.
func (p *publisher) describeUplink(q *ipc.Query, broker func() uplink.Status) (answer status.Uplink) {
	address := Address(p.site.Device)
	if q.What == ipc.QueryWindows {
		page, last, err := p.Store.PageAfter(q.After, int(q.Count))
		if err != nil {
			return status.Uplink{Spool: &status.Spool{Health: status.HealthUnread, Why: err.Error()}}
		}
		return status.Uplink{Windows: packWindows(address, page), Last: last}
	}
	answer = status.Uplink{Broker: packBroker(broker()), Spool: PackSpool(p.Store)}
	for _, a := range p.alarms() {
		answer.Alarms = append(answer.Alarms, status.Alarm{Stream: a.Stream, Class: a.Class, Busy: a.Busy, Since: a.Since.Time()})
	}
	if last, err := p.Store.LastWindows(int(q.Count)); err == nil {
		answer.Windows = packWindows(address, last)
	}
	return answer
}

// Address is the address of a device in the topics and messages.
func Address(d config.Device) uplink.Address {
	return uplink.Address{Tenant: d.Tenant, Site: d.Site, Device: d.Name}
}

// packBroker converts the condition of the uplink.
func packBroker(u uplink.Status) *status.Broker {
	b := &status.Broker{
		URL: u.Broker, Connected: u.Connected, Proven: u.Online, Since: u.Since,
		ACL: u.ACL, Refusal: u.Refusal, Retry: u.Retry, NoRetain: u.NoRetain,
	}
	for _, t := range u.Topics {
		if t.Why != "" {
			b.Denied = append(b.Denied, t.Topic)
		}
	}
	if u.Twin != nil {
		b.Twin = "its last message came " + u.Twin.Seen.UTC().Format("2006-01-02 15:04:05Z")
		if u.Twin.Epoch != "" {
			b.Twin += ", its spool has the epoch " + u.Twin.Epoch
		}
	}
	return b
}

// PackSpool returns the condition of a spool.
func PackSpool(db *store.Store) *status.Spool {
	st := db.Stats()
	s := &status.Spool{
		Health: status.HealthOK, Epoch: st.Epoch, Waiting: st.Pending, Memory: st.InMemory, Evicted: st.Evicted, Used: st.Used, Limit: st.Limit,
	}
	if st.Fault != nil {
		s.Health, s.Why, s.Full = status.HealthMemory, st.Fault.Error(), errors.Is(st.Fault, syscall.ENOSPC)
	}
	for _, t := range st.Tombstones {
		s.Dropped = append(s.Dropped, status.Range{Epoch: t.Epoch, Stream: t.Stream, From: t.From, To: t.To, Reason: t.Reason})
	}
	if first, err := db.PendingWindows(1); err == nil && len(first) > 0 {
		s.First = first[0].Release.StartTime()
	}
	return s
}

// packWindows encodes windows as their messages.
func packWindows(address uplink.Address, items []store.Item) (all []status.Window) {
	for _, i := range items {
		all = append(all, PackWindow(address, i))
	}
	return all
}

// PackWindow encodes a stored window of a device as its message.
func PackWindow(address uplink.Address, i store.Item) status.Window {
	return status.Window{Message: uplink.EncodeWindow(address, i.Entry), Pending: i.Pending}
}

// ReadSpoolStatus returns what the spool of a device tells while no agent
// runs, with the last so many windows. A spool that cannot be read says why.
func ReadSpoolStatus(d config.Device, windows int) (answer status.Uplink) {
	err := state.ActAsOwner(d.State, func(dir string) error {
		db, err := store.OpenReadOnly(filepath.Join(dir, state.SpoolFile))
		if err != nil {
			return err
		}
		answer.Spool = PackSpool(db)
		if last, err := db.LastWindows(windows); err == nil {
			answer.Windows = packWindows(Address(d), last)
		}
		return db.Close()
	})
	if err != nil {
		why := fmt.Sprintf("the spool cannot be read: %v", err)
		if errors.Is(err, os.ErrNotExist) {
			why = status.NoSpool
		}
		return status.Uplink{Spool: &status.Spool{Health: status.HealthUnread, Why: why}}
	}
	return answer
}
