// Package uplink carries what the spool holds to an MQTT broker, and says how
// the device is. It sends a policy.Release and nothing else that was counted,
// and settles a window only when the broker acknowledged that very message.
//
// A connection is used once: a new client for each, no session kept on either
// side, so that a token can succeed only through an acknowledgement that came
// over its own connection (see TestATokenNeverSucceedsByItself).
package uplink

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"kerb/agent/store"
)

// ErrRefused is a broker that answered and said no: wrong password, not
// authorised, or a client id that it does not take. Waiting seldom helps.
var ErrRefused = errors.New("broker refuses")

// Opts is what the uplink is to do. Store, Broker, Tenant, Site and Device
// must be set.
type Opts struct {
	Broker       string // mqtt[s]://host[:port] or ws[s]://host[:port]/path
	User         string
	PasswordFile string // read at every connection; a last newline does not count
	ClientID     string // "": made from Device and the machine, the same after a restart
	TLS          TLS    // for mqtts and wss

	Tenant, Site, Device string // levels of the topics: 1–64 of a–z, 0–9, _ and -
	Birth                Birth  // the meta message

	Store   *store.Store
	Allow   func(verb string) bool // which commands are heard; nil: none, and the topic is not subscribed
	Confirm time.Duration          // watermark mode: how long to wait for one before sending again; 0: never
	Newest  bool                   // late windows newest first; otherwise oldest first
	Pace    time.Duration          // least time between two messages of late windows
	Cap     int                    // bytes a second for late windows, what live ones used taken off; 0: no cap

	Clock  func() Clock          // nil: always synced
	Report func() map[string]any // more for the state message, under "agent"; may be nil
	Every  time.Duration         // of the state message; 0: five minutes

	RetryMin, RetryMax time.Duration // between connections; 0: 1 s and 300 s

	Log *slog.Logger // nil: no log
}

// Clock is what the state message says of the clock.
type Clock struct {
	Synced bool   `json:"synced"`
	Source string `json:"source,omitempty"` // "ntp", "floor" or "none"
}

// Uplink is one device's way to its broker.
type Uplink struct {
	o      Opts
	broker *url.URL
	base   string // kerb/v1/tenant/site/device/
	wake   chan struct{}
	now    func() time.Time
	tempo  tempo
	online atomic.Bool
}

// New checks the options. It does not connect.
func New(o Opts) (*Uplink, error) {
	u := &Uplink{o: o, wake: make(chan struct{}, 1), now: time.Now, tempo: newTempo(ackTimeout)}
	var err error
	if u.broker, err = parseBroker(o.Broker); err != nil {
		return nil, err
	}
	for _, l := range [...]struct{ what, s string }{{"tenant", o.Tenant}, {"site", o.Site}, {"device", o.Device}} {
		if !isLevel(l.s) {
			return nil, fmt.Errorf("%s %q: must be 1–64 of a–z, 0–9, _ and -", l.what, l.s)
		}
	}
	if o.Store == nil {
		return nil, errors.New("no store")
	}
	u.base = "kerb/v1/" + o.Tenant + "/" + o.Site + "/" + o.Device + "/"
	if o.ClientID == "" {
		id := store.MachineID()
		if id == "" {
			id = fmt.Sprintf("%016x", rand.Uint64())
		}
		u.o.ClientID = "kerb-" + o.Device + "-" + id[:8]
	}
	setDefault(&u.o.Every, 5*time.Minute)
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

func setDefault(d *time.Duration, to time.Duration) {
	if *d <= 0 {
		*d = to
	}
}

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

// isLevel reports whether s can stand between two slashes of a topic with
// every broker that kerb knows.
func isLevel(s string) bool {
	return len(s) >= 1 && len(s) <= 64 && !strings.ContainsFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '_' || r == '-')
	})
}

// Online reports whether there is a broker to talk to now.
func (u *Uplink) Online() bool { return u.online.Load() }

// Wake says that the spool has something new. It never blocks.
func (u *Uplink) Wake() {
	select {
	case u.wake <- struct{}{}:
	default:
	}
}

// Try connects once, as a client of its own beside one that may be running,
// and hangs up. The error says in one line what is wrong.
func (u *Uplink) Try(ctx context.Context) error {
	l, err := u.connectAs(ctx, u.o.ClientID+"-try")
	if err != nil {
		return err
	}
	l.hangUp(time.Second)
	return nil
}

// Tell sends the events of the spool and nothing else, and hangs up: for a
// device that has something to say and does not count.
func (u *Uplink) Tell(ctx context.Context) error {
	l, err := u.connectAs(ctx, u.o.ClientID+"-tell")
	if err != nil {
		return err
	}
	defer l.hangUp(time.Second)
	for _, n := range u.o.Store.Notes() {
		if err := l.publish(u.event(n)); err != nil {
			return fmt.Errorf("tell %s: %w", n.Kind, err)
		}
		u.o.Store.Told(n)
	}
	return nil
}

// steady is how long a connection must have lasted for the bound of the delays
// to begin anew. Two devices with one client id throw each other out sooner.
const steady = 5 * time.Second

// Run sends until ctx ends, which is its only way to end. On the way out it
// says goodbye, if that takes no more than two seconds.
func (u *Uplink) Run(ctx context.Context) error {
	for tries, said := 0, ""; ; tries++ {
		begin := time.Now()
		err := u.session(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if time.Since(begin) > steady {
			tries, said = 0, ""
		}
		if text := err.Error(); text != said { // once, not at every try
			u.o.Log.Warn("uplink", "broker", u.broker.Redacted(), "err", err)
			said = text
		}
		u.o.Store.Tend()
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(u.backOff(tries)):
		}
	}
}

// backOff is full jitter: anything up to a bound that doubles with each try.
// A thousand devices that lost the same broker do not come back as one.
func (u *Uplink) backOff(tries int) time.Duration {
	bound := u.o.RetryMin << min(tries, 30)
	if bound <= 0 || bound > u.o.RetryMax {
		bound = u.o.RetryMax
	}
	return rand.N(bound) + time.Millisecond
}
