package uplink

import "kerb/agent/store"

// message is the content of one PUBLISH, with the records of the spool that its
// PUBACK settles.
type message struct {
	topic    string
	payload  []byte
	retained bool
	late     bool
	answer   bool // to a command
	clears   bool // an empty payload clears what the broker retains of a stream that is no longer kept
	entries  []store.Entry
	note     *store.Note
}

// publishOverhead is the size of a PUBLISH beside topic and payload, in bytes:
// packet type 1, remaining length up to 4, topic length 2, packet id 2 (MQTT
// 3.1.1 §2.2, §3.3).
const publishOverhead = 9

// wireSize returns the bytes of the message on the connection, without TLS and
// TCP.
func (m message) wireSize() int { return len(m.topic) + len(m.payload) + publishOverhead }

// The bounds of a message of late windows, as DESIGN §5 promises them to
// consumers.
const (
	maxLateWindows = 60
	maxLateBytes   = 64 << 10
)

// windowBytes is the capacity with which the payload of a live window begins:
// room for a window of kerb/v1 with a few cells. Chosen by hand.
const windowBytes = 640

// packLive encodes one window as a message of its own.
func (u *Uplink) packLive(e store.Entry) message {
	frame := u.o.Format.Frame(false)
	b := append(make([]byte, 0, windowBytes), frame.Open...)
	b = u.o.Format.Append(b, u.address, e)
	return message{
		topic:   u.o.Format.Topic(u.address, e.Release.Stream(), false),
		payload: append(b, frame.Close...),
		entries: []store.Entry{e},
	}
}

// packLate encodes windows of one stream, oldest first, into messages of at most
// n windows and maxLateBytes each. A window that is longer than maxLateBytes
// gets a message of its own.
func (u *Uplink) packLate(stream string, n int, es []store.Entry) []message {
	frame, topic := u.o.Format.Frame(true), u.o.Format.Topic(u.address, stream, true)
	var out []message
	m := message{topic: topic, late: true}
	flush := func() {
		if len(m.entries) > 0 {
			m.payload = append(m.payload, frame.Close...)
			out = append(out, m)
		}
		m = message{topic: topic, late: true}
	}
	for _, e := range es {
		w := u.o.Format.Append(nil, u.address, e)
		if len(m.entries) == n || len(m.payload)+len(frame.Between)+len(w)+len(frame.Close) > maxLateBytes {
			flush()
		}
		if len(m.entries) == 0 {
			m.payload = append(m.payload, frame.Open...)
		} else {
			m.payload = append(m.payload, frame.Between...)
		}
		m.payload = append(m.payload, w...)
		m.entries = append(m.entries, e)
	}
	flush()
	return out
}
