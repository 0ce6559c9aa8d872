package nats

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"kerb/agent/policy"
	"kerb/agent/relay"
	"kerb/agent/store"
	"kerb/agent/store/storetest"
	"kerb/agent/uplink"
	"kerb/counting"
)

// borough is devices with spools of their own, each behind one of the balancers.
type borough struct {
	t       *testing.T
	dir     string
	brokers []string
	stores  []*store.Store
	uplinks []*uplink.Uplink
	stop    func()
}

// stream is the line of each device.
const stream = "stream-0"

// start opens all spools and starts all uplinks at once, as after a power cut.
func (b *borough) start(n int) {
	b.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	b.stores, b.uplinks = nil, nil
	for i := range n {
		s, err := store.Open(filepath.Join(b.dir, fmt.Sprint(i)), store.WallClock(func() time.Time { return storetest.FirstStart }))
		if err != nil {
			b.t.Fatal(err)
		}
		u, err := uplink.New(uplink.Opts{
			Broker: b.brokers[i%len(b.brokers)], Tenant: "acme", Site: fmt.Sprint("junction-", i/4), Device: fmt.Sprint("pi-", i), Store: s,
			Birth: uplink.Birth{
				Version: "test", Window: 15 * time.Minute, Retention: 72 * time.Hour, Clearing: policy.Demo().DescribeClearing(counting.LineStream),
				Streams: []uplink.Stream{{ID: stream, Kind: "line", Classes: []string{"person"}, Directions: []string{"a_to_b", "b_to_a"}}},
			},
			RetryMin: 30 * time.Second, RetryMax: 300 * time.Second, Spread: 2 * time.Second, Log: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			b.t.Fatal(err)
		}
		b.stores, b.uplinks = append(b.stores, s), append(b.uplinks, u)
		running.Go(func() { _ = u.Run(ctx) })
	}
	b.stop = sync.OnceFunc(func() {
		cancel()
		running.Wait()
		for _, s := range b.stores {
			_ = s.Close()
		}
	})
	b.t.Cleanup(b.stop)
}

// release stores window i of every device.
func (b *borough) release(i int) {
	b.t.Helper()
	for k, s := range b.stores {
		if _, err := s.Append(storetest.MakeWindows([]string{stream}, i)); err != nil {
			b.t.Fatal(err)
		}
		b.uplinks[k].Wake()
	}
}

// pending counts the windows that no broker has acknowledged, and online the devices
// whose windows may go.
func (b *borough) pending() (windows uint64, online int) {
	for i, s := range b.stores {
		windows += s.Stats().Pending
		if b.uplinks[i].IsOnline() {
			online++
		}
	}
	return windows, online
}

// memory returns the resident memory of a node in MB.
func (c *cluster) memory(i int) int {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.cmd[i].Process.Pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(text), "VmRSS:")
	kb, _ := strconv.Atoi(strings.Fields(rest)[0])
	return kb >> 10
}

// A borough loses its current while a cluster loses one node after another. Every window
// is in the relay's ledger at the end.
func TestABoroughAndAClusterFailInTheSameHour(t *testing.T) {
	if os.Getenv("KERB_LONG") == "" {
		t.Skip("minutes: set KERB_LONG=1, and KERB_DEVICES for another number than 2,000")
	}
	n, pace := 2000, 20*time.Second
	if v, err := strconv.Atoi(os.Getenv("KERB_DEVICES")); err == nil {
		n = v
	}
	c := startCluster(t)
	b := &borough{t: t, dir: t.TempDir()}
	for i := range nodes {
		b.brokers = append(b.brokers, "mqtt://"+newBalancer(t, c, i).Addr().String())
	}
	position := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	var relaying sync.WaitGroup
	relaying.Go(func() {
		if err := relay.Run(ctx, relay.Opts{Broker: b.brokers[0], Format: "csv", Out: t.TempDir(), Dir: position}); err != nil {
			t.Error(err)
		}
	})
	defer relaying.Wait()
	defer cancel()
	time.Sleep(2 * time.Second) // the relay's subscriptions, over the cluster
	began := time.Now()
	b.start(n)
	const windows = 12
	for i := range windows {
		switch i {
		case 2, 6, 9: // a node goes
			c.kill(map[int]int{2: 0, 6: 1, 9: 2}[i])
		case 4, 8, 11: // and comes back
			c.start(map[int]int{4: 0, 8: 1, 11: 2}[i])
			c.healthy()
		case 5: // the borough's current
			b.stop()
			b.start(n)
		}
		b.release(i)
		time.Sleep(pace)
	}
	settled := time.Now()
	for end := time.Now().Add(15 * time.Minute); ; time.Sleep(time.Second) {
		left, online := b.pending()
		if left == 0 && online == n {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("%d windows wait, %d of %d devices are online", left, online, n)
		}
	}
	t.Logf("%d devices, %d windows in %s; the last acknowledged %s after the last node was back; nodes have %d, %d and %d MB", n, n*windows,
		time.Since(began).Truncate(time.Second), time.Since(settled).Truncate(time.Second), c.memory(0), c.memory(1), c.memory(2))
	b.checkLedger(position, n, windows)
}

// checkLedger waits until the ledger has every window of every device, and nothing that
// is missing or unexplained.
func (b *borough) checkLedger(position string, n, windows int) {
	b.t.Helper()
	for end := time.Now().Add(10 * time.Minute); ; time.Sleep(2 * time.Second) {
		l, err := relay.ReadLedger(position, "")
		if err != nil {
			b.t.Fatal(err)
		}
		here, holes := 0, 0
		for _, r := range l.Rows {
			here += r.Received - r.Parts
			holes += r.Missing + r.Unexplained + len(r.Gone)
		}
		if here == n*windows && holes == 0 {
			b.t.Logf("the ledger has %d windows of %d devices, none missing", here, n)
			return
		}
		if time.Now().After(end) {
			b.t.Fatalf("the ledger has %d of %d windows and %d holes", here, n*windows, holes)
		}
	}
}
