package fleet

import (
	"context"
	"fmt"
	"math"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"kerb/agent/relay"
	spooled "kerb/test/fleet/devices"
)

// The part of a city whose windows are counted: what two busy cores carry with spools,
// broker and relay (with 9,000 the devices wait for the processor longer than for an
// acknowledgement). TestACityComesBackAfterOutagesInRealTime has all 11,000, without windows.
const (
	withSpools = 2500
	sampleSize = 500
	borough    = 2000
	streams    = 4
)

// traffic is what a broker has counted since its start.
type traffic struct{ received, sent, messages float64 }

// minus returns the difference of two counts.
func (a traffic) minus(b traffic) traffic {
	return traffic{a.received - b.received, a.sent - b.sent, a.messages - b.messages}
}

// traffic reads mosquitto's own counters, two seconds after the last message: it updates
// them once a second.
func (b *broker) traffic() (v traffic) {
	b.t.Helper()
	time.Sleep(2 * time.Second)
	c := mqtt.NewClient(mqtt.NewClientOptions().AddBroker(fmt.Sprintf("tcp://127.0.0.1:%d", b.port)).SetClientID("traffic"))
	if tok := c.Connect(); !tok.WaitTimeout(time.Minute) || tok.Error() != nil {
		b.t.Fatal(tok.Error())
	}
	defer c.Disconnect(0)
	for topic, into := range map[string]*float64{
		"bytes/received": &v.received, "bytes/sent": &v.sent, "publish/messages/received": &v.messages,
	} {
		got := make(chan string, 1)
		c.Subscribe("$SYS/broker/"+topic, 0, func(_ mqtt.Client, m mqtt.Message) {
			select {
			case got <- string(m.Payload()):
			default:
			}
		})
		select {
		case text := <-got:
			*into, _ = strconv.ParseFloat(text, 64)
		case <-time.After(time.Minute):
			b.t.Fatalf("no %s", topic)
		}
	}
	return v
}

// relayed is a broker, a relay and a fleet whose windows are counted.
type relayed struct {
	t        *testing.T
	b        *broker
	f        *spooled.Fleet
	position string
	windows  int // that the ledger must have
}

func startRelayed(t *testing.T, n int) *relayed {
	t.Helper()
	b := startBroker(t)
	c := &relayed{t: t, b: b, position: t.TempDir()}
	ctx, cancel := context.WithCancel(context.Background())
	var relaying sync.WaitGroup
	o := relay.Opts{Broker: b.url(), Format: "csv", Out: t.TempDir(), Dir: c.position, Ask: 10 * time.Second}
	relaying.Go(func() {
		if err := relay.Run(ctx, o); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { cancel(); relaying.Wait() })
	c.f = spooled.New(t, spooled.Opts{N: n, Streams: streams, Broker: b.url(), Resend: true})
	return c
}

// deliver stores window i in the devices from…to-1 and waits until the ledger has it.
func (c *relayed) deliver(what string, i, from, to int) traffic {
	c.t.Helper()
	before, began := c.b.traffic(), time.Now()
	c.f.Store(i, from, to)
	c.windows += streams * (to - from)
	d := c.f.WaitDelivered(began)
	lag := c.f.WaitLedger(c.position, c.windows)
	used := c.b.traffic().minus(before)
	c.t.Logf("%s: %d devices, %s; in the ledger %s later; the broker took %.0f messages and %.1f MB, gave %.1f MB, and has %d MB",
		what, to-from, d, lag.Round(time.Second), used.messages, used.received/1e6, used.sent/1e6, c.b.memory())
	return used
}

// near fails unless a measured value is within a tenth of the model's.
func near(t *testing.T, what string, model, measured float64) {
	t.Helper()
	t.Logf("%s: the model %.1f, measured %.1f", what, model, measured)
	if math.Abs(model-measured) > measured/10 {
		t.Errorf("%s: the model says %.1f, measured %.1f", what, model, measured)
	}
}

// 2,500 devices with four streams: power-on, a window's end, a broker that is killed while
// windows are on their way, and the power cut of a borough, half of them. The ledger is complete. What 500 of
// them need is the model for the others, and then for 11,000.
func TestACityLosesNoWindow(t *testing.T) {
	if os.Getenv("KERB_LONG") == "" {
		t.Skip("ten minutes, and 2 GB of memory: set KERB_LONG=1, and KERB_DEVICES for another number than 2,500")
	}
	n := withSpools
	if v, err := strconv.Atoi(os.Getenv("KERB_DEVICES")); err == nil {
		n = v
	}
	if n <= sampleSize {
		t.Fatalf("KERB_DEVICES=%d: must be above %d, the first part of them", n, sampleSize)
	}
	cut := min(borough, n/2)
	c := startRelayed(t, n)
	base := float64(c.b.memory())
	began := time.Now()
	c.f.PowerOn(0, sampleSize)
	t.Logf("power-on of %d: %s", sampleSize, c.f.WaitBack(0, sampleSize, began))
	small := c.deliver("a window", 0, 0, sampleSize)
	each := (float64(c.b.memory()) - base) / sampleSize

	began = time.Now()
	c.f.PowerOn(sampleSize, n)
	t.Logf("power-on of %d: %s", n-sampleSize, c.f.WaitBack(sampleSize, n, began))
	big := c.deliver("a window", 1, 0, n)
	times := float64(n) / sampleSize
	near(t, "MB to the broker at a window's end", small.received*times/1e6, big.received/1e6)
	near(t, "MB from the broker at a window's end", small.sent*times/1e6, big.sent/1e6)
	near(t, "messages at a window's end", small.messages*times, big.messages)
	t.Logf("the broker's memory: %.1f kB for each device by 500, %.1f by %d", 1024*each, 1024*(float64(c.b.memory())-base)/float64(n), n)
	day := 96 * city / float64(n)
	t.Logf("a day of %d devices with %d streams and windows of 15 minutes: %.1f M messages, %.1f GB to the broker and %.1f GB from it, %.0f messages a second in the mean",
		city, streams, big.messages*day/1e6, big.received*day/1e9, big.sent*day/1e9, big.messages*day/86400)

	c.f.Store(2, 0, n)
	c.windows += streams * n
	time.Sleep(spooled.Spread / 2) // half of the windows are on their way
	lost := time.Now()
	c.b.kill()
	time.Sleep(10 * time.Second)
	c.b.start()
	back := c.f.WaitBack(0, n, lost)
	t.Logf("broker killed, away for 10 s: %s; %s", back, c.f.WaitDelivered(lost))
	c.judge(back)
	// The broker acknowledged some windows, and had not passed them on when it was killed.
	// The next window of the stream shows the hole in the numbers, and the relay asks.
	c.deliver("the window after it", 3, 0, n)

	c.f.PowerCut(0, cut)
	c.deliver("a borough is off", 4, cut, n)
	began = time.Now()
	c.f.PowerOn(0, cut)
	back = c.f.WaitBack(0, cut, began)
	t.Logf("power cut of %d: %s", cut, back)
	c.judge(back)
	c.deliver("the borough's gaps", 4, 0, cut)
	t.Logf("the ledger has %d windows, none missing", c.windows)
}

// judge compares a comeback with the limits of a city. On a busy machine the plans are
// judged: what is made of them comes in gusts.
func (c *relayed) judge(b spooled.Back) {
	c.t.Helper()
	if b.Planned > maxRate {
		c.t.Errorf("%d connects planned in a second, want at most %d", b.Planned, maxRate)
	}
}
