package want

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"aead.dev/minisign"

	"kerb/agent/admission"
	"kerb/agent/config"
	"kerb/agent/policy/policytest"
	"kerb/agent/state"
)

// keyPair is the minisign key pair of one person.
type keyPair struct {
	public  minisign.PublicKey
	private minisign.PrivateKey
}

func newKeyPair(t testing.TB) keyPair {
	t.Helper()
	public, private, err := minisign.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return keyPair{public, private}
}

// policyText returns a policy of a version that lets a platform want files.
func policyText(version int, epsilon string) string {
	text := strings.NewReplacer("version = 1", fmt.Sprint("version = ", version), "epsilon = 1", "epsilon = "+epsilon).Replace(policytest.Daytime)
	return text + "\n[broker]\ncommands = [\"want\"]\n"
}

// desk is a device with its two files, and the people whom it trusts.
type desk struct {
	t          *testing.T
	dir        string
	own        admission.Files
	anna, bert keyPair
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	dir := t.TempDir()
	d := &desk{t: t, dir: filepath.Join(dir, "state"), anna: newKeyPair(t), bert: newKeyPair(t)}
	d.own = admission.Files{Site: filepath.Join(dir, "site.toml"), Policy: filepath.Join(dir, "policy.toml")}
	if err := os.Mkdir(d.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	d.writeFile(d.own.Site, d.siteText("mqtt://127.0.0.1:1883"))
	d.writeFile(d.own.Policy, policyText(2, "1"))
	m := Message{Schema: Schema, Version: 1, PolicyText: policyText(2, "1")}
	d.sign(&m, d.anna)
	d.writeFile(d.own.Policy+".minisig", m.PolicySignatures[0])
	return d
}

// siteText returns the device's site.toml with this broker and further lines.
func (d *desk) siteText(broker string, more ...string) string {
	return fmt.Sprintf(`
[device]
tenant = "city"
site = "kings-cross"
name = "pi-1"
state = %q
[broker]
url = %q
[trust]
mode = "two-person"
keys = [%q, %q]
[[camera]]
name = "north"
source = "scene:people=3"
[[camera.line]]
id = "kerb"
classes = ["person"]
from = [0.1, 0.5]
to = [0.9, 0.5]
`, d.dir, broker, d.anna.public, d.bert.public) + strings.Join(more, "\n")
}

func (d *desk) writeFile(path, text string) {
	d.t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		d.t.Fatal(err)
	}
}

func (d *desk) sign(m *Message, signers ...keyPair) {
	d.t.Helper()
	for _, who := range signers {
		if err := m.Sign(who.private); err != nil {
			d.t.Fatal(err)
		}
	}
}

// message returns a signed message for this device.
func (d *desk) message(version int64, policyText, siteText string, signers ...keyPair) *Message {
	d.t.Helper()
	m := &Message{
		Schema: Schema, Tenant: "city", Site: "kings-cross", Device: "pi-1", Version: version, TrialS: 60,
		PolicyText: policyText, SiteText: siteText,
	}
	d.sign(m, signers...)
	return m
}

// load is the part of kerb check that needs no network: the tests of package main
// have all of it.
func load(f admission.Files) (*config.Site, admission.Decision, error) {
	site, err := config.LoadPart(f.Site, f.SiteTextPath())
	if err != nil {
		return nil, admission.Decision{}, err
	}
	d, err := admission.Admit(f.Policy, site)
	if err != nil {
		return nil, d, err
	}
	if cs := d.Policy.CheckSite(admission.SiteRequests(site)); len(cs) > 0 {
		return nil, d, admission.ConflictError(cs)
	}
	return site, d, nil
}

// receive examines a message as it comes from the broker.
func (d *desk) receive(m *Message) Verdict {
	d.t.Helper()
	b, err := json.Marshal(m)
	if err != nil {
		d.t.Fatal(err)
	}
	return d.receiveBytes(b)
}

func (d *desk) receiveBytes(b []byte) Verdict {
	d.t.Helper()
	d.writeFile(filepath.Join(d.dir, state.WantReceived), string(b))
	v, err := Examine(d.own, load)
	if err != nil {
		d.t.Fatal(err)
	}
	return v
}

// wantReason fails unless the message is refused for the reason, and leaves no file.
func (d *desk) wantReason(what string, m *Message, reason Reason) {
	d.t.Helper()
	if v := d.receive(m); v.Reason != reason {
		d.t.Errorf("%s: %q (%s), want %q", what, v.Reason, v.Error, reason)
	}
	if left, _ := filepath.Glob(filepath.Join(d.dir, state.WantPrefix+"[0-9]*")); len(left) > 0 && reason != NoReason {
		d.t.Errorf("%s: %v is left", what, left)
	}
}

// record reads the record, and fails on an error.
func (d *desk) record() Record {
	d.t.Helper()
	r, err := ReadRecord(d.dir)
	if err != nil {
		d.t.Fatal(err)
	}
	return r
}

// begin puts the message on trial as the supervisor does.
func (d *desk) begin(m *Message) Record {
	d.t.Helper()
	v := d.receive(m)
	if v.Reason != NoReason || v.Same {
		d.t.Fatalf("refused: %+v", v)
	}
	r, err := d.record().BeginTrial(d.dir, d.own, v, 1)
	if err != nil {
		d.t.Fatal(err)
	}
	return r
}

// start is a start of the agent.
func (d *desk) start() (Loaded, bool) {
	d.t.Helper()
	l, err := Load(d.own, load)
	if err != nil {
		d.t.Fatal(err)
	}
	l, reverted, err := l.Begin(d.dir, d.own, load)
	if err != nil {
		d.t.Fatal(err)
	}
	return l, reverted
}

func TestOnlyWhatTheDevicesOwnKeysSignedForItComesIntoForce(t *testing.T) {
	d := newDesk(t)
	stricter, looser := policyText(3, "0.5"), policyText(3, "2")
	site := d.siteText("mqtt://127.0.0.1:1884")
	eve := newKeyPair(t)
	cut := func(change func(*Message)) *Message {
		m := d.message(7, stricter, "", d.anna)
		change(m)
		return m
	}
	for what, c := range map[string]struct {
		m      *Message
		reason Reason
	}{
		"not signed":                              {d.message(7, stricter, ""), NotSigned},
		"signed by a stranger":                    {d.message(7, stricter, "", eve), NotSigned},
		"signed by one, and by a stranger":        {d.message(7, stricter, "", d.anna, eve), NotSigned},
		"looser, signed once":                     {d.message(7, looser, "", d.anna), PolicyRefused},
		"a site, signed once":                     {d.message(7, "", site, d.anna), NotSigned},
		"the signature of another version":        {cut(func(m *Message) { m.Version++ }), NotSigned},
		"a longer trial than was signed":          {cut(func(m *Message) { m.TrialS = 3600 }), NotSigned},
		"another policy than was signed":          {cut(func(m *Message) { m.PolicyText = looser }), NotSigned},
		"a site that was not signed":              {cut(func(m *Message) { m.SiteText = site }), NotSigned},
		"for another device":                      {cut(func(m *Message) { m.Device = "pi-2" }), OtherDevice},
		"for another site":                        {cut(func(m *Message) { m.Site = "soho" }), OtherDevice},
		"an older policy":                         {d.message(7, policyText(1, "0.5"), "", d.anna, d.bert), PolicyRefused},
		"the policy's version, other content":     {d.message(7, policyText(2, "0.5"), "", d.anna, d.bert), PolicyRefused},
		"another key in trust":                    {d.message(7, "", strings.Replace(site, d.bert.public.String(), eve.public.String(), 1), d.anna, d.bert), FixedKey},
		"another trust mode":                      {d.message(7, "", strings.Replace(site, `mode = "two-person"`, `mode = "open"`, 1), d.anna, d.bert), FixedKey},
		"another name":                            {d.message(7, "", strings.Replace(site, `name = "pi-1"`, `name = "pi-2"`, 1), d.anna, d.bert), FixedKey},
		"another state directory":                 {d.message(7, "", strings.Replace(site, d.dir, d.dir+"2", 1), d.anna, d.bert), FixedKey},
		"no walls needed any more":                {d.message(7, "", strings.Replace(site, "[broker]", "bench = true\n[broker]", 1), d.anna, d.bert), FixedKey},
		"a program":                               {d.message(7, "", strings.Replace(site, `source = "scene:people=3"`, `command = ["/bin/cat", "/etc/passwd"]`, 1), d.anna, d.bert), FixedKey},
		"a key that does not exist":               {d.message(7, "", site+"\n[nonsense]\na = 1\n", d.anna, d.bert), Mistakes},
		"a class that the policy does not allow":  {d.message(7, "", strings.Replace(site, `["person"]`, `["person", "motorcycle"]`, 1), d.anna, d.bert), Forbidden},
		"a policy with another schema":            {cut(func(m *Message) { m.Schema = "kerb.want/2" }), Malformed},
		"nothing wanted":                          {&Message{Schema: Schema, Version: 7}, Malformed},
		"a stricter policy, signed once":          {d.message(7, stricter, "", d.bert), NoReason},
		"a looser policy and a site, signed both": {d.message(7, looser, site, d.anna, d.bert), NoReason},
	} {
		d.wantReason(what, c.m, c.reason)
		if err := RemoveFiles(d.dir); err != nil {
			t.Fatal(err)
		}
	}
	for _, b := range []string{"", "{", "[]", `{"schema":"kerb.want/1"}`, "\x00\xff", strings.Repeat("9", MaxBytes+1)} {
		if v := d.receiveBytes([]byte(b)); v.Reason != Malformed {
			t.Errorf("%.20q: %+v", b, v)
		}
	}
}

func TestAPolicyThatDoesNotAllowItKeepsTheFiles(t *testing.T) {
	d := newDesk(t)
	own := strings.Replace(policyText(2, "1"), `["want"]`, `["resend"]`, 1)
	m := Message{Schema: Schema, Version: 1, PolicyText: own}
	d.sign(&m, d.anna)
	d.writeFile(d.own.Policy, own)
	d.writeFile(d.own.Policy+".minisig", m.PolicySignatures[0])
	d.wantReason("a stricter policy", d.message(7, policyText(3, "0.5"), "", d.anna, d.bert), NotAllowed)
}

func TestATrialIsKeptOrGoesBack(t *testing.T) {
	d := newDesk(t)
	site := d.siteText("mqtt://127.0.0.1:1884")
	m := d.message(7, policyText(3, "0.5"), site, d.anna, d.bert)
	d.begin(m)
	l, reverted := d.start()
	if reverted || l.Setback != nil || l.Site.Broker.URL != "mqtt://127.0.0.1:1884" || l.Decision.Policy.Version() != 3 || !l.Decision.OnTrial {
		t.Fatalf("on trial: %+v, %+v", l, l.Site.Broker)
	}
	if v := d.receive(m); !v.Same {
		t.Errorf("the broker sent it again: %+v", v)
	}
	if _, err := l.Record.Revert(d.dir, NoDelivery, 0); err != nil {
		t.Fatal(err)
	}
	l, _ = d.start()
	if l.Site.Broker.URL != "mqtt://127.0.0.1:1883" || l.Decision.Policy.Version() != 2 || l.Decision.Refused != nil {
		t.Fatalf("went back to %+v under version %d, %v", l.Site.Broker, l.Decision.Policy.Version(), l.Decision.Refused)
	}
	if v := d.receive(m); !v.Same {
		t.Errorf("a version that went back was tried again: %+v", v)
	}
	if v := d.receive(d.message(6, policyText(3, "0.5"), "", d.anna)); v.Reason != OldVersion {
		t.Errorf("an older version after a newer one: %+v", v)
	}
	r := d.begin(d.message(8, policyText(3, "0.5"), site, d.anna, d.bert))
	if r, err := r.Keep(d.dir); err != nil || r.Version() != 8 || r.OnTrial != 0 {
		t.Fatalf("kept: %+v, %v", r, err)
	}
	if l, _ = d.start(); l.Site.Broker.URL != "mqtt://127.0.0.1:1884" || l.Decision.OnTrial {
		t.Errorf("after it was kept: %+v, on trial %t", l.Site.Broker, l.Decision.OnTrial)
	}
	// A version that fails its trial goes back to the one that was kept.
	r = d.begin(d.message(9, policyText(4, "0.4"), "", d.anna))
	if l, _ = d.start(); l.Decision.Policy.Version() != 4 || l.Site.Broker.URL != "mqtt://127.0.0.1:1883" {
		t.Errorf("a message without a site: version %d, %+v", l.Decision.Policy.Version(), l.Site.Broker)
	}
	if _, err := r.Revert(d.dir, SensorsLost, 0); err != nil {
		t.Fatal(err)
	}
	if l, _ = d.start(); l.Decision.Policy.Version() != 3 || l.Record.Version() != 8 {
		t.Errorf("after version 9 failed: version %d of the policy, %+v", l.Decision.Policy.Version(), l.Record)
	}
}

func TestAnAgentThatStartsAgainAndAgainEndsTheTrial(t *testing.T) {
	d := newDesk(t)
	d.begin(d.message(7, policyText(3, "0.5"), "", d.anna))
	for i := range maxStarts {
		if l, reverted := d.start(); reverted || l.Decision.Policy.Version() != 3 {
			t.Fatalf("start %d: reverted %t, %+v", i+1, reverted, l.Record)
		}
	}
	l, reverted := d.start()
	if !reverted || l.Decision.Policy.Version() != 2 || l.Record.Last != (Result{7, Reverted, StartsFailed, 0}) {
		t.Errorf("reverted %t, version %d, %+v", reverted, l.Decision.Policy.Version(), l.Record)
	}
}

func TestAFileThatWasChangedByHandCounts(t *testing.T) {
	d := newDesk(t)
	r := d.begin(d.message(7, policyText(3, "0.5"), d.siteText("mqtt://127.0.0.1:1884"), d.anna, d.bert))
	if _, err := r.Keep(d.dir); err != nil {
		t.Fatal(err)
	}
	d.writeFile(d.own.Site, d.siteText("mqtt://127.0.0.1:1885"))
	if l, reverted := d.start(); reverted || l.Site.Broker.URL != "mqtt://127.0.0.1:1885" || l.Decision.Policy.Version() != 3 {
		t.Errorf("the site was changed: reverted %t, %+v, version %d", reverted, l.Site.Broker, l.Decision.Policy.Version())
	}
	m := Message{Schema: Schema, Version: 1, PolicyText: policyText(4, "0.4")}
	d.sign(&m, d.anna)
	d.writeFile(d.own.Policy, m.PolicyText)
	d.writeFile(d.own.Policy+".minisig", m.PolicySignatures[0])
	if l, reverted := d.start(); !reverted || l.Decision.Policy.Version() != 4 || l.Record.Last.Reason != ChangedByHand || l.Record.Version() != 0 {
		t.Errorf("both were changed: reverted %t, version %d, %+v", reverted, l.Decision.Policy.Version(), l.Record)
	}
}

func TestFilesThatWereTamperedWithDoNotCount(t *testing.T) {
	for name, tamper := range map[string]func(d *desk, r Record) error{
		"the site": func(d *desk, r Record) error {
			return os.WriteFile(filepath.Join(d.dir, fileName(7, siteSuffix)), []byte(d.siteText("mqtt://127.0.0.1:6666")), 0o600)
		},
		"the message": func(d *desk, r Record) error {
			path := filepath.Join(d.dir, fileName(7, ""))
			b, err := os.ReadFile(path)
			return errors.Join(err, os.WriteFile(path, []byte(strings.Replace(string(b), "1884", "6666", 1)), 0o600))
		},
		"the message is gone": func(d *desk, r Record) error { return os.Remove(filepath.Join(d.dir, fileName(7, ""))) },
		"a key is trusted no more": func(d *desk, r Record) error {
			text := strings.Replace(d.siteText("mqtt://127.0.0.1:1883"), d.bert.public.String(), newKeyPair(d.t).public.String(), 1)
			return os.WriteFile(d.own.Site, []byte(text), 0o600)
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			r := d.begin(d.message(7, "", d.siteText("mqtt://127.0.0.1:1884"), d.anna, d.bert))
			r, err := r.Keep(d.dir)
			if err != nil {
				t.Fatal(err)
			}
			if err := tamper(d, r); err != nil {
				t.Fatal(err)
			}
			if l, reverted := d.start(); !reverted || l.Site.Broker.URL != "mqtt://127.0.0.1:1883" || l.Record.Version() != 0 {
				t.Errorf("reverted %t, %+v, %+v", reverted, l.Site.Broker, l.Record)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"schema":"kerb.want/1","tenant":"a","site":"b","device":"c","version":1,"trial_s":60,"policy_toml":"x","minisigs":["y"]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Parse(b)
		if err == nil && (m.Version < 1 || m.PolicyText == "" && m.SiteText == "" || len(m.Statement()) == 0) {
			t.Errorf("%+v", m)
		}
	})
}
