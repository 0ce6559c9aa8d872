package uplink

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// dialWebSocket opens a WebSocket with the subprotocol mqtt (MQTT 3.1.1 §6) over a
// connection of dial, through the proxy of the environment if there is one. paho's own
// function dials by itself, which the process kerb uplink cannot.
func dialWebSocket(ctx context.Context, address string, c *tls.Config, dial func(ctx context.Context, network, address string) (net.Conn, error)) (net.Conn, error) {
	d := websocket.Dialer{
		Proxy: http.ProxyFromEnvironment, HandshakeTimeout: dialTimeout, TLSClientConfig: c,
		Subprotocols: []string{"mqtt"}, NetDialContext: dial,
	}
	ws, _, err := d.DialContext(ctx, address, nil)
	if err != nil {
		return nil, err
	}
	return &webSocketConn{Conn: ws}, nil
}

// webSocketConn is a WebSocket as a stream of bytes: MQTT packets may begin and end
// anywhere in its messages (MQTT 3.1.1 §6.0). One goroutine may read and one may write.
type webSocketConn struct {
	*websocket.Conn
	message io.Reader  // the message that is being read; nil: none
	mu      sync.Mutex // held by a write
}

// Read reads from the present message, or waits for the next.
func (c *webSocketConn) Read(b []byte) (int, error) {
	for {
		if c.message == nil {
			var err error
			if _, c.message, err = c.NextReader(); err != nil {
				return 0, err
			}
		}
		n, err := c.message.Read(b)
		if errors.Is(err, io.EOF) {
			c.message, err = nil, nil
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

// Write writes one binary message.
func (c *webSocketConn) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.WriteMessage(websocket.BinaryMessage, b); err != nil {
		return 0, err
	}
	return len(b), nil
}

// SetDeadline sets both deadlines.
func (c *webSocketConn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}
