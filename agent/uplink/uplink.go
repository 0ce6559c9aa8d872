// Package uplink publishes the windows of the spool to an MQTT 3.1.1 broker, at
// QoS 1, with the state, the birth message and the events of the device. Payload
// and topics of windows come from a [Format], one file each.
//
// It refuses to send a count that no policy has cleared: windows are
// policy.Release values from the store. It refuses to settle a window before the
// broker acknowledged that very message. It obeys two commands only, resend and
// watermark, and only those that the caller allows; a broker cannot change
// the configuration or start a program.
//
// A connection is used once: each one is a new MQTT client with a clean session,
// so that a token can succeed only through a PUBACK of its own connection (see
// TestATokenNeverSucceedsByItself).
package uplink

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"kerb/agent/retry"
	"kerb/agent/store"
)

// ErrRefused reports that the broker answered the CONNECT with a refusal: wrong
// password, not authorised, or a client id that it does not accept (MQTT 3.1.1
// §3.2.2.3, codes 2, 4 and 5). Waiting seldom helps.
var ErrRefused = errors.New("broker refuses")

// Opts configures an Uplink. Store, Broker, Tenant, Site and Device must be set.
type Opts struct {
	Broker       string // mqtt[s]://host[:port] or ws[s]://host[:port]/path
	User         string
	PasswordFile string // read at every connection; a newline at the end is dropped
	ClientID     string // "": made from Device and the machine, the same after a restart
	TLS          TLS    // for mqtts and wss

	Tenant, Site, Device string // levels of the topics: 1–64 of a–z, 0–9, _ and -
	Birth                Birth  // contents of the meta message
	Format               Format // encodes the windows; nil: kerb/v1 JSON

	Store        *store.Store
	AllowVerb    func(verb string) bool // reports whether a command may be executed; nil: none, and the topic is not subscribed
	NewestFirst  bool                   // late windows go newest first; otherwise oldest first
	LateInterval time.Duration          // least time between two messages of late windows
	LateByteRate int                    // bytes a second for late windows, less what other messages used; 0: no cap

	Clock         func() Clock          // quality of the wall clock; nil: always synced
	AgentReport   func() map[string]any // member "agent" of the state message; may be nil
	StateInterval time.Duration         // longest time between two state messages; 0: five minutes

	RetryMin, RetryMax time.Duration // bounds of the delay between connections; 0: 1 s and 300 s

	Log *slog.Logger // nil: no log
}

// Clock is the quality of the wall clock, as the state message reports it.
type Clock struct {
	Synced bool   `json:"synced"`
	Source string `json:"source,omitempty"` // "ntp", "floor" or "none"
}

// Uplink publishes for one device to one broker. Make one with New, start it with
// Run. Wake, IsOnline and Status may be called from any goroutine.
type Uplink struct {
	o       Opts
	broker  *url.URL
	address Address
	base    string // kerb/v1/tenant/site/device/: topics of the device's own messages
	wake    chan struct{}
	now     func() time.Time
	tuning  linkTuning
	nonces  commandNonces
	online  atomic.Bool

	statusMu sync.Mutex
	status   Status // Broker, Online and Backlog are filled in by Status
}

// New checks the options and returns an Uplink that is not connected yet. It
// returns an error for a broker URL, topic level or store that cannot be used.
func New(o Opts) (*Uplink, error) {
	if o.Store == nil {
		return nil, errors.New("no store")
	}
	return newUplink(o)
}

// newUplink is New without the check of the store.
func newUplink(o Opts) (*Uplink, error) {
	u := &Uplink{o: o, wake: make(chan struct{}, 1), now: time.Now, tuning: newLinkTuning(ackTimeout)}
	var err error
	if u.broker, err = parseBroker(o.Broker); err != nil {
		return nil, err
	}
	for _, l := range [...]struct{ what, s string }{{"tenant", o.Tenant}, {"site", o.Site}, {"device", o.Device}} {
		if !isTopicLevel(l.s) {
			return nil, fmt.Errorf("%s %q: must be 1–64 of a–z, 0–9, _ and -", l.what, l.s)
		}
	}
	u.address = Address{Tenant: o.Tenant, Site: o.Site, Device: o.Device}
	u.base = u.address.ownTopics()
	if o.Format == nil {
		u.o.Format = formats()[0]
	}
	if o.ClientID == "" {
		u.o.ClientID = makeClientID(o.Device)
	}
	setDefault(&u.o.StateInterval, 5*time.Minute)
	setDefault(&u.o.RetryMin, time.Second)
	setDefault(&u.o.RetryMax, 300*time.Second)
	if o.Clock == nil {
		u.o.Clock = func() Clock { return Clock{Synced: true} }
	}
	if o.Log == nil {
		u.o.Log = slog.New(slog.DiscardHandler)
	}
	return u, nil
}

// makeClientID returns kerb-{device}-{machine}: the same after a restart where
// the machine has an identity, so that the broker ends the old connection.
func makeClientID(device string) string {
	id := store.MachineID()
	if id == "" {
		id = fmt.Sprintf("%016x", rand.Uint64())
	}
	return "kerb-" + device + "-" + id[:8]
}

// setDefault sets d to the given value when d is not positive.
func setDefault(d *time.Duration, to time.Duration) {
	if *d <= 0 {
		*d = to
	}
}

// parseBroker parses a broker's URL and adds the standard port of its scheme. A
// password in the URL is refused: URLs are logged.
func parseBroker(s string) (*url.URL, error) {
	b, err := url.Parse(s)
	if err != nil {
		return nil, fmt.Errorf("broker %q: %w", s, err)
	}
	port := map[string]string{"mqtt": "1883", "mqtts": "8883", "ws": "80", "wss": "443"}[b.Scheme]
	switch {
	case port == "":
		return nil, fmt.Errorf("broker %q: must begin with mqtt://, mqtts://, ws:// or wss://", s)
	case b.Hostname() == "":
		return nil, fmt.Errorf("broker %q: no host", s)
	case b.User != nil:
		return nil, errors.New("broker: a URL is no place for a password; set user and password_file")
	case b.Port() == "":
		b.Host = b.Host + ":" + port
	}
	return b, nil
}

// isTopicLevel reports whether s is a topic level that all brokers kerb was
// tested with accept: 1–64 of a–z, 0–9, _ and -.
func isTopicLevel(s string) bool {
	return len(s) >= 1 && len(s) <= 64 && !strings.ContainsFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '_' || r == '-')
	})
}

// IsOnline reports whether the uplink is connected and has subscribed to its
// commands, if any are allowed.
func (u *Uplink) IsOnline() bool { return u.online.Load() }

// Wake reports that the spool has new windows or notes. It never blocks.
func (u *Uplink) Wake() {
	select {
	case u.wake <- struct{}{}:
	default:
	}
}

// CheckConnection connects once and disconnects, under a client id of its own, so
// that a running agent keeps its connection. The error is one line with the cause.
func (u *Uplink) CheckConnection(ctx context.Context) error {
	l, err := u.connectAs(ctx, u.o.ClientID+"-try")
	if err != nil {
		return err
	}
	l.disconnect(time.Second)
	return nil
}

// SendEvents publishes the pending events of the spool alone and disconnects. It
// is for a device that does not count, as when kerb run refuses its files. It
// returns the first error; the events that were acknowledged before it are
// settled.
func (u *Uplink) SendEvents(ctx context.Context) error {
	l, err := u.connectAs(ctx, u.o.ClientID+"-tell")
	if err != nil {
		return err
	}
	defer l.disconnect(time.Second)
	for _, n := range u.o.Store.PendingNotes() {
		if err := l.publishAndWait(u.encodeEvent(n)); err != nil {
			return fmt.Errorf("tell %s: %w", n.Kind, err)
		}
		u.o.Store.RemoveNote(n)
	}
	return nil
}

// stableAfter is how long a connection must last before the retry delay starts
// from RetryMin again. Two devices with the same client id end each other's
// connections sooner than that. Chosen by hand.
const stableAfter = 5 * time.Second

// Run connects, publishes and reconnects until ctx ends; it always returns nil.
// At the end it publishes the offline state, for which it takes at most about two
// seconds. A failed connection is logged once until the error changes.
func (u *Uplink) Run(ctx context.Context) error {
	for tries, logged := 0, ""; ; tries++ {
		start := time.Now()
		err := u.runConnection(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if time.Since(start) > stableAfter {
			tries, logged = 0, ""
		}
		if text := err.Error(); text != logged {
			u.o.Log.Warn("uplink", "broker", u.broker.Redacted(), "err", err)
			logged = text
		}
		u.o.Store.RetryWrites()
		wait := retry.JitteredDelay(u.o.RetryMin, u.o.RetryMax, tries)
		u.setStatus(func(s *Status) {
			s.Connected, s.Since, s.Refusal, s.Retry = false, time.Time{}, err.Error(), u.now().Add(wait)
		})
		if !retry.Sleep(ctx, wait) {
			return nil
		}
	}
}
