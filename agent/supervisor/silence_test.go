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
	"kerb/agent/logbook"
	"kerb/agent/policy"
	"kerb/agent/publisher"
	"kerb/agent/sensor"
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
	first   time.Duration // length of its first window
	boot    time.Duration // monotonic clock at that time
	leaky   bool          // the control
	log     lineBuffer
	passed  atomic.Int64 // exact crossings and presences of all windows
	s       *Supervisor
	inbox   chan mqtt.Message
	gate    *gate
	got     map[string][]string // topic → payloads in their order
	order   []string            // topics in their order, but of states
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
	p.closers = append(p.closers, func() { close(s.publisher.Starter) }, func() { p.gate.open(windows) })
	send := p.startPublisher(ctx, clk, log)
	beat := p.startSensor(ctx, clk, log)
	p.await(func() bool { return p.last("state") != "" })
	p.waitOnline()
	cut := clock.NewWindows(p.pol.Window(), s.startReading)
	for k := range windows {
		p.gate.close()
		p.stage.playUntil(t, p.first+time.Duration(k)*p.pol.Window())
		beat(k < windows-1)
		ended, step := cut.AdvanceTo(clk.ReadAll())
		if len(ended) != 1 || step != nil {
			t.Fatalf("%d windows ended, step %v", len(ended), step)
		}
		if err := s.endWindows(ended, nil, false); err != nil {
			t.Fatal(err)
		}
		p.sendWindow(send, k)
		p.got["status"] = append(p.got["status"], p.askStatus(1)...)
	}
	p.askAgain()
	all := min(windows, ipc.MaxQueryCount)
	last := p.askStatus(all)
	for until := time.Now().Add(2 * time.Minute); !strings.Contains(last[1], `"waiting":0`); last = p.askStatus(all) {
		if time.Sleep(time.Millisecond); time.Now().After(until) {
			t.Fatalf("the windows that were asked for again are not confirmed: %s", last[1])
		}
	}
	p.got["status"] = append(p.got["status"], last...)
	return p.collect()
}

// waitOnline waits for the first heartbeat of the uplink that was made while it had a
// broker. Until it is handled, an older one may still say that there is none.
func (p *play) waitOnline() {
	for until := time.Now().Add(2 * time.Minute); !p.s.isOnline(); time.Sleep(time.Millisecond) {
		if time.Now().After(until) {
			p.t.Fatalf("the uplink has no broker, log:\n%s", p.log.String())
		}
	}
}

// sendWindow waits until the window and its events are stored, lets the uplink send them,
// and waits for an event, the mark, behind which it sends nothing of that window: it sends
// one message at a time, in the order in which it would begin to send several.
func (p *play) sendWindow(send func(ipc.Record), k int) {
	for _, m := range p.s.statusRecords() {
		send(m)
	}
	p.s.queue.pushNote(func(n uint64) []ipc.Record {
		return []ipc.Record{&ipc.Step{N: n, From: ipc.ToInstant(p.begun), To: ipc.ToInstant(p.begun), Mono: p.boot}}
	})
	stored, cancel := context.WithTimeout(p.t.Context(), 2*time.Minute)
	defer cancel()
	if !p.s.queue.waitEmpty(stored) {
		p.t.Fatalf("window %d is not stored, log:\n%s", k, p.log.String())
	}
	p.gate.open(k)
	marks := func() (n int) {
		for _, e := range p.got[p.topic("event")] {
			if isMark(e) {
				n++
			}
		}
		return n
	}
	p.await(func() bool { return marks() == k+1 })
}

func isMark(event string) bool { return strings.Contains(event, "clock_step") }

// askStatus asks for the status, with so many windows of the spool, until the uplink
// answers: the supervisor does not wait for a slow one.
func (p *play) askStatus(windows int) (lines []string) {
	for until := time.Now().Add(2 * time.Minute); time.Now().Before(until); {
		lines = lines[:0]
		for _, line := range p.s.answerQuery(&ipc.Query{What: ipc.QueryStatus, Count: uint16(windows)}) {
			lines = append(lines, string(line))
		}
		if !slices.Contains(lines, unanswered) {
			return lines
		}
	}
	p.t.Fatalf("the status is not answered, log:\n%s", p.log.String())
	return nil
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
	first := sc.firstWindow(pol.Window())
	p := &play{t: t, pol: pol, leaky: leaky, gate: newGate(), begun: time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC).Add(pol.Window() - first), first: first, boot: bootTime()}
	r := rand.New(rand.NewPCG(seed, 7))
	total := first + time.Duration(sc.windows(pol.Window())-1)*pol.Window()
	at := sc.earliest + time.Duration(r.Int64N(int64(total-sc.earliest-sc.lasts-time.Second)))
	if sc.loop && (at+pol.Window()-first)%pol.Window() > pol.Window()-sc.lasts-2*time.Second {
		at -= sc.lasts + 2*time.Second // the second in which windows are cut has no edge
	}
	p.stage = newStage(sc, seed, at, one)
	p.site = &config.Site{Device: config.Device{Tenant: "t", Site: "s", Name: "pi", State: filepath.Join(t.TempDir(), "state")}}
	if err := os.MkdirAll(p.site.Device.State, 0o700); err != nil {
		t.Fatal(err)
	}
	p.closers = append(p.closers, func() { os.RemoveAll(p.site.Device.State) })
	sc.equip(p.site)
	return p
}

// shortPairs are the pairs of policy and scene that the short form plays, once.
var shortPairs = []string{"standard/loop", "standard/line, still", "suppress/zone, rain", "busyness/zone, dark"}

// KERB_LONG plays every pair 200 times; KERB_RUNS another number, KERB_FROM from another
// seed than 0 on. KERB_DONE names a file that takes the pairs without a difference, and
// those that it has already are left out.
func TestNobodyAndOneLeaveTheSameBytes(t *testing.T) {
	runs := 1
	if os.Getenv("KERB_LONG") != "" {
		runs = 200
	}
	if n, err := strconv.Atoi(os.Getenv("KERB_RUNS")); err == nil {
		runs = n
	}
	for _, profile := range []string{"busyness", "standard", "strict", "suppress", "traffic"} {
		pol := readShippedPolicy(t, profile)
		for _, sc := range listScenes() {
			name := profile + "/" + sc.name
			if !pol.AllowsKind(sc.kind) || os.Getenv("KERB_LONG") == "" && !slices.Contains(shortPairs, name) {
				continue
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel() // a play waits for its broker and disk most of the time
				if !isDone(t, name) {
					compareRuns(t, pol, sc, runs)
				}
				noteDone(t, name)
			})
		}
	}
}

// isDone reports whether the file of KERB_DONE has a pair.
func isDone(t *testing.T, pair string) bool {
	text, err := os.ReadFile(os.Getenv("KERB_DONE"))
	if err == nil && slices.Contains(strings.Split(string(text), "\n"), pair) {
		t.Log("was played before")
		return true
	}
	return false
}

// noteDone adds a pair without a difference to the file of KERB_DONE.
func noteDone(t *testing.T, pair string) {
	path := os.Getenv("KERB_DONE")
	if path == "" || t.Failed() || isDone(t, pair) {
		return
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := fmt.Fprintln(f, pair); err != nil {
		t.Fatal(err)
	}
}

// compareRuns plays a scene so many times with nobody and with one.
func compareRuns(t *testing.T, pol *policy.Policy, sc scene, runs int) {
	seen, differ, n := 0, 0, sc.windows(pol.Window())
	allowed := 0
	if sc.dusk || sc.dawn { // a lamp moves the change of the view by half a second in the mean: TestALampMovesAFaultByItsOwnTimeAtMost
		allowed = int(time.Duration(runs) * time.Second / pol.Window())
	}
	from, _ := strconv.Atoi(os.Getenv("KERB_FROM"))
	for run := from; run < from+runs; run++ {
		nobody, one := newPlay(t, pol, sc, uint64(run), false, false), newPlay(t, pol, sc, uint64(run), true, false)
		if diff := listDifferences(nobody.run(n), one.run(n)); len(diff) > 0 {
			differ++
			t.Logf("run %d, passes at %v: %s", run, one.stage.at, strings.Join(diff, "\n"))
		}
		if one.passed.Load() > nobody.passed.Load() {
			seen++
		}
		if done := run - from + 1; done%25 == 0 {
			t.Logf("%d of %d runs, %d differ", done, runs, differ)
		}
	}
	t.Logf("%d runs, the one was counted in %d, %d differ", runs, seen, differ)
	if differ > allowed {
		t.Errorf("%d runs differ; %d may", differ, allowed)
	}
	if seen == 0 && !sc.lamp { // which pauses the counting
		t.Error("the one was never counted: the play shows nothing")
	}
}

func readShippedPolicy(t *testing.T, profile string) *policy.Policy {
	text, err := configs.ReadPolicy(profile)
	if err != nil {
		t.Fatal(err)
	}
	pol, err := policy.Parse("policy.toml", text)
	if err != nil {
		t.Fatal(err)
	}
	return pol
}

// The control: where a window tells beside its numbers that something passed, it is found.
func TestALeakyWindowIsFound(t *testing.T) {
	for _, sc := range listScenes() {
		profile := map[string]string{"zone, day": "busyness", "loop": "standard"}[sc.name]
		if profile == "" {
			continue
		}
		pol := readShippedPolicy(t, profile)
		n := sc.windows(pol.Window())
		one := newPlay(t, pol, sc, 1, true, true)
		diff := listDifferences(newPlay(t, pol, sc, 1, false, true).run(n), one.run(n))
		if one.passed.Load() == 0 || len(diff) == 0 {
			t.Errorf("%s: counted %d, no difference", sc.name, one.passed.Load())
		}
		t.Log(sc.name, len(diff), "topics differ")
	}
}
