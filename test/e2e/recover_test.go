package e2e

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"kerb/agent/policy"
	"kerb/agent/store"
	"kerb/agent/store/storetest"
	"kerb/agent/uplink"
)

func allowed(string) bool { return true }

// settled waits until the broker has acknowledged everything.
func settled(t *testing.T, s *store.Store, patience time.Duration) {
	t.Helper()
	for end := time.Now().Add(patience); s.Stats().Pending > 0; time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d windows pending after %s", s.Stats().Pending, patience)
		}
	}
}

// ask sends a command as a consumer would.
func (s *sink) ask(id, verb, epoch, stream string, from, to int) {
	s.t.Helper()
	b := fmt.Sprintf(`{"schema":"kerb.cmd/1","id":%q,"verb":%q,"expires":%q,"epoch":%q,"stream":%q,"from":%d,"to":%d}`,
		id, verb, time.Now().Add(time.Minute).UTC().Format(time.RFC3339), epoch, stream, from, to)
	if tok := s.client.Publish("kerb/v1/acme/north/pi-0a1b/cmd", 1, false, b); !tok.WaitTimeout(5*time.Second) || tok.Error() != nil {
		s.t.Fatal(tok.Error())
	}
}

func TestWhatTheBrokerAcknowledgedAndLostComesAgainWhenAsked(t *testing.T) {
	b := startMosquitto(t)
	k := newSink(t, b.url())
	k.client.Disconnect(100) // its session stays; the broker keeps messages for it, in memory
	s, streams := openStore(t), storetest.StreamNames(4)
	u, _ := run(t, uplink.Opts{Broker: b.url(), Store: s, AllowVerb: allowed})
	fill(t, s, streams, 0, 250, func(int) { u.Wake() })
	settled(t, s, 20*time.Second)
	b.kill()
	b.start()
	k = newSink(t, b.url())
	fill(t, s, streams, 250, 251, func(int) { u.Wake() })
	k.await(4, 20*time.Second)
	if n := k.count(); n != 4 {
		t.Fatalf("%d windows survived in the broker: the test shows nothing", n)
	}
	for i, stream := range streams {
		for !answered(t, k, fmt.Sprint("cmd-", i)) {
			k.ask(fmt.Sprint("cmd-", i), "resend", s.Stats().Epoch, stream, 1, 250)
			time.Sleep(200 * time.Millisecond)
		}
	}
	k.await(1004, 20*time.Second)
	k.complete(s.Stats().Epoch, streams, 251)
}

// answered reports whether a command was answered, and complains of a bad one.
func answered(t *testing.T, k *sink, id string) bool {
	t.Helper()
	for _, m := range k.messages("ack") {
		var a struct {
			ID     string
			OK     bool
			Error  string
			Resend int
			Last   int
		}
		if err := json.Unmarshal([]byte(m), &a); err != nil {
			t.Fatal(err)
		}
		if a.ID == id {
			if !a.OK || a.Resend != 250 || a.Last != 251 {
				t.Errorf("answer %s", m)
			}
			return true
		}
	}
	return false
}

// The broker has at most 20 messages under way to the device (max_inflight_messages)
// and queues 1,000: the device must take them fast enough, and answer each.
func TestThreeHundredCommandsInABurstGetThreeHundredAnswers(t *testing.T) {
	b := startMosquitto(t)
	k := newSink(t, b.url())
	s, streams := openStore(t), storetest.StreamNames(3)
	u, _ := run(t, uplink.Opts{Broker: b.url(), Store: s, AllowVerb: allowed})
	fill(t, s, streams, 0, 50, func(int) { u.Wake() })
	settled(t, s, time.Minute)
	const n = 300
	expires := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	for i := range n { // without waiting for the broker
		k.client.Publish("kerb/v1/acme/north/pi-0a1b/cmd", 1, false, fmt.Sprintf(
			`{"schema":"kerb.cmd/1","id":"c%d","verb":"resend","expires":%q,"epoch":%q,"stream":%q,"from":1,"to":50}`,
			i, expires, s.Stats().Epoch, streams[i%3]))
	}
	answers := map[string]int{}
	for end := time.Now().Add(time.Minute); len(answers) < n && time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		clear(answers)
		for _, m := range k.messages("ack") {
			var a struct {
				ID, Error string
				OK        bool
			}
			if err := json.Unmarshal([]byte(m), &a); err != nil || !a.OK && !strings.HasPrefix(a.Error, "busy: ") {
				t.Fatalf("%s: %v", m, err)
			}
			answers[a.ID]++
		}
	}
	for id, times := range answers {
		if times != 1 {
			t.Errorf("%s was answered %d times", id, times)
		}
	}
	if len(answers) != n {
		t.Errorf("%d commands answered of %d", len(answers), n)
	}
}

func TestWithWatermarksNothingNeedsToBeAsked(t *testing.T) {
	b := startMosquitto(t)
	s, streams := openStore(t, store.WatermarkMode(300*time.Millisecond)), storetest.StreamNames(2)
	u, _ := run(t, uplink.Opts{Broker: b.url(), Store: s, AllowVerb: allowed})
	fill(t, s, streams, 0, 100, func(int) { u.Wake() }) // nobody listens: all is acknowledged and lost
	time.Sleep(300 * time.Millisecond)
	k := newSink(t, b.url())
	k.await(200, 20*time.Second)
	for i := 0; s.Stats().Pending > 0; i++ {
		if i > 50 {
			t.Fatalf("%d windows still doubted", s.Stats().Pending)
		}
		for _, stream := range streams {
			k.ask(fmt.Sprintf("mark-%d-%s", i, stream), "watermark", s.Stats().Epoch, stream, 0, 100)
		}
		time.Sleep(100 * time.Millisecond)
	}
	k.complete(s.Stats().Epoch, streams, 100)
}

func TestStateSaysWhetherTheDeviceIsThereAndHowItIs(t *testing.T) {
	b := startMosquitto(t)
	s := openStore(t)
	_, stop := run(t, uplink.Opts{Broker: b.url(), Store: s})
	k := newSink(t, b.url())
	state := func(what string) func() bool {
		return func() bool {
			m := k.messages("state")
			return len(m) > 0 && strings.Contains(m[len(m)-1], what)
		}
	}
	eventually(t, state(`"online":true`))
	eventually(t, func() bool { return len(k.messages("meta")) > 0 })
	s.AddNote("clock_step", map[string]any{"by_s": 3600})
	stop()
	eventually(t, state(`"online":false`))

	// A device that dies without goodbye: the broker speaks for it.
	p := newProxy(t, b.port, 0)
	run(t, uplink.Opts{Broker: p.url(), Store: s})
	eventually(t, state(`"online":true`))
	eventually(t, func() bool { return len(k.messages("event")) == 1 })
	p.Close()
	p.cutAll()
	eventually(t, state(`"online":false`))
}

func eventually(t *testing.T, ok func() bool) {
	t.Helper()
	for range 1000 {
		if ok() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("waited ten seconds")
}

// proxy passes bytes on to a port, each way delayed.
type proxy struct {
	net.Listener
	delay time.Duration
	wg    sync.WaitGroup
	mu    sync.Mutex
	conns []net.Conn
}

func newProxy(t *testing.T, port int, delay time.Duration) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{Listener: l, delay: delay}
	p.wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			d, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
			if err != nil {
				c.Close()
				continue
			}
			p.mu.Lock()
			p.conns = append(p.conns, c, d)
			p.mu.Unlock()
			p.wg.Go(func() { p.pass(d, c) })
			p.wg.Go(func() { p.pass(c, d) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		p.cutAll()
		p.wg.Wait()
	})
	return p
}

func (p *proxy) url() string { return "mqtt://" + p.Addr().String() }

func (p *proxy) cutAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		c.Close()
	}
}

func (p *proxy) pass(dst, src net.Conn) {
	type chunk struct {
		due time.Time
		b   []byte
	}
	queue := make(chan chunk, 1<<16)
	p.wg.Go(func() {
		for c := range queue {
			time.Sleep(time.Until(c.due))
			if _, err := dst.Write(c.b); err != nil {
				src.Close()
			}
		}
		dst.Close()
	})
	for {
		b := make([]byte, 32<<10)
		n, err := src.Read(b)
		if n > 0 {
			queue <- chunk{time.Now().Add(p.delay), b[:n]}
		}
		if err != nil {
			close(queue)
			return
		}
	}
}

func TestThreeDaysDrainInSeconds(t *testing.T) {
	minutes := 6 * 60
	if os.Getenv("KERB_LONG") != "" {
		minutes = 72 * 60
	}
	b := startMosquitto(t)
	k := newSink(t, b.url())
	s, streams := openStore(t), storetest.StreamNames(4)
	for i := 0; i < minutes; i += 60 { // an hour a transaction, to be done sooner
		var batch []policy.Release
		for j := i; j < min(i+60, minutes-1); j++ {
			batch = append(batch, storetest.MakeWindows(streams, j)...)
		}
		if _, err := s.Append(batch); err != nil {
			t.Fatal(err)
		}
	}
	fill(t, s, streams, minutes-1, minutes, nil) // live when the link comes back
	p := newProxy(t, b.port, 50*time.Millisecond)
	begin := time.Now()
	run(t, uplink.Opts{Broker: p.url(), Store: s})
	settled(t, s, 60*time.Second)
	t.Logf("%d windows acknowledged in %s at 100 ms round trip", 4*minutes, time.Since(begin).Round(time.Millisecond))
	k.await(4*minutes, 30*time.Second)
	k.complete(s.Stats().Epoch, streams, minutes)
}
