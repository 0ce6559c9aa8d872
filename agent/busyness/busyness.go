// Package busyness judges from released windows whether a zone is busy, by the alerts
// of a policy, and tells each change once.
//
// A zone becomes busy when its released band lies at raise or higher, in windows that
// follow one another for the time that the policy says; it is no longer busy when the
// band lies below clear for as long. Between the two it stays as it is (hysteresis,
// the Schmitt trigger). A gap says nothing: it interrupts a run of windows and changes
// nothing else.
//
// The state of an alert is a fact of the spool (store.Derive): it is written with
// the window that it follows from, so that after a restart or a power cut no change is
// told twice and none is lost. The package sees Releases alone, so it can tell nothing
// that the windows do not tell.
package busyness

import (
	"encoding/json"
	"time"

	"kerb/agent/policy"
	"kerb/agent/store"
	"kerb/counting"
)

// eventKind is the kind of the events.
const eventKind = "busy"

// Judge judges the alerts of one policy. The zero Judge has no alert.
type Judge struct{ alerts []policy.Alert }

// New returns the judge of a policy's alerts.
func New(alerts []policy.Alert) Judge { return Judge{alerts} }

// HasAlerts reports whether there is an alert.
func (j Judge) HasAlerts() bool { return len(j.alerts) > 0 }

// Seat names a window by its numbers.
type Seat struct {
	Epoch string `json:"epoch"`
	Seq   uint64 `json:"seq"`
	Start int64  `json:"start,omitempty"` // ms since 1970; 0 where the clock was not trusted
}

// fact is the state of an alert in the spool. An alert that is not busy and has no run has none.
type fact struct {
	Stream string `json:"stream"`
	Class  string `json:"class"`
	Busy   bool   `json:"busy,omitempty"`
	Since  Seat   `json:"since,omitzero"` // where Busy: the first window of it
	Run    Seat   `json:"run,omitzero"`   // the first of the windows in a row that say the contrary of Busy
	RunFor int64  `json:"run_for,omitempty"`
	RunEnd int64  `json:"run_end,omitempty"` // end of the last of them, ms since 1970
}

// keyPrefix begins the keys of the facts.
const keyPrefix = "busy "

func factKey(stream, class string) string { return keyPrefix + stream + " " + class }

// Derive is a store.Derive: it changes the facts of the alerts by the windows, and
// returns an event for each zone that becomes busy or ceases to be. An alert that the
// policy no longer has ends.
func (j Judge) Derive(facts store.Facts, es []store.Entry) (events []store.Event) {
	known := map[string]bool{}
	for _, a := range j.alerts {
		key := factKey(a.Stream, a.Class.String())
		known[key] = true
		f := fact{Stream: a.Stream, Class: a.Class.String()}
		if old, ok := readFact(facts[key]); ok {
			f = old
		}
		for _, e := range es {
			if e.Release.Stream() == a.Stream {
				events = append(events, f.addWindow(a, e)...)
			}
		}
		f.write(facts, key)
	}
	for key, text := range facts {
		f, ok := readFact(text)
		if known[key] || !isFactKey(key) {
			continue
		}
		if delete(facts, key); ok && f.Busy {
			events = append(events, f.endEvent(whyRemoved))
		}
	}
	return events
}

func isFactKey(key string) bool {
	return len(key) > len(keyPrefix) && key[:len(keyPrefix)] == keyPrefix
}

// readFact decodes a fact. A text that cannot be decoded is none.
func readFact(text json.RawMessage) (f fact, ok bool) {
	return f, len(text) > 0 && json.Unmarshal(text, &f) == nil
}

// write keeps the fact under the key, or removes one that says nothing.
func (f fact) write(facts store.Facts, key string) {
	if !f.Busy && f.Run.Seq == 0 {
		delete(facts, key)
		return
	}
	text, err := json.Marshal(f)
	if err != nil {
		panic(err) // a struct of texts and numbers
	}
	facts[key] = text
}

// addWindow changes f by the next window of its stream. It returns the event of a
// change.
func (f *fact) addWindow(a policy.Alert, e store.Entry) []store.Event {
	c, ok := findCell(e.Release, a.Class)
	switch {
	case !ok:
		return nil
	case !f.Busy && c.Min < a.Raise, f.Busy && (c.Below == 0 || c.Below > a.Clear):
		f.Run, f.RunFor, f.RunEnd = Seat{}, 0, 0
		return nil
	}
	start, end := e.Release.StartTime().UnixMilli(), e.Release.EndTime().UnixMilli()
	switch {
	case f.Run.Seq > 0 && f.RunEnd == start:
		f.RunFor, f.RunEnd = f.RunFor+end-start, end
	case f.Run.Seq > 0 && f.RunEnd == end: // a further part of the same window
	default:
		f.Run, f.RunFor, f.RunEnd = newSeat(e), end-start, end
	}
	if f.RunFor < a.For.Milliseconds() {
		return nil
	}
	from := f.Run
	f.Run, f.RunFor, f.RunEnd = Seat{}, 0, 0
	if f.Busy {
		event := f.endEvent(whyCleared)
		event.Data["until_epoch"], event.Data["until_seq"] = from.Epoch, from.Seq
		f.Busy, f.Since = false, Seat{}
		return []store.Event{event}
	}
	f.Busy, f.Since = true, from
	return []store.Event{{Kind: eventKind, Data: f.eventData()}}
}

// The reasons of an end.
const (
	whyCleared = "cleared" // the band was low for long enough
	whyRemoved = "removed" // the policy has the alert no longer
)

// endEvent returns the event that f is no longer busy.
func (f fact) endEvent(why string) store.Event {
	data := f.eventData()
	data["on"], data["why"] = false, why
	return store.Event{Kind: eventKind, Data: data}
}

func (f fact) eventData() map[string]any {
	data := map[string]any{"stream": f.Stream, "class": f.Class, "on": true, "since_epoch": f.Since.Epoch, "since_seq": f.Since.Seq}
	if t := f.Since.Time(); !t.IsZero() {
		data["since"] = t.Format(time.RFC3339)
	}
	return data
}

// newSeat returns the seat of a stored window.
func newSeat(e store.Entry) Seat {
	s := Seat{Epoch: e.Epoch, Seq: e.Seq}
	if e.Synced {
		s.Start = e.Release.StartTime().UnixMilli()
	}
	return s
}

// Time is the start of the window; zero where the clock was not trusted.
func (s Seat) Time() time.Time {
	if s.Start == 0 {
		return time.Time{}
	}
	return time.UnixMilli(s.Start).UTC()
}

// findCell returns the band of a class; ok is false for a window without one.
func findCell(r policy.Release, class counting.Class) (policy.Cell, bool) {
	for _, c := range r.Cells() {
		if c.Class == class && c.Ranged {
			return c, true
		}
	}
	return policy.Cell{}, false
}

// Alarm is the present state of one alert.
type Alarm struct {
	Stream, Class string
	Busy          bool
	Since         Seat // where Busy
}

// Alarms returns the present state of the alerts, in their order.
func (j Judge) Alarms(facts store.Facts) (out []Alarm) {
	for _, a := range j.alerts {
		f, _ := readFact(facts[factKey(a.Stream, a.Class.String())])
		out = append(out, Alarm{a.Stream, a.Class.String(), f.Busy, f.Since})
	}
	return out
}

// IsBusy reports whether any alert is busy.
func IsBusy(alarms []Alarm) bool {
	for _, a := range alarms {
		if a.Busy {
			return true
		}
	}
	return false
}
