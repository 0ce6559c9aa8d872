package uplink

import (
	"time"

	"kerb/agent/store"
)

// Birth is what the device says about itself when it connects.
type Birth struct {
	Streams []Stream
	Window  time.Duration
	Place   *Place // nil: not said
	Version string // of kerb
	Policy  Policy
	Sensors func() []Sensor // how each camera sees at present; nil: not said

	Acceptance []Acceptance // what tallies by hand have shown
}

// Acceptance is what a tally by hand has shown of one line: numbers that are
// coarse on purpose, since no policy has cleared them.
type Acceptance struct {
	Stream   string  `json:"stream"`
	Day      string  `json:"day,omitempty"` // when the clock could be believed
	Minutes  int     `json:"minutes"`
	Passages int     `json:"passages"` // by hand, in tens
	Error    float64 `json:"error"`    // of the device, against the hand: 0.05 is one in twenty too many
	Low      float64 `json:"low"`      // of a 95 % interval around it
	High     float64 `json:"high"`
	GEH      float64 `json:"geh"`
	Verdict  string  `json:"verdict"` // good, open or poor
}

// Sensor says what finds the objects of a camera.
type Sensor struct {
	ID       string  `json:"id"`
	Detector string  `json:"detector"`          // neural or motion
	Network  string  `json:"network,omitempty"` // which: one of kerb's own, or "own" for the site's
	SHA256   string  `json:"sha256,omitempty"`  // of its file
	Looks    float64 `json:"looks_per_s,omitempty"`
}

// Stream declares what a count topic will carry.
type Stream struct {
	ID       string   `json:"id"`
	Kind     string   `json:"kind"` // line, zone or loop
	Sensor   string   `json:"sensor,omitempty"`
	Instants bool     `json:"instants,omitempty"` // it is seen in single pictures, not all the time
	Classes  []string `json:"classes"`
	Sides    *Sides   `json:"sides,omitempty"` // of a line: what a and b are called
}

// Sides names the two sides of a line.
type Sides struct {
	A string `json:"a"`
	B string `json:"b"`
}

// Place is where the device stands, as far as the operator wants to say.
type Place struct {
	Name string   `json:"name,omitempty"`
	Lat  *float64 `json:"lat,omitempty"` // degrees, WGS 84
	Lon  *float64 `json:"lon,omitempty"`
}

// Policy names the rules under which the device counts.
type Policy struct {
	Hash       string `json:"hash"`
	Title      string `json:"title,omitempty"`
	Controller string `json:"controller,omitempty"`
	Contact    string `json:"contact,omitempty"`
}

type metaMessage struct {
	Schema   string            `json:"schema"`
	Device   string            `json:"device"`
	Site     string            `json:"site"`
	Tenant   string            `json:"tenant"`
	Version  string            `json:"version"`
	Window   float64           `json:"window_s"`
	Streams  []Stream          `json:"streams"`
	Place    *Place            `json:"place,omitempty"`
	Sensors  []Sensor          `json:"sensors,omitempty"`
	Policy   Policy            `json:"policy"`
	Accepted []Acceptance      `json:"acceptance,omitempty"`
	Units    map[string]string `json:"units"`
}

func (u *Uplink) meta() message {
	b := u.o.Birth
	if b.Streams == nil {
		b.Streams = []Stream{}
	}
	var sensors []Sensor
	if b.Sensors != nil {
		sensors = b.Sensors()
	}
	return message{topic: u.base + "meta", retained: true, payload: encode(metaMessage{
		Schema: schemaMeta, Device: u.o.Device, Site: u.o.Site, Tenant: u.o.Tenant, Version: b.Version,
		Window: b.Window.Seconds(), Streams: b.Streams, Sensors: sensors, Place: b.Place, Policy: b.Policy, Accepted: b.Acceptance,
		Units: map[string]string{"n": "crossings", "mean": "objects", "peak": "objects", "observed_s": "s", "observed_instants": "pictures", "mono_ms": "ms"},
	})}
}

type stateMessage struct {
	Schema  string         `json:"schema"`
	Device  string         `json:"device"`
	Online  bool           `json:"online"`
	At      *time.Time     `json:"at,omitempty"`
	Since   *time.Time     `json:"since,omitempty"` // of the connection
	Backlog *backlog       `json:"backlog,omitempty"`
	Evicted *uint64        `json:"evicted,omitempty"`
	Clock   *Clock         `json:"clock,omitempty"`
	Store   *spool         `json:"store,omitempty"`
	Disk    *disk          `json:"disk,omitempty"`
	Agent   map[string]any `json:"agent,omitempty"`
}

type backlog struct {
	Windows uint64 `json:"windows"`
	Memory  int    `json:"memory"` // of them, those that a power cut would take
}

type spool struct {
	Health string `json:"health"` // "ok", or "memory" while the file cannot be written
	Why    string `json:"why,omitempty"`
	Epoch  string `json:"epoch"`
	Used   int64  `json:"used_bytes"`
	Limit  int64  `json:"limit_bytes"`
	Pages  int64  `json:"pages_per_day,omitempty"`
}

type disk struct {
	Free int64  `json:"free_bytes"`
	Life string `json:"life,omitempty"`
}

// vital is that part of the state whose change is told at once.
type vital struct {
	synced  bool
	fault   string
	evicted uint64
}

func (u *Uplink) vital(st store.Stats) vital {
	v := vital{synced: u.o.Clock().Synced, evicted: st.Evicted}
	if st.Fault != nil {
		v.fault = st.Fault.Error()
	}
	return v
}

func (u *Uplink) state(st store.Stats, since time.Time) message {
	now, clock := u.now().UTC().Truncate(time.Millisecond), u.o.Clock()
	since = since.UTC().Truncate(time.Millisecond)
	m := stateMessage{
		Schema: schemaState, Device: u.o.Device, Online: true, At: &now, Since: &since,
		Backlog: &backlog{Windows: st.Pending, Memory: st.InMemory}, Evicted: &st.Evicted, Clock: &clock,
		Store: &spool{Health: "ok", Epoch: st.Epoch, Used: st.Used, Limit: st.Limit, Pages: int64(st.Pages)},
	}
	if st.Fault != nil {
		m.Store.Health, m.Store.Why = "memory", st.Fault.Error()
	}
	if d, err := u.o.Store.Disk(); err == nil {
		m.Disk = &disk{Free: d.Free, Life: d.Life}
	}
	if u.o.Report != nil {
		m.Agent = u.o.Report()
	}
	return message{topic: u.base + "state", retained: true, payload: encode(m)}
}

// lastWill is what the broker says for a device that is gone.
func (u *Uplink) lastWill() []byte {
	return encode(stateMessage{Schema: schemaState, Device: u.o.Device})
}

type eventMessage struct {
	Schema string         `json:"schema"`
	Device string         `json:"device"`
	N      uint64         `json:"n"`
	At     time.Time      `json:"at,omitzero"` // zero while the clock cannot be believed
	Kind   string         `json:"kind"`
	Data   map[string]any `json:"data,omitempty"`
}

func (u *Uplink) event(n store.Note) message {
	return message{topic: u.base + "event", note: &n, payload: encode(eventMessage{
		Schema: schemaEvent, Device: u.o.Device, N: n.N, At: n.At.UTC().Truncate(time.Millisecond), Kind: n.Kind, Data: n.Data,
	})}
}
