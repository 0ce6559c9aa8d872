package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
)

// window is what a consumer reads of a window.
type window struct {
	Device, Stream, Epoch string
	Seq                   uint64
}

// sink is a consumer that keeps every window under its key and complains about
// duplicates that differ.
type sink struct {
	t      *testing.T
	client mqtt.Client
	mu     sync.Mutex
	seen   map[window]json.RawMessage
	twice  int
	all    []published         // every message, in the order of arrival
	other  map[string][][]byte // last level of the topic → payloads, for messages other than windows
}

func newSink(t *testing.T, url string) *sink {
	t.Helper()
	return newSinkAs(t, url, "sink")
}

// newSinkAs is newSink under a client id of its own.
func newSinkAs(t *testing.T, url, id string) *sink {
	t.Helper()
	s := &sink{t: t, seen: map[window]json.RawMessage{}, other: map[string][][]byte{}}
	o := mqtt.NewClientOptions().AddBroker(strings.Replace(url, "mqtt://", "tcp://", 1)).
		SetClientID(id).SetCleanSession(false).
		SetAutoReconnect(true).SetMaxReconnectInterval(200 * time.Millisecond).
		SetConnectRetry(true).SetConnectRetryInterval(100 * time.Millisecond).
		SetOnConnectHandler(func(c mqtt.Client) { c.Subscribe("kerb/v1/#", 1, s.take) })
	s.client = mqtt.NewClient(o)
	if tok := s.client.Connect(); !tok.WaitTimeout(10*time.Second) || tok.Error() != nil {
		t.Fatalf("sink: %v", tok.Error())
	}
	t.Cleanup(func() { s.client.Disconnect(100) })
	return s
}

func (s *sink) take(_ mqtt.Client, m mqtt.Message) {
	levels := strings.Split(m.Topic(), "/")
	if len(levels) < 6 {
		s.t.Errorf("topic %s", m.Topic())
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	message := published{m.Topic(), bytes.Clone(m.Payload()), m.Retained()}
	s.all = append(s.all, message)
	if message.isProof() {
		return // as the schema tells consumers
	}
	switch levels[5] {
	case "count":
		s.keep(m.Payload())
	case "backfill":
		var all []json.RawMessage
		if err := json.Unmarshal(m.Payload(), &all); err != nil || len(all) == 0 || len(all) > 60 || len(m.Payload()) > 64<<10 {
			s.t.Errorf("backfill of %d windows, %d bytes: %v", len(all), len(m.Payload()), err)
		}
		for _, w := range all {
			s.keep(w)
		}
	default:
		s.other[levels[5]] = append(s.other[levels[5]], m.Payload())
	}
}

func (s *sink) keep(b []byte) {
	var w window
	if err := json.Unmarshal(b, &w); err != nil || w.Seq == 0 {
		s.t.Errorf("window %s: %v", b, err)
		return
	}
	if old, ok := s.seen[w]; ok {
		s.twice++
		if !bytes.Equal(old, b) {
			s.t.Errorf("two windows of one key:\n%s\n%s", old, b)
		}
	}
	s.seen[w] = bytes.Clone(b)
}

func (s *sink) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.seen)
}

// await waits until the sink has n windows.
func (s *sink) await(n int, patience time.Duration) {
	s.t.Helper()
	for end := time.Now().Add(patience); s.count() < n; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			s.t.Fatalf("%d windows of %d after %s", s.count(), n, patience)
		}
	}
}

// complete checks that every number 1…last of every stream arrived.
func (s *sink) complete(epoch string, streams []string, last int) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	missing := 0
	for _, stream := range streams {
		for seq := 1; seq <= last; seq++ {
			if _, ok := s.seen[window{"pi-0a1b", stream, epoch, uint64(seq)}]; !ok {
				missing++
			}
		}
	}
	if missing > 0 || len(s.seen) != last*len(streams) {
		s.t.Errorf("%d windows missing; %d seen, want %d", missing, len(s.seen), last*len(streams))
	}
}

func (s *sink) messages(level string) (out []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range s.other[level] {
		out = append(out, string(b))
	}
	return out
}

func (s *sink) String() string { return fmt.Sprintf("%d windows, %d doubles", s.count(), s.twice) }
