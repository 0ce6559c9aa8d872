package image

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
)

// A broker is a mosquitto on loopback and everything that was published there.
type broker struct {
	port int
	mu   sync.Mutex
	all  []message
}

type message struct {
	topic string
	body  []byte
	at    time.Time
}

func newBroker(t *testing.T) *broker {
	t.Helper()
	bin, err := exec.LookPath("mosquitto")
	if err != nil {
		bin = "/usr/sbin/mosquitto"
	}
	b := &broker{port: freePort(t)}
	conf := filepath.Join(t.TempDir(), "conf")
	if err := os.WriteFile(conf, fmt.Appendf(nil, "user root\nlistener %d 127.0.0.1\nallow_anonymous true\n", b.port), 0o600); err != nil {
		t.Fatal(err)
	}
	c := exec.Command(bin, "-c", conf)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Process.Kill(); _ = c.Wait() })
	client := mqtt.NewClient(mqtt.NewClientOptions().AddBroker(fmt.Sprintf("tcp://127.0.0.1:%d", b.port)).SetClientID("test").
		SetConnectRetry(true).SetConnectRetryInterval(100 * time.Millisecond))
	if tok := client.Connect(); !tok.WaitTimeout(time.Minute) || tok.Error() != nil {
		t.Fatal("no broker")
	}
	t.Cleanup(func() { client.Disconnect(0) })
	tok := client.Subscribe("kerb/#", 1, func(_ mqtt.Client, m mqtt.Message) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.all = append(b.all, message{m.Topic(), m.Payload(), time.Now()})
	})
	if !tok.WaitTimeout(time.Minute) || tok.Error() != nil {
		t.Fatal("not subscribed")
	}
	return b
}

// on are the messages of a topic that contains part, since a time.
func (b *broker) on(part string, since time.Time) (ms []message) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, m := range b.all {
		if strings.Contains(m.topic, part) && m.at.After(since) {
			ms = append(ms, m)
		}
	}
	return ms
}

// A window is what identifies one in a message.
type window struct {
	Epoch  string `json:"epoch"`
	Stream string `json:"stream"`
	Seq    uint64 `json:"seq"`
}

// windows are all that came, live and late, with their bytes.
func (b *broker) windows(t *testing.T) map[window][]string {
	t.Helper()
	out := map[window][]string{}
	add := func(raw json.RawMessage) {
		var w window
		if err := json.Unmarshal(raw, &w); err != nil {
			t.Fatal(err)
		}
		out[w] = append(out[w], string(raw))
	}
	for _, m := range b.on("/count/", time.Time{}) {
		add(m.body)
	}
	for _, m := range b.on("/backfill/", time.Time{}) {
		var many []json.RawMessage
		if err := json.Unmarshal(m.body, &many); err != nil {
			t.Fatal(err)
		}
		for _, raw := range many {
			add(raw)
		}
	}
	return out
}
