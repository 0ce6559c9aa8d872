package relay

import (
	"encoding/json"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"

	"kerb/agent/uplink"
)

// Told is the last event of its kind that a device sent; of streams_drift, of its two
// streams and its quantity.
type Told struct {
	Tenant   string          `json:"tenant"`
	Site     string          `json:"site"`
	Device   string          `json:"device"`
	Kind     string          `json:"kind"`
	Received time.Time       `json:"received"` // by the relay: a device's clock may be wrong
	Data     json.RawMessage `json:"data"`     // as in the event
}

// toldKinds are the events that kerb fleet check judges: no retained message tells of them.
var toldKinds = []string{"aim", "config_refused", "streams_drift"}

// maxTold is the largest data of an event that is kept, chosen by hand.
const maxTold = 16 << 10

// keepTold keeps an event in place of the one before. Late ones of a device that was away
// come in the order in which it made them.
func (l *ledgerTx) keepTold(a uplink.Address, kind string, data json.RawMessage) error {
	if !slices.Contains(toldKinds, kind) || len(data) > maxTold {
		return nil
	}
	var pair struct{ A, B, Quantity string }
	if json.Unmarshal(data, &pair) != nil {
		return nil
	}
	key := a.String() + " " + kind
	if isLevel(pair.A) && isLevel(pair.B) {
		key += " " + pair.A + " " + pair.B
		if pair.Quantity != "" {
			key += " q"
		}
	}
	return putJSON(l.tx.Bucket(eventsBucket), []byte(key), Told{a.Tenant, a.Site, a.Device, kind, l.now.UTC().Truncate(time.Second), data})
}

// readTold returns the events that are kept, in the order of devices and kinds.
func readTold(tx *bolt.Tx) (all []Told) {
	b := tx.Bucket(eventsBucket)
	if b == nil { // opened for reading, and made by an older version
		return nil
	}
	_ = b.ForEach(func(_, v []byte) error {
		var e Told
		if json.Unmarshal(v, &e) == nil {
			all = append(all, e)
		}
		return nil
	})
	return all
}

// deleteTold deletes events that came before t.
func deleteTold(tx *bolt.Tx, t time.Time) error {
	c := tx.Bucket(eventsBucket).Cursor()
	for k, v := c.First(); k != nil; k, v = c.Next() {
		var e Told
		if json.Unmarshal(v, &e) == nil && e.Received.Before(t) {
			if err := c.Delete(); err != nil {
				return err
			}
		}
	}
	return nil
}
