package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"aead.dev/minisign"

	"kerb/agent/want"
)

// A wantedConfig is agent.config of a state message.
type wantedConfig struct {
	InForce int64 `json:"in_force"`
	Version int64
	Outcome string
	Reason  string
	Site    string
}

// signers are two people whose keys the agent trusts, and their connection to its broker.
type signers struct {
	a    *agent
	sink *sink
	keys []minisign.PrivateKey
	site string // text of the agent's own site.toml
}

// newSigners gives the agent two trusted keys and a policy that lets files be wanted.
func newSigners(t *testing.T, m *mosquitto, a *agent) *signers {
	t.Helper()
	p := &signers{a: a, sink: newSinkAs(t, m.url(), "platform")}
	var trusted []string
	for range 2 {
		public, private, err := minisign.GenerateKey(nil)
		if err != nil {
			t.Fatal(err)
		}
		p.keys, trusted = append(p.keys, private), append(trusted, fmt.Sprintf("%q", public.String()))
	}
	p.site = fmt.Sprintf(siteText, m.url(), "scene:calm?size=160x120") + "[trust]\nmode = \"two-person\"\nkeys = [" + strings.Join(trusted, ", ") + "]\n"
	own := want.Message{Schema: want.Schema, Version: 1, PolicyText: wantPolicy(1, "1")}
	if err := own.Sign(p.keys[0]); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"site.toml": p.site, "policy.toml": own.PolicyText, "policy.toml.minisig": own.PolicySignatures[0]} {
		if err := os.WriteFile(filepath.Join(a.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// wantPolicy is the tests' policy, in a version, with the command want.
func wantPolicy(version int, epsilon string) string {
	return strings.NewReplacer("version = 1", fmt.Sprint("version = ", version), "epsilon = 1", "epsilon = "+epsilon).Replace(policyText) + "broker.commands = [\"want\"]\n"
}

// send signs a message with so many keys, and publishes it retained.
func (p *signers) send(version int64, policyText, siteText string, count int) {
	p.a.t.Helper()
	m := want.Message{
		Schema: want.Schema, Tenant: "camden", Site: "high-street", Device: "pi-0a1b", Version: version, TrialS: 60,
		PolicyText: policyText, SiteText: siteText,
	}
	for _, k := range p.keys[:count] {
		if err := m.Sign(k); err != nil {
			p.a.t.Fatal(err)
		}
	}
	b, err := json.Marshal(m)
	if err != nil {
		p.a.t.Fatal(err)
	}
	p.sink.client.Publish("kerb/v1/camden/high-street/pi-0a1b/want", 1, true, b).Wait()
}

// config returns the latest agent.config of the device.
func (p *signers) config() (c wantedConfig) {
	for _, text := range p.sink.messages("state") {
		var s struct {
			Agent struct{ Config wantedConfig }
		}
		if json.Unmarshal([]byte(text), &s) == nil && s.Agent.Config.Site != "" {
			c = s.Agent.Config
		}
	}
	return c
}

// awaitEvent waits for an event of this version and outcome, and returns it.
func (p *signers) awaitEvent(version int64, outcome string) (data wantedConfig) {
	p.a.t.Helper()
	until(p.a.t, fmt.Sprintf("version %d %s", version, outcome), func() bool {
		for _, text := range p.sink.messages("event") {
			var e struct {
				Kind string
				Data wantedConfig
			}
			if json.Unmarshal([]byte(text), &e) == nil && e.Kind == "want" && e.Data.Version == version && e.Data.Outcome == outcome {
				data = e.Data
				return true
			}
		}
		return false
	})
	return data
}

// Files that people signed come into force by themselves, are tried, and go back where
// the device does not deliver under them; others change nothing.
func TestADeviceTakesTheFilesThatItsPeopleSigned(t *testing.T) {
	if testing.Short() {
		t.Skip("short: a trial lasts a minute")
	}
	t.Parallel()
	m := startMosquitto(t)
	a := newAgent(t, m.url(), "")
	p := newSigners(t, m, a)
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(a.log.String())
		}
	})
	a.start()
	until(t, "the first state", func() bool { return p.config().Site != "" })
	own := p.config().Site

	p.send(3, wantPolicy(2, "2"), "", 1) // looser, and signed by one
	if e := p.awaitEvent(3, "refused"); e.Reason != "policy_refused" {
		t.Errorf("a looser policy with one signature: %+v", e)
	}
	p.send(4, wantPolicy(2, "0.5"), "", 1)
	p.awaitEvent(4, "trial")
	p.awaitEvent(4, "kept")
	p.send(5, "", strings.Replace(p.site, `id = "along"`, `id = "beside"`, 1), 2)
	p.awaitEvent(5, "kept")
	until(t, "a state under the new site", func() bool { c := p.config(); return c.InForce == 5 && c.Site != own })
	p.send(4, wantPolicy(2, "0.5"), "", 1) // replayed
	if e := p.awaitEvent(4, "refused"); e.Reason != "old_version" {
		t.Errorf("an older version: %+v", e)
	}
	kept := p.config().Site

	// A site under which nothing arrives: the device is back by itself, and says so.
	p.send(6, "", strings.Replace(p.site, m.url(), "mqtt://127.0.0.1:9", 1), 2)
	if e := p.awaitEvent(6, "reverted"); e.Reason != "no_delivery" {
		t.Errorf("a broker that is not there: %+v", e)
	}
	until(t, "a state under the site before", func() bool { c := p.config(); return c.InForce == 5 && c.Site == kept })
	if out, rc := a.ask("audit"); rc != 0 || strings.Count(out, " want ") < 6 {
		t.Errorf("the audit log: rc %d\n%s", rc, out)
	}
	a.stop()
}
