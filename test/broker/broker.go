// Package broker runs a real MQTT broker for tests that boot machines:
// mosquitto on loopback, with a client that records every message below kerb/.
// It allows anonymous clients and refuses none; the test fails where mosquitto
// is not installed.
package broker

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
)

// Broker is a mosquitto on loopback. The user network of a virtual machine
// shows it to its guest at 10.0.2.2.
type Broker struct {
	Port     int
	mu       sync.Mutex
	messages []Message
}

// Message is one published message, with the time at which the client received
// it.
type Message struct {
	Topic string
	Body  []byte
	At    time.Time
}

// New starts a broker on a free port. It ends with the test.
func New(t *testing.T) *Broker {
	t.Helper()
	bin, err := exec.LookPath("mosquitto")
	if err != nil {
		bin = "/usr/sbin/mosquitto"
	}
	b := &Broker{Port: freePort(t)}
	conf := filepath.Join(t.TempDir(), "conf")
	if err := os.WriteFile(conf, fmt.Appendf(nil, "user root\nlistener %d 127.0.0.1\nallow_anonymous true\n", b.Port), 0o600); err != nil {
		t.Fatal(err)
	}
	c := exec.Command(bin, "-c", conf)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Process.Kill(); _ = c.Wait() })
	client := mqtt.NewClient(mqtt.NewClientOptions().AddBroker(fmt.Sprintf("tcp://127.0.0.1:%d", b.Port)).SetClientID("test").
		SetConnectRetry(true).SetConnectRetryInterval(100 * time.Millisecond))
	if tok := client.Connect(); !tok.WaitTimeout(time.Minute) || tok.Error() != nil {
		t.Fatal("no broker")
	}
	t.Cleanup(func() { client.Disconnect(0) })
	tok := client.Subscribe("kerb/#", 1, func(_ mqtt.Client, m mqtt.Message) {
		if bytes.HasPrefix(m.Payload(), []byte(`{"schema":"kerb.proof/1"`)) {
			return // as the schema tells consumers
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		b.messages = append(b.messages, Message{m.Topic(), m.Payload(), time.Now()})
	})
	if !tok.WaitTimeout(time.Minute) || tok.Error() != nil {
		t.Fatal("not subscribed")
	}
	return b
}

// MessagesOn returns the messages that came after since on topics that contain part, in
// order.
func (b *Broker) MessagesOn(part string, since time.Time) (ms []Message) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, m := range b.messages {
		if strings.Contains(m.Topic, part) && m.At.After(since) {
			ms = append(ms, m)
		}
	}
	return ms
}

// Window holds the fields of a message that identify a window.
type Window struct {
	Epoch  string `json:"epoch"`
	Stream string `json:"stream"`
	Seq    uint64 `json:"seq"`
}

// WindowsByID returns the bytes of all windows received, live and as backfill, by
// their identity.
func (b *Broker) WindowsByID(t *testing.T) map[Window][]string {
	t.Helper()
	out := map[Window][]string{}
	add := func(raw json.RawMessage) {
		var w Window
		if err := json.Unmarshal(raw, &w); err != nil {
			t.Fatal(err)
		}
		out[w] = append(out[w], string(raw))
	}
	for _, m := range b.MessagesOn("/count/", time.Time{}) {
		add(m.Body)
	}
	for _, m := range b.MessagesOn("/backfill/", time.Time{}) {
		var many []json.RawMessage
		if err := json.Unmarshal(m.Body, &many); err != nil {
			t.Fatal(err)
		}
		for _, raw := range many {
			add(raw)
		}
	}
	return out
}

// freePort returns a TCP port that was free a moment ago.
func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}
