package relay

import (
	"encoding/json"

	"kerb/agent/uplink"
)

// answer is a message of the schema kerb.ack/1.
type answer struct {
	Schema string      `json:"schema"`
	ID     string      `json:"id"`
	OK     bool        `json:"ok"`
	Error  string      `json:"error"`
	Resend uint64      `json:"resend"`
	Gone   []goneRange `json:"gone"`
	Last   uint64      `json:"last"`
	Retry  int         `json:"retry_s"`
}

// takeAnswer takes the answer of a device to a command of this relay.
func (r *Relay) takeAnswer(l *ledgerTx, a uplink.Address, payload []byte) error {
	var m answer
	if json.Unmarshal(payload, &m) != nil || m.Schema != schemaAck {
		return nil
	}
	c := r.commands
	c.mu.Lock()
	s, ok := c.sent[m.ID]
	delete(c.sent, m.ID)
	c.mu.Unlock()
	if !ok || s.Address != a {
		return nil
	}
	if s.tail && !m.OK {
		return nil
	}
	t, err := l.space(s.space)
	if err != nil {
		return err
	}
	switch {
	case !m.OK:
		t.Refused = printable(m.Error)
		r.log.Warn("relay: a device refuses a command", "device", a.String(), "verb", s.verb, "err", t.Refused)
		return nil
	case s.verb == verbWatermark:
		t.Confirmed = max(t.Confirmed, s.to)
		return nil
	}
	t.Refused, t.Asked = "", t.Asked+1
	for _, g := range m.Gone {
		g.From, g.To = max(g.From, s.from), min(g.To, s.to)
		if err := takeGone(l, a, g); err != nil {
			return err
		}
	}
	if m.Last > maxSeq {
		m.Last = 0
	}
	t.Last = max(t.Last, m.Last)
	if m.Resend == 0 {
		if err := takeUnlisted(l, s, t, m.Last); err != nil {
			return err
		}
	}
	r.commands.noteSpace(s.space, t)
	r.commands.noteAnswer(s.space)
	return nil
}

// reasonUnlisted is the reason of windows that a device neither sends nor names: they
// are past its retention, or a watermark has settled them.
const reasonUnlisted = "unlisted"

// takeUnlisted takes the part of a question that the device has nothing of.
func takeUnlisted(l *ledgerTx, s sentCommand, t *tracking, last uint64) error {
	for _, hole := range t.missing() {
		g := goneRange{Epoch: s.Epoch, Stream: s.Stream, From: max(hole.From, s.from), To: min(hole.To, s.to, last), Reason: reasonUnlisted}
		if g.From <= g.To {
			if err := takeGone(l, s.Address, g); err != nil {
				return err
			}
		}
	}
	return nil
}

// noteAnswer notes that a device answered: missing windows are asked for as at first.
func (c *commands) noteAnswer(s space) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if w := c.wishes[s]; w != nil {
		w.failed = 0
	}
}
