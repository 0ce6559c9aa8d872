package supervisor

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"kerb/agent/admission"
	"kerb/agent/clock"
	"kerb/agent/config"
	"kerb/agent/ipc"
	"kerb/agent/localbroker"
	"kerb/agent/logbook"
	"kerb/agent/policy"
	"kerb/agent/publisher"
	"kerb/agent/sensor"
	"kerb/agent/uplink"
	"kerb/configs"
	"kerb/counting"
)

// A play is one run of kerb over one scene: the code of its processes, connected by pipes
// as they are, on a clock that the test moves. Only the starts of the processes, their
// walls and the reading of the camera or the contacts are replaced.
type play struct {
	t       *testing.T
	site    *config.Site
	pol     *policy.Policy
	stage   *stage
	begun   time.Time     // wall clock of the play's start
	boot    time.Duration // monotonic clock at that time
	leaky   bool          // the control
	log     lineBuffer
	passed  atomic.Int64 // exact crossings and presences of all windows
	s       *Supervisor
	inbox   chan mqtt.Message
	got     map[string][]string // topic → payloads in their order
	windows int                 // that were played
	closers []func()
}

// lineBuffer is a log that several goroutines write.
type lineBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lineBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lineBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// watcher is a sensor whose exact counts the test adds up. leaky is the control: a window
// in which something passed says so beside its numbers, as a pause that ends with it did.
type watcher struct {
	sensor.Sensor
	p *play
}

func (w watcher) CloseWindow(mono time.Duration, start, end time.Time, whole time.Duration) []counting.Tally {
	w.p.stage.setClosing(true)
	ts := w.Sensor.CloseWindow(mono, start, end, whole)
	w.p.stage.setClosing(false)
	for i := range ts {
		n := int64(0)
		for c := range ts[i].Crossings {
			n += int64(ts[i].Crossings[c][0]+ts[i].Crossings[c][1]) + int64(ts[i].Peak[c])
		}
		w.p.passed.Add(n)
		if w.p.leaky && n > 0 {
			ts[i].Quality, ts[i].Reason, ts[i].Observed = counting.Partial, counting.ReasonCameraDark, ts[i].Observed/2
		}
	}
	return ts
}

// read is the clock of all processes.
func (p *play) read() clock.Reading {
	at := p.stage.now()
	return clock.Reading{Wall: p.begun.Add(at), Mono: p.boot + at, Awake: p.boot + at, Synced: true, Source: "ntp"}
}

// run plays so many windows and returns everything that left the device or its status.
func (p *play) run(windows int) map[string][]string {
	t := p.t
	ctx, cancel := context.WithCancel(t.Context())
	defer func() {
		cancel()
		for _, c := range slices.Backward(p.closers) {
			c()
		}
	}()
	p.got, p.windows = map[string][]string{}, windows
	log := slog.New(slog.NewTextHandler(&p.log, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
	p.openBroker()
	clk := clock.Clock{Read: p.read}
	s, err := New(p.site, p.pol, clk, nil, &admission.Journal{Decision: admission.Decision{Policy: p.pol}, Log: log}, logbook.New(io.Discard, time.Now), log)
	if err != nil {
		t.Fatal(err)
	}
	p.s, s.startReading, s.walls = s, clk.ReadAll(), new(ipc.Walls)
	p.closers = append(p.closers, func() { close(s.publisher.Starter) })
	send := p.startPublisher(ctx, clk, log)
	beat := p.startSensor(ctx, clk, log)
	p.await(func() bool { return p.last("state") != "" })
	for until := time.Now().Add(2 * time.Minute); !strings.Contains(p.log.String(), "uplink: connected") && time.Now().Before(until); {
		time.Sleep(time.Millisecond)
	}
	s.online.Store(true) // what the first heartbeat after it says, a second later
	cut := clock.NewWindows(p.pol.Window(), s.startReading)
	for k := range windows {
		end := time.Duration(k+1) * p.pol.Window()
		p.stage.playUntil(t, end)
		beat(k < windows-1)
		for _, m := range s.statusRecords() {
			send(m)
		}
		ended, step := cut.AdvanceTo(clk.ReadAll())
		if len(ended) != 1 || step != nil {
			t.Fatalf("%d windows ended, step %v", len(ended), step)
		}
		if err := s.endWindows(ended, nil, false); err != nil {
			t.Fatal(err)
		}
		p.await(func() bool { return len(p.got[p.topic("count/"+p.stream())]) == k+1 })
	}
	s.queue.pushNote(func(n uint64) []ipc.Record { // the mark behind which no event comes
		return []ipc.Record{&ipc.Step{N: n, From: ipc.ToInstant(p.begun), To: ipc.ToInstant(p.begun), Mono: p.boot}}
	})
	p.await(p.hasAllEvents)
	p.await(func() bool { return strings.Contains(p.last("state"), `"watching":false`) })
	if p.pol.KeepsNow() {
		p.await(func() bool { return strings.Contains(p.last("now/"+p.stream()), fmt.Sprintf(`"seq":%d,`, windows)) })
	}
	p.askAgain()
	for until := time.Now().Add(2 * time.Minute); ; time.Sleep(5 * time.Millisecond) {
		p.got["status"] = nil
		for _, line := range s.answerQuery(&ipc.Query{What: ipc.QueryStatus, Count: uint16(windows)}) {
			p.got["status"] = append(p.got["status"], string(line))
		}
		if strings.Contains(p.got["status"][1], `"waiting":0`) || time.Now().After(until) {
			break // the broker has confirmed everything
		}
	}
	return p.collect()
}

func (p *play) topic(rest string) string {
	return "kerb/v1/" + publisher.Address(p.site.Device).String() + "/" + rest
}

func (p *play) stream() string { return p.site.Streams()[0].ID }

// last is the latest payload of a topic.
func (p *play) last(rest string) string {
	all := p.got[p.topic(rest)]
	if len(all) == 0 {
		return ""
	}
	return all[len(all)-1]
}

// openBroker starts a broker and listens to everything.
func (p *play) openBroker() {
	b, err := localbroker.New()
	if err != nil {
		p.t.Fatal(err)
	}
	p.site.Broker.URL = b.URL
	p.inbox = make(chan mqtt.Message, 4096)
	o := mqtt.NewClientOptions().AddBroker(strings.Replace(b.URL, "mqtt", "tcp", 1)).SetClientID("observer")
	client := mqtt.NewClient(o)
	for _, tok := range []func() mqtt.Token{client.Connect, func() mqtt.Token {
		return client.Subscribe("#", 1, func(_ mqtt.Client, m mqtt.Message) { p.inbox <- m })
	}} {
		if tok := tok(); !tok.WaitTimeout(time.Minute) || tok.Error() != nil {
			p.t.Fatal(tok.Error())
		}
	}
	p.closers = append(p.closers, func() { b.Close() }, func() { client.Disconnect(0) })
}

// await takes messages until enough holds.
func (p *play) await(enough func() bool) {
	for !enough() {
		select {
		case m := <-p.inbox:
			if !uplink.IsProof(m.Payload()) && !strings.HasSuffix(m.Topic(), "/cmd") {
				p.got[m.Topic()] = append(p.got[m.Topic()], string(m.Payload()))
			}
		case <-time.After(2 * time.Minute):
			p.t.Fatalf("nothing arrives: %d topics, log:\n%s", len(p.got), p.log.String())
		}
	}
}

var eventNumber = regexp.MustCompile(`"n":(\d+),`)

// hasAllEvents reports whether the mark has come, and all events of lower numbers.
func (p *play) hasAllEvents() bool {
	last, numbers := 0, map[int]bool{}
	for _, e := range p.got[p.topic("event")] {
		if m := eventNumber.FindStringSubmatch(e); m != nil {
			n, _ := strconv.Atoi(m[1])
			numbers[n] = true
			if strings.Contains(e, "clock_step") {
				last = n
			}
		}
	}
	return last > 0 && len(numbers) == last
}

// askAgain asks for all windows again, where the policy allows it.
func (p *play) askAgain() {
	if !p.pol.AllowsCommand("resend") {
		return
	}
	epoch := regexp.MustCompile(`"epoch":"([^"]+)"`).FindStringSubmatch(p.last("count/" + p.stream()))[1]
	nonce := regexp.MustCompile(`"cmd_nonce":"([^"]+)"`).FindStringSubmatch(p.last("state"))[1]
	o := mqtt.NewClientOptions().AddBroker(strings.Replace(p.site.Broker.URL, "mqtt", "tcp", 1)).SetClientID("platform")
	client := mqtt.NewClient(o)
	client.Connect().Wait()
	defer client.Disconnect(0)
	client.Publish(p.topic("cmd"), 1, false, fmt.Sprintf(`{"schema":"kerb.cmd/1","id":"again","verb":"resend","nonce":%q,"epoch":%q,"stream":%q,"from":1,"to":%d}`, nonce, epoch, p.stream(), p.windows)).Wait()
	p.await(func() bool {
		return len(p.got[p.topic("ack")]) > 0 && strings.Count(strings.Join(p.got[p.topic("backfill/"+p.stream())], ""), `"seq":`) >= p.windows
	})
	slices.Sort(p.got[p.topic("backfill/"+p.stream())]) // sent side by side
}

// bootTime is the monotonic time at which every play begins: that of this machine, by which
// the spool judges ages.
var bootTime = sync.OnceValue(clock.SinceBoot)

// newPlay prepares a play. seed decides the noise of the camera and when the one passes.
func newPlay(t *testing.T, pol *policy.Policy, sc scene, seed uint64, one, leaky bool) *play {
	p := &play{t: t, pol: pol, leaky: leaky, begun: time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC), boot: bootTime()}
	r := rand.New(rand.NewPCG(seed, 7))
	total := time.Duration(sc.windows(pol.Window())) * pol.Window()
	at := sc.earliest + time.Duration(r.Int64N(int64(total-sc.earliest-sc.lasts-time.Second)))
	if sc.loop && at%pol.Window() > pol.Window()-sc.lasts-2*time.Second {
		at -= sc.lasts + 2*time.Second // the second in which windows are cut has no edge
	}
	p.stage = newStage(sc, seed, at, one)
	p.site = &config.Site{Device: config.Device{Tenant: "t", Site: "s", Name: "pi", State: filepath.Join(t.TempDir(), "state")}}
	if err := os.MkdirAll(p.site.Device.State, 0o700); err != nil {
		t.Fatal(err)
	}
	sc.equip(p.site)
	return p
}

// shortShare is the part of the pairs of policy and scene that the short form plays, once.
const shortShare = 3

// KERB_LONG plays every pair 200 times; KERB_RUNS another number.
func TestNobodyAndOneLeaveTheSameBytes(t *testing.T) {
	if os.Getenv("KERB_LONG") == "" {
		t.Skip("each play waits for seconds: make silence")
	}
	runs, pairs := 0, 0
	if os.Getenv("KERB_LONG") != "" {
		runs = 200
	}
	if n, err := strconv.Atoi(os.Getenv("KERB_RUNS")); err == nil {
		runs = n
	}
	for _, profile := range []string{"standard", "strict", "suppress", "busyness", "traffic"} {
		text, err := configs.ReadPolicy(profile)
		if err != nil {
			t.Fatal(err)
		}
		pol, err := policy.Parse("policy.toml", text)
		if err != nil {
			t.Fatal(err)
		}
		for _, sc := range listScenes() {
			if !pol.AllowsKind(sc.kind) {
				continue
			}
			if pairs++; runs == 0 && pairs%shortShare != 0 {
				continue
			}
			t.Run(profile+"/"+sc.name, func(t *testing.T) {
				seen, differ := 0, 0
				for run := range max(runs, 1) {
					nobody, one := newPlay(t, pol, sc, uint64(run), false, false), newPlay(t, pol, sc, uint64(run), true, false)
					n := sc.windows(pol.Window())
					diff := listDifferences(nobody.run(n), one.run(n))
					if len(diff) > 0 {
						differ++
						t.Errorf("run %d, passes at %v: %s", run, one.stage.at, strings.Join(diff, "\n"))
					}
					if one.passed.Load() > nobody.passed.Load() {
						seen++
					}
				}
				t.Logf("%d runs, the one was counted in %d, %d differ", max(runs, 1), seen, differ)
			})
		}
	}
}

// The control: where a window tells beside its numbers that something passed, it is found.
// KERB_LONG plays it with a loop, too.
func TestALeakyWindowIsFound(t *testing.T) {
	if os.Getenv("KERB_LONG") == "" {
		t.Skip("each play waits for seconds: make silence")
	}
	for _, sc := range listScenes() {
		profile := map[string]string{"zone, day": "busyness", "loop": "standard"}[sc.name]
		if profile == "" || sc.loop && os.Getenv("KERB_LONG") == "" {
			continue
		}
		text, err := configs.ReadPolicy(profile)
		if err != nil {
			t.Fatal(err)
		}
		pol, err := policy.Parse("policy.toml", text)
		if err != nil {
			t.Fatal(err)
		}
		n := sc.windows(pol.Window())
		one := newPlay(t, pol, sc, 1, true, true)
		diff := listDifferences(newPlay(t, pol, sc, 1, false, true).run(n), one.run(n))
		if one.passed.Load() == 0 || len(diff) == 0 {
			t.Errorf("%s: counted %d, no difference", sc.name, one.passed.Load())
		}
		t.Log(sc.name, len(diff), "topics differ")
	}
}
