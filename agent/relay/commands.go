package relay

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	bolt "go.etcd.io/bbolt"

	"kerb/agent/retry"
	"kerb/agent/uplink"
)

// The bounds of commands, chosen by hand.
const (
	commandValid  = 10 * time.Minute
	perTick       = 100            // commands a second, over all devices
	rangesAtOnce  = 8              // questions for one number space at once
	longestAsk    = 24 * time.Hour // between two questions to a device that says no
	forgetCommand = time.Hour      // after which an answer is not known any more
	maxRefusal    = 200            // bytes of a device's words that are kept
)

// commands holds what the relay wants to say to devices: questions for windows that are
// missing, and watermarks.
type commands struct {
	mu     sync.Mutex
	client mqtt.Client // nil while not connected
	wishes map[space]*wish
	states map[uplink.Address]deviceState
	tails  map[uplink.Address]bool // devices that came back: they are asked for what follows the last window that is here
	sent   map[string]sentCommand  // by id
	prefix string
	n      uint64
	sites  bool // meta of a device came, changed or went, and the sink does not have it
	homes  bool // the same of Home Assistant
}

// wish lists the open questions of one number space.
type wish struct {
	askAt  time.Time // of the next question; zero: none
	failed int       // questions without an answer that helps
	markAt time.Time // of the next watermark; zero: none
}

// deviceState is what a device's state says about its commands.
type deviceState struct {
	Online bool   `json:"online"`
	Nonce  string `json:"cmd_nonce"`
	Clock  struct {
		Synced bool `json:"synced"`
	} `json:"clock"`
	known bool
}

// sentCommand is a command whose answer is awaited.
type sentCommand struct {
	space
	verb     string
	from, to uint64
	at       time.Time
	tail     bool // it asks what follows the last window that is here: the answer may be no
}

func newCommands() *commands {
	return &commands{
		wishes: map[space]*wish{}, states: map[uplink.Address]deviceState{}, tails: map[uplink.Address]bool{}, sent: map[string]sentCommand{},
		prefix: fmt.Sprintf("relay-%x-", time.Now().UnixNano()), sites: true, homes: true,
	}
}

// attach sets the client that sends; nil: none is connected.
func (c *commands) attach(client mqtt.Client) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.client = client
}

// takeState notes what a device says about itself. One that came back is asked anew.
func (c *commands) takeState(a uplink.Address, payload []byte) {
	var s deviceState
	if json.Unmarshal(payload, &s) != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	s.known = true
	if s.Online && !c.states[a].Online {
		c.tails[a] = true
		for k, w := range c.wishes {
			if k.Address == a && !w.askAt.IsZero() {
				w.failed, w.askAt = 0, time.Now()
			}
		}
	}
	c.states[a] = s
}

// forgetStates makes each device count as away until its next state: it is then asked for
// what follows its last window.
func (c *commands) forgetStates() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.states)
}

// siteChanged notes that a device's meta came, changed or went.
func (c *commands) siteChanged() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sites, c.homes = true, true
}

// takeChanged reports whether flag, sites or homes, was set, and clears it.
func (c *commands) takeChanged(flag *bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	was := *flag
	*flag = false
	return was
}

// noteSpace notes a number space in which windows may be missing.
func (c *commands) noteSpace(s space, t *tracking) {
	missing := len(t.missing()) > 0
	c.mu.Lock()
	defer c.mu.Unlock()
	w := c.wishes[s]
	switch {
	case missing && w == nil:
		c.wishes[s] = &wish{askAt: time.Now()}
	case missing && w.askAt.IsZero():
		w.askAt = time.Now()
	case !missing && w != nil:
		w.askAt, w.failed = time.Time{}, 0
	}
}

// noteDone notes a number space of which the sink has more.
func (c *commands) noteDone(s space) {
	c.mu.Lock()
	defer c.mu.Unlock()
	w := c.wishes[s]
	if w == nil {
		w = &wish{}
		c.wishes[s] = w
	}
	if w.markAt.IsZero() {
		w.markAt = time.Now()
	}
}

// loadWishes reads the open questions from the position, at the start.
func (r *Relay) loadWishes() error {
	return r.db.View(func(tx *bolt.Tx) error {
		return tx.Bucket(spacesBucket).ForEach(func(k, v []byte) error {
			s, ok := parseSpace(k)
			t := &tracking{}
			if !ok || json.Unmarshal(v, t) != nil {
				return nil
			}
			r.commands.noteSpace(s, t)
			if t.watermark() > t.Confirmed {
				r.commands.noteDone(s)
			}
			return nil
		})
	})
}

// sendCommands sends the questions and watermarks that are due.
func (r *Relay) sendCommands(ctx context.Context) error {
	c := r.commands
	now := time.Now()
	var due []space
	c.mu.Lock()
	maps.DeleteFunc(c.sent, func(_ string, s sentCommand) bool { return now.Sub(s.at) > forgetCommand })
	maps.DeleteFunc(c.wishes, func(_ space, w *wish) bool { return w.askAt.IsZero() && w.markAt.IsZero() })
	for s, w := range c.wishes {
		if c.states[s.Address].known && !c.states[s.Address].Online {
			continue
		}
		ask := r.asks() && !w.askAt.IsZero() && now.Sub(w.askAt) >= retry.Delay(r.o.Ask, longestAsk, w.failed)
		mark := r.o.Confirm > 0 && !w.markAt.IsZero() && now.Sub(w.markAt) >= r.o.Confirm
		if ask || mark {
			due = append(due, s)
		}
	}
	c.mu.Unlock()
	slices.SortFunc(due, func(a, b space) int { return strings.Compare(string(a.key()), string(b.key())) })
	n, err := r.askTails(now)
	if err != nil {
		return err
	}
	for _, s := range due {
		if n >= perTick || ctx.Err() != nil {
			break
		}
		sent, err := r.sendFor(s, now)
		if err != nil {
			return err
		}
		n += sent
	}
	return nil
}

// asks reports whether windows may be asked for: not while too much waits for the sink.
func (r *Relay) asks() bool { return r.o.Ask > 0 && !r.full.Load() }

// tailOf is how many windows are asked for at the end of a number space, and tailAge for
// how long after its last change. A window that was lost at the end of a space leaves no
// hole: without these questions it would be missed until the next one comes.
const (
	tailOf  = 60
	tailAge = 72 * time.Hour
)

// askTails asks some of the devices that came back. It returns how many questions that
// were.
func (r *Relay) askTails(now time.Time) (n int, err error) {
	if !r.asks() {
		return 0, nil
	}
	c := r.commands
	for n < perTick {
		c.mu.Lock()
		var a uplink.Address
		for a = range c.tails {
			break
		}
		more := len(c.tails) > 0
		delete(c.tails, a)
		c.mu.Unlock()
		if !more {
			return n, nil
		}
		for _, s := range r.findTails(a, now) {
			if err := r.sendCommand(s); err != nil {
				return n, err
			}
			n++
		}
	}
	return n, nil
}

// findTails returns the questions for the number spaces of a device.
func (r *Relay) findTails(a uplink.Address, now time.Time) (all []sentCommand) {
	_ = r.db.View(func(tx *bolt.Tx) error {
		if !readMeta(tx, a).allows(verbResend) {
			return nil
		}
		c := tx.Bucket(spacesBucket).Cursor()
		prefix := []byte(a.String() + " ")
		for k, v := c.Seek(prefix); bytes.HasPrefix(k, prefix); k, v = c.Next() {
			s, ok := parseSpace(k)
			t := &tracking{}
			if ok && json.Unmarshal(v, t) == nil && now.Sub(time.Unix(t.At, 0)) < tailAge {
				from := max(t.Got.last(), t.Last) + 1
				all = append(all, sentCommand{space: s, verb: verbResend, from: from, to: from + tailOf - 1, at: now, tail: true})
			}
		}
		return nil
	})
	return all
}

// sendFor sends the due commands for one number space, and returns their number.
func (r *Relay) sendFor(s space, now time.Time) (n int, err error) {
	t, m := &tracking{}, (*meta)(nil)
	err = r.db.View(func(tx *bolt.Tx) error {
		m = readMeta(tx, s.Address)
		if v := tx.Bucket(spacesBucket).Get(s.key()); v != nil {
			return json.Unmarshal(v, t)
		}
		return nil
	})
	if err != nil {
		return 0, storeError{fmt.Errorf("read the position: %w", err)}
	}
	c := r.commands
	c.mu.Lock()
	w := c.wishes[s]
	if w == nil {
		c.mu.Unlock()
		return 0, nil
	}
	ask := !w.askAt.IsZero() && now.Sub(w.askAt) >= retry.Delay(r.o.Ask, longestAsk, w.failed) && r.asks()
	mark := !w.markAt.IsZero() && now.Sub(w.markAt) >= r.o.Confirm && r.o.Confirm > 0
	missing := t.missing()
	if ask {
		w.askAt, w.failed = now, w.failed+1
	}
	if len(missing) == 0 {
		w.askAt, w.failed = time.Time{}, 0
	}
	to := t.watermark()
	if mark {
		if w.markAt = now; to <= t.Confirmed || !m.allows(verbWatermark) {
			w.markAt = time.Time{}
		}
	}
	c.mu.Unlock()
	if mark && to > t.Confirmed && m.allows(verbWatermark) {
		if err := r.sendCommand(sentCommand{space: s, verb: verbWatermark, to: to, at: now}); err != nil {
			return n, err
		}
		n++
	}
	if !ask || !m.allows(verbResend) {
		return n, nil
	}
	for _, hole := range missing[:min(len(missing), rangesAtOnce)] {
		if err := r.sendCommand(sentCommand{space: s, verb: verbResend, from: hole.From, to: hole.To, at: now}); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// commandJSON is a message of the schema kerb.cmd/1.
type commandJSON struct {
	Schema  string `json:"schema"`
	ID      string `json:"id"`
	Verb    string `json:"verb"`
	Expires string `json:"expires,omitempty"`
	Nonce   string `json:"nonce,omitempty"`
	Epoch   string `json:"epoch"`
	Stream  string `json:"stream"`
	From    uint64 `json:"from,omitempty"`
	To      uint64 `json:"to"`
}

// sendCommand publishes one command. A device whose clock is not synced gets its nonce
// instead of an expiry.
func (r *Relay) sendCommand(s sentCommand) error {
	c := r.commands
	c.mu.Lock()
	c.n++
	id := fmt.Sprintf("%s%d", c.prefix, c.n)
	m := commandJSON{Schema: schemaCmd, ID: id, Verb: s.verb, Epoch: s.Epoch, Stream: s.Stream, From: s.from, To: s.to}
	if st := c.states[s.Address]; st.known && !st.Clock.Synced && st.Nonce != "" {
		m.Nonce = st.Nonce
	} else {
		m.Expires = time.Now().Add(commandValid).UTC().Format(time.RFC3339)
	}
	c.sent[id] = s
	client := c.client
	c.mu.Unlock()
	if client == nil {
		return nil
	}
	b, err := json.Marshal(m)
	if err != nil {
		return err
	}
	if err := wait(client.Publish("kerb/v1/"+s.Address.String()+"/cmd", 1, false, b)); err != nil {
		return fmt.Errorf("publish a command: %w", err)
	}
	return nil
}
