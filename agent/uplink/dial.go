package uplink

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"sync/atomic"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	"github.com/eclipse/paho.mqtt.golang/packets"
)

// TLS is how the broker is known, and how it knows the device.
type TLS struct {
	CAFile            string // PEM; only these may vouch for the broker. "": the system's
	CertFile, KeyFile string // PEM; of the device, for mutual TLS. "": none
	ServerName        string // "": the broker's host name
	ALPN              []string
	// Floor is a time that is past for sure, such as that of the build. A
	// device that starts in 1970 checks certificates against it.
	Floor time.Time
}

// config reads the files anew for every connection, so that certificates can
// be renewed under a running agent.
func (t TLS) config(host string) (*tls.Config, error) {
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
		pem, err := os.ReadFile(t.CAFile)
		if err != nil {
			return nil, fmt.Errorf("broker's CA: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("broker's CA: no certificate in %s", t.CAFile)
		}
	}
	if t.CertFile != "" || t.KeyFile != "" {
		pair, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("device's certificate: %w", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

const (
	dialTimeout  = 15 * time.Second // name, TCP, TLS, WebSocket and CONNACK
	writeTimeout = 5 * time.Second
	ackTimeout   = 10 * time.Second // of one message, to begin with
	ackLimit     = 30 * time.Second // of one message, on the slowest link
	keepAlive    = 30 * time.Second
	pingTimeout  = 10 * time.Second
)

var errNoAck = errors.New("no acknowledgement")

// link is one connection.
type link struct {
	client mqtt.Client
	wait   time.Duration            // for an acknowledgement
	conn   atomic.Pointer[net.Conn] // to cut what no longer answers
	lost   chan error
}

func (u *Uplink) connect(ctx context.Context) (*link, error) {
	return u.connectAs(ctx, u.o.ClientID)
}

func (u *Uplink) connectAs(ctx context.Context, id string) (*link, error) {
	l := &link{wait: u.tempo.patience, lost: make(chan error, 1)}
	var refused error // of the socket, before paho wraps it
	o := mqtt.NewClientOptions().
		SetClientID(id).
		SetUsername(u.o.User).
		SetProtocolVersion(4).
		SetCleanSession(true).SetAutoReconnect(false).SetConnectRetry(false).
		SetConnectTimeout(dialTimeout).SetWriteTimeout(min(writeTimeout, u.tempo.patience)).
		SetKeepAlive(keepAlive).SetPingTimeout(pingTimeout).
		SetOrderMatters(false).
		SetBinaryWill(u.base+"state", u.lastWill(), 1, true).
		SetConnectionLostHandler(func(_ mqtt.Client, err error) { l.lost <- err }).
		SetCustomOpenConnectionFn(func(b *url.URL, _ mqtt.ClientOptions) (net.Conn, error) {
			conn, err := u.dial(ctx, b)
			if refused = err; err == nil {
				l.conn.Store(&conn)
			}
			return conn, err
		})
	o.AddBroker(u.broker.String())
	if u.o.PasswordFile != "" {
		p, err := os.ReadFile(u.o.PasswordFile)
		if err != nil {
			return nil, fmt.Errorf("broker's password: %w", err)
		}
		o.SetPassword(string(bytes.TrimRight(p, "\r\n")))
	}
	l.client = mqtt.NewClient(o)
	stop := context.AfterFunc(ctx, l.cut)
	defer stop()
	t := l.client.Connect()
	if !t.WaitTimeout(dialTimeout + writeTimeout) {
		l.hangUp(0)
		return nil, fmt.Errorf("connect to %s: no answer", u.broker.Host)
	}
	if err := t.Error(); err != nil {
		l.hangUp(0)
		if refused != nil {
			err = refused
		}
		return nil, explain(u.broker.Host, err)
	}
	return l, nil
}

// explain turns paho's errors into one line.
func explain(host string, err error) error {
	for _, code := range []byte{
		packets.ErrRefusedIDRejected, packets.ErrRefusedBadUsernameOrPassword, packets.ErrRefusedNotAuthorised,
	} {
		if errors.Is(err, packets.ConnErrors[code]) {
			return fmt.Errorf("%s: %w: %w", host, ErrRefused, err)
		}
	}
	return fmt.Errorf("connect to %s: %w", host, err)
}

func (u *Uplink) dial(ctx context.Context, b *url.URL) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	var c *tls.Config
	if b.Scheme == "mqtts" || b.Scheme == "wss" {
		var err error
		if c, err = u.o.TLS.config(b.Hostname()); err != nil {
			return nil, err
		}
	}
	switch b.Scheme {
	case "ws", "wss":
		return mqtt.NewWebsocket(b.String(), c, dialTimeout, http.Header{}, nil)
	case "mqtts":
		return (&tls.Dialer{Config: c}).DialContext(ctx, "tcp", b.Host)
	default:
		return (&net.Dialer{}).DialContext(ctx, "tcp", b.Host)
	}
}

// publish sends one message and waits for its acknowledgement, as long as
// the tempo allows. nil means: the broker has it.
func (l *link) publish(m message) error {
	t := l.client.Publish(m.topic, 1, m.retained, m.payload)
	switch {
	case !t.WaitTimeout(l.wait):
		return errNoAck
	case t.Error() != nil:
		return t.Error()
	case !l.client.IsConnectionOpen():
		// paho ends some tokens without error when it shuts down. Rather once
		// more than not at all.
		return errors.New("connection lost at the acknowledgement")
	}
	return nil
}

// cut closes the socket under the client: everything that waits on it ends.
func (l *link) cut() {
	if c := l.conn.Load(); c != nil {
		(*c).Close()
	}
}

// hangUp ends the connection, after a goodbye if wait is not 0.
func (l *link) hangUp(wait time.Duration) {
	if wait == 0 {
		l.cut()
	}
	l.client.Disconnect(uint(wait.Milliseconds()))
	l.cut()
}
