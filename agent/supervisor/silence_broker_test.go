package supervisor

import (
	"errors"
	"strings"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"

	"kerb/agent/localbroker"
	"kerb/agent/uplink"
)

// openBroker starts a broker and listens to everything.
func (p *play) openBroker() {
	b, err := localbroker.New()
	if err != nil {
		p.t.Fatal(err)
	}
	p.site.Broker.URL = b.URL
	p.inbox = make(chan mqtt.Message, 4096)
	client := connectClient(p.t, b.URL)
	p.closers = append(p.closers, func() { b.Close() }, func() { client.Disconnect(0) })
	if err := errors.Join(subscribeAll(client, p.inbox), awaitSubscribed(client)); err != nil {
		p.t.Fatal(err)
	}
}

func connectClient(t *testing.T, url string) mqtt.Client {
	client := mqtt.NewClient(mqtt.NewClientOptions().AddBroker(strings.Replace(url, "mqtt", "tcp", 1)))
	if err := awaitToken(client.Connect()); err != nil {
		t.Fatal(err)
	}
	return client
}

func subscribeAll(client mqtt.Client, inbox chan<- mqtt.Message) error {
	return awaitToken(client.Subscribe("#", 1, func(_ mqtt.Client, m mqtt.Message) { inbox <- m }))
}

// awaitSubscribed waits until the broker has nothing more to do for a subscription: behind
// the SUBACK it looks for retained messages. On a machine with load it found a meta message
// that it had passed on by then, and passed it on a second time. It handles the packets of
// a client in their order, so it has looked when it answers another one.
func awaitSubscribed(client mqtt.Client) error {
	return awaitToken(client.Unsubscribe("none"))
}

func awaitToken(tok mqtt.Token) error {
	if !tok.WaitTimeout(time.Minute) {
		return errors.New("the broker does not answer")
	}
	return tok.Error()
}

// await takes messages until enough holds.
func (p *play) await(enough func() bool) {
	for !enough() {
		select {
		case m := <-p.inbox:
			if !uplink.IsProof(m.Payload()) && !strings.HasSuffix(m.Topic(), "/cmd") {
				p.got[m.Topic()] = append(p.got[m.Topic()], string(m.Payload()))
				if p.order = append(p.order, m.Topic()); m.Topic() == p.topic("state") {
					p.order = p.order[:len(p.order)-1] // also sent when a backlog is gone, which a second look finds at any time
				}
			}
		case <-time.After(2 * time.Minute):
			p.t.Fatalf("nothing arrives: %d topics, log:\n%s", len(p.got), p.log.String())
		}
	}
}

// slowLook makes a broker wait between a SUBACK and its look for retained messages, until
// there is one, or for the longest time.
type slowLook struct {
	mochi.HookBase
	broker  *mochi.Server
	longest time.Duration
}

func (*slowLook) ID() string { return "slow look" }

func (*slowLook) Provides(event byte) bool { return event == mochi.OnPacketSent }

func (h *slowLook) OnPacketSent(_ *mochi.Client, p packets.Packet, _ []byte) {
	if p.FixedHeader.Type != packets.Suback {
		return
	}
	for until := time.Now().Add(h.longest); len(h.broker.Topics.Messages("#")) == 0 && time.Now().Before(until); {
		time.Sleep(time.Millisecond)
	}
}

// The observer of a play sees a retained message once on a slow machine, too. The control
// does not wait until the broker has looked.
func TestTheObserverSeesARetainedMessageOnce(t *testing.T) {
	for _, c := range []struct {
		waits   bool
		longest time.Duration
		times   int
	}{{true, 100 * time.Millisecond, 1}, {false, time.Minute, 2}} {
		b, err := localbroker.New()
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		if err := b.Server.AddHook(&slowLook{broker: b.Server, longest: c.longest}, nil); err != nil {
			t.Fatal(err)
		}
		inbox := make(chan mqtt.Message, 8)
		observer, device := connectClient(t, b.URL), connectClient(t, b.URL)
		defer observer.Disconnect(0)
		defer device.Disconnect(0)
		err = subscribeAll(observer, inbox)
		if c.waits {
			err = errors.Join(err, awaitSubscribed(observer))
		}
		err = errors.Join(err, awaitToken(device.Publish("meta", 1, true, "once")), awaitSubscribed(observer), awaitToken(device.Publish("end", 1, false, "")))
		if err != nil {
			t.Fatal(err)
		}
		times := 0
		for m := <-inbox; m.Topic() != "end"; m = <-inbox {
			times++
		}
		if times != c.times {
			t.Errorf("with a wait %v, the message came %d times, not %d", c.waits, times, c.times)
		}
	}
}
