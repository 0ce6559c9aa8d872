// Package fleet runs many uplinks against one mosquitto: how 11,000 come back after an
// outage, and how the windows of 500 reach a consumer that is slower than they are.
package fleet

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"kerb/agent/store"
	"kerb/agent/store/storetest"
	"kerb/agent/uplink"
	spooled "kerb/test/fleet/devices"
)

const (
	devices = 500
	scale   = 22              // times devices: those of a city
	city    = scale * devices // 11,000
	maxRate = 500             // connects a second that a city's broker must bear, with TLS
	// binsOfRetry is the number of parts of RetryMin in which attempts of 500 devices are
	// counted: in bins of a second, chance alone would exceed the limit. The
	// mean of a quarter is 125 devices, and the limit lies 4.6 standard deviations above.
	binsOfRetry = 4
	patience    = 10 * time.Minute
)

// broker is a mosquitto that can be killed and started again.
type broker struct {
	t    *testing.T
	dir  string // of its configuration and its log
	port int
	cmd  *exec.Cmd
}

func startBroker(t *testing.T) *broker {
	t.Helper()
	if _, err := exec.LookPath("mosquitto"); err != nil {
		if _, err := os.Stat("/usr/sbin/mosquitto"); err != nil {
			t.Skip("no mosquitto: install the package mosquitto")
		}
	}
	b := &broker{t: t, dir: t.TempDir()}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b.port = l.Addr().(*net.TCPAddr).Port
	l.Close()
	// max_queued_messages stays at mosquitto's default, 1,000.
	conf := fmt.Appendf(nil, "user root\nlistener %d 127.0.0.1\nallow_anonymous true\nsys_interval 1\nlog_type notice\nlog_dest file %s\n", b.port, b.log())
	if err := os.WriteFile(b.conf(), conf, 0o600); err != nil {
		t.Fatal(err)
	}
	b.start()
	t.Cleanup(b.kill)
	return b
}

func (b *broker) conf() string { return filepath.Join(b.dir, "conf") }
func (b *broker) log() string  { return filepath.Join(b.dir, "log") }
func (b *broker) url() string  { return fmt.Sprintf("mqtt://127.0.0.1:%d", b.port) }

// logins returns how many clients the broker's log tells since from, and the most of
// them in one second of its clock.
func (b *broker) logins(from time.Time) (all, most int) {
	b.t.Helper()
	text, err := os.ReadFile(b.log())
	if err != nil {
		b.t.Fatal(err)
	}
	seconds := map[string]int{}
	for l := range strings.Lines(string(text)) {
		second, what, _ := strings.Cut(l, ": ")
		if at, err := strconv.ParseInt(second, 10, 64); err == nil && at >= from.Unix() && strings.HasPrefix(what, "New client connected") {
			seconds[second]++
			all, most = all+1, max(most, seconds[second])
		}
	}
	return all, most
}

// memory returns the resident memory of the broker in MB.
func (b *broker) memory() int { return spooled.Memory(b.cmd.Process.Pid) }

func (b *broker) start() {
	b.t.Helper()
	bin, err := exec.LookPath("mosquitto")
	if err != nil {
		bin = "/usr/sbin/mosquitto"
	}
	b.cmd = exec.Command(bin, "-c", b.conf())
	if err := b.cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	wait(b.t, "mosquitto", func() bool {
		c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", b.port))
		if err == nil {
			c.Close()
		}
		return err == nil
	})
}

func (b *broker) kill() {
	_ = b.cmd.Process.Kill()
	_ = b.cmd.Wait()
}

// fleet is the uplinks and their spools.
type fleet struct {
	uplinks []*uplink.Uplink
	stores  []*store.Store
}

// startFleet starts 500 uplinks with these options, each with its own spool.
func startFleet(t *testing.T, url string, o uplink.Opts) *fleet {
	t.Helper()
	f := &fleet{}
	dir := memoryDir(t)
	for i := range devices {
		f.stores = append(f.stores, openStore(t, filepath.Join(dir, fmt.Sprint(i))))
	}
	f.start(t, url, o, devices)
	return f
}

// startCity starts 11,000 uplinks with these options. They have one spool among them,
// which is empty: 11,000 files would say more of this machine than of the uplinks.
func startCity(t *testing.T, url string, o uplink.Opts) *fleet {
	t.Helper()
	f := &fleet{stores: []*store.Store{openStore(t, filepath.Join(memoryDir(t), "spool"))}}
	for _, n := range f.stores[0].PendingNotes() {
		f.stores[0].RemoveNote(n)
	}
	f.start(t, url, o, city)
	return f
}

// memoryDir returns a folder in memory, where there is one: many spools that sync.
func memoryDir(t *testing.T) string {
	dir, err := os.MkdirTemp("/dev/shm", "kerb-fleet-")
	if err != nil {
		dir = t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func openStore(t *testing.T, path string) *store.Store {
	t.Helper()
	s, err := store.Open(path, store.WallClock(func() time.Time { return storetest.FirstStart }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// start starts n uplinks, which share the spools. They end before the spools close.
func (f *fleet) start(t *testing.T, url string, o uplink.Opts, n int) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	t.Cleanup(func() {
		cancel()
		running.Wait()
	})
	for i := range n {
		o.Broker, o.Store = url, f.stores[i%len(f.stores)]
		o.Tenant, o.Site, o.Device = "acme", "north", fmt.Sprintf("pi-%05d", i)
		u, err := uplink.New(o)
		if err != nil {
			t.Fatal(err)
		}
		f.uplinks = append(f.uplinks, u)
		running.Go(func() { _ = u.Run(ctx) })
	}
}

// online returns the number of uplinks that may send windows.
func (f *fleet) online() (n int) {
	for _, u := range f.uplinks {
		if u.IsOnline() {
			n++
		}
	}
	return n
}

func wait(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited %s for %s", patience, what)
		}
	}
}

// limit is the largest number of attempts of this fleet in a bin of RetryMin, where
// RetryMin stands for 30 s.
const limit = maxRate * 30 / binsOfRetry / scale

// Each device plans its next connection by itself, at random. The plans are compared,
// not the connections, so that a busy machine does not change the result.
func TestAFleetComesBackSpreadOverItsRetryTime(t *testing.T) {
	b := startBroker(t)
	const retryMin = 6 * time.Second
	f := startFleet(t, b.url(), uplink.Opts{RetryMin: retryMin, RetryMax: 10 * retryMin})
	wait(t, "the fleet", func() bool { return f.online() == devices })
	b.kill()
	lost := time.Now()
	plans := make([]time.Time, devices)
	wait(t, "the plans", func() bool {
		for i, u := range f.uplinks {
			if s := u.Status(); plans[i].IsZero() && !s.Connected && s.Retry.After(lost) {
				plans[i] = s.Retry
			}
		}
		return !slices.ContainsFunc(plans, time.Time.IsZero)
	})
	if most := spooled.Peak(plans, retryMin/binsOfRetry); most > limit {
		t.Errorf("%d of %d devices plan to come back within a quarter of the retry time, want at most %d", most, devices, limit)
	}
	b.start()
	wait(t, "the fleet after the outage", func() bool { return f.online() == devices })

	// The control: the same count finds a fleet that comes back at once.
	if most := spooled.Peak(make([]time.Time, devices), retryMin/binsOfRetry); most <= limit {
		t.Errorf("a fleet that comes back at once counts %d", most)
	}
}

// consumer is a persistent subscriber that needs a time for each window, as one that
// writes to a database does.
type consumer struct {
	windows atomic.Int64
}

func (k *consumer) subscribe(t *testing.T, port int, each time.Duration) {
	t.Helper()
	c := mqtt.NewClient(mqtt.NewClientOptions().AddBroker(fmt.Sprintf("tcp://127.0.0.1:%d", port)).SetClientID("consumer").
		SetCleanSession(false).SetOrderMatters(true))
	if tok := c.Connect(); !tok.WaitTimeout(time.Minute) || tok.Error() != nil {
		t.Fatal(tok.Error())
	}
	t.Cleanup(func() { c.Disconnect(0) })
	for _, kind := range []string{"count", "backfill"} {
		tok := c.Subscribe("kerb/v1/+/+/+/"+kind+"/+", 1, func(_ mqtt.Client, m mqtt.Message) {
			if uplink.IsProof(m.Payload()) {
				return
			}
			time.Sleep(each)
			for range max(strings.Count(string(m.Payload()), `"schema":"kerb.count/1"`), 1) {
				k.windows.Add(1)
			}
		})
		if !tok.WaitTimeout(time.Minute) || tok.Error() != nil {
			t.Fatal(tok.Error())
		}
	}
}

// 5,000 windows end at the same moment. mosquitto keeps 1,000 messages for a slow
// consumer and drops the rest, silently, after it has acknowledged them.
func TestASlowConsumerLosesNoWindowOfAFleetThatSpreadsThem(t *testing.T) {
	if os.Getenv("KERB_LONG") == "" {
		t.Skip("two minutes of real time: set KERB_LONG=1")
	}
	const each = 2 * time.Millisecond
	streams := storetest.StreamNames(10)
	for spread, lossless := range map[time.Duration]bool{30 * time.Second: true, 0: false} { // 0 is the control
		t.Run(spread.String(), func(t *testing.T) {
			b := startBroker(t)
			f := startFleet(t, b.url(), uplink.Opts{Spread: spread, Birth: uplink.Birth{Window: 15 * time.Minute}})
			wait(t, "the fleet", func() bool { return f.online() == devices })
			k := new(consumer)
			k.subscribe(t, b.port, each)
			begin := time.Now()
			for i, s := range f.stores {
				if _, err := s.Append(storetest.MakeWindows(streams, 0)); err != nil {
					t.Fatal(err)
				}
				f.uplinks[i].Wake()
			}
			stored := time.Since(begin)
			wait(t, "the acknowledgements", func() bool {
				return !slices.ContainsFunc(f.stores, func(s *store.Store) bool { return s.Stats().Pending > 0 })
			})
			sent := time.Since(begin)
			for n := int64(-1); n != k.windows.Load(); time.Sleep(5 * time.Second) { // until no more come
				n = k.windows.Load()
			}
			want, got := int64(devices*len(streams)), k.windows.Load()
			t.Logf("spread %s: stored in %s, delivered in %s; the consumer has %d of %d", spread, stored.Round(time.Millisecond), sent.Round(time.Millisecond), got, want)
			if lossless != (got == want) {
				t.Errorf("%d of %d windows", got, want)
			}
		})
	}
}
