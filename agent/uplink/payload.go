package uplink

import (
	"encoding/json"
	"strconv"
	"time"

	"kerb/agent/policy"
	"kerb/agent/store"
)

// Schemas of the messages; configs holds them as JSON Schema.
const (
	schemaCount = "kerb.count/1"
	schemaState = "kerb.state/1"
	schemaMeta  = "kerb.meta/1"
	schemaEvent = "kerb.event/1"
	schemaCmd   = "kerb.cmd/1"
	schemaAck   = "kerb.ack/1"
)

// Window is one window as it stands in a message.
func Window(device string, e store.Entry) []byte { return appendWindow(nil, device, e) }

// appendWindow appends one window as JSON. The same entry gives the same
// bytes, whenever and however often it is sent. Cells are padded with spaces to
// a width that no number exceeds, so that the length of a message says nothing
// about the street to someone who sees it encrypted.
func appendWindow(b []byte, device string, e store.Entry) []byte {
	r := e.Release
	b = append(b, `{"schema":"`+schemaCount+`","device":"`...)
	b = append(b, device...)
	b = append(b, `","stream":"`...)
	b = append(b, r.Stream()...)
	b = append(b, `","epoch":"`...)
	b = append(b, e.Epoch...)
	b = append(b, `","seq":`...)
	b = strconv.AppendUint(b, e.Seq, 10)
	b = append(b, `,"start":"`...)
	b = r.StartTime().AppendFormat(b, time.RFC3339Nano)
	b = append(b, `","end":"`...)
	b = r.EndTime().AppendFormat(b, time.RFC3339Nano)
	if r.Still() {
		b = append(b, `","observed_instants":`...)
		b = strconv.AppendInt(b, r.Instants(), 10)
	} else {
		b = append(b, `","observed_s":`...)
		b = strconv.AppendInt(b, int64(r.Observed()/time.Second), 10)
	}
	b = append(b, `,"quality":"`...)
	b = append(b, r.Quality().String()...)
	if r.Reason() != "" {
		b = append(b, `","reason":"`...)
		b = append(b, r.Reason()...)
	}
	b = append(b, `","policy":"`...)
	b = append(b, r.Policy()...)
	b = append(b, '"')
	if r.Epsilon() > 0 {
		b = append(b, `,"epsilon":`...)
		b = strconv.AppendFloat(b, r.Epsilon(), 'f', -1, 64)
	}
	if cells := r.Cells(); len(cells) > 0 {
		b = appendCells(b, r.Kind().String(), cells)
	}
	b = append(b, `,"time":{"synced":`...)
	b = strconv.AppendBool(b, e.Synced)
	if e.Boot != "" {
		b = append(b, `,"boot":"`...)
		b = append(b, e.Boot...)
		b = append(b, '"')
	}
	b = append(b, `,"mono_ms":`...)
	b = strconv.AppendInt(b, r.Mono().Milliseconds(), 10)
	return append(b, "}}"...)
}

// cellWidth is the longest form of a cell's numbers: those of a zone.
const cellWidth = len(`"mean":-999999.9,"peak":`) + policy.Digits

func appendCells(b []byte, kind string, cells []policy.Cell) []byte {
	b = append(b, `,"counts":[`...)
	for i, c := range cells {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"class":"`...)
		b = append(b, c.Class.String()...)
		b = append(b, `",`...)
		if kind != "zone" {
			b = append(b, `"dir":"`...)
			if c.Dir == policy.Both {
				b = append(b, "both"...)
			} else {
				b = append(b, c.Dir.String()...)
			}
			b = append(b, `",`...)
		}
		from := len(b)
		b = appendNumbers(b, kind, c)
		for len(b) < from+cellWidth {
			b = append(b, ' ')
		}
		b = append(b, '}')
	}
	return append(b, ']')
}

// appendNumbers: "n" is a count, "mean" and "peak" an occupancy, "min" and
// "below" a range of which either end may be missing.
func appendNumbers(b []byte, kind string, c policy.Cell) []byte {
	switch {
	case c.Ranged:
		if c.Min > 0 || c.Below == 0 {
			b = append(b, `"min":`...)
			b = strconv.AppendInt(b, c.Min, 10)
		}
		if c.Below > 0 {
			if c.Min > 0 {
				b = append(b, ',')
			}
			b = append(b, `"below":`...)
			b = strconv.AppendInt(b, c.Below, 10)
		}
	case kind == "zone":
		b = append(b, `"mean":`...)
		b = strconv.AppendFloat(b, c.Mean, 'f', -1, 64)
		b = append(b, `,"peak":`...)
		b = strconv.AppendInt(b, c.Peak, 10)
	default:
		b = append(b, `"n":`...)
		b = strconv.AppendInt(b, c.N, 10)
	}
	return b
}

// The bounds of a message of late windows.
const (
	lateWindows = 60
	lateBytes   = 64 << 10
)

// lateMessages packs windows of one stream, oldest first, into arrays of at
// most n.
func lateMessages(topic, device string, n int, es []store.Entry) []message {
	var out []message
	m := message{topic: topic}
	flush := func() {
		if len(m.entries) > 0 {
			m.payload = append(m.payload, ']')
			out = append(out, m)
		}
		m = message{topic: topic}
	}
	for _, e := range es {
		w := appendWindow(nil, device, e)
		if len(m.entries) == n || len(m.payload)+len(w)+2 > lateBytes {
			flush()
		}
		if len(m.entries) == 0 {
			m.payload = append(m.payload, '[')
		} else {
			m.payload = append(m.payload, ',')
		}
		m.payload = append(m.payload, w...)
		m.entries = append(m.entries, e)
	}
	flush()
	return out
}

// encode is for messages that are seldom sent. Their types cannot fail.
func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}
