package uplink

import (
	"encoding/json"
	"strings"
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
// with Online false, and has Serial and Why beside the required members alone.
type stateJSON struct {
	Schema      string           `json:"schema"`
	Tenant      string           `json:"tenant"`
	Site        string           `json:"site"`
	Device      string           `json:"device"`
	Online      bool             `json:"online"`
	Why         string           `json:"why,omitempty"`    // where Online is false: whyStopped or whyLost
	Serial      string           `json:"serial,omitempty"` // see serial
	At          *time.Time       `json:"at,omitempty"`
	Since       *time.Time       `json:"since,omitempty"` // start of the connection
	Backlog     *backlogJSON     `json:"backlog,omitempty"`
	Evicted     *uint64          `json:"evicted,omitempty"`
	Clock       *Clock           `json:"clock,omitempty"`
	CmdKey      string           `json:"cmd_nonce,omitempty"` // for the next command; absent where none is allowed
	Store       *spoolJSON       `json:"store,omitempty"`
	Disk        *diskJSON        `json:"disk,omitempty"`
	Certificate *certificateJSON `json:"certificate,omitempty"`
	Denied      []string         `json:"denied,omitempty"` // topics, below the device's, that the broker does not pass on
	Twin        *twinJSON        `json:"twin,omitempty"`
	Agent       map[string]any   `json:"agent,omitempty"`
}

// The reasons of a state with Online false.
const (
	whyStopped = "stopped" // kerb ended in order
	whyLost    = "lost"    // the Last Will: the connection ended without DISCONNECT
)

// twinJSON tells that another process publishes as this device.
type twinJSON struct {
	Epoch string `json:"epoch,omitempty"` // of its spool, where it told
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
// certificateJSON is the device's certificate for the broker.
type certificateJSON struct {
	Ends string `json:"ends"`
}

type diskJSON struct {
	Free int64 `json:"free_bytes"`
}

// stateTriggers are the parts of the state whose change is published at once,
// without waiting for the interval of the state message.
type stateTriggers struct {
	synced  bool
	fault   string
	evicted uint64
	agent   string // of Opts.AgentTriggers
	denied  string
	twin    string
}

// readTriggers reads the triggers of the state message.
func (s *session) readTriggers(st store.Stats) stateTriggers {
	u := s.u
	v := stateTriggers{synced: u.o.Clock().Synced, evicted: st.Evicted, denied: strings.Join(s.proof.denied(), " ")}
	if st.Fault != nil {
		v.fault = st.Fault.Error()
	}
	if u.o.AgentTriggers != nil {
		v.agent = u.o.AgentTriggers()
	}
	if t := s.presentTwin(); t != nil {
		v.twin = "epoch " + t.Epoch
	}
	return v
}

// encodeState returns the state message, retained; times are rounded down to
// milliseconds.
func (s *session) encodeState(st store.Stats) message {
	u := s.u
	now, since, clock := u.now().UTC().Truncate(time.Millisecond), s.connectedAt.UTC().Truncate(time.Millisecond), u.o.Clock()
	m := stateJSON{
		Schema: schemaState, Tenant: u.o.Tenant, Site: u.o.Site, Device: u.o.Device, Online: true, Serial: s.nextSerial(), At: &now, Since: &since,
		Backlog: &backlogJSON{Windows: st.Pending, Memory: st.InMemory}, Evicted: &st.Evicted, Clock: &clock,
		Store: &spoolJSON{Health: "ok", Epoch: st.Epoch, Used: st.Used, Limit: st.Limit, Pages: int64(st.PagesPerDay)},
		Twin:  s.presentTwin(),
	}
	for _, t := range s.proof.denied() {
		m.Denied = append(m.Denied, strings.TrimPrefix(t, u.base))
	}
	if st.Fault != nil {
		m.Store.Health, m.Store.Why = "memory", st.Fault.Error()
	}
	if free, err := u.o.Store.DiskFree(); err == nil {
		m.Disk = &diskJSON{Free: free}
	}
	if u.acceptsCommands() {
		m.CmdKey = u.nonces.current(time.Now())
	}
	if end := u.certificateEnd.Load(); end != nil {
		m.Certificate = &certificateJSON{end.UTC().Format(time.RFC3339)}
	}
	if u.o.AgentReport != nil {
		m.Agent = u.o.AgentReport()
	}
	return message{topic: u.base + "state", retained: true, payload: mustMarshal(m)}
}

// encodeLastWill returns the payload that the broker publishes as the state when
// the connection of that number ends without DISCONNECT (MQTT Last Will). It has no
// time: it is made when the connection begins.
func (u *Uplink) encodeLastWill(connection uint64) []byte {
	m := u.offlineState(whyLost)
	m.Serial = serial(u.twins.own, connection, 0)
	return mustMarshal(m)
}

// offlineState returns the members that every state with Online false has.
func (u *Uplink) offlineState(why string) stateJSON {
	return stateJSON{Schema: schemaState, Tenant: u.o.Tenant, Site: u.o.Site, Device: u.o.Device, Why: why}
}

// encodeGoodbye returns the state that the device publishes itself when it stops.
func (s *session) encodeGoodbye() []byte {
	now, m := s.u.now().UTC().Truncate(time.Millisecond), s.u.offlineState(whyStopped)
	m.Serial, m.At = s.nextSerial(), &now
	return mustMarshal(m)
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
