package uplink

import (
	"slices"
	"time"
)

// Status is the condition of the way to the broker, for kerb status, the lamp and
// kerb check -connect. It is a copy: the caller may keep it.
type Status struct {
	Broker    string       `json:"broker"`              // its URL, without a password
	Connected bool         `json:"connected"`           // a CONNACK came, and the connection is not lost
	Since     time.Time    `json:"since,omitzero"`      // start of the connection, by the wall clock
	Online    bool         `json:"online"`              // connected, and every topic that windows need is proven
	Topics    []TopicProof `json:"topics,omitempty"`    // in the order of their names
	ACL       []string     `json:"acl,omitempty"`       // lines, as of mosquitto's acl_file, that the broker lacks; none: nothing is refused
	Refusal   string       `json:"refusal,omitempty"`   // why the last connection failed or ended; "" while all is well
	Retry     time.Time    `json:"retry,omitzero"`      // when the next attempt is made, by the wall clock
	Backlog   uint64       `json:"backlog"`             // windows that are not delivered
	Twin      *Twin        `json:"twin,omitempty"`      // nil: no other process publishes on this device's topics
	NoRetain  bool         `json:"no_retain,omitempty"` // the broker passed the state on, and did not keep it
}

// TopicProof tells whether the broker passes on what the device publishes on one
// topic, or, for …/cmd, whether the device hears what is published there. The
// broker's PUBACK does not tell: mosquitto acknowledges a message that its access
// control denies (MQTT 3.1.1 §3.3.5 allows it).
type TopicProof struct {
	Topic  string `json:"topic"`
	Proven bool   `json:"proven"`        // a message came back on this connection
	Why    string `json:"why,omitempty"` // why it is not; "" while the answer is awaited
}

// Twin is another process that publishes the state of this very device: a cloned
// card, or one site.toml on two machines.
type Twin struct {
	Epoch string    `json:"epoch,omitempty"` // of its spool; "" where it did not tell
	Seen  time.Time `json:"seen"`            // its latest message, by this device's wall clock
}

// Status returns the condition of the way to the broker. It may be called from any
// goroutine.
func (u *Uplink) Status() Status {
	u.statusMu.Lock()
	defer u.statusMu.Unlock()
	s := u.status
	s.Broker, s.Online, s.Backlog = u.broker.Redacted(), u.online.Load(), u.o.Store.Stats().Pending
	s.Topics, s.ACL = slices.Clone(s.Topics), slices.Clone(s.ACL)
	if s.Twin != nil {
		twin := *s.Twin
		s.Twin = &twin
	}
	return s
}

// setStatus changes the status under its lock.
func (u *Uplink) setStatus(change func(*Status)) {
	u.statusMu.Lock()
	defer u.statusMu.Unlock()
	change(&u.status)
}
