package aim

import (
	"context"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// clientAt returns a client with a local address of its own, all of whose requests have a
// connection of their own.
func clientAt(host string) *http.Client {
	dial := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(host)}}
	return &http.Client{Timeout: time.Minute, Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		return dial.DialContext(ctx, network, address)
	}}}
}

// Slow connections from one address take a third of the places: an engineer at another
// address is served meanwhile. The control is the slow address itself, which is refused.
func TestSlowConnectionsOfOneAddressDoNotShutOutAnother(t *testing.T) {
	d := openSession(t, nil)
	address := strings.TrimPrefix(d.url, "http://")
	share := (connections + addressShare - 1) / addressShare
	slow := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
	for range 2 * connections {
		c, err := slow.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_, _ = c.Write([]byte("GET / HTTP/1.1\r\nHost: ")) // it is refused where there is no place
	}
	if r, err := clientAt("127.0.0.2").Get(d.url); err == nil {
		r.Body.Close()
		t.Errorf("control: the slow address has more than %d connections", share)
	}
	for n := range 6 {
		r, err := clientAt("127.0.0.1").Get(d.url)
		if err != nil {
			t.Fatalf("request %d of the engineer: %v", n, err)
		}
		r.Body.Close()
	}
}
