package uplink

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kerb/agent/localbroker"
	"kerb/agent/store"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
)

// forgetful is a hook with which mochi passes retained messages on and keeps none, as
// EMQX does without its retainer.
type forgetful struct{ mochi.HookBase }

func (*forgetful) ID() string           { return "forgetful" }
func (*forgetful) Provides(b byte) bool { return b == mochi.OnPublish }
func (*forgetful) OnPublish(_ *mochi.Client, p packets.Packet) (packets.Packet, error) {
	p.FixedHeader.Retain = false
	return p, nil
}

// startRetaining starts a broker, and an uplink for it that does not run yet.
func startRetaining(t *testing.T, keeps bool) *Uplink {
	t.Helper()
	b, err := localbroker.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	if !keeps {
		if err := b.Server.AddHook(new(forgetful), nil); err != nil {
			t.Fatal(err)
		}
	}
	return startOn(t, b.URL, Birth{})
}

// startOn makes an uplink that does not run yet, and does not wait long.
func startOn(t *testing.T, url string, birth Birth) *Uplink {
	t.Helper()
	s, err := store.Open(filepath.Join(t.TempDir(), "spool"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	u, err := New(Opts{Broker: url, Tenant: "acme", Site: "north", Device: "pi-0a1b", Store: s, Birth: birth, AckTimeout: 2 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestWhetherABrokerKeepsTheStateIsFoundOut(t *testing.T) {
	for _, keeps := range []bool{true, false} {
		u := startRetaining(t, keeps)
		l, err := u.connect(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer l.disconnect(0)
		m := message{topic: u.base + "state", retained: true, payload: []byte("{}")}
		if err := l.deliver(m); err != nil {
			t.Fatal(err)
		}
		if !keeps {
			l.ackWait = time.Second // nothing comes
		}
		if kept, err := l.provesKept(m.topic); err != nil || kept != keeps {
			t.Errorf("kept %v, %v, want %v", kept, err, keeps)
		}
		if err := u.CheckConnection(t.Context()); (err == nil) != keeps || err != nil && !strings.Contains(err.Error(), "does not keep") {
			t.Errorf("check -connect: %v, keeps %v", err, keeps)
		}
	}
}

func TestABrokerThatKeepsNoRetainedMessageIsTold(t *testing.T) {
	u := startRetaining(t, false)
	ended := make(chan error)
	go func() { ended <- u.Run(t.Context()) }()
	t.Cleanup(func() { <-ended })
	for end := time.Now().Add(time.Minute); !u.Status().NoRetain; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not told: %+v", u.Status())
		}
	}
	if !u.IsOnline() {
		t.Error("windows wait for it")
	}
}
