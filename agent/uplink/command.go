package uplink

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
	"unicode/utf8"

	"kerb/agent/store"
)

// The verbs of commands. Both are idempotent: a command that is heard twice does
// what it did once, so no memory of ids is needed.
const (
	verbResend    = "resend"    // send windows from…to of a stream again
	verbWatermark = "watermark" // the consumer has every window up to and including to
)

const (
	maxCommandBytes = 4 << 10        // chosen by hand; a command has about 250 bytes
	maxCommandAhead = 24 * time.Hour // longest validity of a command
	maxIDRunes      = 64             // of an id in an answer; a longer one is cut
	maxIDBytes      = 64 << 10       // a longer message is not searched for an id
)

// command is a message on …/cmd, schema kerb.cmd/1.
type command struct {
	Schema  string
	ID      string
	Verb    string
	Expires time.Time // zero: Nonce instead
	Nonce   string    // that the device told; "": Expires instead
	Epoch   string
	Stream  string
	From    uint64
	To      uint64
}

// answer is a message on …/ack, schema kerb.ack/1.
type answer struct {
	Schema string `json:"schema"`
	Tenant string `json:"tenant"`
	Site   string `json:"site"`
	Device string `json:"device"`
	ID     string `json:"id"`
	OK     bool   `json:"ok"`
	Error  string `json:"error,omitempty"`
	Retry  int    `json:"retry_s,omitempty"` // when to ask again, in seconds; 0: not for a want of time
	Nonce  string `json:"nonce,omitempty"`   // for the next command
	*store.Account
}

// errNotCommand reports a message that is no JSON object of schema kerb.cmd/1.
var errNotCommand = errors.New("not a command: must be one JSON object of schema " + schemaCmd)

// parseCommand decodes a command and checks its members, without clock and
// store. The error names the member that is wrong. The id is set in the result
// wherever one can be read, so that the error can be answered.
func parseCommand(b []byte) (command, error) {
	var members map[string]json.RawMessage
	if len(b) > maxCommandBytes {
		return command{ID: readID(b)}, fmt.Errorf("longer than %d bytes", maxCommandBytes)
	}
	if json.Unmarshal(b, &members) != nil || members == nil {
		return command{}, errNotCommand
	}
	c, err := decodeMembers(members)
	if err == nil {
		err = c.check()
	}
	c.ID = cutID(c.ID)
	return c, err
}

// decodeMembers decodes the members of a command, the id first. It returns an error
// for the first member that is unknown or of a wrong type.
func decodeMembers(members map[string]json.RawMessage) (c command, err error) {
	known := []struct {
		key, form string
		to        any
	}{
		{"id", "a string", &c.ID},
		{"schema", "a string", &c.Schema},
		{"verb", "a string", &c.Verb},
		{"expires", "a time such as 2026-11-23T14:00:00Z", &c.Expires},
		{"nonce", "a string", &c.Nonce},
		{"epoch", "a string", &c.Epoch},
		{"stream", "a string", &c.Stream},
		{"from", "a whole number from 1 on", &c.From},
		{"to", "a whole number from 1 on", &c.To},
	}
	for _, k := range known {
		if v, ok := members[k.key]; ok && json.Unmarshal(v, k.to) != nil && err == nil {
			err = fmt.Errorf("%s: must be %s", k.key, k.form)
		}
		delete(members, k.key)
	}
	for _, key := range slices.Sorted(maps.Keys(members)) {
		if err == nil {
			err = fmt.Errorf("unknown key %.64q", key)
		}
	}
	return c, err
}

// check returns an error for a command with a member that is missing or out of its
// range.
func (c command) check() error {
	switch {
	case !isTopicLevel(c.ID):
		return errors.New("id: must be 1–64 of a–z, 0–9, _ and -")
	case c.Schema != schemaCmd:
		return fmt.Errorf("schema: must be %s", schemaCmd)
	case c.Verb != verbResend && c.Verb != verbWatermark:
		return fmt.Errorf("unknown verb %.64q: must be %s or %s", c.Verb, verbResend, verbWatermark)
	case !isTopicLevel(c.Epoch):
		return errors.New("epoch: missing, or not 1–64 of a–z, 0–9, _ and -")
	case !isTopicLevel(c.Stream):
		return errors.New("stream: missing, or not 1–64 of a–z, 0–9, _ and -")
	case c.To == 0:
		return errors.New("to: missing, must be at least 1")
	case c.Verb == verbResend && c.From == 0:
		return errors.New("from: missing, must be at least 1")
	case c.Verb == verbResend && c.From > c.To:
		return fmt.Errorf("from %d is above to %d", c.From, c.To)
	case c.Expires.IsZero() && c.Nonce == "":
		return errors.New("expires is missing, or nonce instead of it")
	}
	return nil
}

// readID returns the id of a command that is too long, "" where none can be read.
func readID(b []byte) string {
	var c struct{ ID string }
	if len(b) > maxIDBytes || json.Unmarshal(b, &c) != nil {
		return ""
	}
	return cutID(c.ID)
}

// cutID shortens the id of a wrong command, which is answered with it.
func cutID(id string) string {
	if utf8.RuneCountInString(id) > maxIDRunes {
		return string([]rune(id)[:maxIDRunes])
	}
	return id
}

// acceptsCommands reports whether any verb is allowed.
func (u *Uplink) acceptsCommands() bool {
	return u.o.AllowVerb != nil && (u.o.AllowVerb(verbResend) || u.o.AllowVerb(verbWatermark))
}

// handleCommand executes a command, unless parseCommand returned an error with it,
// and queues its answer. A message in which no id can be read is logged alone: its
// sender could not recognise an answer.
func (s *session) handleCommand(c command, err error) {
	if c.ID == "" {
		s.u.o.Log.Warn("uplink: command refused", "err", err)
		return
	}
	a := answer{ID: c.ID}
	if err == nil {
		a.Account, err = s.u.executeCommand(c)
	}
	if a.OK = err == nil; err != nil {
		a.Error = err.Error()
	}
	s.u.o.Log.Info("uplink: command", "verb", c.Verb, "id", c.ID, "err", err)
	s.scheduler.rescan = true
	s.queueAnswer(a)
}

// queueAnswer queues an answer, with the nonce for the next command.
func (s *session) queueAnswer(a answer) {
	a.Schema, a.Tenant, a.Site, a.Device = schemaAck, s.u.o.Tenant, s.u.o.Site, s.u.o.Device
	a.Nonce = s.u.nonces.current(time.Now())
	m := message{topic: s.u.base + "ack", answer: true, payload: mustMarshal(a)}
	if s.proof.holdsTopic(m.topic) {
		s.answers = append(s.answers, m)
		return
	}
	s.scheduler.urgent = append(s.scheduler.urgent, m)
}

// holdAnswers takes back an answer that the broker did not pass on, and all that are
// queued, until …/ack is proven.
func (s *session) holdAnswers(m message) {
	s.answers = append(s.answers, m)
	s.scheduler.urgent = slices.DeleteFunc(s.scheduler.urgent, func(m message) bool {
		if m.answer {
			s.answers = append(s.answers, m)
		}
		return m.answer
	})
}

// releaseAnswers sends the answers that waited for …/ack.
func (s *session) releaseAnswers() {
	s.scheduler.urgent, s.answers = append(s.scheduler.urgent, s.answers...), nil
}

// tellLostAnswers logs how many answers end with the connection. Commands are
// idempotent: a platform that misses an answer sends its command again.
func (s *session) tellLostAnswers() {
	n := len(s.answers)
	for _, m := range s.scheduler.urgent {
		if m.answer {
			n++
		}
	}
	if n > 0 {
		s.u.o.Log.Warn("uplink: answers to commands are lost with the connection", "answers", n, "do", "send the commands again")
	}
}

// executeCommand checks permission and freshness, and calls the store. The account
// is nil for a watermark.
func (u *Uplink) executeCommand(c command) (*store.Account, error) {
	if !u.o.AllowVerb(c.Verb) {
		return nil, fmt.Errorf("verb %s: not allowed by the policy", c.Verb)
	}
	if err := u.checkFresh(c); err != nil {
		return nil, err
	}
	if c.Verb == verbWatermark {
		return nil, u.o.Store.SetWatermark(c.Epoch, c.Stream, c.To)
	}
	a, err := u.o.Store.Resend(c.Epoch, c.Stream, c.From, c.To)
	if err != nil {
		return nil, err
	}
	return &a, nil
}

// checkFresh returns an error for a command that is not of the present: one whose
// nonce is not valid, or that expired. Without a synced clock the expiry cannot be
// judged, and a nonce is the only way.
func (u *Uplink) checkFresh(c command) error {
	now := u.now()
	switch {
	case c.Nonce != "":
		if !u.nonces.isValid(c.Nonce, time.Now()) {
			return errors.New("nonce: not valid (any more): take the one of this answer or of state")
		}
		return nil
	case !u.o.Clock().Synced:
		return errors.New("clock is not synced, so expires cannot be judged: send the nonce of this answer instead of it")
	case !now.Before(c.Expires):
		return fmt.Errorf("expired: expires is %s, this device's clock %s", c.Expires.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	case c.Expires.After(now.Add(maxCommandAhead)):
		return fmt.Errorf("expires more than %s ahead of this device's clock, %s", maxCommandAhead, now.UTC().Format(time.RFC3339))
	}
	return nil
}
