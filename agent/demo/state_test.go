package demo

import (
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"kerb/agent/admission"
	"kerb/agent/audit"
	"kerb/agent/clock"
	"kerb/agent/config"
	"kerb/agent/localbroker"
	"kerb/agent/policy/policytest"
	"kerb/configs/configstest"
)

// The state message tells the platform of a refused policy and of the log's head.
func TestStateTellsARefusalAndTheHeadOfTheAuditLog(t *testing.T) {
	site := &config.Site{
		Device: config.Device{Tenant: "kerb", Site: "test", Name: "pi-1", State: filepath.Join(t.TempDir(), "state")},
		Trust:  config.Trust{Mode: "open"},
	}
	file := filepath.Join(t.TempDir(), "policy.toml")
	start := func(version string) (admission.Decision, *admission.Journal) {
		text := strings.Replace(policytest.Daytime, "version = 1", "version = "+version, 1)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		v, err := admission.Admit(file, site)
		if err != nil {
			t.Fatal(err)
		}
		b, err := admission.OpenJournal(site, v, "test", clock.Clock{Floor: clockFloor}, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		return v, b
	}
	_, newer := start("2")
	newer.Close()
	v, b := start("1")
	defer b.Close()
	broker, err := localbroker.New()
	if err != nil {
		t.Fatal(err)
	}
	defer broker.Close()
	states := make(chan []byte, 8)
	client := mqtt.NewClient(mqtt.NewClientOptions().AddBroker(strings.Replace(broker.URL, "mqtt", "tcp", 1)).SetClientID("platform"))
	client.Connect().Wait()
	defer client.Disconnect(0)
	client.Subscribe("kerb/v1/kerb/test/pi-1/state", 1, func(_ mqtt.Client, m mqtt.Message) { states <- m.Payload() }).Wait()
	site.Broker.URL = broker.URL
	a, err := NewAgent(site, v.Policy, "test", clock.Clock{Floor: clockFloor}, b, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	runAgent(t, a)
	var s struct {
		Agent struct {
			Policy struct {
				Trust, Refused string
				Version        int
			}
			Audit audit.Head
		}
	}
	text := <-states
	if err := configstest.Validate(t, "state", text); err != nil {
		t.Error(err)
	}
	if err := json.Unmarshal(text, &s); err != nil || s.Agent.Policy.Trust != "open" || s.Agent.Policy.Version != 2 ||
		!strings.Contains(s.Agent.Policy.Refused, "version 1 is older") || s.Agent.Audit != b.Audit.Head() || s.Agent.Audit.Seq == 0 {
		t.Errorf("%s: %v", text, err)
	}
}
