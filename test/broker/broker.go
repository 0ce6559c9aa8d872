// Package broker is a real MQTT broker for tests that boot machines: mosquitto on
// loopback, and everything that was published there.
package broker

import (
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

// Broker is a mosquitto on loopback. A virtual machine's user network shows it to
// its guest at 10.0.2.2.
type Broker struct {
	Port int
	mu   sync.Mutex
	all  []Message
}

// Message is one that was published.
type Message struct {
	Topic string
	Body  []byte
	At    time.Time
}

// New starts one that ends with the test.
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
		b.mu.Lock()
		defer b.mu.Unlock()
		b.all = append(b.all, Message{m.Topic(), m.Payload(), time.Now()})
	})
	if !tok.WaitTimeout(time.Minute) || tok.Error() != nil {
		t.Fatal("not subscribed")
	}
	return b
}

// On are the messages of a topic that contains part, since a time.
func (b *Broker) On(part string, since time.Time) (ms []Message) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, m := range b.all {
		if strings.Contains(m.Topic, part) && m.At.After(since) {
			ms = append(ms, m)
		}
	}
	return ms
}

// Window is what identifies one in a message.
type Window struct {
	Epoch  string `json:"epoch"`
	Stream string `json:"stream"`
	Seq    uint64 `json:"seq"`
}

// Windows are all that came, live and late, with their bytes.
func (b *Broker) Windows(t *testing.T) map[Window][]string {
	t.Helper()
	out := map[Window][]string{}
	add := func(raw json.RawMessage) {
		var w Window
		if err := json.Unmarshal(raw, &w); err != nil {
			t.Fatal(err)
		}
		out[w] = append(out[w], string(raw))
	}
	for _, m := range b.On("/count/", time.Time{}) {
		add(m.Body)
	}
	for _, m := range b.On("/backfill/", time.Time{}) {
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

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}
