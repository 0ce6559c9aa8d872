package e2e

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"kerb/agent/store/storetest"
	"kerb/agent/uplink"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/listeners"
	"github.com/mochi-mqtt/server/v2/packets"
)

type everybody struct{ mochi.HookBase }

func (*everybody) ID() string { return "everybody" }
func (*everybody) Provides(b byte) bool {
	return b == mochi.OnConnectAuthenticate || b == mochi.OnACLCheck
}
func (*everybody) OnConnectAuthenticate(*mochi.Client, packets.Packet) bool { return true }
func (*everybody) OnACLCheck(*mochi.Client, string, bool) bool              { return true }

// serveWebSocket starts a broker that speaks MQTT over WebSocket and takes everybody, and
// returns its port.
func serveWebSocket(t *testing.T) (port int) {
	t.Helper()
	srv := mochi.New(&mochi.Options{InlineClient: true, Logger: slog.New(slog.DiscardHandler)})
	port = freePort(t)
	address := fmt.Sprintf("127.0.0.1:%d", port)
	ws := listeners.NewWebsocket(listeners.Config{ID: "ws", Address: address})
	if err := srv.AddHook(new(everybody), nil); err != nil {
		t.Fatal(err)
	}
	if err := srv.AddListener(ws); err != nil {
		t.Fatal(err)
	}
	if err := srv.Serve(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { srv.Close() })
	return port
}

func TestWindowsTravelOverAWebSocket(t *testing.T) {
	address := fmt.Sprintf("127.0.0.1:%d", serveWebSocket(t))
	s := openStore(t)
	fill(t, s, storetest.StreamNames(2), 0, 30, nil)
	u, stop := run(t, uplink.Opts{Broker: "ws://" + address + "/mqtt", Store: s})
	defer stop() // before the server, whose close would wait
	fill(t, s, storetest.StreamNames(2), 30, 40, func(int) { u.Wake() })
	settled(t, s, 20*time.Second)
	if err := u.CheckConnection(context.Background()); err != nil {
		t.Error(err)
	}
}
