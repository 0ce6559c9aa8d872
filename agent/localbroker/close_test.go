package localbroker

import (
	"errors"
	"io"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
)

// connect sends CONNECT (MQTT 3.1.1, clean session, without an identifier) and waits for CONNACK.
func connect(t *testing.T, address string) net.Conn {
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Write([]byte{0x10, 12, 0, 4, 'M', 'Q', 'T', 'T', 4, 2, 0, 30, 0, 0})
	_, err2 := io.ReadFull(c, make([]byte, 4))
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	return c
}

// A broker that is closed while its clients leave ends: the list of clients changes all the
// time. With mochi's own way to close clients one of 3,000 such rounds hung.
func TestABrokerEndsWhileItsClientsLeave(t *testing.T) {
	for range 20 {
		b, err := New()
		if err != nil {
			t.Fatal(err)
		}
		address, err := url.Parse(b.URL)
		if err != nil {
			t.Fatal(err)
		}
		for range 4 {
			defer connect(t, address.Host).Close()
		}
		var leaving sync.WaitGroup
		var ended atomic.Bool
		for range 4 {
			leaving.Go(func() {
				for !ended.Load() {
					b.Server.Clients.Delete("one that leaves")
				}
			})
		}
		err = b.Close()
		ended.Store(true)
		leaving.Wait()
		if err != nil {
			t.Fatal(err)
		}
		if c, err := net.Dial("tcp", address.Host); err == nil {
			t.Error("a broker that has ended takes a client")
			c.Close()
		}
	}
}
