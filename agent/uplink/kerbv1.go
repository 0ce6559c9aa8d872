package uplink

import (
	"strconv"
	"time"

	"kerb/agent/policy"
	"kerb/agent/store"
)

// kerbV1 is the payload format kerb/v1: one JSON object a window, by the schema
// kerb.count/1, on …/count/{stream}, and arrays of them on …/backfill/{stream}.
type kerbV1 struct{}

// schemaCount names the schema of a window; configs ships it as JSON Schema.
const schemaCount = "kerb.count/1"

// Topic returns kerb/v1/{tenant}/{site}/{device}/count/{stream}, or …/backfill/….
func (kerbV1) Topic(a Address, stream string, late bool) string {
	kind := "/count/"
	if late {
		kind = "/backfill/"
	}
	return topicRoot + a.Tenant + "/" + a.Site + "/" + a.Device + kind + stream
}

// Frame returns an empty frame for a live window and a JSON array for late ones.
func (kerbV1) Frame(late bool) Frame {
	if late {
		return Frame{Open: "[", Between: ",", Close: "]"}
	}
	return Frame{}
}

// EncodeWindow returns one window of the device at a as the JSON object that kerb/v1
// publishes.
func EncodeWindow(a Address, e store.Entry) []byte {
	return kerbV1{}.Append(nil, a, e)
}

// Append appends one window as JSON, without an allocation of its own beside the
// growth of b. Cells are padded with spaces to a width that no number exceeds,
// so that the length of a message does not tell the counts to an observer of the
// encrypted connection.
func (kerbV1) Append(b []byte, a Address, e store.Entry) []byte {
	r := e.Release
	b = append(b, `{"schema":"`+schemaCount+`","tenant":"`...)
	b = append(b, a.Tenant...)
	b = append(b, `","site":"`...)
	b = append(b, a.Site...)
	b = append(b, `","device":"`...)
	b = append(b, a.Device...)
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
	if e.Part > 0 {
		b = append(b, `","part":`...)
		b = strconv.AppendUint(b, uint64(e.Part), 10)
		b = append(b, `,"`...)
	} else {
		b = append(b, `","`...)
	}
	if r.Still() {
		b = append(b, `observed_instants":`...)
		b = strconv.AppendInt(b, r.Instants(), 10)
	} else {
		b = append(b, `observed_s":`...)
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
	b = appendTraffic(b, r.Figures(), r.Cells())
	b = append(b, `,"time":{"synced":`...)
	b = strconv.AppendBool(b, e.Synced)
	if e.Boot != "" {
		b = append(b, `,"boot":"`...)
		b = append(b, e.Boot...)
		b = append(b, '"')
	}
	b = append(b, `,"mono_ms":`...)
	b = strconv.AppendInt(b, r.Mono().Milliseconds(), 10)
	if e.Relabelled {
		b = append(b, `,"relabelled":true`...)
	}
	return append(b, "}}"...)
}

// cellWidth is the width, in bytes, to which the numbers of a cell are padded:
// that of the longest ones, mean and peak of a zone.
const cellWidth = len(`"mean":-999999.9,"peak":`) + policy.Digits

// appendCells appends the member "counts": class, direction (not for zones) and
// padded numbers of each cell.
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

// appendNumbers appends the numbers of a cell: "n" for a count, "mean" and
// "peak" for an occupancy, "min" and "below" for a range, of which one end may
// be missing.
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
