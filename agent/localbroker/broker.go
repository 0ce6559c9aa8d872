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

// A broker inside the process, for demonstrations: on loopback, and for as
// long as the demonstration runs.
type Broker struct {
	Server *mochi.Server
	URL    string
}

func New() (*Broker, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("open the embedded broker: %w", err)
	}
	s := mochi.New(&mochi.Options{Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	err = errors.Join(s.AddHook(new(allowAll), nil), s.AddListener(listeners.NewNet("demo", l)))
	if err == nil {
		err = s.Serve()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open the embedded broker: %w", err), l.Close())
	}
	return &Broker{s, "mqtt://" + l.Addr().String()}, nil
}

func (b *Broker) Close() error { return b.Server.Close() }

// allowAll lets everyone in. The ready-made hook of that kind would bring a
// YAML parser along.
type allowAll struct{ mochi.HookBase }

func (*allowAll) ID() string { return "open-door" }

func (*allowAll) Provides(b byte) bool {
	return b == mochi.OnConnectAuthenticate || b == mochi.OnACLCheck
}

func (*allowAll) OnConnectAuthenticate(*mochi.Client, packets.Packet) bool { return true }

func (*allowAll) OnACLCheck(*mochi.Client, string, bool) bool { return true }
