package uplink

import (
	"strings"
	"testing"
	"time"

	"kerb/agent/localbroker"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
)

// silent is a hook with which mochi neither acknowledges nor passes on what comes on
// topics with that part, and keeps the connection: EMQX 2 (emqx/emqx#1641) and VerneMQ
// (vernemq/vernemq#146) did so with messages that their access control denied.
type silent struct {
	mochi.HookBase
	part string
}

func (*silent) ID() string           { return "silent" }
func (*silent) Provides(b byte) bool { return b == mochi.OnPublish }
func (s *silent) OnPublish(_ *mochi.Client, p packets.Packet) (packets.Packet, error) {
	if strings.Contains(p.TopicName, s.part) {
		return p, packets.ErrRejectPacket
	}
	return p, nil
}

func TestABrokerThatDeniesWithoutAWordIsTold(t *testing.T) {
	for _, part := range []string{"/count/", "/state"} {
		b, err := localbroker.New()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { b.Close() })
		if err := b.Server.AddHook(&silent{part: part}, nil); err != nil {
			t.Fatal(err)
		}
		u := startOn(t, b.URL, Birth{Window: time.Minute, Streams: []Stream{{ID: "stream-0", Kind: "line"}}})
		if err := u.CheckConnection(t.Context()); err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%s: check -connect: %v", part, err)
		}
		ended := make(chan error)
		go func() { ended <- u.Run(t.Context()) }()
		t.Cleanup(func() { <-ended })
		for end := time.Now().Add(time.Minute); len(u.Status().ACL) == 0; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%s: not told: %+v", part, u.Status())
			}
		}
	}
}
