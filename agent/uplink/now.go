package uplink

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"kerb/agent/busyness"
	"kerb/agent/store"
)

// schemaNow names the schema of the message on …/now/{stream}, which is retained: the
// last released window, and the alerts of the stream.
const schemaNow = "kerb.now/1"

// nowTopic returns the topic of the last window of a stream.
func (u *Uplink) nowTopic(stream string) string { return u.address.nowTopic(stream) }

func (a Address) nowTopic(stream string) string { return a.ownTopics() + "now/" + stream }

// isNow reports whether the topic is that of the last window of a stream.
func (u *Uplink) isNow(topic string) bool { return strings.HasPrefix(topic, u.base+"now/") }

// streamIDs returns the streams of the birth message.
func (u *Uplink) streamIDs() (ids []string) {
	for _, s := range u.o.Birth.Streams {
		ids = append(ids, s.ID)
	}
	return ids
}

// encodeNow returns the retained message of a stream's last window.
func (u *Uplink) encodeNow(e store.Entry, alarms []busyness.Alarm) message {
	b := append(make([]byte, 0, 2*windowBytes), `{"schema":"`+schemaNow+`","tenant":"`...)
	b = append(b, u.o.Tenant+`","site":"`+u.o.Site+`","device":"`+u.o.Device+`","stream":"`+e.Release.Stream()+`","window":`...)
	b = kerbV1{}.Append(b, u.address, e)
	if text := encodeAlarms(e.Release.Stream(), alarms); text != "" {
		b = append(b, `,"busy":`+text...)
	}
	return message{topic: u.nowTopic(e.Release.Stream()), retained: true, payload: append(b, '}')}
}

// encodeAlarms returns the alarms of a stream as a JSON array, "" where it has none.
func encodeAlarms(stream string, alarms []busyness.Alarm) string {
	var all []string
	for _, a := range alarms {
		if a.Stream == stream {
			all = append(all, encodeAlarm(a))
		}
	}
	if len(all) == 0 {
		return ""
	}
	return "[" + strings.Join(all, ",") + "]"
}

// alarmWidth is the width, in bytes, to which an alarm is padded, so that the length of
// a message does not tell whether a zone is busy: a UUID, a start and a number of any
// length.
var alarmWidth = len(`,"since_epoch":"","since_seq":,"since":""`) + 36 + len(strconv.FormatUint(1<<64-1, 10)) + len("2026-11-23T14:00:00Z")

// encodeAlarm returns one alarm as a JSON object.
func encodeAlarm(a busyness.Alarm) string {
	since := ""
	if a.Busy {
		since = fmt.Sprintf(`,"since_epoch":"%s","since_seq":%d`, a.Since.Epoch, a.Since.Seq)
		if t := a.Since.Time(); !t.IsZero() {
			since += `,"since":"` + t.Format(time.RFC3339) + `"`
		}
	}
	return fmt.Sprintf(`{"class":"%s","on":%-5t%-*s}`, a.Class, a.Busy, alarmWidth, since)
}

// nowSender keeps the retained last windows up to date on one connection. A window goes
// with the spread of the live windows; a change of an alert goes at once.
type nowSender struct {
	u       *Uplink
	stale   bool               // the spool may have new windows
	shown   map[string]string  // by stream: the payload that was queued last
	waiting map[string]message // by stream: not queued yet
	alarms  []busyness.Alarm   // of waiting, or else of shown
	due     time.Time          // when waiting may go
}

func newNowSender(u *Uplink) *nowSender {
	return &nowSender{u: u, stale: u.o.KeepsNow, shown: map[string]string{}, waiting: map[string]message{}}
}

// refresh reads the last windows from the spool, after a wake.
func (n *nowSender) refresh(now time.Time) {
	if !n.stale {
		return
	}
	n.stale = false
	latest, facts := n.u.o.Store.Latest(n.u.streamIDs())
	alarms := n.u.o.Busyness.Alarms(facts)
	urgent := len(n.shown) == 0 || !slices.Equal(alarms, n.alarms)
	n.alarms = alarms
	for stream, e := range latest {
		if m := n.u.encodeNow(e, alarms); n.shown[stream] != string(m.payload) {
			n.waiting[stream] = m
		}
	}
	switch {
	case len(n.waiting) == 0:
		n.due = time.Time{}
	case urgent:
		n.due = now
	case n.due.IsZero():
		n.due = now.Add(n.u.spread)
	}
}

// take returns the messages that are due, and otherwise the time until they are; 0:
// none waits.
func (n *nowSender) take(now time.Time) (due []message, wait time.Duration) {
	if len(n.waiting) == 0 {
		return nil, 0
	}
	if wait = n.due.Sub(now); wait > 0 && !n.u.rush.Load() {
		return nil, wait
	}
	for stream, m := range n.waiting {
		n.shown[stream] = string(m.payload)
		due = append(due, m)
	}
	n.waiting, n.due = map[string]message{}, time.Time{}
	return due, 0
}

// forget makes the last window of a topic go again.
func (n *nowSender) forget(topic string) {
	delete(n.shown, strings.TrimPrefix(topic, n.u.base+"now/"))
	n.stale = true
}

// queueNow queues the last windows that are due. It returns the time until others are;
// 0: none waits.
func (s *session) queueNow(now time.Time) time.Duration {
	s.now.refresh(now)
	if s.proof.holds() {
		return 0
	}
	due, wait := s.now.take(now)
	for _, m := range due {
		s.scheduler.queueRetained(m)
	}
	return wait
}

// clearStale queues the clearing of last windows that the broker keeps of streams that
// are no longer kept, and records the present ones.
func (s *session) clearStale() {
	var present []string
	if s.u.o.KeepsNow {
		present = s.u.streamIDs()
	}
	shown := s.u.o.Store.Shown()
	for _, stream := range shown {
		if !slices.Contains(present, stream) {
			s.scheduler.queueRetained(message{topic: s.u.nowTopic(stream), retained: true, clears: true})
		}
	}
	for _, stream := range present {
		if !slices.Contains(shown, stream) {
			s.u.o.Store.SetShown(append(shown, slices.DeleteFunc(slices.Clone(present), func(p string) bool { return slices.Contains(shown, p) })...))
			break
		}
	}
}

// onCleared records that the broker keeps no last window on a topic any more, or
// refuses to say so.
func (u *Uplink) onCleared(topic string) {
	u.o.Store.SetShown(slices.DeleteFunc(u.o.Store.Shown(), func(stream string) bool { return u.nowTopic(stream) == topic }))
}
