package uplink

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	"github.com/eclipse/paho.mqtt.golang/packets"
)

// TLS configures how the broker is authenticated, and the device to the broker.
type TLS struct {
	CAFile            string // PEM; the only authorities accepted for the broker. "": the system's
	CertFile, KeyFile string // PEM; the device's, for mutual TLS. "": none
	ServerName        string // "": the broker's host name
	ALPN              []string
	// Floor is a time that is certainly over, such as that of the build. While
	// the clock shows less (a device that starts in 1970), certificates are
	// checked against Floor.
	Floor time.Time
}

// clientConfig reads the files and returns the configuration of one connection,
// TLS 1.2 or later. It is called for every connection, so that certificates can
// be renewed while the agent runs.
func (t TLS) clientConfig(host string, readFile func(string) ([]byte, error)) (*tls.Config, error) {
	c := &tls.Config{
		MinVersion: tls.VersionTLS12, ServerName: t.ServerName, NextProtos: t.ALPN,
		Time: func() time.Time {
			if now := time.Now(); now.After(t.Floor) {
				return now
			}
			return t.Floor
		},
	}
	if c.ServerName == "" {
		c.ServerName = host
	}
	if t.CAFile != "" {
		pem, err := readFile(t.CAFile)
		if err != nil {
			return nil, fmt.Errorf("broker's CA: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("broker's CA: no certificate in %s", t.CAFile)
		}
	}
	if t.CertFile != "" || t.KeyFile != "" {
		cert, err := readFile(t.CertFile)
		key, keyErr := readFile(t.KeyFile)
		if err = errors.Join(err, keyErr); err != nil {
			return nil, fmt.Errorf("device's certificate: %w", err)
		}
		pair, err := tls.X509KeyPair(cert, key)
		if err != nil {
			return nil, fmt.Errorf("device's certificate: %w", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

const (
	dialTimeout   = 15 * time.Second // name, TCP, TLS, WebSocket and CONNACK
	writeTimeout  = 5 * time.Second
	ackTimeout    = 10 * time.Second // of one message, before any was missed
	maxAckTimeout = 30 * time.Second // of one message, on the slowest link
	keepAlive     = 30 * time.Second
	pingTimeout   = 10 * time.Second
)

var errNoAck = errors.New("no acknowledgement")

// link is one MQTT connection and the socket under it.
type link struct {
	client  mqtt.Client
	ackWait time.Duration            // timeout of an acknowledgement
	conn    atomic.Pointer[net.Conn] // closed directly when the client does not answer
	lost    chan error

	echoes   echoes
	received chan received // messages on own topics that this connection did not publish
	subsMu   sync.Mutex
	subs     map[string]error               // by topic: the result of its subscription
	handlers map[string]mqtt.MessageHandler // of topics that hear does not handle
	closed   chan struct{}                  // closed by disconnect, and when the connection is lost
	closing  sync.Once
	kept     chan struct{} // closed by the first retained message: the broker keeps some
	keeping  sync.Once
}

// newLink returns a link without a client.
func newLink(ackWait time.Duration) *link {
	return &link{
		ackWait: ackWait, lost: make(chan error, 1), received: make(chan received, maxReceived),
		subs: map[string]error{}, handlers: map[string]mqtt.MessageHandler{}, closed: make(chan struct{}), kept: make(chan struct{}),
	}
}

// connect connects under the configured client id, with the Last Will set.
func (u *Uplink) connect(ctx context.Context) (*link, error) {
	u.connections++
	return u.connectAs(ctx, u.o.ClientID, u.encodeLastWill(u.connections))
}

// connectAs makes a new client and waits for its CONNACK. A nil will sets none. The
// error is one line; it wraps ErrRefused when the broker refused the client.
func (u *Uplink) connectAs(ctx context.Context, id string, will []byte) (*link, error) {
	l := newLink(u.tuning.timeout)
	var dialErr error // of the socket; paho wraps it in a text of its own
	var connackCode atomic.Uint32
	o := mqtt.NewClientOptions().
		SetClientID(id).
		SetUsername(u.o.User).
		SetProtocolVersion(4).
		SetCleanSession(true).SetAutoReconnect(false).SetConnectRetry(false).
		SetConnectTimeout(dialTimeout).SetWriteTimeout(min(writeTimeout, u.tuning.timeout)).
		SetKeepAlive(keepAlive).SetPingTimeout(pingTimeout).
		SetOrderMatters(false).
		SetConnectionLostHandler(func(_ mqtt.Client, err error) {
			l.lost <- err
			l.closing.Do(func() { close(l.closed) })
		}).
		SetCustomOpenConnectionFn(func(b *url.URL, _ mqtt.ClientOptions) (net.Conn, error) {
			conn, err := u.dialBroker(ctx, b)
			if dialErr = err; err != nil {
				return nil, err
			}
			l.conn.Store(&conn)
			return &connackConn{Conn: conn, code: &connackCode}, nil
		})
	o.AddBroker(u.broker.String())
	if will != nil {
		o.SetBinaryWill(u.base+"state", will, 1, true)
	}
	if u.o.PasswordFile != "" {
		p, err := u.o.ReadFile(u.o.PasswordFile)
		if err != nil {
			return nil, fmt.Errorf("broker's password: %w", err)
		}
		o.SetPassword(string(bytes.TrimRight(p, "\r\n")))
	}
	l.client = mqtt.NewClient(o)
	stop := context.AfterFunc(ctx, l.closeSocket)
	defer stop()
	t := l.client.Connect()
	if !t.WaitTimeout(dialTimeout + writeTimeout) {
		l.disconnect(0)
		return nil, fmt.Errorf("connect to %s: no answer", u.broker.Host)
	}
	err := t.Error()
	if code := connackCode.Load(); err == nil && code > packets.ErrRefusedNotAuthorised {
		// A reason of MQTT 5: paho has no error for it, and goes on.
		err = packets.ConnErrors[packets.ErrRefusedBadProtocolVersion]
	}
	if err != nil {
		l.disconnect(0)
		if dialErr != nil {
			err = dialErr
		}
		return nil, wrapConnectError(u.broker.Host, err)
	}
	return l, nil
}

// connackConn is a connection that keeps the return code of the CONNACK, the fourth
// byte that the broker sends (MQTT 3.1.1 §3.2).
type connackConn struct {
	net.Conn
	code *atomic.Uint32
	read int // bytes so far; for the one goroutine that reads
}

func (c *connackConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if at := connackAt - c.read; at >= 0 && at < n {
		c.code.Store(uint32(b[at]))
	}
	c.read += n
	return n, err
}

// connackAt is the place of the return code in a CONNACK.
const connackAt = 3

// wrapConnectError makes one line of paho's error and wraps ErrRefused where the
// broker refused.
func wrapConnectError(host string, err error) error {
	for _, code := range []byte{
		packets.ErrRefusedIDRejected, packets.ErrRefusedBadUsernameOrPassword, packets.ErrRefusedNotAuthorised,
	} {
		if errors.Is(err, packets.ConnErrors[code]) {
			return fmt.Errorf("%s: %w: %w", host, ErrRefused, err)
		}
	}
	return fmt.Errorf("connect to %s: %w", host, plainCause(err))
}

// dialBroker opens the TCP, TLS or WebSocket connection that the URL asks for.
func (u *Uplink) dialBroker(ctx context.Context, b *url.URL) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	var c *tls.Config
	if b.Scheme == "mqtts" || b.Scheme == "wss" {
		var err error
		if c, err = u.o.TLS.clientConfig(b.Hostname(), u.o.ReadFile); err != nil {
			return nil, err
		}
		u.keepCertificateEnd(c)
	}
	switch b.Scheme {
	case "ws", "wss":
		return dialWebSocket(ctx, b.String(), c, u.o.Dial)
	case "mqtts":
		return u.dialTLS(ctx, b.Host, c)
	default:
		return u.o.Dial(ctx, "tcp", b.Host)
	}
}

// keepCertificateEnd keeps when the device's certificate ends, for the state message.
func (u *Uplink) keepCertificateEnd(c *tls.Config) {
	for _, pair := range c.Certificates {
		if leaf, err := x509.ParseCertificate(pair.Certificate[0]); err == nil {
			u.certificateEnd.Store(&leaf.NotAfter)
		}
	}
}

// dialTLS opens a TCP connection and makes the TLS handshake.
func (u *Uplink) dialTLS(ctx context.Context, host string, c *tls.Config) (net.Conn, error) {
	conn, err := u.o.Dial(ctx, "tcp", host)
	if err != nil {
		return nil, err
	}
	secure := tls.Client(conn, c)
	if err := secure.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, err
	}
	return secure, nil
}

// publishAndWait publishes one message at QoS 1 and waits for its PUBACK until
// the timeout. nil means that the broker has it.
func (l *link) publishAndWait(m message) error { return l.awaitAck(l.publish(m)) }

// publish publishes one message at QoS 1.
func (l *link) publish(m message) mqtt.Token {
	return l.client.Publish(m.topic, 1, m.retained, m.payload)
}

// awaitAck waits for the PUBACK of a message. After the timeout it returns errNoAck.
func (l *link) awaitAck(t mqtt.Token) error {
	switch {
	case !t.WaitTimeout(l.ackWait):
		return errNoAck
	case t.Error() != nil:
		return t.Error()
	case !l.client.IsConnectionOpen():
		// paho completes some tokens without error when it shuts down. The
		// message is sent again: twice is better than not at all.
		return errors.New("connection lost at the acknowledgement")
	}
	return nil
}

// closeSocket closes the socket under the client, which ends all its waiting
// calls.
func (l *link) closeSocket() {
	if c := l.conn.Load(); c != nil {
		(*c).Close()
	}
}

// disconnect ends the connection. With a wait it sends DISCONNECT first, so
// that the broker does not publish the Last Will.
func (l *link) disconnect(wait time.Duration) {
	l.closing.Do(func() { close(l.closed) })
	if wait == 0 {
		l.closeSocket()
	}
	l.client.Disconnect(uint(wait.Milliseconds()))
	l.closeSocket()
}
