package uplink

import (
	"bytes"
	"time"
)

// nextSerial returns a text that no other message has.
func (s *session) nextSerial() string {
	s.serials++
	return serial(s.u.twins.own, s.u.connections, s.serials)
}

// startProof subscribes to the state, so that what the broker kept is heard before it
// is replaced, and queues the messages that prove the required topics.
func (s *session) startProof() error {
	if err := s.link.listen(s.u.base + "state"); err != nil && !isDenied(err) {
		return err
	}
	s.queueState(true)
	s.scheduler.urgent = append(s.scheduler.urgent, s.scheduler.soon...)
	s.scheduler.soon = nil
	s.scheduler.urgent = append(s.scheduler.urgent, s.proof.required(s.nextSerial)...)
	if topic := s.u.base + "meta"; !s.proof.awaits(topic) {
		s.scheduler.queueRetained(s.u.encodeMeta())
	}
	if len(s.proof.denied()) > 0 { // by closing earlier connections
		s.tellProof()
	} else {
		s.u.setStatus(func(st *Status) { st.Topics, st.ACL = s.proof.report(), nil })
	}
	return nil
}

// retryProofs queues a message for each denied topic whose next try is due.
func (s *session) retryProofs(now time.Time) {
	for _, topic := range s.proof.due(now) {
		s.link.forgetRefusal(topic)
		switch topic {
		case s.u.base + "state":
			s.queueState(true)
		case s.u.base + "meta":
			s.scheduler.queueRetained(s.u.encodeMeta())
		default:
			s.scheduler.urgent = append(s.scheduler.urgent, s.u.encodeProof(topic, s.nextSerial()))
		}
	}
}

// untilDue returns the shorter of wait and the time until the next proof is due; 0 is
// for ever in both.
func (s *session) untilDue(wait time.Duration) time.Duration {
	next := s.proof.untilNext(time.Now())
	if next > 0 && (wait == 0 || next < wait) {
		return next
	}
	return wait
}

// tellProof tells status, log, lamp and state the proof of delivery, after a change.
func (s *session) tellProof() {
	u, held := s.u, s.proof.holds()
	topics := s.proof.report()
	var denied []TopicProof
	for _, t := range topics {
		if t.Why != "" {
			denied = append(denied, t)
		}
	}
	line := ""
	if len(denied) > 0 {
		line = u.describeDenied(denied)
	}
	u.online.Store(!held)
	u.setStatus(func(st *Status) { st.Topics, st.ACL, st.Refusal = topics, u.aclLines(s.proof.denied()), line })
	switch {
	case line != "" && line != u.toldDenied && s.proof.decided():
		u.o.Log.Warn("uplink: windows wait", "err", line, "backlog", u.o.Store.Stats().Pending)
		u.toldDenied = line
	case !held && (!s.told || u.toldDenied != ""):
		u.o.Log.Info("uplink: connected", "broker", u.broker.Redacted(), "backlog", u.o.Store.Stats().Pending)
		s.told, u.toldDenied = true, ""
	}
	s.queueState(false)
}

// checkKept finds out, once on a connection and beside it, whether the broker keeps the
// state, which it has just passed on. One that does not is no reason to hold back
// windows: status and log tell it.
func (s *session) checkKept() {
	if s.keepAsked {
		return
	}
	s.keepAsked = true
	s.keepCheck.Go(func() {
		kept, err := s.link.provesKept(s.u.base + "state")
		if err != nil {
			return
		}
		news := false
		s.u.setStatus(func(st *Status) { news, st.NoRetain = !kept && !st.NoRetain, !kept })
		if news {
			s.u.o.Log.Warn("uplink: the broker does not keep retained messages, so the platform misses state and meta after a restart", "broker", s.u.broker.Redacted(), "do", hintRetain)
		}
	})
}

// handleReceived handles a message on one of the device's own topics that this
// connection did not publish. Windows and events of a twin are left alone: its state
// tells it.
func (s *session) handleReceived(m received) {
	switch m.topic {
	case s.u.base + "meta":
		if len(m.payload) == 0 && !m.retained { // an operator has wiped what the broker kept
			s.scheduler.queueRetained(s.u.encodeMeta())
		}
	case s.u.base + "state":
		s.judgeState(m)
	}
}

// judgeState does what a foreign message on the state topic calls for.
func (s *session) judgeState(m received) {
	v, other := s.u.twins.judge(m, time.Now())
	switch v {
	case restoreState:
		s.replaced = true // until the next beat
	case answerState:
		s.queueState(true)
	case foundTwin:
		s.u.o.Log.Warn("uplink: another device publishes under this device's name", "topic", m.topic, "epoch", other.epoch)
		s.u.o.Store.AddNote("twin", twinData(other))
	case nothingToDo:
	}
	if t := s.presentTwin(); t != nil {
		s.u.setStatus(func(st *Status) { st.Twin = &Twin{Epoch: t.Epoch, Seen: s.u.now()} })
	}
	s.queueState(false)
}

// twinData returns the data of the event "twin".
func twinData(other *sighting) map[string]any {
	data := map[string]any{}
	if other.epoch != "" {
		data["epoch"] = other.epoch
	}
	return data
}

// twinMemory is the number of state intervals after which a silent twin is no longer
// told: it publishes at least once in each.
const twinMemory = 3

// presentTwin returns the twin of this device, nil where there is none.
func (s *session) presentTwin() *twinJSON {
	t := s.u.twins.present(time.Now(), twinMemory*s.u.o.StateInterval)
	if t == nil {
		s.u.setStatus(func(st *Status) { st.Twin = nil })
		return nil
	}
	return &twinJSON{Epoch: t.epoch}
}

// IsProof reports whether the payload is a message that only proves a topic (schema
// kerb.proof/1). Consumers ignore it.
func IsProof(payload []byte) bool {
	return bytes.HasPrefix(payload, []byte(`{"schema":"`+schemaProof+`"`))
}
