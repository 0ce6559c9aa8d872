// Package localbroker runs an MQTT broker inside the process, on a free port of
// 127.0.0.1, for kerb demo, kerb prove and tests. Its Printer listens at any broker and
// prints what kerb demo publishes.
//
// The broker accepts every client, topic and message, and keeps neither files nor a
// log. It refuses connections from other machines, as it listens on the loopback
// interface alone.
package localbroker

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/listeners"
	"github.com/mochi-mqtt/server/v2/packets"
)

// A Broker is a running broker. Hooks on Server see every message.
type Broker struct {
	Server *mochi.Server
	URL    string // its address, such as mqtt://127.0.0.1:41234
}

// New starts a broker, which accepts connections when New returns. The caller must
// Close it.
func New() (*Broker, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("open the embedded broker: %w", err)
	}
	s := mochi.New(&mochi.Options{Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	err = errors.Join(s.AddHook(new(allowAll), nil), s.AddListener(listener{listeners.NewNet("demo", l), l, s}))
	if err == nil {
		err = s.Serve()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open the embedded broker: %w", err), l.Close())
	}
	return &Broker{s, "mqtt://" + l.Addr().String()}, nil
}

// Close disconnects all clients and ends the broker.
func (b *Broker) Close() error { return b.Server.Close() }

// listener is mochi's, but for the way in which it closes clients: mochi 2.7.9 takes the
// lock of its clients twice for that (Clients.GetByListener), and waits for ever if a client
// goes in between.
type listener struct {
	*listeners.Net
	socket net.Listener
	server *mochi.Server
}

// Close takes no further client, disconnects those that are there, and closes the listener.
func (l listener) Close(listeners.CloseFn) {
	_ = l.socket.Close() // Net closes it again, and ignores the error
	l.Net.Close(func(string) {
		for _, c := range l.server.Clients.GetAll() {
			if !c.Closed() {
				_ = l.server.DisconnectClient(c, packets.ErrServerShuttingDown)
			}
		}
	})
}

// allowAll is a hook that accepts every client and every topic. mochi's own hook for
// that, hooks/auth, would add a YAML parser to the binary.
type allowAll struct{ mochi.HookBase }

// ID returns the name of the hook.
func (*allowAll) ID() string { return "open-door" }

// Provides reports whether the hook handles the event b.
func (*allowAll) Provides(b byte) bool {
	return b == mochi.OnConnectAuthenticate || b == mochi.OnACLCheck
}

// OnConnectAuthenticate accepts every client.
func (*allowAll) OnConnectAuthenticate(*mochi.Client, packets.Packet) bool { return true }

// OnACLCheck accepts every topic.
func (*allowAll) OnACLCheck(*mochi.Client, string, bool) bool { return true }
