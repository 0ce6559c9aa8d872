package uplink

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"kerb/agent/store"
)

// The verbs of commands.
const (
	verbResend    = "resend"    // send windows from…to of a stream again
	verbWatermark = "watermark" // the consumer has every window up to and including to
)

const (
	maxCommandBytes = 4 << 10        // chosen by hand; a command has about 250 bytes
	maxCommandAhead = 24 * time.Hour // longest validity of a command
)

// command is a message on …/cmd, schema kerb.cmd/1.
type command struct {
	Schema  string    `json:"schema"`
	ID      string    `json:"id"`
	Verb    string    `json:"verb"`
	Expires time.Time `json:"expires"`
	Epoch   string    `json:"epoch"`
	Stream  string    `json:"stream"`
	From    uint64    `json:"from"`
	To      uint64    `json:"to"`
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
	*store.Account
}

// parseCommand decodes a command and checks its members, without clock and
// store. The id is set in the result whenever it is valid, so that the error
// can be answered.
func parseCommand(b []byte) (command, error) {
	var c command
	if len(b) > maxCommandBytes {
		return c, fmt.Errorf("longer than %d bytes", maxCommandBytes)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&c); err != nil {
		return command{}, errors.New("not a command")
	}
	if _, err := d.Token(); err != io.EOF {
		return command{}, errors.New("not a command")
	}
	switch {
	case c.Schema != schemaCmd:
		return command{}, errors.New("not a command")
	case !isTopicLevel(c.ID):
		return command{}, errors.New("id: must be 1–64 of a–z, 0–9, _ and -")
	case c.Verb != verbResend && c.Verb != verbWatermark:
		return c, errors.New("unknown verb")
	case !isTopicLevel(c.Stream) || !isTopicLevel(c.Epoch):
		return c, errors.New("stream and epoch must be given")
	case c.To == 0 || c.Verb == verbResend && (c.From == 0 || c.From > c.To):
		return c, errors.New("from and to must be at least 1 and in order")
	}
	return c, nil
}

// acceptsCommands reports whether any verb is allowed.
func (u *Uplink) acceptsCommands() bool {
	return u.o.AllowVerb != nil && (u.o.AllowVerb(verbResend) || u.o.AllowVerb(verbWatermark))
}

// handleCommand executes a command and queues its answer. A message without a
// valid id is logged and not answered: answers to anything could be provoked
// without limit.
func (s *session) handleCommand(b []byte) {
	c, err := parseCommand(b)
	if c.ID == "" {
		s.u.o.Log.Warn("uplink: command refused", "err", err)
		return
	}
	a := answer{Schema: schemaAck, Tenant: s.u.o.Tenant, Site: s.u.o.Site, Device: s.u.o.Device, ID: c.ID}
	if err == nil {
		a.Account, err = s.u.executeCommand(c)
	}
	if a.OK = err == nil; err != nil {
		a.Error = err.Error()
	}
	s.u.o.Log.Info("uplink: command", "verb", c.Verb, "id", c.ID, "err", err)
	s.scheduler.rescan = true
	s.scheduler.urgent = append(s.scheduler.urgent, message{topic: s.u.base + "ack", payload: mustMarshal(a)})
}

// executeCommand checks permission, validity and repetition, and calls the
// store. A command is refused while the clock is not synced, because its expiry
// cannot be judged then. The account is nil for a watermark.
func (u *Uplink) executeCommand(c command) (*store.Account, error) {
	now := u.now()
	switch {
	case !u.o.AllowVerb(c.Verb):
		return nil, errors.New("not allowed")
	case !u.o.Clock().Synced:
		return nil, errors.New("clock is not synced: cannot tell whether this expired")
	case !now.Before(c.Expires):
		return nil, errors.New("expired")
	case c.Expires.After(now.Add(maxCommandAhead)):
		return nil, fmt.Errorf("expires more than %s ahead", maxCommandAhead)
	case !u.o.Store.RememberCommand(c.ID, c.Expires, now):
		return nil, errors.New("heard before")
	}
	if c.Verb == verbWatermark {
		return nil, u.o.Store.SetWatermark(c.Epoch, c.Stream, c.To)
	}
	a, err := u.o.Store.Resend(c.Epoch, c.Stream, c.From, c.To)
	return &a, err
}
