package opener

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"time"

	"golang.org/x/net/http/httpproxy"
	"golang.org/x/sys/unix"

	"kerb/agent/config"
	"kerb/agent/handover"
)

// Broker opens what a connection to the broker needs, for the process that speaks to
// it and may open nothing: the TCP connection, and the files of its password and of
// TLS. It reads neither.
type Broker struct {
	conf config.Broker
	dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// NewBroker makes a Broker for the broker of site.toml.
func NewBroker(b config.Broker) *Broker {
	return &Broker{conf: b, dial: (&net.Dialer{Timeout: brokerTimeout}).DialContext}
}

// brokerTimeout is the longest that the name and the TCP connection of the broker may
// take: a part of the 15 s that package uplink gives the whole login. Chosen by hand.
const brokerTimeout = 10 * time.Second

// OpenFiles answers a request of package handover with one open file, which the caller
// closes.
func (b *Broker) OpenFiles(ctx context.Context, what byte) ([]*os.File, error) {
	if what == handover.RequestBroker {
		return b.dialBroker(ctx)
	}
	path := map[byte]string{
		handover.RequestPassword: b.conf.PasswordFile, handover.RequestAuthorities: b.conf.CAFile,
		handover.RequestCertificate: b.conf.CertFile, handover.RequestKey: b.conf.KeyFile,
	}[what]
	if path == "" {
		return nil, fmt.Errorf("asked for %q, which this broker does not need", what)
	}
	return oneFile(openPlain(path))
}

// openPlain opens a plain file for reading. It refuses a pipe, at which it would wait.
func openPlain(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(fmt.Errorf("%s: is not a plain file", path), f.Close())
	}
	return f, nil
}

// dialBroker resolves the name of the broker, or of the proxy before it, and connects
// by TCP.
func (b *Broker) dialBroker(ctx context.Context) ([]*os.File, error) {
	address, err := BrokerAddress(b.conf.URL, httpproxy.FromEnvironment())
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, brokerTimeout)
	defer cancel()
	conn, err := b.dial(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	return oneFile(conn.(*net.TCPConn).File())
}

// The ports of a URL without one.
var (
	brokerPorts = map[string]string{"mqtt": "1883", "mqtts": "8883", "ws": "80", "wss": "443"}
	proxyPorts  = map[string]string{"http": "80", "https": "443", "socks5": "1080"}
)

// BrokerAddress returns host and port to connect to for a broker's URL. For a
// WebSocket it is that of the proxy, where the environment names one for the URL
// (HTTP_PROXY, HTTPS_PROXY, NO_PROXY), as package uplink speaks to it then.
func BrokerAddress(text string, proxy *httpproxy.Config) (string, error) {
	u, err := url.Parse(text)
	if err != nil {
		return "", err
	}
	if web := map[string]string{"ws": "http", "wss": "https"}[u.Scheme]; web != "" {
		via, err := proxy.ProxyFunc()(&url.URL{Scheme: web, Host: u.Host})
		if err != nil {
			return "", fmt.Errorf("proxy: %w", err)
		}
		if via != nil {
			return hostPort(via, proxyPorts), nil
		}
	}
	return hostPort(u, brokerPorts), nil
}

// hostPort returns host and port of a URL, with the port of its scheme if it has none.
func hostPort(u *url.URL, ports map[string]string) string {
	port := u.Port()
	if port == "" {
		port = ports[u.Scheme]
	}
	return net.JoinHostPort(u.Hostname(), port)
}
