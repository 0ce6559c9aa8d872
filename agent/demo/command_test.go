package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"kerb/agent/clock"
	"kerb/agent/config"
	"kerb/agent/localbroker"
	"kerb/agent/policy"
	"kerb/agent/policy/policytest"
	"kerb/agent/uplink"
)

// An agent at a broker answers "not allowed" to a verb that its policy does not allow.
// Where the policy allows none, it does not subscribe to commands.
func TestTheBrokerCommandsOnlyWhatThePolicyAllows(t *testing.T) {
	for _, c := range []struct {
		allowed string
		heard   bool
		answers map[string]string // verb → the error in its answer
	}{
		{`[]`, false, nil},
		{`["watermark"]`, true, map[string]string{"resend": "not allowed", "watermark": ""}},
		{`["resend"]`, true, map[string]string{"resend": "", "watermark": "not allowed"}},
		{`["resend", "watermark"]`, true, map[string]string{"resend": "", "watermark": ""}},
	} {
		t.Run(c.allowed, func(t *testing.T) {
			p := policytest.Parse(t, policytest.Daytime+"broker.commands = "+c.allowed+"\n")
			broker, client, answers := agentAtBroker(t, p)
			topic := "kerb/v1/kerb/test/pi-1/cmd"
			if heard := len(broker.Server.Topics.Subscribers(topic).Subscriptions) > 0; heard != c.heard {
				t.Fatalf("somebody listens to commands: %v", heard)
			}
			for verb, want := range c.answers {
				text := fmt.Sprintf(`{"schema":"kerb.cmd/1","id":%q,"verb":%q,"expires":%q,"epoch":"e","stream":"kerb","from":1,"to":1}`,
					verb, verb, time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
				if tok := client.Publish(topic, 1, false, text); !tok.WaitTimeout(10*time.Second) || tok.Error() != nil {
					t.Fatal(tok.Error())
				}
				var a struct{ ID, Error string }
				if err := json.Unmarshal(<-answers, &a); err != nil || a.ID != verb || strings.Contains(a.Error, "not allowed") != (want == "not allowed") {
					t.Errorf("%s: %+v %v, want %q", verb, a, err, want)
				}
			}
		})
	}
}

// agentAtBroker connects an agent without sensors to a broker. It returns the broker, a
// client of it, and the agent's answers to commands.
func agentAtBroker(t *testing.T, p *policy.Policy) (*localbroker.Broker, mqtt.Client, chan []byte) {
	t.Helper()
	b, err := localbroker.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	client := mqtt.NewClient(mqtt.NewClientOptions().AddBroker(strings.Replace(b.URL, "mqtt", "tcp", 1)).SetClientID("platform"))
	if tok := client.Connect(); !tok.WaitTimeout(10*time.Second) || tok.Error() != nil {
		t.Fatal(tok.Error())
	}
	t.Cleanup(func() { client.Disconnect(0) })
	answers, online := make(chan []byte, 8), make(chan []byte, 8)
	for topic, ch := range map[string]chan []byte{"ack": answers, "state": online} {
		tok := client.Subscribe("kerb/v1/kerb/test/pi-1/"+topic, 1, func(_ mqtt.Client, m mqtt.Message) {
			if !uplink.IsProof(m.Payload()) {
				ch <- m.Payload()
			}
		})
		if !tok.WaitTimeout(10*time.Second) || tok.Error() != nil {
			t.Fatal(tok.Error())
		}
	}
	site := &config.Site{
		Device: config.Device{Tenant: "kerb", Site: "test", Name: "pi-1", State: t.TempDir()},
		Broker: config.Broker{URL: b.URL},
	}
	a, err := NewAgent(site, p, "test", clock.Clock{Floor: clockFloor}, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	runAgent(t, a)
	<-online // it subscribes before it publishes its state
	return b, client, answers
}

// runAgent runs the agent until the test ends.
func runAgent(t *testing.T, a *Agent) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- a.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
