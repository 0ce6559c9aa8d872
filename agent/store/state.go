package store

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"
)

const (
	stateFormat = "kerb.spool/1"
	maxSpans    = 4096 // ranges of unacknowledged orders, at most 20 bytes each
	maxTombs    = 256  // tombstones; the oldest are dropped first
	maxNotes    = 64   // notes; the oldest are dropped first
)

// state is the account: all that the file holds beside the windows, one JSON
// value of about a kilobyte, rewritten in every transaction.
type state struct {
	Format  string            `json:"format"`
	Spool   string            `json:"spool,omitempty"`   // UUID of its history since the last new epoch of a start: two copies that went on differ
	Machine string            `json:"machine,omitempty"` // see MachineIs
	Device  string            `json:"device,omitempty"`  // see DeviceIs
	Epoch   string            `json:"epoch"`
	Seq     map[string]uint64 `json:"seq"`               // stream → last number given in Epoch
	Last    uint64            `json:"last"`              // last order given
	Pending spans             `json:"pending,omitempty"` // orders not acknowledged
	Tombs   []Tombstone       `json:"tombs,omitempty"`
	Evicted uint64            `json:"evicted,omitempty"` // windows dropped before they were delivered
	Marks   map[string]uint64 `json:"marks,omitempty"`   // "epoch stream" → consumer's watermark
	Notes   []Note            `json:"notes,omitempty"`
	NoteSeq uint64            `json:"note_seq,omitempty"`
	Past    []epochEnd        `json:"past,omitempty"` // ended epochs, oldest first
	Age     spoolAge          `json:"age,omitzero"`
	Facts   Facts             `json:"facts,omitempty"`
	Shown   []string          `json:"shown,omitempty"` // streams, see SetShown
}

// Tombstone records windows that were dropped before they were acknowledged:
// numbers From…To of one stream in one epoch.
type Tombstone struct {
	Epoch  string `json:"epoch"`
	Stream string `json:"stream"`
	From   uint64 `json:"from"`
	To     uint64 `json:"to"`
	Reason string `json:"reason"` // "expired", "full", "memory", or why Open found the window gone: "restored", "deleted", "damaged" or "foreign"
}

// Note is an event that is published once, such as an eviction, a new epoch or
// a step of the clock. Notes are written with the next window; the newest 64
// are kept.
type Note struct {
	Epoch string         `json:"epoch"` // that was open; the same epoch and N are the same note
	N     uint64         `json:"n"`     // from 1, ascending
	At    time.Time      `json:"at"`    // zero while the clock was not synced
	Kind  string         `json:"kind"`  // such as "evicted", "epoch" or "clock_step"
	Data  map[string]any `json:"data,omitempty"`
}

// newState returns the account of a new spool, with an epoch of its own.
func newState() state {
	return state{Format: stateFormat, Spool: newUUID(), Epoch: newUUID(), Seq: map[string]uint64{}}
}

// newUUID returns a random UUID, version 4 (RFC 9562 §5.4).
func newUUID() string {
	var u [16]byte
	rand.Read(u[:]) // never fails
	u[6] = u[6]&0x0f | 0x40
	u[8] = u[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
}

// parseState decodes an account and checks its format and that its orders are
// plausible.
func parseState(b []byte) (state, error) {
	var st state
	if err := json.Unmarshal(b, &st); err != nil {
		return st, fmt.Errorf("%w: account: %w", ErrDamaged, err)
	}
	if st.Format != stateFormat {
		return st, fmt.Errorf("%w: format %q, this kerb reads %q", ErrForeign, st.Format, stateFormat)
	}
	if n := len(st.Pending); st.Epoch == "" || n > 0 && st.Pending[n-1][1] > st.Last {
		return st, fmt.Errorf("%w: account contradicts itself", ErrDamaged)
	}
	if st.Seq == nil {
		st.Seq = map[string]uint64{}
	}
	for i := range st.Notes {
		if st.Notes[i].Epoch == "" { // written by an older kerb
			st.Notes[i].Epoch = st.Epoch
		}
	}
	return st, nil
}

// clone returns a deep copy.
func (st state) clone() state {
	st.Seq = maps.Clone(st.Seq)
	st.Marks = maps.Clone(st.Marks)
	st.Past = slices.Clone(st.Past)
	st.Pending = slices.Clone(st.Pending)
	st.Tombs = slices.Clone(st.Tombs)
	st.Notes = slices.Clone(st.Notes)
	return st
}

// numberWindow gives e the next number of its stream and the next order, and
// makes it pending.
func (st *state) numberWindow(e *Entry) {
	stream := e.Release.Stream()
	st.Last++
	st.Seq[stream]++
	e.Epoch, e.Seq, e.order = st.Epoch, st.Seq[stream], st.Last
	st.Pending.addRange(e.order, e.order)
	st.Pending.mergeNearest(maxSpans)
}

// addTombstone records a window that is dropped unacknowledged, in a tombstone
// and in a note. Both are extended when the window follows the last one that
// they hold.
func (st *state) addTombstone(epoch, stream string, seq uint64, reason string, at time.Time) {
	st.Evicted++
	t := Tombstone{Epoch: epoch, Stream: stream, From: seq, To: seq, Reason: reason}
	i := slices.IndexFunc(st.Tombs, func(o Tombstone) bool {
		return o.Epoch == epoch && o.Stream == stream && o.Reason == reason && o.To+1 == seq
	})
	if i >= 0 {
		st.Tombs[i].To = seq
	} else {
		st.Tombs = append(st.Tombs, t)
		st.Tombs = st.Tombs[max(0, len(st.Tombs)-maxTombs):]
	}
	for i := len(st.Notes) - 1; i >= 0; i-- {
		n := &st.Notes[i]
		if n.Kind == "evicted" && n.Data["epoch"] == epoch && n.Data["stream"] == stream &&
			n.Data["reason"] == reason && toUint64(n.Data["to"])+1 == seq {
			n.Data = maps.Clone(n.Data)
			n.Data["to"] = seq
			return
		}
	}
	st.addNote("evicted", at, map[string]any{
		"epoch": epoch, "stream": stream, "from": seq, "to": seq, "reason": reason,
	})
}

// toUint64 returns a number of a note's data, which is a uint64 when Go set it
// and a float64 when it was read from JSON; 0 for any other type.
func toUint64(v any) uint64 {
	switch v := v.(type) {
	case uint64:
		return v
	case float64:
		return uint64(v)
	}
	return 0
}

// addNote appends a note with the next number and drops the oldest above
// maxNotes.
func (st *state) addNote(kind string, at time.Time, data map[string]any) {
	st.NoteSeq++
	st.Notes = append(st.Notes, Note{Epoch: st.Epoch, N: st.NoteSeq, At: at, Kind: kind, Data: data})
	st.Notes = st.Notes[max(0, len(st.Notes)-maxNotes):]
}
