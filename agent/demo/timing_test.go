package demo

import (
	"cmp"
	"context"
	"encoding/json"
	"log/slog"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"kerb/agent/clock"
	"kerb/agent/config"
	"kerb/agent/localbroker"
	"kerb/agent/policy"
	"kerb/agent/policy/policytest"
	"kerb/agent/sensor"
	"kerb/agent/uplink"
	"kerb/configs"
	"kerb/counting"
)

// busyCrossings is the number of crossings in a busy window; the others have none.
const busyCrossings = 500

// A busyLine is a sensor whose counts the test sets.
type busyLine struct {
	crossings uint32
	delay     time.Duration // per crossing, before the window ends: a fault, for the control
}

var kerbLine = counting.Stream{ID: "kerb", Kind: counting.LineStream, Sensor: "north", Classes: []counting.Class{counting.Person, counting.Vehicle}}

func (b *busyLine) Streams() []counting.Stream { return []counting.Stream{kerbLine} }
func (b *busyLine) Run(context.Context)        {}
func (b *busyLine) MarkLost(counting.Reason)   {}

func (b *busyLine) CloseWindow(mono time.Duration, start, end time.Time, whole time.Duration) []counting.Tally {
	time.Sleep(time.Duration(b.crossings) * b.delay)
	t := counting.Tally{Stream: kerbLine.ID, Kind: kerbLine.Kind, Start: start, End: end, Mono: mono, Observed: whole}
	for _, c := range kerbLine.Classes {
		t.Counted[c] = true
		t.Crossings[c] = [counting.Directions]uint32{b.crossings, b.crossings}
	}
	return []counting.Tally{t}
}

// arrival is the part of a window that an observer of an encrypted connection sees.
type arrival struct {
	took time.Duration // from the end of the window to the subscriber
	size int           // of the message, without the digits of its number
}

// observe closes windows without and with many crossings, in random order, and passes
// them through the real clearing, spool and uplink. It returns the arrivals of both.
func observe(t *testing.T, p *policy.Policy, windows int, delay time.Duration) (none, busy []arrival) {
	t.Helper()
	a, messages := lineAtBroker(t, p)
	line := &busyLine{delay: delay}
	a.windows.sensors = []sensor.Sensor{line}
	rnd := rand.New(rand.NewPCG(7, 11))
	start := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	for i := range windows {
		line.crossings = busyCrossings * uint32(rnd.IntN(2))
		from := start.Add(time.Duration(i) * p.Window())
		begin := time.Now()
		w := clock.Window{Start: from, End: from.Add(p.Window()), Mono: clock.SinceBoot(), Synced: true} // the spool expires by this clock
		if err := a.windows.endWindows([]clock.Window{w}, nil); err != nil {
			t.Fatal(err)
		}
		m := <-messages
		seen := arrival{took: time.Since(begin)}
		var text struct {
			Seq     uint64
			Quality string
		}
		if err := json.Unmarshal(m, &text); err != nil || text.Seq != uint64(i+1) || text.Quality != "ok" {
			t.Fatalf("window %d: %s: %v", i+1, m, err)
		}
		seen.size = len(m) - len(strconv.FormatUint(text.Seq, 10))
		if line.crossings == 0 {
			none = append(none, seen)
		} else {
			busy = append(busy, seen)
		}
	}
	return none, busy
}

// lineAtBroker returns an agent of which only the uplink runs, and the messages that a
// broker receives of its line.
func lineAtBroker(t *testing.T, p *policy.Policy) (*Agent, chan []byte) {
	t.Helper()
	b, err := localbroker.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	messages := make(chan []byte, 8)
	client := mqtt.NewClient(mqtt.NewClientOptions().AddBroker(strings.Replace(b.URL, "mqtt", "tcp", 1)).SetClientID("observer"))
	if tok := client.Connect(); !tok.WaitTimeout(10*time.Second) || tok.Error() != nil {
		t.Fatal(tok.Error())
	}
	t.Cleanup(func() { client.Disconnect(0) })
	tok := client.Subscribe("kerb/v1/kerb/test/pi-1/count/kerb", 1, func(_ mqtt.Client, m mqtt.Message) {
		if !uplink.IsProof(m.Payload()) {
			messages <- m.Payload()
		}
	})
	if !tok.WaitTimeout(10*time.Second) || tok.Error() != nil {
		t.Fatal(tok.Error())
	}
	site := &config.Site{
		Device: config.Device{Tenant: "kerb", Site: "test", Name: "pi-1", State: t.TempDir()},
		Broker: config.Broker{URL: b.URL},
	}
	a, err := NewAgent(site, p, "test", clock.Clock{Floor: clockFloor}, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- a.uplink.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := cmp.Or(<-done, a.store.Close()); err != nil {
			t.Error(err)
		}
	})
	return a, messages
}

// rankDeviation is the Mann–Whitney U of two samples, in standard deviations from its
// mean under one common distribution (Annals of Mathematical Statistics 18, 1947). It
// uses ranks alone, so that a loaded machine, which delays both alike, does not raise it.
func rankDeviation(a, b []arrival) float64 {
	type ranked struct {
		took time.Duration
		ofA  bool
	}
	var all []ranked
	for _, x := range a {
		all = append(all, ranked{x.took, true})
	}
	for _, x := range b {
		all = append(all, ranked{x.took, false})
	}
	slices.SortFunc(all, func(x, y ranked) int { return cmp.Compare(x.took, y.took) })
	sum := 0.0
	for i, x := range all {
		if x.ofA {
			sum += float64(i + 1)
		}
	}
	n, m := float64(len(a)), float64(len(b))
	u := sum - n*(n+1)/2
	return math.Abs(u-n*m/2) / math.Sqrt(n*m*(n+m+1)/12)
}

// maxDeviation is exceeded by chance once in 1.7 million comparisons.
const maxDeviation = 5

// An observer who sees messages but cannot read them must not learn from their lengths
// or times whether a street was busy.
func TestNoneAndManyCrossingsGiveMessagesOfOneSizeAtOneTime(t *testing.T) {
	windows := 1000
	if testing.Short() {
		windows = 200
	}
	for _, name := range []string{"standard", "strict", "suppress"} {
		t.Run(name, func(t *testing.T) {
			none, busy := observe(t, readProfile(t, name), windows, 0)
			size := none[0].size
			for _, x := range slices.Concat(none, busy) {
				if x.size != size {
					t.Fatalf("one message has %d bytes and another %d", size, x.size)
				}
			}
			s := rankDeviation(none, busy)
			t.Logf("%d bytes; none: median %s of %d, %d crossings: median %s of %d; %.2f standard deviations apart",
				size, median(none), len(none), busyCrossings, median(busy), len(busy), s)
			if s > maxDeviation {
				t.Error("the time of a message depends on the counts")
			}
		})
	}
}

// The control: a delay of twenty microseconds for each crossing is detected.
func TestADelayThatDependsOnTheCountsIsSeen(t *testing.T) {
	none, busy := observe(t, readProfile(t, "standard"), 400, 20*time.Microsecond)
	s := rankDeviation(none, busy)
	t.Logf("none: median %s, %d crossings: median %s; %.2f standard deviations apart", median(none), busyCrossings, median(busy), s)
	if s <= maxDeviation {
		t.Error("nobody would see it")
	}
}

func median(as []arrival) time.Duration {
	as = slices.SortedFunc(slices.Values(as), func(a, b arrival) int { return cmp.Compare(a.took, b.took) })
	return as[len(as)/2].took.Round(time.Microsecond)
}

func readProfile(t *testing.T, name string) *policy.Policy {
	t.Helper()
	text, err := configs.ReadPolicy(name)
	if err != nil {
		t.Fatal(err)
	}
	return policytest.Parse(t, string(text))
}
