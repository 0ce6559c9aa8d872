package uplink

import (
	"crypto/tls"
	"errors"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

// faultKind is the way in which a connection of the broker fails after some
// messages.
type faultKind int

const (
	noFault   faultKind = iota
	cuts                // closes without acknowledging the last message
	cutsInAck           // closes in the middle of an acknowledgement
	acksAndGo           // acknowledges and closes at once
	mute                // continues reading and stops acknowledging
	stalls              // stops reading
	lies                // acknowledges packet ids that were not used, and twice
	babbles             // sends bytes that are not MQTT
	faultKinds
)

// faultyBroker is a broker that records which messages it has, and whose
// connections fail in the ways in which networks and brokers fail.
type faultyBroker struct {
	net.Listener
	mu   sync.Mutex
	rnd  *rand.Rand
	has  map[string]bool // payloads received
	only faultKind       // if not noFault, the fault of every connection
	wg   sync.WaitGroup

	config atomic.Pointer[tls.Config] // nil: no TLS
}

func newFaultyBroker(t *testing.T, only faultKind) *faultyBroker {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &faultyBroker{Listener: l, rnd: rand.New(rand.NewPCG(1, 2)), has: map[string]bool{}, only: only}
	b.wg.Go(func() {
		for {
			c, err := b.Accept()
			if err != nil {
				return
			}
			b.wg.Go(func() { b.serve(c) })
		}
	})
	t.Cleanup(func() {
		b.Close()
		b.wg.Wait()
	})
	return b
}

func (b *faultyBroker) received(payload string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.has[payload]
}

func (b *faultyBroker) serve(c net.Conn) {
	defer c.Close()
	if conf := b.config.Load(); conf != nil {
		c = tls.Server(c, conf)
	}
	b.mu.Lock()
	temper, good := faultKind(b.rnd.IntN(int(faultKinds))), b.rnd.IntN(60)
	b.mu.Unlock()
	if b.only != noFault {
		temper = b.only
	}
	for {
		p, err := packets.ReadPacket(c)
		if err != nil {
			return
		}
		switch p := p.(type) {
		case *packets.ConnectPacket:
			err = packets.NewControlPacket(packets.Connack).Write(c)
		case *packets.PublishPacket:
			if good--; good < 0 && !b.injectFault(c, temper, p) {
				return
			} else if good >= 0 {
				b.record(p)
				err = writePuback(c, p.MessageID)
			}
		case *packets.DisconnectPacket:
			return
		}
		if err != nil {
			return
		}
	}
}

func (b *faultyBroker) record(p *packets.PublishPacket) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.has[string(p.Payload)] = true
}

func writePuback(c net.Conn, id uint16) error {
	a := packets.NewControlPacket(packets.Puback).(*packets.PubackPacket)
	a.MessageID = id
	return a.Write(c)
}

// injectFault handles a message wrongly and reports whether the connection
// continues. A message that it does not record is never acknowledged.
func (b *faultyBroker) injectFault(c net.Conn, temper faultKind, p *packets.PublishPacket) bool {
	switch temper {
	case noFault:
		b.record(p)
		return writePuback(c, p.MessageID) == nil
	case cutsInAck:
		c.Write([]byte{packets.Puback << 4, 2, byte(p.MessageID >> 8)})
	case acksAndGo:
		b.record(p)
		_ = writePuback(c, p.MessageID)
	case mute:
		return true
	case stalls:
		// Until the client closes its end, which only a write detects.
		for {
			time.Sleep(10 * time.Millisecond)
			if _, err := c.Write([]byte{packets.Pingresp << 4, 0}); err != nil {
				return false
			}
		}
	case lies:
		return errors.Join(writePuback(c, p.MessageID+30000), writePuback(c, 0), writePuback(c, p.MessageID+30000)) == nil
	case babbles:
		c.Write([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0x01})
	}
	return false
}
