package fleet

import (
	"bytes"
	"encoding/json"
	"net"
	"strings"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
)

// A broker that takes the connection and says nothing, and one that answers with something
// else, end each command of kerb fleet with an error.
func TestABrokerThatIsSlowOrAnswersWithGarbageEndsTheCommand(t *testing.T) {
	for name, answer := range map[string][]byte{"nothing": nil, "garbage": bytes.Repeat([]byte{0xff}, 1<<16)} {
		t.Run(name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			go func() {
				for {
					c, err := l.Accept()
					if err != nil {
						return
					}
					defer c.Close()
					_, _ = c.Write(answer)
				}
			}()
			b := Broker{Broker: "mqtt://" + l.Addr().String(), Devices: "+/+/+", timeout: time.Second}
			if w, err := b.connect(""); err == nil {
				w.close()
				t.Error("connected")
			} else if !strings.HasPrefix(err.Error(), "connect to mqtt://") || strings.Contains(err.Error(), "\xff") || strings.Contains(err.Error(), "\n") {
				t.Errorf("%v", err)
			}
		})
	}
}

// told is a message of a broker.
type told struct {
	mqtt.Message
	topic, payload string
}

func (m told) Topic() string   { return m.topic }
func (m told) Payload() []byte { return []byte(m.payload) }

// A state counts for the device of its topic alone, and another message changes nothing.
func TestAStateThatCannotBeReadChangesNothing(t *testing.T) {
	w := &watch{devices: map[string]*device{}, changed: make(chan struct{}, 1)}
	const topic = "kerb/v1/city/soho/pi-1/state"
	kept := `{"tenant":"city","site":"soho","device":"pi-1","online":true,"agent":{"config":{"version":7,"outcome":"kept"}}}`
	w.take(nil, told{topic: topic, payload: kept})
	for _, payload := range []string{"\x00\xff", "[]", `"kept"`, "{", `{"agent":7}`, `{"agent":{"config":{"version":"8"}}}`, strings.Repeat("[", 1<<16)} {
		w.take(nil, told{topic: topic, payload: payload})
		if s := w.told("city/soho/pi-1").State; s == nil || !s.Online || s.Agent.Config.Version != 7 {
			t.Errorf("%.20q: %+v", payload, s)
		}
	}
	for _, topic := range []string{"kerb/v1/city/soho/state", "kerb/v1/city/soho/pi-1/count/a", "", "kerb/v1/a/b/c/d/state"} {
		w.take(nil, told{topic: topic, payload: kept})
	}
	w.take(nil, told{topic: "kerb/v1/city/soho/pi-2/state", payload: strings.Replace(kept, "7", "8", 1)})
	if s := w.told("city/soho/pi-1").State; len(w.devices) != 2 || s.Agent.Config.Version != 7 {
		t.Errorf("%d devices, %+v", len(w.devices), s)
	}
	b, err := json.Marshal(judgeFleet(w.list(), nil, nil, time.Now()))
	if err != nil || !strings.Contains(string(b), `"devices":2`) {
		t.Errorf("%v, %s", err, b)
	}
}
