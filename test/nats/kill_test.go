package nats

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"kerb/agent/store"
	"kerb/agent/store/storetest"
	"kerb/agent/uplink"

	mqtt "github.com/eclipse/paho.mqtt.golang"
)

type window struct {
	Stream, Epoch string
	Seq           uint64
}

// sink keeps what a consumer with a durable session receives.
type sink struct {
	mu     sync.Mutex
	seen   map[window]json.RawMessage
	twice  int
	differ []string
	last   time.Time
	gap    time.Duration
}

func (s *sink) subscribe(t *testing.T, b *balancer) {
	t.Helper()
	o := mqtt.NewClientOptions().AddBroker("tcp://" + b.Addr().String()).
		SetClientID("sink").SetCleanSession(false).SetKeepAlive(5 * time.Second).
		SetAutoReconnect(true).SetMaxReconnectInterval(500 * time.Millisecond).
		SetConnectRetry(true).SetConnectRetryInterval(200 * time.Millisecond).
		SetOnConnectHandler(func(c mqtt.Client) {
			c.Subscribe("kerb/v1/acme/north/pi-0a1b/count/+", 1, s.take)
			c.Subscribe("kerb/v1/acme/north/pi-0a1b/backfill/+", 1, s.take)
		})
	c := mqtt.NewClient(o)
	if tok := c.Connect(); !tok.WaitTimeout(30*time.Second) || tok.Error() != nil {
		t.Fatalf("sink: %v", tok.Error())
	}
	t.Cleanup(func() { c.Disconnect(100) })
	time.Sleep(time.Second) // the subscriptions, over the cluster
}

func (s *sink) take(_ mqtt.Client, m mqtt.Message) {
	if uplink.IsProof(m.Payload()) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := time.Now(); s.last.IsZero() {
		s.last = now
	} else {
		s.gap, s.last = max(s.gap, now.Sub(s.last)), now
	}
	all := []json.RawMessage{m.Payload()}
	if strings.Contains(m.Topic(), "/backfill/") {
		if err := json.Unmarshal(m.Payload(), &all); err != nil {
			s.differ = append(s.differ, err.Error())
		}
	}
	for _, b := range all {
		var w window
		if err := json.Unmarshal(b, &w); err != nil {
			s.differ = append(s.differ, err.Error())
			continue
		}
		if old, ok := s.seen[w]; ok {
			s.twice++
			if !bytes.Equal(old, b) {
				s.differ = append(s.differ, string(b))
			}
		}
		s.seen[w] = bytes.Clone(b)
	}
}

func TestTheConnectedNodeOfAClusterIsKilledAgainAndAgain(t *testing.T) {
	kills := 2
	if os.Getenv("KERB_LONG") != "" {
		kills = 10
	}
	c := startCluster(t)
	front, back := newBalancer(t, c, 0), newBalancer(t, c, 1)
	k := &sink{seen: map[window]json.RawMessage{}}
	k.subscribe(t, back)
	s, err := store.Open(filepath.Join(t.TempDir(), "spool"), store.WallClock(func() time.Time { return storetest.FirstStart }))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	u, err := uplink.New(uplink.Opts{
		Broker: "mqtt://" + front.Addr().String(), Tenant: "acme", Site: "north", Device: "pi-0a1b", Store: s,
		Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = u.Run(ctx) })
	defer running.Wait()
	defer cancel()

	given := make(chan int)
	stop := make(chan struct{})
	go func() { // two windows of four streams a second, all the time
		n := 0
		for tick := time.NewTicker(500 * time.Millisecond); ; n++ {
			select {
			case <-stop:
				given <- n
				return
			case <-tick.C:
			}
			if _, err := s.Append(storetest.MakeWindows(storetest.StreamNames(4), n)); err != nil {
				t.Error(err)
			}
			u.Wake()
		}
	}()
	// How long the wire itself was stuck, apart from the consumer's side.
	var stuck time.Duration
	running.Go(func() {
		for empty := time.Now(); ctx.Err() == nil; time.Sleep(20 * time.Millisecond) {
			if s.Stats().Pending == 0 {
				empty = time.Now()
			}
			stuck = max(stuck, time.Since(empty))
		}
	})
	time.Sleep(3 * time.Second)
	for range kills {
		node := front.connected()
		c.kill(node)
		t.Log(time.Now().UTC().Format("15:04:05.000"), "killed node", node)
		time.Sleep(8 * time.Second)
		c.start(node)
		c.healthy()
		time.Sleep(2 * time.Second)
	}
	close(stop)
	n := <-given
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		k.mu.Lock()
		done := len(k.seen) == 4*n
		k.mu.Unlock()
		if done {
			break
		}
	}
	cancel()
	running.Wait()
	k.mu.Lock()
	defer k.mu.Unlock()
	t.Logf("%d kills, %d windows of %d arrived, %d doubles, longest gap %s, of it %s until acknowledged", kills, len(k.seen),
		4*n, k.twice, k.gap.Round(time.Millisecond), stuck.Round(time.Millisecond))
	if len(k.seen) != 4*n || len(k.differ) > 0 {
		t.Errorf("%d windows lost, doubles that differ: %v", 4*n-len(k.seen), k.differ)
	}
	if k.gap > 15*time.Second {
		t.Errorf("nothing arrived for %s", k.gap)
	}
}
