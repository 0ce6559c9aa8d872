package uplink

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
)

// longRun reports whether the long figures are asked for; the tests take
// seconds without.
func longRun() bool { return os.Getenv("KERB_LONG") != "" }

func TestATokenNeverSucceedsByItself(t *testing.T) {
	goal := 1000
	if longRun() {
		goal = 12000
	}
	b := newFaultyBroker(t, noFault)
	u := testUplink(t, nil)
	u.broker.Host, u.tuning = b.Addr().String(), newLinkTuning(300*time.Millisecond)
	var mu sync.Mutex
	tried, acked, connections, slowest := 0, 0, 0, time.Duration(0)
	for ; tried < goal; connections++ {
		l, err := u.connect(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for w := range maxUnacked {
			wg.Go(func() {
				for j := range 60 / maxUnacked {
					payload, begin := fmt.Sprintf("%d/%d/%d", connections, w, j), time.Now()
					err := l.publishAndWait(message{topic: "t", payload: []byte(payload)})
					mu.Lock()
					tried, slowest = tried+1, max(slowest, time.Since(begin))
					if err == nil {
						acked++
						if !b.received(payload) {
							t.Errorf("%s was acknowledged by nobody", payload)
						}
					}
					mu.Unlock()
					if err != nil {
						return // a session ends with the first error
					}
				}
			})
		}
		wg.Wait()
		l.disconnect(0)
	}
	t.Logf("%d publishes over %d connections, %d acknowledged, none falsely; slowest %s", tried, connections, acked, slowest)
	if slowest > 30*time.Second || acked == 0 || acked == tried {
		t.Errorf("%d of %d acknowledged, slowest %s", acked, tried, slowest)
	}
}

// The control: with the client's own reconnecting, tokens do succeed without a
// PUBACK, and the test above would detect that.
func TestTheClientsOwnReconnectingAcknowledgesWhatIsLost(t *testing.T) {
	b := newFaultyBroker(t, cuts)
	o := mqtt.NewClientOptions().AddBroker("tcp://" + b.Addr().String()).SetClientID("control").
		SetAutoReconnect(true).SetCleanSession(true).SetMaxReconnectInterval(10 * time.Millisecond)
	c := mqtt.NewClient(o)
	if tok := c.Connect(); !tok.WaitTimeout(10*time.Second) || tok.Error() != nil {
		t.Fatal(tok.Error())
	}
	defer c.Disconnect(100)
	for i := range 20000 {
		payload := fmt.Sprint(i)
		tok := c.Publish("t", 1, false, payload)
		if tok.WaitTimeout(50*time.Millisecond) && tok.Error() == nil && !b.received(payload) {
			return // seen
		}
	}
	t.Error("no false acknowledgement: the matrix shows nothing")
}

func TestReconnectingLeavesNoGoroutineBehind(t *testing.T) {
	reconnects := 50
	if longRun() {
		reconnects = 500
	}
	b := newFaultyBroker(t, acksAndGo)
	u := testUplink(t, nil)
	u.broker.Host = b.Addr().String()
	var counts []int
	for i := range reconnects {
		l, err := u.connect(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		for l.publishAndWait(message{topic: "t", payload: []byte("x")}) == nil {
		}
		l.disconnect(0)
		if i%10 == 9 {
			time.Sleep(20 * time.Millisecond)
			counts = append(counts, runtime.NumGoroutine())
		}
	}
	if first, last := counts[0], counts[len(counts)-1]; last > first+10 {
		t.Errorf("goroutines %v", counts)
	} else {
		t.Logf("goroutines over %d connections: %v", reconnects, counts)
	}
}
