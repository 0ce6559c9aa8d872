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

// The verbs that a device may obey.
const (
	verbResend    = "resend"    // send windows from…to of a stream again
	verbWatermark = "watermark" // the consumer has everything up to and including to
)

const (
	commandBytes = 4 << 10
	commandAhead = 24 * time.Hour // no command may be valid longer
)

// command is one message on …/cmd.
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

// answer is one message on …/ack.
type answer struct {
	Schema string `json:"schema"`
	Device string `json:"device"`
	ID     string `json:"id"`
	OK     bool   `json:"ok"`
	Error  string `json:"error,omitempty"`
	*store.Account
}

// parseCommand reads a command and checks all that needs neither clock nor store.
func parseCommand(b []byte) (command, error) {
	var c command
	if len(b) > commandBytes {
		return c, fmt.Errorf("longer than %d bytes", commandBytes)
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
	case !isLevel(c.ID):
		return command{}, errors.New("id: must be 1–64 of a–z, 0–9, _ and -")
	case c.Verb != verbResend && c.Verb != verbWatermark:
		return c, errors.New("unknown verb")
	case !isLevel(c.Stream) || !isLevel(c.Epoch):
		return c, errors.New("stream and epoch must be given")
	case c.To == 0 || c.Verb == verbResend && (c.From == 0 || c.From > c.To):
		return c, errors.New("from and to must be at least 1 and in order")
	}
	return c, nil
}

// listens reports whether any verb is allowed.
func (u *Uplink) listens() bool {
	return u.o.Allow != nil && (u.o.Allow(verbResend) || u.o.Allow(verbWatermark))
}

// obey does what a command says, once, and queues the answer. What is not a
// command at all gets none: an answer to anything is a way to make noise.
func (s *session) obey(b []byte) {
	c, err := parseCommand(b)
	if c.ID == "" {
		s.u.o.Log.Warn("uplink: command refused", "err", err)
		return
	}
	a := answer{Schema: schemaAck, Device: s.u.o.Device, ID: c.ID}
	if err == nil {
		a.Account, err = s.u.do(c)
	}
	if a.OK = err == nil; err != nil {
		a.Error = err.Error()
	}
	s.u.o.Log.Info("uplink: command", "verb", c.Verb, "id", c.ID, "err", err)
	s.feed.again = true
	s.feed.urgent = append(s.feed.urgent, message{topic: s.u.base + "ack", payload: encode(a)})
}

func (u *Uplink) do(c command) (*store.Account, error) {
	now := u.now()
	switch {
	case !u.o.Allow(c.Verb):
		return nil, errors.New("not allowed")
	case !u.o.Clock().Synced:
		return nil, errors.New("clock is not synced: cannot tell whether this expired")
	case !now.Before(c.Expires):
		return nil, errors.New("expired")
	case c.Expires.After(now.Add(commandAhead)):
		return nil, fmt.Errorf("expires more than %s ahead", commandAhead)
	case !u.o.Store.Hear(c.ID, c.Expires, now):
		return nil, errors.New("heard before")
	}
	if c.Verb == verbWatermark {
		return nil, u.o.Store.Watermark(c.Epoch, c.Stream, c.To)
	}
	a, err := u.o.Store.Resend(c.Epoch, c.Stream, c.From, c.To)
	return &a, err
}
