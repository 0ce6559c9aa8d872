package localbroker

import (
	"errors"
	"net"
	"net/url"
	"sync"
	"testing"
	"time"
)

// connectAndLeave sends CONNECT (MQTT 3.1.1, clean session, without an identifier) and
// closes the connection, until the broker takes no connection.
func connectAndLeave(address string) {
	connect := []byte{0x10, 12, 0, 4, 'M', 'Q', 'T', 'T', 4, 2, 0, 30, 0, 0}
	for {
		c, err := net.Dial("tcp", address)
		if err != nil {
			return
		}
		_, err = c.Write(connect)
		if err = errors.Join(err, c.Close()); err != nil {
			return
		}
	}
}

// A broker that is closed while clients come and go ends. With mochi's own way to close
// clients one of 300 such rounds hangs.
func TestABrokerEndsWhileClientsComeAndGo(t *testing.T) {
	for range 30 {
		b, err := New()
		if err != nil {
			t.Fatal(err)
		}
		address, err := url.Parse(b.URL)
		if err != nil {
			t.Fatal(err)
		}
		var clients sync.WaitGroup
		for range 8 {
			clients.Go(func() { connectAndLeave(address.Host) })
		}
		for b.Server.Clients.Len() < 2 {
			time.Sleep(time.Millisecond)
		}
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		clients.Wait() // each ends when the broker takes no connection
	}
}
