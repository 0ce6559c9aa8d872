package e2e

import (
	"net"
	"strings"
	"testing"
	"time"

	"kerb/agent/store/storetest"
	"kerb/agent/uplink"
)

// Two machines with one site.toml, or a cloned card: each is told of the other, in an
// event, in its state and in its status.
func TestTwinsAreToldOnBothSides(t *testing.T) {
	for name, ids := range map[string][2]string{"two client ids": {"a", "b"}, "one client id": {"same", "same"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := startMosquitto(t)
			k := newSink(t, b.url())
			one, two := openStore(t), openStore(t)
			u, _ := run(t, uplink.Opts{Broker: b.url(), Store: one, ClientID: ids[0]})
			until(t, "the first", u.IsOnline)
			if u.Status().Twin != nil {
				t.Error("a twin of its own")
			}
			v, _ := run(t, uplink.Opts{Broker: b.url(), Store: two, ClientID: ids[1]})
			until(t, "the status of both", func() bool { return u.Status().Twin != nil && v.Status().Twin != nil })
			if ids[0] != ids[1] {
				if got := [2]string{u.Status().Twin.Epoch, v.Status().Twin.Epoch}; got != [2]string{two.Stats().Epoch, one.Stats().Epoch} {
					t.Errorf("twins of the epochs %v", got)
				}
			}
			until(t, "both events", func() bool {
				return strings.Count(strings.Join(k.messages("event"), "\n"), `"kind":"twin"`) >= 2
			})
			until(t, "the states", func() bool { return strings.Count(strings.Join(k.messages("state"), "\n"), `"twin":{`) >= 2 })
		})
	}
}

// A device that is killed and started again, with its Last Will late or in time, is no
// twin of itself.
func TestADeviceIsNoTwinOfItsOwnEarlierRuns(t *testing.T) {
	t.Parallel()
	b := startMosquitto(t)
	s := openStore(t)
	k := newSink(t, b.url())
	for i := range 6 {
		id := []string{"same", ""}[i%2]
		p := newProxy(t, b.port, 0)
		u, stop := run(t, uplink.Opts{Broker: p.url(), Store: s, ClientID: id})
		until(t, "a connection", u.IsOnline)
		if i%3 == 0 {
			stop()
		} else { // as when the power fails: it never comes back, and its Last Will does
			p.Close()
			p.cutAll()
		}
		next, stopNext := run(t, uplink.Opts{Broker: b.url(), Store: s, ClientID: id})
		until(t, "the next run", next.IsOnline)
		stopNext()
	}
	if all := strings.Join(append(k.messages("event"), k.messages("state")...), "\n"); strings.Contains(all, "twin") {
		t.Error(all)
	}
}

// An operator who wipes what the broker keeps has it back without a new connection.
func TestAWipedStateComesBack(t *testing.T) {
	t.Parallel()
	b := startMosquitto(t)
	k := newSink(t, b.url())
	s := openStore(t)
	fill(t, s, storetest.StreamNames(1), 0, 1, nil)
	u, _ := run(t, uplink.Opts{Broker: b.url(), Store: s, StateInterval: time.Second}) // it looks once a second
	until(t, "a connection", func() bool { return u.IsOnline() && len(k.messages("meta")) > 0 })
	since := u.Status().Since
	for _, level := range []string{"state", "meta"} {
		n := len(k.messages(level))
		k.client.Publish(ownTopics+level, 1, true, "").Wait()
		until(t, level, func() bool { m := k.messages(level); return len(m) > n+1 && m[len(m)-1] != "" })
	}
	if u.Status().Since != since {
		t.Error("it has connected again")
	}
}

// A request that a broker refuses by closing the connection, or answers in another protocol, is
// named.
func TestWhatABrokerRefusesByClosingIsNamed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		conf, url, want string
	}{
		"no retained messages": {"retain_available false", "mqtt://", "retain_available true"},
		"TLS on a plain port":  {"", "mqtts://", "speaks MQTT without TLS"},
		"MQTT on ws://":        {"", "ws://", "without a WebSocket"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			more := []string{"allow_anonymous true"}
			if c.conf != "" {
				more = append(more, c.conf)
			}
			b := startMosquitto(t, more...)
			s := openStore(t)
			u, _ := run(t, uplink.Opts{Broker: strings.Replace(b.url(), "mqtt://", c.url, 1), Store: s, AckTimeout: time.Second})
			err := u.CheckConnection(t.Context())
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("check -connect: %v", err)
			}
			until(t, "the status", func() bool { return u.Status().Refusal != "" && strings.Contains(u.Status().Refusal, c.want) })
			t.Log(u.Status().Refusal)
		})
	}
}

// A broker that speaks MQTT 5 alone answers a login of 3.1.1 with reason 0x84, or
// closes.
func TestABrokerThatSpeaksMQTT5AloneIsNamed(t *testing.T) {
	t.Parallel()
	for name, refuse := range map[string][]byte{"reason 0x84": {0x20, 3, 0, 0x84, 0}, "return code 1": {0x20, 2, 0, 1}, "closing": nil} {
		t.Run(name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			go func() {
				for {
					c, err := l.Accept()
					if err != nil {
						return
					}
					b := make([]byte, 512)
					if n, _ := c.Read(b); n > 8 && strings.Contains(string(b[:n]), "MQTT\x05") {
						c.Write([]byte{0x20, 3, 0, 0, 0})
					} else if n > 8 && b[0] == 0x10 {
						c.Write(refuse)
					}
					c.Close()
				}
			}()
			u, err := uplink.New(uplink.Opts{Broker: "mqtt://" + l.Addr().String(), Tenant: "acme", Site: "north", Device: "pi-0a1b", Store: openStore(t), AckTimeout: time.Second})
			if err != nil {
				t.Fatal(err)
			}
			if err := u.CheckConnection(t.Context()); err == nil || !strings.Contains(err.Error(), "MQTT 5 only") || strings.Contains(err.Error(), "\n") {
				t.Errorf("%v", err)
			}
		})
	}
}

// A broker that closes at large messages, or drops them silently, gets smaller ones.
func TestABrokerWithASizeLimitGetsSmallerMessages(t *testing.T) {
	t.Parallel()
	for name, limit := range map[string]string{"closing": "max_packet_size 9000", "silent": "message_size_limit 9000"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := startMosquitto(t, "allow_anonymous true", "max_queued_messages 1000", limit)
			k := newSink(t, b.url())
			s, streams := openStore(t), storetest.StreamNames(1)
			fill(t, s, streams, 0, 100, nil)
			u, _ := run(t, uplink.Opts{Broker: b.url(), Store: s, AckTimeout: time.Second})
			until(t, "the windows", func() bool { return s.Stats().Pending == 0 && u.IsOnline() })
			k.await(100, proofPatience)
			k.complete(s.Stats().Epoch, streams, 100)
		})
	}
}
