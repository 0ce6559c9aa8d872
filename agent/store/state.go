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
	maxSpans    = 4096 // ranges of unacknowledged orders, 20 bytes each at most
	maxTombs    = 256
	maxNotes    = 64
)

// state is the account: everything but the windows themselves, one JSON value
// of about a kilobyte, rewritten in every transaction.
type state struct {
	Format  string            `json:"format"`
	Machine string            `json:"machine,omitempty"`
	Epoch   string            `json:"epoch"`
	Seq     map[string]uint64 `json:"seq"`               // stream → last number given in Epoch
	Last    uint64            `json:"last"`              // last order given
	Pending spans             `json:"pending,omitempty"` // orders not acknowledged
	Tombs   []Tombstone       `json:"tombs,omitempty"`
	Evicted uint64            `json:"evicted,omitempty"` // windows lost for want of room
	Marks   map[string]uint64 `json:"marks,omitempty"`   // "epoch stream" → consumer's watermark
	Notes   []Note            `json:"notes,omitempty"`
	NoteSeq uint64            `json:"note_seq,omitempty"`
	Heard   map[string]int64  `json:"heard,omitempty"` // command id → when it expires, Unix seconds
}

// Tombstone stands for windows that were dropped before they were
// acknowledged: numbers From…To of one stream in one epoch.
type Tombstone struct {
	Epoch  string `json:"epoch"`
	Stream string `json:"stream"`
	From   uint64 `json:"from"`
	To     uint64 `json:"to"`
	Reason string `json:"reason"` // "full", "memory" or "damaged"
}

// Note is something that happened and that someone should be told once: an
// eviction, a new epoch, a step of the clock. Notes are written with the next
// window; the newest 64 are kept.
type Note struct {
	N    uint64         `json:"n"` // from 1, contiguous per spool file
	At   time.Time      `json:"at"`
	Kind string         `json:"kind"`
	Data map[string]any `json:"data,omitempty"`
}

func newState() state {
	return state{Format: stateFormat, Epoch: newUUID(), Seq: map[string]uint64{}}
}

// newUUID is a random UUID, version 4 (RFC 9562 §5.4).
func newUUID() string {
	var u [16]byte
	rand.Read(u[:]) // never fails
	u[6] = u[6]&0x0f | 0x40
	u[8] = u[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
}

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
	return st, nil
}

// clone is a copy that can be changed without changing st.
func (st state) clone() state {
	st.Seq = maps.Clone(st.Seq)
	st.Marks = maps.Clone(st.Marks)
	st.Heard = maps.Clone(st.Heard)
	st.Pending = slices.Clone(st.Pending)
	st.Tombs = slices.Clone(st.Tombs)
	st.Notes = slices.Clone(st.Notes)
	return st
}

// give numbers e as the next window of its stream.
func (st *state) give(e *Entry) {
	stream := e.Release.Stream()
	st.Last++
	st.Seq[stream]++
	e.Epoch, e.Seq, e.order = st.Epoch, st.Seq[stream], st.Last
	st.Pending.add(e.order, e.order)
	st.Pending.coarsen(maxSpans)
}

// bury accounts for a window that is dropped unacknowledged, and notes it.
func (st *state) bury(epoch, stream string, seq uint64, reason string, at time.Time) {
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
			n.Data["reason"] == reason && number(n.Data["to"])+1 == seq {
			n.Data = maps.Clone(n.Data)
			n.Data["to"] = seq
			return
		}
	}
	st.note("evicted", at, map[string]any{
		"epoch": epoch, "stream": stream, "from": seq, "to": seq, "reason": reason,
	})
}

// number reads a number that was set in Go or came back from JSON.
func number(v any) uint64 {
	switch v := v.(type) {
	case uint64:
		return v
	case float64:
		return uint64(v)
	}
	return 0
}

func (st *state) note(kind string, at time.Time, data map[string]any) {
	st.NoteSeq++
	st.Notes = append(st.Notes, Note{N: st.NoteSeq, At: at, Kind: kind, Data: data})
	st.Notes = st.Notes[max(0, len(st.Notes)-maxNotes):]
}
