package fleet

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"kerb/agent/uplink"
)

// Broker says how to reach the broker, as flags of kong.
type Broker struct {
	Broker       string `help:"mqtt[s]://HOST[:PORT] or ws[s]://HOST[:PORT]/PATH." default:"mqtt://127.0.0.1:1883" placeholder:"URL"`
	User         string `help:"User at the broker." placeholder:"NAME"`
	PasswordFile string `help:"The file with the user's password." placeholder:"F"`
	CAFile       string `name:"ca-file" help:"The only authorities that are trusted, in PEM." placeholder:"F"`
	CertFile     string `help:"Certificate of this client, in PEM." placeholder:"F"`
	KeyFile      string `help:"Its key." placeholder:"F"`
	Devices      string `help:"Only these devices: TENANT/SITE/DEVICE, + for any." default:"+/+/+" placeholder:"FILTER"`

	timeout time.Duration // until the broker has taken the connection; 0: connectTimeout
}

// The limits of a connection, chosen by hand.
const (
	connectTimeout = 15 * time.Second
	ackTimeout     = 30 * time.Second
)

// watch is a connection that keeps the latest state and meta message of each device.
type watch struct {
	client mqtt.Client

	mu      sync.Mutex
	devices map[string]*device // by address
	changed chan struct{}      // gets a value after messages have come
	lost    chan error
}

// device is what one device has told.
type device struct {
	Address string
	State   *state
	Meta    *meta
}

// state is what kerb fleet reads of a state message, schema kerb.state/1.
type state struct {
	Online  bool
	Why     string
	At      time.Time
	Backlog struct{ Windows, Memory int }
	Evicted uint64
	Clock   *struct{ Synced bool }
	Store   *struct {
		Health, Why string
		Epoch       string
	}
	Denied      []string
	Twin        *struct{ Epoch string }
	Certificate *struct{ Ends time.Time }
	Agent       struct {
		Policy struct {
			Version int64
			Trust   string
			Refused string
		}
		Audit  head
		Config struct {
			Site    string
			InForce int64 `json:"in_force"`
			Version int64
			Outcome string
			Reason  string
			Line    int
		}
		Walls   map[string]struct{ Open []string }
		Sensors map[string]struct {
			Watching bool
			Fault    string
		}
		Board struct {
			Throttled   []string
			LifeTenths  int     `json:"life_used_tenths"`
			DiskErrors  uint64  `json:"disk_errors"`
			Temperature float64 `json:"temperature_c"`
		}
	}
}

// head is the end of an audit log.
type head struct {
	Seq uint64 `json:"seq"`
	Sum string `json:"sum"`
}

// meta is what kerb fleet reads of a birth message, schema kerb.meta/1.
type meta struct {
	Version string
	Policy  struct {
		Hash    string
		Version int64
	}
	Streams  []json.RawMessage
	Commands []string // that the policy in force allows
}

// connect connects to the broker and subscribes to state and meta of the devices.
func (b Broker) connect(clientID string) (*watch, error) {
	address, tls, err := uplink.BrokerAddress(b.Broker, uplink.TLS{CAFile: b.CAFile, CertFile: b.CertFile, KeyFile: b.KeyFile})
	if err != nil {
		return nil, err
	}
	w := &watch{devices: map[string]*device{}, changed: make(chan struct{}, 1), lost: make(chan error, 1)}
	o := mqtt.NewClientOptions().AddBroker(address.String()).SetClientID(clientID).SetUsername(b.User).SetProtocolVersion(4).
		SetAutoReconnect(false).SetConnectRetry(false).SetConnectTimeout(cmp.Or(b.timeout, connectTimeout)).SetOrderMatters(true).
		SetConnectionLostHandler(func(_ mqtt.Client, err error) { w.lost <- err })
	if tls != nil {
		o.SetTLSConfig(tls)
	}
	if b.PasswordFile != "" {
		p, err := os.ReadFile(b.PasswordFile)
		if err != nil {
			return nil, fmt.Errorf("read the broker's password: %w", err)
		}
		o.SetPassword(string(bytes.TrimRight(p, "\r\n")))
	}
	w.client = mqtt.NewClient(o)
	if err := waitToken(w.client.Connect()); err != nil {
		return nil, fmt.Errorf("connect to %s: %w", b.Broker, err)
	}
	t := w.client.SubscribeMultiple(map[string]byte{
		"kerb/v1/" + b.Devices + "/state": 1, "kerb/v1/" + b.Devices + "/meta": 1,
	}, w.take)
	if err := waitToken(t); err != nil {
		w.close()
		return nil, fmt.Errorf("subscribe: %w", err)
	}
	if s, ok := t.(*mqtt.SubscribeToken); ok {
		for topic, code := range s.Result() {
			if code > 2 {
				w.close()
				return nil, fmt.Errorf("the broker refuses the subscription to %s: its access control must let this client read there", topic)
			}
		}
	}
	return w, nil
}

// waitToken waits for an answer of the broker.
func waitToken(t mqtt.Token) error {
	if !t.WaitTimeout(ackTimeout) {
		return errors.New("no answer")
	}
	return t.Error()
}

func (w *watch) close() { w.client.Disconnect(250) }

// take keeps a message. One that is no JSON, or a proof of delivery, changes nothing.
func (w *watch) take(_ mqtt.Client, m mqtt.Message) {
	levels := strings.Split(m.Topic(), "/")
	if len(levels) != 6 || uplink.IsProof(m.Payload()) {
		return
	}
	address := strings.Join(levels[2:5], "/")
	w.mu.Lock()
	defer w.mu.Unlock()
	d := w.devices[address]
	if d == nil {
		d = &device{Address: address}
		w.devices[address] = d
	}
	switch levels[5] {
	case "state":
		if len(m.Payload()) == 0 { // the device was wiped
			d.State = nil
			break
		}
		if s := new(state); json.Unmarshal(m.Payload(), s) == nil {
			d.State = s
		}
	case "meta":
		if t := new(meta); json.Unmarshal(m.Payload(), t) == nil {
			d.Meta = t
		}
	}
	if d.State == nil && d.Meta == nil {
		delete(w.devices, address)
	}
	select {
	case w.changed <- struct{}{}:
	default: // the reader is awake
	}
}

// told returns what a device has told last; without state and meta where it has told nothing.
func (w *watch) told(address string) device {
	w.mu.Lock()
	defer w.mu.Unlock()
	if d := w.devices[address]; d != nil {
		return *d
	}
	return device{Address: address}
}
