package uplink

import (
	"time"

	"kerb/agent/policy"
)

// Birth is the content of the meta message: what site.toml and the policy declare,
// so that a consumer can read the numbers without either file. It does not change
// while the process runs. What changes, such as the detector that is in use, is in
// the state message.
type Birth struct {
	Version    string // of kerb
	Window     time.Duration
	Streams    []Stream
	Place      *Place // of the device; nil: not declared
	Config     Config
	Policy     Policy
	Clearing   policy.Clearing
	Alerts     []policy.Alert
	Retention  time.Duration // how long a window can be asked for again, at most
	Commands   []string      // verbs that the policy allows
	Hours      Hours
	Acceptance []Acceptance // results of the tallies by hand
}

// Stream declares the content of one count topic.
type Stream struct {
	ID         string   `json:"id"`
	Kind       string   `json:"kind"` // line, zone or loop
	Sensor     string   `json:"sensor,omitempty"`
	MadeUp     string   `json:"made_up,omitempty"`  // scene, recording or street: the numbers are of no street; "" for a real sensor
	Instants   bool     `json:"instants,omitempty"` // observed in single pictures, not continuously
	Classes    []string `json:"classes"`
	Directions []string `json:"directions,omitempty"` // that have cells, in their order; none for a zone
	Sides      *Sides   `json:"sides,omitempty"`
	Bearing    *float64 `json:"bearing,omitempty"` // of a_to_b, degrees clockwise from north
	Place      *Place   `json:"place,omitempty"`   // nil: that of the device

	Quantities []policy.QuantityClearing `json:"quantities,omitempty"` // the counts and what its windows carry besides; none: counts alone, as clearing says
}

// Sides names the two sides of a line, or the two ends of a lane. The direction
// a_to_b goes from A to B.
type Sides struct {
	A string `json:"a"`
	B string `json:"b"`
}

// Place is the location of the device or of a stream, as far as the operator
// declares it.
type Place struct {
	Name string   `json:"name,omitempty"`
	Lat  *float64 `json:"lat,omitempty"` // degrees, WGS 84
	Lon  *float64 `json:"lon,omitempty"`
}

// Config identifies the site.toml that the device runs with.
type Config struct {
	Hash    string `json:"hash"`              // SHA-256 of the file's bytes, as sha256:…
	Version int64  `json:"version,omitempty"` // as the engineer numbers the file
}

// Policy identifies the policy in force and the controller responsible for it.
type Policy struct {
	Hash       string `json:"hash"` // SHA-256 of its canonical form, as in every window
	Version    int64  `json:"version,omitempty"`
	Title      string `json:"title,omitempty"`
	Purpose    string `json:"purpose,omitempty"`
	Controller string `json:"controller,omitempty"`
	Contact    string `json:"contact,omitempty"`
}

// Hours are the hours of the week in which the policy allows counting. Windows
// outside of them are gaps with the reason closed.
type Hours struct {
	TimeZone string   `json:"time_zone"` // of the tz database
	Open     []string `json:"open"`      // such as Mon-Fri 07:00-19:00
}

// Acceptance is the result of a tally by hand on one line. Its numbers are coarse
// on purpose, since no policy has cleared them.
type Acceptance struct {
	Stream   string  `json:"stream"`
	Day      string  `json:"day,omitempty"`   // YYYY-MM-DD; empty while the clock was not synced
	Light    string  `json:"light,omitempty"` // day or dark; empty where it is not known
	Minutes  int     `json:"minutes"`
	Passages int     `json:"passages"` // by hand, in tens
	Error    float64 `json:"error"`    // (device − hand) / hand: 0.05 is one in twenty too many
	Low      float64 `json:"low"`      // bounds of a 95 % interval around Error
	High     float64 `json:"high"`
	GEH      float64 `json:"geh"`     // of the hourly flows
	Verdict  string  `json:"verdict"` // good, open or poor
}

// metaJSON is the meta message, schema kerb.meta/1.
type metaJSON struct {
	Schema    string            `json:"schema"`
	Tenant    string            `json:"tenant"`
	Site      string            `json:"site"`
	Device    string            `json:"device"`
	Version   string            `json:"version"`
	Window    float64           `json:"window_s"`
	Streams   []Stream          `json:"streams"`
	Place     *Place            `json:"place,omitempty"`
	Config    *Config           `json:"config,omitempty"`
	Policy    Policy            `json:"policy"`
	Clearing  policy.Clearing   `json:"clearing"`
	Alerts    []alertJSON       `json:"alerts,omitempty"`
	Hours     *Hours            `json:"hours,omitempty"`
	Retention float64           `json:"retention_s"`
	Commands  []string          `json:"commands"`
	Accepted  []Acceptance      `json:"acceptance,omitempty"`
	Units     map[string]string `json:"units"`
}

// alertJSON is an alert of the policy.
type alertJSON struct {
	Stream string  `json:"stream"`
	Class  string  `json:"class"`
	Raise  int64   `json:"raise"`
	Clear  int64   `json:"clear"`
	For    float64 `json:"for_s"`
}

// encodeMeta returns the meta message (MQTT "birth"), retained. It is the same in
// every connection of a process.
func (u *Uplink) encodeMeta() message {
	b := u.o.Birth
	m := metaJSON{
		Schema: schemaMeta, Tenant: u.o.Tenant, Site: u.o.Site, Device: u.o.Device, Version: b.Version,
		Window: b.Window.Seconds(), Streams: b.Streams, Place: b.Place, Policy: b.Policy, Clearing: b.Clearing,
		Retention: b.Retention.Seconds(), Commands: b.Commands, Accepted: b.Acceptance,
		Units: map[string]string{"n": "crossings", "mean": "objects", "peak": "objects", "observed_s": "s", "observed_instants": "pictures", "mono_ms": "ms"},
	}
	for _, a := range b.Alerts {
		m.Alerts = append(m.Alerts, alertJSON{a.Stream, a.Class.String(), a.Raise, a.Clear, a.For.Seconds()})
	}
	if b.Config.Hash != "" {
		m.Config = &b.Config
	}
	if b.Hours.TimeZone != "" {
		m.Hours = &b.Hours
	}
	if m.Streams == nil {
		m.Streams = []Stream{}
	}
	if m.Commands == nil {
		m.Commands = []string{}
	}
	return message{topic: u.base + "meta", retained: true, payload: mustMarshal(m)}
}
