package uplink

import (
	"encoding/json"
	"time"

	"kerb/agent/store"
)

// Schemas of the device's own messages; configs ships them as JSON Schema.
const (
	schemaState = "kerb.state/1"
	schemaMeta  = "kerb.meta/1"
	schemaEvent = "kerb.event/1"
	schemaCmd   = "kerb.cmd/1"
	schemaAck   = "kerb.ack/1"
)

// stateJSON is the state message, schema kerb.state/1. The Last Will is the same
// with Online false and all optional members left out.
type stateJSON struct {
	Schema  string         `json:"schema"`
	Tenant  string         `json:"tenant"`
	Site    string         `json:"site"`
	Device  string         `json:"device"`
	Online  bool           `json:"online"`
	At      *time.Time     `json:"at,omitempty"`
	Since   *time.Time     `json:"since,omitempty"` // start of the connection
	Backlog *backlogJSON   `json:"backlog,omitempty"`
	Evicted *uint64        `json:"evicted,omitempty"`
	Clock   *Clock         `json:"clock,omitempty"`
	CmdKey  string         `json:"cmd_nonce,omitempty"` // for the next command; absent where none is allowed
	Store   *spoolJSON     `json:"store,omitempty"`
	Disk    *diskJSON      `json:"disk,omitempty"`
	Agent   map[string]any `json:"agent,omitempty"`
}

// backlogJSON counts the windows that are not acknowledged.
type backlogJSON struct {
	Windows uint64 `json:"windows"`
	Memory  int    `json:"memory"` // of Windows, those held in memory alone: a power cut loses them
}

// spoolJSON is the condition of the spool file.
type spoolJSON struct {
	Health string `json:"health"` // "ok", or "memory" while the file cannot be written
	Why    string `json:"why,omitempty"`
	Epoch  string `json:"epoch"`
	Used   int64  `json:"used_bytes"`
	Limit  int64  `json:"limit_bytes"`
	Pages  int64  `json:"pages_per_day,omitempty"`
}

// diskJSON is the condition of the disk under the spool: free bytes, and used
// life as eMMC reports it.
type diskJSON struct {
	Free int64  `json:"free_bytes"`
	Life string `json:"life,omitempty"`
}

// stateTriggers are the parts of the state whose change is published at once,
// without waiting for the interval of the state message.
type stateTriggers struct {
	synced  bool
	fault   string
	evicted uint64
}

// readTriggers reads the triggers of the state message.
func (u *Uplink) readTriggers(st store.Stats) stateTriggers {
	v := stateTriggers{synced: u.o.Clock().Synced, evicted: st.Evicted}
	if st.Fault != nil {
		v.fault = st.Fault.Error()
	}
	return v
}

// encodeState returns the state message, retained. since is the start of the
// connection; times are rounded down to milliseconds.
func (u *Uplink) encodeState(st store.Stats, since time.Time) message {
	now, clock := u.now().UTC().Truncate(time.Millisecond), u.o.Clock()
	since = since.UTC().Truncate(time.Millisecond)
	m := stateJSON{
		Schema: schemaState, Tenant: u.o.Tenant, Site: u.o.Site, Device: u.o.Device, Online: true, At: &now, Since: &since,
		Backlog: &backlogJSON{Windows: st.Pending, Memory: st.InMemory}, Evicted: &st.Evicted, Clock: &clock,
		Store: &spoolJSON{Health: "ok", Epoch: st.Epoch, Used: st.Used, Limit: st.Limit, Pages: int64(st.PagesPerDay)},
	}
	if st.Fault != nil {
		m.Store.Health, m.Store.Why = "memory", st.Fault.Error()
	}
	if d, err := u.o.Store.DiskState(); err == nil {
		m.Disk = &diskJSON{Free: d.Free, Life: d.Life}
	}
	if u.acceptsCommands() {
		m.CmdKey = u.nonces.current(time.Now())
	}
	if u.o.AgentReport != nil {
		m.Agent = u.o.AgentReport()
	}
	return message{topic: u.base + "state", retained: true, payload: mustMarshal(m)}
}

// encodeLastWill returns the payload that the broker publishes as the state when
// the connection ends without DISCONNECT (MQTT Last Will).
func (u *Uplink) encodeLastWill() []byte {
	return mustMarshal(stateJSON{Schema: schemaState, Tenant: u.o.Tenant, Site: u.o.Site, Device: u.o.Device})
}

// eventJSON is an event message, schema kerb.event/1.
type eventJSON struct {
	Schema string         `json:"schema"`
	Tenant string         `json:"tenant"`
	Site   string         `json:"site"`
	Device string         `json:"device"`
	Epoch  string         `json:"epoch"`
	N      uint64         `json:"n"`
	At     time.Time      `json:"at,omitzero"` // left out while the clock is not synced
	Kind   string         `json:"kind"`
	Data   map[string]any `json:"data,omitempty"`
}

// encodeEvent returns the event message of a note; its PUBACK settles the note.
func (u *Uplink) encodeEvent(n store.Note) message {
	return message{topic: u.base + "event", note: &n, payload: mustMarshal(eventJSON{
		Schema: schemaEvent, Tenant: u.o.Tenant, Site: u.o.Site, Device: u.o.Device, Epoch: n.Epoch, N: n.N, At: n.At.UTC().Truncate(time.Millisecond), Kind: n.Kind, Data: n.Data,
	})}
}

// mustMarshal encodes one of the message types above, which are sent seldom.
// Their fields cannot fail to encode, so an error panics.
func mustMarshal(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}
