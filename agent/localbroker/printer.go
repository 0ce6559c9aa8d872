package localbroker

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"sync"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
)

// Limits of the subscriber's waiting, chosen by hand.
const (
	subscriberConnect = 5 * time.Second  // for the TCP connection and the CONNACK
	subscriberAnswer  = 10 * time.Second // for the CONNACK and the SUBACK
	subscriberQuiesce = 250              // ms in which paho ends work in progress before it disconnects
)

// Printer is an MQTT subscriber that prints or hands on every message of the
// demonstration and counts the windows among them. It shows that the broker really
// passes the messages on.
type Printer struct {
	Out       io.Writer                          // gets every message as topic, blank, payload; nil: none
	OnMessage func(topic string, payload []byte) // is called with every message; nil: nothing

	client mqtt.Client
	mu     sync.Mutex
	count  int // live windows received
}

// Subscribe connects to the broker at address and subscribes at QoS 1 to all topics
// of the demonstration.
func (p *Printer) Subscribe(address string) error {
	o := mqtt.NewClientOptions().AddBroker(address).SetClientID("kerb-demo-listener").
		SetAutoReconnect(false).SetConnectTimeout(subscriberConnect)
	p.client = mqtt.NewClient(o)
	if err := waitToken(p.client.Connect()); err != nil {
		return fmt.Errorf("subscribe at %s: %w", RedactAddress(address), err)
	}
	tok := p.client.Subscribe("kerb/v1/kerb/demo/#", 1, func(_ mqtt.Client, m mqtt.Message) {
		if bytes.HasPrefix(m.Payload(), []byte(`{"schema":"kerb.proof/1"`)) {
			return // it says nothing, and every consumer ignores it
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		if strings.Contains(m.Topic(), "/count/") {
			p.count++
		}
		if p.OnMessage != nil {
			p.OnMessage(m.Topic(), m.Payload())
		}
		if p.Out != nil {
			fmt.Fprintf(p.Out, "%s %s\n", m.Topic(), m.Payload())
		}
	})
	if err := waitToken(tok); err != nil {
		return fmt.Errorf("subscribe at %s: %w", RedactAddress(address), err)
	}
	return nil
}

// Disconnect ends the subscription and the connection.
func (p *Printer) Disconnect() { p.client.Disconnect(subscriberQuiesce) }

// WindowCount returns the number of live windows received so far.
func (p *Printer) WindowCount() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.count
}

// waitToken waits at most subscriberAnswer for the broker's answer.
func waitToken(tok mqtt.Token) error {
	if !tok.WaitTimeout(subscriberAnswer) {
		return errors.New("no answer within 10s")
	}
	return tok.Error()
}

// RedactAddress replaces the password in a broker's URL by xxxxx. Text that is not a
// URL may hold a password anywhere and is replaced as a whole.
func RedactAddress(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "the broker"
	}
	return u.Redacted()
}
