package nats

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"kerb/agent/relay"
	"kerb/test/fleet/devices"
)

// dial returns how device i connects: to the first node that answers, from one of its own
// on, as behind a load balancer.
func (c *cluster) dial(i int) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, _ string) (conn net.Conn, err error) {
		for k := range nodes {
			if conn, err = (&net.Dialer{}).DialContext(ctx, network, fmt.Sprintf("127.0.0.1:%d", c.mqtt[(i+k)%nodes])); err == nil {
				return conn, nil
			}
		}
		return nil, err
	}
}

// memory returns the resident memory of the nodes in MB.
func (c *cluster) memory() (all [nodes]int) {
	for i := range nodes {
		all[i] = devices.Memory(c.cmd[i].Process.Pid)
	}
	return all
}

// numberOf returns KERB_DEVICES, or n without it.
func numberOf(n int) int {
	if v, err := strconv.Atoi(os.Getenv("KERB_DEVICES")); err == nil {
		return v
	}
	return n
}

// startRelay starts a relay behind a balancer, and returns its position.
func startRelay(t *testing.T, c *cluster) (position string) {
	t.Helper()
	position = t.TempDir()
	ctx, cancel := context.WithCancel(context.Background())
	var relaying sync.WaitGroup
	o := relay.Opts{Broker: "mqtt://" + newBalancer(t, c, 0).Addr().String(), Format: "csv", Out: t.TempDir(), Dir: position, Ask: 10 * time.Second}
	relaying.Go(func() {
		if err := relay.Run(ctx, o); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { cancel(); relaying.Wait() })
	time.Sleep(2 * time.Second) // the relay's subscriptions, over the cluster
	return position
}

// A borough loses its current while a cluster loses one node after another. Every window
// is in the relay's ledger at the end.
func TestABoroughAndAClusterFailInTheSameHour(t *testing.T) {
	if os.Getenv("KERB_LONG") == "" {
		t.Skip("minutes: set KERB_LONG=1, and KERB_DEVICES for another number than 2,000")
	}
	const windows, pace = 12, 20 * time.Second
	n := numberOf(2000)
	c := startCluster(t)
	position := startRelay(t, c)
	f := devices.New(t, devices.Opts{N: n, Streams: 1, Broker: "mqtt://cluster.example", Dial: c.dial, Resend: true})
	t.Logf("without devices: %d MB", c.memory())
	began := time.Now()
	f.PowerOn(0, n)
	t.Logf("power-on of %d: %s; %d MB", n, f.WaitBack(0, n, began), c.memory())
	hour := time.Now()
	for i := range windows {
		switch i {
		case 2, 6, 9: // a node goes
			c.kill(map[int]int{2: 0, 6: 1, 9: 2}[i])
		case 4, 8, 11: // and comes back
			c.start(map[int]int{4: 0, 8: 1, 11: 2}[i])
			c.healthy()
		case 5: // the borough's current
			f.PowerCut(0, n)
			f.PowerOn(0, n)
		}
		f.Store(i, 0, n)
		time.Sleep(pace)
	}
	settled := time.Now()
	back := f.WaitBack(0, n, began)
	d := f.WaitDelivered(settled)
	t.Logf("%d windows in %s; the last acknowledged %s after the last node was back; all back: %s; %d MB", n*windows,
		time.Since(hour).Truncate(time.Second), d.Last.Truncate(time.Second), back, c.memory())
	lag := f.WaitLedger(position, n*windows)
	t.Logf("the ledger has %d windows of %d devices, none missing, %s later", n*windows, n, lag.Truncate(time.Second))
}

// Each node is killed once, for ten seconds, while devices deliver: how they come back, and
// how fast the windows of four streams then go.
func TestAClusterIsKilledNodeByNode(t *testing.T) {
	if os.Getenv("KERB_LONG") == "" {
		t.Skip("minutes: set KERB_LONG=1, and KERB_DEVICES for another number than 1,000")
	}
	const streams = 4
	n := numberOf(1000)
	c := startCluster(t)
	position := startRelay(t, c)
	f := devices.New(t, devices.Opts{N: n, Streams: streams, Broker: "mqtt://cluster.example", Dial: c.dial, Resend: true})
	began := time.Now()
	f.PowerOn(0, n)
	back := f.WaitBack(0, n, began)
	t.Logf("power-on of %d: %s; %d MB", n, back, c.memory())
	for i := range nodes {
		lost := time.Now()
		f.Store(i, 0, n)
		time.Sleep(devices.Spread / 2) // half of the windows are on their way
		c.kill(i)
		time.Sleep(10 * time.Second)
		c.start(i)
		c.healthy()
		f.WaitBack(0, n, began)
		back := time.Since(lost)
		d := f.WaitDelivered(lost)
		lag := f.WaitLedger(position, streams*n*(i+1))
		t.Logf("node %d away for 10 s: all back after %s; %s; in the ledger %s later; %d MB", i, back.Truncate(time.Second), d, lag.Truncate(time.Second), c.memory())
		if back > devices.RetryMax {
			t.Errorf("node %d: all back after %s, want at most %s", i, back, devices.RetryMax)
		}
	}
}
