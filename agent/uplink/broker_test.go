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

// temper is how a connection of the lying broker goes wrong after a while.
type temper int

const (
	honest    temper = iota
	cuts             // closes without answering the last message
	cutsInAck        // closes in the middle of an acknowledgement
	acksAndGo        // acknowledges and closes in the same breath
	mute             // reads on, acknowledges no more
	stalls           // reads no more
	lies             // acknowledges numbers that nobody used, answers twice
	babbles          // sends what is no MQTT
	tempers
)

// liar is a broker that knows exactly which messages it has, and whose
// connections go wrong in every way that a network or a broker has.
type liar struct {
	net.Listener
	mu   sync.Mutex
	rnd  *rand.Rand
	has  map[string]bool // payloads received
	only temper          // if not honest, the temper of every connection
	wg   sync.WaitGroup

	config atomic.Pointer[tls.Config] // nil: no TLS
}

func newLiar(t *testing.T, only temper) *liar {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &liar{Listener: l, rnd: rand.New(rand.NewPCG(1, 2)), has: map[string]bool{}, only: only}
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

func (b *liar) received(payload string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.has[payload]
}

func (b *liar) serve(c net.Conn) {
	defer c.Close()
	if conf := b.config.Load(); conf != nil {
		c = tls.Server(c, conf)
	}
	b.mu.Lock()
	temper, good := temper(b.rnd.IntN(int(tempers))), b.rnd.IntN(60)
	b.mu.Unlock()
	if b.only != honest {
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
			if good--; good < 0 && !b.misbehave(c, temper, p) {
				return
			} else if good >= 0 {
				b.keep(p)
				err = ack(c, p.MessageID)
			}
		case *packets.DisconnectPacket:
			return
		}
		if err != nil {
			return
		}
	}
}

func (b *liar) keep(p *packets.PublishPacket) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.has[string(p.Payload)] = true
}

func ack(c net.Conn, id uint16) error {
	a := packets.NewControlPacket(packets.Puback).(*packets.PubackPacket)
	a.MessageID = id
	return a.Write(c)
}

// misbehave handles a message badly and says whether the connection goes on.
// What it does not keep it never acknowledges.
func (b *liar) misbehave(c net.Conn, temper temper, p *packets.PublishPacket) bool {
	switch temper {
	case honest:
		b.keep(p)
		return ack(c, p.MessageID) == nil
	case cutsInAck:
		c.Write([]byte{packets.Puback << 4, 2, byte(p.MessageID >> 8)})
	case acksAndGo:
		b.keep(p)
		_ = ack(c, p.MessageID)
	case mute:
		return true
	case stalls:
		// Until the client gives up: its end of the connection is closed then,
		// which only a write will tell.
		for {
			time.Sleep(10 * time.Millisecond)
			if _, err := c.Write([]byte{packets.Pingresp << 4, 0}); err != nil {
				return false
			}
		}
	case lies:
		return errors.Join(ack(c, p.MessageID+30000), ack(c, 0), ack(c, p.MessageID+30000)) == nil
	case babbles:
		c.Write([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0x01})
	}
	return false
}
