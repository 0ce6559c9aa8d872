// Package uplink publishes the windows of the spool to an MQTT 3.1.1 broker, at
// QoS 1, with the state, the birth message and the events of the device. Payload
// and topics of windows come from a [Format], one file each.
//
// It refuses to send a count that no policy has cleared: windows are
// policy.Release values from the store. It refuses to settle a window before the
// broker acknowledged that very message. It obeys two commands only, resend and
// watermark, and only those that the caller allows; a message on …/want it hands on
// unread.
//
// A connection is used once: each one is a new MQTT client with a clean session,
// so that a token can succeed only through a PUBACK of its own connection (see
// TestATokenNeverSucceedsByItself).
package uplink

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"kerb/agent/advice"
	"kerb/agent/busyness"
	"kerb/agent/retry"
	"kerb/agent/store"
)

// ErrRefused reports that the broker answered the CONNECT with a refusal: wrong
// password, not authorised, or a client id that it does not accept (MQTT 3.1.1
// §3.2.2.3, codes 2, 4 and 5). Waiting seldom helps.
var ErrRefused = errors.New("broker refuses")

// maxUnacked is Opts.MaxUnacked, unless that says otherwise: enough for a round trip of
// 100 ms, as measured with a backlog of three days.
const maxUnacked = 10

// DefaultStateInterval is the longest time between two state messages, unless Opts says
// otherwise.
const DefaultStateInterval = 5 * time.Minute

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
	KeepsNow     bool                   // the broker keeps the last window of each stream of Birth, on …/now/{stream}
	Busyness     busyness.Judge         // whose alerts these messages tell
	AllowVerb    func(verb string) bool // reports whether a command may be executed; nil: none, and the topic is not subscribed
	OnWant       func(message []byte)   // gets each message on …/want, at most MaxWantBytes long, and returns at once; nil: the topic is not subscribed
	NewestFirst  bool                   // late windows go newest first; otherwise oldest first
	LateInterval time.Duration          // least time between two messages of late windows
	LateByteRate int                    // bytes a second for late windows, less what other messages used; 0: no cap
	Spread       time.Duration          // windows of a fleet are sent spread over this time or a quarter of the window, whichever is less; 0: at once

	Clock         func() Clock          // quality of the wall clock; nil: always synced
	AgentReport   func() map[string]any // member "agent" of the state message; may be nil
	AgentTriggers func() string         // the state is published at once when this text changes; may be nil
	StateInterval time.Duration         // longest time between two state messages; 0: five minutes

	// RetryMin is the longest wait before the first connection, and before the next
	// one after a connection that lasted; 0: none, and then 1 s. The wait is random,
	// so that a fleet does not come back at once. After each failure the time in which
	// the next attempt lies doubles (see retry.Rounds). No wait is longer than
	// RetryMax; 0: 300 s.
	RetryMin, RetryMax time.Duration

	MaxUnacked int           // messages that may wait for their PUBACK at once; 0: 10
	AckTimeout time.Duration // of one message, and of its way back, on a link that misses none; 0: 10 s

	Log *slog.Logger // nil: no log

	// Dial opens the TCP connection to the broker, or to the proxy before it, and
	// ReadFile reads a file of TLS or the password: for a process that can do neither
	// by itself. nil: net.Dialer and os.ReadFile.
	Dial     func(ctx context.Context, network, address string) (net.Conn, error)
	ReadFile func(path string) ([]byte, error)
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
	rush    atomic.Bool   // windows go at once
	spread  time.Duration // from the end of a window until it is sent; the same for every window of this device

	certificateEnd atomic.Pointer[time.Time] // of the device's certificate at the last connection; nil: it has none

	fixedClientID bool // Opts gave one

	connections uint64          // made so far
	provenOnce  map[string]bool // topics that were proven in this process and not denied since
	twins       twins
	toldDenied  string // the last line about denied topics that was logged
	closings    closings
	rounds      retry.Rounds // of the attempts to connect

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
	u := &Uplink{
		o: o, wake: make(chan struct{}, 1), now: time.Now,
		provenOnce: map[string]bool{}, twins: twins{own: makeRun(), seen: map[string]*sighting{}},
		closings: closings{suspects: map[string]int{}, denied: map[string]*topicProof{}},
	}
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
	if u.fixedClientID = o.ClientID != ""; !u.fixedClientID {
		u.o.ClientID = makeClientID(o.Device)
	}
	u.spread = spreadOf(u.base, min(o.Spread, o.Birth.Window/4))
	if o.MaxUnacked <= 0 {
		u.o.MaxUnacked = maxUnacked
	}
	setDefault(&u.o.AckTimeout, ackTimeout)
	u.tuning = newLinkTuning(u.o.AckTimeout)
	setDefault(&u.o.StateInterval, DefaultStateInterval)
	setDefault(&u.o.RetryMax, 300*time.Second)
	if o.Clock == nil {
		u.o.Clock = func() Clock { return Clock{Synced: true} }
	}
	if o.Dial == nil {
		u.o.Dial = (&net.Dialer{}).DialContext
	}
	if o.ReadFile == nil {
		u.o.ReadFile = os.ReadFile
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

// BrokerAddress checks the URL of a broker as New does, and returns it with the
// configuration of TLS, nil where the URL needs none: for a program that connects by
// itself.
func BrokerAddress(broker string, t TLS) (*url.URL, *tls.Config, error) {
	b, err := parseBroker(broker)
	if err != nil || b.Scheme == "mqtt" || b.Scheme == "ws" {
		return b, nil, err
	}
	c, err := t.clientConfig(b.Hostname(), os.ReadFile)
	return b, c, err
}

// parseBroker parses a broker's URL and adds the standard port of its scheme. A
// password in the URL is refused: URLs are logged.
func parseBroker(s string) (*url.URL, error) {
	b, err := url.Parse(s)
	if err != nil && !strings.Contains(s, "://") {
		b, err = &url.URL{}, nil // such as 127.0.0.1:1883: the scheme is missing
	}
	if err != nil {
		return nil, fmt.Errorf("broker %q: %w", s, err)
	}
	port := map[string]string{"mqtt": "1883", "mqtts": "8883", "ws": "80", "wss": "443"}[b.Scheme]
	switch {
	case port == "":
		return nil, fmt.Errorf("broker %q: must begin with mqtt://, mqtts://, ws:// or wss://, such as mqtt://127.0.0.1:1883", s)
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

// IsOnline reports whether the uplink is connected, and the broker has been shown to
// pass on what the device publishes. Windows are sent only while it is.
func (u *Uplink) IsOnline() bool { return u.online.Load() }

// Wake reports that the spool has new windows or notes. It never blocks.
func (u *Uplink) Wake() {
	select {
	case u.wake <- struct{}{}:
	default:
	}
}

// spreadOf returns the place of a device in a span: uniform over devices, and always
// the same for one (FNV-1a hash of its topics).
func spreadOf(topics string, span time.Duration) time.Duration {
	if span <= 0 {
		return 0
	}
	h := fnv.New64a()
	h.Write([]byte(topics))
	return time.Duration(h.Sum64() % uint64(span))
}

// SendNow makes windows go without the spread from now on, for the end of the
// program. It may be called from any goroutine.
func (u *Uplink) SendNow() {
	u.rush.Store(true)
	u.Wake()
}

// SendEvents publishes the pending events of the spool alone and disconnects. It
// is for a device that does not count, as when kerb run refuses its files. It
// returns the first error; the events that came back from the broker before it are
// settled.
func (u *Uplink) SendEvents(ctx context.Context) error {
	l, err := u.connectAs(ctx, u.extraClientID("-tell"), nil)
	if err != nil {
		return err
	}
	defer l.disconnect(time.Second)
	for _, n := range u.o.Store.PendingNotes() {
		if err := l.deliver(u.encodeEvent(n)); err != nil {
			return fmt.Errorf("tell %s: %w", n.Kind, err)
		}
		u.o.Store.RemoveNote(n)
	}
	return nil
}

// extraClientID returns the client id of a short connection beside that of kerb run.
// A configured client id is used as it is, because the broker may accept no other:
// the connection of a running kerb then ends for a moment.
func (u *Uplink) extraClientID(suffix string) string {
	if u.fixedClientID {
		return u.o.ClientID
	}
	return u.o.ClientID + suffix
}

// stableAfter is how long a connection must last before the retry delay starts
// from RetryMin again. Two devices with the same client id end each other's
// connections sooner than that. Chosen by hand.
const stableAfter = 5 * time.Second

// firstRetry is the bound of the second wait where RetryMin is 0.
const firstRetry = time.Second

// Run connects, publishes and reconnects until ctx ends; it always returns nil.
// Before the first connection, and after one that lasted, it waits for a random time
// of at most RetryMin; after a failure the bound doubles up to RetryMax. At the end
// it publishes the offline state, for which it takes at most about two seconds. A
// failed connection is logged once until the error changes.
func (u *Uplink) Run(ctx context.Context) error {
	logged := ""
	for tries := 0; ; tries++ {
		if !u.waitToConnect(ctx, tries) {
			return nil
		}
		start := time.Now()
		err := u.runConnection(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if time.Since(start) > stableAfter {
			tries, logged, u.closings.cautious = -1, "", false
		}
		if text := err.Error(); text != logged {
			logged = text
			if errors.Is(err, errNoConnection) {
				err = u.explainFailure(ctx, err)
			}
			u.o.Log.Warn("uplink", "broker", u.broker.Redacted(), "err", err, "do", advice.Broker(err.Error()))
			u.setStatus(func(s *Status) { s.Refusal = err.Error() })
		}
		u.setStatus(func(s *Status) { s.Connected, s.Since = false, time.Time{} })
		u.o.Store.RetryWrites()
	}
}

// waitToConnect waits before the connection that follows so many failures. It
// returns false when ctx ends.
func (u *Uplink) waitToConnect(ctx context.Context, failures int) bool {
	wait := u.connectDelay(failures)
	u.setStatus(func(s *Status) { s.Retry = u.now().Add(wait) })
	return retry.Sleep(ctx, wait)
}

// connectDelay returns the random wait before the connection that follows so many
// failures.
func (u *Uplink) connectDelay(failures int) time.Duration {
	least := u.o.RetryMin
	if least <= 0 {
		if failures == 0 {
			return 0
		}
		least, failures = firstRetry, failures-1
	}
	return u.rounds.Next(min(least, u.o.RetryMax), u.o.RetryMax, failures)
}
